//! A master and its replica, watched by three sentinels.

use std::time::Duration;

use super::Redis;
use crate::support::process::until;

/// Master, replica, sentinels.
pub(crate) struct SentinelPair {
    /// At the start, the first is the master.
    pub(crate) servers: [Redis; 2],
    sentinels: Vec<Redis>,
}

impl SentinelPair {
    /// What the sentinels call the master.
    pub(crate) const NAME: &str = "main";

    /// Starts all five, and waits until every sentinel knows the others and the replica.
    pub(crate) async fn start() -> Self {
        let servers = [Redis::start(&[]).await, Redis::start(&[]).await];
        servers[1].replica_of(&servers[0]).await;
        let monitor = format!("monitor {} 127.0.0.1 {} 2", Self::NAME, servers[0].port);
        let (down, fail) = ("down-after-milliseconds main 500", "failover-timeout main 5000");
        let mut sentinels = Vec::new();
        for _ in 0..3 {
            let options = [("sentinel", monitor.as_str()), ("sentinel", down), ("sentinel", fail)];
            sentinels.push(Redis::sentinel(&options).await);
        }
        let pair = Self { servers, sentinels };
        for sentinel in &pair.sentinels {
            until("a sentinel that knows the others", async || {
                let told = sentinel.command(&["SENTINEL", "MASTER", Self::NAME]);
                let is = |line: &str| told.contains(line);
                (is("\nnum-slaves\n1\n") && is("\nnum-other-sentinels\n2\n")).then_some(())
            })
            .await;
        }
        pair
    }

    /// Where the sentinels listen.
    pub(crate) fn sentinel_addresses(&self) -> Vec<String> {
        self.sentinels.iter().map(Redis::address).collect()
    }

    /// The master's address, if all sentinels say the same.
    pub(crate) fn master_address(&self) -> Option<String> {
        let told = |sentinel: &Redis| sentinel.command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", Self::NAME]);
        let all: Vec<_> = self.sentinels.iter().map(told).collect();
        all.windows(2).all(|two| two[0] == two[1]).then(|| all[0].replace('\n', ":"))
    }

    /// Has the sentinels change master and replica; `wait_for_new_master` waits for it. Returns the old one's address.
    pub(crate) async fn failover(&self) -> String {
        let old = until("one master", async || self.master_address()).await;
        let order = ["SENTINEL", "FAILOVER", Self::NAME];
        // It refuses while one is under way, and before it has heard of the replica's health.
        until("a sentinel that begins", async || self.sentinels[0].ask(&order).ok()).await;
        old
    }

    /// SIGKILL to the master. Returns its address.
    pub(crate) async fn kill_master(&mut self) -> String {
        let old = until("one master", async || self.master_address()).await;
        self.servers.iter_mut().find(|server| server.address() == old).unwrap().kill();
        old
    }

    /// The replica hears nothing more of its master, and has only what it has now.
    pub(crate) async fn cut_replication(&self) {
        let (mut masters, mut replicas) = (Vec::new(), Vec::new());
        for server in &self.servers {
            let is_master = server.info("replication", "role") == "master";
            if is_master { masters.push(server) } else { replicas.push(server) }
        }
        let (master, replica) = (masters[0], replicas[0]);
        master.wait_until_it_has_all(replica).await;
        // A user whom the master doesn't know.
        replica.command(&["CONFIG", "SET", "masterauth", "nothing"]);
        replica.command(&["CONFIG", "SET", "masteruser", "nobody"]);
        master.command(&["CLIENT", "KILL", "TYPE", "replica"]);
        until("a cut link", async || {
            replica.find("replication", "master_link_status").filter(|status| status == "down").map(drop)
        })
        .await;
    }

    /// After a kill of the master: starts it again, and waits until it has become a replica.
    pub(crate) async fn mend(&mut self) {
        for server in &mut self.servers {
            if !server.runs() {
                server.restart().await;
            }
            server.command(&["CONFIG", "SET", "masteruser", ""]);
            server.command(&["CONFIG", "SET", "masterauth", ""]);
        }
        until("a master with a replica", async || {
            let has_one = |server: &Redis| server.find("replication", "connected_slaves").as_deref() == Some("1");
            self.servers.iter().any(has_one).then_some(())
        })
        .await;
    }

    /// How many connections this server has taken.
    pub(crate) fn connections(&self, address: &str) -> u64 {
        let server = self.servers.iter().find(|server| server.address() == address).unwrap();
        server.info("stats", "total_connections_received").parse().unwrap()
    }

    /// Waits until all sentinels name another master than `old` and it takes writes: its address.
    pub(crate) async fn wait_for_new_master(&self, old: &str, limit: Duration) -> String {
        let changed = until("a new master", async || {
            let address = self.master_address().filter(|address| address != old)?;
            let new = self.servers.iter().find(|server| server.address() == address).unwrap();
            (new.find("replication", "role")? == "master").then_some(address)
        });
        let waited = tokio::time::timeout(limit, changed).await;
        waited.unwrap_or_else(|_| panic!("after {limit:?} {old} is the master still"))
    }
}
