//! Group commit, callers that go away, and I/O errors.

use std::{
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};

use behalf::{
    adapters::store::embedded::media::{Folder, Media, Memory},
    ports::store::{Change, Committed, Seq, Store, StoreError},
};
use futures_util::{StreamExt, future::join_all};

use super::{bench, rig::Rig};
use crate::contract::stores::{Bench, draft, key, ms, soon};

/// Asks until the store is back.
async fn once_available<T>(ask: impl AsyncFn() -> Result<T, StoreError>) -> Result<T, StoreError> {
    soon(async {
        loop {
            match ask().await {
                Err(StoreError::Unavailable(_) | StoreError::Unknown(_)) => {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                other => return other,
            }
        }
    })
    .await
}

async fn try_commit(b: &Bench, change: &Change) -> Result<Committed, StoreError> {
    b.store.commit(&b.tenant, change.clone()).await
}

async fn events(b: &Bench) -> Vec<Vec<u8>> {
    once_available(async || b.store.events(&b.tenant, Seq(0), 1000).await)
        .await
        .unwrap()
        .into_iter()
        .map(|e| e.body)
        .collect()
}

#[tokio::test]
async fn many_commits_share_a_sync() {
    let rig = Arc::new(Rig::default());
    let (store, clock) = rig.in_memory();
    let b = bench(&store, &clock);
    b.done(draft().put(key(0), b"").build()).await;
    let before = rig.syncs.load(SeqCst);
    rig.close_gate();
    // All are sent at the first poll; the gate holds the writer in the first sync until then.
    let commits = join_all((1..=64).map(|n| b.done(draft().put(key(n), b"a").build())));
    soon(async { tokio::join!(commits, async { rig.open_gate() }) }).await;
    let syncs = rig.syncs.load(SeqCst) - before;
    assert!((1..=4).contains(&syncs), "{syncs} syncs for 64 commits");
}

#[tokio::test]
async fn every_answered_commit_was_synced() {
    let rig = Arc::new(Rig::default());
    let (store, clock) = rig.in_memory();
    let b = bench(&store, &clock);
    for n in 0..5 {
        let before = rig.syncs.load(SeqCst);
        b.done(draft().put(key(n), b"a").build()).await;
        assert!(rig.syncs.load(SeqCst) > before);
    }
}

#[tokio::test]
async fn a_change_whose_caller_is_gone_is_skipped() {
    let rig = Arc::new(Rig::default());
    let (store, clock) = rig.in_memory();
    let b = bench(&store, &clock);
    rig.close_gate();
    let first = tokio::spawn({
        let (store, tenant) = (Arc::clone(&store), b.tenant.clone());
        async move { store.commit(&tenant, draft().put(key(1), b"a").build()).await }
    });
    // Once a sync waits at the gate, the writer can't take anything from the queue.
    let syncs = rig.syncs.load(SeqCst);
    soon(async {
        while rig.syncs.load(SeqCst) == syncs {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let abandoned = draft().put(key(2), b"a").event(b"abandoned").build();
    let waited = tokio::time::timeout(Duration::from_millis(1), b.commit(abandoned)).await;
    assert!(waited.is_err());
    rig.open_gate();
    assert!(matches!(soon(first).await.unwrap().unwrap(), Committed::Done(_)));
    assert_eq!(b.done(draft().event(b"next").build()).await, [Seq(1)]);
    assert!(b.get(key(2)).await.is_none());
}

async fn a_failed_sync(media: impl Media) {
    let rig = Arc::new(Rig::default());
    let (store, clock) = rig.store(media, 1 << 20);
    let b = bench(&store, &clock);
    b.done(draft().put(key(1), b"before").event(b"before").build()).await;
    let incarnation = store.incarnation(&super::super::stores::tenant("acme")).await.unwrap();
    rig.fail_open.store(true, SeqCst);
    rig.fail_sync.store(true, SeqCst);
    let doubtful = draft().put(key(2), b"doubtful").event(b"doubtful").build();
    assert!(matches!(try_commit(&b, &doubtful).await, Err(StoreError::Unknown(_))));
    // It is away; of what is asked now nothing is applied, but of the first attempt nobody knows.
    let refused = draft().event(b"refused").build();
    assert!(matches!(try_commit(&b, &refused).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(store.lease(&b.tenant, "l", "h", ms(5)).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(soon(try_commit(&b, &doubtful)).await, Err(StoreError::Unknown(_))));
    soon(async {
        while b.store.read(&b.tenant, &[]).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    rig.fail_sync.store(false, SeqCst);
    rig.fail_open.store(false, SeqCst);
    let after = draft().event(b"after").build();
    assert!(matches!(once_available(async || try_commit(&b, &after).await).await, Ok(Committed::Done(_))));
    assert_eq!(b.get(key(1)).await.unwrap().body, b"before");
    assert_eq!(store.incarnation(&super::super::stores::tenant("acme")).await.unwrap(), incarnation);
    // The same attempt again: done now, and once, whether or not the failed sync had kept it.
    assert!(matches!(try_commit(&b, &doubtful).await, Ok(Committed::Done(_))));
    let mut found = events(&b).await;
    found.sort_unstable();
    assert_eq!(found, [b"after".to_vec(), b"before".to_vec(), b"doubtful".to_vec()]);
    assert_eq!(b.get(key(2)).await.unwrap().last_change, doubtful.id);
}

#[tokio::test]
async fn a_failed_commit_is_certain_if_the_database_opens_at_once() {
    let rig = Arc::new(Rig::default());
    let (store, clock) = rig.store(Memory::default(), 1 << 20);
    let b = bench(&store, &clock);
    b.done(draft().put(key(1), b"before").build()).await;
    // Full disks are like that: what is there can be opened, what is new finds no room.
    rig.fail_big_write.store(true, SeqCst);
    for _ in 0..3 {
        let lost = draft().put(key(2), &vec![1; 60_000]).event(b"lost").build();
        let told = soon(try_commit(&b, &lost)).await;
        assert!(matches!(told, Err(StoreError::Unavailable(_))), "{told:?}");
        assert!(b.get(key(2)).await.is_none());
    }
    rig.fail_big_write.store(false, SeqCst);
    assert_eq!(b.done(draft().event(b"next").build()).await, [Seq(1)]);
}

#[tokio::test]
async fn after_a_failed_sync_the_store_comes_back_in_memory() {
    a_failed_sync(Memory::default()).await;
}

#[tokio::test]
async fn after_a_failed_sync_the_store_comes_back_in_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    a_failed_sync(Folder::new(folder.path())).await;
}

#[tokio::test]
async fn a_write_that_fails_at_once_loses_nothing_acknowledged() {
    a_failed_write(0).await;
}

#[tokio::test]
async fn a_write_that_fails_in_the_commit_loses_nothing_acknowledged() {
    a_failed_write(1 << 20).await;
}

async fn a_failed_write(cache_bytes: usize) {
    let rig = Arc::new(Rig::default());
    let (store, clock) = rig.store(Memory::default(), cache_bytes);
    let b = bench(&store, &clock);
    let mut acknowledged = Vec::new();
    for round in 0..5_u64 {
        for n in 0..4_u64 {
            let body = vec![u8::try_from(round * 4 + n).unwrap()];
            let change = draft().put(key(round * 4 + n), &body).event(&body).build();
            assert!(matches!(once_available(async || try_commit(&b, &change).await).await, Ok(Committed::Done(_))));
            acknowledged.push(body);
        }
        rig.fail_write.store(true, SeqCst);
        let lost = draft().put(key(1000), &vec![1; 60_000]).build();
        assert!(try_commit(&b, &lost).await.is_err());
        rig.fail_write.store(false, SeqCst);
        // What came to nothing can be tried again as the same attempt.
        assert!(matches!(once_available(async || try_commit(&b, &lost).await).await, Ok(Committed::Done(_))));
        assert_eq!(b.get(key(1000)).await.unwrap().last_change, lost.id);
    }
    assert_eq!(events(&b).await, acknowledged);
    for (n, body) in acknowledged.iter().enumerate() {
        assert_eq!(&b.get(key(n as u64)).await.unwrap().body, body);
    }
}

#[tokio::test]
async fn a_batch_that_fails_before_its_commit_is_forgotten() {
    let rig = Arc::new(Rig::default());
    let (store, clock) = rig.in_memory();
    let b = bench(&store, &clock);
    b.done(draft().put(key(1), b"a").build()).await;
    rig.fail_big_write.store(true, SeqCst);
    rig.close_gate();
    // The gate holds the writer in its first commit, so that at least two come together.
    let first = draft().event(b"first").build();
    let innocent = draft().event(b"innocent").build();
    let culprit = draft().put(key(2), &vec![1; 60_000]).build();
    let commits = join_all([&first, &innocent, &culprit].map(|change| try_commit(&b, change)));
    let (results, ()) = soon(async { tokio::join!(commits, async { rig.open_gate() }) }).await;
    assert!(matches!(results[2], Err(StoreError::Unavailable(_))), "{results:?}");
    rig.fail_big_write.store(false, SeqCst);
    for change in [&first, &innocent, &culprit] {
        let result = once_available(async || try_commit(&b, change).await).await;
        assert!(matches!(result, Ok(Committed::Done(_))));
    }
    assert_eq!(events(&b).await, [b"first".to_vec(), b"innocent".to_vec()]);
    assert_eq!(b.get(key(2)).await.unwrap().body.len(), 60_000);
}

#[tokio::test]
async fn a_failed_read_brings_the_store_back_without_a_commit() {
    let rig = Arc::new(Rig::default());
    let (store, clock) = rig.in_memory();
    let b = bench(&store, &clock);
    b.done(draft().put(key(1), b"a").build()).await;
    let mut hints = store.changed(&b.tenant);
    rig.fail_read.store(true, SeqCst);
    assert!(matches!(b.store.read(&b.tenant, &[key(1)]).await, Err(StoreError::Unavailable(_))));
    rig.fail_read.store(false, SeqCst);
    let snapshot = once_available(async || b.store.read(&b.tenant, &[key(1)]).await).await.unwrap();
    assert_eq!(snapshot.get(&key(1)).unwrap().body, b"a");
    soon(hints.next()).await.unwrap();
    assert!(rig.opens.load(SeqCst) >= 2);
    b.done(draft().put(key(1), b"b").build()).await;
}

#[tokio::test]
async fn a_store_that_is_away_can_be_closed() {
    let rig = Arc::new(Rig::default());
    let (store, clock) = rig.in_memory();
    let b = bench(&store, &clock);
    rig.fail_open.store(true, SeqCst);
    rig.fail_sync.store(true, SeqCst);
    assert!(matches!(try_commit(&b, &draft().event(b"e").build()).await, Err(StoreError::Unknown(_))));
    store.close();
    assert!(matches!(try_commit(&b, &draft().event(b"e").build()).await, Err(StoreError::Unavailable(_))));
}

#[tokio::test]
async fn what_was_sent_before_closing_is_done() {
    let rig = Arc::new(Rig::default());
    let (store, clock) = rig.in_memory();
    let b = bench(&store, &clock);
    let commits = join_all((1..=8).map(|n| b.commit(draft().put(key(n), b"a").build())));
    let (results, ()) = tokio::join!(commits, async { store.close() });
    assert!(results.iter().all(|r| matches!(r, Committed::Done(_))), "{results:?}");
    assert!(matches!(b.store.read(&b.tenant, &[]).await, Err(StoreError::Unavailable(_))));
    assert!(matches!(try_commit(&b, &draft().build()).await, Err(StoreError::Unavailable(_))));
}
