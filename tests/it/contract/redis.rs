//! The store on Redis: the contract over every topology, and what only this adapter promises.

use std::{
    process::{Child, Command, Stdio},
    sync::{
        Arc, OnceLock,
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

use super::stores::{Made, start, store_contract};

pub(super) fn dial(database: u16) -> Dial {
    Dial {
        tls: None,
        database,
        login: Login::default(),
        sentinel_login: Login::default(),
        client_name: "behalf-test".to_owned(),
        connections: 2,
        connect_timeout: Duration::from_secs(5),
        response_timeout: Duration::from_secs(5),
        runtime: tokio::runtime::Handle::current(),
        entropy: Arc::new(SeededEntropy::default()),
    }
}

static SERVER: OnceLock<(Child, u16)> = OnceLock::new();

async fn standalone() -> Made {
    static DATABASE: AtomicU16 = AtomicU16::new(0);
    let (_, port) = SERVER.get_or_init(|| {
        let port = 17_999;
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--save", "", "--databases", "1024"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        (child, port)
    });
    let clock = Arc::new(ManualClock::at(start()));
    let instead: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
    let address = Address { host: "127.0.0.1".to_owned(), port: *port };
    let database = DATABASE.fetch_add(1, Ordering::SeqCst);
    let store = RedisStore::new(Topology::Standalone(address), dial(database), Some(instead));
    (Arc::new(store), clock, Box::new(()))
}

store_contract!(standalone_redis, crate::contract::redis::standalone);
