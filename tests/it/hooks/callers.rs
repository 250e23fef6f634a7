//! Is it the identity provider that calls?

use reqwest::{Method, StatusCode};

use super::{deliver, still_works};
use crate::support::test_app::{HOOK_SECRET, Setup, TestApp, refresh_hook};

#[actix_web::test]
async fn who_does_not_know_the_secret_is_turned_away_with_an_empty_body() {
    let app = TestApp::new().await;
    let id = app.begin().await;
    let lower = HOOK_SECRET.to_lowercase();
    let longer = format!("{HOOK_SECRET}x");
    let headers: [&[&str]; 7] =
        [&[], &["wrong"], &[""], &[&lower], &[&longer], &[HOOK_SECRET, HOOK_SECRET], &["wrong", HOOK_SECRET]];
    let good = refresh_hook("e1", Some(&id)).to_string().into_bytes();
    let bodies = [
        good,
        b"no json dlg_".to_vec(),
        Vec::new(),
        vec![b'x'; 300 * 1024],
        refresh_hook("e2", None).to_string().into(),
    ];
    for path in ["/hooks/okta", "/t/default/hooks/okta", "/tokenEnrichment/agent"] {
        for values in headers {
            for body in &bodies {
                let mut request = app.http.request(Method::POST, format!("{}{path}", app.url)).body(body.clone());
                for value in values {
                    request = request.header("authorization", *value);
                }
                let answer = request.send().await.unwrap();
                assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path} {values:?}");
                assert_eq!(answer.bytes().await.unwrap().len(), 0, "{path} {values:?}");
            }
        }
    }
    let (_, metrics) = text(&app, "/metrics").await;
    let line = metrics.lines().find(|l| l.starts_with("behalf_hook_auth_failures_total")).unwrap();
    assert!(line.ends_with(&format!(" {}", 3 * headers.len() * bodies.len())), "{line}");
    assert_eq!(app.events().await.len(), 1, "only the initiation");
    still_works(&app, &id).await;
}

async fn text(app: &TestApp, path: &str) -> (StatusCode, String) {
    let answer = app.http.get(format!("{}{path}", app.url)).send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

#[actix_web::test]
async fn hooks_are_never_rate_limited() {
    let app = TestApp::with(Setup { per_minute: 1, ..Setup::default() }).await;
    let id = app.begin().await;
    assert_eq!(app.call(Method::GET, "/v1/delegations", "ann", None).await.0, StatusCode::TOO_MANY_REQUESTS);
    for n in 0..20 {
        assert_eq!(deliver(&app, &refresh_hook(&format!("e{n}"), None)).await.status, 204);
    }
    still_works(&app, &id).await;
}
