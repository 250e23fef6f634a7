//! Samba as an Active Directory domain controller. It listens on the well-known ports, so it gets a loopback address
//! of its own; that takes root.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use behalf::adapters::directory::ldap::Kind;
use tokio::sync::OnceCell;

use super::{Account, Peer};

const PASSWORD: &str = "Passw0rd!of-the-administrator";
const BASE: &str = "DC=test,DC=local";

/// Makes the domain without its share of files, which wants a file system with ACLs.
const PROVISION: &str = "import sys; sys.path.insert(0, '/usr/lib/python3/dist-packages')
import samba.provision
samba.provision.setsysvolacl = lambda *a, **k: None
from samba.netcmd.main import cmd_sambatool
sys.exit(cmd_sambatool()._run('samba-tool', *sys.argv[1:]) or 0)";

pub(super) fn command(folder: &Path) -> Command {
    let mut command = Command::new("/usr/sbin/samba");
    command.args(["-i", "-M", "single", "--debug-stdout", "-s"]).arg(folder.join("dc/etc/smb.conf"));
    command
}

fn provision(folder: &Path, host: &str) {
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-c", PROVISION, "domain", "provision", "--server-role=dc", "--realm=TEST.LOCAL", "--domain=TEST"]);
    command.arg(format!("--adminpass={PASSWORD}")).arg(format!("--targetdir={}", folder.join("dc").display()));
    command.args(["--dns-backend=NONE", "--use-rfc2307", "--host-name=dc1"]).arg(format!("--host-ip={host}"));
    command.arg("--option=bind interfaces only = yes").arg(format!("--option=interfaces = {host}/8"));
    command.arg("--option=dsdb:schema update allowed = true").arg("--option=ldap server require strong auth = no");
    let done = command.output().unwrap();
    let file = folder.join("dc/etc/smb.conf");
    let made = fs::read_to_string(&file);
    let made = made.unwrap_or_else(|_| panic!("no domain is made: {}", String::from_utf8_lossy(&done.stderr)));
    let ours = folder.display();
    let changed: Vec<String> = made
        .lines()
        .map(|line| match line.trim() {
            line if line.starts_with("server services") => format!(
                "server services = ldap\nldap server require strong auth = no\npid directory = {ours}/run\n\
                 ncalrpc dir = {ours}/run/ncalrpc"
            ),
            line => line.replace("/var/log/samba", &format!("{ours}/run")),
        })
        .collect();
    fs::create_dir(folder.join("run")).unwrap();
    fs::write(file, changed.join("\n")).unwrap();
}

impl Peer {
    /// The one of this process. `None` where it isn't wanted or can't be had, which was said.
    pub(crate) async fn samba() -> Option<&'static Self> {
        static PEER: OnceCell<Option<Peer>> = OnceCell::const_new();
        PEER.get_or_init(Self::start_samba).await.as_ref()
    }

    async fn start_samba() -> Option<Self> {
        if !super::heavy("Samba's Active Directory") || !super::is_installed("samba") {
            return None;
        }
        // A process has an address of its own, and doesn't meet another's servers.
        let id = std::process::id();
        let host = format!("127.{}.{}.{}", 64 + (id >> 14) % 64, (id >> 7) % 128 + 1, id % 128 + 1);
        if std::net::TcpListener::bind((host.as_str(), 389)).is_err() {
            crate::support::peers::say("a test with Samba's Active Directory, which wants port 389: be root");
            return None;
        }
        let folder: PathBuf = tempfile::Builder::new().prefix("behalf-samba-").tempdir().unwrap().keep();
        provision(&folder, &host);
        let mut peer = Self {
            kind: Kind::ActiveDirectory,
            host,
            port: 389,
            tls_port: 636,
            base: BASE.to_owned(),
            admin: Account::new("Administrator@test.local", PASSWORD),
            service: Account::new("Administrator@test.local", PASSWORD),
            folder,
            running: None,
        };
        peer.launch().await.unwrap_or_else(|why| panic!("Samba doesn't start: {why}"));
        peer.extend_schema().await;
        Some(peer)
    }

    /// An attribute, a class that may have it, and users of that class: the schema of the README.
    async fn extend_schema(&self) {
        let schema = format!("CN=Schema,CN=Configuration,{BASE}");
        self.add(
            &format!("CN=delegatedAgents,{schema}"),
            &[
                ("objectClass", &["attributeSchema"]),
                ("attributeID", &["1.3.6.1.4.1.99999.1.1"]),
                ("lDAPDisplayName", &["delegatedAgents"]),
                ("attributeSyntax", &["2.5.5.3"]),
                ("oMSyntax", &["27"]),
                ("isSingleValued", &["FALSE"]),
                ("searchFlags", &["1"]),
            ],
        )
        .await;
        self.replace("", "schemaUpdateNow", &["1"]).await;
        let class = format!("CN=delegationSubject,{schema}");
        self.add(
            &class,
            &[
                ("objectClass", &["classSchema"]),
                ("governsID", &["1.3.6.1.4.1.99999.2.1"]),
                ("lDAPDisplayName", &["delegationSubject"]),
                ("objectClassCategory", &["3"]),
                ("subClassOf", &["top"]),
                ("mayContain", &["1.3.6.1.4.1.99999.1.1"]),
                ("defaultObjectCategory", &[&class]),
            ],
        )
        .await;
        self.replace("", "schemaUpdateNow", &["1"]).await;
        let user = format!("CN=User,{schema}");
        let change = ldap3::Mod::Add("auxiliaryClass", std::collections::HashSet::from(["delegationSubject"]));
        let result = self.admin().await.modify(&user, vec![change]).await.unwrap();
        assert_eq!(result.rc, 0, "{result}");
        self.replace("", "schemaUpdateNow", &["1"]).await;
    }
}
