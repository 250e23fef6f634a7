//! 389 Directory Server. Its installer makes a configuration in a folder of ours and stops there, because that isn't
//! where it expects one; the rest is done here.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use behalf::adapters::directory::ldap::Kind;
use tokio::sync::OnceCell;

use super::{Account, Peer};
use crate::support::ports;

const PASSWORD: &str = "Secret of the manager";

const FOLDERS: &[(&str, &str)] = &[
    ("config_dir", "etc"),
    ("schema_dir", "etc/schema"),
    ("cert_dir", "etc"),
    ("db_dir", "db"),
    ("db_home_dir", "dbhome"),
    ("ldif_dir", "ldif"),
    ("backup_dir", "bak"),
    ("log_dir", "log"),
    ("lock_dir", "lock"),
    ("run_dir", "run"),
    ("inst_dir", "inst"),
    ("tmp_dir", "tmp"),
    ("local_state_dir", "state"),
    ("initconfig_dir", "init"),
    ("ldapi", "run/socket"),
];

pub(super) fn command(folder: &Path) -> Command {
    let mut command = Command::new("/usr/sbin/ns-slapd");
    command.arg("-D").arg(folder.join("etc")).arg("-i").arg(folder.join("pid")).args(["-d", "0"]);
    command
}

fn configure(folder: &Path, port: u16) {
    let mut text = "[general]\nfull_machine_name = localhost\nstart = False\nsystemd = False\n\
        strict_host_checking = False\nselinux = False\n[slapd]\ninstance_name = behalf\n\
        root_dn = cn=Directory Manager\nroot_password = replaced later\nuser = root\ngroup = root\n\
        self_sign_cert = True\n"
        .to_owned();
    writeln!(text, "port = {port}").unwrap();
    for (name, at) in FOLDERS {
        writeln!(text, "{name} = {}", folder.join(at).display()).unwrap();
    }
    fs::write(folder.join("inf"), text).unwrap();
    // It fails over what it can't find; what it has written by then is what is wanted.
    let said = Command::new("dscreate").arg("from-file").arg(folder.join("inf")).output().unwrap();
    let file = folder.join("etc/dse.ldif");
    let made = fs::read_to_string(&file);
    let made = made.unwrap_or_else(|_| panic!("dscreate makes nothing: {}", String::from_utf8_lossy(&said.stderr)));
    let hash = Command::new("pwdhash").arg("-D").arg(folder.join("etc")).args(["-s", "SSHA512", PASSWORD]).output();
    let hash = String::from_utf8(hash.unwrap().stdout).unwrap();
    let mut in_memberof = false;
    let mut changed = String::new();
    for line in made.replace("\n ", "").lines() {
        in_memberof = (in_memberof && !line.is_empty()) || line.starts_with("dn: cn=MemberOf Plugin,");
        match line.to_ascii_lowercase().as_str() {
            _ if line.starts_with("nsslapd-rootpw:") => writeln!(changed, "nsslapd-rootpw: {}", hash.trim()),
            _ if line.starts_with("nsslapd-port:") => writeln!(changed, "{line}\nnsslapd-listenhost: 127.0.0.1"),
            "nsslapd-pluginenabled: off" if in_memberof => {
                writeln!(changed, "nsslapd-pluginEnabled: on\nmemberofautoaddoc: nsMemberOf")
            }
            _ => writeln!(changed, "{line}"),
        }
        .unwrap();
    }
    fs::write(file, changed).unwrap();
}

impl Peer {
    /// The one of this process. `None` where it isn't wanted or can't be had, which was said.
    pub(crate) async fn ds389() -> Option<&'static Self> {
        static PEER: OnceCell<Option<Peer>> = OnceCell::const_new();
        PEER.get_or_init(Self::start_389).await.as_ref()
    }

    async fn start_389() -> Option<Self> {
        if !super::heavy("389 Directory Server") || !super::is_installed("ns-slapd") || !super::is_installed("dscreate")
        {
            return None;
        }
        let folder: PathBuf = tempfile::Builder::new().prefix("behalf-389-").tempdir().unwrap().keep();
        let port = ports::free();
        configure(&folder, port);
        let mut peer = Self {
            kind: Kind::Ds389,
            host: "127.0.0.1".to_owned(),
            port,
            tls_port: 0,
            base: "dc=example,dc=test".to_owned(),
            admin: Account::new("cn=Directory Manager", PASSWORD),
            service: Account::new("cn=behalf,dc=example,dc=test", "the service's password"),
            folder,
            running: None,
        };
        peer.launch().await.unwrap_or_else(|why| panic!("389 Directory Server doesn't start: {why}"));
        peer.make_backend().await;
        peer.fill().await;
        peer.let_service_in().await;
        Some(peer)
    }

    async fn make_backend(&self) {
        let backend = "cn=userroot,cn=ldbm database,cn=plugins,cn=config";
        self.add(
            backend,
            &[
                ("objectClass", &["extensibleObject", "nsBackendInstance"]),
                ("cn", &["userroot"]),
                ("nsslapd-suffix", &[&self.base]),
            ],
        )
        .await;
        self.add(
            "cn=dc\\3Dexample\\2Cdc\\3Dtest,cn=mapping tree,cn=config",
            &[
                ("objectClass", &["top", "extensibleObject", "nsMappingTree"]),
                ("cn", &[&self.base]),
                ("nsslapd-state", &["backend"]),
                ("nsslapd-backend", &["userroot"]),
            ],
        )
        .await;
        let schema = [
            (
                "attributeTypes",
                "( 1.3.6.1.4.1.99999.1.1 NAME 'delegatedAgents' EQUALITY caseExactMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )",
            ),
            (
                "objectClasses",
                "( 1.3.6.1.4.1.99999.2.1 NAME 'delegationSubject' SUP top AUXILIARY MAY delegatedAgents )",
            ),
        ];
        for (name, value) in schema {
            let change = ldap3::Mod::Add(name, std::collections::HashSet::from([value]));
            let result = self.admin().await.modify("cn=schema", vec![change]).await.unwrap();
            assert_eq!(result.rc, 0, "{result}");
        }
    }

    /// The rules of the README.
    async fn let_service_in(&self) {
        let password = self.service.password.as_str();
        let classes: &[&str] = &["applicationProcess", "simpleSecurityObject"];
        self.add(&self.service.dn, &[("objectClass", classes), ("cn", &["behalf"]), ("userPassword", &[password])])
            .await;
        let who = format!("userdn=\"ldap:///{}\"", self.service.dn);
        let read = format!(
            "(targetattr!=\"userPassword\")(version 3.0; acl \"behalf reads\"; allow (read, search, compare) {who};)"
        );
        let write = format!(
            "(targetattr=\"delegatedAgents || objectClass\")(version 3.0; acl \"behalf writes agents\"; allow (write) {who};)"
        );
        self.replace(&self.base, "aci", &[&read, &write]).await;
    }
}
