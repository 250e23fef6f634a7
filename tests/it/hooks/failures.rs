//! Our own failures with an id present: refused in Okta's form, in time, and nothing is spent.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use behalf::{
    adapters::directory::breaker::FAILURES,
    domain::reason::Reason,
    policy::{Context, Pipeline, Stage},
    ports::directory::DirectoryError,
};
use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::time::Instant;

use super::{QUICK, coded, deliver, denials, still_works, tampered};
use crate::{
    contract::directories::BUDGET,
    support::{
        fake_directory::{Act as Ask, Op},
        tampered_store::Act,
        test_app::{HOOK_SECRET, Setup, TestApp, eventually, refresh_hook},
    },
};

#[actix_web::test]
async fn a_directory_that_cannot_be_asked_spends_nothing() {
    let app = TestApp::new().await;
    let id = app.begin().await;
    let faults = [
        (DirectoryError::Unavailable("down".to_owned()), "directory-unavailable"),
        (DirectoryError::Rejected("no".to_owned()), "directory-rejected"),
        (DirectoryError::Throttled { until: None }, "directory-throttled"),
    ];
    for op in [Op::User, Op::IsGranted] {
        for (fault, reason) in faults.clone() {
            app.directory.next(op, Ask::Fail(fault));
            let told = deliver(&app, &refresh_hook("e1", Some(&id))).await;
            assert_eq!(told.refused(), reason);
            assert!(told.body.contains("(temporarily-unavailable)"));
        }
    }
    assert_eq!(denials(&app).await.len(), 6);
    still_works(&app, &id).await;
}

#[actix_web::test]
async fn a_directory_that_hangs_is_not_waited_for_longer_than_the_budget() {
    let app = TestApp::with(Setup { budget: QUICK, ..Setup::default() }).await;
    let id = app.begin().await;
    let gate = app.directory.hang(Op::User);
    assert_eq!(deliver(&app, &refresh_hook("e1", Some(&id))).await.refused(), "deadline");
    assert_eq!(app.directory.dropped(Op::User), 1, "the question was given up");
    drop(gate);
    assert_eq!(denials(&app).await, ["deadline"]);
    still_works(&app, &id).await;
}

#[actix_web::test]
async fn a_dead_directory_refuses_hooks_without_waiting_and_is_noticed_when_it_is_back() {
    let app = TestApp::with(Setup { elsewhere: true, ..Setup::default() }).await;
    let id = app.begin().await;
    // It takes questions and never answers.
    app.directory.take_time(Duration::from_hours(1));
    let hooks = (0..u64::from(FAILURES)).map(|n| refresh_hook(&format!("e{n}"), Some(&id)));
    let told = join_all(hooks.map(|hook| async { deliver(&app, &{ hook }).await })).await;
    assert!(told.iter().all(|told| told.refused() == "directory-unavailable"), "{told:?}");
    // Their questions about Bob were one call, so that the next ones have something to wait for, but not for long.
    eventually("nobody waits any more", || async {
        let started = Instant::now();
        let told = deliver(&app, &refresh_hook("late", Some(&id))).await;
        assert_eq!(told.refused(), "directory-unavailable");
        started.elapsed() < BUDGET / 10
    })
    .await;
    app.directory.take_time(Duration::ZERO);
    eventually("the directory is asked again", || async {
        deliver(&app, &refresh_hook("again", Some(&id))).await.is_granted()
    })
    .await;
    assert_eq!(coded(&app, "DA1000").await.len(), 1);
}

struct Panicking;

#[async_trait]
impl Stage for Panicking {
    fn name(&self) -> &'static str {
        "panicking"
    }

    async fn evaluate(&self, _: &mut Context<'_>) -> Result<(), Reason> {
        panic!("the test wants a panic")
    }
}

#[actix_web::test]
async fn a_stage_that_panics_is_a_refusal_and_is_written_down() {
    let app = TestApp::with(Setup { pipeline: Pipeline::of(vec![Arc::new(Panicking)]), ..Setup::default() }).await;
    let id = app.begin().await;
    for event in ["e1", "e2"] {
        let told = deliver(&app, &refresh_hook(event, Some(&id))).await;
        assert_eq!(told.refused(), "internal");
        assert!(!told.body.contains("panic"), "{}", told.body);
    }
    assert_eq!(denials(&app).await, ["internal", "internal"]);
}

#[actix_web::test]
async fn a_directory_that_panics_is_a_refusal() {
    let app = TestApp::new().await;
    let id = app.begin().await;
    app.directory.next(Op::User, Ask::Panic);
    assert_eq!(deliver(&app, &refresh_hook("e1", Some(&id))).await.refused(), "internal");
    assert_eq!(denials(&app).await, ["internal"]);
    still_works(&app, &id).await;
}

#[actix_web::test]
async fn a_pipeline_without_the_grant_refuses() {
    let app = TestApp::with(Setup { pipeline: Pipeline::of(Vec::new()), ..Setup::default() }).await;
    let id = app.begin().await;
    assert_eq!(deliver(&app, &refresh_hook("e1", Some(&id))).await.refused(), "internal");
}

#[actix_web::test]
async fn a_store_that_is_closed_refuses_and_the_untouched_are_still_answered() {
    let app = TestApp::with(Setup { budget: QUICK, ..Setup::default() }).await;
    let id = app.begin().await;
    app.store.close();
    let told = deliver(&app, &refresh_hook("e1", Some(&id))).await;
    assert_eq!(told.refused(), "store-unavailable");
    assert_eq!(told.debug("event"), None, "nothing could be written");
    assert_eq!(deliver(&app, &refresh_hook("e2", None)).await.status, 204);
    let (status, problem) =
        app.call(Method::POST, "/v1/delegations", "ann", Some(json!({"delegator": "00ubob"}))).await;
    assert_eq!((status, problem["code"].as_str()), (StatusCode::SERVICE_UNAVAILABLE, Some("temporarily-unavailable")));
}

#[actix_web::test]
async fn a_store_that_comes_back_finds_the_id_unspent() {
    let (setup, tamper) = tampered();
    let app = TestApp::with(setup).await;
    let id = app.begin().await;
    tamper.set_down(true);
    assert_eq!(deliver(&app, &refresh_hook("e1", Some(&id))).await.refused(), "store-unavailable");
    tamper.set_down(false);
    tamper.next(Act::Unavailable);
    assert_eq!(deliver(&app, &refresh_hook("e2", Some(&id))).await.refused(), "store-unavailable");
    still_works(&app, &id).await;
}

#[actix_web::test]
async fn a_storm_of_conflicts_ends_in_busy() {
    let (setup, tamper) = tampered();
    let app = TestApp::with(setup).await;
    let id = app.begin().await;
    for _ in 0..6 {
        tamper.next(Act::Conflict);
    }
    assert_eq!(deliver(&app, &refresh_hook("e1", Some(&id))).await.refused(), "busy");
    assert_eq!(tamper.left(), 0);
    for _ in 0..5 {
        tamper.next(Act::Conflict);
    }
    still_works(&app, &id).await;
}

#[actix_web::test]
async fn a_refusal_is_answered_before_the_identity_provider_stops_waiting() {
    // A budget close to Okta's 3 s, a directory that uses it up, and a store that takes no events.
    let (setup, tamper) = tampered();
    let budget = behalf::app::Budget { hook: Duration::from_millis(2700), commit: Duration::from_secs(2) };
    let app = TestApp::with(Setup { budget, ..setup }).await;
    let id = app.begin().await;
    let _gate = app.directory.hang(Op::User);
    tamper.hold_events(true);
    let started = Instant::now();
    let hook = refresh_hook("e1", Some(&id));
    let told = tokio::time::timeout(Duration::from_secs(3), deliver(&app, &hook)).await;
    assert!(told.is_ok(), "Okta has minted the plain token after {:?}", started.elapsed());
    assert_eq!(told.unwrap().refused(), "deadline");
    tamper.hold_events(false);
    eventually("the event", || async { denials(&app).await == ["deadline"] }).await;
}

#[actix_web::test]
async fn a_caller_who_hangs_up_interrupts_nothing() {
    let app = TestApp::new().await;
    let hook = refresh_hook("e1", Some(&app.begin().await));
    let asked = app.directory.calls(Op::IsGranted);
    let gate = app.directory.hang(Op::IsGranted);
    let request = app.http.post(format!("{}/hooks/okta", app.url)).header("authorization", HOOK_SECRET);
    let call = tokio::spawn(request.body(hook.to_string()).send());
    app.directory.called(Op::IsGranted, asked + 1).await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    // The server has seen the end of the connection once a later request on another one was answered.
    assert_eq!(deliver(&app, &refresh_hook("e2", None)).await.status, 204);
    gate.notify_one();
    eventually("the decision", || async { coded(&app, "DA1000").await.len() == 1 }).await;
    let told = deliver(&app, &hook).await;
    assert!(told.is_granted(), "{told:?}");
    let granted = coded(&app, "DA1000").await;
    assert_eq!(told.debug("event").as_deref(), Some(granted[0].id.as_str()));
    assert_eq!(coded(&app, "DA1002").await.len(), 1);
}
