//! TLS, signing in, several servers, and servers that go away.

use std::time::Duration;

use behalf::adapters::directory::ldap::{Security, Settings};
use tokio::time::Instant;

use super::*;
use crate::support::{ports, process::until, proxy::Proxy};

fn over_tls(peer: &Peer, security: Security, host: &str) -> Settings {
    let port = if security == Security::Tls { peer.tls_port } else { peer.port };
    let server = Peer::server(&format!("{host}:{port}"), security);
    Settings { servers: vec![server], ..peer.settings(&[]) }
}

#[tokio::test]
async fn tls_at_once_and_after_starttls() {
    let Some(peer) = Peer::slapd().await else { return };
    let (_, alice) = peer.put("alice").await;
    for security in [Security::Tls, Security::StartTls] {
        let directory = Peer::connector(over_tls(&peer, security, "127.0.0.1"));
        assert_eq!(user(&directory, &alice).await.login.as_str(), "alice");
        // The certificate is for 127.0.0.1 and localhost.
        let directory = Peer::connector(over_tls(&peer, security, "127.0.0.2"));
        unavailable(directory.entry(&by_login("alice")).await);
    }
    // Plain bytes at the port of TLS, TLS at the plain one.
    let settings = Settings {
        servers: vec![Peer::server(&format!("127.0.0.1:{}", peer.tls_port), Security::Clear)],
        ..peer.settings(&[])
    };
    unavailable(Peer::connector(settings).entry(&by_login("alice")).await);
    let settings = Settings { servers: vec![Peer::server(&peer.address(), Security::Tls)], ..peer.settings(&[]) };
    unavailable(Peer::connector(settings).entry(&by_login("alice")).await);
}

#[tokio::test]
async fn an_unknown_authority_is_not_trusted() {
    use behalf::adapters::{
        directory::ldap::{LdapDirectory, Trust},
        system::{OsEntropy, SystemClock},
    };
    use std::sync::Arc;
    let Some(peer) = Peer::slapd().await else { return };
    for security in [Security::Tls, Security::StartTls] {
        let settings = over_tls(&peer, security, "127.0.0.1");
        let trust = Trust::load(None).unwrap();
        let directory = LdapDirectory::new(settings, trust, Arc::new(SystemClock), Arc::new(OsEntropy));
        let why = unavailable(directory.entry(&by_login("alice")).await);
        assert!(why.contains("certificate"), "{why}");
    }
    assert!(Trust::load(Some("/nowhere/ca.pem".as_ref())).err().unwrap().contains("/nowhere/ca.pem"));
}

/// Whoever is between can answer `StartTLS` with a no; then nothing is sent.
#[tokio::test]
async fn without_starttls_no_password_is_sent() {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };
    let Some(peer) = Peer::slapd().await else { return };
    let liar = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = liar.local_addr().unwrap().to_string();
    let heard = tokio::spawn(async move {
        let (mut client, _) = liar.accept().await.unwrap();
        let mut request = [0; 31];
        client.read_exact(&mut request).await.unwrap();
        // An extended response to message 1: unavailable.
        client.write_all(b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x34\x04\x00\x04\x00").await.unwrap();
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.unwrap();
        rest
    });
    let settings = Settings { servers: vec![Peer::server(&address, Security::StartTls)], ..peer.settings(&[]) };
    let why = unavailable(Peer::connector(settings).entry(&by_login("alice")).await);
    assert!(why.contains("StartTLS"), "{why}");
    assert_eq!(heard.await.unwrap(), b"");
}

#[tokio::test]
async fn a_wrong_password_is_told_and_not_tried_again_and_again() {
    let Some(peer) = Peer::slapd().await else { return };
    let line = Proxy::to(&peer.address());
    let settings = Settings { password: "wrong".into(), ..peer.settings(&[&line.address()]) };
    let directory = Peer::connector(settings);
    for _ in 0..20 {
        let why = rejected(directory.entry(&by_login("alice")).await);
        assert!(why.contains("BEHALF_LDAP_BIND_PASSWORD") && !why.contains("wrong\""), "{why}");
    }
    assert_eq!(line.accepted(), 1, "an account is locked by less");
}

#[tokio::test]
async fn a_server_that_restarts_is_found_again() {
    let Some(mut peer) = Peer::slapd().await else { return };
    let (_, alice) = peer.put("alice").await;
    let directory = peer.direct();
    user(&directory, &alice).await;
    peer.kill();
    let gone = Instant::now();
    until("the connection is known to be broken", async || directory.entry(&by_login("alice")).await.err()).await;
    for _ in 0..50 {
        unavailable(directory.entry(&by_login("alice")).await);
    }
    assert!(gone.elapsed() < Duration::from_secs(20), "nobody waits for a server that isn't there");
    peer.restart().await;
    until("an answer", async || directory.entry(&by_login("alice")).await.ok().flatten()).await;
}

#[tokio::test]
async fn the_first_server_that_answers_is_asked() {
    let Some(peer) = Peer::slapd().await else { return };
    let (_, alice) = peer.put("alice").await;
    let (first, second) = (Proxy::to(&peer.address()), Proxy::to(&peer.address()));
    let nowhere = format!("127.0.0.1:{}", ports::free());
    let directory = Peer::connector(peer.settings(&[&nowhere, &first.address(), &second.address()]));
    for _ in 0..4 {
        user(&directory, &alice).await;
    }
    assert_eq!((first.accepted(), second.accepted()), (2, 0), "one for each connection");
    first.refuse();
    first.cut();
    until("an answer", async || directory.entry(&by_login("alice")).await.ok().flatten()).await;
    assert!(second.accepted() > 0);
}

/// A connection that is silent is given up, so that who comes next doesn't wait on it, too.
#[tokio::test]
async fn a_silent_connection_is_replaced() {
    let Some(peer) = Peer::slapd().await else { return };
    let (_, alice) = peer.put("alice").await;
    let line = Proxy::to(&peer.address());
    let settings =
        Settings { connections: 1, timeout: Duration::from_millis(300), ..peer.settings(&[&line.address()]) };
    let directory = Peer::connector(settings);
    user(&directory, &alice).await;
    line.delay(Duration::from_hours(1));
    unavailable(directory.entry(&by_login("alice")).await);
    line.delay(Duration::ZERO);
    let connections = line.accepted();
    user(&directory, &alice).await;
    assert_eq!(line.accepted(), connections + 1);
}

/// A hundred who come while there is no connection make one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_makes_no_storm_of_connections() {
    let Some(peer) = Peer::slapd().await else { return };
    let (_, alice) = peer.put("alice").await;
    let line = Proxy::to(&peer.address());
    let directory = std::sync::Arc::new(Peer::connector(peer.settings(&[&line.address()])));
    let asking: Vec<_> = (0..100)
        .map(|_| {
            let (directory, alice) = (std::sync::Arc::clone(&directory), alice.clone());
            tokio::spawn(async move { user(&directory, &alice).await })
        })
        .collect();
    for asked in asking {
        assert_eq!(asked.await.unwrap().login.as_str(), "alice");
    }
    assert_eq!(line.accepted(), 2, "as many as it is told");
    line.refuse();
    line.cut();
    until("the connections are known to be broken", async || directory.entry(&by_login("alice")).await.err()).await;
    for _ in 0..100 {
        unavailable(directory.entry(&by_login("alice")).await);
    }
    line.admit();
    until("an answer", async || directory.entry(&by_login("alice")).await.ok().flatten()).await;
    assert!(line.accepted() <= 4);
}
