//! The line to Redis: cut, slow, and losing the one reply that matters.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{
    probe::Probe,
    server::{behind_a_line, no_storm},
};
use crate::{
    durability::rig::{Told, World},
    support::{process::until, proxy::Proxy, redis::Redis},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_cut_again_and_again() {
    let (server, proxy, scene) = behind_a_line("connections cut", &[]).await;
    let before = proxy.accepted();
    for _ in 0..8 {
        scene.crowd.get_on().await;
        proxy.cut();
    }
    scene.crowd.get_on().await;
    no_storm(&proxy, before);
    let report = scene.end(&Probe::at(&server.address())).await;
    assert_eq!((report.void, report.trail.lost_begins, report.trail.lost_grants), (0, 0, 0), "nothing rolled back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_is_slower_than_any_time_out() {
    let (server, proxy, mut scene) = behind_a_line("500 ms each way", &[]).await;
    let before = proxy.accepted();
    scene.fault();
    proxy.delay(Duration::from_millis(500));
    scene.is_red().await;
    scene.lasts(Duration::from_secs(4)).await;
    proxy.delay(Duration::ZERO);
    scene.is_green().await;
    no_storm(&proxy, before);
    let report = scene.end(&Probe::at(&server.address())).await;
    assert_eq!((report.void, report.trail.lost_begins, report.trail.lost_grants), (0, 0, 0), "nothing rolled back");
    assert!(report.refused_hooks > 0 || report.refused_begins > 0);
}

/// A service without other load, so that the reply that is lost is the one that was meant.
struct Quiet {
    server: Redis,
    proxy: Proxy,
    world: World,
    process: crate::durability::rig::Process,
}

impl Quiet {
    async fn start() -> Self {
        let server = Redis::start(&[]).await;
        let proxy = Proxy::to(&server.address());
        let world = World::new(1);
        let process = world.launch(&mut world.command(&format!("redis://{}", proxy.address()))).ready().await;
        Self { server, proxy, world, process }
    }

    /// The reply to the next commit that holds these bytes is lost.
    fn swallow(&self, what: &str) {
        self.proxy.swallow_replies(what.as_bytes());
    }

    async fn swallowed(&self, times: usize) {
        until("a swallowed reply", async || (self.proxy.swallowed() == times).then_some(())).await;
        assert_eq!(self.proxy.swallowed(), times);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_and_an_initiation_whose_commit_s_reply_is_lost_are_granted() {
    let quiet = Quiet::start().await;
    let caller = quiet.world.caller(&quiet.process);
    quiet.world.grant_all(&caller).await;
    // By the codes of their events.
    quiet.swallow("DA1100");
    let id = caller.begin(0).await.unwrap().unwrap();
    quiet.swallowed(1).await;
    quiet.swallow("DA1000");
    let hook = caller.hook(0, "swallowed", Some(&id));
    let told = caller.deliver(&hook).await;
    quiet.swallowed(2).await;
    assert!(matches!(told, Told::Granted(_)), "{told:?}");
    assert_eq!(caller.deliver(&hook).await, told, "and the same again");
    let another = caller.deliver(&caller.hook(0, "another", Some(&id))).await;
    assert!(matches!(&another, Told::Refused(_)), "{another:?}");
    let compared = Probe::at(&quiet.server.address()).compare(&[]).await;
    assert!(compared.violations.is_empty(), "{compared:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_whose_commit_s_reply_is_lost_stands() {
    let quiet = Quiet::start().await;
    let caller = quiet.world.caller(&quiet.process);
    quiet.swallow("DA6200");
    let (status, body) = caller.call(Method::POST, "/v1/locks", 1, Some(json!({}))).await.unwrap();
    quiet.swallowed(1).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    let (status, _) = caller.call(Method::POST, "/v1/locks", 1, Some(json!({}))).await.unwrap();
    assert_eq!(status, StatusCode::OK, "it stands");
    quiet.swallow("DA6201");
    let (status, body) = caller.call(Method::DELETE, "/v1/locks/00ubob", 1, None).await.unwrap();
    quiet.swallowed(2).await;
    assert_eq!(status, StatusCode::NO_CONTENT, "{body}");
}

/// Three commits: what is intended, the grant itself, what came of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_one_of_whose_commits_replies_is_lost_is_answered() {
    let quiet = Quiet::start().await;
    let caller = quiet.world.caller(&quiet.process);
    for (nth, bytes) in ["DA6100", "{\"delegator\":\"00ubob\",\"agent\":\"00uann0\"}", "DA6101"].into_iter().enumerate()
    {
        quiet.swallow(bytes);
        let (status, body) =
            caller.call(Method::POST, "/v1/grants", 1, Some(json!({"agent": "ann0@example.test"}))).await.unwrap();
        quiet.swallowed(nth + 1).await;
        assert_eq!(status, StatusCode::CREATED, "{bytes}: {body}");
        let (status, body) = caller.call(Method::DELETE, "/v1/grants/00uann0", 1, None).await.unwrap();
        assert_eq!(status, StatusCode::NO_CONTENT, "{bytes}: {body}");
    }
    let trail = Probe::at(&quiet.server.address());
    let counts = [trail.count("DA6100").await, trail.count("DA6101").await, trail.count("DA6102").await];
    assert_eq!(counts, [6, 3, 3], "each told of once, intended, added, removed");
}
