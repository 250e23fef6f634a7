//! Many at once.

use std::sync::Arc;

use behalf::ports::store::{Committed, Expect, Seq};
use futures_util::future::join_all;

use super::{Bench, draft, key, soon};

const MANY: u64 = 64;

pub(in crate::contract) async fn one_of_many_wins(b: Bench) {
    b.done(draft().put(key(1), b"free").build()).await;
    let version = b.version(key(1)).await;
    let claim = |n: u64| {
        let (store, tenant) = (Arc::clone(&b.store), b.tenant.clone());
        let change =
            draft().expect(key(1), Expect::Version(version)).put(key(1), &n.to_be_bytes()).event(b"won").build();
        tokio::spawn(async move { store.commit(&tenant, change).await.unwrap() })
    };
    let results: Vec<_> = soon(join_all((0..MANY).map(claim))).await.into_iter().map(Result::unwrap).collect();
    let won: Vec<_> = results.iter().enumerate().filter(|(_, r)| matches!(r, Committed::Done(_))).collect();
    assert_eq!(won.len(), 1);
    assert_eq!(results.iter().filter(|r| **r == Committed::Conflict(key(1))).count(), results.len() - 1);
    assert_eq!(b.get(key(1)).await.unwrap().body, (won[0].0 as u64).to_be_bytes());
    assert_eq!(b.store.events(&b.tenant, Seq(0), 10).await.unwrap().len(), 1);
}

pub(in crate::contract) async fn numbers_have_no_gaps_under_load(b: Bench) {
    let write = |n: u64| {
        let (store, tenant) = (Arc::clone(&b.store), b.tenant.clone());
        tokio::spawn(async move {
            let absent = draft().expect(key(n), Expect::Absent).put(key(n), b"").event(b"a").event(b"b");
            let refused = draft().expect(key(n), Expect::Version(0)).event(b"never");
            let Committed::Done(numbers) = store.commit(&tenant, absent.build()).await.unwrap() else {
                panic!("nobody else writes {n}")
            };
            assert_eq!(store.commit(&tenant, refused.build()).await.unwrap(), Committed::Conflict(key(n)));
            numbers
        })
    };
    let numbers: Vec<Vec<Seq>> = soon(join_all((0..MANY).map(write))).await.into_iter().map(Result::unwrap).collect();
    assert!(numbers.iter().all(|pair| pair[0].0 + 1 == pair[1].0));
    let mut all: Vec<u64> = numbers.into_iter().flatten().map(|seq| seq.0).collect();
    all.sort_unstable();
    assert_eq!(all, (1..=2 * MANY).collect::<Vec<_>>());
    let events = b.store.events(&b.tenant, Seq(0), 1000).await.unwrap();
    assert_eq!(events.iter().map(|e| e.seq.0).collect::<Vec<_>>(), all);
    let keys: Vec<_> = (0..MANY).map(key).collect();
    let snapshot = b.store.read(&b.tenant, &keys).await.unwrap();
    let mut versions: Vec<_> = snapshot.records.values().map(|r| r.version).collect();
    versions.sort_unstable();
    versions.dedup();
    assert_eq!(versions.len(), keys.len());
}

pub(in crate::contract) async fn no_reader_sees_half_a_change(b: Bench) {
    const ROUNDS: u64 = 40;
    b.done(draft().put(key(1), &[0; 8]).put(key(2), &[0; 8]).build()).await;
    let (store, tenant) = (Arc::clone(&b.store), b.tenant.clone());
    let reader = tokio::spawn(async move {
        let mut last = 0;
        while last < ROUNDS {
            let snapshot = store.read(&tenant, &[key(1), key(2)]).await.unwrap();
            let [one, two] = [key(1), key(2)].map(|key| snapshot.records[&key].body.clone());
            assert_eq!(one, two);
            let round = u64::from_be_bytes(one.try_into().unwrap());
            assert!(round >= last, "{round} after {last}");
            last = round;
            tokio::task::yield_now().await;
        }
    });
    for round in 1..=ROUNDS {
        let body = round.to_be_bytes();
        b.done(draft().put(key(1), &body).put(key(2), &body).build()).await;
    }
    soon(reader).await.unwrap();
}

pub(in crate::contract) async fn a_commit_is_seen_by_the_next_read(b: Bench) {
    let write = |n: u64| {
        let (store, tenant) = (Arc::clone(&b.store), b.tenant.clone());
        tokio::spawn(async move {
            store.commit(&tenant, draft().put(key(n), b"mine").build()).await.unwrap();
            store.read(&tenant, &[key(n)]).await.unwrap().get(&key(n)).is_some()
        })
    };
    let seen = soon(join_all((0..MANY).map(write))).await;
    assert!(seen.into_iter().all(Result::unwrap));
}

pub(in crate::contract) async fn the_same_attempt_at_once_counts_once(b: Bench) {
    let change = draft().event(b"once").build();
    let again = |_| {
        let (store, tenant, change) = (Arc::clone(&b.store), b.tenant.clone(), change.clone());
        tokio::spawn(async move { store.commit(&tenant, change).await.unwrap() })
    };
    let results = soon(join_all((0..MANY).map(again))).await;
    for result in results {
        assert_eq!(result.unwrap(), Committed::Done(vec![Seq(1)]));
    }
    assert_eq!(b.store.events(&b.tenant, Seq(0), 10).await.unwrap().len(), 1);
}
