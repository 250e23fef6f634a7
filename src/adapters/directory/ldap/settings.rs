//! What the connector is told.

use std::{collections::BTreeMap, fmt, time::Duration};

use secrecy::SecretString;

/// Where the users are, and how they are described there.
#[derive(Clone)]
pub struct Settings {
    /// In the order in which they are tried; the one that takes changes goes first.
    pub servers: Vec<Server>,
    /// As whom we come.
    pub bind_dn: String,
    /// His password; not empty, or a server might take us for nobody in particular and say yes.
    pub password: SecretString,
    /// Below which all users are.
    pub base: String,
    /// Whose server it is.
    pub kind: Kind,
    /// What is called how.
    pub names: Names,
    /// Which entries are users (RFC 4515).
    pub user_filter: String,
    /// Connections at a time.
    pub connections: usize,
    /// How long an answer may take.
    pub timeout: Duration,
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// A name or an IP address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// How bytes travel.
    pub security: Security,
}

/// How bytes travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// TLS from the first byte (`ldaps://`).
    Tls,
    /// TLS before anything is asked.
    StartTls,
    /// Readable to all in between.
    Clear,
}

/// Whose server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `OpenLDAP`.
    OpenLdap,
    /// 389 Directory Server and its descendants.
    Ds389,
    /// Active Directory, Samba's too.
    ActiveDirectory,
}

/// The attributes that are used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The immutable id.
    pub id: String,
    /// The login.
    pub login: String,
    /// The agents that a user lists.
    pub agents: String,
    /// The user's groups (Active Directory: a group's members).
    pub groups: String,
    /// The user's type; `None`: users have no type.
    pub user_type: Option<String>,
    /// The auxiliary class that lets a user have agents.
    pub class: String,
    /// The profile: our name of an attribute, and the server's.
    pub profile: BTreeMap<String, String>,
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, security } = self;
        let scheme = if *security == Security::Tls { "ldaps" } else { "ldap" };
        if host.contains(':') { write!(f, "{scheme}://[{host}]:{port}") } else { write!(f, "{scheme}://{host}:{port}") }
    }
}
