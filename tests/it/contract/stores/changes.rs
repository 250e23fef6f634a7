//! What a change expects, writes and gives back.

use behalf::ports::store::{Committed, Expect, Page, Seq};
use futures_util::StreamExt;
use jiff::Timestamp;

use super::{Bench, draft, index, key, ms, soon, tenant};

pub(in crate::contract) async fn absent_means_no_record(b: Bench) {
    let create = || draft().expect(key(1), Expect::Absent).put(key(1), b"a").build();
    b.done(create()).await;
    assert_eq!(b.commit(create()).await, Committed::Conflict(key(1)));
    b.done(draft().remove(key(1)).build()).await;
    assert!(b.get(key(1)).await.is_none());
    b.done(create()).await;
}

pub(in crate::contract) async fn a_version_must_be_the_present_one(b: Bench) {
    b.done(draft().put(key(1), b"a").build()).await;
    let first = b.version(key(1)).await;
    let update = |version| draft().expect(key(1), Expect::Version(version)).put(key(1), b"b").build();
    assert_eq!(b.commit(update(first + 1)).await, Committed::Conflict(key(1)));
    b.done(update(first)).await;
    assert!(b.version(key(1)).await > first);
    assert_eq!(b.commit(update(first)).await, Committed::Conflict(key(1)));
    let missing = draft().expect(key(2), Expect::Version(first)).put(key(2), b"x").build();
    assert_eq!(b.commit(missing).await, Committed::Conflict(key(2)));
    assert!(b.get(key(2)).await.is_none());
}

pub(in crate::contract) async fn version_live_ends_at_live_until(b: Bench) {
    let end = b.now().await + ms(1000);
    b.done(draft().put_as(key(1), b"mortal", |put| put.live_until = Some(end)).put(key(2), b"immortal").build()).await;
    let (mortal, immortal) = (b.version(key(1)).await, b.version(key(2)).await);
    let live = |n, version| draft().expect(key(n), Expect::VersionLive(version)).event(b"seen").build();
    b.time.advance(ms(999));
    b.done(live(1, mortal)).await;
    assert_eq!(b.commit(live(1, mortal + 7)).await, Committed::Conflict(key(1)));
    b.time.advance(ms(1));
    assert_eq!(b.now().await, end);
    assert_eq!(b.commit(live(1, mortal)).await, Committed::Conflict(key(1)));
    b.time.advance(ms(1));
    assert_eq!(b.commit(live(1, mortal)).await, Committed::Conflict(key(1)));
    // `Version` doesn't ask, and `Absent` means absent.
    b.done(draft().expect(key(1), Expect::Version(mortal)).event(b"seen").build()).await;
    assert_eq!(b.commit(draft().expect(key(1), Expect::Absent).build()).await, Committed::Conflict(key(1)));
    b.done(live(2, immortal)).await;
}

pub(in crate::contract) async fn a_record_is_kept_as_it_was_given(b: Bench) {
    let (live, drop) = (b.now().await + ms(5), b.now().await + ms(7));
    let every_byte: Vec<u8> = (0..=255).collect();
    let change = draft()
        .put_as(key(1), &every_byte, |put| (put.live_until, put.drop_at) = (Some(live), Some(drop)))
        .put(key(2), b"")
        .build();
    let id = change.id;
    b.done(change).await;
    let record = b.get(key(1)).await.unwrap();
    assert_eq!((record.live_until, record.drop_at), (Some(live), Some(drop)));
    assert_eq!((record.last_change, record.body), (id, every_byte));
    let empty = b.get(key(2)).await.unwrap();
    assert_eq!((empty.live_until, empty.drop_at, empty.body), (None, None, Vec::new()));
    // A put replaces the times as well.
    let again = draft().put(key(1), b"plain").build();
    let id = again.id;
    b.done(again).await;
    let record = b.get(key(1)).await.unwrap();
    assert_eq!((record.live_until, record.drop_at, record.last_change), (None, None, id));
}

pub(in crate::contract) async fn all_or_nothing(b: Bench) {
    b.done(draft().put_in(key(1), &[(1, 1)]).event(b"one").build()).await;
    let before = b.get(key(1)).await;
    let refused = draft()
        .expect(key(9), Expect::Absent)
        .expect(key(1), Expect::Absent)
        .put_in(key(2), &[(1, 2)])
        .remove(key(1))
        .event(b"two")
        .build();
    assert_eq!(b.commit(refused).await, Committed::Conflict(key(1)));
    assert_eq!(b.get(key(1)).await, before);
    assert!(b.get(key(2)).await.is_none());
    assert_eq!(b.store.events(&b.tenant, Seq(0), 10).await.unwrap().len(), 1);
    let page = Page { up_to: u64::MAX, after: None, limit: 10 };
    assert_eq!(b.store.list(&b.tenant, index(1), page).await.unwrap().rows.len(), 1);
}

pub(in crate::contract) async fn the_first_conflict_is_named(b: Bench) {
    b.done(draft().put(key(1), b"").put(key(2), b"").put(key(3), b"").build()).await;
    let change = draft()
        .expect(key(4), Expect::Absent)
        .expect(key(3), Expect::Absent)
        .expect(key(1), Expect::Absent)
        .expect(key(2), Expect::Absent)
        .build();
    assert_eq!(b.commit(change).await, Committed::Conflict(key(3)));
}

pub(in crate::contract) async fn expectations_see_the_state_before_the_change(b: Bench) {
    let own = draft().put(key(1), b"new").expect(key(1), Expect::Absent).build();
    b.done(own).await;
    let version = b.version(key(1)).await;
    let drop = draft().expect(key(1), Expect::Version(version)).remove(key(1)).put(key(2), b"next").build();
    b.done(drop).await;
    assert!(b.get(key(1)).await.is_none());
    assert!(b.get(key(2)).await.is_some());
}

pub(in crate::contract) async fn versions_are_never_used_again(b: Bench) {
    let mut seen = Vec::new();
    for n in 0..4 {
        b.done(draft().put(key(1), b"a").put(key(2), b"b").build()).await;
        seen.push(b.version(key(1)).await);
        b.done(draft().put(key(1), b"c").build()).await;
        seen.push(b.version(key(1)).await);
        if n % 2 == 0 {
            b.done(draft().remove(key(1)).remove(key(2)).build()).await;
        }
    }
    assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "{seen:?}");
}

pub(in crate::contract) async fn dropping_nothing_is_no_error(b: Bench) {
    assert_eq!(b.commit(draft().remove(key(1)).event(b"e").build()).await, Committed::Done(vec![Seq(1)]));
    assert_eq!(b.commit(draft().build()).await, Committed::Done(Vec::new()));
}

pub(in crate::contract) async fn an_attempt_counts_once(b: Bench) {
    let change = draft().put(key(1), b"a").event(b"x").event(b"y").build();
    let first = b.commit(change.clone()).await;
    let record = b.get(key(1)).await;
    b.time.advance(ms(9_999));
    assert_eq!(b.commit(change.clone()).await, first);
    assert_eq!(b.get(key(1)).await, record);
    assert_eq!(b.store.events(&b.tenant, Seq(0), 10).await.unwrap().len(), 2);
    // Not even when the record is gone meanwhile.
    b.done(draft().remove(key(1)).build()).await;
    assert_eq!(b.commit(change).await, first);
    assert!(b.get(key(1)).await.is_none());
}

pub(in crate::contract) async fn an_attempt_that_failed_stays_failed(b: Bench) {
    b.done(draft().put(key(1), b"a").build()).await;
    let change = draft().expect(key(1), Expect::Absent).put(key(1), b"b").build();
    assert_eq!(b.commit(change.clone()).await, Committed::Conflict(key(1)));
    b.done(draft().remove(key(1)).build()).await;
    assert_eq!(b.commit(change).await, Committed::Conflict(key(1)));
    assert!(b.get(key(1)).await.is_none());
}

pub(in crate::contract) async fn bodies_are_bounded(b: Bench) {
    let most = vec![7; 64 * 1024];
    b.done(draft().put(key(1), &most).build()).await;
    assert_eq!(b.get(key(1)).await.unwrap().body, most);
    let more = vec![7; 64 * 1024 + 1];
    assert!(b.store.commit(&b.tenant, draft().put(key(2), &more).event(b"e").build()).await.is_err());
    assert!(b.get(key(2)).await.is_none());
    let rows: Vec<_> = (0..17).map(|n| (1, n)).collect();
    assert!(b.store.commit(&b.tenant, draft().put_in(key(2), &rows).build()).await.is_err());
    assert!(b.store.events(&b.tenant, Seq(0), 10).await.unwrap().is_empty());
    b.done(draft().put_in(key(2), &rows[..16]).build()).await;
}

pub(in crate::contract) async fn a_record_is_written_once_in_a_change(b: Bench) {
    let twice = draft().put(key(1), b"a").put(key(1), b"b").build();
    assert!(b.store.commit(&b.tenant, twice).await.is_err());
    let both = draft().put(key(1), b"a").remove(key(1)).build();
    assert!(b.store.commit(&b.tenant, both).await.is_err());
    assert!(b.get(key(1)).await.is_none());
}

pub(in crate::contract) async fn tenants_do_not_see_each_other(b: Bench) {
    let names = ["a", "a-b", "a-", "ab", "b"].map(tenant);
    for (n, name) in names.iter().enumerate() {
        let change = draft().put_in(key(n as u64), &[(1, n as u64)]).event(name.as_str().as_bytes()).build();
        assert_eq!(b.store.commit(name, change).await.unwrap(), Committed::Done(vec![Seq(1)]));
    }
    let keys: Vec<_> = (0..5).map(key).collect();
    let page = Page { up_to: u64::MAX, after: None, limit: 10 };
    for (n, name) in names.iter().enumerate() {
        let snapshot = b.store.read(name, &keys).await.unwrap();
        assert_eq!(snapshot.records.keys().collect::<Vec<_>>(), [&key(n as u64)], "{name}");
        let events = b.store.events(name, Seq(0), 10).await.unwrap();
        assert_eq!(events.iter().map(|e| e.body.as_slice()).collect::<Vec<_>>(), [name.as_str().as_bytes()]);
        let rows = b.store.list(name, index(1), page).await.unwrap().rows;
        assert_eq!(rows.iter().map(|row| row.1).collect::<Vec<_>>(), [key(n as u64)], "{name}");
        let change = draft().expect(key((n as u64 + 1) % 5), Expect::Absent).build();
        assert!(matches!(b.store.commit(name, change).await.unwrap(), Committed::Done(_)));
    }
}

pub(in crate::contract) async fn hints_follow_commits(b: Bench) {
    b.done(draft().put(key(1), b"before").build()).await;
    let mut hints = b.store.changed(&b.tenant);
    let mut others = b.store.changed(&tenant("other"));
    b.done(draft().put(key(1), b"after").build()).await;
    soon(hints.next()).await.unwrap();
    b.done(draft().event(b"e").build()).await;
    soon(hints.next()).await.unwrap();
    b.store.commit(&tenant("other"), draft().event(b"e").build()).await.unwrap();
    soon(others.next()).await.unwrap();
}

pub(in crate::contract) async fn the_incarnation_stays(b: Bench) {
    let first = b.store.incarnation(&b.tenant).await.unwrap();
    assert!(!first.is_empty());
    b.done(draft().put(key(1), b"a").not_after(Timestamp::MAX).build()).await;
    assert_eq!(b.store.incarnation(&b.tenant).await.unwrap(), first);
}
