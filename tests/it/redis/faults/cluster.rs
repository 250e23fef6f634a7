//! A cluster that loses a master: with a replica it takes its place, without one only its tenants go without.

use std::{fs, time::Duration};

use behalf::domain::ids::TenantName;

use super::{
    probe::{Probe, topology_of},
    scene::{Crowd, Scene},
};
use crate::{
    durability::rig::World,
    support::{process::until, redis::Cluster},
};

const FAR: Duration = Duration::from_secs(40);
/// A key of the tenant `default`; `acme` lies on another node.
const KEY: &str = "behalf:{default}:m";

fn url(cluster: &Cluster) -> String {
    format!("redis-cluster://{}", cluster.addresses().join(","))
}

/// Two tenants, each with an issuer and agents of its own.
async fn two_tenants(name: &'static str, cluster: &Cluster) -> (Scene, Crowd, World) {
    for node in &cluster.nodes {
        // Else one master that is gone stops all of them.
        node.command(&["CONFIG", "SET", "cluster-require-full-coverage", "no"]);
    }
    let (one, two) = (World::new(3), World::new(3));
    let mut command = one.command(&url(cluster));
    let toml = format!(
        "[tenants.acme]\nissuer = \"{}\"\naudience = \"api://default\"\nhook.secret = \"{}\"\n\
         directory.users_file = \"{}\"\ndelegation.max_pending = 100\n",
        two.issuer(),
        crate::durability::rig::SECRET,
        two.path("users.yaml").display(),
    );
    fs::write(one.path("behalf.toml"), toml).unwrap();
    let scene = Scene::start_with(name, one, &mut command).await;
    let mut caller = two.caller(&scene.process);
    caller.url += "/t/acme";
    two.grant_all(&caller).await;
    let crowd = Crowd::start(caller);
    crowd.get_on().await;
    (scene, crowd, two)
}

fn acme(cluster: &Cluster) -> Probe {
    Probe::new(topology_of(cluster), TenantName::parse("acme").unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_whose_replica_takes_over() {
    let mut cluster = Cluster::with_replicas(3).await;
    let (mut scene, acme_s, _world) = two_tenants("a cluster's master lost, with a replica", &cluster).await;
    scene.fault();
    let old = cluster.node_of(KEY);
    let address = old.address();
    old.kill();
    scene.is_red().await;
    acme_s.get_on().await;
    cluster.wait_for_new_owner(KEY, &address, FAR).await;
    scene.is_green().await;
    assert!(acme_s.undisturbed(), "the other tenant noticed");
    let trail = acme_s.end(&acme(&cluster)).await;
    assert_eq!((trail.lost_begins, trail.lost_grants), (0, 0));
    scene.end(&Probe::new(topology_of(&cluster), TenantName::default_tenant())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_without_a_replica_comes_back() {
    let mut cluster = Cluster::start(3).await;
    for node in &cluster.nodes {
        // Who comes back has what it had.
        for (name, value) in [("appendfsync", "no"), ("appendonly", "yes")] {
            node.command(&["CONFIG", "SET", name, value]);
        }
        node.command(&["CONFIG", "REWRITE"]);
        let written = async || (node.info("persistence", "aof_rewrite_in_progress") == "0").then_some(());
        until("the first append-only file", written).await;
    }
    let (mut scene, acme_s, _world) = two_tenants("a cluster's master lost, without a replica", &cluster).await;
    scene.fault();
    cluster.node_of(KEY).kill();
    scene.is_red().await;
    acme_s.get_on().await;
    assert!(acme_s.undisturbed(), "the other tenant noticed");
    let node = cluster.nodes.iter_mut().find(|node| !node.runs()).unwrap();
    node.restart().await;
    scene.is_green().await;
    let trail = acme_s.end(&acme(&cluster)).await;
    assert_eq!((trail.lost_begins, trail.lost_grants), (0, 0));
    let probe = Probe::new(topology_of(&cluster), TenantName::default_tenant());
    let report = scene.end(&probe).await;
    assert_eq!((report.trail.lost_begins, report.trail.lost_grants), (0, 0), "it had written all down");
}

/// Its nodes take connections, and answer nothing: no reason to make new ones without end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_is_down_as_a_whole() {
    let cluster = Cluster::start(1).await;
    let node = &cluster.nodes[0];
    let mut scene = Scene::start("a cluster without one of its slots", &url(&cluster)).await;
    let taken = || node.info("stats", "total_connections_received").parse::<usize>().unwrap();
    let before = taken();
    scene.fault();
    node.command(&["CLUSTER", "DELSLOTS", "1"]);
    scene.is_red().await;
    scene.lasts(Duration::from_secs(4)).await;
    node.command(&["CLUSTER", "ADDSLOTS", "1"]);
    scene.is_green().await;
    let connections = taken() - before;
    println!("  connections during the fault: {connections}");
    // A look at the map of slots is a connection, too: four in a second at most.
    assert!(connections < 90, "{connections} connections in one fault");
    let report = scene.end(&Probe::new(topology_of(&cluster), TenantName::default_tenant())).await;
    assert_eq!((report.void, report.trail.lost_begins, report.trail.lost_grants), (0, 0, 0), "nothing rolled back");
}
