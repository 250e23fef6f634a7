//! The contract over Redis in every topology.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use behalf::{
    adapters::store::redis::{Address, Dial, Login, RedisStore, Topology},
    ports::{
        clock::{Clock, ManualClock},
        entropy::SeededEntropy,
    },
};
use tokio::sync::OnceCell;

use super::stores::{Made, start, store_contract};
use crate::support::redis::{Cluster, Redis, SentinelPair};

/// How servers are talked to here: with patience, because many tests run at once.
pub(crate) fn dial(database: u16) -> Dial {
    Dial {
        tls: None,
        database,
        login: Login::default(),
        sentinel_login: Login::default(),
        client_name: "behalf-test".to_owned(),
        connections: 2,
        connect_timeout: Duration::from_secs(10),
        response_timeout: Duration::from_secs(10),
        runtime: tokio::runtime::Handle::current(),
        entropy: Arc::new(SeededEntropy::default()),
    }
}

/// From `host:port`.
pub(crate) fn address(text: &str) -> Address {
    let (host, port) = text.rsplit_once(':').unwrap();
    Address { host: host.to_owned(), port: port.parse().unwrap() }
}

fn made(topology: Topology, database: u16) -> Made {
    let clock = Arc::new(ManualClock::at(start()));
    let instead: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    (Arc::new(RedisStore::new(topology, dial(database), Some(instead))), clock, Box::new(()))
}

/// Every case has a database of its own.
async fn standalone() -> Made {
    static SERVER: OnceCell<Redis> = OnceCell::const_new();
    static DATABASE: AtomicU16 = AtomicU16::new(0);
    let server = SERVER.get_or_init(|| Redis::start(&[("databases", "256")])).await;
    made(Topology::Standalone(address(&server.address())), DATABASE.fetch_add(1, Ordering::SeqCst))
}

/// Three masters; emptied before each case.
async fn cluster() -> Made {
    static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();
    let cluster = CLUSTER.get_or_init(|| Cluster::start(3)).await;
    for node in &cluster.nodes {
        node.command(&["FLUSHALL"]);
    }
    made(Topology::Cluster(cluster.addresses().iter().map(|at| address(at)).collect()), 0)
}

/// A master and its replica, found by sentinels; emptied before each case.
async fn sentinel() -> Made {
    static PAIR: OnceCell<SentinelPair> = OnceCell::const_new();
    let pair = PAIR.get_or_init(SentinelPair::start).await;
    let master = pair.servers.iter().find(|server| server.info("replication", "role") == "master").unwrap();
    master.command(&["FLUSHALL"]);
    let sentinels = pair.sentinel_addresses().iter().map(|at| address(at)).collect();
    made(Topology::Sentinel { sentinels, master: SentinelPair::NAME.to_owned() }, 0)
}

store_contract!(standalone_redis, crate::contract::redis::standalone);
store_contract!(one_by_one redis_cluster, crate::contract::redis::cluster);
store_contract!(one_by_one redis_behind_sentinels, crate::contract::redis::sentinel);
