//! The LDAP connector over real servers: `OpenLDAP` always, 389 Directory Server and Samba's Active Directory where
//! `BEHALF_TEST_PEERS=heavy` asks for them.

use std::sync::Arc;

use async_trait::async_trait;
use behalf::{
    adapters::directory::ldap::Kind,
    domain::ids::{GroupId, UserId},
    ports::directory::{Directory, MOST_MEMBERS},
};
use tokio::sync::OnceCell;

use super::{Rig, composed};
use crate::support::{ldap::Peer, proxy::Proxy};

/// A server that all tests share, behind a line that each has for itself.
struct Ldap {
    peer: &'static Peer,
    line: Proxy,
}

fn rig(peer: Option<&'static Peer>) -> Option<Arc<dyn Rig>> {
    let peer = peer?;
    Some(Arc::new(Ldap { peer, line: Proxy::to(&peer.address()) }))
}

pub(super) async fn openldap() -> Option<Arc<dyn Rig>> {
    static PEER: OnceCell<Option<Peer>> = OnceCell::const_new();
    rig(PEER.get_or_init(Peer::slapd).await.as_ref())
}

pub(super) async fn ds389() -> Option<Arc<dyn Rig>> {
    rig(Peer::ds389().await)
}

pub(super) async fn samba() -> Option<Arc<dyn Rig>> {
    rig(Peer::samba().await)
}

#[async_trait]
impl Rig for Ldap {
    async fn directory(&self) -> Arc<dyn Directory> {
        composed(Arc::new(Peer::connector(self.peer.settings(&[&self.line.address()]))))
    }

    async fn put(&self, login: &str) -> UserId {
        self.peer.put(login).await.1
    }

    async fn suspend(&self, user: &UserId) {
        self.peer.suspend(user).await;
    }

    async fn delete(&self, user: &UserId) {
        self.peer.delete(user).await;
    }

    async fn group(&self, members: &[UserId]) -> Option<GroupId> {
        let mut names = Vec::with_capacity(members.len());
        for member in members {
            names.push(self.peer.dn_of(member.as_str()).await);
        }
        // A `groupOfNames` names somebody, were it nobody.
        if names.is_empty() && self.peer.kind == Kind::OpenLdap {
            names.push(format!("cn=nobody,{}", self.peer.base));
        }
        Some(GroupId::parse(&self.peer.group(&names).await.1).unwrap())
    }

    fn nobodys_group(&self) -> GroupId {
        // A spelling that all of them could have given.
        GroupId::parse("7f1f071d-a39b-4912-bfe4-1b54a5ccf59f").unwrap()
    }

    fn crowd(&self) -> usize {
        if self.peer.kind == Kind::OpenLdap { MOST_MEMBERS + 20 } else { 40 }
    }

    async fn list(&self, delegator: &UserId, agents: &[UserId]) {
        let agents: Vec<&str> = agents.iter().map(UserId::as_str).collect();
        self.peer.list(delegator, &agents).await;
    }

    /// 389 Directory Server takes ASCII alone as a `uid`.
    fn finds(&self, login: &str) -> bool {
        self.peer.kind != Kind::Ds389 || login.is_ascii()
    }

    /// Samba's one process does one thing at a time.
    fn bears(&self) -> usize {
        if self.peer.kind == Kind::ActiveDirectory { 8 } else { 40 }
    }

    fn line(&self) -> Option<&Proxy> {
        Some(&self.line)
    }
}
