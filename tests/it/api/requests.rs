//! What every answer carries: the request's id, what is left of the caller's budget, headers that keep browsers honest.

use reqwest::Method;
use serde_json::json;

use crate::support::test_app::{HOOK_SECRET, Setup, TestApp, refresh_hook};

#[actix_web::test]
async fn a_request_id_is_taken_or_made() {
    let app = TestApp::new().await;
    let with = |id: &[u8]| {
        let value = reqwest::header::HeaderValue::from_bytes(id).unwrap();
        app.send(app.request(Method::GET, "/v1/grants").bearer_auth("bob").header("x-request-id", value))
    };
    for good in ["abc", "7f3c-1", &"x".repeat(128)] {
        assert_eq!(with(good.as_bytes()).await.header("x-request-id"), Some(good));
    }
    let mut made = Vec::new();
    for bad in [&b""[..], "x".repeat(129).as_bytes(), "a\u{202e}b".as_bytes(), b"\xff\xfe", b"a\tb"] {
        made.push(with(bad).await.header("x-request-id").unwrap().to_owned());
    }
    made.push(app.get("/v1/grants", "bob").await.header("x-request-id").unwrap().to_owned());
    made.push(app.get("/nowhere", "bob").await.header("x-request-id").unwrap().to_owned());
    for id in &made {
        assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
    }
    let distinct: std::collections::BTreeSet<_> = made.iter().collect();
    assert_eq!(distinct.len(), made.len());
}

#[actix_web::test]
async fn a_caller_has_a_budget_of_his_own() {
    let app = TestApp::with(Setup { per_minute: 3, ..Setup::default() }).await;
    for left in ["2", "1", "0"] {
        let answer = app.get("/v1/grants", "bob").await;
        assert_eq!(answer.status, 200);
        assert_eq!((answer.header("ratelimit-limit"), answer.header("ratelimit-remaining")), (Some("3"), Some(left)));
    }
    let answer = app.post("/v1/locks", "bob", &json!({})).await;
    answer.is_problem(429, "rate-limited");
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=21).contains(&wait), "{wait}");
    assert_eq!(answer.header("ratelimit-remaining"), Some("0"));
    let compat = app.get("/agent", "bob").await;
    assert_eq!(compat.status, 429);
    assert!(compat.json["error"].is_string() && compat.header("retry-after").is_some());
    assert_eq!(app.get("/v1/grants", "ann").await.status, 200, "another's budget is whole");
    assert_eq!(app.get("/t/acme/v1/grants", "bob").await.status, 200, "and so is another tenant's");
    assert_eq!(app.events().await, []);
}

#[actix_web::test]
async fn hooks_have_no_budget() {
    let app = TestApp::with(Setup { per_minute: 1, ..Setup::default() }).await;
    for n in 0..5 {
        let (status, _) = app.deliver(&refresh_hook(&n.to_string(), None).to_string()).await;
        assert_eq!(status, 204);
    }
    let hook = app.request(Method::POST, "/hooks/okta").header("authorization", HOOK_SECRET).body("{}");
    assert_eq!(app.send(hook).await.header("ratelimit-limit"), None);
}

#[actix_web::test]
async fn an_issuer_that_is_away_is_no_wrong_token() {
    let app = TestApp::new().await;
    app.verifier.down.store(true, std::sync::atomic::Ordering::SeqCst);
    let answer = app.get("/v1/grants", "bob").await;
    answer.is_problem(503, "temporarily-unavailable");
    assert_eq!(answer.header("retry-after"), Some("1"));
    let compat = app.get("/agent", "bob").await;
    assert_eq!((compat.status.as_u16(), compat.header("retry-after")), (503, Some("1")));
}

#[actix_web::test]
async fn an_audit_event_names_the_request_that_caused_it() {
    let app = TestApp::new().await;
    let named = |method, path, token, body| {
        let request = app.request(method, path).bearer_auth(token).header("x-request-id", "the-request");
        app.send(request.json(&body))
    };
    let begun = named(Method::POST, "/v1/delegations", "ann", json!({"delegator": "00ubob"})).await;
    named(Method::POST, "/v1/delegations", "eve", json!({"delegator": "00ubob"})).await;
    named(Method::POST, "/v1/grants", "bob", json!({"agent": "00ueve"})).await;
    named(Method::POST, "/v1/locks", "bob", json!({})).await;
    named(Method::POST, "/v1/locks", "eve", json!({"user": "00ubob"})).await;
    let id = begun.json["delegationid"].as_str().unwrap();
    let hook = app.request(Method::POST, "/hooks/okta").header("authorization", HOOK_SECRET);
    hook.header("x-request-id", "the-request").json(&refresh_hook("e1", Some(id))).send().await.unwrap();
    let events = app.events().await;
    let codes: Vec<&str> = events.iter().map(|e| e.code.as_str()).collect();
    assert_eq!(codes, ["DA1100", "DA1101", "DA6100", "DA6101", "DA6200", "DA6300", "DA1001"]);
    for event in &events {
        assert_eq!(event.request.id.as_deref(), Some("the-request"), "{}", event.code);
    }
}

#[actix_web::test]
async fn an_error_is_named_in_the_challenge_only_where_a_token_was_sent() {
    let app = TestApp::new().await;
    app.token("nobody", &json!({"uid": 5}), &["behalf"]);
    for path in ["/v1/grants", "/agent"] {
        let get = || app.request(Method::GET, path);
        let wrong = Some(r#"Bearer error="invalid_token""#);
        for (request, challenge) in [
            (get(), Some("Bearer")),
            (get().header("authorization", "Basic YW5uOmFubg=="), Some("Bearer")),
            (get().bearer_auth("garbage"), wrong),
            (get().bearer_auth("nobody"), wrong),
        ] {
            let answer = app.send(request).await;
            assert_eq!((answer.status.as_u16(), answer.header("www-authenticate")), (401, challenge), "{path}");
        }
    }
}
