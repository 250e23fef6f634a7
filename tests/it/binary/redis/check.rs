//! What `check` says about servers.

use super::{World, ask, serve};
use crate::support::redis::{Cluster, Redis, SentinelPair};

#[track_caller]
fn has(out: &str, line: &[&str]) {
    assert!(out.lines().any(|said| line.iter().all(|part| said.contains(part))), "{line:?} is not said:\n{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_server_is_told_of_in_three_levels() {
    let (world, server) = (World::new(), Redis::start(&[("appendonly", "yes")]).await);
    let store = format!("redis://{}", server.address());
    let check = async || ask(&world, &["check"], &store, &[]).await;
    let good = check().await;
    assert_eq!(good.code, Some(0), "{good:?}");
    let version = format!("Redis {}", server.info("server", "redis_version"));
    for part in [version.as_str(), "noeviction", "maxmemory is 0", "everysec", "no replica", "may do what it must"] {
        has(&good.out, &["ok: store: 127.0.0.1:", part]);
    }
    has(&good.out, &["ok: audit trail of `default`: no events yet"]);
    assert!(!good.out.contains("warning: store"), "{}", good.out);
    assert_eq!(server.command(&["DBSIZE"]), "0", "a check writes nothing");

    server.command(&["CONFIG", "SET", "appendonly", "no"]);
    let warned = check().await;
    assert_eq!(warned.code, Some(0), "a warning keeps nobody from serving: {warned:?}");
    has(&warned.out, &["warning: store", "appendonly is no", "grants, locks and the audit trail"]);

    server.command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    let evicts = check().await;
    assert_eq!(evicts.code, Some(1), "{evicts:?}");
    has(&evicts.out, &["error: store", "maxmemory-policy is allkeys-lru", "noeviction"]);
    assert!(evicts.out.ends_with("not ready to serve"), "{}", evicts.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_and_what_is_there_are_told() {
    let (world, master, replica) =
        (World::new(), Redis::start(&[("appendonly", "yes")]).await, Redis::start(&[]).await);
    replica.replica_of(&master).await;
    let store = format!("redis://{}", master.address());
    drop(serve(&world, &store, &[]).await);
    let told = ask(&world, &["check"], &store, &[]).await;
    assert_eq!(told.code, Some(0), "{told:?}");
    has(&told.out, &["warning: store", "1 replicas", "min-replicas-to-write is 0"]);
    has(&told.out, &["ok: store", "tenant `default` has", "records and"]);
    master.command(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    let waits = ask(&world, &["check"], &store, &[]).await;
    has(&waits.out, &["ok: store", "writes wait for min-replicas-to-write"]);
    master.command(&["CONFIG", "SET", "min-replicas-to-write", "2"]);
    let refuses = ask(&world, &["check"], &store, &[]).await;
    assert_eq!(refuses.code, Some(1), "{refuses:?}");
    has(&refuses.out, &["error: store", "fewer replicas"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_tenants_node_of_a_cluster_is_asked() {
    let (world, cluster) = (World::new(), Cluster::start(3).await);
    let store = format!("redis-cluster://{}", cluster.addresses().join(","));
    let told = ask(&world, &["check"], &store, &[]).await;
    assert_eq!(told.code, Some(0), "{told:?}");
    let node = cluster.nodes[1].address();
    has(&told.out, &[&format!("ok: store: {node}"), "nothing is there of tenant `default`"]);
    let other = cluster.nodes[0].address();
    assert!(!told.out.contains(&format!("store: {other}")), "it has no tenant: {}", told.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_are_counted() {
    let (world, pair) = (World::new(), SentinelPair::start().await);
    let sentinels = pair.sentinel_addresses();
    let store = |sentinels: &[String]| format!("redis-sentinel://{}/{}", sentinels.join(","), SentinelPair::NAME);
    let told = ask(&world, &["check"], &store(&sentinels), &[]).await;
    assert_eq!(told.code, Some(0), "{told:?}");
    let master = pair.servers[0].address();
    has(&told.out, &["ok: store: 3 of 3 sentinels answer", &master]);
    let some = [sentinels[0].clone(), "127.0.0.1:1".to_owned()];
    let told = ask(&world, &["check"], &store(&some), &[]).await;
    assert_eq!(told.code, Some(0), "{told:?}");
    has(&told.out, &["warning: store: 1 of 2 sentinels answer", "127.0.0.1:1"]);
}
