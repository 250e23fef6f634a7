//! Commits whose reply doesn't come: what stands, stands once, and what doesn't, can be tried again.

use std::sync::Arc;

use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::sync::Notify;

use super::{coded, deliver, denials, still_works, tampered};
use crate::support::{
    tampered_store::Act,
    test_app::{TestApp, eventually, refresh_hook},
};

#[actix_web::test]
async fn a_lost_reply_is_found_out_by_a_second_look() {
    let (setup, tamper) = tampered();
    let app = TestApp::with(setup).await;
    let hook = refresh_hook("e1", Some(&app.begin().await));
    tamper.next(Act::ReplyLost);
    let told = deliver(&app, &hook).await;
    assert!(told.is_granted(), "{told:?}");
    assert_eq!(deliver(&app, &hook).await, told);
    assert_eq!(coded(&app, "DA1000").await.len(), 1);
    assert!(coded(&app, "DA1006").await.is_empty());
}

#[actix_web::test]
async fn an_answer_that_comes_too_late_is_withheld_and_that_is_written_down() {
    let (setup, tamper) = tampered();
    let app = TestApp::with(setup).await;
    let hook = refresh_hook("e1", Some(&app.begin().await));
    let gate = Arc::new(Notify::new());
    tamper.next(Act::ReplyHeld(Arc::clone(&gate)));
    assert_eq!(deliver(&app, &hook).await.refused(), "outcome-unknown");
    assert!(coded(&app, "DA1006").await.is_empty(), "not known yet");
    gate.notify_one();
    eventually("the event", || async { coded(&app, "DA1006").await.len() == 1 }).await;
    let granted = coded(&app, "DA1000").await;
    assert_eq!(granted.len(), 1);
    let withheld = coded(&app, "DA1006").await;
    assert_eq!(withheld[0].details["event"], json!(granted[0].id.as_str()));
    assert_eq!(withheld[0].outcome.reason.as_deref(), Some("outcome-unknown"));
    // It is spent: only the very same hook is told the answer.
    assert_eq!(deliver(&app, &refresh_hook("e2", hook_id(&hook))).await.refused(), "already-used");
    assert!(deliver(&app, &hook).await.is_granted());
}

fn hook_id(hook: &serde_json::Value) -> Option<&str> {
    let url = hook["data"]["context"]["request"]["url"]["value"].as_str()?;
    url.split_once("delegationid=").map(|(_, id)| id)
}

#[actix_web::test]
async fn a_store_that_is_away_when_the_answer_is_withheld_gets_the_event_when_it_is_back() {
    let (setup, tamper) = tampered();
    let app = TestApp::with(setup).await;
    let hook = refresh_hook("e1", Some(&app.begin().await));
    let gate = Arc::new(Notify::new());
    tamper.next(Act::ReplyHeld(Arc::clone(&gate)));
    assert_eq!(deliver(&app, &hook).await.refused(), "outcome-unknown");
    tamper.set_down(true);
    let calls = tamper.calls();
    gate.notify_one();
    eventually("a first try", || async { tamper.calls() > calls }).await;
    tamper.set_down(false);
    eventually("the event", || async { coded(&app, "DA1006").await.len() == 1 }).await;
}

#[actix_web::test]
async fn a_change_that_was_lost_is_refused_and_the_id_still_works() {
    let (setup, tamper) = tampered();
    let app = TestApp::with(setup).await;
    let id = app.begin().await;
    tamper.next(Act::ChangeLost);
    assert_eq!(deliver(&app, &refresh_hook("e1", Some(&id))).await.refused(), "outcome-unknown");
    still_works(&app, &id).await;
    // Time passes, and the first hook's change is known not to stand: nothing more is written.
    app.advance(SignedDuration::from_secs(5));
    app.services.tracker.close();
    let done = tokio::time::timeout(std::time::Duration::from_secs(10), app.services.tracker.wait()).await;
    assert!(done.is_ok(), "work is left over");
    assert_eq!(denials(&app).await, ["outcome-unknown"]);
    assert!(coded(&app, "DA1006").await.is_empty());
}

#[actix_web::test]
async fn an_initiation_whose_reply_is_lost_stands_once() {
    let (setup, tamper) = tampered();
    let app = TestApp::with(setup).await;
    tamper.next(Act::ReplyLost);
    let id = app.begin().await;
    assert_eq!(coded(&app, "DA1100").await.len(), 1);
    still_works(&app, &id).await;
}

#[actix_web::test]
async fn an_initiation_that_was_lost_is_not_waited_for_without_end() {
    let (setup, tamper) = tampered();
    let app = TestApp::with(setup).await;
    tamper.next(Act::ChangeLost);
    let begin = app.call(Method::POST, "/v1/delegations", "ann", Some(json!({"delegator": "00ubob"})));
    // The clock stands, so it never becomes certain.
    let answered = tokio::time::timeout(std::time::Duration::from_secs(8), begin).await;
    assert_eq!(answered.unwrap().0, StatusCode::SERVICE_UNAVAILABLE);
    app.begin().await;
}

#[actix_web::test]
async fn a_cancellation_whose_reply_is_lost_stands_once() {
    let (setup, tamper) = tampered();
    let app = TestApp::with(setup).await;
    let id = app.begin().await;
    tamper.next(Act::ReplyLost);
    let (status, _) = app.call(Method::DELETE, &format!("/v1/delegations/{id}"), "ann", None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(coded(&app, "DA1102").await.len(), 1);
}
