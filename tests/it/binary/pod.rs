//! What a pod meets: volumes that are read-only or another's, secrets as Kubernetes mounts them.

use std::{
    fs::{self, Permissions, set_permissions},
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::Command,
};

use behalf::adapters::{
    audit::signing::{self, SigningKey},
    system::OsEntropy,
};

use super::{SECRET, World};
use crate::{
    durability::{disk::Disk, is_root, skipped},
    support::process::{Ended, Service, run},
};

/// User of the pod's process.
const USER: u32 = 65532;
/// Its `runAsGroup`.
const GROUP: u32 = 65531;
/// Its `fsGroup`, to which volumes and secrets belong.
const FS_GROUP: u32 = 65533;

/// One line that names what is wrong and what to set, and a code that says so.
fn says(ended: &Ended, parts: &[&str]) {
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.err.lines().count(), 1, "{}", ended.err);
    for part in parts {
        assert!(ended.err.contains(part), "{part}: {}", ended.err);
    }
}

#[tokio::test]
async fn a_secret_that_is_not_there_is_said() {
    let world = World::new();
    let file = world.path().join("hook-secret");
    let secret = [("BEHALF_HOOK_SECRET", ""), ("BEHALF_HOOK_SECRET_FILE", file.to_str().unwrap())];
    let ended = run(&mut world.command(&["serve"], &secret)).await;
    says(&ended, &["BEHALF_HOOK_SECRET_FILE", file.to_str().unwrap(), "No such file", "name a text file"]);
    let ended = run(&mut world.command(&["serve"], &[("BEHALF_HOOK_SECRET", "")])).await;
    says(&ended, &["BEHALF_HOOK_SECRET"]);
}

#[tokio::test]
async fn a_volume_that_is_read_only_is_said() {
    let world = World::new();
    let Some(disk) = Disk::mount(&world.path().join("volume")) else {
        return skipped("a small file system can't be mounted here", is_root());
    };
    let store = format!("embedded:{}", disk.path().join("data").display());
    let change = [("BEHALF_STORE", store.as_str())];
    disk.remount("ro");
    let parts = ["BEHALF_STORE", "Read-only file system", "mount it writable"];
    says(&run(&mut world.command(&["serve"], &change)).await, &parts);
    disk.remount("rw");
    let service = world.serve(&change).await;
    service.process.signal("TERM");
    assert_eq!(service.process.end().await.code, Some(0));
    disk.remount("ro");
    says(&run(&mut world.command(&["serve"], &change)).await, &parts);
    disk.remount("rw");
    drop(world.serve(&change).await);
}

/// A world whose folder is open to the pod's user, with the binary in it.
struct Pod {
    world: World,
    binary: PathBuf,
}

impl Pod {
    fn new() -> Option<Self> {
        if !is_root() || Command::new("setpriv").arg("--version").output().is_err() {
            skipped("only root, with setpriv, can play another user", is_root());
            return None;
        }
        let world = World::new();
        let binary = world.path().join("behalf");
        fs::copy(env!("CARGO_BIN_EXE_behalf"), &binary).unwrap();
        mode(world.path(), 0o755);
        mode(&binary, 0o755);
        Some(Self { world, binary })
    }

    fn serve(&self, change: &[(&'static str, &str)]) -> Command {
        let mut command = Command::new("setpriv");
        command.arg(format!("--reuid={USER}")).arg(format!("--regid={GROUP}")).arg(format!("--groups={FS_GROUP}"));
        command.arg(&self.binary).arg("serve").current_dir(self.world.path()).env_clear();
        command.envs(self.world.variables()).envs(change.iter().copied());
        command
    }

    /// A folder as a volume is mounted.
    fn volume(&self, name: &str, owner: u32, group: u32, bits: u32) -> PathBuf {
        let path = self.world.path().join(name);
        fs::create_dir(&path).unwrap();
        chown(&path, Some(owner), Some(group)).unwrap();
        mode(&path, bits);
        path
    }
}

fn mode(path: &Path, bits: u32) {
    set_permissions(path, Permissions::from_mode(bits)).unwrap();
}

#[tokio::test]
async fn a_volume_of_somebody_else_is_said() {
    let Some(pod) = Pod::new() else { return };
    let foreign = pod.volume("foreign", 0, 0, 0o700);
    for folder in [foreign.clone(), foreign.join("data")] {
        let store = format!("embedded:{}", folder.display());
        let ended = run(&mut pod.serve(&[("BEHALF_STORE", &store)])).await;
        let owner = format!("user {USER}");
        says(&ended, &["BEHALF_STORE", folder.to_str().unwrap(), "Permission denied", &owner, "fsGroup"]);
    }
    let ours = pod.volume("ours", 0, FS_GROUP, 0o2770);
    let store = format!("embedded:{}", ours.join("data").display());
    let service = Service::start(&mut pod.serve(&[("BEHALF_STORE", &store)])).await;
    assert_eq!(pod.world.page(&service.url("/readyz")).await.unwrap().0, 200);
}

/// Secrets of every sort, and the settings that name them.
struct Secrets {
    files: Vec<PathBuf>,
    variables: Vec<(&'static str, String)>,
}

impl Secrets {
    fn write(pod: &Pod) -> Self {
        let folder = pod.volume("secrets", 0, FS_GROUP, 0o750);
        SigningKey::load_or_make(&folder, &OsEntropy).unwrap();
        let key = format!("{}=\n", "A".repeat(43));
        for (name, text) in [("hook-secret", SECRET), ("otp-key", &key), ("erp-keys", &key), ("webhook", &webhook())] {
            fs::write(folder.join(name), text).unwrap();
        }
        let at = |name: &str| folder.join(name).display().to_string();
        let config = format!(
            "[applications]\naudience = \"https://behalf.example.test\"\n\n[[tenants.default.applications]]\nuri = \
             \"https://erp.example.test\"\nkeys_file = \"{}\"\nmay = [\"lock_check\"]\n\n\
             [tenants.default.notify]\nbase_url = \"https://people.example.test/\"\n\n\
             [[tenants.default.notify.webhooks]]\nname = \"ops\"\nurl = \"https://hooks.example.test/\"\nsecret_file = \"{}\"\n",
            at("erp-keys"),
            at("webhook")
        );
        fs::write(pod.world.path().join("behalf.toml"), config).unwrap();
        let files = ["hook-secret", "otp-key", "erp-keys", "webhook", signing::KEY_FILE];
        let data = pod.volume("data", USER, GROUP, 0o700);
        let variables = vec![
            ("BEHALF_HOOK_SECRET", String::new()),
            ("BEHALF_HOOK_SECRET_FILE", at("hook-secret")),
            ("BEHALF_OTP_KEY_FILE", at("otp-key")),
            ("BEHALF_SIGNING_KEY_FILE", at(signing::KEY_FILE)),
            ("BEHALF_STORE", format!("embedded:{}", data.display())),
        ];
        Self { files: files.iter().map(|name| folder.join(name)).collect(), variables }
    }

    fn mount(&self, bits: u32) {
        for file in &self.files {
            chown(file, Some(0), Some(FS_GROUP)).unwrap();
            mode(file, bits);
        }
    }

    /// Of which of them the service says that others may open them.
    async fn open_ones(&self, pod: &Pod) -> Vec<String> {
        let change: Vec<_> = self.variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let service = Service::start(&mut pod.serve(&change)).await;
        let warnings: Vec<_> = service.process.out().into_iter().filter(|line| line.contains("WARN")).collect();
        let told = |file: &&PathBuf| warnings.iter().any(|line| line.contains(file.to_str().unwrap()));
        self.files.iter().filter(told).map(|file| file.file_name().unwrap().to_str().unwrap().to_owned()).collect()
    }
}

fn webhook() -> String {
    format!("whsec_{}=", "A".repeat(43))
}

#[tokio::test]
async fn secrets_that_the_pods_group_may_read_are_no_cause_for_a_warning() {
    let Some(pod) = Pod::new() else { return };
    let secrets = Secrets::write(&pod);
    secrets.mount(0o440);
    assert_eq!(secrets.open_ones(&pod).await, Vec::<String>::new());
    secrets.mount(0o444);
    assert_eq!(secrets.open_ones(&pod).await.len(), secrets.files.len(), "what everybody may read");
    secrets.mount(0o400);
    let change: Vec<_> = secrets.variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let ended = run(&mut pod.serve(&change)).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    for name in ["BEHALF_HOOK_SECRET_FILE", "BEHALF_OTP_KEY_FILE", "erp-keys", "webhook"] {
        assert!(ended.err.lines().any(|line| line.contains(name) && line.contains("denied")), "{name}: {}", ended.err);
    }
}
