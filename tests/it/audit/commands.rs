//! `behalf audit …`, as a process of its own, over data that nobody or somebody has open.

use std::process::{Command, Output};

use behalf::{adapters::store::embedded::admin, domain::chain::Unsigned};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::support::test_app::eventually;

async fn behalf(args: &[&str]) -> Output {
    let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
    let run = move || Command::new(env!("CARGO_BIN_EXE_behalf")).arg("audit").args(args).env_clear().output().unwrap();
    tokio::task::spawn_blocking(run).await.unwrap()
}

/// Its standard output; it must end well.
async fn good(args: &[&str]) -> String {
    let output = behalf(args).await;
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What it says is bad.
async fn bad(args: &[&str]) -> String {
    let output = behalf(args).await;
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
    said
}

/// Waits until no process has the data open. Another test that starts a process at the same moment hands it our open
/// files, and with them the lock, until that process runs its own program.
async fn free(folder: &Path) {
    let data = folder.display().to_string();
    let in_use =
        async || String::from_utf8_lossy(&behalf(&["verify", "--data", &data]).await.stderr).contains("in use");
    eventually("the data is free", async || !in_use().await).await;
}

/// The key with which the trail in this folder is signed, as it is given to an auditor.
async fn public_key(data: &str) -> String {
    let key: serde_json::Value = serde_json::from_str(&good(&["key", "--data", data]).await).unwrap();
    key["public_key"].as_str().unwrap().to_owned()
}

/// Answers at a folder's socket, as a running process does.
struct Serving {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Serving {
    async fn start(rig: &Rig, folder: &Path) -> Self {
        let (store, stop, socket) = (Arc::clone(&rig.store), CancellationToken::new(), folder.join(admin::SOCKET));
        let (at, stopped) = (socket.clone(), stop.clone());
        let task = tokio::spawn(async move { admin::serve(&at, store, stopped).await });
        eventually("the socket is there", async || socket.exists()).await;
        Self { stop, task }
    }

    async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

/// 700 sealed events in a folder, and 2 that aren't.
async fn data(folder: &Path) -> Rig {
    let rig = Rig::in_folder(folder);
    let key = Arc::new(SigningKey::load_or_make(folder, &OsEntropy).unwrap());
    let sealer = sealer_with(&key);
    sealer.announce(&rig.services, &acme()).await.unwrap();
    rig.write(700).await;
    rig.seal_all(&sealer).await;
    rig.clock.advance(SignedDuration::from_secs(60));
    rig.seal_all(&sealer).await;
    rig.write(2).await;
    rig
}

#[tokio::test]
async fn a_trail_is_exported_kept_and_verified() {
    let folder = tempfile::tempdir().unwrap();
    data(folder.path()).await.store.close();
    free(folder.path()).await;
    let path = |name: &str| folder.path().join(name).display().to_string();
    let data = folder.path().display().to_string();
    let said = good(&["verify", "--data", &data]).await;
    assert!(said.contains("entries 1 to 700 are good") && said.contains("2 events are not sealed yet"), "{said}");
    assert!(said.contains("No --checkpoint") && said.contains("No --key"), "{said}");

    let lines = good(&["export", "--data", &data]).await;
    assert_eq!(lines.lines().count(), 700);
    let part = good(&["export", "--data", &data, "--from", "5", "--to", "7"]).await;
    assert_eq!(part.lines().collect::<Vec<_>>(), lines.lines().skip(4).take(3).collect::<Vec<_>>());
    std::fs::write(path("kept.json"), good(&["checkpoint", "--data", &data]).await).unwrap();
    let key = public_key(&data).await;

    let file = path("audit.jsonl");
    let attested = ["verify", "--file", &file, "--checkpoint", &path("kept.json"), "--key", &key];
    std::fs::write(&file, &lines).unwrap();
    let said = good(&attested).await;
    assert!(said.contains("entries 1 to 700 are good") && !said.contains("No --checkpoint"), "{said}");
    assert!(good(&["verify", "--file", &file, "--from", "9", "--to", "20"]).await.contains("entries 9 to 20"));

    std::fs::write(&file, lines.replacen("\"n\":41", "\"n\":14", 1)).unwrap();
    assert!(bad(&attested).await.contains("line 42, tenant acme, entry 42: its content"));
    let cut: String = lines.split_inclusive('\n').take(650).collect();
    std::fs::write(&file, &cut).unwrap();
    assert!(bad(&attested).await.contains("entry 700: a checkpoint attests it, but the log ends at 650"));
    assert!(good(&["verify", "--file", &file]).await.contains("could have cut off its end"));
    std::fs::write(&file, &lines[..lines.len() - 9]).unwrap();
    assert!(bad(&attested).await.contains("line 700 is cut off"));
    std::fs::write(&file, "").unwrap();
    assert!(bad(&attested).await.contains("the log ends at 0"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_process_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let rig = data(folder.path()).await;
    let serving = Serving::start(&rig, folder.path()).await;
    let data = folder.path().display().to_string();
    assert!(good(&["verify", "--data", &data]).await.contains("entries 1 to 700 are good"));
    assert_eq!(good(&["export", "--data", &data]).await.lines().count(), 700);
    let latest: Checkpoint = serde_json::from_str(&good(&["checkpoint", "--data", &data]).await).unwrap();
    assert_eq!(latest.says.head, rig.head().await);
    serving.end().await;
}

/// 300 of 401 sealed events are dropped.
async fn trimmed(folder: &Path) -> Rig {
    let rig = Rig::in_folder(folder);
    let sealer = sealer_with(&Arc::new(SigningKey::load_or_make(folder, &OsEntropy).unwrap()));
    retention::old_and_young(&rig, &sealer).await;
    retention::trim_old(&rig, &sealer).await;
    rig
}

#[tokio::test]
async fn a_trimmed_trail_is_verified_from_its_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    trimmed(folder.path()).await.store.close();
    free(folder.path()).await;
    let path = |name: &str| folder.path().join(name).display().to_string();
    let data = folder.path().display().to_string();
    let said = good(&["verify", "--data", &data]).await;
    assert!(said.contains("entries 301 to 401 are good"), "{said}");
    let dropped = "entries 1 to 300 were dropped under audit.keep";
    assert!(said.contains(&format!("{dropped}; verified from the checkpoint at 300")), "{said}");
    let said = good(&["verify", "--data", &data, "--to", "350"]).await;
    assert!(said.contains(&format!("{dropped}, but no entry that was looked at tells of it")), "{said}");
    assert!(good(&["verify", "--data", &data, "--from", "310", "--to", "350"]).await.contains("entries 310 to 350"));
    for args in [["--from", "5"], ["--to", "300"]] {
        let output = behalf(&["verify", "--data", &data, args[0], args[1]]).await;
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(dropped), "{output:?}");
    }

    let exported = behalf(&["export", "--data", &data]).await;
    assert!(String::from_utf8_lossy(&exported.stderr).contains(dropped), "{exported:?}");
    let lines = String::from_utf8(exported.stdout).unwrap();
    assert_eq!(lines.lines().count(), 101);
    let kept = good(&["checkpoint", "--data", &data]).await;
    assert_eq!(kept.lines().count(), 2, "the one it begins behind, and the latest");
    std::fs::write(path("kept.json"), &kept).unwrap();
    let key = public_key(&data).await;
    let file = path("audit.jsonl");
    let attested = ["--checkpoint", &path("kept.json"), "--key", &key];
    let of_file = [&["verify", "--file", &file], attested.as_slice()].concat();
    std::fs::write(&file, &lines).unwrap();
    assert!(good(&of_file).await.contains(&format!("{dropped}; verified from the checkpoint at 300")));
    assert!(bad(&["verify", "--file", &file]).await.contains("entry 1: it is missing; 301 comes in its place"));
    let later: String = lines.split_inclusive('\n').skip(1).collect();
    std::fs::write(&file, later).unwrap();
    assert!(bad(&of_file).await.contains("it is missing"));
    let of_store = [&["verify", "--data", &data], attested.as_slice()].concat();
    let said = good(&of_store).await;
    assert!(said.contains("verified from the checkpoint at 300"), "{said}");
    assert!(said.contains("the checkpoints that were given attest entries up to "), "{said}");
}

/// Whoever has the signing key can make a beginning of his own. What an auditor kept from before it can't contradict
/// that, so it must not look as if it did.
#[tokio::test]
async fn checkpoints_from_before_the_beginning_vouch_for_nothing() {
    let folder = tempfile::tempdir().unwrap();
    trimmed(folder.path()).await.store.close();
    free(folder.path()).await;
    let path = |name: &str| folder.path().join(name).display().to_string();
    let data = folder.path().display().to_string();
    std::fs::write(path("part.jsonl"), good(&["export", "--data", &data]).await).unwrap();
    let of_store = good(&["checkpoint", "--data", &data]).await;
    let (start, latest) = of_store.trim_end().split_once('\n').unwrap();
    let signing = SigningKey::load(&folder.path().join("signing.pk8")).unwrap();
    let head = SealedHead { seq: 82, hash: SealedHead::genesis(&acme()).hash };
    let says = Unsigned { tenant: acme(), head, time: Timestamp::UNIX_EPOCH, key: signing.public_key().id() };
    let signature = signing.sign(&says.message().unwrap());
    let before = serde_json::to_string(&Checkpoint { says, signature }).unwrap();
    let key = public_key(&data).await;
    for source in [["--file", &path("part.jsonl")], ["--data", &data]] {
        let verify = ["verify", source[0], source[1], "--checkpoint", &path("kept.json"), "--key", &key];
        std::fs::write(path("kept.json"), format!("{before}\n{start}\n")).unwrap();
        let output = behalf(&verify).await;
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("nothing can be held against them"), "{said}");
        std::fs::write(path("kept.json"), format!("{before}\n{start}\n{latest}\n")).unwrap();
        assert!(good(&verify).await.contains("attest entries up to "));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_process_tells_where_its_trail_begins() {
    let folder = tempfile::tempdir().unwrap();
    let rig = trimmed(folder.path()).await;
    let serving = Serving::start(&rig, folder.path()).await;
    let data = folder.path().display().to_string();
    assert!(good(&["verify", "--data", &data]).await.contains("verified from the checkpoint at 300"));
    serving.end().await;
}

/// What verification of the store says once somebody meddled with it.
async fn meddled(forget: Option<u64>, start: impl AsyncFn(&Rig) -> Option<Checkpoint>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let rig = Rig::in_folder(folder.path());
    let sealer = sealer_with(&Arc::new(SigningKey::load_or_make(folder.path(), &OsEntropy).unwrap()));
    retention::old_and_young(&rig, &sealer).await;
    let start = start(&rig).await.map(|checkpoint| (sealed::start_key(), checkpoint));
    retention::meddle(&rig, forget.map(behalf::ports::store::Seq), start.into_iter().collect()).await;
    rig.store.close();
    free(folder.path()).await;
    bad(&["verify", "--data", &folder.path().display().to_string()]).await
}

#[tokio::test]
async fn a_head_that_was_cut_off_is_noticed() {
    let none = async |_: &Rig| None;
    let said = meddled(Some(300), none).await;
    assert!(said.contains("entry 1: it is missing; 301 comes in its place"), "{said}");
    // A signed checkpoint is there for 400, but no entry says that anything was dropped.
    let latest = async |rig: &Rig| Some(rig.latest().await);
    let said = meddled(Some(400), latest).await;
    assert!(said.contains("no entry tells that those up to 400 were dropped"), "{said}");
    let said = meddled(Some(350), latest).await;
    assert!(said.contains("no entry tells that those up to 400 were dropped"), "{said}");
}

#[tokio::test]
async fn a_forged_start_is_noticed() {
    let moved = async |rig: &Rig| {
        let mut forged = rig.latest().await;
        forged.says.head = rig.entries().await[349].head();
        Some(forged)
    };
    let said = meddled(Some(350), moved).await;
    assert!(said.contains("the checkpoint at this number is not signed by the key that it names"), "{said}");
    let strange = async |rig: &Rig| {
        let (stranger, mut forged) = (signing_key(), rig.latest().await);
        forged.says.head = rig.entries().await[349].head();
        forged.says.key = stranger.public_key().id();
        forged.signature = stranger.sign(&forged.says.message().unwrap());
        Some(forged)
    };
    let said = meddled(Some(350), strange).await;
    assert!(said.contains("which is not known"), "{said}");
}

#[tokio::test]
async fn what_can_not_be_verified_is_not_called_bad() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().display().to_string();
    for args in [vec!["verify", "--data", &data], vec!["verify", "--file", "/nonexistent/file"]] {
        assert_eq!(behalf(&args).await.status.code(), Some(2), "{args:?}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is made");
}
