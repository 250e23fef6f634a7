//! A self-test's hooks are answered like any, and are no sign that the provider calls.

use behalf::{adapters::dialect::okta::sample, domain::ids::Issuer};
use reqwest::Method;
use serde_json::Value;

use super::deliver;
use crate::support::test_app::{ISSUER, TestApp, refresh_hook};

async fn last_hook(app: &TestApp) -> Option<String> {
    let health = app.send(app.request(Method::GET, "/healthz")).await.json;
    let calls = health["hooks"].as_array().unwrap().iter().find(|calls| calls["tenant"] == "default").unwrap();
    calls.get("last_hook").map(|at| at.as_str().unwrap().to_owned())
}

async fn samples(app: &TestApp, series: &str) -> i64 {
    let text = app.send(app.request(Method::GET, "/metrics")).await.text;
    let values = text.lines().filter(|line| line.starts_with(series)).map(|line| line.rsplit_once(' ').unwrap().1);
    values.map(|value| value.parse::<i64>().unwrap()).sum()
}

async fn self_test(app: &TestApp, event: &str, with_id: bool) -> (u16, String) {
    let id = sample::impossible_id();
    let issuer = Issuer::parse(ISSUER).unwrap();
    app.deliver(&sample::hook(&issuer, event, app.store_now(), with_id.then_some(&id))).await
}

#[actix_web::test]
async fn it_is_answered_and_counts_nowhere_else() {
    let app = TestApp::new().await;
    assert_eq!(self_test(&app, "e1", false).await, (204, String::new()));
    let (status, body) = self_test(&app, "e2", true).await;
    assert_eq!(status, 200);
    assert!(body.contains("(delegation-not-usable)"), "{body}");
    assert_eq!(last_hook(&app).await, None, "the provider hasn't called");
    assert_eq!(samples(&app, "behalf_hooks_total").await, 0);
    assert_eq!(samples(&app, "behalf_hook_seconds_count").await, 0);
    assert_eq!(samples(&app, "behalf_hook_last_seen_timestamp_seconds").await, 0);
    assert_eq!(samples(&app, "behalf_self_test_hooks_total").await, 2);
}

#[actix_web::test]
async fn the_trail_tells_it_from_a_real_refusal() {
    let app = TestApp::new().await;
    self_test(&app, "e1", true).await;
    deliver(&app, &refresh_hook("e2", Some("dlg_unknown"))).await;
    let denied: Vec<_> = app.events().await.into_iter().filter(|event| event.code == "DA1001").collect();
    let told: Vec<_> =
        denied.iter().map(|event| (event.actor.id.as_str(), event.details.get("self_test").cloned())).collect();
    assert_eq!(told, [("behalf-self-test", Some(Value::Bool(true))), ("00uann", None)]);
}

#[actix_web::test]
async fn a_delegation_of_somebody_else_is_no_use_to_it() {
    let app = TestApp::new().await;
    let id = app.begin().await;
    let mut hook = refresh_hook("e1", Some(&id));
    hook["data"]["context"]["user"]["id"] = "behalf-self-test".into();
    assert_eq!(deliver(&app, &hook).await.refused(), "foreign-agent");
    let hook = refresh_hook("e2", Some(&id));
    assert_eq!(deliver(&app, &hook).await.minted(&hook).access.unwrap().claims["on_behalf_sub"], "bob@example.test");
    assert_eq!(last_hook(&app).await, Some("2026-11-21T10:00:00Z".to_owned()));
}

#[actix_web::test]
async fn whoever_is_turned_away_is_no_provider() {
    let app = TestApp::new().await;
    let request = app.request(Method::POST, "/hooks/okta").header("authorization", "wrong");
    assert_eq!(app.send(request.body(refresh_hook("e1", None).to_string())).await.status, 401);
    assert_eq!(last_hook(&app).await, None);
    assert_eq!(samples(&app, "behalf_hook_last_seen_timestamp_seconds").await, 0);
    app.deliver(&refresh_hook("e2", None).to_string()).await;
    let at = app.store_now().as_second();
    assert_eq!(samples(&app, r#"behalf_hook_last_seen_timestamp_seconds{tenant="default"}"#).await, at);
    assert_eq!(samples(&app, r#"behalf_hook_last_seen_timestamp_seconds{tenant="acme"}"#).await, 0);
}
