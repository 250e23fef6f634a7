//! schemathesis asks the running binary what the document promises: no 5xx, no answer that isn't in the document.

use std::{fs, process::Command};

use reqwest::Method;
use serde_json::json;

use super::rig::{ANN, BOB, EVE, Rig};
use crate::{
    durability::rig::SECRET,
    support::{document::operations, peers::installed},
};

/// What isn't asked. What fits the schema may still be refused, for what there is and who asks. A path such as
/// `/v1/grants/delegators` is also that of an agent of this name, and `Allow` names the methods of both.
const NOT: &str = "positive_data_acceptance,allow_header_conformance";
/// What an identity provider sends is never answered with a 4xx: it would mint the plain token.
const NOT_OF_HOOKS: &str = "positive_data_acceptance,allow_header_conformance,negative_data_rejection";

/// What is asked with the tokens of those who may less; the administrator's run has every bound of every parameter.
const INVENTED: [&str; 4] = ["--phases", "examples,fuzzing", "--max-examples", "4"];
/// It takes the schema of a stream's body for that of each message, and a stream doesn't end.
const STREAM: &str = "approval-events";

/// How many requests of its own invention it makes for each operation, if more are wanted than usual.
#[expect(clippy::disallowed_methods, reason = "how much to test is no setting of behalf")]
fn more_examples() -> Option<String> {
    let more = std::env::var("BEHALF_TEST_EXAMPLES").ok();
    let heavy = std::env::var_os("BEHALF_TEST_PEERS").is_some_and(|peers| peers == "heavy");
    more.or(heavy.then(|| "25".to_owned()))
}

/// What is there to be named in paths: an approval that waits, a reservation, a grant.
async fn furnish(rig: &Rig) -> String {
    rig.done(Method::POST, "/v1/grants", BOB, json!({"agent": "00uann"})).await;
    let waits = rig.done(Method::POST, "/v1/delegations", ANN, json!({"delegator": "00ubob"})).await;
    let held = rig.done(Method::POST, "/v1/reservations", ANN, json!({"account": "00udba"})).await;
    let (approval, reservation) = (&waits["approval"]["id"], &held["id"]);
    let mut text = format!(
        "[[operations]]\ninclude-operation-id = \"approval-get\"\nparameters = {{ \"path.id\" = {approval}, wait = \"1s\" }}\n"
    );
    for operation in operations() {
        let id = operation.id();
        let known = match operation.path {
            "/v1/approvals/{id}" => continue,
            path if path.starts_with("/v1/approvals/{id}") => approval.to_string(),
            path if path.starts_with("/v1/reservations/{id}") => reservation.to_string(),
            _ => continue,
        };
        let parameters = format!("parameters = {{ \"path.id\" = {known} }}");
        text.extend(["[[operations]]\ninclude-operation-id = \"", id, "\"\n", &parameters, "\n"]);
    }
    text
}

/// Demands that it finds nothing.
async fn finds_nothing(authorization: impl Fn(&Rig) -> String, not: &str, usual: &[&str], operations: usize) {
    let Some(peer) = installed("schemathesis", "schemathesis") else { return };
    let rig = Rig::start().await;
    let folder = tempfile::tempdir().unwrap();
    let configuration = folder.path().join("schemathesis.toml");
    fs::write(&configuration, furnish(&rig).await).unwrap();
    let mut command = Command::new(peer.join("python"));
    command.envs([("PYTHONPATH", peer.join("packages").as_os_str()), ("NO_COLOR", "1".as_ref())]);
    command.current_dir(folder.path()).args(["-m", "schemathesis.cli", "--config-file"]).arg(configuration);
    command.arg("run").arg(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/openapi.json")).args(["--url", rig.url()]);
    command.arg("--header").arg(format!("Authorization: {}", authorization(&rig)));
    command.args(["--checks", "all", "--exclude-checks", not, "--seed", "7", "--generation-database", "none"]);
    command.args(["--continue-on-failure", "--no-shrink", "--max-redirects", "0", "--request-timeout", "30"]);
    command.args(["--warnings", "off", "--output-sanitize", "false", "--exclude-operation-id", STREAM]);
    if let Some(examples) = more_examples() {
        command.args(["--phases", "examples,coverage,fuzzing", "--max-examples", &examples]);
        // The part of operations is the test's own.
        command.args(usual.iter().skip_while(|argument| !argument.starts_with("--include")));
    } else {
        command.args(usual);
    }
    let done = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
    assert!(done.status.success(), "{said}");
    assert!(said.contains(&format!("Tested: {operations}\n")), "{said}");
}

/// How many operations it may ask for.
fn all() -> usize {
    operations().len() - 1
}

fn bearer(rig: &Rig, who: usize) -> String {
    format!("Bearer {}", rig.token(who))
}

#[tokio::test]
async fn with_an_administrators_token_the_service_does_what_the_document_says() {
    finds_nothing(|rig| bearer(rig, BOB), NOT, &["--phases", "examples,coverage"], all()).await;
}

#[tokio::test]
async fn with_a_users_token_the_service_does_what_the_document_says() {
    finds_nothing(|rig| bearer(rig, ANN), NOT, &INVENTED, all()).await;
}

#[tokio::test]
async fn with_an_approvers_token_the_service_does_what_the_document_says() {
    finds_nothing(|rig| bearer(rig, EVE), NOT, &INVENTED, all()).await;
}

#[tokio::test]
async fn to_the_identity_provider_the_service_does_what_the_document_says() {
    let usual = ["--phases", "examples,coverage,fuzzing", "--max-examples", "20", "--include-tag", "hooks"];
    finds_nothing(|_| SECRET.to_owned(), NOT_OF_HOOKS, &usual, 3).await;
}
