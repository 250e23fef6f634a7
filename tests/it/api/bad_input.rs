//! Bodies and parameters that are no good: a clear 400, never a 5xx, nothing done.

use serde_json::{Value, json};

use crate::support::test_app::TestApp;

const JSON: &str = "application/json";

/// The routes that take a JSON body, each with a user who may.
const ROUTES: [(&str, &str); 4] =
    [("/v1/delegations", "ann"), ("/v1/grants", "bob"), ("/v1/locks", "bob"), ("/v1/locks/check", "bob")];

#[actix_web::test]
async fn what_is_not_the_json_of_the_route_is_400() {
    let app = TestApp::new().await;
    let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
    let deep_member = format!("{}1{}", r#"{"x":"#.repeat(1000), "}".repeat(1000));
    let long_name = format!(r#"{{"{}": 1}}"#, "n".repeat(10_000));
    let bodies = [
        "",
        " ",
        "{",
        "not json",
        "null",
        "7",
        "\"x\"",
        "true",
        r#"[["delegator"]]"#,
        r#"{"x": 1}"#,
        r#"{"agent": {}, "user": {}, "delegator": 7}"#,
        r#"{"agent": "a", "agent": "b", "user": "a", "user": "b", "delegator": "a", "delegator": "b"}"#,
        r#"{"agent": 1e999, "user": 1e999, "delegator": 1e999}"#,
        r#"{"agent": 123456789012345678901234567890, "user": -0.0, "delegator": 99999999999999999999999}"#,
        r#"{"agent": "\ud800", "user": "\ud800", "delegator": "\ud800"}"#,
        "{} {}",
        "\u{feff}{}",
        &deep,
        &deep_member,
        &long_name,
    ];
    for ((path, token), body) in ROUTES.iter().flat_map(|r| bodies.map(|b| (r, b))) {
        let answer = app.post_bytes(path, token, JSON, body).await;
        answer.is_problem(400, "invalid-request");
        assert!(answer.text.len() < 1000, "the answer doesn't give it all back");
    }
    for (path, token) in ROUTES {
        let answer = app.post_bytes(path, token, JSON, b"{\"agent\": \"\xff\xfe\"}".to_vec()).await;
        answer.is_problem(400, "invalid-request");
    }
    assert_eq!(app.events().await, []);
}

#[actix_web::test]
async fn too_large_is_413_and_another_type_415() {
    let app = TestApp::new().await;
    let large = format!(r#"{{"reason": "{}"}}"#, "x".repeat(300 * 1024));
    for (path, token) in ROUTES {
        app.post_bytes(path, token, JSON, large.clone()).await.is_problem(413, "body-too-large");
        for kind in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/jsonp",
            "multipart/form-data; boundary=x",
            "x",
        ] {
            app.post_bytes(path, token, kind, "{}").await.is_problem(415, "unsupported-media-type");
        }
        let untyped = app.request(reqwest::Method::POST, path).bearer_auth(token).body("{}");
        app.send(untyped).await.is_problem(415, "unsupported-media-type");
    }
    for path in ["/agent", "/delegator/agents/add", "/delegator/delegation"] {
        let answer = app.post_bytes(path, "bob", JSON, large.clone()).await;
        answer.is_compat_error(413, "The body is larger than 256 KiB.");
    }
    assert_eq!(app.events().await, []);
}

#[actix_web::test]
async fn texts_are_bounded_and_do_not_deceive() {
    let app = TestApp::new().await;
    let bad = |text: &str, at: &str| json!({"delegator": "00ubob", at: text});
    for text in ["a\u{0}b", "a\u{202e}b", "line\nbreak", "\u{feff}", "zero\u{200b}width", "\u{1b}[31m"] {
        for field in ["reason", "ticket", "delegator"] {
            let answer = app.post("/v1/delegations", "ann", &bad(text, field)).await;
            answer.is_problem(400, "invalid-request");
            assert_eq!(answer.json["field"], field, "{text:?}");
        }
        let answer = app.post("/v1/locks", "bob", &json!({"reason": text})).await;
        answer.is_problem(400, "invalid-request");
        assert_eq!(answer.json["field"], "reason");
    }
    for (field, bound) in [("reason", 500), ("ticket", 100)] {
        let over = app.post("/v1/delegations", "ann", &bad(&"é".repeat(bound + 1), field)).await;
        over.is_problem(400, "invalid-request");
        let at = app.post("/v1/delegations", "ann", &bad(&"é".repeat(bound), field)).await;
        assert_eq!(at.status, 201, "{}", at.text);
    }
    app.advance(jiff::SignedDuration::from_secs(1));
    let empty = app.post("/v1/delegations", "ann", &json!({"delegator": "00ubob", "reason": ""})).await;
    assert_eq!(empty.status, 201, "an empty text is none");
    assert_eq!(app.get("/v1/delegations?limit=1", "ann").await.json["items"][0].get("reason"), None);
}

#[actix_web::test]
async fn scopes_have_their_grammar() {
    let app = TestApp::new().await;
    let many: Vec<String> = (0..101).map(|n| format!("s{n}")).collect();
    for scopes in
        [json!([]), json!([""]), json!(["a b"]), json!(["a\"b"]), json!(["é"]), json!(["x".repeat(257)]), json!(many)]
    {
        let answer = app.post("/v1/delegations", "ann", &json!({"delegator": "00ubob", "scopes": scopes})).await;
        answer.is_problem(400, "invalid-request");
        assert_eq!(answer.json["field"], "scopes");
    }
    let wrong = app.post("/v1/delegations", "ann", &json!({"delegator": "00ubob", "scopes": "openid"})).await;
    wrong.is_problem(400, "invalid-request");
}

#[actix_web::test]
async fn names_that_mean_something_else_in_a_url_name_nobody() {
    let app = TestApp::new().await;
    for name in ["me", "Me", ".", "..", "", "a\u{0}", &"x".repeat(321)] {
        for (path, field) in [
            ("/v1/delegations", "delegator"),
            ("/v1/grants", "agent"),
            ("/v1/locks", "user"),
            ("/v1/locks/check", "user"),
        ] {
            let answer = app.post(path, "root", &json!({field: name})).await;
            answer.is_problem(400, "invalid-request");
            assert_eq!(answer.json["field"], field, "{path} {name:?}");
        }
    }
    assert_eq!(app.directory.calls(crate::support::fake_directory::Op::User), 0);
}

#[actix_web::test]
async fn limits_and_cursors_have_bounds() {
    let app = TestApp::new().await;
    for path in ["/v1/delegations", "/v1/locks", "/v1/audit"] {
        for limit in ["0", "201", "-1", "x", "1.5", "1e2", "", "99999999999999999999", "%00", "1&limit=2"] {
            app.get(&format!("{path}?limit={limit}"), "root").await.is_problem(400, "invalid-request");
        }
        for limit in ["1", "200"] {
            assert_eq!(app.get(&format!("{path}?limit={limit}"), "root").await.status, 200);
        }
        let long = "A".repeat(10_000);
        for cursor in ["", "x", "!!", "%00", "..%2f..", &long] {
            app.get(&format!("{path}?cursor={cursor}"), "root").await.is_problem(400, "invalid-request");
        }
        app.get(&format!("{path}?colour=red"), "root").await.is_problem(400, "invalid-request");
        app.get(&format!("{path}?limit=%ff"), "root").await.is_problem(400, "invalid-request");
    }
    // Well formed, and of no list: a place like any other.
    let forged = "_".repeat(65) + "w";
    for path in ["/v1/delegations", "/v1/locks"] {
        let answer = app.get(&format!("{path}?cursor={forged}"), "root").await;
        assert_eq!((answer.status.as_u16(), &answer.json["items"]), (200, &json!([])), "{path}: {}", answer.text);
    }
    assert_eq!(app.events().await, []);
    assert_eq!(app.get("/v1/grants", "bob").await.json["items"].as_array().map(Vec::len), Some(1));
    assert_ne!(app.get("/v1/grants", "bob").await.json, Value::Null);
}
