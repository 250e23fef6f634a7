//! A server that was restarted: another run id, and perhaps not all that was committed.

use behalf::{
    adapters::store::redis::RedisStore,
    ports::store::{Change, Committed, Expect, Seq, Store as _, StoreError},
};

use super::over;
use crate::{
    contract::stores::{draft, key, tenant},
    support::{process::until, redis::Redis},
};

/// The line of history after a restart, as soon as the store has seen it.
async fn another_line(store: &RedisStore, old: &str) -> String {
    until("another line of history", async || store.incarnation(&tenant("acme")).await.ok().filter(|line| line != old))
        .await
}

async fn commit(store: &RedisStore, change: Change) -> Result<Committed, StoreError> {
    store.commit(&tenant("acme"), change).await
}

async fn version(store: &RedisStore, n: u64) -> Option<u64> {
    store.read(&tenant("acme"), &[key(n)]).await.unwrap().get(&key(n)).map(|record| record.version)
}

fn begins(change: Change, line: &str) -> Change {
    Change { begins: Some(line.to_owned()), ..change }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restart_nothing_is_committed_until_a_change_begins_the_line() {
    let mut server = Redis::start(&[("appendonly", "yes"), ("appendfsync", "always")]).await;
    let (store, acme) = (over(&server), tenant("acme"));
    let old = store.incarnation(&acme).await.unwrap();
    let first = begins(draft().put(key(1), b"kept").event(b"1").build(), &old);
    assert_eq!(commit(&store, first).await.unwrap(), Committed::Done(vec![Seq(1)]));
    let second = draft().put(key(2), b"kept").event(b"2").build();
    assert_eq!(commit(&store, second.clone()).await.unwrap(), Committed::Done(vec![Seq(2)]));
    let before = version(&store, 1).await.unwrap();
    server.kill();
    server.restart().await;
    let new = another_line(&store, &old).await;

    let content = server.content();
    let refused = [
        draft().put(key(1), b"other").event(b"3").build(),
        draft().event(b"3").build(),
        // Not the one that is there now.
        begins(draft().put(key(1), b"other").build(), &old),
        begins(draft().put(key(1), b"other").build(), "no server's"),
    ];
    for change in refused {
        let told = commit(&store, change.clone()).await;
        assert!(matches!(told, Err(StoreError::RolledBack)), "{change:?}: {told:?}");
    }
    // An attempt from before is told what became of it.
    assert_eq!(commit(&store, second).await.unwrap(), Committed::Done(vec![Seq(2)]));
    assert_eq!(server.content(), content, "nothing was written");
    assert_eq!(version(&store, 1).await, Some(before), "reads work");
    assert_eq!(store.events(&acme, Seq(0), 10).await.unwrap().len(), 2);

    // A change that can't be applied doesn't begin anything.
    let stale = begins(draft().expect(key(1), Expect::Absent).build(), &new);
    assert_eq!(commit(&store, stale).await.unwrap(), Committed::Conflict(key(1)));
    assert!(matches!(commit(&store, draft().event(b"3").build()).await, Err(StoreError::RolledBack)));
    let beginning = begins(draft().expect(key(1), Expect::Version(before)).event(b"3").build(), &new);
    assert_eq!(commit(&store, beginning).await.unwrap(), Committed::Done(vec![Seq(3)]));
    let next = draft().put(key(1), b"new").event(b"4").build();
    assert_eq!(commit(&store, next).await.unwrap(), Committed::Done(vec![Seq(4)]));
    assert!(version(&store, 1).await.unwrap() > before);
    // Other tenants begin their own.
    let theirs = draft().event(b"1").build();
    assert_eq!(store.commit(&tenant("other"), theirs).await.unwrap(), Committed::Done(vec![Seq(1)]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_lost_everything_gives_no_version_and_no_token_again() {
    let mut server = Redis::start(&[]).await;
    let (store, acme) = (over(&server), tenant("acme"));
    let minute = jiff::SignedDuration::from_mins(1);
    let (mut versions, mut tokens, mut line) = (Vec::new(), Vec::new(), store.incarnation(&acme).await.unwrap());
    for _ in 0..3 {
        // Many in one change: versions run ahead of the time.
        let change = (1..=20).fold(draft(), |draft, n| draft.put(key(n), b"x"));
        assert_eq!(commit(&store, change.build()).await.unwrap(), Committed::Done(vec![]));
        let mut given = Vec::new();
        for n in 1..=20 {
            given.push(version(&store, n).await.unwrap());
        }
        let token = store.lease(&acme, "work", "me", minute).await.unwrap().unwrap().token;
        assert!(versions.iter().all(|old| given.iter().all(|new| new > old)), "{versions:?} {given:?}");
        assert!(tokens.iter().all(|old| token > *old), "{tokens:?} {token}");
        versions.extend(given);
        tokens.push(token);
        server.kill();
        server.restart().await;
        line = another_line(&store, &line).await;
        assert_eq!(version(&store, 1).await, None, "it lost everything");
        let stale = draft().expect(key(1), Expect::Version(versions[0])).put(key(1), b"y").build();
        assert_eq!(commit(&store, stale).await.unwrap(), Committed::Conflict(key(1)));
        let stale = draft().fence("work", token).put(key(1), b"y").build();
        assert_eq!(commit(&store, stale).await.unwrap(), Committed::Fenced);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_that_the_server_forgot_are_sent_again_and_an_attempt_counts_once_still() {
    let server = Redis::start(&[]).await;
    let (store, acme) = (over(&server), tenant("acme"));
    let first = draft().put(key(1), b"1").event(b"1").build();
    for _ in 0..3 {
        assert_eq!(commit(&store, first.clone()).await.unwrap(), Committed::Done(vec![Seq(1)]));
        server.command(&["SCRIPT", "FLUSH"]);
    }
    let lease = store.lease(&acme, "work", "me", jiff::SignedDuration::from_mins(1)).await.unwrap();
    assert!(lease.is_some());
    server.command(&["SCRIPT", "FLUSH"]);
    let second = draft().event(b"2").build();
    assert_eq!(commit(&store, second).await.unwrap(), Committed::Done(vec![Seq(2)]));
    assert_eq!(store.events(&acme, Seq(0), 10).await.unwrap().len(), 2);
}

/// Connections outlive a change of roles, so it is the server that is asked, in the commit itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_a_replica_meanwhile_is_noticed_by_the_very_next_commit() {
    let server = Redis::start(&[]).await;
    let (store, acme) = (over(&server), tenant("acme"));
    let old = store.incarnation(&acme).await.unwrap();
    commit(&store, begins(draft().put(key(1), b"1").build(), &old)).await.unwrap();
    // There is no such master. What matters is that it was none itself.
    server.command(&["REPLICAOF", "127.0.0.1", "1"]);
    server.command(&["REPLICAOF", "NO", "ONE"]);
    let told = commit(&store, draft().put(key(1), b"2").build()).await;
    assert!(matches!(told, Err(StoreError::RolledBack)), "{told:?}");
    let new = another_line(&store, &old).await;
    let beginning = begins(draft().put(key(1), b"2").build(), &new);
    assert_eq!(commit(&store, beginning).await.unwrap(), Committed::Done(Vec::new()));
}
