//! A server that stops for a while, is full, forgets the scripts, is made a replica.

use std::time::Duration;

use super::{
    probe::Probe,
    scene::{Scene, say},
};
use crate::{
    durability::rig::{Told, World},
    support::{process::until, proxy::Proxy, redis::Redis},
};

/// More worker threads than a process has here.
const WORKERS: usize = 8;
/// More connections than this in a fault of some seconds were a storm: two for each attempt, with pauses that grow.
const STORM: usize = 60;

pub(super) async fn behind_a_line(name: &'static str, options: &[(&str, &str)]) -> (Redis, Proxy, Scene) {
    let server = Redis::start(options).await;
    let proxy = Proxy::to(&server.address());
    let scene = Scene::start(name, &format!("redis://{}", proxy.address())).await;
    (server, proxy, scene)
}

pub(super) fn no_storm(proxy: &Proxy, before: usize) {
    let connections = proxy.accepted() - before;
    say(&format!("  connections during the fault: {connections}"));
    assert!(connections < STORM, "{connections} connections in one fault");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pause_of_five_seconds() {
    let (server, proxy, mut scene) = behind_a_line("a pause of 5 s", &[]).await;
    let before = proxy.accepted();
    scene.fault();
    server.pause().await;
    scene.is_red().await;
    scene.lasts(Duration::from_secs(5)).await;
    server.resume();
    scene.is_green().await;
    no_storm(&proxy, before);
    let report = scene.end(&Probe::at(&server.address())).await;
    assert_eq!((report.void, report.trail.lost_begins, report.trail.lost_grants), (0, 0, 0), "nothing rolled back");
    assert!(report.refused_hooks > 0 || report.refused_begins > 0);
}

/// It answers reads, and refuses writes while the setting has the first value: that isn't health.
async fn takes_no_writes(name: &'static str, setting: &str, [bad, good]: [&str; 2], words: &str) {
    let (server, proxy, mut scene) = behind_a_line(name, &[("maxmemory-policy", "noeviction")]).await;
    let before = proxy.accepted();
    scene.fault();
    server.command(&["CONFIG", "SET", setting, bad]);
    scene.is_red().await;
    let in_log = async || scene.process.log().contains(words).then_some(());
    until("the log's words on it", in_log).await;
    // It stays like that, though nothing is refused that nobody tries.
    scene.lasts(Duration::from_secs(3)).await;
    assert!(!scene.is_well(), "{name}: it isn't better");
    server.command(&["CONFIG", "SET", setting, good]);
    scene.is_green().await;
    no_storm(&proxy, before);
    let report = scene.end(&Probe::at(&server.address())).await;
    assert_eq!((report.void, report.trail.lost_begins, report.trail.lost_grants), (0, 0, 0), "nothing rolled back");
    assert!(report.refused_hooks > 0 || report.refused_begins > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_that_is_used_up() {
    takes_no_writes("maxmemory", "maxmemory", ["100kb", "0"], "Redis is full: raise its maxmemory").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fewer_replicas_than_are_asked_for() {
    takes_no_writes("min-replicas-to-write", "min-replicas-to-write", ["1", "0"], "fewer replicas are attached").await;
}

/// A lock that was dropped would be a wrong yes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_might_be_dropped() {
    takes_no_writes("maxmemory-policy", "maxmemory-policy", ["allkeys-lru", "noeviction"], "may drop").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_that_are_forgotten() {
    let (server, proxy, scene) = behind_a_line("SCRIPT FLUSH", &[]).await;
    let before = proxy.accepted();
    let enough = scene.crowd.ledger.granted() + 100;
    let mut flushed = 0;
    while scene.crowd.ledger.granted() < enough {
        server.command(&["SCRIPT", "FLUSH"]);
        flushed += 1;
        // The fault's pace: as often as a script is sent.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    println!("  {flushed} times");
    // A worker thread opens one of its own at its first call, whatever happens.
    let opened = proxy.accepted() - before;
    assert!(opened <= WORKERS && flushed > WORKERS, "that is no reason for a new connection: {opened}");
    let log = scene.process.log();
    let warnings: Vec<_> = log.lines().filter(|line| !line.contains("\"INFO\"")).collect();
    let report = scene.end(&Probe::at(&server.address())).await;
    assert_eq!((report.void, report.refused_hooks, report.refused_begins), (0, 0, 0), "nobody notices: {warnings:#?}");
}

/// A master that becomes a replica and master again is the same process, but what it holds may be another's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_is_made_a_replica_and_master_again() {
    let (server, proxy, mut scene) = behind_a_line("demoted and promoted", &[]).await;
    let other = Redis::start(&[]).await;
    other.replica_of(&server).await;
    // A server's first replica gives it another replication id, and that counts as another line of history.
    let probe = Probe::at(&server.address());
    until("the epoch of a server with a replica", async || (probe.raised().await > 0).then_some(())).await;
    let before_the_fault = probe.raised().await;
    let caller = scene.crowd.caller.clone();
    let (one, two) = (caller.begin(0).await.unwrap().unwrap(), caller.begin(1).await.unwrap().unwrap());
    server.wait_until_it_has_all(&other).await;
    other.command(&["REPLICAOF", "NO", "ONE"]);
    let hooks = [caller.hook(0, "demoted-one", Some(&one)), caller.hook(1, "demoted-two", Some(&two))];
    for hook in &hooks {
        assert!(matches!(caller.deliver(hook).await, Told::Granted(_)));
    }
    let before = proxy.accepted();
    scene.fault();
    server.replica_of(&other).await;
    scene.is_red().await;
    server.command(&["REPLICAOF", "NO", "ONE"]);
    scene.is_green().await;
    no_storm(&proxy, before);
    assert!(probe.is_unused(&one).await, "the server knows nothing of it");
    for hook in [&caller.hook(0, "demoted-another", Some(&one)), &hooks[1]] {
        let told = caller.deliver(hook).await;
        assert!(matches!(&told, Told::Refused(why) if why.contains("delegation-not-usable")), "{told:?}");
    }
    assert!(probe.raised().await > before_the_fault);
    scene.end(&probe).await;
}

/// A hook without an id asks nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hooks_without_an_id_are_none_of_its_business() {
    let server = Redis::start(&[]).await;
    let world = World::new(1);
    let process = world.launch(&mut world.command(&format!("redis://{}", server.address()))).ready().await;
    let caller = world.caller(&process);
    let asked = || server.stats("mget") + server.stats("evalsha");
    let before = asked();
    for n in 0..300 {
        assert_eq!(caller.deliver(&caller.hook(0, &format!("plain-{n}"), None)).await, Told::Untouched);
    }
    // What goes on besides asks a few times in a second.
    let meanwhile = asked() - before;
    assert!(meanwhile < 150, "{meanwhile} questions to Redis for 300 hooks");
}

/// Somebody has emptied it: ids and grants are gone, and the service goes on by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_emptied() {
    let server = Redis::start(&[]).await;
    let world = World::new(1);
    let process = world.launch(&mut world.command(&format!("redis://{}", server.address()))).ready().await;
    let caller = world.caller(&process);
    world.grant_all(&caller).await;
    let id = caller.begin(0).await.unwrap().unwrap();
    server.command(&["FLUSHALL"]);
    let told = caller.deliver(&caller.hook(0, "emptied-1", Some(&id))).await;
    assert!(matches!(&told, Told::Refused(why) if why.contains("delegation-not-usable")), "{told:?}");
    world.grant_all(&caller).await;
    let id = until("an initiation", async || caller.begin(0).await.unwrap().ok()).await;
    assert!(matches!(caller.deliver(&caller.hook(0, "emptied-2", Some(&id))).await, Told::Granted(_)));
    assert_eq!(Probe::at(&server.address()).raised().await, 1);
}
