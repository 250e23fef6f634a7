//! The example of many containers, without containers: the same files and variables, with the programs of this machine.

use std::{
    collections::BTreeMap,
    process::{Child, Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use super::*;
use crate::support::{
    ports,
    process::{Service, behalf, run, until},
};

const FOLDER: &str = "deploy/compose";

/// Killed at the end.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn composed() -> Value {
    serde_saphyr::from_str(&read("deploy/compose.yaml")).unwrap()
}

/// The variables of the service, with their defaults where the file takes them from outside.
fn environment(composed: &Value) -> BTreeMap<String, String> {
    let plain = |value: &Value| {
        let text = value.as_str().unwrap();
        text.strip_prefix("${").map_or(text, |rest| rest.split_once(":-").unwrap().1.trim_end_matches('}')).to_owned()
    };
    let all = composed["services"]["behalf"]["environment"].as_object().unwrap();
    all.iter().map(|(name, value)| (name.clone(), plain(value))).collect()
}

#[test]
fn every_variable_exists_and_every_service_is_waited_for_until_it_is_healthy() {
    let composed = composed();
    let example = read(".env.example");
    for name in environment(&composed).keys() {
        let plain = name.trim_end_matches("_FILE");
        assert!(example.contains(&format!("#{name}=")) || example.contains(&format!("#{plain}=")), "{name}");
    }
    for (name, service) in composed["services"].as_object().unwrap() {
        for (other, on) in service["depends_on"].as_object().unwrap_or(&serde_json::Map::new()) {
            let has_health = !composed["services"][other]["healthcheck"].is_null();
            let wanted = if has_health { "service_healthy" } else { "service_completed_successfully" };
            assert_eq!(on["condition"], wanted, "{name}: {other}");
        }
    }
    let behalf = &composed["services"]["behalf"];
    assert_eq!((&behalf["read_only"], &behalf["cap_drop"][0]), (&true.into(), &"ALL".into()));
}

/// The three programs with the example's own files, in a folder, at ports of their own.
struct Example {
    folder: TempDir,
    redis: u16,
    ldap: u16,
    servers: Vec<Running>,
}

impl Example {
    /// `None`: a program isn't installed, which was said.
    fn start() -> Option<Self> {
        if !["slapd", "redis-server", "openssl"].into_iter().all(is_installed) {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        for name in ["secrets", "redis", "ldap"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let (redis, ldap) = (ports::free(), ports::free());
        let mut example = Self { folder, redis, ldap, servers: Vec::new() };
        let init = Command::new("sh")
            .arg(file(FOLDER).join("openldap/init.sh"))
            .arg(example.path("secrets"))
            .output()
            .unwrap();
        assert!(init.status.success(), "{}", String::from_utf8_lossy(&init.stderr));
        example.servers = vec![example.start_redis(), example.start_ldap()];
        Some(example)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file of the example as the programs of this machine find its parts.
    fn here(&self, name: &str) -> String {
        read(&format!("{FOLDER}/openldap/{name}"))
            .replace("/opt/example/", &format!("{}/openldap/", file(FOLDER).display()))
            .replace("/secrets/", &format!("{}/", self.path("secrets").display()))
            .replace("/var/lib/ldap", &self.path("ldap").display().to_string())
    }

    fn start_redis(&self) -> Running {
        let config = fs::read_to_string(self.path("secrets/redis/redis.conf")).unwrap();
        let config = config.replace("dir /data", &format!("dir {}", self.path("redis").display()));
        fs::write(self.path("redis.conf"), config).unwrap();
        let mut command = Command::new("redis-server");
        command.arg(self.path("redis.conf")).args(["--bind", "127.0.0.1", "--port", &self.redis.to_string()]);
        Running(command.stdout(Stdio::null()).spawn().unwrap())
    }

    fn start_ldap(&self) -> Running {
        fs::write(self.path("slapd.conf"), self.here("slapd.conf")).unwrap();
        let password = fs::read_to_string(self.path("secrets/ldap/password")).unwrap();
        fs::write(self.path("seed.ldif"), self.here("seed.ldif").replace("@PASSWORD@", password.trim())).unwrap();
        let slapd = |arguments: &[&str]| {
            let mut command = Command::new("sh");
            command.args(["-c", "PATH=$PATH:/usr/sbin exec \"$@\"", "sh"]).args(arguments);
            command
        };
        let config = self.path("slapd.conf").display().to_string();
        let seeded =
            slapd(&["slapadd", "-f", &config, "-l", &self.path("seed.ldif").display().to_string()]).output().unwrap();
        assert!(seeded.status.success(), "{}", String::from_utf8_lossy(&seeded.stderr));
        let url = format!("ldaps://127.0.0.1:{}/", self.ldap);
        Running(slapd(&["slapd", "-d", "0", "-f", &config, "-h", &url]).spawn().unwrap())
    }

    /// Our binary as the example starts it.
    fn behalf(&self, arguments: &[&str]) -> Command {
        let mut command = behalf(&file(FOLDER), arguments);
        for (name, value) in environment(&composed()) {
            let value = value
                .replace("/secrets/", &format!("{}/", self.path("secrets").display()))
                .replace("@redis:6379", &format!("@127.0.0.1:{}", self.redis))
                .replace("//openldap:1636", &format!("//localhost:{}", self.ldap));
            command.env(name, value);
        }
        command.env("BEHALF_BIND", "127.0.0.1:0").env("BEHALF_DRAIN_DELAY", "0s");
        command
    }
}

/// `compose up` waits for the two servers, then for `behalf health`. All that is missing then is an issuer.
#[tokio::test]
async fn it_becomes_healthy_with_its_own_files() {
    let Some(mut example) = Example::start() else { return };
    let listens = async |port: u16| tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok().then_some(());
    until("Redis and LDAP", async || listens(example.redis).await.and(listens(example.ldap).await)).await;

    let service = Service::start(&mut example.behalf(&["serve"])).await;
    let asked = run(&mut example.behalf(&["health", "--url", &service.url("")])).await;
    assert_eq!(asked.code, Some(0), "{asked:?}");

    let found = run(&mut example.behalf(&["check"])).await;
    let wrong: Vec<&str> = found.out.lines().filter(|line| line.starts_with("error")).collect();
    assert!(wrong.iter().all(|line| line.contains("example.okta.com")) && !wrong.is_empty(), "{found:?}");

    for server in &mut example.servers {
        assert!(server.0.try_wait().unwrap().is_none(), "a server has ended by itself");
    }
    service.process.signal("TERM");
    assert_eq!(service.process.end().await.code, Some(0));
}
