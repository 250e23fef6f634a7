//! Every operation of the document, without the right to it. Who adds an operation is covered, whether he thinks of it
//! or not.

use reqwest::{Method, header::AUTHORIZATION};
use serde_json::{Value, json};

use crate::support::{
    document::{Operation, operations},
    http::Answer,
    test_app::{HOOK_SECRET, TestApp},
};

/// Operations that change something in form only: they need no scope. This list may only shrink.
const NO_SCOPE: [&str; 1] = ["lock-check"];

/// Operations that look at what is an administrator's business.
const NEED_THE_ROLE: [&str; 1] = ["notification-list"];

/// Operations for everybody who reaches the port. This list may only shrink.
const OPEN: [&str; 7] = ["livez", "readyz", "healthz", "metrics", "version", "openapi", "service-keys"];

/// Operations for users and for applications without OIDC. This list may only shrink.
const FOR_BOTH: [&str; 3] = ["lock-check", "approval-get", "approval-events"];

/// The ways to every operation that exists per tenant.
const MOUNTS: [&str; 2] = ["", "/t/acme"];

fn of_users() -> Vec<Operation> {
    let found: Vec<_> = operations().into_iter().filter(|o| o.is_secured_by("user_token")).collect();
    assert!(found.len() > 15);
    found
}

fn of_applications() -> Vec<Operation> {
    let found: Vec<_> = operations().into_iter().filter(|o| o.is_secured_by("application_token")).collect();
    assert!(found.len() >= 5);
    found
}

fn request(app: &TestApp, operation: &Operation, mount: &str) -> reqwest::RequestBuilder {
    let method: Method = operation.method.parse().unwrap();
    let request = app.request(method, &format!("{mount}{}", operation.concrete_path()));
    match operation.body() {
        Some(body) => request.json(&body),
        None => request,
    }
}

/// Status, and in a problem document its code.
fn said(answer: &Answer) -> (u16, Option<&str>) {
    (answer.status.as_u16(), answer.json["code"].as_str())
}

fn assert_refused(answer: &Answer, operation: &Operation, status: u16, code: &str, how: &str) {
    let what = format!("{how}: {} {}", operation.method, operation.path);
    let compat = operation.has_tag("compatibility");
    assert_eq!(said(answer), (status, (!compat).then_some(code)), "{what}: {}", answer.text);
    assert!(!compat || answer.json["error"].is_string(), "{what}");
    assert!(status != 401 || answer.header("www-authenticate").is_some_and(|v| v.starts_with("Bearer")), "{what}");
}

#[actix_web::test]
async fn every_operation_has_a_lock_on_its_door() {
    for operation in operations() {
        let locks =
            ["user_token", "hook_secret", "application_token"].iter().filter(|s| operation.is_secured_by(s)).count();
        let expected = match operation.id() {
            id if OPEN.contains(&id) => 0,
            id if FOR_BOTH.contains(&id) => 2,
            _ => 1,
        };
        assert_eq!(locks, expected, "{}", operation.id());
    }
}

#[actix_web::test]
async fn without_a_valid_token_nobody_is_anybody() {
    let app = TestApp::new().await;
    let all: Vec<Operation> = of_users().into_iter().chain(of_applications()).collect();
    for (operation, mount) in all.iter().flat_map(|o| MOUNTS.map(|m| (o, m))) {
        let bare = || request(&app, operation, mount);
        let cases = [
            ("no token", bare()),
            ("garbage", bare().bearer_auth("garbage")),
            ("an empty token", bare().header(AUTHORIZATION, "Bearer ")),
            ("another scheme", bare().header(AUTHORIZATION, "Basic YW5uOmFubg==")),
            ("the hook's secret", bare().header(AUTHORIZATION, HOOK_SECRET)),
            ("two tokens", bare().bearer_auth("ann").header(AUTHORIZATION, "Bearer ann")),
            ("two tokens in one", bare().header(AUTHORIZATION, "Bearer ann, Bearer ann")),
            ("bytes", bare().header(AUTHORIZATION, &b"Bearer \xff\xfe"[..])),
        ];
        for (how, request) in cases {
            assert_refused(&app.send(request).await, operation, 401, "invalid-token", how);
        }
        let in_query = format!("{mount}{}?access_token=ann", operation.concrete_path());
        let answer = app.send(app.request(operation.method.parse().unwrap(), &in_query)).await;
        assert_eq!(answer.status, 401, "a token in the query: {}", operation.id());
    }
    assert_eq!(app.events().await, []);
}

#[actix_web::test]
async fn who_calls_is_settled_before_what_he_sends() {
    let app = TestApp::new().await;
    for operation in of_users().into_iter().chain(of_applications()) {
        let method: Method = operation.method.parse().unwrap();
        let path = operation.concrete_path().replace("00u", "%00");
        let bad = app.request(method, &format!("{path}?limit=x&cursor=%ff")).bearer_auth("garbage");
        let answer = app.send(bad.header("content-type", "text/plain").body("{")).await;
        assert_refused(&answer, &operation, 401, "invalid-token", "a bad request with a bad token");
    }
}

#[actix_web::test]
async fn a_delegated_token_opens_nothing() {
    let app = TestApp::new().await;
    let claims =
        json!({"uid": "00uann", "on_behalf": "True", "on_behalf_sub": "bob@example.test", "groups": ["behalf-admins"]});
    app.token("delegated", &claims, &["openid", "behalf"]);
    for (operation, mount) in of_users().iter().flat_map(|o| MOUNTS.map(|m| (o, m))) {
        let answer = app.send(request(&app, operation, mount).bearer_auth("delegated")).await;
        assert_refused(&answer, operation, 403, "delegated-token", "delegated");
    }
    assert_eq!(app.events().await, []);
}

#[actix_web::test]
async fn changing_needs_the_scope_and_looking_does_not() {
    let app = TestApp::new().await;
    app.token("looker", &json!({"uid": "00uann"}), &["openid"]);
    for (operation, mount) in of_users().iter().flat_map(|o| MOUNTS.map(|m| (o, m))) {
        let answer = app.send(request(&app, operation, mount).bearer_auth("looker")).await;
        if NEED_THE_ROLE.contains(&operation.id()) {
            assert_eq!(said(&answer), (403, Some("administrator-only")), "{}", operation.id());
        } else if operation.method == "GET" {
            // What the example names isn't there.
            let absent = operation.path.contains("/{") && said(&answer) == (404, Some("not-found"));
            assert!(answer.status == 200 || absent, "{}: {}", operation.id(), answer.text);
        } else if NO_SCOPE.contains(&operation.id()) {
            assert_ne!(said(&answer), (403, Some("scope-missing")), "{}", operation.id());
        } else {
            assert_refused(&answer, operation, 403, "scope-missing", "without the scope");
        }
    }
    let trail = app.trail().await;
    assert!(trail.iter().all(|(code, _)| code == "DA6300"), "nothing was done: {trail:?}");
}

#[actix_web::test]
async fn what_needs_the_role_needs_the_role() {
    let app = TestApp::new().await;
    app.post("/v1/locks", "root", &json!({"user": "00ubob"})).await;
    let before = app.get("/v1/grants", "bob").await.json;
    let cases = [
        (Method::DELETE, "/v1/grants/00uann?delegator=00ubob", Value::Null),
        (Method::DELETE, "/v1/locks/00ubob", Value::Null),
        (Method::POST, "/v1/locks", json!({"user": "00ubob"})),
        (Method::POST, "/v1/locks/check", json!({"user": "00ubob"})),
        (Method::POST, "/v1/reservations/rvn_x/force-release", json!({"reason": "mine"})),
        (Method::GET, "/v1/notifications", Value::Null),
        (Method::POST, "/v1/notifications/ntf_x/retry", Value::Null),
    ];
    for (method, path, body) in cases {
        let mut request = app.request(method, path).bearer_auth("eve");
        if !body.is_null() {
            request = request.json(&body);
        }
        app.send(request).await.is_problem(403, "administrator-only");
    }
    assert_eq!(app.get("/v1/grants", "bob").await.json, before);
    let locked = app.post("/v1/locks/check", "root", &json!({"user": "00ubob"})).await;
    assert_eq!(locked.json["locked"], true);
}

#[actix_web::test]
async fn a_tenant_that_is_not_there_has_no_routes() {
    let app = TestApp::new().await;
    for operation in operations().into_iter().filter(|o| !o.has_tag("operations")) {
        for tenant in ["nobody", "Acme", "acme%20", "a%2Fb", "default%00", &"a".repeat(41)] {
            let answer = app.send(request(&app, &operation, &format!("/t/{tenant}")).bearer_auth("ann")).await;
            assert_eq!(answer.status, 404, "/t/{tenant} {}: {}", operation.id(), answer.text);
        }
    }
}

#[actix_web::test]
async fn what_is_open_needs_no_token_and_operations_belong_to_no_tenant() {
    let app = TestApp::new().await;
    for operation in operations().into_iter().filter(|o| OPEN.contains(&o.id())) {
        assert_eq!(app.send(request(&app, &operation, "")).await.status, 200, "{}", operation.id());
        let of_tenant = app.send(request(&app, &operation, "/t/acme")).await;
        if operation.has_tag("operations") {
            of_tenant.is_problem(404, "not-found");
        } else {
            assert_eq!(of_tenant.status, 200, "{}", operation.id());
        }
    }
}

#[actix_web::test]
async fn hooks_need_the_secret_of_the_hook() {
    let app = TestApp::new().await;
    let hooks = operations().into_iter().filter(|o| o.is_secured_by("hook_secret"));
    for (operation, mount) in hooks.flat_map(|o| MOUNTS.map(|m| (o, m))) {
        let bare = || request(&app, &operation, mount);
        let wrong = [
            bare(),
            bare().bearer_auth("ann"),
            bare().header(AUTHORIZATION, "Secret of-the-hook-fixturf"),
            bare().header(AUTHORIZATION, HOOK_SECRET).header(AUTHORIZATION, HOOK_SECRET),
        ];
        for request in wrong {
            let answer = app.send(request).await;
            assert_eq!((answer.status.as_u16(), answer.text.as_str()), (401, ""), "{mount} {}", operation.id());
        }
        let right = app.send(bare().header(AUTHORIZATION, HOOK_SECRET)).await;
        assert!(matches!(right.status.as_u16(), 200 | 204), "{mount} {}: {}", operation.id(), right.status);
    }
}
