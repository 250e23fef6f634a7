//! What browsers may do with the API, and the pages for people.

use reqwest::Method;
use serde_json::json;

use crate::support::{
    http::Answer,
    test_app::{Setup, TestApp},
};

async fn preflight(app: &TestApp, origin: &str) -> Answer {
    let request = app
        .request(Method::OPTIONS, "/v1/grants")
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type,idempotency-key");
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    Answer { status, headers, text: answer.text().await.unwrap(), json: serde_json::Value::Null }
}

#[actix_web::test]
async fn no_origin_is_let_in_by_default() {
    let app = TestApp::new().await;
    assert_eq!(preflight(&app, "https://portal.example").await.header("access-control-allow-origin"), None);
    let request = app.request(Method::GET, "/v1/grants").bearer_auth("bob").header("origin", "https://portal.example");
    assert_eq!(app.send(request).await.header("access-control-allow-origin"), None);
}

#[actix_web::test]
async fn a_configured_origin_is_let_in_and_no_other() {
    let app = TestApp::with(Setup { origins: vec!["https://portal.example".to_owned()], ..Setup::default() }).await;
    let allowed = preflight(&app, "https://portal.example").await;
    assert_eq!(allowed.header("access-control-allow-origin"), Some("https://portal.example"));
    for other in ["https://evil.example", "http://portal.example", "https://portal.example.evil", "null"] {
        assert_eq!(preflight(&app, other).await.header("access-control-allow-origin"), None, "{other}");
    }
    let request = app.request(Method::POST, "/v1/locks").bearer_auth("bob").json(&json!({}));
    let answer = app.send(request.header("origin", "https://portal.example")).await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://portal.example"));
    assert_eq!(answer.header("access-control-allow-credentials"), None, "tokens travel in a header, never in a cookie");
    let refused = app.request(Method::GET, "/v1/grants").bearer_auth("bob").header("origin", "https://evil.example");
    let refused = app.send(refused).await;
    assert_eq!(refused.header("access-control-allow-origin"), None);
    assert!(refused.header("x-request-id").is_some());
}

#[actix_web::test]
async fn answers_are_not_sniffed_framed_or_kept() {
    let app = TestApp::new().await;
    for path in ["/v1/grants", "/agent", "/nowhere", "/livez", "/openapi.json", "/docs/"] {
        let answer = app.get(path, "bob").await;
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{path}");
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert!(path == "/docs/" || policy.starts_with("default-src 'none'"), "{path}: {policy}");
        assert_eq!(answer.header("server"), None);
        assert_eq!(answer.header("set-cookie"), None);
    }
}

#[actix_web::test]
async fn the_pages_for_people_load_nothing_from_another_host() {
    let app = TestApp::new().await;
    let short = app.get("/docs", "bob").await;
    assert_eq!((short.status.as_u16(), short.header("location")), (307, Some("/docs/")));
    let page = app.get("/docs/", "bob").await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").unwrap().starts_with("text/html"));
    let elsewhere: Vec<_> = page.text.split(['"', '\'']).filter(|s| s.contains("//") && !s.contains('\n')).collect();
    assert_eq!(elsewhere, Vec::<&str>::new());
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'self'") && !policy.contains("http"), "{policy}");
    assert!(!page.text.contains("<script>"), "the policy lets no script of the page itself run");
    let assets = page.text.split('"').filter(|s| s.starts_with("./") && !s.contains(' '));
    let mut loaded = 0;
    for asset in assets {
        let answer = app.get(&format!("/docs/{}", &asset[2..]), "bob").await;
        assert_eq!(answer.status, 200, "{asset}");
        loaded += 1;
    }
    assert!(loaded >= 4, "{}", page.text);
    // By default the pages ask a validator of swagger.io about the document.
    let start = app.get("/docs/swagger-initializer.js", "bob").await.text;
    assert!(start.contains(r#""validatorUrl": "none""#) && !start.contains("https://"), "{start}");
    assert!(start.contains("/openapi.json"));
}
