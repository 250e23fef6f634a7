//! One call of the token hook, in Okta's form. One attempt, and its log.

use jiff::Timestamp;
use reqwest::{StatusCode, header::CONTENT_TYPE};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::{
    HookTarget, Shared, lock,
    patch::{self, Drafts, Verdict},
    tokens::{Asked, Occasion, unique},
};
use crate::adapters::http_client::{explain, read_bounded};

/// Okta reads answers up to this length.
const MAX_ANSWER: usize = 256 * 1024;

/// What a call came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookOutcome {
    /// The answer's patches are in the tokens.
    Applied,
    /// The answer asks for nothing.
    Nothing,
    /// No token was minted; the client was told this.
    Refused(String),
    /// One thing in the answer couldn't be done, so nothing was: the plain tokens were minted.
    Voided(String),
    /// No answer that counts: the plain tokens were minted.
    Failed(String),
}

/// One call. The request may hold a delegation id, a bearer secret: hence no `Debug`.
#[derive(Clone)]
pub struct HookCall {
    /// The body that was sent, byte for byte: sent again it is a second delivery.
    pub request: String,
    /// The answer's status, if there was one.
    pub status: Option<u16>,
    /// The answer's body, if there was one.
    pub response: Option<String>,
    /// What became of it.
    pub outcome: HookOutcome,
}

/// Asks the hook. `Err` is the text with which it refuses the tokens.
pub(super) async fn ask(shared: &Shared, asked: &Asked, drafts: Drafts) -> Result<Drafts, String> {
    let Some(target) = lock(&shared.hook).clone() else { return Ok(drafts) };
    let request = body(shared, asked, &drafts).to_string();
    let mut call = HookCall { request, status: None, response: None, outcome: HookOutcome::Nothing };
    let result = match answer(shared, &target, &mut call).await {
        Err(why) => {
            call.outcome = HookOutcome::Failed(why);
            Ok(drafts)
        }
        Ok(answer) => {
            let (outcome, result) = follow(drafts, &answer);
            call.outcome = outcome;
            result
        }
    };
    lock(&shared.calls).push(call);
    result
}

/// The body of an answer of status 200; the error says why there is none.
async fn answer(shared: &Shared, target: &HookTarget, call: &mut HookCall) -> Result<Vec<u8>, String> {
    let request = shared
        .http
        .post(&target.url)
        .timeout(target.patience)
        .header(CONTENT_TYPE, "application/json")
        .header("Accept", "application/json")
        .header(&target.header, target.secret.expose_secret())
        .body(call.request.clone());
    let response = request.send().await.map_err(|error| explain(&error.without_url()))?;
    let status = response.status();
    call.status = Some(status.as_u16());
    let body = read_bounded(response, MAX_ANSWER).await.map_err(|error| explain(&error))?;
    call.response = Some(String::from_utf8_lossy(&body).into_owned());
    if status == StatusCode::OK { Ok(body) } else { Err(format!("status {status}")) }
}

fn follow(drafts: Drafts, answer: &[u8]) -> (HookOutcome, Result<Drafts, String>) {
    match patch::apply(&drafts, answer) {
        Ok(Verdict::Nothing) => (HookOutcome::Nothing, Ok(drafts)),
        Ok(Verdict::Patched(patched)) => (HookOutcome::Applied, Ok(patched)),
        Ok(Verdict::Refused(why)) => (HookOutcome::Refused(why.clone()), Err(why)),
        Err(why) => (HookOutcome::Voided(why), Ok(drafts)),
    }
}

fn body(shared: &Shared, asked: &Asked, drafts: &Drafts) -> Value {
    let now = shared.settings.clock.now();
    let id = |prefix: &str| format!("{prefix}{}", unique(shared));
    // A code's exchange is told as the authorization request that it ends.
    let (source, method) = match asked.occasion {
        Occasion::Code(_) => ("authorize", "GET"),
        Occasion::Refresh(_) | Occasion::Client => ("token", "POST"),
    };
    let mut data = json!({ "context": {
        "request": {"id": id("req"), "method": method, "url": {"value": asked.url}, "ipAddress": "127.0.0.1"},
        "protocol": protocol(shared, asked),
        "policy": {"id": "00pdevpolicy", "rule": {"id": "0prdevrule"}},
    }});
    if let Some(login) = asked.login() {
        data["context"]["user"] = json!({
            "id": login.user.id,
            "profile": {"login": login.user.login, "locale": "en", "timeZone": "UTC"},
        });
        if matches!(asked.occasion, Occasion::Code(_)) {
            let (user, at) = (&login.user, millis(login.at));
            data["context"]["session"] = json!({
                "id": id("102"), "userId": user.id, "login": user.login, "createdAt": at, "status": "ACTIVE",
                "lastPasswordVerification": at, "amr": ["PASSWORD"], "mfaActive": false,
            });
        }
    }
    for (name, draft) in [("identity", &drafts.identity), ("access", &drafts.access)] {
        if let Some(draft) = draft {
            data[name] = json!({ "claims": draft.claims, "token": {"lifetime": {"expiration": draft.lifetime}} });
        }
    }
    let scopes = asked.scopes.iter().map(|name| (name.clone(), json!({"id": format!("scp{name}"), "action": "GRANT"})));
    data["access"]["scopes"] = Value::Object(scopes.collect());
    if let Some(jti) = &asked.refresh_id {
        data["refresh_token"] = json!({ "jti": jti });
    }
    json!({
        "source": format!("{}/v1/{source}", shared.issuer),
        "eventId": unique(shared),
        "eventTime": millis(now),
        "eventTypeVersion": "1.0",
        "cloudEventVersion": "0.1",
        "contentType": "application/json",
        "eventType": "com.okta.oauth2.tokens.transform",
        "data": data,
    })
}

fn protocol(shared: &Shared, asked: &Asked) -> Value {
    let scope = asked.scope_text();
    let authorization = asked.login().map(|login| {
        let mut request = json!({
            "scope": login.scopes.iter().map(String::as_str).collect::<Vec<_>>().join(" "),
            "redirect_uri": login.redirect_uri,
            "response_mode": "query",
            "response_type": "code",
            "client_id": login.client,
        });
        if let Some(state) = &login.state {
            request["state"] = json!(state);
        }
        request
    });
    let confidential = shared.settings.clients.iter().any(|c| c.id == asked.client && c.secret.is_some());
    let mut protocol = json!({
        "type": "OAUTH2.0",
        "issuer": {"uri": shared.issuer},
        "client": {
            "id": asked.client,
            "name": asked.client,
            "type": if confidential { "CONFIDENTIAL" } else { "PUBLIC" },
        },
    });
    protocol["request"] = match &asked.occasion {
        Occasion::Code(_) => authorization.clone().unwrap_or_default(),
        Occasion::Refresh(_) => json!({"scope": scope, "grant_type": "refresh_token"}),
        Occasion::Client => json!({"scope": scope, "grant_type": "client_credentials", "client_id": asked.client}),
    };
    if matches!(asked.occasion, Occasion::Refresh(_)) {
        protocol["originalGrant"] =
            json!({ "authorization": authorization, "refresh_token": {"jti": asked.refresh_id} });
    }
    protocol
}

fn millis(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}
