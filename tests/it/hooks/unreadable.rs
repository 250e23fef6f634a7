//! Records that this version can't read: what depends on one is refused, and everything else goes on.

use behalf::{
    app::{approvals, reaper, records},
    domain::ids::RecordId,
    ports::store::{Change, Committed, Index, IndexRow, Key, Put},
};
use jiff::{SignedDuration, Timestamp};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{coded, deliver, still_works, tenant};
use crate::support::test_app::{TestApp, refresh_hook, uid};

const LIFE: SignedDuration = SignedDuration::from_secs(60);

fn nth(n: u64) -> RecordId {
    RecordId { time: n, hash: [7; 32] }
}

/// What no version can read, under this key; it may be dropped from then on.
fn spoilt(key: Key, drop_at: Option<Timestamp>, index: Option<Index>) -> Put {
    let indexes = index.into_iter().map(|index| IndexRow { index, sort: key.id.time }).collect();
    Put { key, body: b"{\"by\": \"nobody knows whom\"".to_vec(), live_until: None, drop_at, indexes }
}

async fn write(app: &TestApp, puts: Vec<Put>) {
    for some in puts.chunks(500) {
        let change = Change { puts: some.to_vec(), ..Change::new(app.services.change_id(), Timestamp::MAX) };
        assert!(matches!(app.services.store.commit(&tenant(), change).await.unwrap(), Committed::Done(_)));
    }
}

/// So many delegations at the head of what is due.
async fn due_first(app: &TestApp, count: u64, drop_at: Option<Timestamp>) {
    let due = |n| spoilt(records::delegation_key(nth(n)), drop_at, Some(records::due()));
    write(app, (1..=count).map(due).collect()).await;
}

#[actix_web::test]
async fn what_is_behind_them_is_ended_in_time() {
    let app = TestApp::new().await;
    due_first(&app, 450, None).await;
    app.begin().await;
    app.advance(LIFE);
    let pass = app.reap().await;
    assert_eq!((pass.expired, pass.unread.count), (1, 450));
    let first = pass.unread.first.unwrap();
    assert!(first.contains("of kind 2 (delegation)") && !first.contains("nobody"), "{first}");
    assert_eq!((coded(&app, "DA1103").await.len(), app.pending().await), (1, 0));
}

/// More than one pass reads: the next one goes on where it stopped, and begins anew at the end.
#[actix_web::test]
async fn many_of_them_take_several_passes() {
    let app = TestApp::new().await;
    due_first(&app, 5_100, None).await;
    app.begin().await;
    app.advance(LIFE);
    let mut places = reaper::Places::default();
    let mut passes = Vec::new();
    for _ in 0..3 {
        let pass = reaper::pass(&app.services, &tenant(), &mut places).await.unwrap();
        passes.push((pass.expired, pass.unread.count, pass.more));
    }
    assert_eq!(passes, [(0, 5_000, true), (1, 5_100, false), (0, 5_000, true)]);
}

#[actix_web::test]
async fn they_are_dropped_when_what_stands_before_the_content_says_so() {
    let app = TestApp::new().await;
    let end = app.store_now() + LIFE;
    due_first(&app, 3, Some(end)).await;
    let pass = app.reap().await;
    assert_eq!((pass.dropped, pass.unread.count), (0, 3));
    app.advance(LIFE);
    let pass = app.reap().await;
    assert_eq!((pass.dropped, pass.unread.count), (3, 0));
}

#[actix_web::test]
async fn approvals_and_reservations_stop_nothing_either() {
    let app = TestApp::new().await;
    let approval = approvals::records::due();
    let puts = (1..=250).map(|n| spoilt(records::delegation_key(nth(n)), None, Some(approval)));
    write(&app, puts.collect()).await;
    let slots = (1..=250).map(|n| spoilt(records::slot_key(nth(n)), None, Some(records::held())));
    write(&app, slots.collect()).await;
    app.begin().await;
    app.advance(LIFE);
    let pass = app.reap().await;
    assert_eq!((pass.expired, pass.unread.count), (1, 500));
}

#[actix_web::test]
async fn a_list_gives_the_others_and_says_how_many_are_missing() {
    let app = TestApp::new().await;
    app.begin().await;
    let list = async || app.call(Method::GET, "/v1/delegations", "ann", None).await;
    let (_, whole) = list().await;
    assert!(whole.get("unreadable").is_none() && whole["items"].as_array().unwrap().len() == 1, "{whole}");
    let mine = |n| spoilt(records::delegation_key(nth(n)), None, Some(records::by_agent(&uid("00uann"))));
    write(&app, vec![mine(1), mine(2)]).await;
    let (status, page) = list().await;
    assert_eq!((status, &page["items"], &page["unreadable"]), (StatusCode::OK, &whole["items"], &json!(2)));
    let (_, first) = app.call(Method::GET, "/v1/delegations?limit=1", "ann", None).await;
    assert_eq!((&first["items"], &first["unreadable"]), (&json!([]), &json!(1)));
    assert!(first["next_cursor"].is_string(), "{first}");
}

/// A lock that can't be read is a lock, as far as anybody can tell.
#[actix_web::test]
async fn a_decision_that_depends_on_one_is_no() {
    let app = TestApp::new().await;
    let (id, other) = (app.begin().await, app.begin().await);
    let lock = records::lock_key(&uid("00ubob"));
    write(&app, vec![spoilt(lock, None, None)]).await;
    assert_eq!(deliver(&app, &refresh_hook("e1", Some(&id))).await.refused(), "store-unreadable");
    let body = json!({"delegator": "bob@example.test"});
    let (status, problem): (_, Value) = app.call(Method::POST, "/v1/delegations", "ann", Some(body)).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{problem}");
    let change = Change { drops: vec![lock], ..Change::new(app.services.change_id(), Timestamp::MAX) };
    app.services.store.commit(&tenant(), change).await.unwrap();
    still_works(&app, &other).await;
}
