//! `OpenLDAP`, a process for each test that wants one of its own.

use std::{fs, path::PathBuf, process::Command};

use behalf::adapters::directory::ldap::Kind;

use super::{Account, Peer, process::Running};
use crate::support::{ports, redis::tls_file};

/// What the account of the service may: the rules of the README.
pub(crate) const ACCESS: &str = "\
access to attrs=delegatedAgents,looseAgents by dn.exact=\"cn=behalf,dc=example,dc=test\" write by * read
access to attrs=objectClass by dn.exact=\"cn=behalf,dc=example,dc=test\" write by * read";

const BASE: &str = "dc=example,dc=test";

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/ldap").join(name)
}

fn command(folder: &std::path::Path, port: u16, tls_port: u16) -> Command {
    let mut command = Command::new("slapd");
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    command.env_clear().env("PATH", path).args(["-d", "0", "-f"]).arg(folder.join("slapd.conf"));
    command.args(["-h", &format!("ldap://127.0.0.1:{port}/ ldaps://127.0.0.1:{tls_port}/")]);
    command
}

impl Peer {
    /// One with these rules of access, and `config` lines for who may read the configuration. `None`: it isn't
    /// installed, which was said.
    pub(crate) async fn slapd_with(access: &str, config: &str) -> Option<Self> {
        if !super::is_installed("slapd") {
            return None;
        }
        let folder = tempfile::Builder::new().prefix("behalf-slapd-").tempdir().unwrap().keep();
        fs::create_dir(folder.join("db")).unwrap();
        let text = fs::read_to_string(fixture("slapd.conf")).unwrap();
        let text = text
            .replace("@SCHEMA@", fixture("delegation.schema").to_str().unwrap())
            .replace("@FOLDER@", folder.to_str().unwrap())
            .replace("@TLS@", tls_file("").to_str().unwrap().trim_end_matches('/'))
            .replace("@CONFIG@", config)
            .replace("@ACCESS@", access);
        fs::write(folder.join("slapd.conf"), text).unwrap();
        let mut tries = 0;
        loop {
            let (port, tls_port) = (ports::free(), ports::free());
            let mut peer = Self {
                kind: Kind::OpenLdap,
                host: "127.0.0.1".to_owned(),
                port,
                tls_port,
                base: BASE.to_owned(),
                admin: Account::new("cn=admin,dc=example,dc=test", "secret"),
                service: Account::new("cn=behalf,dc=example,dc=test", "the service's password"),
                folder: folder.clone(),
                running: None,
            };
            match peer.launch().await {
                Ok(()) => {
                    peer.fill().await;
                    return Some(peer);
                }
                // Somebody was faster; the next port is another one.
                Err(why) => assert!(tries < 5, "slapd doesn't start: {why}"),
            }
            tries += 1;
        }
    }

    /// One with the rules of the README.
    pub(crate) async fn slapd() -> Option<Self> {
        Self::slapd_with(ACCESS, "").await
    }

    /// Starts it, for the first time or again.
    pub(super) async fn launch(&mut self) -> Result<(), String> {
        let mut command = match self.kind {
            Kind::OpenLdap => command(&self.folder, self.port, self.tls_port),
            Kind::Ds389 => super::ds389::command(&self.folder),
            Kind::ActiveDirectory => super::samba::command(&self.folder),
        };
        let mut running = Running::start(&mut command, &self.folder).map_err(|error| error.to_string())?;
        let ready = running.ready(&self.folder, async || self.try_admin().await.is_ok()).await;
        self.running = Some(running);
        ready
    }
}
