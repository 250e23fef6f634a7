//! The URL of a Redis store. What is wrong with it is told without a piece of it: any of them may be a password.

use percent_encoding::percent_decode_str;
use url::Host;

use super::{RedisAddress, RedisTopology, user_name};
use crate::config::mistakes::{Fault, fault};

/// What the URL says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) topology: RedisTopology,
    pub(super) database: u16,
    pub(super) tls: bool,
    pub(super) username: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Redis,
    Rediss,
    Sentinel,
    Cluster,
}

/// The greatest number taken; Redis has 16 databases unless it is told otherwise.
const MOST_DATABASE: u16 = 16_383;
const PASSWORD_ELSEWHERE: &str = "put it into BEHALF_REDIS_PASSWORD or the file named by BEHALF_REDIS_PASSWORD_FILE";

impl Scheme {
    fn of(url: &str) -> Option<(Self, &str)> {
        let (scheme, rest) = url.split_once("://")?;
        let scheme = match scheme {
            "redis" => Self::Redis,
            "rediss" => Self::Rediss,
            "redis-sentinel" => Self::Sentinel,
            "redis-cluster" => Self::Cluster,
            _ => return None,
        };
        Some((scheme, rest))
    }

    /// How such a URL is written.
    fn form(self) -> &'static str {
        match self {
            Self::Redis => "write `redis://[user@]host[:6379][/db]`, an IPv6 host in brackets",
            Self::Rediss => "write `rediss://[user@]host[:6379][/db]`, an IPv6 host in brackets",
            Self::Sentinel => {
                "write `redis-sentinel://[user@]host[:26379],host2/<master-name>[/db][?tls=true]`, IPv6 hosts in \
                 brackets"
            }
            Self::Cluster => "write `redis-cluster://[user@]host[:6379],host2[?tls=true]`, IPv6 hosts in brackets",
        }
    }

    fn wrong(self, what: impl Into<String>) -> Fault {
        fault(what, self.form())
    }

    fn port(self) -> u16 {
        if self == Self::Sentinel { 26_379 } else { 6_379 }
    }
}

/// True if the scheme is one of ours.
pub(super) fn is_redis(url: &str) -> bool {
    Scheme::of(url).is_some()
}

/// Reads it.
pub(super) fn parse(url: &str) -> Result<Location, Fault> {
    let Some((scheme, rest)) = Scheme::of(url) else {
        return Err(fault("is no URL of a Redis store", Scheme::Redis.form()));
    };
    let (username, rest) = username(rest)?;
    if rest.contains('#') {
        return Err(scheme.wrong("has a fragment (`#`)"));
    }
    let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
    let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (topology, database) = topology(scheme, addresses(scheme, hosts)?, path)?;
    Ok(Location { topology, database, tls: tls(scheme, query)?, username })
}

/// All before the last `@`, wherever that stands: a password may hold any of the signs that end a URL's parts.
fn username(rest: &str) -> Result<(Option<String>, &str), Fault> {
    let Some((user, rest)) = rest.rsplit_once('@') else { return Ok((None, rest)) };
    let password = || fault("holds a password", PASSWORD_ELSEWHERE);
    if user.contains(':') {
        return Err(password());
    }
    if user.contains(['@', '/', '?', '#', ',']) {
        let remedy =
            format!("write the username once, before the first host; if it is a password, {PASSWORD_ELSEWHERE}");
        return Err(fault("has an `@` where none can be", remedy));
    }
    let Ok(user) = percent_decode_str(user).decode_utf8() else {
        return Err(fault("has a username that is not UTF-8", "percent-encode it from UTF-8"));
    };
    if user.contains(':') {
        return Err(password());
    }
    let user =
        user_name(&user).map_err(|Fault { remedy, .. }| fault("has a username that Redis doesn't take", remedy))?;
    Ok((Some(user), rest))
}

fn addresses(scheme: Scheme, hosts: &str) -> Result<Vec<RedisAddress>, Fault> {
    let each = hosts.split(',').enumerate();
    each.map(|(at, text)| address(text, scheme.port()).map_err(|what| scheme.wrong(format!("host {}: {what}", at + 1))))
        .collect()
}

fn address(text: &str, default_port: u16) -> Result<RedisAddress, &'static str> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    };
    if host.is_empty() {
        return Err("is empty");
    }
    let host = match Host::parse(host) {
        Ok(Host::Domain(name)) => name,
        Ok(Host::Ipv4(ip)) => ip.to_string(),
        Ok(Host::Ipv6(ip)) => ip.to_string(),
        Err(_) => return Err("is neither a name nor an IP address"),
    };
    let port = match port {
        None => default_port,
        Some(port) => digits(port).filter(|port| *port > 0).ok_or("its port is no number from 1 to 65535")?,
    };
    Ok(RedisAddress { host, port })
}

fn topology(scheme: Scheme, addresses: Vec<RedisAddress>, path: &str) -> Result<(RedisTopology, u16), Fault> {
    match scheme {
        Scheme::Redis | Scheme::Rediss => {
            let Ok([address]) = <[_; 1]>::try_from(addresses) else {
                let remedy = "name one, or use `redis-sentinel://…` or `redis-cluster://…`";
                return Err(fault("names more than one host", remedy));
            };
            Ok((RedisTopology::Standalone(address), database(scheme, path)?))
        }
        Scheme::Sentinel => {
            let (master, path) = path.split_once('/').unwrap_or((path, ""));
            let master = master_name(master)
                .ok_or_else(|| scheme.wrong("has no master's name, of letters, digits and `.-_`, behind the hosts"))?;
            Ok((RedisTopology::Sentinel { sentinels: addresses, master }, database(scheme, path)?))
        }
        Scheme::Cluster => match database(scheme, path)? {
            0 => Ok((RedisTopology::Cluster(addresses), 0)),
            _ => Err(fault("names a database, but a cluster has only database 0", "leave it out")),
        },
    }
}

/// What Sentinel's own documentation allows.
fn master_name(text: &str) -> Option<String> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b".-_".contains(&b);
    (!text.is_empty() && text.len() <= 255 && text.bytes().all(fits)).then(|| text.to_owned())
}

fn database(scheme: Scheme, path: &str) -> Result<u16, Fault> {
    if path.is_empty() {
        return Ok(0);
    }
    let number = digits(path).filter(|number| *number <= MOST_DATABASE);
    number.ok_or_else(|| scheme.wrong(format!("its database is no number from 0 to {MOST_DATABASE}")))
}

fn tls(scheme: Scheme, query: Option<&str>) -> Result<bool, Fault> {
    let by_scheme = scheme == Scheme::Rediss;
    let Some(query) = query else { return Ok(by_scheme) };
    match (scheme, query) {
        (Scheme::Sentinel | Scheme::Cluster, "tls=true") => Ok(true),
        (Scheme::Sentinel | Scheme::Cluster, "tls=false") => Ok(false),
        (Scheme::Sentinel | Scheme::Cluster, _) => {
            Err(scheme.wrong("has something else than `tls=true` or `tls=false` behind the `?`"))
        }
        (Scheme::Redis | Scheme::Rediss, _) => {
            let remedy = "leave it out; for TLS use `rediss://`, for the rest the settings BEHALF_REDIS_…";
            Err(fault("has something behind a `?`", remedy))
        }
    }
}

/// A number of digits alone: no sign.
fn digits(text: &str) -> Option<u16> {
    let all = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    all.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests;
