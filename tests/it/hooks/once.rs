//! One delegation, one token: second events, second deliveries, and races of both.

use futures_util::future::join_all;
use jiff::SignedDuration;

use super::{Told, coded, deliver, denials, rounds, with};
use crate::support::test_app::{TestApp, refresh_hook};

const AT_ONCE: usize = 64;

#[actix_web::test]
async fn a_second_event_is_refused_and_written_down() {
    let app = TestApp::new().await;
    let id = app.begin().await;
    assert!(deliver(&app, &refresh_hook("e1", Some(&id))).await.is_granted());
    let told = deliver(&app, &refresh_hook("e2", Some(&id))).await;
    assert_eq!(told.refused(), "already-used");
    assert!(told.body.contains("(delegation-not-usable)"));
    let denied = coded(&app, "DA1001").await;
    assert_eq!(denied.len(), 1);
    assert_eq!(denied[0].request.hook_event_id.as_deref(), Some("e2"));
    assert_eq!(told.debug("event").as_deref(), Some(denied[0].id.as_str()));
    assert_eq!(denied[0].on_behalf_of.as_ref().unwrap().id, "00ubob");
}

#[actix_web::test]
async fn the_same_hook_again_gets_the_same_bytes_for_60_seconds() {
    let app = TestApp::new().await;
    let hook = refresh_hook("e1", Some(&app.begin().await));
    let first = deliver(&app, &hook).await;
    assert!(first.is_granted());
    app.advance(SignedDuration::from_millis(59_999));
    assert_eq!(deliver(&app, &hook).await, first);
    app.advance(SignedDuration::from_millis(1));
    assert_eq!(deliver(&app, &hook).await.refused(), "already-used");
    let trail = app.trail().await;
    let codes: Vec<&str> = trail.iter().map(|(code, _)| code.as_str()).collect();
    assert_eq!(codes, ["DA1100", "DA1000", "DA1002", "DA1001"]);
}

#[actix_web::test]
async fn the_same_event_with_another_body_is_a_conflict() {
    let app = TestApp::new().await;
    let hook = refresh_hook("e1", Some(&app.begin().await));
    assert!(deliver(&app, &hook).await.is_granted());
    let told = deliver(&app, &with(hook, "/eventTime", "2026-11-21T10:00:01.000Z")).await;
    assert_eq!(told.refused(), "replay-conflict");
    let conflicts = coded(&app, "DA1003").await;
    assert_eq!(conflicts.len(), 1);
    assert_eq!((conflicts[0].severity.as_str(), conflicts[0].outcome.result.as_str()), ("critical", "failure"));
    assert!(denials(&app).await.is_empty(), "one event for one refusal");
}

#[actix_web::test]
async fn of_many_events_at_once_one_is_granted() {
    for round in 0..rounds() {
        let app = TestApp::new().await;
        let id = app.begin().await;
        let hooks: Vec<_> = (0..AT_ONCE).map(|n| refresh_hook(&format!("e{n}"), Some(&id))).collect();
        let told: Vec<Told> = join_all(hooks.iter().map(|hook| deliver(&app, hook))).await;
        let (granted, others): (Vec<_>, Vec<_>) = told.iter().partition(|told| told.is_granted());
        assert_eq!(granted.len(), 1, "round {round}");
        for told in &others {
            assert_eq!(told.refused(), "already-used", "round {round}");
        }
        assert_eq!(coded(&app, "DA1000").await.len(), 1, "round {round}");
        assert_eq!(denials(&app).await.len(), AT_ONCE - 1, "round {round}");
    }
    println!("{} rounds of {AT_ONCE} events for one id: one granted in each", rounds());
}

#[actix_web::test]
async fn of_many_deliveries_of_one_hook_at_once_all_get_the_same_bytes() {
    for round in 0..rounds() {
        let app = TestApp::new().await;
        let hook = refresh_hook("e1", Some(&app.begin().await));
        let told: Vec<Told> = join_all((0..AT_ONCE).map(|_| deliver(&app, &hook))).await;
        assert!(told[0].is_granted(), "round {round}: {:?}", told[0]);
        for other in &told {
            assert_eq!(other, &told[0], "round {round}");
        }
        assert_eq!(coded(&app, "DA1000").await.len(), 1, "round {round}");
        assert_eq!(coded(&app, "DA1002").await.len(), AT_ONCE - 1, "round {round}");
    }
    println!("{} rounds of {AT_ONCE} deliveries of one hook: the same bytes in each", rounds());
}

#[actix_web::test]
async fn of_many_bodies_with_one_event_id_at_once_one_is_granted() {
    for round in 0..rounds() {
        let app = TestApp::new().await;
        let hook = refresh_hook("e1", Some(&app.begin().await));
        let hooks: Vec<_> = (0..AT_ONCE).map(|n| with(hook.clone(), "/eventTime", n.to_string())).collect();
        let told: Vec<Told> = join_all(hooks.iter().map(|hook| deliver(&app, hook))).await;
        let granted = told.iter().filter(|told| told.is_granted()).count();
        let conflicts = told.iter().filter(|t| !t.is_granted() && t.refused() == "replay-conflict").count();
        assert_eq!((granted, conflicts), (1, AT_ONCE - 1), "round {round}");
        assert_eq!(coded(&app, "DA1003").await.len(), AT_ONCE - 1, "round {round}");
    }
    println!("{} rounds of {AT_ONCE} bodies with one event id: one granted in each", rounds());
}
