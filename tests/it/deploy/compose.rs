//! The example of many containers, without containers: the same files and variables, with the programs of this machine.

use std::{
    collections::BTreeMap,
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};
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
}

/// Who runs a container of the example has what it needs, and no more.
#[test]
fn nobody_has_a_capability_that_he_does_not_need_or_writes_outside_of_his_volumes() {
    let composed = composed();
    for (name, service) in composed["services"].as_object().unwrap() {
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(service["cap_drop"], json!(["ALL"]), "{name}");
        assert_eq!(service["security_opt"], json!(["no-new-privileges:true"]), "{name}");
        assert!(service["privileged"].is_null(), "{name}");
        let is_init = name == "init";
        let wanted = if is_init { json!(["CHOWN", "DAC_OVERRIDE"]) } else { Value::Null };
        assert_eq!(service["cap_add"], wanted, "{name}");
        assert_eq!(service["network_mode"] == "none", is_init, "{name}: who makes the secrets speaks to nobody");
    }
}

/// Each server sees its own secrets, and can't change them; who makes them has all, and ends.
#[test]
fn nobody_sees_the_secrets_of_another() {
    let composed = composed();
    let secrets = |name: &str| -> Vec<String> {
        let all = composed["services"][name]["volumes"].as_array().unwrap().iter().map(|line| line.as_str().unwrap());
        all.filter(|line| line.contains("/secrets")).map(ToOwned::to_owned).collect()
    };
    assert_eq!(secrets("behalf"), ["behalf-secrets:/secrets/behalf:ro"]);
    assert_eq!(secrets("redis"), ["redis-secrets:/secrets/redis:ro"]);
    assert_eq!(secrets("openldap"), ["ldap-secrets:/secrets/ldap:ro"]);
    assert_eq!(composed["services"].as_object().unwrap().len(), 4, "say here what the new one sees");
}

/// What is in the folder of another one is no help to him: only behalf has the keys and the hook's secret.
#[test]
fn what_is_made_lies_in_the_folder_of_who_reads_it() {
    if !is_installed("openssl") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let init = || Command::new("sh").arg(file(FOLDER).join("openldap/init.sh")).arg(folder.path()).status().unwrap();
    assert!(init().success());
    let names = |below: &str| -> Vec<String> {
        let found = fs::read_dir(folder.path().join(below)).unwrap();
        let mut names: Vec<_> = found.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(names(""), ["behalf", "ldap", "redis"]);
    assert_eq!(names("behalf"), ["ca.pem", "hook-secret", "ldap-password", "redis-password", "signing-key.pem"]);
    assert_eq!(names("ldap"), ["ca.pem", "cert.pem", "done", "key.pem", "password"]);
    assert_eq!(names("redis"), ["redis.conf"]);
    let secret = || fs::read_to_string(folder.path().join("behalf/hook-secret")).unwrap();
    let before = secret();
    for other in ["ldap", "redis"] {
        for name in names(other) {
            let text = fs::read_to_string(folder.path().join(other).join(&name)).unwrap();
            assert!(!text.contains(before.trim()), "{other}/{name}");
        }
    }
    assert!(init().success());
    assert_eq!(secret(), before, "what is there stays");
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
