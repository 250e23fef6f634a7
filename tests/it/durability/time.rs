//! Clocks that are wrong: the store's time decides about records, and never runs back.

use std::{path::Path, sync::Arc};

use behalf::{
    adapters::store::embedded::{EmbeddedStore, Place, Settings},
    domain::ids::TenantName,
    ports::{
        clock::ManualClock,
        entropy::SeededEntropy,
        store::{Committed, Expect, Store},
    },
};
use jiff::{SignedDuration, Timestamp};

use crate::{
    contract::stores::{draft, key, start},
    support::{
        okta_apply::{Minted, Tokens, apply},
        test_app::{Setup, TestApp, refresh_hook},
    },
};

const TEN_MINUTES: SignedDuration = SignedDuration::from_mins(10);
const MS: SignedDuration = SignedDuration::from_millis(1);

fn open(place: Place, clock: &Arc<ManualClock>) -> Arc<EmbeddedStore> {
    let clock = Arc::<ManualClock>::clone(clock);
    Arc::new(EmbeddedStore::open(&Settings::new(place), clock, &SeededEntropy::default()).unwrap())
}

fn in_folder(folder: &Path, clock: &Arc<ManualClock>) -> Arc<EmbeddedStore> {
    open(Place::Folder(folder.to_owned()), clock)
}

async fn deliver(app: &TestApp, event: &str, id: &str) -> Minted {
    let hook = refresh_hook(event, Some(id));
    let (status, body) = app.deliver(&hook.to_string()).await;
    apply(&Tokens::of(&hook), status, &body)
}

/// The application's clock is off; a delegation lives from its first to its last millisecond of the store's time.
async fn an_application_clock_off_by(off: SignedDuration) {
    let store_clock = Arc::new(ManualClock::at("2026-11-21T10:00:00Z".parse().unwrap()));
    let store = open(Place::Memory, &store_clock);
    let app = TestApp::with(Setup { wrap: Box::new(move |_| store), ..Setup::default() }).await;
    app.advance(off);
    let life = SignedDuration::from_secs(60);
    let (first, last, late) = (app.begin().await, app.begin().await, app.begin().await);
    assert!(matches!(deliver(&app, "1", &first).await, Minted::Patched(_)));
    store_clock.advance(life - MS);
    app.reap().await;
    assert!(matches!(deliver(&app, "2", &last).await, Minted::Patched(_)));
    store_clock.advance(MS);
    assert!(matches!(deliver(&app, "3", &late).await, Minted::Nothing(_)));
    let reasons: Vec<_> = app.trail().await.into_iter().filter_map(|(_, reason)| reason).collect();
    assert_eq!(reasons, ["expired"]);
}

#[actix_web::test]
async fn an_application_clock_that_is_right_changes_no_decision() {
    an_application_clock_off_by(SignedDuration::ZERO).await;
}

#[actix_web::test]
async fn an_application_clock_ahead_changes_no_decision() {
    an_application_clock_off_by(TEN_MINUTES).await;
}

#[actix_web::test]
async fn an_application_clock_behind_changes_no_decision() {
    an_application_clock_off_by(-TEN_MINUTES).await;
}

/// What ran out stays so, and what is alive gains nothing beyond the time that was shown.
async fn restarted_with_the_clock_back(crashed: bool) {
    let folder = tempfile::tempdir().unwrap();
    let (tenant, clock) = (TenantName::default_tenant(), Arc::new(ManualClock::at(start())));
    let store = in_folder(folder.path(), &clock);
    let minute = SignedDuration::from_mins(1);
    let until = |end: SignedDuration| Some(start().saturating_add(end).unwrap());
    let done = async |store: &EmbeddedStore, change| {
        assert!(matches!(store.commit(&tenant, change).await.unwrap(), Committed::Done(_)));
    };
    done(&store, draft().put_as(key(1), b"short", |put| put.live_until = until(minute)).build()).await;
    done(&store, draft().put_as(key(2), b"long", |put| put.live_until = until(minute * 3)).build()).await;
    clock.advance(minute * 2);
    done(&store, draft().put(key(3), b"shows the time").build()).await;
    let there = if crashed {
        // The file as a crash leaves it: copied while the store is open.
        let copy = tempfile::tempdir().unwrap();
        let name = behalf::adapters::store::embedded::media::DATA_FILE;
        std::fs::copy(folder.path().join(name), copy.path().join(name)).unwrap();
        copy
    } else {
        store.close();
        folder
    };
    drop(store);

    clock.advance(-TEN_MINUTES);
    let store = in_folder(there.path(), &clock);
    let live = async |n| {
        let snapshot = store.read(&tenant, &[key(n)]).await.unwrap();
        let version = snapshot.get(&key(n)).unwrap().version;
        let change = draft().expect(key(n), Expect::VersionLive(version)).build();
        (snapshot.now, matches!(store.commit(&tenant, change).await.unwrap(), Committed::Done(_)))
    };
    let shown: Timestamp = start().saturating_add(minute * 2).unwrap();
    assert_eq!(live(1).await, (shown, false), "it ran out before");
    assert_eq!(live(2).await, (shown, true));
    // Time goes on where it was, at its pace, though the clock is behind.
    clock.advance(minute - MS);
    assert!(live(2).await.1);
    clock.advance(MS);
    assert!(!live(2).await.1);
}

#[tokio::test]
async fn after_a_restart_with_the_clock_back_nothing_lives_again() {
    restarted_with_the_clock_back(false).await;
}

#[tokio::test]
async fn after_a_crash_with_the_clock_back_nothing_lives_again() {
    restarted_with_the_clock_back(true).await;
}
