//! The client app of the story: signs users in, refreshes their tokens, calls behalf's API.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use url::Url;

use super::set::{CLIENT, REDIRECT};
use crate::ports::entropy::{self, Entropy};

/// A user who is signed in to the app.
pub(super) struct Session {
    pub(super) access: String,
    pub(super) refresh: String,
}

/// The claims of a JWT, unverified: for showing them.
pub(super) fn decode(token: &str) -> Result<Map<String, Value>, String> {
    let body = token.split('.').nth(1).ok_or("this is no JWT")?;
    let raw = URL_SAFE_NO_PAD.decode(body).map_err(|error| error.to_string())?;
    serde_json::from_slice(&raw).map_err(|error| error.to_string())
}

/// Authorization code flow with PKCE (RFC 7636).
pub(super) async fn sign_in(http: &Client, issuer: &str, login: &str, random: &dyn Entropy) -> Result<Session, String> {
    let verifier = URL_SAFE_NO_PAD.encode(entropy::bytes::<32>(random));
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
    let query = [
        ("client_id", CLIENT),
        ("redirect_uri", REDIRECT),
        ("response_type", "code"),
        ("scope", "openid offline_access behalf"),
        ("state", "the-apps-own-csrf-value"),
        ("login_hint", login),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    let request = http.get(format!("{issuer}/v1/authorize")).query(&query);
    let answer = request.send().await.map_err(|error| error.to_string())?;
    let location = answer.headers().get("location").and_then(|v| v.to_str().ok()).ok_or("no redirect came back")?;
    let back = Url::parse(location).map_err(|error| error.to_string())?;
    let code = back.query_pairs().find(|(name, _)| name == "code").ok_or(format!("no code in {location}"))?.1;
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", CLIENT),
        ("redirect_uri", REDIRECT),
        ("code", &code),
        ("code_verifier", &verifier),
    ];
    session(&token(http, &format!("{issuer}/v1/token"), &form).await?)
}

/// Refreshes the session's tokens. A delegation id travels in the query of the token URL. The error is what the
/// authorization server told the app.
pub(super) async fn refresh(http: &Client, issuer: &str, old: &Session, id: Option<&str>) -> Result<Session, String> {
    let query = id.map(|id| format!("?delegationid={id}")).unwrap_or_default();
    let form = [("grant_type", "refresh_token"), ("client_id", CLIENT), ("refresh_token", &old.refresh)];
    session(&token(http, &format!("{issuer}/v1/token{query}"), &form).await?)
}

async fn token(http: &Client, url: &str, form: &[(&str, &str)]) -> Result<Value, String> {
    let answer = http.post(url).form(form).send().await.map_err(|error| error.to_string())?;
    let status = answer.status();
    let body: Value = answer.json().await.map_err(|error| error.to_string())?;
    if status.is_success() {
        return Ok(body);
    }
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    Err(format!("{}: {}", text("error"), text("error_description")))
}

fn session(tokens: &Value) -> Result<Session, String> {
    let text = |name: &str| tokens[name].as_str().map(str::to_owned).ok_or(format!("no {name} came back"));
    Ok(Session { access: text("access_token")?, refresh: text("refresh_token")? })
}

/// A call of behalf's API with the user's token.
pub(super) async fn call(
    http: &Client,
    method: Method,
    url: String,
    who: &Session,
    body: Option<Value>,
) -> Result<(StatusCode, Value), String> {
    let mut request = http.request(method, url).bearer_auth(&who.access);
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await.map_err(|error| error.to_string())?;
    let status = answer.status();
    let bytes = answer.bytes().await.map_err(|error| error.to_string())?;
    Ok((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
}
