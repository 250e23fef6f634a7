//! Ends that nobody's hook brought about: time, the agent himself, the reaper, a store that may have rolled back.

use behalf::{
    app::{
        epoch,
        records::{self, Epoch},
    },
    ports::store::{Change, ChangeId, Committed, Expect, Store},
};
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use reqwest::{Method, StatusCode};

use super::{Told, coded, deliver, denials, still_works, tampered, tenant};
use crate::support::{
    fake_directory::Op,
    tampered_store::Act,
    test_app::{TestApp, refresh_hook},
};

const LIFE_MS: i64 = 60_000;

#[actix_web::test]
async fn an_id_works_to_its_last_millisecond() {
    for (age, granted) in [(LIFE_MS - 1, true), (LIFE_MS, false), (LIFE_MS + 1, false)] {
        let app = TestApp::new().await;
        let id = app.begin().await;
        app.advance(SignedDuration::from_millis(age));
        let told = deliver(&app, &refresh_hook("e1", Some(&id))).await;
        assert_eq!(told.is_granted(), granted, "{age} ms: {told:?}");
        if !granted {
            assert_eq!(told.refused(), "expired");
            assert!(told.body.contains("(delegation-not-usable)"));
        }
    }
}

#[actix_web::test]
async fn a_clock_that_runs_back_makes_nothing_fresh() {
    let app = TestApp::new().await;
    let id = app.begin().await;
    app.advance(SignedDuration::from_millis(LIFE_MS));
    assert_eq!(deliver(&app, &refresh_hook("e1", Some(&id))).await.refused(), "expired");
    app.advance(SignedDuration::from_millis(-LIFE_MS));
    assert_eq!(deliver(&app, &refresh_hook("e2", Some(&id))).await.refused(), "expired");
}

#[actix_web::test]
async fn a_cancelled_id_is_refused() {
    let app = TestApp::new().await;
    let (id, other) = (app.begin().await, app.begin().await);
    let path = format!("/v1/delegations/{id}");
    assert_eq!(app.call(Method::DELETE, &path, "eve", None).await.0, StatusCode::NOT_FOUND);
    assert_eq!(app.call(Method::DELETE, &path, "bob", None).await.0, StatusCode::NOT_FOUND);
    assert_eq!(app.call(Method::DELETE, &path, "ann", None).await.0, StatusCode::NO_CONTENT);
    assert_eq!(app.call(Method::DELETE, &path, "ann", None).await.0, StatusCode::NO_CONTENT);
    assert_eq!(deliver(&app, &refresh_hook("e1", Some(&id))).await.refused(), "cancelled");
    assert_eq!(coded(&app, "DA1102").await.len(), 1, "cancelled once");
    still_works(&app, &other).await;
    let path = format!("/v1/delegations/{other}");
    let (status, problem) = app.call(Method::DELETE, &path, "ann", None).await;
    assert_eq!((status, problem["code"].as_str()), (StatusCode::CONFLICT, Some("not-pending")));
}

#[actix_web::test]
async fn the_reaper_ends_what_nobody_used_once() {
    let app = TestApp::new().await;
    let (id, used) = (app.begin().await, app.begin().await);
    still_works(&app, &used).await;
    assert_eq!(app.reap().await.expired, 0);
    app.advance(SignedDuration::from_millis(LIFE_MS));
    let passes = join_all((0..8).map(|_| app.reap())).await;
    assert_eq!(passes.iter().map(|pass| pass.expired).sum::<usize>(), 1);
    assert_eq!(app.reap().await.expired, 0);
    let expired = coded(&app, "DA1103").await;
    assert_eq!(expired.len(), 1);
    assert_eq!(expired[0].on_behalf_of.as_ref().unwrap().id, "00ubob");
    assert_eq!(deliver(&app, &refresh_hook("e1", Some(&id))).await.refused(), "expired");
}

#[actix_web::test]
async fn many_reapers_end_each_of_many_once() {
    let app = TestApp::new().await;
    for _ in 0..10 {
        app.begin().await;
    }
    app.advance(SignedDuration::from_millis(LIFE_MS));
    let passes = join_all((0..8).map(|_| app.reap())).await;
    assert_eq!(passes.iter().map(|pass| pass.expired).sum::<usize>(), 10);
    assert_eq!(coded(&app, "DA1103").await.len(), 10);
}

#[actix_web::test]
async fn an_answer_does_not_outlive_its_minute() {
    let app = TestApp::new().await;
    let (used, _waits) = (app.begin().await, app.begin().await);
    let hook = refresh_hook("e1", Some(&used));
    let first = deliver(&app, &hook).await;
    assert!(first.is_granted(), "{first:?}");
    app.reap().await;
    assert_eq!(app.pending().await, 1, "the used one counts no more");
    app.advance(SignedDuration::from_millis(LIFE_MS - 1));
    assert_eq!(deliver(&app, &hook).await.body, first.body);
    let pass = app.reap().await;
    assert_eq!((pass.retired, pass.dropped), (0, 0));
    app.advance(SignedDuration::from_millis(1));
    assert_eq!(deliver(&app, &hook).await.refused(), "already-used");
    let pass = app.reap().await;
    assert_eq!((pass.expired, pass.retired, pass.dropped), (1, 1, 2), "dropped: the answer and the roster");
    let pass = app.reap().await;
    assert_eq!((pass.expired, pass.retired, pass.dropped, app.pending().await), (0, 0, 0, 0), "each once");
    assert_eq!(deliver(&app, &hook).await.refused(), "already-used");
}

#[actix_web::test]
async fn what_was_dropped_is_unknown() {
    let app = TestApp::new().await;
    let id = app.begin().await;
    app.advance(SignedDuration::from_millis(LIFE_MS));
    app.reap().await;
    app.advance(records::KEEP);
    assert_eq!(app.reap().await.dropped, 1, "the delegation; its roster went with the first pass");
    assert_eq!(deliver(&app, &refresh_hook("e1", Some(&id))).await.refused(), "unknown-id");
}

async fn epoch_change(app: &TestApp) -> Change {
    let key = records::epoch_key();
    let snapshot = app.store.read(&tenant(), &[key]).await.unwrap();
    let (epoch, record) = records::find::<Epoch>(&snapshot, &key).unwrap().unwrap();
    let raised = Epoch { number: epoch.number + 1, incarnation: "another server".to_owned() };
    Change {
        expect: vec![(key, Expect::Version(record.version))],
        puts: vec![records::put_epoch(&raised).unwrap()],
        ..Change::new(ChangeId([9; 16]), Timestamp::MAX)
    }
}

#[actix_web::test]
async fn an_epoch_voids_what_was_pending_and_the_answers_that_were_kept() {
    let app = TestApp::new().await;
    let (pending, used) = (app.begin().await, app.begin().await);
    let hook = refresh_hook("e1", Some(&used));
    assert!(deliver(&app, &hook).await.is_granted());
    let raised = epoch_change(&app).await;
    assert!(matches!(app.store.commit(&tenant(), raised).await, Ok(Committed::Done(_))));
    assert_eq!(deliver(&app, &hook).await.refused(), "epoch-changed");
    assert_eq!(deliver(&app, &refresh_hook("e2", Some(&pending))).await.refused(), "epoch-changed");
    assert_eq!(denials(&app).await, ["epoch-changed", "epoch-changed"]);
    let fresh = app.begin().await;
    still_works(&app, &fresh).await;
}

#[actix_web::test]
async fn an_epoch_that_is_raised_between_the_read_and_the_commit_is_seen() {
    let (setup, tamper) = tampered();
    let app = TestApp::with(setup).await;
    let id = app.begin().await;
    tamper.next(Act::Overtaken(Box::new(epoch_change(&app).await)));
    assert_eq!(deliver(&app, &refresh_hook("e1", Some(&id))).await.refused(), "epoch-changed");
    assert!(coded(&app, "DA1000").await.is_empty());
}

/// Delivers a hook, and does something while its directory calls are under way.
async fn meanwhile(app: &TestApp, id: &str, change: impl Future<Output = ()>) -> Told {
    let asked = app.directory.calls(Op::IsGranted);
    let gate = app.directory.hang(Op::IsGranted);
    let hook = refresh_hook("e1", Some(id));
    let (told, ()) = tokio::join!(deliver(app, &hook), async {
        app.directory.called(Op::IsGranted, asked + 1).await;
        change.await;
        gate.notify_one();
    });
    told
}

#[actix_web::test]
async fn an_id_that_ends_while_the_directory_is_asked_is_refused() {
    let app = TestApp::new().await;
    let id = app.begin().await;
    app.advance(SignedDuration::from_millis(LIFE_MS - 100));
    let told = meanwhile(&app, &id, async { app.advance(SignedDuration::from_millis(100)) }).await;
    assert_eq!(told.refused(), "expired");
    assert!(coded(&app, "DA1000").await.is_empty());
}

#[actix_web::test]
async fn an_id_that_is_cancelled_while_the_directory_is_asked_is_refused() {
    let app = TestApp::new().await;
    let id = app.begin().await;
    let path = format!("/v1/delegations/{id}");
    let told = meanwhile(&app, &id, async {
        assert_eq!(app.call(Method::DELETE, &path, "ann", None).await.0, StatusCode::NO_CONTENT);
    });
    assert_eq!(told.await.refused(), "cancelled");
}

#[actix_web::test]
async fn a_commit_that_reaches_the_store_too_late_is_not_applied() {
    let app = TestApp::new().await;
    let id = app.begin().await;
    let told = meanwhile(&app, &id, async { app.advance(SignedDuration::from_secs(3)) }).await;
    assert_eq!(told.refused(), "deadline");
    still_works(&app, &id).await;
}

#[actix_web::test]
async fn a_clock_that_jumped_ahead_and_was_set_right_lets_ids_expire_all_the_same() {
    let app = TestApp::new().await;
    app.clock.set_by(SignedDuration::from_mins(10));
    app.begin().await;
    app.clock.set_by(SignedDuration::from_mins(-10));
    let id = app.begin().await;
    app.advance(SignedDuration::from_secs(59));
    let soon = app.begin().await;
    app.advance(SignedDuration::from_secs(1));
    app.deliver(&refresh_hook("late", Some(&id)).to_string()).await;
    app.deliver(&refresh_hook("soon", Some(&soon)).to_string()).await;
    let trail = app.trail().await;
    let ends: Vec<_> = trail.iter().filter(|(code, _)| code.starts_with("DA10")).map(|(_, r)| r.as_deref()).collect();
    assert_eq!(ends, [Some("expired"), None]);
}

/// Somebody has put older data back under a running process: their epoch is one that was over.
#[actix_web::test]
async fn an_epoch_smaller_than_one_that_was_seen_is_raised_above_it() {
    let app = TestApp::new().await;
    let id = app.begin().await;
    let in_force = epoch::ensure(&app.services, &tenant(), 5).await.unwrap();
    assert_eq!(in_force.number, 6);
    assert_eq!(epoch::ensure(&app.services, &tenant(), 6).await.unwrap(), in_force);
    assert_eq!(deliver(&app, &refresh_hook("e1", Some(&id))).await.refused(), "epoch-changed");
}
