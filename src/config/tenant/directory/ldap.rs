//! An LDAP server as the directory: where it is, as whom we come, and what is called how.

use std::collections::BTreeMap;

use secrecy::SecretString;
use url::Host;

use crate::config::{
    mistakes::{Fault, Read, fault},
    parse,
    reader::Reader,
    settings,
};

/// The LDAP directory. Its `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct LdapSettings {
    /// The servers, in the order in which they are tried; at least one.
    pub servers: Vec<LdapServer>,
    /// Whose server it is.
    pub kind: LdapKind,
    /// As whom we come.
    pub bind_dn: String,
    /// His password; not empty.
    pub bind_password: SecretString,
    /// Below which all users are.
    pub base: String,
    /// Which entries are users.
    pub user_filter: String,
    /// The server's names of attributes by ours; all of [`LDAP_ROLES`] but `type` are there.
    pub attributes: BTreeMap<String, String>,
    /// Connections for hooks; everything else has a quarter of it.
    pub connections: usize,
}

/// A server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LdapServer {
    /// A name or an IP address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// How bytes travel.
    pub security: LdapSecurity,
}

/// How bytes travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LdapSecurity {
    /// TLS from the first byte.
    Tls,
    /// TLS before anything is asked.
    StartTls,
    /// None.
    Clear,
}

/// Whose server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LdapKind {
    /// `OpenLDAP`.
    OpenLdap,
    /// 389 Directory Server and its descendants.
    Ds389,
    /// Active Directory, Samba's too.
    ActiveDirectory,
}

/// What the attribute map names besides attributes of the profile.
pub const LDAP_ROLES: &[&str] = &["id", "login", "agents", "groups", "type", "class"];

const KINDS: &[(&str, LdapKind)] =
    &[("openldap", LdapKind::OpenLdap), ("389ds", LdapKind::Ds389), ("ad", LdapKind::ActiveDirectory)];

impl LdapKind {
    /// As if `BEHALF_LDAP_ATTRIBUTES` said so.
    fn attributes(self) -> BTreeMap<String, String> {
        let (id, login, groups) = match self {
            Self::OpenLdap => ("entryUUID", "uid", "memberOf"),
            Self::Ds389 => ("nsUniqueId", "uid", "memberOf"),
            Self::ActiveDirectory => ("objectGUID", "userPrincipalName", "member"),
        };
        let organization = if self == Self::ActiveDirectory { "company" } else { "o" };
        let all = [
            ("id", id),
            ("login", login),
            ("agents", "delegatedAgents"),
            ("class", "delegationSubject"),
            ("groups", groups),
            ("firstName", "givenName"),
            ("lastName", "sn"),
            ("email", "mail"),
            ("organization", organization),
        ];
        all.into_iter().map(|(ours, theirs)| (ours.to_owned(), theirs.to_owned())).collect()
    }

    fn user_filter(self) -> &'static str {
        match self {
            Self::OpenLdap | Self::Ds389 => "(objectClass=person)",
            Self::ActiveDirectory => "(&(objectCategory=person)(objectClass=user))",
        }
    }
}

/// Reads all settings of the LDAP directory.
pub(super) fn ldap(r: &mut Reader<'_>) -> Read<LdapSettings> {
    let servers = servers(r);
    let kind = r.value(&settings::LDAP_KIND, parse::choice(KINDS));
    let bind_dn = r.value(&settings::LDAP_BIND_DN, parse::text);
    let bind_password = r.value(&settings::LDAP_BIND_PASSWORD, password);
    let base = r.value(&settings::LDAP_BASE, dn);
    let user_filter = r.optional(&settings::LDAP_USER_FILTER, filter);
    let map = r.list(&settings::LDAP_ATTRIBUTES, mapped);
    let connections = r.value(&settings::LDAP_CONNECTIONS, parse::number(1..=64));
    let kind = kind?;
    let mut attributes = kind.attributes();
    attributes.extend(once_each(r, map?)?);
    Ok(LdapSettings {
        servers: servers?,
        kind,
        bind_dn: bind_dn?,
        bind_password: bind_password?,
        base: base?,
        user_filter: user_filter?.unwrap_or_else(|| kind.user_filter().to_owned()),
        attributes,
        connections: connections?,
    })
}

fn servers(r: &mut Reader<'_>) -> Read<Vec<LdapServer>> {
    let servers = r.list(&settings::LDAP_URL, server);
    let start_tls = r.value(&settings::LDAP_STARTTLS, parse::switch);
    let mut servers = servers?;
    if servers.is_empty() {
        let remedy = "name the servers, such as `ldaps://ldap.example.com`, the one that takes changes first";
        return Err(r.wrong(&settings::LDAP_URL, fault("is missing", remedy)));
    }
    if start_tls? {
        return Ok(servers);
    }
    for server in servers.iter_mut().filter(|server| server.security == LdapSecurity::StartTls) {
        if !r.sources.development && !parse::is_loopback(&server.host) {
            let remedy = "leave it on, use ldaps://, or set BEHALF_ENV=development where it can't harm";
            let what = format!("would send the password to `{}` in the clear", server.host);
            return Err(r.wrong(&settings::LDAP_STARTTLS, fault(what, remedy)));
        }
        server.security = LdapSecurity::Clear;
    }
    Ok(servers)
}

/// Never shown where it is wrong: it may hold a password.
fn server(text: &str) -> Result<LdapServer, Fault> {
    let wrong = |what: &str| fault(what, "write `ldaps://host[:636]` or `ldap://host[:389]`, an IPv6 host in brackets");
    let (security, port, rest) = match text.split_once("://") {
        Some(("ldap", rest)) => (LdapSecurity::StartTls, 389, rest),
        Some(("ldaps", rest)) => (LdapSecurity::Tls, 636, rest),
        _ => return Err(wrong("is no URL of an LDAP server")),
    };
    if rest.contains('@') {
        return Err(wrong("names an account; that goes into BEHALF_LDAP_BIND_DN"));
    }
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, digits)) if !digits.contains(']') => {
            let number = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
            (host, number.filter(|port| *port > 0).ok_or_else(|| wrong("has a port that is no number up to 65535"))?)
        }
        _ => (rest, port),
    };
    let host = match Host::parse(host) {
        Ok(Host::Domain(name)) => name,
        Ok(Host::Ipv4(ip)) => ip.to_string(),
        Ok(Host::Ipv6(ip)) => ip.to_string(),
        Err(_) => return Err(wrong("has neither a name nor an IP address as its host")),
    };
    Ok(LdapServer { host, port, security })
}

/// An empty one would make nobody in particular of us, and some servers say yes to that.
fn password(text: &str) -> Result<SecretString, Fault> {
    if text.is_empty() || text.chars().any(|c| matches!(c, '\0' | '\n' | '\r')) {
        return Err(fault("is empty, or has more than one line", "give the account's password"));
    }
    Ok(SecretString::from(text))
}

fn dn(text: &str) -> Result<String, Fault> {
    let text = parse::text(text)?;
    if !text.contains('=') {
        return Err(fault(format!("`{text}` is no distinguished name"), "write it like `ou=people,dc=example,dc=com`"));
    }
    Ok(text)
}

fn filter(text: &str) -> Result<String, Fault> {
    let wrong = || fault(format!("`{text}` is no LDAP filter"), "write it like `(objectClass=inetOrgPerson)`");
    let enclosed = text.starts_with('(') && text.len() <= 2048;
    enclosed.then(|| ldap3::parse_filter(text).ok()).flatten().map(|_| text.to_owned()).ok_or_else(wrong)
}

fn mapped(text: &str) -> Result<(String, String), Fault> {
    let wrong = || fault(format!("`{text}` is no pair of names"), "write pairs such as `login=uid email=mail`");
    let (ours, theirs) = text.split_once('=').ok_or_else(wrong)?;
    if parse::word(ours).is_err() || !is_attribute(theirs) {
        return Err(wrong());
    }
    Ok((ours.to_owned(), theirs.to_owned()))
}

/// The name of an attribute, or its number, with options (RFC 4512, 2.5).
pub fn is_attribute(text: &str) -> bool {
    let key = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let mut parts = text.split(';');
    let name = parts.next().unwrap_or_default();
    let named = name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(key);
    let numbered = !name.is_empty() && name.split('.').all(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    text.len() <= 128 && (named || numbered) && parts.all(|option| !option.is_empty() && option.chars().all(key))
}

fn once_each(r: &mut Reader<'_>, pairs: Vec<(String, String)>) -> Read<BTreeMap<String, String>> {
    let mut map = BTreeMap::new();
    for (ours, theirs) in pairs {
        if map.insert(ours.clone(), theirs).is_some() {
            return Err(r.wrong(&settings::LDAP_ATTRIBUTES, fault(format!("`{ours}` is given twice"), "keep one")));
        }
    }
    Ok(map)
}
