//! A backup under load, restored elsewhere.

use std::{os::unix::fs::PermissionsExt, path::Path, sync::Arc, sync::atomic::Ordering::SeqCst, time::Duration};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    Dice,
    drive::Load,
    ledger::{Entry, Ledger, State, trail},
    rig::{BOB, Caller, Told, World},
};

async fn raised(data: &Path) -> usize {
    trail(data).await.iter().filter(|(_, event)| event.code == "DA9010").count()
}

/// A number that is reached soon.
async fn reaches(what: &str, target: u64, number: impl Fn() -> u64) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while number() < target {
        assert!(tokio::time::Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_backup_refuses_what_was_begun_before_it() {
    let world = World::new(3);
    let (data, elsewhere, file) = (world.path("data"), world.path("elsewhere"), world.path("backup.redb"));
    let process = world.start(&data).await;
    let caller = world.caller(&process);
    world.grant_all(&caller).await;
    // The last agent's account is locked: a lock that must survive.
    let lock = caller.call(Method::POST, "/v1/locks", 2, Some(json!({"reason": "away"}))).await.unwrap();
    assert_eq!(lock.0, StatusCode::CREATED, "{}", lock.1);
    let waits = caller.begin(0).await.unwrap().unwrap();
    let used = caller.begin(1).await.unwrap().unwrap();
    let used_by = caller.hook(1, "used", Some(&used));
    assert!(matches!(caller.deliver(&used_by).await, Told::Granted(_)));

    let (ledger, load) = (Arc::new(Ledger::default()), Arc::new(Load::default()));
    let two = Caller { tokens: Arc::new(caller.tokens[..3].to_vec()), ..caller.clone() };
    let mut drivers = load.start(&two, &ledger, &mut Dice::new());
    reaches("load", 10, || load.granted.load(SeqCst)).await;
    let made = world.run(&data, &["store", "backup", "backup.redb"]).await;
    assert!(made.status.success(), "{made:?}");
    let before = load.granted.load(SeqCst);
    reaches("load goes on", before + 10, || load.granted.load(SeqCst)).await;
    load.stop();
    while let Some(ended) = drivers.join_next().await {
        ended.unwrap();
    }
    assert_eq!(ledger.violations(), Vec::<String>::new());
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let again = world.run(&data, &["store", "backup", "backup.redb"]).await;
    let said = String::from_utf8(again.stderr).unwrap();
    assert!(!again.status.success() && said.contains("is there already; nothing is overwritten"), "{said}");
    drop(process);

    let restored = world.run(&elsewhere, &["store", "restore", "backup.redb"]).await;
    assert!(restored.status.success(), "{restored:?}");
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    let restored: Value = serde_json::from_slice(&restored.stdout).unwrap();
    assert_eq!((&made["records"], &made["events"]), (&restored["records"], &restored["events"]));
    let process = world.start(&elsewhere).await;
    let caller = world.caller(&process);
    let refused = |told: &Told| matches!(told, Told::Refused(why) if why.contains("delegation-not-usable"));
    let told = caller.deliver(&caller.hook(0, "late", Some(&waits))).await;
    assert!(refused(&told), "begun before: {told:?}");
    let told = caller.deliver(&used_by).await;
    assert!(refused(&told), "an answer that was kept: {told:?}");
    let first: Vec<Entry> =
        ledger.entries().into_iter().filter(|e| matches!(e.state, State::Granted(..))).take(5).collect();
    for entry in &first {
        let told = caller.deliver(&caller.hook(entry.agent, "late", Some(&entry.id))).await;
        assert!(refused(&told), "{entry:?}: {told:?}");
    }
    // Grants and locks are as they were.
    let id = caller.begin(0).await.unwrap().unwrap();
    assert!(matches!(caller.deliver(&caller.hook(0, "new", Some(&id))).await, Told::Granted(_)));
    assert_eq!(caller.begin(2).await.unwrap(), Err(StatusCode::LOCKED));
    let list = caller.call(Method::GET, "/v1/grants/delegators", 1, None).await.unwrap().1;
    assert_eq!(list["items"][0]["login"], BOB);
    drop(process);
    assert_eq!(raised(&elsewhere).await, 1);
    let refusals: Vec<_> = trail(&elsewhere).await.into_iter().filter_map(|(_, e)| e.outcome.reason).collect();
    assert!(refusals.iter().filter(|reason| *reason == "epoch-changed").count() >= 2, "{refusals:?}");
    // Another start of the same data raises nothing.
    drop(world.start(&elsewhere).await);
    assert_eq!(raised(&elsewhere).await, 1);
    assert_eq!(raised(&data).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_stopped_data_is_restored_or_compacted() {
    let world = World::new(1);
    let (data, other) = (world.path("data"), world.path("other"));
    let mut process = world.start(&data).await;
    world.grant_all(&world.caller(&process)).await;
    assert!(world.run(&data, &["store", "backup", "b"]).await.status.success());
    for args in [&["store", "restore", "b", "--force"][..], &["store", "compact"]] {
        let refused = world.run(&data, args).await;
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success() && said.contains("in use by a running process"), "{args:?}: {said}");
    }
    process.kill();
    let refused = world.run(&data, &["store", "restore", "b"]).await;
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && said.contains("--force"), "{said}");
    assert!(world.run(&data, &["store", "compact"]).await.status.success());
    assert!(world.run(&data, &["store", "backup", "offline"]).await.status.success());
    assert!(world.run(&other, &["store", "restore", "offline"]).await.status.success());
    assert!(world.run(&data, &["store", "restore", "b", "--force"]).await.status.success());
    assert!(data.join("behalf.redb.before-restore").exists());
    for folder in [&data, &other] {
        let process = world.start(folder).await;
        assert!(world.caller(&process).begin(0).await.unwrap().is_ok(), "the grant is there");
    }
}

fn in_folder(data: &Path) -> Vec<String> {
    let names = std::fs::read_dir(data).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("behalf.redb")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_goes_to_standard_output_and_nothing_else_does() {
    let world = World::new(1);
    let (data, elsewhere) = (world.path("data"), world.path("elsewhere"));
    let mut process = world.start(&data).await;
    world.grant_all(&world.caller(&process)).await;
    for running in [true, false] {
        if !running {
            process.kill();
        }
        let made = world.run(&data, &["store", "backup", "-"]).await;
        assert!(made.status.success(), "{made:?}");
        let told: Value = serde_json::from_slice(&made.stderr).unwrap();
        assert_eq!(told["file_bytes"], json!(made.stdout.len()), "{told}");
        assert_eq!(told["sha256"], sha256(&made.stdout));
        assert_eq!(in_folder(&data), ["behalf.redb"], "nothing stays beside the data");
        std::fs::write(world.path("fetched"), &made.stdout).unwrap();
    }
    let restored = world.run(&elsewhere, &["store", "restore", "fetched"]).await;
    assert!(restored.status.success(), "{restored:?}");
    let process = world.start(&elsewhere).await;
    assert!(world.caller(&process).begin(0).await.unwrap().is_ok(), "the grant is there");
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest as _, Sha256};
    behalf::domain::hex::hex(&Sha256::digest(bytes))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_that_breaks_off_or_has_nowhere_to_go_is_none() {
    let world = World::new(1);
    let data = world.path("data");
    world.start(&data).await.kill();
    let command = |out: std::fs::File| {
        let mut command = world.command(&format!("embedded:{}", data.display()));
        command.args(["store", "backup", "-"]).stdout(out).output().unwrap()
    };
    let full = command(std::fs::File::create("/dev/full").unwrap());
    let said = String::from_utf8(full.stderr).unwrap();
    assert!(!full.status.success() && said.contains("the backup broke off"), "{said}");
    let terminal = command(std::fs::File::options().read(true).write(true).open("/dev/ptmx").unwrap());
    let said = String::from_utf8(terminal.stderr).unwrap();
    assert!(!terminal.status.success() && said.contains("standard output is a terminal"), "{said}");
    assert_eq!(in_folder(&data), ["behalf.redb"]);
}
