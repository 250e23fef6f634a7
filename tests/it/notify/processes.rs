//! The binary itself: one that is killed again and again, and two that share a Redis.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use reqwest::{Method, StatusCode};

use super::*;
use crate::{
    durability::{
        Dice,
        rig::{Caller, World},
        setting,
    },
    support::{process::until, redis::Redis},
};

const AGENTS: usize = 8;

/// The file in the folder of the world: one webhook, to the receiver.
fn configure(folder: &Path, receiver: &Receiver) {
    fs::write(folder.join("webhook.secret"), SECRET).unwrap();
    let url = &receiver.url;
    let text = format!(
        "[tenants.default.notify]\nbase_url = \"https://people.example.test\"\n\
         [[tenants.default.notify.webhooks]]\nname = \"ops\"\nurl = \"{url}\"\n\
         secret_file = \"webhook.secret\"\nallow_private = true\nevents = [\"grant.added\", \"grant.removed\"]\n"
    );
    fs::write(folder.join("behalf.toml"), text).unwrap();
}

/// How often the receiver was told of each event, by the event's id.
fn told(receiver: &Receiver) -> BTreeMap<String, usize> {
    let mut told = BTreeMap::new();
    for seen in receiver.seen() {
        let event = payload(&seen)["data"]["event"].as_str().unwrap().to_owned();
        *told.entry(event).or_default() += 1;
    }
    told
}

/// The ids of all events of these codes, from the trail.
async fn written(caller: &Caller) -> Option<BTreeSet<String>> {
    let mut ids = BTreeSet::new();
    for code in ["DA6101", "DA6102"] {
        let mut cursor = String::new();
        loop {
            let path = format!("/v1/audit?code={code}&limit=200{cursor}");
            let (status, page) = caller.call(Method::GET, &path, AGENTS, None).await?;
            assert_eq!(status, StatusCode::OK, "{page}");
            let items = page["items"].as_array().unwrap();
            ids.extend(items.iter().map(|event| event["id"].as_str().unwrap().to_owned()));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
    }
    Some(ids)
}

/// Bob takes a grant back and gives it anew: two events, unless the process is dead.
async fn change(caller: &Caller, agent: usize) {
    let path = format!("/v1/grants/00uann{agent}");
    drop(caller.call(Method::DELETE, &path, AGENTS, None).await);
    let again = json!({"agent": format!("ann{agent}@example.test")});
    drop(caller.call(Method::POST, "/v1/grants", AGENTS, Some(again)).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_moment_it_is_killed_at_all_is_told_at_least_once() {
    let rounds = setting("BEHALF_TEST_ROUNDS").unwrap_or(5);
    let mut dice = Dice::new();
    println!("kill -9: BEHALF_TEST_SEED={} BEHALF_TEST_ROUNDS={rounds}", dice.0);
    let (world, receiver) = (World::new(AGENTS), Receiver::start());
    configure(world.folder.path(), &receiver);
    let data = world.path("data");
    let mut process = world.start(&data).await;
    world.grant_all(&world.caller(&process)).await;
    for round in 0..rounds {
        let caller = world.caller(&process);
        for agent in 0..AGENTS {
            change(&caller, agent).await;
        }
        let before = receiver.seen().len();
        if round % 2 == 0 {
            until("the first of them to be told", async || (receiver.seen().len() > before).then_some(())).await;
        }
        // Not to wait for anything: what was just received is no random moment.
        tokio::time::sleep(Duration::from_micros(dice.throw(20_000))).await;
        process.kill();
        process = world.start(&data).await;
    }
    let caller = world.caller(&process);
    let all = written(&caller).await.unwrap();
    assert!(all.len() >= AGENTS, "{}", all.len());
    until("everybody to be told of everything", async || {
        let told = told(&receiver);
        all.iter().all(|event| told.contains_key(event)).then_some(())
    })
    .await;
    let told = told(&receiver);
    assert!(told.keys().all(|event| all.contains(event)), "told of what isn't in the trail");
    let twice = told.values().filter(|times| **times > 1).count();
    println!("kill -9: {rounds} rounds, {} events, {twice} of them told more than once", all.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_on_one_redis_tell_each_thing_once() {
    let redis = Redis::start(&[]).await;
    let (world, receiver) = (World::new(AGENTS), Receiver::start());
    configure(world.folder.path(), &receiver);
    let store = format!("redis://{}", redis.address());
    let one = world.launch(&mut world.command(&store)).ready().await;
    let two = world.launch(&mut world.command(&store)).ready().await;
    let callers = [world.caller(&one), world.caller(&two)];
    world.grant_all(&callers[0]).await;
    for nth in 0..40 {
        change(&callers[nth % 2], nth % AGENTS).await;
    }
    let all = written(&callers[0]).await.unwrap();
    assert!(all.len() >= 80, "{}", all.len());
    until("all to be told", async || (told(&receiver).len() >= all.len()).then_some(())).await;
    let told = told(&receiver);
    assert_eq!(told.keys().cloned().collect::<BTreeSet<_>>(), all);
    let twice: Vec<_> = told.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_names_the_ways_and_tells_nobody() {
    let (world, receiver) = (World::new(1), Receiver::start());
    configure(world.folder.path(), &receiver);
    let data = world.path("data");
    let said = world.run(&data, &["check"]).await;
    let text = String::from_utf8(said.stdout).unwrap();
    assert!(said.status.success() && text.contains("ok: notifications of `default`: by webhook:ops"), "{text}");
    fs::write(world.folder.path().join("webhook.secret"), "whsec_c2hvcnQ=").unwrap();
    let said = world.run(&data, &["check"]).await;
    let text = String::from_utf8_lossy(&said.stderr).into_owned() + &String::from_utf8_lossy(&said.stdout);
    assert!(!said.status.success() && text.contains("holds no secret of a webhook"), "{text}");
    assert!(!text.contains("c2hvcnQ") && receiver.seen().is_empty());
}
