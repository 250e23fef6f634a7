//! What the application advises is about refusals that there are.

use std::collections::BTreeSet;

use behalf::web::openapi;
use serde_json::Value;

/// Codes of the identity provider (OAuth, OpenID Connect) and of the application itself.
const OTHERS: [&str; 4] = ["access_denied", "invalid_grant", "login_required", "unreachable"];
/// Refusals that a user of the application can't cause: its requests are well-formed, and it never skips votes.
const NOT_ITS_OWN: [&str; 6] = [
    "body-too-large",
    "break-glass-reason",
    "break-glass-role",
    "invalid-request",
    "not-found",
    "unsupported-media-type",
];

/// The codes that have an advice in `advice.mjs`.
fn advised() -> BTreeSet<String> {
    let text = include_str!("../../../examples/client/advice.mjs");
    let (_, table) = text.split_once("const ADVICE = {\n").unwrap();
    let (table, _) = table.split_once("\n};").unwrap();
    table.lines().map(|line| line.trim().split(':').next().unwrap().trim_matches('\'').to_owned()).collect()
}

fn document() -> Value {
    serde_json::to_value(openapi::document()).unwrap()
}

fn known(document: &Value) -> BTreeSet<String> {
    let codes = &document["components"]["schemas"]["Problem"]["properties"]["code"]["x-extensible-enum"];
    codes.as_array().unwrap().iter().map(|code| code.as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_advice_is_about_a_code_that_there_is() {
    let (advised, known) = (advised(), known(&document()));
    assert!(advised.len() > 20, "{advised:?}");
    for code in &advised {
        assert!(known.contains(code) != OTHERS.contains(&code.as_str()), "{code} is nobody's code");
    }
}

/// Of beginning a delegation, by the descriptions of its answers; the hook's refusals are among them.
#[test]
fn every_refusal_that_a_user_may_meet_has_an_advice() {
    let document = document();
    let (advised, known) = (advised(), known(&document));
    let answers = document["paths"]["/v1/delegations"]["post"]["responses"].as_object().unwrap();
    let texts = answers.values().map(|answer| answer["description"].as_str().unwrap());
    let said: BTreeSet<&str> = texts.flat_map(|text| text.split('`').skip(1).step_by(2)).collect();
    let codes: Vec<&str> = said.into_iter().filter(|word| known.contains(*word)).collect();
    assert!(codes.len() > 12, "{codes:?}");
    for code in codes.into_iter().filter(|code| !NOT_ITS_OWN.contains(code)) {
        assert!(advised.contains(code), "advice.mjs has nothing about {code}");
    }
}
