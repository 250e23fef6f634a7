//! The client app of the story: signs users in, refreshes their tokens, calls behalf's API.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use url::Url;

use super::people::{CLIENT, REDIRECT};
use crate::{
    adapters::http_client::explain,
    ports::entropy::{self, Entropy},
};

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

/// What an app sends as `state` to know its own redirect by.
pub(super) const OWN_STATE: &str = "the-apps-own-csrf-value";

/// Authorization code flow with PKCE (RFC 7636).
pub(super) async fn sign_in(
    http: &Client,
    issuer: &str,
    login: &str,
    state: &str,
    random: &dyn Entropy,
) -> Result<Session, String> {
    let verifier = URL_SAFE_NO_PAD.encode(entropy::bytes::<32>(random));
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
    let query = [
        ("client_id", CLIENT),
        ("redirect_uri", REDIRECT),
        ("response_type", "code"),
        ("scope", "openid offline_access behalf"),
        ("state", state),
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
    let (status, text) = send(request).await?;
    Ok((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
}

/// What stands there, to the byte; nothing else than 200 will do.
pub(super) async fn text(http: &Client, url: &str, who: &Session) -> Result<String, String> {
    let (status, text) = send(http.get(url).bearer_auth(&who.access)).await?;
    if status == StatusCode::OK { Ok(text) } else { Err(format!("{url} answered {status}: {text}")) }
}

async fn send(request: RequestBuilder) -> Result<(StatusCode, String), String> {
    let answer = request.send().await.map_err(|error| explain(&error))?;
    let status = answer.status();
    Ok((status, answer.text().await.map_err(|error| explain(&error))?))
}

/// A stream of server-sent events (WHATWG HTML 9.2) that somebody listens to.
pub(super) struct Events {
    answer: Response,
    unread: Vec<u8>,
}

impl Events {
    /// Begins to listen.
    pub(super) async fn open(http: &Client, url: &str, who: &Session) -> Result<Self, String> {
        let answer = http.get(url).bearer_auth(&who.access).send().await.map_err(|error| explain(&error))?;
        match answer.status() {
            StatusCode::OK => Ok(Self { answer, unread: Vec::new() }),
            other => Err(format!("{url} answered {other}")),
        }
    }

    /// Waits for the next message's data. The client's own deadline is around it.
    pub(super) async fn next(&mut self) -> Result<Value, String> {
        loop {
            if let Some(end) = self.unread.windows(2).position(|two| two == b"\n\n") {
                let message: Vec<u8> = self.unread.drain(..end + 2).collect();
                let message = String::from_utf8_lossy(&message).into_owned();
                // What has no data is a comment that keeps the connection alive.
                if let Some(data) = message.lines().find_map(|line| line.strip_prefix("data: ")) {
                    return serde_json::from_str(data).map_err(|error| error.to_string());
                }
                continue;
            }
            let more = self.answer.chunk().await.map_err(|error| explain(&error))?;
            self.unread.extend_from_slice(&more.ok_or("the stream of events ended")?);
        }
    }
}
