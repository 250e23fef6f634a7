//! What is lost between the reservation and its use, and clocks that are off.

use std::sync::Arc;

use behalf::{
    adapters::store::embedded::{EmbeddedStore, Place, Settings},
    app::epoch,
    ports::{clock::ManualClock, entropy::SeededEntropy},
};
use jiff::SignedDuration;
use serde_json::json;

use super::{DBA, HOLD_MS, account, app, app_of, ends, hold, log_in, login_hook, reserve, sharing, state};
use crate::{
    hooks::{coded, deliver, lock_change, tampered, tenant},
    support::{
        fake_directory::Op,
        tampered_store::Act,
        test_app::{Setup, uid},
    },
};

#[actix_web::test]
async fn holder_removed_from_group_between() {
    let app = app().await;
    let (secret, id) = hold(&app, "ann", DBA).await;
    app.directory.set_groups(&uid("00uann"), &["staff"]);
    assert_eq!(log_in(&app, "e1", &secret).await.refused(), "not-a-member");
    assert_eq!(state(&app, "ann", &id).await, "INVALIDATED");
    app.directory.set_groups(&uid("00uann"), &["dbas"]);
    assert_eq!(log_in(&app, "e2", &secret).await.refused(), "reservation-gone", "what is void stays so");
    let void = coded(&app, "DA3005").await;
    assert_eq!((void.len(), &void[0].details["why"]), (1, &json!("not-a-member")));
    hold(&app, "eve", DBA).await;
}

#[actix_web::test]
async fn account_suspended_between() {
    for gone in [false, true] {
        let app = app().await;
        let (secret, id) = hold(&app, "ann", DBA).await;
        if gone {
            app.directory.take(DBA);
        } else {
            app.directory.suspend(DBA);
        }
        let told = log_in(&app, "e1", &secret).await;
        assert_eq!(told.refused(), "account-inactive");
        assert!(told.body.contains("(account-not-active)"), "{}", told.body);
        assert_eq!(state(&app, "ann", &id).await, "INVALIDATED");
        assert_eq!(ends(&app).await, [0, 0, 0, 0, 1]);
    }
}

#[actix_web::test]
async fn holder_disabled_between() {
    let app = app().await;
    let (secret, id) = hold(&app, "ann", DBA).await;
    app.directory.suspend("00uann");
    assert_eq!(log_in(&app, "e1", &secret).await.refused(), "holder-inactive");
    assert_eq!(state(&app, "root", &id).await, "INVALIDATED");
}

#[actix_web::test]
async fn jit_flag_removed_between() {
    let before = app().await;
    let (secret, id) = hold(&before, "ann", DBA).await;
    // The same store, under a configuration that doesn't share this account any more.
    let store = Arc::clone(&before.store);
    let setup = Setup { wrap: Box::new(move |_| store), ..Setup::default() };
    let after = app_of(sharing(setup, vec![account("00uops")], 1)).await;
    assert_eq!(log_in(&after, "e1", &secret).await.refused(), "not-a-member");
    assert_eq!(state(&before, "ann", &id).await, "INVALIDATED");
    assert_eq!(log_in(&before, "e2", &secret).await.refused(), "reservation-gone");
}

#[actix_web::test]
async fn an_unknown_answer_invalidates_nothing() {
    let app = app().await;
    let (secret, id) = hold(&app, "ann", DBA).await;
    app.directory.set_groups(&uid("00uann"), &[]);
    app.directory.fail_next();
    assert_eq!(log_in(&app, "e1", &secret).await.refused(), "directory-unavailable");
    assert_eq!(state(&app, "ann", &id).await, "HELD");
    app.directory.set_groups(&uid("00uann"), &["dbas"]);
    assert!(log_in(&app, "e2", &secret).await.is_granted());
}

#[actix_web::test]
async fn account_suspended_while_consume_waits_for_lock() {
    let (setup, tamper) = tampered();
    let app = app_of(sharing(setup, vec![account(DBA)], 1)).await;
    let (secret, id) = hold(&app, "ann", DBA).await;
    let asked = app.directory.calls(Op::GroupsOf);
    let gate = app.directory.hang(Op::GroupsOf);
    // The first attempt was told that the account is active; its commit meets another's, and the second one asks again.
    tamper.next(Act::Conflict);
    let hook = login_hook("e1", DBA, Some(&secret));
    let (told, ()) = tokio::join!(deliver(&app, &hook), async {
        app.directory.called(Op::GroupsOf, asked + 1).await;
        app.directory.called(Op::User, 3).await;
        app.directory.suspend(DBA);
        gate.notify_one();
    });
    assert_eq!(told.refused(), "account-inactive");
    assert_eq!(tamper.left(), 0, "the first attempt got as far as its commit");
    assert_eq!(state(&app, "ann", &id).await, "INVALIDATED");
}

#[actix_web::test]
async fn a_lock_is_seen_even_between_the_read_and_the_commit() {
    for who in [DBA, "00uann"] {
        let (setup, tamper) = tampered();
        let app = app_of(sharing(setup, vec![account(DBA)], 1)).await;
        let (secret, id) = hold(&app, "ann", DBA).await;
        tamper.next(Act::Overtaken(Box::new(lock_change(&app, who))));
        assert_eq!(log_in(&app, "e1", &secret).await.refused(), "locked", "{who}");
        assert_eq!(state(&app, "ann", &id).await, "HELD", "a lock voids nothing");
        assert_eq!(app.delete(&format!("/v1/locks/{who}"), "root").await.status, 204);
        assert!(log_in(&app, "e2", &secret).await.is_granted());
    }
}

#[actix_web::test]
async fn reservation_during_restore_from_backup() {
    let app = app().await;
    let (secret, id) = hold(&app, "ann", DBA).await;
    let hook = login_hook("e1", DBA, Some(&secret));
    assert!(deliver(&app, &hook).await.is_granted());
    let (secret, held) = hold(&app, "ann", DBA).await;
    assert_ne!(id, held);
    epoch::ensure(&app.services, &tenant(), 5).await.unwrap();
    assert_eq!(log_in(&app, "e2", &secret).await.refused(), "epoch-changed");
    assert_eq!(state(&app, "ann", &held).await, "INVALIDATED", "it is shown as what it is");
    assert_eq!(ends(&app).await, [1, 0, 0, 0, 0], "nobody has written it down yet");
    assert_eq!(app.reap().await.expired, 1);
    let void = coded(&app, "DA3005").await;
    assert_eq!((void.len(), &void[0].details["why"]), (1, &json!("epoch-changed")));
    assert_eq!(app.reap().await.expired, 0);
    // Neither the quota nor the account is taken.
    let (secret, _) = hold(&app, "ann", DBA).await;
    epoch::ensure(&app.services, &tenant(), 9).await.unwrap();
    let next = reserve(&app, "eve", json!({"account": DBA})).await;
    assert_eq!(next.status, 201, "who comes before the reaper ends it himself: {}", next.text);
    assert_eq!(ends(&app).await, [1, 0, 0, 0, 2]);
    assert_eq!(log_in(&app, "e3", &secret).await.refused(), "reservation-missing");
}

/// The application's clock is off; a reservation lives from its first to its last millisecond of the store's time.
async fn clock_off_by(off: SignedDuration) {
    let clock = Arc::new(ManualClock::at("2026-11-21T10:00:00Z".parse().unwrap()));
    let as_clock = Arc::<ManualClock>::clone(&clock);
    let store = EmbeddedStore::open(&Settings::new(Place::Memory), as_clock, &SeededEntropy::default()).unwrap();
    let store = Arc::new(store);
    let setup = Setup { wrap: Box::new(move |_| store), ..Setup::default() };
    let app = app_of(sharing(setup, vec![account(DBA)], 1)).await;
    app.advance(off);
    let ms = SignedDuration::from_millis;
    let (secret, _) = hold(&app, "ann", DBA).await;
    clock.advance(ms(HOLD_MS - 1));
    app.reap().await;
    reserve(&app, "eve", json!({"account": DBA})).await.is_problem(409, "reserved");
    assert!(log_in(&app, "e1", &secret).await.is_granted(), "{off}");
    let (secret, _) = hold(&app, "ann", DBA).await;
    clock.advance(ms(HOLD_MS));
    assert_eq!(log_in(&app, "e2", &secret).await.refused(), "reservation-gone", "{off}");
}

#[actix_web::test]
async fn clock_app_10_minutes_ahead() {
    clock_off_by(SignedDuration::from_mins(10)).await;
}

#[actix_web::test]
async fn clock_app_10_minutes_behind() {
    clock_off_by(-SignedDuration::from_mins(10)).await;
}
