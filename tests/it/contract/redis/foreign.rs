//! What another program, or a later version of this one, left under our names: nothing is written over it.

use behalf::ports::store::{Change, ChangeId, Committed, Page, Seq, Store as _, StoreError};
use jiff::SignedDuration;

use super::over;
use crate::{
    contract::stores::{Draft, draft, index, key, lists::a_row_of_its_own, tenant},
    support::redis::Redis,
};

const COUNTERS: &str = "behalf:{acme}:m";
const EVENTS: &str = "behalf:{acme}:e";
const LEASE: &str = "behalf:{acme}:l:work";
const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// The key of `key(n)`.
fn record(n: u64) -> String {
    let name = String::from_utf8(key(n).to_bytes().to_vec()).unwrap();
    format!("behalf:{{acme}}:r:{name}")
}

/// The key of the index `index(list)`.
fn rows(list: u8) -> String {
    format!("behalf:{{acme}}:i:{}{}", char::from(list), "\0".repeat(32))
}

/// The key of the attempt that all of these changes are.
fn attempt() -> String {
    format!("behalf:{{acme}}:a:{}", "\u{7}".repeat(16))
}

fn change(draft: Draft) -> Change {
    Change { id: ChangeId([7; 16]), ..draft.build() }
}

/// An event, a lease, and record 1 in list 5.
async fn with_something(server: &Redis) -> u64 {
    server.command(&["FLUSHALL"]);
    let (store, acme) = (over(server), tenant("acme"));
    let something = draft().put_in(key(1), &[(5, 1), (1, 1)]).put_in(key(9), &[(1, 2)]).event(b"1").build();
    assert_eq!(store.commit(&acme, something).await.unwrap(), Committed::Done(vec![Seq(1)]));
    store.lease(&acme, "work", "me", MINUTE).await.unwrap().unwrap().token
}

fn unreadable<T: std::fmt::Debug>(what: &str, told: &Result<T, StoreError>) {
    assert!(matches!(told, Err(StoreError::Unreadable(_))), "{what}: {told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_meets_another_type_writes_nothing() {
    let server = Redis::start(&[]).await;
    let (store, acme) = (over(&server), tenant("acme"));
    let token = with_something(&server).await;
    let cases = [
        ("counters", COUNTERS.to_owned(), draft().put(key(2), b"x")),
        ("the stream, with an event", EVENTS.to_owned(), draft().event(b"2")),
        ("the stream, without an event", EVENTS.to_owned(), draft().put(key(2), b"x")),
        ("an attempt", attempt(), draft().event(b"2").put(key(2), b"x")),
        ("a lease", LEASE.to_owned(), draft().event(b"2").put(key(2), b"x").fence("work", token)),
        ("a record to put", record(2), draft().event(b"2").put(key(3), b"x").put(key(2), b"x")),
        ("a record to drop", record(1), draft().event(b"2").put(key(3), b"x").remove(key(1))),
        (
            "a record expected absent",
            record(2),
            draft().event(b"2").put(key(3), b"x").expect(key(2), behalf::ports::store::Expect::Absent),
        ),
        ("an index to add to", rows(6), draft().event(b"2").put(key(3), b"x").put_in(key(2), &[(6, 1)])),
        ("an index to take from, by a put", rows(5), draft().event(b"2").put(key(3), b"x").put(key(1), b"x")),
        ("an index to take from, by a drop", rows(5), draft().event(b"2").put(key(3), b"x").remove(key(1))),
    ];
    for (what, name, draft) in cases {
        with_something(&server).await;
        server.command(&["DEL", &name]);
        server.command(&["HSET", &name, "another", "program's"]);
        let before = server.content();
        unreadable(what, &store.commit(&acme, change(draft)).await);
        assert_eq!(server.content(), before, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_else_meets_another_type_says_so() {
    let server = Redis::start(&[]).await;
    let (store, acme) = (over(&server), tenant("acme"));
    for name in [COUNTERS.to_owned(), EVENTS.to_owned(), LEASE.to_owned(), rows(5), record(1)] {
        with_something(&server).await;
        server.command(&["DEL", &name]);
        server.command(&["HSET", &name, "another", "program's"]);
        let before = server.content();
        let page = Page { up_to: u64::MAX, after: None, limit: 10 };
        let told = [
            ("events", name == EVENTS, store.events(&acme, Seq(0), 10).await.map(drop)),
            ("list", name == COUNTERS || name == rows(5), store.list(&acme, index(5), page).await.map(drop)),
            ("lease", name == COUNTERS || name == LEASE, store.lease(&acme, "work", "you", MINUTE).await.map(drop)),
            // `MGET` takes what is no string for absent; the commit that follows is refused.
            ("read", false, store.read(&acme, &[key(1)]).await.map(drop)),
        ];
        for (what, meets, told) in told {
            match told {
                Ok(()) => assert!(!meets, "{what} over {name:?}"),
                told => {
                    unreadable(what, &told);
                    assert!(meets, "{what} over {name:?}");
                }
            }
        }
        assert_eq!(server.content(), before, "{name:?}");
        if name == record(1) {
            assert!(store.read(&acme, &[key(1)]).await.unwrap().get(&key(1)).is_none());
            let list = store.list(&acme, index(5), page).await.unwrap();
            assert!(list.rows.is_empty());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_later_format_is_not_read_and_not_written_over() {
    let server = Redis::start(&[]).await;
    let (store, acme) = (over(&server), tenant("acme"));
    for name in [COUNTERS.to_owned(), record(1), LEASE.to_owned()] {
        let token = with_something(&server).await;
        server.command(&["SETRANGE", &name, "0", "\u{2}"]);
        let before = server.content();
        let (counters, of_lease) = (name == COUNTERS, name == LEASE);
        let page = Page { up_to: u64::MAX, after: None, limit: 10 };
        let (read, list) = (store.read(&acme, &[key(1)]).await, store.list(&acme, index(5), page).await);
        if of_lease {
            assert!(read.is_ok() && list.is_ok());
        } else {
            unreadable("read", &read);
            if counters {
                unreadable("list", &list);
            } else {
                a_row_of_its_own(&store, &acme, key(1), key(9)).await;
            }
        }
        if counters || of_lease {
            unreadable("lease", &store.lease(&acme, "work", "me", MINUTE).await);
            unreadable("fence", &store.commit(&acme, draft().event(b"2").fence("work", token).build()).await);
        }
        if !of_lease {
            let version = behalf::ports::store::Expect::Version(1);
            for draft in [draft().put(key(1), b"x"), draft().remove(key(1)), draft().expect(key(1), version)] {
                unreadable("commit", &store.commit(&acme, draft.event(b"2").put(key(3), b"x").build()).await);
            }
        }
        assert_eq!(server.content(), before, "{name:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counters_that_are_gone_are_not_made_anew_over_the_events() {
    let server = Redis::start(&[]).await;
    let (store, acme) = (over(&server), tenant("acme"));
    with_something(&server).await;
    server.command(&["DEL", COUNTERS]);
    let before = server.content();
    unreadable("commit", &store.commit(&acme, draft().event(b"2").build()).await);
    assert_eq!(server.content(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_that_is_taken_stops_the_change_before_its_first_write() {
    let server = Redis::start(&[]).await;
    let (store, acme) = (over(&server), tenant("acme"));
    with_something(&server).await;
    server.command(&["XADD", EVENTS, "3-0", "e", "another program's"]);
    let before = server.content();
    let told = store.commit(&acme, draft().put(key(2), b"x").event(b"2").event(b"3").build()).await;
    assert!(told.is_err(), "{told:?}");
    assert_eq!(server.content(), before);
}
