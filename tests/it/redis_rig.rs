//! The rig for Redis where it could lie: a test that believes a fault which never happened shows nothing.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::TcpStream,
    sync::Arc,
    time::Duration,
};

use behalf::adapters::oidc::install_crypto;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use tokio::time::Instant;

use crate::support::{
    proxy::Proxy,
    redis::{Cluster, Redis, SentinelPair, tls_file},
};

const FAR: Duration = Duration::from_secs(40);

/// A client of the network, as plain as can be.
struct Client(TcpStream);

impl Client {
    fn to(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        Self(stream)
    }

    fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).unwrap();
    }

    /// What comes next; empty: the connection was closed.
    fn read(&mut self) -> String {
        let mut bytes = [0; 1000];
        match self.0.read(&mut bytes) {
            Ok(read) => String::from_utf8(bytes[..read].to_vec()).unwrap(),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => String::new(),
            Err(error) => panic!("neither an answer nor an end: {error}"),
        }
    }

    fn ask(&mut self, text: &str) -> String {
        self.send(text);
        self.read()
    }
}

const PING: &str = "*1\r\n$4\r\nPING\r\n";
const INCR: &str = "*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n";

#[tokio::test]
async fn what_was_appended_outlives_a_kill() {
    let mut server = Redis::start(&[("appendonly", "yes"), ("appendfsync", "always")]).await;
    let first = server.info("server", "run_id");
    assert_eq!(server.command(&["SET", "key", "a value"]), "OK");
    assert_eq!(server.stats("set"), 1);
    let address = server.address();
    server.kill();
    assert!(TcpStream::connect(&address).is_err() && server.ask(&["PING"]).is_err());

    server.restart().await;
    assert_eq!((server.address(), server.command(&["GET", "key"])), (address, "a value".to_owned()));
    assert_ne!(server.info("server", "run_id"), first);
    assert_eq!(server.stats("set"), 0, "it counts anew");
    assert!(server.ask(&["GET"]).unwrap_err().contains("wrong number"));
}

#[tokio::test]
async fn what_was_not_saved_does_not() {
    let mut server = Redis::start(&[]).await;
    server.command(&["SET", "key", "value"]);
    server.kill();
    server.restart().await;
    assert_eq!(server.command(&["EXISTS", "key"]), "0");
}

#[tokio::test]
async fn a_paused_server_takes_connections_and_answers_later() {
    let server = Redis::start(&[]).await;
    server.pause().await;
    let mut client = Client::to(&server.address());
    client.0.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    client.send(PING);
    let nothing = client.0.read(&mut [0; 10]).unwrap_err();
    assert!(matches!(nothing.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{nothing}");
    server.resume();
    client.0.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    assert_eq!(client.read(), "+PONG\r\n");
}

#[tokio::test]
async fn passwords_and_users_hold_for_clients() {
    let options = [("requirepass", "of-all"), ("user", "app on >of-app ~app:* +@all")];
    let mut server = Redis::start(&options).await;
    let mut client = Client::to(&server.address());
    assert!(client.ask(PING).starts_with("-NOAUTH"));
    assert_eq!(client.ask("AUTH app of-app\r\n"), "+OK\r\n");
    assert!(client.ask("GET other\r\n").starts_with("-NOPERM"));
    server.command(&["SET", "other", "1"]);
    server.kill();
    server.restart().await;
    assert!(Client::to(&server.address()).ask(PING).starts_with("-NOAUTH"));
}

#[tokio::test]
async fn with_tls_there_is_nothing_else() {
    let Some(server) = Redis::start_tls(&[]).await else { return };
    assert_eq!(server.command(&["PING"]), "PONG");
    assert!(!Client::to(&server.address()).ask(PING).contains("PONG"));
    // Also through a proxy, which can't tell requests apart here.
    let proxy = Proxy::to(&server.address());
    let mut authority = RootCertStore::empty();
    authority.add(CertificateDer::from_pem_file(tls_file("ca.pem")).unwrap()).unwrap();
    install_crypto();
    let config = ClientConfig::builder().with_root_certificates(authority).with_no_client_auth();
    let session = ClientConnection::new(Arc::new(config), "127.0.0.1".try_into().unwrap()).unwrap();
    let mut stream = StreamOwned::new(session, Client::to(&proxy.address()).0);
    stream.write_all(PING.as_bytes()).unwrap();
    let mut answer = [0; 7];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"+PONG\r\n");
}

#[tokio::test]
async fn a_swallowed_reply_is_of_a_request_that_was_carried_out() {
    let server = Redis::start(&[]).await;
    let proxy = Proxy::to(&server.address());
    let mut client = Client::to(&proxy.address());
    assert_eq!(client.ask(INCR), ":1\r\n");
    proxy.swallow_replies(b"INCR");
    assert_eq!(client.ask(PING), "+PONG\r\n");
    // In pieces, and with another request behind that must not get through.
    let (begin, end) = INCR.split_at(12);
    client.send(begin);
    client.send(end);
    client.send(INCR);
    assert_eq!(client.read(), "", "neither a reply nor the mark");
    assert_eq!((server.command(&["GET", "n"]).as_str(), proxy.swallowed()), ("2", 1));
    // Once.
    assert_eq!(Client::to(&proxy.address()).ask(INCR), ":3\r\n");
    assert_eq!(proxy.accepted(), 2);
}

#[tokio::test]
async fn a_line_is_cut_refused_and_led_elsewhere() {
    let (one, two) = (Redis::start(&[]).await, Redis::start(&[]).await);
    two.command(&["SET", "n", "100"]);
    let proxy = Proxy::to(&one.address());
    let mut client = Client::to(&proxy.address());
    assert_eq!(client.ask(INCR), ":1\r\n");
    proxy.refuse();
    assert!(TcpStream::connect(proxy.address()).is_err());
    assert_eq!(client.ask(INCR), ":2\r\n", "what is open stays open");
    proxy.cut();
    assert_eq!(client.read(), "");
    proxy.retarget(&two.address());
    proxy.admit();
    assert_eq!(Client::to(&proxy.address()).ask(INCR), ":101\r\n");
    assert_eq!(proxy.accepted(), 2);
}

#[tokio::test]
async fn a_slow_line_is_slow_in_both_directions() {
    let server = Redis::start(&[]).await;
    let proxy = Proxy::to(&server.address());
    let mut client = Client::to(&proxy.address());
    assert_eq!(client.ask(PING), "+PONG\r\n");
    proxy.delay(Duration::from_millis(100));
    let begun = Instant::now();
    assert_eq!(client.ask(PING), "+PONG\r\n");
    assert!(begun.elapsed() >= Duration::from_millis(200), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_replica_has_what_its_master_has() {
    let (master, replica) = (Redis::start(&[]).await, Redis::start(&[]).await);
    master.command(&["SET", "key", "value"]);
    replica.replica_of(&master).await;
    assert_eq!(replica.command(&["GET", "key"]), "value");
    assert_eq!(replica.info("replication", "role"), "slave");
}

#[tokio::test]
async fn sentinels_make_the_replica_master() {
    let mut pair = SentinelPair::start().await;
    let first = pair.servers[0].address();
    assert_eq!(pair.master_address().unwrap(), first);
    assert_eq!(pair.sentinel_addresses().len(), 3);
    let old = pair.failover().await;
    assert_eq!(old, first);
    assert_eq!(pair.wait_for_new_master(&old, FAR).await, pair.servers[1].address());
    // And back, once the old one has become a replica of the new one.
    let old = pair.kill_master().await;
    assert_eq!(old, pair.servers[1].address());
    assert_eq!(pair.wait_for_new_master(&old, FAR).await, first);
    let mut client = Client::to(&first);
    assert_eq!(client.ask(INCR), ":1\r\n");
}

#[tokio::test]
async fn a_cluster_shares_the_keys() {
    let mut cluster = Cluster::start(3).await;
    assert_eq!(cluster.addresses().len(), 3);
    let owner = cluster.node_of("{acme}a").address();
    assert_eq!(cluster.node_of("{acme}b").address(), owner);
    assert_eq!(cluster.node_of("{acme}a").command(&["SET", "{acme}a", "1"]), "OK");
    let other = cluster.nodes.iter().find(|node| node.address() != owner).unwrap();
    let moved = other.ask(&["GET", "{acme}a"]).unwrap_err();
    assert!(moved.starts_with("MOVED") && moved.ends_with(&owner), "{moved}");
}

#[tokio::test]
async fn a_cluster_s_replica_takes_over() {
    let mut cluster = Cluster::with_replicas(3).await;
    let old = cluster.node_of("key");
    old.command(&["SET", "key", "1"]);
    assert_eq!(old.command(&["WAIT", "1", "5000"]), "1", "the replica has it");
    let old_address = old.address();
    old.kill();
    let new = cluster.wait_for_new_owner("key", &old_address, FAR).await;
    assert_eq!(new.command(&["GET", "key"]), "1");
}
