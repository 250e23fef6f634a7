//! A cluster: masters that share the slots, and a replica of each where a test wants them.

use std::time::Duration;

use super::{Options, Redis};
use crate::support::process::until;

const SLOTS: usize = 16_384;
const NODE: &[(&str, &str)] = &[("cluster-enabled", "yes"), ("cluster-config-file", "nodes.conf")];

/// A running cluster.
pub(crate) struct Cluster {
    /// The first masters, then their replicas in the same order.
    pub(crate) nodes: Vec<Redis>,
}

impl Cluster {
    /// Masters alone.
    pub(crate) async fn start(masters: usize) -> Self {
        // A busy machine mustn't make them think that one of them is gone: nobody could take its place.
        Self::join(masters, masters, &[("cluster-node-timeout", "5000")]).await
    }

    /// Masters with a replica each, that takes its place some seconds after it is gone.
    pub(crate) async fn with_replicas(masters: usize) -> Self {
        let cluster = Self::join(masters, 2 * masters, &[("cluster-node-timeout", "4000")]).await;
        for nth in 0..masters {
            let (master, replica) = (&cluster.nodes[nth], &cluster.nodes[masters + nth]);
            let id = master.command(&["CLUSTER", "MYID"]);
            replica.command(&["CLUSTER", "REPLICATE", &id]);
            until("the replica's link", async || {
                replica.find("replication", "master_link_status").filter(|status| status == "up").map(drop)
            })
            .await;
        }
        cluster
    }

    async fn join(masters: usize, count: usize, options: Options<'_>) -> Self {
        let options = [NODE, options].concat();
        let mut nodes = Vec::new();
        for nth in 0..count {
            let node = Redis::start(&options).await;
            node.command(&["CLUSTER", "SET-CONFIG-EPOCH", &(nth + 1).to_string()]);
            if nth < masters {
                let slots: Vec<_> =
                    (nth * SLOTS / masters..(nth + 1) * SLOTS / masters).map(|s| s.to_string()).collect();
                // One by one: 6.2 doesn't know ADDSLOTSRANGE.
                let command = ["CLUSTER", "ADDSLOTS"].into_iter().chain(slots.iter().map(String::as_str));
                node.command(&command.collect::<Vec<_>>());
            }
            nodes.push(node);
        }
        for node in &nodes[1..] {
            nodes[0].command(&["CLUSTER", "MEET", "127.0.0.1", &node.port.to_string()]);
        }
        let cluster = Self { nodes };
        until("a cluster that is whole for every node", async || cluster.is_whole().then_some(())).await;
        cluster
    }

    /// Whether every node that runs sees every other, and all slots served.
    pub(crate) fn is_whole(&self) -> bool {
        let known = format!("cluster_known_nodes:{}", self.nodes.len());
        self.nodes.iter().all(|node| {
            let Ok(info) = node.ask(&["CLUSTER", "INFO"]) else { return node.running.is_none() };
            info.contains("cluster_state:ok") && info.contains(&known)
        })
    }

    /// Where they listen.
    pub(crate) fn addresses(&self) -> Vec<String> {
        self.nodes.iter().map(Redis::address).collect()
    }

    /// Waits until the cluster is whole again, with another master than `old` for this key.
    pub(crate) async fn wait_for_new_owner(&mut self, key: &str, old: &str, limit: Duration) -> &mut Redis {
        let changed = until("a new owner", async || (self.owner(key)? != old && self.is_whole()).then_some(()));
        let waited = tokio::time::timeout(limit, changed).await;
        waited.unwrap_or_else(|_| panic!("after {limit:?} {old} has {key} still"));
        self.node_of(key)
    }

    /// The master that has this key.
    pub(crate) fn node_of(&mut self, key: &str) -> &mut Redis {
        let address = self.owner(key).unwrap_or_else(|| panic!("nobody has {key}"));
        self.nodes.iter_mut().find(|node| node.address() == address).unwrap()
    }

    fn owner(&self, key: &str) -> Option<String> {
        let asked = self.nodes.iter().find(|node| node.running.is_some()).unwrap();
        let slot: u32 = asked.command(&["CLUSTER", "KEYSLOT", key]).parse().unwrap();
        let table = asked.command(&["CLUSTER", "NODES"]);
        let owner = table.lines().find(|line| owns(line, slot))?;
        owner.split([' ', '@']).nth(1).map(str::to_owned)
    }
}

/// Whether this line of `CLUSTER NODES` is that of a master with this slot. A dead one keeps its line, without slots,
/// once another has them.
fn owns(line: &str, slot: u32) -> bool {
    line.split(' ').skip(8).any(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        first.parse().is_ok_and(|first: u32| first <= slot) && last.parse().is_ok_and(|last: u32| slot <= last)
    })
}
