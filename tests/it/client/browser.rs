//! The application in Chromium, scripts and all (`browser/walk.mjs`).

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::World;
use crate::support::{
    peers::{heavy, installed, missing},
    process::Process,
};

/// Debian's, and what others call it.
const NAMES: [&str; 3] = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/// `None` where it isn't wanted, or not there; that is said.
fn chromium() -> Option<&'static str> {
    if !heavy("Chromium") {
        return None;
    }
    let found = NAMES.into_iter().find(|name| Path::new(name).exists());
    found.or_else(|| missing("chromium"))
}

/// An empty folder for pictures. It outlives the test, for people.
fn pictures() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/client");
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[tokio::test]
async fn heavy_chromium_acts_waits_and_returns() {
    let Some(chromium) = chromium() else { return };
    let (Some(modules), Some(world)) = (installed("browser", "npm's playwright-core"), World::build().await) else {
        return;
    };
    let pictures = pictures();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/client/browser/walk.mjs");
    let mut command = Command::new(modules.parent().unwrap().join("node"));
    command.arg(script).arg(&modules).args([chromium, &world.app.public]).arg(&pictures);
    let mut walk = Process::start(&mut command);
    walk.line("the page that waits", |line| (line == r#"{"at":"waiting"}"#).then_some(())).await;
    world.vote("approve", "fine").await;
    let ended = walk.end().await;
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.out, ended.err);
    assert!(ended.out.ends_with(r#"{"at":"end"}"#), "{}", ended.out);
    for name in ["client-acting", "client-waiting", "client-refused"] {
        let picture = fs::read(pictures.join(name).with_extension("png")).unwrap();
        assert!(picture.starts_with(b"\x89PNG\r\n\x1a\n") && picture.len() > 5_000, "{name}: {} bytes", picture.len());
    }
}
