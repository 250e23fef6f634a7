//! Commands that look at the trail and at the store.

use serde_json::Value;

use super::{World, ask, serve};
use crate::{
    binary::assert_delegates,
    support::{process::until, redis::Redis},
};

#[tokio::test(flavor = "multi_thread")]
async fn the_trail_and_the_state_are_read_from_redis_running_or_not() {
    let (world, server) = (World::new(), Redis::start(&[("appendonly", "yes")]).await);
    let store = format!("redis://{}", server.address());
    let service = serve(&world, &store, &[]).await;
    world.grant(&service).await;
    let id = world.begin(&service).await;
    assert_delegates(&world.deliver(&service.url("/hooks/okta"), &world.hook("e1", Some(&id))).await);
    let verify = async || ask(&world, &["audit", "verify"], &store, &[]).await;
    let sealed = async || verify().await.out.contains("  0 events are not sealed yet").then_some(());
    until("a trail that is sealed", sealed).await;
    let good = verify().await;
    assert_eq!(good.code, Some(0), "{good:?}");
    assert!(good.out.contains("tenant default: entries 1 to "), "{}", good.out);
    let running = status(&world, &store).await;

    service.process.signal("TERM");
    assert_eq!(service.process.end().await.code, Some(0));
    let exported = ask(&world, &["audit", "export"], &store, &[]).await;
    assert_eq!(exported.code, Some(0), "{exported:?}");
    let stopped = status(&world, &store).await;
    assert_eq!(exported.out.lines().count() as u64, stopped["last_seq"].as_u64().unwrap(), "{}", exported.out);
    for same in ["epoch", "line", "tenant"] {
        assert_eq!(running[same], stopped[same], "{same}");
    }
    assert_eq!((&stopped["epoch"], &stopped["line"]), (&1.into(), &stopped["server"]), "{stopped}");
    assert!(stopped["records"].as_u64().unwrap() > 5, "{stopped}");
    let checkpoint = ask(&world, &["audit", "checkpoint"], &store, &[]).await;
    assert_eq!(checkpoint.code, Some(0), "{checkpoint:?}");

    let checked = ask(&world, &["check"], &store, &[]).await;
    let told = checked.out.lines().find(|line| line.contains("audit trail")).unwrap();
    assert!(told.starts_with("ok") && told.contains(" events, "), "{told}");

    server.command(&["XTRIM", "behalf:{default}:e", "MAXLEN", "2"]);
    let cut = verify().await;
    assert_ne!(cut.code, Some(0), "{cut:?}");
}

async fn status(world: &World, store: &str) -> Value {
    let ended = ask(world, &["store", "status"], store, &[]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let all: Value = serde_json::from_str(&ended.out).unwrap();
    all["tenants"][0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_a_folder_has_is_refused_with_the_means_of_redis() {
    let (world, server) = (World::new(), Redis::start(&[]).await);
    let store = format!("redis://{}", server.address());
    for arguments in [["store", "backup", "x"].as_slice(), &["store", "restore", "x"], &["store", "compact"]] {
        let ended = ask(&world, arguments, &store, &[]).await;
        assert_eq!(ended.code, Some(1), "{arguments:?}: {ended:?}");
        for part in ["BEHALF_STORE is Redis", "BGSAVE", "store copy"] {
            assert!(ended.err.contains(part), "{arguments:?}: {}", ended.err);
        }
    }
    let empty = ask(&world, &["store", "status"], &store, &[]).await;
    assert_eq!(empty.code, Some(0), "{empty:?}");
    assert!(empty.out.contains("\"last_seq\": 0"), "{}", empty.out);
    server.command(&["SET", "behalf:{default}:m", "\u{7}"]);
    for arguments in [["store", "status"], ["audit", "verify"], ["audit", "export"]] {
        let ended = ask(&world, &arguments, &store, &[]).await;
        assert_ne!(ended.code, Some(0), "{arguments:?}: {ended:?}");
        assert!(ended.err.contains("format 7"), "{arguments:?}: {}", ended.err);
    }
}
