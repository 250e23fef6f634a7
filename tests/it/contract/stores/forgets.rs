//! Events that are dropped from the beginning.

use behalf::ports::store::{Committed, Expect, MOST_FORGOTTEN, Seq};
use jiff::SignedDuration;

use super::{Bench, Draft, draft, key, tenant};

fn events(count: u64) -> Draft {
    (0..count).fold(draft(), |draft, n| draft.event(&n.to_be_bytes()))
}

/// The numbers behind `after`.
async fn numbers(b: &Bench, after: u64) -> Vec<u64> {
    b.store.events(&b.tenant, Seq(after), 1000).await.unwrap().iter().map(|event| event.seq.0).collect()
}

pub(in crate::contract) async fn old_events_are_dropped_and_the_numbers_go_on(b: Bench) {
    b.done(events(5).build()).await;
    b.done(draft().forget(0).build()).await;
    b.done(draft().forget(2).build()).await;
    for after in 0..=2 {
        assert_eq!(numbers(&b, after).await, [3, 4, 5]);
    }
    assert_eq!(numbers(&b, 3).await, [4, 5]);
    assert_eq!(b.store.events(&b.tenant, Seq(0), 1).await.unwrap()[0].body, 2_u64.to_be_bytes());
    // What is gone can be dropped again, also where a part of it is left.
    b.done(draft().forget(1).build()).await;
    b.done(draft().forget(3).build()).await;
    assert_eq!(numbers(&b, 0).await, [4, 5]);
    b.done(draft().forget(5).build()).await;
    assert_eq!(numbers(&b, 0).await, [0; 0]);
    assert_eq!(b.done(events(2).build()).await, [Seq(6), Seq(7)], "a number is never given twice");
    assert_eq!(b.done(events(1).forget(7).build()).await, [Seq(8)]);
    assert_eq!(numbers(&b, 0).await, [8]);
}

pub(in crate::contract) async fn dropping_is_part_of_the_change(b: Bench) {
    b.done(events(3).put(key(1), b"a").build()).await;
    let refused = draft().forget(2).expect(key(1), Expect::Absent).event(b"told").build();
    assert_eq!(b.commit(refused).await, Committed::Conflict(key(1)));
    let ttl = SignedDuration::from_secs(10);
    let lease = b.store.lease(&b.tenant, "sealer", "me", ttl).await.unwrap().unwrap();
    assert_eq!(b.commit(draft().forget(2).fence("sealer", lease.token + 1).build()).await, Committed::Fenced);
    assert_eq!(b.commit(draft().forget(2).not_after(b.now().await).build()).await, Committed::Late);
    assert_eq!(numbers(&b, 0).await, [1, 2, 3]);
    let told = draft().forget(2).fence("sealer", lease.token).put(key(1), b"b").event(b"told").build();
    assert_eq!(b.done(told.clone()).await, [Seq(4)]);
    assert_eq!(numbers(&b, 0).await, [3, 4]);
    assert_eq!(b.get(key(1)).await.unwrap().body, b"b");
    assert_eq!(b.done(told).await, [Seq(4)], "an attempt counts once");
    assert_eq!(numbers(&b, 0).await, [3, 4]);
}

pub(in crate::contract) async fn what_is_not_there_yet_can_not_be_dropped(b: Bench) {
    b.done(events(3).build()).await;
    for up_to in [4, 5, u64::MAX] {
        let ahead = events(1).put(key(1), b"a").forget(up_to).build();
        assert!(b.store.commit(&b.tenant, ahead).await.is_err(), "{up_to}");
    }
    assert_eq!(numbers(&b, 0).await, [1, 2, 3]);
    assert!(b.get(key(1)).await.is_none());
}

pub(in crate::contract) async fn a_change_drops_a_bounded_number(b: Bench) {
    let more = MOST_FORGOTTEN + 1;
    b.done(events(more + 1).build()).await;
    assert!(b.store.commit(&b.tenant, draft().forget(more).put(key(1), b"a").build()).await.is_err());
    assert!(b.get(key(1)).await.is_none());
    assert_eq!(numbers(&b, 0).await[0], 1);
    b.done(draft().forget(MOST_FORGOTTEN).build()).await;
    b.done(draft().forget(more).build()).await;
    assert_eq!(numbers(&b, 0).await, [more + 1]);
}

pub(in crate::contract) async fn a_tenant_drops_its_own(b: Bench) {
    b.done(events(3).build()).await;
    let other = tenant("acme-2");
    b.store.commit(&other, events(3).build()).await.unwrap();
    b.store.commit(&other, draft().forget(3).build()).await.unwrap();
    assert_eq!(numbers(&b, 0).await, [1, 2, 3]);
    assert!(b.store.events(&other, Seq(0), 10).await.unwrap().is_empty());
}
