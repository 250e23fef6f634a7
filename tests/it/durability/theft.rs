//! Who gets at the data folder: what he reads there, and what an old copy that he puts back does.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use behalf::adapters::store::embedded::media::DATA_FILE;

use super::{
    ledger::trail,
    rig::{BOB, SECRET, Told, World},
};

/// Every file in the folder, with what is in it.
fn content(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.is_file()).map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

fn holds(files: &[(PathBuf, Vec<u8>)], what: &[u8]) -> bool {
    files.iter().any(|(_, bytes)| bytes.windows(what.len()).any(|window| window == what))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_data_holds_no_id_no_token_and_no_secret() {
    let world = World::new(1);
    let data = world.path("data");
    let mut process = world.start(&data).await;
    let caller = world.caller(&process);
    world.grant_all(&caller).await;
    let (waits, used) = (caller.begin(0).await.unwrap().unwrap(), caller.begin(0).await.unwrap().unwrap());
    assert!(matches!(caller.deliver(&caller.hook(0, "event-of-the-thief", Some(&used))).await, Told::Granted(_)));
    assert!(world.run(&data, &["store", "backup", "backup.redb"]).await.status.success());
    process.kill();
    for files in [content(&data), vec![(world.path("backup.redb"), fs::read(world.path("backup.redb")).unwrap())]] {
        // What is there in the clear: who acted for whom, and the answer with the delegator's attributes.
        for present in [BOB, "event-of-the-thief", "on_behalf_sub"] {
            assert!(holds(&files, present.as_bytes()), "the search finds what is there: {present}");
        }
        for id in [&waits, &used] {
            let raw = URL_SAFE_NO_PAD.decode(id.strip_prefix("dlg_").unwrap()).unwrap();
            assert!(!holds(&files, id.as_bytes()) && !holds(&files, &raw[6..]), "an id");
        }
        for token in caller.tokens.iter() {
            let signature = token.rsplit_once('.').unwrap().1;
            assert!(!holds(&files, signature.as_bytes()), "a user's token");
        }
        assert!(!holds(&files, SECRET.as_bytes()), "the hook's secret");
    }
}

/// The lines of the sink, as soon as they tell of so many granted hooks.
async fn sunk(file: &Path, granted: usize) -> String {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        let text = fs::read_to_string(file).unwrap_or_default();
        if text.ends_with('\n') && text.matches("\"code\":\"DA1000\"").count() >= granted {
            return text;
        }
        assert!(tokio::time::Instant::now() < deadline, "not in time: {text}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// An old copy of the file (of the folder, of the whole machine) is the same line of history to the service. This is
/// asserted so that nobody believes otherwise; what was kept elsewhere tells.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_copy_put_back_makes_a_used_id_fresh_and_only_the_sink_tells() {
    let world = World::new(1);
    let (data, old, sink) = (world.path("data"), world.path("old"), world.path("audit.jsonl"));
    fs::write(world.path("behalf.toml"), format!("audit.sink = \"file:{}\"\n", sink.display())).unwrap();
    let mut process = world.start(&data).await;
    let caller = world.caller(&process);
    world.grant_all(&caller).await;
    let id = caller.begin(0).await.unwrap().unwrap();
    process.kill();
    fs::copy(data.join(DATA_FILE), &old).unwrap();

    let mut process = world.start(&data).await;
    let caller = world.caller(&process);
    assert!(matches!(caller.deliver(&caller.hook(0, "first", Some(&id))).await, Told::Granted(_)));
    sunk(&sink, 1).await;
    process.kill();
    fs::copy(&old, data.join(DATA_FILE)).unwrap();

    let mut process = world.start(&data).await;
    let caller = world.caller(&process);
    let second = caller.deliver(&caller.hook(0, "second", Some(&id))).await;
    assert!(matches!(second, Told::Granted(_)), "the limit that SECURITY.md tells of is gone: {second:?}");
    sunk(&sink, 2).await;
    process.kill();
    let raised = trail(&data).await.iter().filter(|(_, event)| event.code == "DA9010").count();
    assert_eq!(raised, 0, "the service itself has seen nothing");
    let alone = world.run(&data, &["audit", "verify"]).await;
    assert!(alone.status.success(), "nor does the store alone tell: {alone:?}");
    let told = world.run(&data, &["audit", "verify", "--repeats", "--file", sink.to_str().unwrap()]).await;
    let said = String::from_utf8(told.stderr).unwrap();
    assert_eq!(told.status.code(), Some(1), "{said}");
    assert!(said.contains("the chain forks here"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_put_back_by_hand_is_noticed() {
    let world = World::new(1);
    let data = world.path("data");
    let mut process = world.start(&data).await;
    let caller = world.caller(&process);
    world.grant_all(&caller).await;
    let id = caller.begin(0).await.unwrap().unwrap();
    assert!(world.run(&data, &["store", "backup", "backup.redb"]).await.status.success());
    assert!(matches!(caller.deliver(&caller.hook(0, "first", Some(&id))).await, Told::Granted(_)));
    process.kill();
    fs::copy(world.path("backup.redb"), data.join(DATA_FILE)).unwrap();

    let mut process = world.start(&data).await;
    let caller = world.caller(&process);
    let told = caller.deliver(&caller.hook(0, "second", Some(&id))).await;
    assert!(matches!(&told, Told::Refused(why) if why.contains("delegation-not-usable")), "{told:?}");
    process.kill();
    let raised = trail(&data).await.iter().filter(|(_, event)| event.code == "DA9010").count();
    assert_eq!(raised, 1);
}
