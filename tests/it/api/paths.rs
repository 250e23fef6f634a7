//! What travels in paths: no other route, no other user, no other tenant.

use reqwest::Method;
use serde_json::json;

use crate::support::test_app::{TestApp, uid};

/// Spellings that a careless service takes for something else.
const TRICKS: [&str; 16] = [
    "me",
    "%6de",
    "..",
    ".",
    "%2e%2e",
    "%2E",
    "..%2f..",
    "%2e%2e%2f00ubob",
    "00uann%2f..%2f00ueve",
    "00uann%3fx=1",
    "00uann%23x",
    "00uann%00",
    "%25%32%65",
    "%ff",
    "00uann%e2%80%ae",
    "00uann%0d%0aset-cookie:x",
];

#[actix_web::test]
async fn a_grant_is_removed_by_its_own_name_only() {
    let app = TestApp::new().await;
    app.directory.set_grant(&uid("00ubob"), &uid("00ueve"), true);
    let long = "x".repeat(10_000);
    for trick in TRICKS.into_iter().chain([long.as_str()]) {
        for path in [format!("/v1/grants/{trick}"), format!("/t/acme/v1/grants/{trick}")] {
            let answer = app.raw(Method::DELETE, &path, "bob").await;
            assert!(matches!(answer.status.as_u16(), 400 | 404 | 405), "{path}: {} {}", answer.status, answer.text);
            assert_eq!(answer.header("set-cookie"), None);
            assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        }
        let answer = app.raw(Method::DELETE, &format!("/v1/grants/00uann?delegator={trick}"), "bob").await;
        assert!(matches!(answer.status.as_u16(), 400 | 403), "{trick}: {} {}", answer.status, answer.text);
    }
    assert_eq!(app.get("/v1/grants", "bob").await.json["items"].as_array().unwrap().len(), 2);
    assert_eq!(app.raw(Method::DELETE, "/v1/grants/%30%30uann", "bob").await.status, 204, "encoded is the same name");
    assert_eq!(app.raw(Method::DELETE, "/v1/grants/eve%40example.test", "bob").await.status, 204);
    assert_eq!(app.get("/v1/grants", "bob").await.json["items"], json!([]));
}

#[actix_web::test]
async fn a_lock_is_lifted_by_its_own_name_only() {
    let app = TestApp::new().await;
    app.post("/v1/locks", "bob", &json!({})).await;
    let long = "x".repeat(10_000);
    for trick in TRICKS.into_iter().chain([long.as_str(), "bob@example.test", "00ubob%20", "00uBOB"]) {
        for who in ["bob", "root"] {
            let answer = app.raw(Method::DELETE, &format!("/v1/locks/{trick}"), who).await;
            let status = answer.status.as_u16();
            assert!(matches!(status, 400 | 403 | 404 | 405), "{who} {trick}: {status} {}", answer.text);
        }
    }
    assert_eq!(app.get("/v1/locks", "bob").await.json["items"].as_array().unwrap().len(), 1);
    assert_eq!(app.raw(Method::DELETE, "/v1/locks/00%75bob", "bob").await.status, 204);
}

#[actix_web::test]
async fn a_delegation_is_cancelled_by_its_own_name_only() {
    let app = TestApp::new().await;
    let id = app.begin().await;
    let long = "x".repeat(10_000);
    let near = [format!("{id}%20"), format!("{id}%00"), id.to_uppercase(), format!("x%2f..%2f{id}"), format!("{id}A")];
    for trick in TRICKS.into_iter().chain([long.as_str()]).chain(near.iter().map(String::as_str)) {
        let answer = app.raw(Method::DELETE, &format!("/v1/delegations/{trick}"), "ann").await;
        assert!(matches!(answer.status.as_u16(), 400 | 404 | 405), "{trick}: {} {}", answer.status, answer.text);
    }
    assert_eq!(app.get("/v1/delegations", "ann").await.json["items"][0]["state"], "PENDING");
}

#[actix_web::test]
async fn there_is_one_way_to_write_a_path() {
    let app = TestApp::new().await;
    let ways = [
        "//v1/grants",
        "/v1//grants",
        "/v1/grants/",
        "/V1/grants",
        "/v1/./grants",
        "/v1/x/../grants",
        "/t/acme/../default/v1/grants",
        "/t//v1/grants",
        "/t/acme",
        "/t/acme/",
        "/t/acme/t/default/v1/grants",
        "/",
        "/v1",
        "/.env",
        "/hooks/",
        "/v1%2fgrants",
        "/;/v1/grants",
    ];
    for path in ways {
        app.raw(Method::GET, path, "bob").await.is_problem(404, "not-found");
    }
    for path in ["/docs/../v1/grants", "/docs/..%2f..%2fCargo.toml", "/docs/%2e%2e/v1/grants"] {
        let answer = app.raw(Method::GET, path, "bob").await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (404, ""), "{path}");
    }
}

#[actix_web::test]
async fn another_method_is_405_with_those_that_are_there() {
    let app = TestApp::new().await;
    let cases = [
        ("/v1/grants", Method::PUT, "GET, POST"),
        ("/v1/grants/00uann", Method::GET, "DELETE"),
        ("/v1/grants/delegators", Method::POST, "DELETE, GET"),
        ("/v1/locks/00ubob", Method::PATCH, "DELETE"),
        ("/v1/delegations/x", Method::POST, "DELETE"),
        ("/agent", Method::DELETE, "GET, POST"),
        ("/hooks/okta", Method::GET, "POST"),
        ("/v1/audit", Method::OPTIONS, "GET"),
        ("/v1/audit", Method::from_bytes(b"BREW").unwrap(), "GET"),
    ];
    for (path, method, allowed) in cases {
        for mount in ["", "/t/acme"] {
            let answer = app.send(app.request(method.clone(), &format!("{mount}{path}")).bearer_auth("bob")).await;
            answer.is_problem(405, "method-not-allowed");
            assert_eq!(answer.header("allow"), Some(allowed), "{method} {path}");
        }
        let nowhere = app.send(app.request(method.clone(), &format!("/t/nobody{path}")).bearer_auth("bob")).await;
        nowhere.is_problem(404, "not-found");
    }
    let answer = app.send(app.request(Method::POST, "/livez")).await;
    assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, Some("GET")));
    assert_eq!(app.get("/v1/grants", "bob").await.json["items"].as_array().unwrap().len(), 1);
}
