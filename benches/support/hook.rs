//! Hooks as Okta sends them, after the sample that the tests use.

use serde_json::{Value, json};

/// The sample: a refresh with a delegation id in the token URL.
const SAMPLE: &str = include_str!("../../tests/it/fixtures/hooks/okta/refresh.json");

/// A hook's body, minified, for this issuer, agent and event; with this delegation id, or none.
pub(crate) fn hook(issuer: &str, agent: &str, event: &str, id: Option<&str>) -> String {
    let mut hook: Value = serde_json::from_str(SAMPLE).unwrap_or_default();
    let query = id.map(|id| format!("?delegationid={id}")).unwrap_or_default();
    hook["eventId"] = json!(event);
    hook["source"] = json!(format!("{issuer}/v1/token"));
    let context = &mut hook["data"]["context"];
    context["request"]["url"]["value"] = json!(format!("{issuer}/v1/token{query}"));
    context["protocol"]["issuer"]["uri"] = json!(issuer);
    context["user"]["id"] = json!(agent);
    hook.to_string()
}
