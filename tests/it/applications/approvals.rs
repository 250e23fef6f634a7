//! Approvals that applications ask for on their own.

use std::time::Duration;

use behalf::domain::{approval::template::Demand, rule::Rule};
use serde_json::json;

use super::*;

fn wish() -> Value {
    json!({"user": "ann@example.test", "title": "Release payment run 4711", "context": {"amount": 12.5, "to": ["René"]},
           "reason": "end of month"})
}

async fn ask(app: &TestApp) -> Value {
    let asked = app.post("/v1/approvals", &token(app), &wish()).await;
    assert_eq!(asked.status, 201, "{}", asked.text);
    asked.json
}

fn path(approval: &Value) -> String {
    format!("/v1/approvals/{}", approval["id"].as_str().unwrap())
}

async fn vote(app: &TestApp, who: &str, approval: &Value) -> Answer {
    let body = json!({"decision": "approve", "version": 1});
    app.post(&format!("{}/votes", path(approval)), who, &body).await
}

#[actix_web::test]
async fn an_approval_is_asked_for_decided_and_seen_by_its_application() {
    let app = app().await;
    let asked = ask(&app).await;
    assert_eq!(asked["state"], "PENDING");
    let said = &asked["application"];
    assert_eq!((&said["uri"], &said["title"]), (&json!(ERP), &json!("Release payment run 4711")));
    assert_eq!(said["context"], json!({"amount": 12.5, "to": ["René"]}));
    assert_eq!(said["subject"], "ann@example.test");
    // Its approvers see the same, as data from the application.
    assert_eq!(app.get(&path(&asked), "eve").await.json["application"], *said);
    let waiting = app.get("/v1/approvals?role=approver", "eve").await.json;
    assert_eq!(waiting["items"][0]["id"], asked["id"]);
    assert_eq!(vote(&app, "eve", &asked).await.status, 200);
    let seen = app.get(&path(&asked), &token(&app)).await;
    assert_eq!(seen.json["state"], "APPROVED");
    assert_eq!(seen.json["votes"][0]["by"]["id"], "00ueve");
    let told: Vec<_> = app.events().await.into_iter().map(|event| (event.code, event.actor.kind)).collect();
    let pair = |code: &str, kind: &str| (code.to_owned(), kind.to_owned());
    assert_eq!(told, [pair("DA2000", "application"), pair("DA2001", "user"), pair("DA2002", "user")]);
}

#[actix_web::test]
async fn whom_it_is_about_does_not_decide() {
    let app = app().await;
    let mut body = wish();
    body["user"] = json!("00ueve");
    let asked = app.post("/v1/approvals", &token(&app), &body).await.json;
    vote(&app, "eve", &asked).await.is_problem(403, "not-an-approver");
    assert_eq!(vote(&app, "bob", &asked).await.status, 200);
}

#[actix_web::test]
async fn the_same_request_is_found_again_while_it_waits() {
    let app = app().await;
    let first = ask(&app).await;
    let again = app.post("/v1/approvals", &token(&app), &wish()).await;
    assert_eq!((again.status.as_u16(), &again.json["id"]), (200, &first["id"]));
    for (field, value) in
        [("title", json!("Another")), ("context", json!({})), ("reason", json!("x")), ("ticket", json!("t"))]
    {
        let mut body = wish();
        body[field] = value;
        let other = app.post("/v1/approvals", &token(&app), &body).await;
        assert_eq!(other.status, 201, "{field}");
        assert_ne!(other.json["id"], first["id"], "{field}");
    }
    // What is over is asked for anew.
    app.post(&format!("{}/votes", path(&first)), "eve", &json!({"decision": "deny", "version": 1})).await;
    assert_ne!(ask(&app).await["id"], first["id"]);
}

#[actix_web::test]
async fn an_application_sees_its_own_and_no_other() {
    let app = app().await;
    let asked = ask(&app).await;
    app.get(&path(&asked), &shop_token(&app)).await.is_problem(404, "not-found");
    app.get(&format!("{}/events", path(&asked)), &shop_token(&app)).await.is_problem(404, "not-found");
    app.get("/v1/approvals/apr_AZOq4Yp7kJ2cGx3eUpYc1FhT0V6a1Y", &token(&app)).await.is_problem(404, "not-found");
    // It decides about nothing, and ends nothing.
    for what in ["votes", "withdraw", "revoke"] {
        let body = json!({"decision": "approve", "version": 1});
        let answer = app.post(&format!("{}/{what}", path(&asked)), &token(&app), &body).await;
        answer.is_problem(401, "invalid-token");
    }
    app.get("/v1/approvals", &token(&app)).await.is_problem(401, "invalid-token");
}

#[actix_web::test]
async fn it_waits_for_the_decision_with_its_own_token() {
    let app = app().await;
    let asked = ask(&app).await;
    let token = token(&app);
    let wait = format!("{}?wait=30s&after_revision=1", path(&asked));
    let (seen, voted) = tokio::join!(app.get(&wait, &token), vote(&app, "eve", &asked));
    assert_eq!(voted.status, 200);
    assert_eq!(seen.json["state"], "APPROVED");
    let events = app.request(Method::GET, &format!("{}/events", path(&asked))).bearer_auth(&token);
    let mut stream = events.send().await.unwrap();
    assert_eq!(stream.status(), 200);
    let first = tokio::time::timeout(Duration::from_secs(10), stream.chunk()).await.unwrap().unwrap().unwrap();
    assert!(String::from_utf8_lossy(&first).contains(r#""state":"APPROVED""#), "{first:?}");
}

#[actix_web::test]
async fn no_hook_ever_uses_it() {
    let rule = Rule { name: "all".to_owned(), approval: Some(template()), ..Rule::default() };
    let policy = behalf::policy::TenantPolicy { rules: vec![rule], ..behalf::policy::TenantPolicy::default() };
    let app = app_of(Setup { policy, ..registered() }).await;
    let asked = ask(&app).await;
    vote(&app, "eve", &asked).await;
    let begun = app.post("/v1/delegations", "ann", &json!({"delegator": "bob@example.test"})).await;
    assert_eq!(begun.status, 202, "{}", begun.text);
    assert_ne!(begun.json["approval"]["id"], asked["id"]);
}

#[actix_web::test]
async fn what_a_person_could_not_read_is_refused_and_leaves_nothing() {
    let app = app().await;
    let deep = json!({"a": {"b": {"c": {"d": {}}}}});
    let cases = [
        ("title", json!("")),
        ("title", json!("x".repeat(201))),
        ("title", json!("a\u{202e}b")),
        ("title", json!("Rene\u{301}")),
        ("title", json!(" \u{a0}")),
        ("title", json!("\u{3164}")),
        ("title", json!("pay\u{ad}ment")),
        ("reason", json!("ok\u{e0041}")),
        ("context", json!({"a": "x\u{0}"})),
        ("context", deep),
        ("context", json!({"a": "x".repeat(9000)})),
        ("reason", json!("x".repeat(501))),
        ("user", json!("a\nb")),
    ];
    for (field, value) in cases {
        let mut body = wish();
        body[field] = value.clone();
        let answer = app.post("/v1/approvals", &token(&app), &body).await;
        answer.is_problem(400, "invalid-request");
        assert_eq!(answer.json["field"], field, "{value}");
    }
    let claim = token_with(&app, &json!({"otherClaim": "\u{202e}"}));
    app.post("/v1/approvals", &claim, &wish()).await.is_problem(400, "invalid-request");
    for body in [json!({}), json!([]), json!({"title": "x", "approvers": ["user:00uann"]}), json!({"title": 1})] {
        app.post("/v1/approvals", &token(&app), &body).await.is_problem(400, "invalid-request");
    }
    let nobody = json!({"user": "00unobody", "title": "x"});
    app.post("/v1/approvals", &token(&app), &nobody).await.is_problem(404, "not-found");
    assert_eq!(app.events().await, []);
    assert_eq!(app.get("/v1/approvals?role=administrator", "root").await.json["items"], json!([]));
}

/// The request with this text as its context, byte for byte.
async fn ask_with(app: &TestApp, token: &str, context: &str) -> Answer {
    let body = format!(r#"{{"user": "ann@example.test", "title": "Release", "context": {context}}}"#);
    let request = app.request(Method::POST, "/v1/approvals").bearer_auth(token);
    app.send(request.header("content-type", "application/json").body(body)).await
}

#[actix_web::test]
async fn an_approval_never_counts_for_data_that_only_reads_alike() {
    let app = app().await;
    let first = ask_with(&app, &token(&app), r#"{"account": 9007199254740991, "amount": 12.50}"#).await;
    assert_eq!(first.status, 201, "{}", first.text);
    let same = ask_with(&app, &token(&app), r#"{"amount": 12.5, "account": 9007199254740991}"#).await;
    assert_eq!((same.status.as_u16(), &same.json["id"]), (200, &first.json["id"]));
    for context in [
        r#"{"account": 9007199254740992, "amount": 12.5}"#,
        r#"{"account": 9007199254740993, "amount": 12.5}"#,
        r#"{"account": 9007199254740991, "amount": 12.50000000000000000001}"#,
        r#"{"account": [{"n": 99999999999999999999}]}"#,
        r#"{"account": 1e400}"#,
        r#"{"account": 1, "account": 2}"#,
        r#"{"lines": [{"to": "a", "to": "b"}]}"#,
    ] {
        let answer = ask_with(&app, &token(&app), context).await;
        answer.is_problem(400, "invalid-request");
        assert_eq!(answer.json["field"], "context", "{context}: {}", answer.text);
    }
    let claim = token_with(&app, &json!({"run": {"number": 9_007_199_254_740_993_u64}}));
    let answer = ask_with(&app, &claim, "{}").await;
    answer.is_problem(400, "invalid-request");
    assert_eq!(answer.json["field"], "claims of the token");
    assert_eq!(app.get("/v1/approvals?role=administrator", "root").await.json["items"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn a_token_with_two_claims_of_one_name_at_any_depth_is_refused() {
    let app = app().await;
    for custom in [r#""run": 1, "run": 2"#, r#""run": {"to": "a", "to": "b"}"#, r#""run": [{"to": {"a": 1, "a": 2}}]"#]
    {
        let claims = Value::Object(claims(&app)).to_string();
        let payload = format!("{}, {custom}}}", claims.strip_suffix('}').unwrap());
        let message = format!("{}.{}", part(&hs256()), URL_SAFE_NO_PAD.encode(payload));
        let token = format!("{message}.{}", mac(hmac::HMAC_SHA256, &ERP_KEY, &message));
        ask_with(&app, &token, "{}").await.is_problem(401, "invalid-token");
    }
}

#[actix_web::test]
async fn its_registration_says_what_it_must_bring() {
    let template = Template { reason: Demand::Required, ticket: Demand::Required, ..template() };
    let erp = Application { approval: Some(template), ..application(ERP, vec![key(&ERP_KEY)], &[]) };
    let app = app_of(Setup { applications: vec![Arc::new(erp)], ..Setup::default() }).await;
    let ask = async |body: Value| app.post("/v1/approvals", &token(&app), &body).await;
    ask(json!({"title": "x"})).await.is_problem(422, "reason-required");
    ask(json!({"title": "x", "reason": " \u{3000}"})).await.is_problem(422, "reason-required");
    ask(json!({"title": "x", "reason": "y"})).await.is_problem(422, "ticket-required");
    assert_eq!(ask(json!({"title": "x", "reason": "y", "ticket": "z"})).await.status, 201);
    assert_eq!(app.trail().await[0].0, "DA2010");
}

#[actix_web::test]
async fn an_application_that_asks_again_with_its_key_gets_the_first_answer() {
    let app = app().await;
    let ask = async |key: &str, body: &Value| {
        let request = app.request(reqwest::Method::POST, "/v1/approvals").bearer_auth(token(&app));
        app.send(request.header("Idempotency-Key", key).json(body)).await
    };
    let first = ask("run-4711", &wish()).await;
    assert_eq!(first.status, 201, "{}", first.text);
    vote(&app, "eve", &first.json).await;
    let again = ask("run-4711", &wish()).await;
    assert_eq!((again.status, &again.text), (first.status, &first.text));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    let mut other = wish();
    other["title"] = json!("Another");
    ask("run-4711", &other).await.is_problem(422, "idempotency-key-reused");
}
