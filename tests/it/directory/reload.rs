//! Taking a new file of users while the service runs.

use std::{fs, path::PathBuf, time::Duration};

use behalf::{
    adapters::directory::embedded::{EmbeddedDirectory, reload::Reloaded},
    ports::directory::Directory,
};
use tempfile::TempDir;

use super::{by_id, file, open, store};

const ALICE: &str = "{ id: alice, login: alice@example.com, status: active }";
const BOB: &str = "{ id: bob, login: bob@example.com, status: active }";
const WRONG: &str = "{ id: bob, login: bob@example.com }";

struct Bench {
    directory: EmbeddedDirectory,
    path: PathBuf,
    _dir: TempDir,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("users.yaml");
        fs::write(&path, file(&[ALICE])).unwrap();
        Self { directory: open(&path, store()).unwrap(), path, _dir: dir }
    }

    fn write(&self, users: &[&str]) {
        fs::write(&self.path, file(users)).unwrap();
    }

    async fn knows(&self, id: &str) -> bool {
        self.directory.user(&by_id(id)).await.unwrap().is_some()
    }
}

#[tokio::test]
async fn a_wrong_file_leaves_the_old_users_and_says_why() {
    let bench = Bench::new();
    bench.write(&[ALICE, WRONG]);
    let why = bench.directory.reload_now().await.unwrap_err();
    assert!(why.to_string().contains("`status` is missing"), "{why}");
    assert_eq!(bench.directory.last_error(), Some(why.clone()));
    assert_eq!(bench.directory.reload_now().await, Err(why), "the same wrong file again");
    assert!(bench.knows("alice").await && !bench.knows("bob").await);

    bench.write(&[BOB]);
    assert_eq!(bench.directory.reload_now().await, Ok(Reloaded::Taken));
    assert_eq!(bench.directory.last_error(), None);
    assert!(!bench.knows("alice").await && bench.knows("bob").await);
    assert_eq!(bench.directory.reload_now().await, Ok(Reloaded::Same));
}

#[tokio::test]
async fn the_old_content_again_clears_the_error() {
    let bench = Bench::new();
    bench.write(&[WRONG]);
    assert!(bench.directory.reload_now().await.is_err());
    bench.write(&[ALICE]);
    assert_eq!(bench.directory.reload_now().await, Ok(Reloaded::Same));
    assert_eq!(bench.directory.last_error(), None);
}

#[tokio::test]
async fn a_file_that_is_gone_leaves_the_old_users() {
    let bench = Bench::new();
    fs::remove_file(&bench.path).unwrap();
    let why = bench.directory.reload_now().await.unwrap_err();
    assert!(why.to_string().contains("can't be read"), "{why}");
    assert!(bench.knows("alice").await);
    assert_eq!(bench.directory.last_error(), Some(why));
}

#[cfg(unix)]
#[tokio::test]
async fn a_swapped_symlink_is_a_new_file() {
    let dir = tempfile::tempdir().unwrap();
    for (name, user) in [("v1", ALICE), ("v2", BOB)] {
        fs::create_dir(dir.path().join(name)).unwrap();
        fs::write(dir.path().join(name).join("users.yaml"), file(&[user])).unwrap();
    }
    let (data, next) = (dir.path().join("data"), dir.path().join("next"));
    std::os::unix::fs::symlink("v1", &data).unwrap();
    let directory = open(&data.join("users.yaml"), store()).unwrap();
    std::os::unix::fs::symlink("v2", &next).unwrap();
    fs::rename(&next, &data).unwrap();
    assert_eq!(directory.reload_now().await, Ok(Reloaded::Taken));
    assert!(directory.user(&by_id("bob")).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn the_watch_takes_content_that_it_sees_twice() {
    let bench = Bench::new();
    let period = Duration::from_secs(2);
    let watch = tokio::spawn(bench.directory.watch(period));
    bench.write(&[BOB]);
    // Time is paused and moves only when all is idle, so each look is over before the next second begins.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(bench.knows("alice").await, "seen once");
    tokio::time::sleep(period).await;
    assert!(bench.knows("bob").await, "seen twice");

    bench.write(&[WRONG]);
    tokio::time::sleep(period).await;
    assert_eq!(bench.directory.last_error(), None, "seen once");
    tokio::time::sleep(period).await;
    assert!(bench.directory.last_error().is_some(), "seen twice");
    assert!(bench.knows("bob").await);
    assert!(!watch.is_finished());
    watch.abort();
}
