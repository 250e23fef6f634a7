//! Redis as the store: where it is, as whom we come, and how long we wait.

use std::{collections::BTreeMap, fmt, time::Duration};

use secrecy::SecretString;

use super::{
    audit::Writers,
    duration::{duration_within, spell},
    mistakes::{Fault, Findings, Read, fault},
    parse,
    reader::Reader,
    server::StoreKind,
    settings::{self, Setting},
    tenant::Tenant,
};
use crate::domain::ids::TenantName;
use location::Location;

mod location;

/// A Redis store. Its `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct RedisSettings {
    /// The servers.
    pub topology: RedisTopology,
    /// The number of the database; 0 in a cluster.
    pub database: u16,
    /// Whether all connections, those to sentinels too, are TLS.
    pub tls: bool,
    /// The ACL user; `None`: the default user.
    pub username: Option<String>,
    /// The user's password. There is one wherever there is a username.
    pub password: Option<SecretString>,
    /// The ACL user at the sentinels.
    pub sentinel_username: Option<String>,
    /// That user's password. There is one wherever there is a sentinels' username.
    pub sentinel_password: Option<SecretString>,
    /// How the connections are called at the server: printable ASCII without spaces.
    pub client_name: String,
    /// Connections to each server.
    pub connections: usize,
    /// How long a connection may take to come about.
    pub connect_timeout: Duration,
    /// How long an answer may take.
    pub response_timeout: Duration,
}

/// How the servers stand together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedisTopology {
    /// One server, or one address that leads to it.
    Standalone(RedisAddress),
    /// A primary that sentinels know.
    Sentinel {
        /// The sentinels; at least one.
        sentinels: Vec<RedisAddress>,
        /// What they call the primary.
        master: String,
    },
    /// A cluster, by some of its nodes; at least one.
    Cluster(Vec<RedisAddress>),
}

/// Where a server listens. Displayed as `host:port`, an IPv6 host in brackets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RedisAddress {
    /// A name or an IP address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// Who writes to the store that `url` names: told by its scheme alone, so that what else follows from Redis is
/// checked beside a URL that is wrong.
pub(super) fn writers(url: &str) -> Writers {
    if location::is_redis(url) { Writers::Many } else { Writers::One }
}

/// Reads all settings of the Redis store at `url`.
pub(super) fn redis(r: &mut Reader<'_>, url: &str) -> Read<RedisSettings> {
    let location = location::parse(url).map_err(|fault| r.wrong(&settings::STORE, fault));
    let in_url = location.as_ref().ok().and_then(|location| location.username.clone());
    let user = username(r, in_url);
    let account = account(r, user, &settings::REDIS_PASSWORD);
    let sentinel_user = r.optional(&settings::REDIS_SENTINEL_USERNAME, user_name);
    let sentinel_account = self::account(r, sentinel_user, &settings::REDIS_SENTINEL_PASSWORD);
    let client_name = r.value(&settings::REDIS_CLIENT_NAME, client_name);
    let connections = r.value(&settings::REDIS_CONNECTIONS, parse::number(1..=16));
    let within = || duration_within(Duration::from_millis(50)..=Duration::from_secs(30));
    let connect_timeout = r.value(&settings::REDIS_CONNECT_TIMEOUT, within());
    let response_timeout = r.value(&settings::REDIS_RESPONSE_TIMEOUT, within());
    let Location { topology, database, tls, .. } = location?;
    if !matches!(topology, RedisTopology::Sentinel { .. }) {
        let of_sentinels = [settings::REDIS_SENTINEL_USERNAME, settings::REDIS_SENTINEL_PASSWORD];
        warn_of(r, of_sentinels.iter(), "without sentinels (`redis-sentinel://…` as BEHALF_STORE)");
    }
    let ((username, password), (sentinel_username, sentinel_password)) = (account?, sentinel_account?);
    Ok(RedisSettings {
        topology,
        database,
        tls,
        username,
        password,
        sentinel_username,
        sentinel_password,
        client_name: client_name?,
        connections: connections?,
        connect_timeout: connect_timeout?,
        response_timeout: response_timeout?,
    })
}

/// Settings of Redis that are given where another store is used are worth a word.
pub(super) fn warn_if_given(r: &mut Reader<'_>) {
    let of_redis = settings::all().filter(|setting| setting.key.starts_with("store.redis."));
    warn_of(r, of_redis, "unless Redis is the store (BEHALF_STORE)");
}

fn warn_of<'s>(r: &mut Reader<'_>, settings: impl Iterator<Item = &'s Setting>, unless: &str) {
    for setting in settings.filter(|setting| r.is_given(setting)).collect::<Vec<_>>() {
        let place = r.place(setting);
        r.found.warnings.push(format!("{place}: means nothing {unless}"));
    }
}

/// An answer that is waited for longer than a commit may take is worth a word.
pub(super) fn warn_if_slow(store: &StoreKind, tenants: &BTreeMap<TenantName, Tenant>, found: &mut Findings) {
    let StoreKind::Redis(redis) = store else { return };
    for (name, tenant) in tenants.iter().filter(|(_, tenant)| tenant.budgets.commit < redis.response_timeout) {
        found.warnings.push(format!(
            "{}: {} is longer than the {} that a commit of tenant `{name}` may take ({})",
            settings::REDIS_RESPONSE_TIMEOUT.env,
            spell(redis.response_timeout),
            spell(tenant.budgets.commit),
            settings::BUDGET_COMMIT.env
        ));
    }
}

fn username(r: &mut Reader<'_>, in_url: Option<String>) -> Read<Option<String>> {
    let given = r.optional(&settings::REDIS_USERNAME, user_name)?;
    match (given, in_url) {
        (Some(given), Some(in_url)) if given != in_url => {
            let what = format!("is another than the one in {}", settings::STORE.env);
            Err(r.wrong(&settings::REDIS_USERNAME, fault(what, "keep one of them")))
        }
        (given, in_url) => Ok(given.or(in_url)),
    }
}

type Account = (Option<String>, Option<SecretString>);

fn account(r: &mut Reader<'_>, username: Read<Option<String>>, password: &Setting) -> Read<Account> {
    let secret = r.optional(password, secret);
    let (username, secret) = (username?, secret?);
    if username.is_some() && secret.is_none() {
        let remedy = format!("give it, or its file by {}_FILE, or leave the username out", password.env);
        return Err(r.wrong(password, fault("is missing beside the username", remedy)));
    }
    Ok((username, secret))
}

/// The name of an ACL user. Never shown where it is wrong: it may be a password at the wrong place.
fn user_name(text: &str) -> Result<String, Fault> {
    let fits = |c: char| !c.is_whitespace() && !c.is_control();
    if text.is_empty() || text.len() > 512 || !text.chars().all(fits) {
        return Err(fault("can't be the name of a Redis user", "give a name without spaces"));
    }
    Ok(text.to_owned())
}

fn secret(text: &str) -> Result<SecretString, Fault> {
    if text.is_empty() || text.trim() != text || text.chars().any(char::is_control) {
        // Never the value itself.
        let remedy = "give one line of text without a space at either end";
        return Err(fault("is empty, or holds a line's end or a space at one of its ends", remedy));
    }
    Ok(SecretString::from(text))
}

/// What Redis takes (`CLIENT SETNAME`).
fn client_name(text: &str) -> Result<String, Fault> {
    if text.is_empty() || text.len() > 255 || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(fault("is no client's name for Redis", "give printable ASCII without spaces, 255 at most"));
    }
    Ok(text.to_owned())
}
