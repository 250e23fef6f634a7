//! Everything that can be wrong with a Redis: a message that says what to set, and an end, not a wait.

use std::{net::TcpListener, time::Duration};

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{World, ask, serve};
use crate::{
    binary::assert_refuses,
    support::{
        process::until,
        redis::{Redis, SentinelPair, tls_file},
    },
};

/// Twice the connect timeout, and a machine that is busy with everything else.
const SOON: Duration = Duration::from_secs(20);

/// Both `check` and `serve` end with an error that has these parts.
async fn refused(world: &World, store: &str, change: &[(&'static str, &str)], parts: &[&str]) {
    for what in ["check", "serve"] {
        let begun = tokio::time::Instant::now();
        let ended = ask(world, &[what], store, change).await;
        let took = begun.elapsed();
        assert_eq!(ended.code, Some(1), "{what} {store}: {ended:?}");
        let said = if what == "check" { &ended.out } else { &ended.err };
        let errors: Vec<&str> =
            said.lines().filter(|line| what == "serve" || line.starts_with("error: store")).collect();
        for part in parts {
            assert!(errors.iter().any(|line| line.contains(part)), "{what} {store} doesn't say {part}:\n{said}");
        }
        assert!(!format!("{ended:?}").contains("panicked"), "{ended:?}");
        assert!(took < SOON, "{what} {store} took {took:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_there_or_somebody_silent() {
    let world = World::new();
    let closed = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = closed.local_addr().unwrap();
    // It takes connections, and nobody reads.
    refused(&world, &format!("redis://{address}"), &[], &["BEHALF_STORE", &address.to_string(), "doesn't answer"])
        .await;
    refused(&world, &format!("rediss://{address}"), &[], &["BEHALF_STORE", &address.to_string(), "doesn't speak TLS"])
        .await;
    drop(closed);
    refused(&world, &format!("redis://{address}"), &[], &["BEHALF_STORE", &address.to_string(), "refused"]).await;
    refused(&world, &format!("redis-cluster://{address}"), &[], &["BEHALF_STORE", "no node of the cluster answers"])
        .await;
    refused(&world, &format!("redis-sentinel://{address}/main"), &[], &["BEHALF_STORE", "no sentinel tells"]).await;
    refused(&world, "redis://no-such-host.invalid", &[], &["BEHALF_STORE", "no-such-host.invalid"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn users_and_passwords() {
    let (world, server) = (World::new(), Redis::start(&[("requirepass", "right-one")]).await);
    let store = format!("redis://{}", server.address());
    refused(&world, &store, &[], &["BEHALF_REDIS_PASSWORD"]).await;
    refused(&world, &store, &[("BEHALF_REDIS_PASSWORD", "wrong-one")], &["BEHALF_REDIS_PASSWORD"]).await;
    let user = [("BEHALF_REDIS_USERNAME", "nobody"), ("BEHALF_REDIS_PASSWORD", "right-one")];
    refused(&world, &store, &user, &["BEHALF_REDIS_USERNAME"]).await;
    let open = Redis::start(&[]).await;
    let store = format!("redis://{}", open.address());
    refused(&world, &store, &[("BEHALF_REDIS_PASSWORD", "of-another")], &["BEHALF_REDIS_PASSWORD"]).await;
    refused(&world, &format!("{store}/99"), &[], &["BEHALF_STORE", "database"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_and_none() {
    let world = World::new();
    let plain = Redis::start(&[]).await;
    let ca = tls_file("ca.pem").display().to_string();
    let ca = [("BEHALF_CA_FILE", ca.as_str())];
    refused(&world, &format!("rediss://{}", plain.address()), &ca, &["BEHALF_STORE", "TLS", "redis://"]).await;
    let Some(tls) = Redis::start_tls(&[("bind", "127.0.0.1 127.0.0.2")]).await else { return };
    refused(&world, &format!("redis://{}", tls.address()), &ca, &["BEHALF_STORE", "TLS", "rediss://"]).await;
    let store = format!("rediss://{}", tls.address());
    refused(&world, &store, &[], &["BEHALF_CA_FILE", "UnknownIssuer"]).await;
    let by_another = store.replace("127.0.0.1", "127.0.0.2");
    refused(&world, &by_another, &ca, &["BEHALF_STORE", "not valid for name"]).await;
    let good = ask(&world, &["check"], &store, &ca).await;
    assert_eq!(good.code, Some(0), "{good:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_kind_of_server_than_the_url_says() {
    let world = World::new();
    let node = Redis::start(&[("cluster-enabled", "yes"), ("cluster-config-file", "nodes.conf")]).await;
    refused(&world, &format!("redis://{}", node.address()), &[], &["BEHALF_STORE", "redis-cluster://"]).await;
    // It has no slot.
    let cluster = format!("redis-cluster://{}", node.address());
    refused(&world, &cluster, &[], &["BEHALF_STORE", "slot 5718", "tenant `default`"]).await;
    let (alone, replica) = (Redis::start(&[]).await, Redis::start(&[]).await);
    refused(&world, &format!("redis-cluster://{}", alone.address()), &[], &["BEHALF_STORE", "redis://"]).await;
    refused(&world, &format!("redis-sentinel://{}/main", alone.address()), &[], &["BEHALF_STORE", "redis://"]).await;
    replica.replica_of(&alone).await;
    refused(&world, &format!("redis://{}", replica.address()), &[], &["BEHALF_STORE", "replica"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_that_know_another_master() {
    let (world, pair) = (World::new(), SentinelPair::start().await);
    let sentinels = pair.sentinel_addresses();
    let store = format!("redis-sentinel://{}/other", sentinels.join(","));
    refused(&world, &store, &[], &["BEHALF_STORE", "no master `other`"]).await;
    let at_a_sentinel = format!("redis://{}", sentinels[0]);
    refused(&world, &at_a_sentinel, &[], &["BEHALF_STORE", "redis-sentinel://"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn full_and_foreign() {
    let (world, server) = (World::new(), Redis::start(&[]).await);
    let store = format!("redis://{}", server.address());
    server.command(&["CONFIG", "SET", "maxmemory", "1"]);
    refused(&world, &store, &[], &["Redis is full", "maxmemory"]).await;
    server.command(&["CONFIG", "SET", "maxmemory", "0"]);
    for kind in ["m", "e"] {
        let key = format!("behalf:{{default}}:{kind}");
        server.command(&["SADD", &key, "another's"]);
        refused(&world, &store, &[], &["another program's"]).await;
        server.command(&["DEL", &key]);
    }
    server.command(&["SET", "behalf:{default}:m", "\u{2}of a later version"]);
    refused(&world, &store, &[], &["counters", "format 2", "reads format 1"]).await;
    server.command(&["DEL", "behalf:{default}:m"]);
    server.command(&["XADD", "behalf:{default}:e", "1-0", "e", "{}"]);
    refused(&world, &store, &[], &["counters of the tenant are gone"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_a_later_version_keep_the_service_from_starting() {
    let (world, server) = (World::new(), Redis::start(&[]).await);
    let store = format!("redis://{}", server.address());
    drop(serve(&world, &store, &[]).await);
    let later = "for _, k in ipairs(redis.call('KEYS', 'behalf:{default}:r:*')) do \
                 redis.call('SETRANGE', k, 0, string.char(2)) end";
    server.command(&["EVAL", later, "0"]);
    let ended = ask(&world, &["serve"], &store, &[]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.err.contains("a record of kind 1 (epoch): it has format 2") && ended.err.contains("format 1"),
        "{}",
        ended.err
    );
    let checked = ask(&world, &["check"], &store, &[]).await;
    assert_eq!(checked.code, Some(1), "{checked:?}");
    assert!(checked.out.contains("a record of kind 1 (epoch): it has format 2"), "{}", checked.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_service_refuses_and_goes_on() {
    let (world, server) = (World::new(), Redis::start(&[("appendonly", "yes")]).await);
    let service = serve(&world, &format!("redis://{}", server.address()), &[]).await;
    world.grant(&service).await;
    let id = world.begin(&service).await;
    let begin = async || {
        let body = json!({"delegator": "bob@example.test"});
        world.call(Method::POST, &service.url("/v1/delegations"), "ann", &body).await
    };
    for (name, bad, good) in [("maxmemory", "1", "0"), ("min-replicas-to-write", "1", "0")] {
        server.command(&["CONFIG", "SET", name, bad]);
        let (status, said) = begin().await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{name}: {said}");
        assert_eq!(said["code"], "temporarily-unavailable", "{name}: {said}");
        let hook = world.hook("e1", Some(&id));
        assert_refuses(&world.deliver(&service.url("/hooks/okta"), &hook).await, "temporarily-unavailable");
        server.command(&["CONFIG", "SET", name, good]);
        until("an answer again", async || (begin().await.0 == StatusCode::CREATED).then_some(())).await;
    }
}
