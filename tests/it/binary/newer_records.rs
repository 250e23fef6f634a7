//! Records that a newer version wrote, as an older one meets them when a roll-out is taken back.

use std::process::Command;

use redb::{Database, ReadableTable as _, TableDefinition};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{World, assert_delegates, assert_refuses, redis};
use crate::support::{
    process::{Ended, Service, run, until},
    redis::Redis,
};

const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");
const EPOCH: u8 = 1;
/// So that nobody waits for long until something is due.
const SHORT: [(&str, &str); 1] = [("BEHALF_DELEGATION_LIFE", "10s")];
const DELEGATION: u8 = 2;

/// Has the records of a kind in the folder say that they are of format 2. Nobody may have it open.
fn forge(world: &World, kind: u8) {
    let database = Database::open(world.path().join("data/behalf.redb")).unwrap();
    let txn = database.begin_write().unwrap();
    {
        let mut table = txn.open_table(RECORDS).unwrap();
        let start = [b"default\0".as_slice(), &[kind]].concat();
        let found: Vec<_> = table
            .iter()
            .unwrap()
            .map(|row| row.unwrap())
            .map(|(key, bytes)| (key.value().to_vec(), bytes.value().to_vec()))
            .filter(|(key, _)| key.starts_with(&start))
            .collect();
        assert!(!found.is_empty(), "there is no record of kind {kind}");
        for (key, mut bytes) in found {
            bytes[0] = 2;
            table.insert(key.as_slice(), bytes.as_slice()).unwrap();
        }
    }
    txn.commit().unwrap();
}

/// The same in Redis, whoever uses it.
fn forge_in(server: &Redis, kind: u8) {
    let script = format!(
        "local forged = 0 for _, k in ipairs(redis.call('KEYS', 'behalf:{{default}}:r:*')) do if string.byte(k, 20) == \
         {kind} then redis.call('SETRANGE', k, 0, string.char(2)) forged = forged + 1 end end return forged"
    );
    let forged = server.command(&["EVAL", &script, "0"]);
    assert!(!forged.trim().ends_with(" 0") && forged.trim() != "0", "there is no record of kind {kind}: {forged}");
}

async fn ended(command: &mut Command) -> Ended {
    let ended = run(command).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
    ended
}

const TOLD: &str = "it has format 2; this version reads format 1: run the newer version that wrote it";

/// The hook is refused with the reason, the API gives a problem, the log names the record; everything else goes on.
async fn refuses_this_one_only(world: &World, mut service: Service, id: &str) {
    let answer = world.deliver(&service.url("/hooks/okta"), &world.hook("e1", Some(id))).await;
    assert_refuses(&answer, "temporarily-unavailable");
    let answer: Value = serde_json::from_str(&answer.1).unwrap();
    assert_eq!(answer["debugContext"]["reason"], "store-unreadable", "{answer}");
    let line = service.process.log("the store failed a hook").await;
    let error = line["error"].as_str().unwrap();
    assert!(error.contains("a record of kind 2 (delegation)") && error.contains(TOLD), "{line}");
    let list = service.url("/v1/delegations");
    let (status, page) = world.call(Method::GET, &list, "ann", &Value::Null).await;
    assert_eq!((status, page), (StatusCode::OK, json!({"items": [], "next_cursor": null, "unreadable": 1})));

    let other = world.begin(&service).await;
    assert_delegates(&world.deliver(&service.url("/hooks/okta"), &world.hook("e2", Some(&other))).await);
    // One more, that nobody uses, is ended though the other one stands before it.
    world.begin(&service).await;
    let line = service.process.log("there are records that this version can't read: they stay as they are").await;
    assert!(line["first"].as_str().unwrap().contains(TOLD) && line["records"] == 1, "{line}");
    let shows = async |sample: &str| {
        until(sample, async || {
            let shown = reqwest::get(service.url("/metrics")).await.unwrap().text().await.unwrap();
            shown.lines().any(|line| line == sample).then_some(())
        })
        .await;
    };
    shows("behalf_store_unreadable{tenant=\"default\"} 1").await;
    shows("behalf_pending_delegations 0").await;
    service.process.signal("TERM");
    assert_eq!(service.process.end().await.code, Some(0));
}

#[tokio::test]
async fn embedded_at_the_start() {
    let world = World::new();
    let service = world.serve(&[]).await;
    service.process.signal("TERM");
    assert_eq!(service.process.end().await.code, Some(0));
    forge(&world, EPOCH);
    let said = ended(&mut world.command(&["serve"], &[])).await.err;
    assert!(said.starts_with("BEHALF_STORE") && said.contains("a record of kind 1 (epoch)"), "{said}");
    assert!(said.contains(TOLD), "{said}");
}

#[tokio::test]
async fn embedded_in_service() {
    let world = World::new();
    let service = world.serve(&SHORT).await;
    world.grant(&service).await;
    let id = world.begin(&service).await;
    service.process.signal("TERM");
    assert_eq!(service.process.end().await.code, Some(0));
    forge(&world, DELEGATION);
    refuses_this_one_only(&world, world.serve(&SHORT).await, &id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_redis_at_the_start() {
    let (world, server) = (World::new(), Redis::start(&[]).await);
    let store = format!("redis://{}", server.address());
    let service = redis::serve(&world, &store, &[]).await;
    service.process.signal("TERM");
    assert_eq!(service.process.end().await.code, Some(0));
    forge_in(&server, EPOCH);
    let said = ended(&mut redis::command(&world, &["serve"], &store, &[])).await.err;
    assert!(said.starts_with("BEHALF_STORE") && said.contains("a record of kind 1 (epoch)"), "{said}");
    assert!(said.contains(TOLD), "{said}");
}

/// A newer replica wrote it while this one serves.
#[tokio::test(flavor = "multi_thread")]
async fn in_redis_in_service() {
    let (world, server) = (World::new(), Redis::start(&[]).await);
    let service = redis::serve(&world, &format!("redis://{}", server.address()), &SHORT).await;
    world.grant(&service).await;
    let id = world.begin(&service).await;
    forge_in(&server, DELEGATION);
    refuses_this_one_only(&world, service, &id).await;
}
