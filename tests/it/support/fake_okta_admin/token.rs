//! Tokens for a service app. That its proof is one isn't looked at here.

use serde_json::{Value, json};

use super::{APP, state::State};

/// Status and body.
pub(super) fn token(state: &mut State, form: &[u8]) -> (u16, Value) {
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(form).into_owned().collect();
    let value = |name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str()).unwrap_or_default();
    let scopes: Vec<String> = value("scope").split(' ').map(str::to_owned).collect();
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let three = value("client_assertion").split('.').count() == 3;
    if value("grant_type") != "client_credentials" || value("client_assertion_type") != kind || !three {
        return (401, json!({"error": "invalid_client"}));
    }
    if scopes.iter().any(|scope| !state.granted.contains(scope)) {
        return (400, json!({"error": "invalid_scope"}));
    }
    let token = format!("{APP}.{}", state.id("token"));
    state.tokens.insert(token.clone(), scopes);
    (200, json!({"token_type": "Bearer", "expires_in": 3600, "access_token": token, "scope": value("scope")}))
}
