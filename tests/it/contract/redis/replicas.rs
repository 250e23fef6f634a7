//! Whether a second server has what was committed.

use behalf::ports::store::{Change, Committed, Store as _};

use super::over;
use crate::{
    contract::stores::{draft, key, tenant},
    support::{process::until, redis::Redis},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicated_tells_whether_a_replica_has_it() {
    let (master, mut replica) = (Redis::start(&[]).await, Redis::start(&[]).await);
    let (store, acme) = (over(&master), tenant("acme"));
    let replicated = async || store.replicated(&acme).await.unwrap();
    store.commit(&acme, draft().put(key(1), b"1").build()).await.unwrap();
    assert_eq!(replicated().await, None, "there is none");
    let alone = store.incarnation(&acme).await.unwrap();

    replica.replica_of(&master).await;
    // On a busy machine it may take longer than one call waits.
    until("a replica that has it", async || (replicated().await == Some(true)).then_some(())).await;

    // With its first replica a server gets another replication id: another line of history.
    let line = async || store.incarnation(&acme).await.ok().filter(|line| *line != alone);
    let line = until("the server's other line", line).await;
    replica.pause().await;
    let change = Change { begins: Some(line), ..draft().put(key(1), b"2").build() };
    assert!(matches!(store.commit(&acme, change).await.unwrap(), Committed::Done(_)));
    assert_eq!(replicated().await, Some(false), "it sleeps");
    replica.resume();
    until("a replica that has caught up", async || (replicated().await == Some(true)).then_some(())).await;

    replica.kill();
    let gone = async || (master.info("replication", "connected_slaves") == "0").then_some(());
    until("a master that is alone", gone).await;
    assert_eq!(replicated().await, Some(false), "there was one, and it hasn't got it");
}
