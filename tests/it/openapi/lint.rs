//! Spectral and Redocly have nothing to say about the document.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

use crate::support::peers::installed;

const SPECTRAL: &str = "@stoplight/spectral-cli/dist/index.js";
const REDOCLY: &str = "@redocly/cli/bin/cli.js";

/// Runs one of the two. `None`: they can't be had here, which was said.
fn lint(program: &str, arguments: &[&str]) -> Option<Output> {
    let peers = installed("", "the identity provider's Node.js")?;
    let modules = installed("lint", "Spectral and Redocly")?.join("node_modules");
    let mut command = Command::new(peers.join("node"));
    command.arg(modules.join(program)).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR"));
    command.envs([("REDOCLY_TELEMETRY", "off"), ("REDOCLY_SUPPRESS_UPDATE_NOTICE", "true"), ("NO_COLOR", "1")]);
    Some(command.output().unwrap())
}

fn spectral(document: &str) -> Option<Output> {
    lint(SPECTRAL, &["lint", "--fail-severity", "hint", "--ruleset", "openapi/spectral.yaml", document])
}

fn redocly(document: &str) -> Option<Value> {
    let done = lint(REDOCLY, &["lint", "--config", "openapi/redocly.yaml", "--format", "json", document])?;
    let said = serde_json::from_slice(&done.stdout);
    Some(said.unwrap_or_else(|error| panic!("{error}: {done:?}")))
}

/// The document with one thing changed.
fn changed(folder: &Path, change: impl Fn(&mut Value)) -> String {
    let mut document = super::document().clone();
    change(&mut document);
    let file = folder.join("openapi.json");
    fs::write(&file, document.to_string()).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn spectral_has_nothing_to_say() {
    let Some(done) = spectral("openapi/openapi.json") else { return };
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
    let folder = tempfile::tempdir().unwrap();
    let worse = changed(folder.path(), |document| document["paths"]["/livez"]["get"]["description"] = "".into());
    let done = spectral(&worse).unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(!done.status.success() && said.contains("operation-description"), "a warning is a failure: {said}");
}

#[test]
fn redocly_has_nothing_to_say() {
    let Some(said) = redocly("openapi/openapi.json") else { return };
    let totals = &said["totals"];
    assert_eq!((&totals["errors"], &totals["warnings"]), (&0.into(), &0.into()), "{said}");
    assert_eq!(totals["ignored"], 5, "what openapi/.redocly.lint-ignore.yaml lets off is all there: {said}");
    let folder = tempfile::tempdir().unwrap();
    let worse = changed(folder.path(), |document| {
        document["paths"]["/v1/grants"]["get"].as_object_mut().unwrap().remove("security");
    });
    let said = redocly(&worse).unwrap();
    assert!(said.to_string().contains("security-defined") && said["totals"]["errors"] == 1, "{said}");
}
