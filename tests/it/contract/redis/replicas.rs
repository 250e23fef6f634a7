//! Whether a second server has what was committed.

use behalf::ports::store::Store as _;

use super::over;
use crate::{
    contract::stores::{draft, key, tenant},
    support::{process::until, redis::Redis},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicated_tells_whether_a_replica_has_it() {
    let (master, replica) = (Redis::start(&[]).await, Redis::start(&[]).await);
    let (store, acme) = (over(&master), tenant("acme"));
    let replicated = async || store.replicated(&acme).await.unwrap();
    store.commit(&acme, draft().put(key(1), b"1").build()).await.unwrap();
    assert_eq!(replicated().await, None, "there is none");

    replica.replica_of(&master).await;
    // On a busy machine it may take longer than one call waits.
    until("a replica that has it", async || (replicated().await == Some(true)).then_some(())).await;

    replica.pause().await;
    store.commit(&acme, draft().put(key(1), b"2").build()).await.unwrap();
    assert_eq!(replicated().await, Some(false), "it sleeps");
    replica.resume();
    until("a replica that has caught up", async || (replicated().await == Some(true)).then_some(())).await;
}
