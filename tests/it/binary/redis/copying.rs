//! `behalf store copy`, and what holds of the copy.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{World, ask, command, serve};
use crate::{
    binary::{assert_delegates, assert_refuses},
    support::{
        process::{Ended, Service, run, until},
        redis::{Cluster, Redis},
    },
};

async fn copy(world: &World, from: &str, to: &str, more: &[&str]) -> Ended {
    let arguments = [&["store", "copy", "--from", from, "--to", to], more].concat();
    run(&mut command(world, &arguments, "memory", &[])).await
}

/// A service with a grant and an id that wasn't used yet; what it takes is in `store`.
async fn filled(world: &World, store: &str) -> String {
    let service = serve(world, store, &[]).await;
    world.grant(&service).await;
    let used = world.begin(&service).await;
    assert_delegates(&world.deliver(&service.url("/hooks/okta"), &world.hook("e0", Some(&used))).await);
    let id = world.begin(&service).await;
    stop(service).await;
    id
}

async fn stop(service: Service) {
    service.process.signal("TERM");
    let ended = service.process.end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

/// Copies, and demands that the copy is good and another line of history: `id` is refused, the grant holds.
async fn moved(world: &World, from: &str, to: &str, id: &str) {
    let ended = copy(world, from, to, &[]).await;
    assert_eq!(ended.code, Some(0), "{from} to {to}: {ended:?}");
    let told: Value = serde_json::from_str(&ended.out).unwrap();
    let tenant = &told["tenants"][0];
    assert_eq!(tenant["tenant"], "default", "{told}");
    assert!(tenant["records"].as_u64().unwrap() > 5 && tenant["events"] == tenant["last_seq"], "{told}");
    // A process that stopped just after another had stopped finds the sealer's lease taken still.
    assert!(tenant["verified"][0].as_str().unwrap().contains("tenant default: entries 1 to "), "{told}");

    let service = serve(world, to, &[]).await;
    let hooks = service.url("/hooks/okta");
    assert_refuses(&world.deliver(&hooks, &world.hook("e1", Some(id))).await, "delegation-not-usable");
    let fresh = world.begin(&service).await;
    assert_delegates(&world.deliver(&hooks, &world.hook("e2", Some(&fresh))).await);
    tells_of_the_epoch(world, to).await;
    stop(service).await;
}

/// Waits until all is sealed and demands that it is good, and tells that the epoch was raised and an id refused.
async fn tells_of_the_epoch(world: &World, store: &str) {
    until("a sealed trail", async || {
        let verified = ask(world, &["audit", "verify"], store, &[]).await;
        assert_eq!(verified.code, Some(0), "{verified:?}");
        verified.out.contains("  0 events are not sealed yet").then_some(())
    })
    .await;
    let trail = ask(world, &["audit", "export"], store, &[]).await;
    for part in ["store.epoch_raised", "epoch-changed"] {
        assert!(trail.out.contains(part), "{part}: {}", trail.out);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_folder_to_redis_to_a_cluster_and_back_to_a_folder() {
    let world = World::new();
    let (one, cluster) = (Redis::start(&[]).await, Cluster::start(3).await);
    let redis = format!("redis://{}", one.address());
    let shared = format!("redis-cluster://{}", cluster.addresses().join(","));
    let mut at = "embedded:./data".to_owned();
    let id = filled(&world, &at).await;
    let mut id = id;
    for to in [redis.as_str(), &shared, "embedded:./again"] {
        moved(&world, &at, to, &id).await;
        at = to.to_owned();
        // The next copy's id of before.
        let service = serve(&world, &at, &[]).await;
        id = world.begin(&service).await;
        stop(service).await;
    }
    let status = ask(&world, &["store", "status"], &redis, &[]).await;
    let told: Value = serde_json::from_str(&status.out).unwrap();
    let tenant = &told["tenants"][0];
    assert_eq!((&tenant["epoch"], &tenant["line"]), (&2.into(), &tenant["server"]), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_overwritten_and_nobody_may_be_serving() {
    let world = World::new();
    let (full, empty) = (Redis::start(&[]).await, Redis::start(&[]).await);
    let (from, to) = (format!("redis://{}", full.address()), format!("redis://{}", empty.address()));
    let refuses = async |from: &str, to: &str, more: &[&str], part: &str| {
        let ended = copy(&world, from, to, more).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.err.contains(part), "{part}: {}", ended.err);
    };
    refuses(&from, &to, &[], "nothing to copy").await;
    refuses("memory", &to, &[], "--from: `memory`").await;
    refuses("redis://user:secret-word@x", &to, &[], "BEHALF_REDIS_PASSWORD").await;
    refuses("embedded:./nowhere", &to, &[], "nowhere").await;
    filled(&world, &from).await;
    // The other database of one server: its epoch would not be raised there.
    refuses(&from, &format!("{from}/1"), &[], "restart that Redis first").await;

    let service = serve(&world, &from, &[]).await;
    refuses(&from, &to, &[], "--from: ").await;
    assert_eq!(empty.command(&["DBSIZE"]), "0");
    stop(service).await;

    empty.command(&["SET", "behalf:{default}:m", "\0an unfinished copy"]);
    refuses(&from, &to, &[], "left over").await;
    let ended = ask(&world, &["serve"], &to, &[]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains("copy") || ended.err.contains("format 0"), "{}", ended.err);
    empty.command(&["FLUSHALL"]);
    empty.command(&["SET", "behalf:{default}:l:x", "of another"]);
    refuses(&from, &to, &[], "nothing is overwritten").await;
    empty.command(&["FLUSHALL"]);
    empty.command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    refuses(&from, &to, &[], "maxmemory-policy").await;
    empty.command(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    let copied = copy(&world, &from, &to, &[]).await;
    assert_eq!(copied.code, Some(0), "{copied:?}");
    refuses(&from, &to, &[], "is in the target already").await;

    let local = serve(&world, "embedded:./data", &[]).await;
    refuses("embedded:./data", "redis://127.0.0.1:1", &[], "in use by another process").await;
    stop(local).await;
    refuses(&from, "embedded:./data", &[], "nothing is overwritten").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_under_a_new_server_raises_the_epoch_by_itself() {
    let world = World::new();
    let (mut server, mut restored) = (Redis::start(&[]).await, Redis::start(&[]).await);
    let store = format!("redis://{}", server.address());
    let service = serve(&world, &store, &[]).await;
    world.grant(&service).await;
    let id = world.begin(&service).await;
    server.command(&["SAVE"]);
    let file = |server: &Redis| {
        std::path::PathBuf::from(server.command(&["CONFIG", "GET", "dir"]).lines().nth(1).unwrap()).join("dump.rdb")
    };
    let (taken, placed) = (file(&server), file(&restored));
    // Used after the snapshot was taken.
    assert_delegates(&world.deliver(&service.url("/hooks/okta"), &world.hook("e1", Some(&id))).await);
    stop(service).await;
    restored.kill();
    std::fs::copy(&taken, &placed).unwrap();
    server.kill();
    restored.restart().await;

    let store = format!("redis://{}", restored.address());
    let service = serve(&world, &store, &[]).await;
    let hooks = service.url("/hooks/okta");
    assert_refuses(&world.deliver(&hooks, &world.hook("e2", Some(&id))).await, "delegation-not-usable");
    let fresh = world.begin(&service).await;
    assert_delegates(&world.deliver(&hooks, &world.hook("e3", Some(&fresh))).await);
    tells_of_the_epoch(&world, &store).await;
    stop(service).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_redis_may_have_its_own_password_and_locks_come_along() {
    let world = World::new();
    let (one, other) =
        (Redis::start(&[("requirepass", "first-one")]).await, Redis::start(&[("requirepass", "second-one")]).await);
    let (from, to) = (format!("redis://{}", one.address()), format!("redis://{}", other.address()));
    let service = serve(&world, &from, &[("BEHALF_REDIS_PASSWORD", "first-one")]).await;
    world.grant(&service).await;
    let (status, said) = world.call(Method::POST, &service.url("/v1/locks"), "bob", &json!({"reason": "away"})).await;
    assert_eq!(status, StatusCode::CREATED, "{said}");
    stop(service).await;
    std::fs::write(world.path().join("first"), "first-one\n").unwrap();
    std::fs::write(world.path().join("second"), "second-one\n").unwrap();
    let both = ["--from-password-file", "first", "--to-password-file", "second"];
    let mixed_up = ["--from-password-file", "second", "--to-password-file", "first"];
    let ended = copy(&world, &from, &to, &mixed_up).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains("--from: ") && !ended.err.contains("-one"), "{}", ended.err);
    let ended = copy(&world, &from, &to, &both).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let service = serve(&world, &to, &[("BEHALF_REDIS_PASSWORD", "second-one")]).await;
    let body = json!({"delegator": "bob@example.test"});
    let (status, said) = world.call(Method::POST, &service.url("/v1/delegations"), "ann", &body).await;
    assert_eq!((status, &said["code"]), (StatusCode::LOCKED, &"locked".into()), "the lock is there: {said}");
    stop(service).await;
}
