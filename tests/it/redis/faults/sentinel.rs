//! A failover to a replica that hasn't heard of the last grants.

use std::time::Duration;

use super::{
    probe::{Probe, topology_behind},
    rounds,
    scene::Scene,
};
use crate::{durability::rig::Told, support::redis::SentinelPair};
use behalf::domain::ids::TenantName;

const FAR: Duration = Duration::from_secs(40);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_used_on_the_lost_master_is_not_fresh_on_the_new_one() {
    let mut pair = SentinelPair::start().await;
    let url = format!("redis-sentinel://{}/{}", pair.sentinel_addresses().join(","), SentinelPair::NAME);
    let mut scene = Scene::start("failover to a replica that lags", &url).await;
    let caller = scene.crowd.caller.clone();
    for round in 0..rounds() {
        let ids = [caller.begin(0).await.unwrap().unwrap(), caller.begin(1).await.unwrap().unwrap()];
        let before = pair.servers.each_ref().map(|server| pair.connections(&server.address()));
        pair.cut_replication().await;
        let hook =
            |agent: usize, n: usize| caller.hook(agent, &format!("failover-{round}-{agent}-{n}"), Some(&ids[agent]));
        for agent in [0, 1] {
            let told = caller.deliver(&hook(agent, 1)).await;
            assert!(matches!(told, Told::Granted(_)), "{told:?}");
        }
        scene.fault();
        let old = pair.kill_master().await;
        scene.is_red().await;
        let new = pair.wait_for_new_master(&old, FAR).await;
        // Without the epoch both would be granted once more: the new master holds them as pending.
        let promoted = Probe::at(&new);
        assert!(promoted.is_unused(&ids[0]).await && promoted.is_unused(&ids[1]).await);
        scene.is_green().await;
        // Another event, and the very same hook.
        for (agent, n) in [(0, 2), (0, 1), (1, 1), (1, 2)] {
            let told = caller.deliver(&hook(agent, n)).await;
            assert!(matches!(&told, Told::Refused(why) if why.contains("delegation-not-usable")), "{told:?}");
        }
        // Of the sentinels and of this test, too.
        let nth = pair.servers.iter().position(|server| server.address() == new).unwrap();
        let connections = pair.connections(&new) - before[nth];
        println!("  connections to the new master: {connections}");
        assert!(connections < 150, "{connections} connections in one fault");
        if round + 1 < rounds() {
            pair.mend().await;
        }
    }
    let probe = Probe::new(topology_behind(&pair), TenantName::default_tenant());
    assert!(probe.raised().await >= 1);
    scene.end(&probe).await;
}
