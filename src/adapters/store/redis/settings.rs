//! Where the servers are, and how they are talked to.

use std::{sync::Arc, time::Duration};

use redis::RedisConnectionInfo;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::runtime::Handle;

use super::stream::Trust;
use crate::ports::entropy::Entropy;

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// Name or IP address; IPv6 without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// How the servers are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topology {
    /// One server.
    Standalone(Address),
    /// Whichever server these sentinels call the master of that name.
    Sentinel {
        /// Where the sentinels listen.
        sentinels: Vec<Address>,
        /// The master's name.
        master: String,
    },
    /// A cluster; some of its nodes.
    Cluster(Vec<Address>),
}

/// A user and password of Redis.
#[derive(Clone, Default)]
pub struct Login {
    /// The user; without one, Redis' own `default`.
    pub username: Option<String>,
    /// The password.
    pub password: Option<SecretString>,
}

/// How servers are talked to.
#[derive(Clone)]
pub struct Dial {
    /// What is trusted, where TLS is spoken.
    pub tls: Option<Trust>,
    /// The database.
    pub database: u16,
    /// For the servers.
    pub login: Login,
    /// For the sentinels.
    pub sentinel_login: Login,
    /// How the connections are named in `CLIENT LIST`.
    pub client_name: String,
    /// Connections to each server.
    pub connections: usize,
    /// For a connection to come about.
    pub connect_timeout: Duration,
    /// For a command to be answered.
    pub response_timeout: Duration,
    /// Where connections live; they outlast the request that wanted them.
    pub runtime: Handle,
    /// For pauses that aren't everybody's.
    pub entropy: Arc<dyn Entropy>,
}

impl Dial {
    pub(super) fn login(&self) -> RedisConnectionInfo {
        let mut info = RedisConnectionInfo::default().set_db(i64::from(self.database)).set_skip_set_lib_name();
        if let Some(username) = &self.login.username {
            info = info.set_username(username);
        }
        match &self.login.password {
            Some(password) => info.set_password(password.expose_secret()),
            None => info,
        }
    }

    pub(super) fn for_sentinels(&self) -> Self {
        Self { database: 0, login: self.sentinel_login.clone(), ..self.clone() }
    }
}
