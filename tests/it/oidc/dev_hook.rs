//! The development authorization server towards the token hook.

use std::{sync::Mutex, time::Duration};

use behalf::demo::authorization_server::{DevServer, HookOutcome, HookTarget};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{
    clock,
    dev_flow::{App, claims},
    start,
    stub::{Reply, Stub},
};

fn point(server: &DevServer, url: &str) {
    server.set_hook(Some(HookTarget {
        url: format!("{url}/hooks/okta"),
        header: "X-Hook-Secret".to_owned(),
        secret: SecretString::from("Basic hook-secret"),
        patience: Duration::from_secs(3),
    }));
}

fn patch(token: &str, operations: &Value) -> Value {
    json!({"type": format!("com.okta.{token}.patch"), "value": operations})
}

/// Signs in with a hook that answers so; the token endpoint's answer, and what the log says.
async fn with_hook(reply: Reply) -> (u16, Value, HookOutcome) {
    let server = start(&clock());
    let reply = Mutex::new(reply);
    let stub = Stub::start(move |_| reply.lock().unwrap().clone());
    point(&server, &stub.url);
    let (status, answer) = App::of(&server).sign_in("s").await;
    assert_eq!(stub.count(), 1, "one attempt, no redirect followed");
    let log = server.hook_log();
    assert_eq!(log.len(), 1);
    assert_eq!(log[0].request, stub.seen()[0].body);
    (status, answer, log[0].outcome.clone())
}

fn is_plain(answer: &Value) -> bool {
    let (access, identity) = (claims(&answer["access_token"]), claims(&answer["id_token"]));
    access["can_delegate"] == "True"
        && access.get("on_behalf").is_none()
        && identity.get("on_behalf").is_none()
        && access["exp"].as_i64().unwrap() - access["iat"].as_i64().unwrap() == 3600
}

#[tokio::test]
async fn patches_are_in_the_signed_tokens() {
    let lifetime = json!({"op": "replace", "path": "/token/lifetime/expiration", "value": 600});
    let (status, answer, outcome) = with_hook(Reply::json(&json!({"commands": [
        patch("access", &json!([
            {"op": "add", "path": "/claims/on_behalf", "value": "True"},
            {"op": "replace", "path": "/claims/can_delegate", "value": "False"},
            lifetime,
        ])),
        patch("identity", &json!([{"op": "remove", "path": "/claims/email"}])),
    ], "debugContext": {"decision": "granted"}})))
    .await;
    assert_eq!((status, outcome), (200, HookOutcome::Applied));
    let (access, identity) = (claims(&answer["access_token"]), claims(&answer["id_token"]));
    assert_eq!(access["on_behalf"], "True");
    assert_eq!(access["can_delegate"], "False");
    assert_eq!(access["uid"], "00uagent");
    assert_eq!(access["exp"].as_i64().unwrap() - access["iat"].as_i64().unwrap(), 600);
    assert_eq!(answer["expires_in"], 600);
    assert!(identity.get("email").is_none());
    assert_eq!(identity["exp"].as_i64().unwrap() - identity["iat"].as_i64().unwrap(), 3600);
}

#[tokio::test]
async fn an_error_gives_no_token() {
    let reply = Reply::json(&json!({"error": {"errorSummary": "not today"}}));
    let (status, answer, outcome) = with_hook(reply).await;
    assert_eq!((status, outcome), (400, HookOutcome::Refused("not today".to_owned())));
    assert_eq!(answer, json!({"error": "server_error", "error_description": "not today"}));
}

#[tokio::test]
async fn an_answer_that_cannot_be_applied_whole_changes_nothing() {
    let reply = Reply::json(&json!({"commands": [patch("access", &json!([
        {"op": "add", "path": "/claims/on_behalf", "value": "True"},
        {"op": "replace", "path": "/claims/absent", "value": 1},
    ]))]}));
    let (status, answer, outcome) = with_hook(reply).await;
    assert_eq!(status, 200);
    assert!(matches!(outcome, HookOutcome::Voided(_)), "{outcome:?}");
    assert!(is_plain(&answer));
}

#[tokio::test]
async fn whatever_is_no_answer_mints_the_plain_token() {
    let patches = json!({"commands": [patch("access", &json!([
        {"op": "add", "path": "/claims/on_behalf", "value": "True"}
    ]))]});
    for status in [201, 204, 302, 400, 401, 500, 503] {
        let (answered, answer, outcome) = with_hook(Reply::Body(status, patches.to_string())).await;
        assert_eq!(answered, 200);
        assert!(matches!(outcome, HookOutcome::Failed(_)), "{status}: {outcome:?}");
        assert!(is_plain(&answer), "{status}");
    }
    for garbage in ["", "<html>", "[]", "{\"commands\": 7}"] {
        let (_, answer, outcome) = with_hook(Reply::Body(200, garbage.to_owned())).await;
        assert!(matches!(outcome, HookOutcome::Voided(_)), "{garbage}: {outcome:?}");
        assert!(is_plain(&answer));
    }
    let (_, answer, outcome) = with_hook(Reply::Body(200, " ".repeat(300_000))).await;
    assert!(matches!(outcome, HookOutcome::Failed(_)), "{outcome:?}");
    assert!(is_plain(&answer));
    let (_, answer, outcome) = with_hook(Reply::json(&json!({"commands": []}))).await;
    assert_eq!(outcome, HookOutcome::Nothing);
    assert!(is_plain(&answer));
}

#[tokio::test]
async fn a_hook_that_is_late_or_gone_mints_the_plain_token() {
    let server = start(&clock());
    let stub = Stub::start(|_| Reply::Never);
    server.set_hook(Some(HookTarget {
        url: stub.url.clone(),
        header: "authorization".to_owned(),
        secret: SecretString::from("x"),
        patience: Duration::from_millis(50),
    }));
    let app = App::of(&server);
    let (status, answer) = app.sign_in("s").await;
    assert_eq!(status, 200);
    assert!(is_plain(&answer));
    assert_eq!(stub.count(), 1);

    point(&server, "http://127.0.0.1:1");
    assert!(is_plain(&app.sign_in("s").await.1));
    let log = server.hook_log();
    assert_eq!(log.len(), 2);
    for call in log {
        assert!(matches!(call.outcome, HookOutcome::Failed(_)), "{:?}", call.outcome);
        assert_eq!(call.status, None);
    }
    server.set_hook(None);
    assert!(is_plain(&app.sign_in("s").await.1));
    assert_eq!(server.hook_log().len(), 2);
}

#[tokio::test]
async fn a_login_is_told_in_oktas_form() {
    let server = start(&clock());
    let stub = Stub::start(|_| Reply::json(&json!({})));
    point(&server, &stub.url);
    App::of(&server).sign_in("dlg_x").await;
    let seen = stub.seen();
    let header = |name: &str| seen[0].headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
    assert_eq!(header("x-hook-secret"), Some("Basic hook-secret"));
    assert_eq!(header("content-type"), Some("application/json"));

    let body: Value = serde_json::from_str(&seen[0].body).unwrap();
    assert_eq!(body["source"], format!("{}/v1/authorize", server.issuer()));
    assert_eq!(body["eventType"], "com.okta.oauth2.tokens.transform");
    assert_eq!(body["eventTime"], "2027-01-15T08:00:00.000Z");
    let context = &body["data"]["context"];
    assert_eq!(context["request"]["method"], "GET");
    let url = context["request"]["url"]["value"].as_str().unwrap();
    assert!(url.starts_with(&format!("{}/v1/authorize?", server.issuer())) && url.contains("state=dlg_x"), "{url}");
    let request = &context["protocol"]["request"];
    assert_eq!(request["state"], "dlg_x");
    assert_eq!(request["response_type"], "code");
    assert_eq!(request["client_id"], "app");
    assert_eq!(context["protocol"]["client"], json!({"id": "app", "name": "app", "type": "PUBLIC"}));
    assert_eq!(context["protocol"]["issuer"]["uri"], server.issuer());
    assert!(context["protocol"].get("originalGrant").is_none());
    assert_eq!(context["user"]["id"], "00uagent");
    assert_eq!(context["user"]["profile"]["login"], "agent@example.test");
    assert_eq!(context["session"]["userId"], "00uagent");

    let access = &body["data"]["access"];
    assert_eq!(access["claims"]["can_delegate"], "True");
    assert_eq!(access["token"]["lifetime"]["expiration"], 3600);
    assert_eq!(access["scopes"]["behalf"]["action"], "GRANT");
    assert_eq!(body["data"]["identity"]["claims"]["aud"], "app");
    assert!(body["data"]["refresh_token"]["jti"].as_str().unwrap().starts_with("oar"));
}

#[tokio::test]
async fn a_refresh_is_told_with_its_query_and_the_login_it_began_with() {
    let server = start(&clock());
    let stub = Stub::start(|_| Reply::json(&json!({})));
    point(&server, &stub.url);
    let app = App::of(&server);
    let (_, login) = app.sign_in("login-state").await;
    let (_, second) = app.refresh("?delegationid=dlg_y", login["refresh_token"].as_str().unwrap()).await;
    app.refresh("", second["refresh_token"].as_str().unwrap()).await;
    let bodies: Vec<Value> = stub.seen().iter().map(|seen| serde_json::from_str(&seen.body).unwrap()).collect();
    let context = &bodies[1]["data"]["context"];
    assert_eq!(bodies[1]["source"], format!("{}/v1/token", server.issuer()));
    assert_eq!(context["request"]["method"], "POST");
    let url = format!("{}/v1/token?delegationid=dlg_y", server.issuer());
    assert_eq!(context["request"]["url"]["value"], url);
    assert_eq!(context["protocol"]["request"]["grant_type"], "refresh_token");
    assert!(context["protocol"]["request"].get("state").is_none());
    assert_eq!(context["protocol"]["originalGrant"]["authorization"]["state"], "login-state");
    assert!(context.get("session").is_none());
    assert_eq!(context["user"]["id"], "00uagent");
    for body in &bodies[1..] {
        let jti = &bodies[0]["data"]["refresh_token"]["jti"];
        assert_eq!(&body["data"]["refresh_token"]["jti"], jti);
        assert_eq!(&body["data"]["context"]["protocol"]["originalGrant"]["refresh_token"]["jti"], jti);
    }
    assert_ne!(bodies[1]["eventId"], bodies[2]["eventId"]);
}

#[tokio::test]
async fn a_refused_refresh_leaves_the_refresh_token_good() {
    let server = start(&clock());
    let app = App::of(&server);
    let (_, login) = app.sign_in("s").await;
    let token = login["refresh_token"].as_str().unwrap();
    let stub = Stub::start(|_| Reply::json(&json!({"error": {}})));
    point(&server, &stub.url);
    let (status, answer) = app.refresh("?delegationid=dlg_y", token).await;
    assert_eq!(status, 400);
    assert_eq!(answer["error_description"], "The callback service returned an error");
    server.set_hook(None);
    assert_eq!(app.refresh("", token).await.0, 200);
}

#[tokio::test]
async fn a_client_alone_is_told_without_a_user() {
    let server = start(&clock());
    let stub = Stub::start(|_| {
        Reply::json(&json!({"commands": [patch("access", &json!([
            {"op": "add", "path": "/claims/x", "value": 1}
        ])), patch("identity", &json!([]))]}))
    });
    point(&server, &stub.url);
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", "service"),
        ("client_secret", "s3cret"),
        ("scope", "behalf"),
    ];
    let (status, answer) = App::of(&server).token("?delegationid=dlg_z", &form).await;
    assert_eq!(status, 200);
    assert!(claims(&answer["access_token"]).get("x").is_none(), "a patch for an ID token that isn't minted voids all");
    let body: Value = serde_json::from_str(&stub.seen()[0].body).unwrap();
    assert!(body["data"]["context"].get("user").is_none() && body["data"].get("identity").is_none());
    assert_eq!(body["data"]["context"]["protocol"]["request"]["grant_type"], "client_credentials");
    assert_eq!(body["data"]["context"]["protocol"]["client"]["type"], "CONFIDENTIAL");
}
