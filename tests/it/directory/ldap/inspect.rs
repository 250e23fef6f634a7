//! What `check` says of a server.

use std::{fmt::Write as _, sync::Arc};

use behalf::{
    adapters::{
        directory::ldap::{Kind, Security, Settings, Trust, inspect},
        system::{OsEntropy, SystemClock},
    },
    ports::{clock::Clock, entropy::Entropy},
};

use super::*;
use crate::support::{ldap::ACCESS, ports, redis::tls_file};

const READS_CONFIG: &str = "access to * by dn.exact=\"cn=behalf,dc=example,dc=test\" read by * none";

/// All findings, a line each: level and text.
pub(super) async fn said(settings: &Settings) -> String {
    let (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>) = (Arc::new(SystemClock), Arc::new(OsEntropy));
    let trust = Trust::load(Some(&tls_file("ca.pem"))).unwrap();
    let mut text = String::new();
    for finding in inspect(settings, &trust, &clock, &entropy).await {
        writeln!(text, "{:?}: {}", finding.level, finding.text).unwrap();
    }
    assert!(!text.contains("the service's password"), "{text}");
    text
}

/// Whether a line has this level and this text in it.
#[track_caller]
fn says(all: &str, level: &str, text: &str) {
    assert!(
        all.lines().any(|line| line.starts_with(level) && line.contains(text)),
        "no {level} with `{text}` in\n{all}"
    );
}

#[tokio::test]
async fn a_server_that_is_set_up_as_documented_is_good() {
    let Some(peer) = Peer::slapd_with(ACCESS, READS_CONFIG).await else { return };
    let (_, alice) = peer.put("alice").await;
    // One is locked, so that it shows who may see that.
    let (_, locked) = peer.put("locked").await;
    peer.suspend(&locked).await;
    let server = Peer::server(&format!("127.0.0.1:{}", peer.tls_port), Security::Tls);
    let all = said(&Settings { servers: vec![server], ..peer.settings(&[]) }).await;
    for good in ["over TLS", "compared exactly", "one can be read", "the account may write", "nobody else may write"] {
        says(&all, "Good", good);
    }
    assert!(all.lines().all(|line| line.starts_with("Good")), "{all}");
    // It changed nothing.
    assert_eq!(peer.direct().entry(&by_id(alice.as_str())).await.unwrap().unwrap().agents, []);
    // In the clear that is a word worth.
    says(&said(&peer.settings(&[&peer.address()])).await, "Warning", "in the clear");
}

#[tokio::test]
async fn who_else_may_write_is_told() {
    let ours = "by dn.exact=\"cn=behalf,dc=example,dc=test\" write";
    for (access, level, text) in [
        (format!("access to attrs=delegatedAgents {ours} by self write by * read"), "Warning", "users may write"),
        (format!("access to * {ours} by users write by * read"), "Error", "`users` may write"),
        (format!("access to * {ours} by dn=\"cn=other,dc=example,dc=test\" manage by * read"), "Error", "cn=other"),
    ] {
        let Some(peer) = Peer::slapd_with(&access, READS_CONFIG).await else { return };
        peer.put("alice").await;
        let all = said(&peer.settings(&[&peer.address()])).await;
        says(&all, level, text);
        says(&all, "Good", "the account may write");
    }
    // Without a look at the rules that can't be told, and is said.
    let Some(peer) = Peer::slapd_with("", "").await else { return };
    peer.put("alice").await;
    let all = said(&peer.settings(&[&peer.address()])).await;
    says(&all, "Error", "the account may not write");
    says(&all, "Good", "can't be told");
}

/// A lock that the account may not see looks as if there were none.
#[tokio::test]
async fn whether_locks_are_seen_is_told() {
    for (access, of_nobody_locked, of_one_locked) in [
        ("", "Warning", "Good"),
        ("access to attrs=pwdAccountLockedTime by * none", "Error", "Error"),
        ("access to attrs=pwdAccountLockedTime by * search", "Warning", "Error"),
    ] {
        let Some(peer) = Peer::slapd_with(&format!("{access}\n{ACCESS}"), "").await else { return };
        let (_, alice) = peer.put("alice").await;
        says(&said(&peer.settings(&[&peer.address()])).await, of_nobody_locked, "`pwdAccountLockedTime`");
        peer.suspend(&alice).await;
        says(&said(&peer.settings(&[&peer.address()])).await, of_one_locked, "`pwdAccountLockedTime`");
    }
}

/// A rule for a group that isn't seen would be passed by.
#[tokio::test]
async fn a_group_that_cannot_be_seen_is_told() {
    let access = format!("access to dn.subtree=\"ou=groups,dc=example,dc=test\" by * none\n{ACCESS}");
    let Some(peer) = Peer::slapd_with(&access, "").await else { return };
    let (dn, _) = peer.put("alice").await;
    peer.group(&[dn]).await;
    says(&said(&peer.settings(&[&peer.address()])).await, "Warning", "rules that name groups");
}

#[tokio::test]
async fn mistakes_are_named() {
    let Some(peer) = Peer::slapd().await else { return };
    let settings = peer.settings(&[&peer.address()]);
    says(&said(&settings).await, "Warning", "no user is seen");
    peer.put("alice").await;
    says(&said(&Settings { kind: Kind::Ds389, ..settings.clone() }).await, "Error", "it is `openldap`");
    says(
        &said(&Settings { base: "ou=gone,dc=example,dc=test".to_owned(), ..settings.clone() }).await,
        "Error",
        "isn't there",
    );
    says(&said(&Settings { password: "wrong".into(), ..settings.clone() }).await, "Error", "BEHALF_LDAP_BIND_PASSWORD");
    let mut other = settings.clone();
    "looseAgents".clone_into(&mut other.names.agents);
    says(&said(&other).await, "Warning", "without looking at case");
    "noSuchAttribute".clone_into(&mut other.names.agents);
    "noSuchLogin".clone_into(&mut other.names.login);
    let all = said(&other).await;
    says(&all, "Error", "no `noSuchAttribute`");
    says(&all, "Error", "no `noSuchLogin`");
    // One of two away is a warning, both are an error.
    let nowhere = format!("127.0.0.1:{}", ports::free());
    let all = said(&peer.settings(&[&nowhere, &peer.address()])).await;
    says(&all, "Warning", &nowhere);
    says(&all, "Good", "one can be read");
    says(&said(&peer.settings(&[&nowhere])).await, "Error", &nowhere);
}
