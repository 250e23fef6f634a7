//! For operators.

use behalf::ports::directory::DirectoryError;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{
    fake_directory::{Act, Op},
    test_app::TestApp,
};

async fn plain(app: &TestApp, path: &str) -> (StatusCode, String) {
    let answer = app.send(app.request(Method::GET, path)).await;
    (answer.status, answer.text)
}

/// Names of what is down, of the whole health page.
async fn down(app: &TestApp) -> (u16, String, Vec<String>) {
    let answer = app.send(app.request(Method::GET, "/healthz")).await;
    assert!(!answer.text.contains("secret"), "{}", answer.text);
    let of = |d: &Value| (!d["up"].as_bool().unwrap()).then(|| d["name"].as_str().unwrap().to_owned());
    let names = answer.json["dependencies"].as_array().unwrap().iter().filter_map(of).collect();
    (answer.status.as_u16(), answer.json["status"].as_str().unwrap().to_owned(), names)
}

#[actix_web::test]
async fn health_names_what_is_missing() {
    let app = TestApp::new().await;
    let answer = app.send(app.request(Method::GET, "/healthz")).await;
    let names: Vec<_> = answer.json["dependencies"].as_array().unwrap().iter().map(|d| d["name"].clone()).collect();
    assert_eq!(names, ["store", "directory:acme", "issuer:acme", "directory:default", "issuer:default"]);
    assert_eq!(down(&app).await, (200, "ok".to_owned(), vec![]));

    app.directory.next(Op::User, Act::Fail(DirectoryError::Rejected("secret".to_owned())));
    assert_eq!(down(&app).await, (503, "degraded".to_owned(), vec!["directory:acme".to_owned()]));
    let (_, metrics) = plain(&app, "/metrics").await;
    assert!(metrics.contains(r#"behalf_dependency_up{name="directory:acme"} 0"#), "{metrics}");
    assert!(metrics.contains(r#"behalf_dependency_up{name="store"} 1"#), "{metrics}");

    app.verifier.down.store(true, std::sync::atomic::Ordering::SeqCst);
    let issuers = vec!["issuer:acme".to_owned(), "issuer:default".to_owned()];
    assert_eq!(down(&app).await, (503, "degraded".to_owned(), issuers));

    app.verifier.down.store(false, std::sync::atomic::Ordering::SeqCst);
    app.store.close();
    assert_eq!(down(&app).await, (503, "degraded".to_owned(), vec!["store".to_owned()]));
}

#[actix_web::test]
async fn a_directory_that_hangs_is_down() {
    let app = TestApp::new().await;
    let _gate = app.directory.hang(Op::User);
    assert_eq!(down(&app).await, (503, "degraded".to_owned(), vec!["directory:acme".to_owned()]));
}

#[actix_web::test]
async fn readiness_asks_nobody() {
    let app = TestApp::new().await;
    app.store.close();
    app.verifier.down.store(true, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(plain(&app, "/readyz").await, (StatusCode::OK, "ready".to_owned()));
    assert_eq!(plain(&app, "/livez").await, (StatusCode::OK, "ok".to_owned()));
    assert_eq!(app.directory.calls(Op::User), 0);
    app.state.readiness.set(false);
    assert_eq!(plain(&app, "/readyz").await, (StatusCode::SERVICE_UNAVAILABLE, "not ready".to_owned()));
    assert_eq!(plain(&app, "/livez").await.0, StatusCode::OK);
}

#[actix_web::test]
async fn the_version_is_the_packages() {
    let app = TestApp::new().await;
    let answer = app.send(app.request(Method::GET, "/version")).await;
    assert_eq!(answer.json, json!({"name": "behalf", "version": env!("CARGO_PKG_VERSION")}));
}

#[actix_web::test]
async fn metrics_name_routes_and_never_what_callers_send() {
    let app = TestApp::new().await;
    app.delete("/v1/grants/00usecret", "bob").await;
    app.get("/t/acme/v1/grants", "bob").await;
    app.get("/secret-path", "bob").await;
    app.send(app.request(Method::from_bytes(b"SECRET").unwrap(), "/v1/grants")).await;
    app.get("/docs/secret", "bob").await;
    let answer = app.send(app.request(Method::GET, "/metrics")).await;
    assert_eq!(answer.header("content-type"), Some("application/openmetrics-text; version=1.0.0; charset=utf-8"));
    assert!(answer.text.ends_with("# EOF\n"));
    assert!(!answer.text.to_lowercase().contains("secret"), "{}", answer.text);
    assert!(answer.text.contains(r#"route="/v1/grants/{agent}""#), "{}", answer.text);
}
