//! LDAP servers as processes of their own, and a way into them past the connector.

use std::{
    collections::HashSet,
    fmt::Write as _,
    path::PathBuf,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use behalf::{
    adapters::{
        directory::ldap::{Kind, LdapDirectory, Names, Security, Server, Settings, Trust},
        system::{OsEntropy, SystemClock},
    },
    domain::ids::UserId,
};
use ldap3::{Ldap, LdapConnAsync, Mod, Scope, SearchEntry};

use self::process::Running;
use crate::support::{
    peers::{heavy, missing},
    redis::tls_file,
};

mod ds389;
mod process;
mod samba;
mod slapd;

pub(crate) use slapd::ACCESS;

/// Who signs in.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) dn: String,
    pub(crate) password: String,
}

impl Account {
    fn new(dn: &str, password: &str) -> Self {
        Self { dn: dn.to_owned(), password: password.to_owned() }
    }
}

/// A running server. Killed when it is dropped, and when the test process ends in any way.
pub(crate) struct Peer {
    pub(crate) kind: Kind,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls_port: u16,
    pub(crate) base: String,
    /// The tests' own way in.
    pub(crate) admin: Account,
    /// As whom the service comes.
    pub(crate) service: Account,
    folder: PathBuf,
    running: Option<Running>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.running = None;
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

/// Whether the program is there. If not, that is said, and under CI it is a failure.
fn is_installed(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", "PATH=$PATH:/usr/sbin command -v \"$1\"", "sh", program]).output();
    if found.is_ok_and(|found| found.status.success()) {
        return true;
    }
    missing::<()>(program);
    false
}

/// A number that nobody else has.
fn number() -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

impl Peer {
    /// Where it listens.
    pub(crate) fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    pub(crate) fn kill(&mut self) {
        drop(self.running.take().unwrap());
    }

    pub(crate) async fn restart(&mut self) {
        assert!(self.running.is_none(), "it runs still");
        self.launch().await.unwrap_or_else(|why| panic!("it doesn't start again: {why}"));
    }

    /// A server at `address` as the connector is told of it.
    pub(crate) fn server(address: &str, security: Security) -> Server {
        let (host, port) = address.rsplit_once(':').unwrap();
        Server { host: host.to_owned(), port: port.parse().unwrap(), security }
    }

    /// What the service is told, with servers at these addresses, in the clear.
    pub(crate) fn settings(&self, addresses: &[&str]) -> Settings {
        let servers = addresses.iter().map(|address| Self::server(address, Security::Clear)).collect();
        settings(self.kind, &self.service, &self.base, servers)
    }

    /// The same for a server that is none, at this address.
    pub(crate) fn of_nobody(address: &str) -> Settings {
        let account = Account::new("cn=behalf,dc=example,dc=test", "the service's password");
        settings(Kind::OpenLdap, &account, "dc=example,dc=test", vec![Self::server(address, Security::Clear)])
    }

    /// The connector with these settings; it trusts the tests' own authority.
    pub(crate) fn connector(settings: Settings) -> LdapDirectory {
        let trust = Trust::load(Some(&tls_file("ca.pem"))).unwrap();
        LdapDirectory::new(settings, trust, Arc::new(SystemClock), Arc::new(OsEntropy))
    }

    /// The connector straight to the server.
    pub(crate) fn direct(&self) -> LdapDirectory {
        Self::connector(self.settings(&[&self.address()]))
    }

    async fn try_admin(&self) -> ldap3::result::Result<Ldap> {
        let (conn, mut ldap) = LdapConnAsync::new(&format!("ldap://{}", self.address())).await?;
        ldap3::drive!(conn);
        ldap.simple_bind(&self.admin.dn, &self.admin.password).await?.success()?;
        Ok(ldap)
    }

    /// The tests' own connection.
    pub(crate) async fn admin(&self) -> Ldap {
        self.try_admin().await.unwrap()
    }

    pub(crate) async fn add(&self, dn: &str, attributes: &[(&str, &[&str])]) {
        let set = |values: &[&str]| values.iter().map(|value| value.as_bytes().to_vec()).collect::<HashSet<_>>();
        let all = attributes.iter().map(|(name, values)| (name.as_bytes().to_vec(), set(values))).collect();
        let result = self.admin().await.add(dn, all).await.unwrap();
        assert_eq!(result.rc, 0, "{dn}: {result}");
    }

    /// Sets the attribute's values.
    pub(crate) async fn replace(&self, dn: &str, attribute: &str, values: &[&str]) {
        let set: HashSet<&str> = values.iter().copied().collect();
        let result = self.admin().await.modify(dn, vec![Mod::Replace(attribute, set)]).await.unwrap();
        assert_eq!(result.rc, 0, "{dn}: {result}");
    }

    async fn fill(&self) {
        if self.kind != Kind::ActiveDirectory {
            self.add(&self.base, &[("objectClass", &["domain"]), ("dc", &["example"])]).await;
            for unit in ["people", "groups"] {
                let dn = format!("ou={unit},{}", self.base);
                self.add(&dn, &[("objectClass", &["organizationalUnit"]), ("ou", &[unit])]).await;
            }
        }
        if self.kind == Kind::OpenLdap {
            let password = self.service.password.as_str();
            let attributes: [(&str, &[&str]); 3] = [
                ("objectClass", &["applicationProcess", "simpleSecurityObject"]),
                ("cn", &["behalf"]),
                ("userPassword", &[password]),
            ];
            self.add(&self.service.dn, &attributes).await;
        }
    }

    /// Makes an active user; gives his name and his id.
    pub(crate) async fn put(&self, login: &str) -> (String, UserId) {
        let number = number();
        let base = &self.base;
        let dn = if self.kind == Kind::ActiveDirectory {
            let dn = format!("CN=u{number},CN=Users,{base}");
            let account = format!("u{number}");
            let attributes: [(&str, &[&str]); 4] = [
                ("objectClass", &["user"]),
                ("sAMAccountName", &[&account]),
                ("userPrincipalName", &[login]),
                // An ordinary account that needs no password.
                ("userAccountControl", &["544"]),
            ];
            self.add(&dn, &attributes).await;
            dn
        } else {
            let name = format!("u{number}");
            let dn = format!("cn={name},ou=people,{base}");
            let attributes: [(&str, &[&str]); 4] =
                [("objectClass", &["inetOrgPerson"]), ("cn", &[&name]), ("uid", &[login]), ("sn", &["Surname"])];
            self.add(&dn, &attributes).await;
            dn
        };
        let id = self.id_of(&dn).await;
        (dn, UserId::parse(&id).unwrap())
    }

    /// The immutable id of an entry.
    pub(crate) async fn id_of(&self, dn: &str) -> String {
        let name = &self.settings(&[]).names.id;
        let found = self.admin().await.search(dn, Scope::Base, "(objectClass=*)", vec![name]).await.unwrap();
        let entry = SearchEntry::construct(found.success().unwrap().0.pop().unwrap());
        if self.kind == Kind::ActiveDirectory {
            let bytes = entry.bin_attrs.get(name).map_or_else(|| entry.attrs[name][0].as_bytes(), |all| &all[0]);
            return guid(bytes);
        }
        let (_, values) = entry.attrs.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).unwrap();
        values[0].clone()
    }

    /// The name of the entry with that id.
    pub(crate) async fn dn_of(&self, id: &str) -> String {
        if self.kind == Kind::ActiveDirectory {
            return format!("<GUID={id}>");
        }
        let filter = format!("({}={})", self.settings(&[]).names.id, ldap3::ldap_escape(id));
        let found = self.admin().await.search(&self.base, Scope::Subtree, &filter, vec!["1.1"]).await.unwrap();
        SearchEntry::construct(found.success().unwrap().0.pop().unwrap()).dn
    }

    /// Makes the account one that doesn't work.
    pub(crate) async fn suspend(&self, id: &UserId) {
        let dn = self.dn_of(id.as_str()).await;
        let (attribute, value) = match self.kind {
            Kind::OpenLdap => ("pwdAccountLockedTime", "000001010000Z"),
            Kind::Ds389 => ("nsAccountLock", "true"),
            Kind::ActiveDirectory => ("userAccountControl", "546"),
        };
        self.replace(&dn, attribute, &[value]).await;
    }

    pub(crate) async fn delete(&self, id: &UserId) {
        let dn = self.dn_of(id.as_str()).await;
        let result = self.admin().await.delete(&dn).await.unwrap();
        assert_eq!(result.rc, 0, "{result}");
    }

    /// Makes a group of these entries; gives its name and its id.
    pub(crate) async fn group(&self, members: &[String]) -> (String, String) {
        let name = format!("g{}", number());
        let members: Vec<&str> = members.iter().map(String::as_str).collect();
        let base = &self.base;
        let own_name = [name.as_str()];
        let (dn, mut attributes): (String, Vec<(&str, &[&str])>) = if self.kind == Kind::ActiveDirectory {
            let named: [(&str, &[&str]); 2] = [("objectClass", &["group"]), ("sAMAccountName", &own_name)];
            (format!("CN={name},CN=Users,{base}"), named.to_vec())
        } else {
            let named: [(&str, &[&str]); 2] = [("objectClass", &["groupOfNames"]), ("cn", &own_name)];
            (format!("cn={name},ou=groups,{base}"), named.to_vec())
        };
        if !members.is_empty() {
            attributes.push(("member", &members));
        }
        self.add(&dn, &attributes).await;
        let id = self.id_of(&dn).await;
        (dn, id)
    }

    /// Sets a user's list of agents.
    pub(crate) async fn list(&self, id: &UserId, agents: &[&str]) {
        let dn = self.dn_of(id.as_str()).await;
        if self.kind != Kind::ActiveDirectory {
            let class = HashSet::from(["delegationSubject"]);
            let result = self.admin().await.modify(&dn, vec![Mod::Add("objectClass", class)]).await.unwrap();
            assert!(matches!(result.rc, 0 | 20), "{result}");
        }
        self.replace(&dn, "delegatedAgents", agents).await;
    }
}

/// As Microsoft writes it.
fn guid(bytes: &[u8]) -> String {
    let order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    let mut text = String::new();
    for (at, from) in order.into_iter().enumerate() {
        let dash = if matches!(at, 4 | 6 | 8 | 10) { "-" } else { "" };
        write!(text, "{dash}{:02x}", bytes[from]).unwrap();
    }
    text
}

fn settings(kind: Kind, account: &Account, base: &str, servers: Vec<Server>) -> Settings {
    let (id, login, groups) = match kind {
        Kind::OpenLdap => ("entryUUID", "uid", "memberOf"),
        Kind::Ds389 => ("nsUniqueId", "uid", "memberOf"),
        Kind::ActiveDirectory => ("objectGUID", "userPrincipalName", "member"),
    };
    let profile = [("email", "mail"), ("lastName", "sn"), ("secret", "userPassword"), ("phones", "telephoneNumber")];
    let names = Names {
        id: id.to_owned(),
        login: login.to_owned(),
        agents: "delegatedAgents".to_owned(),
        groups: groups.to_owned(),
        user_type: Some("employeeType".to_owned()),
        class: "delegationSubject".to_owned(),
        profile: profile.into_iter().map(|(ours, theirs)| (ours.to_owned(), theirs.to_owned())).collect(),
    };
    Settings {
        servers,
        bind_dn: account.dn.clone(),
        password: account.password.clone().into(),
        base: base.to_owned(),
        kind,
        names,
        user_filter: match kind {
            Kind::OpenLdap | Kind::Ds389 => "(objectClass=person)".to_owned(),
            Kind::ActiveDirectory => "(&(objectCategory=person)(objectClass=user))".to_owned(),
        },
        connections: 2,
        timeout: Duration::from_millis(1300),
    }
}
