//! `behalf demo`, as somebody who has just cloned the project runs it.

use std::{process::Command, sync::Mutex};

use behalf::{
    config::{LogFormat, LogSettings},
    telemetry,
};

use super::World;
use crate::support::process::{Process, behalf, run};

const CHAPTERS: [&str; 10] = [
    "S1/S2  Bob lets Ann act for him",
    "A1     Ann is signed in",
    "A2     For whom may Ann act?",
    "A3/A4  Ann's app begins a delegation",
    "A5/A6  The app refreshes with the id",
    "NO     The same id again",
    "NO     Ann's id in Eve's hands",
    "NO     Bob takes the grant back",
    "NO     Too late",
    "NO     Bob locks his account",
];

#[tokio::test]
async fn it_tells_the_whole_story() {
    let dir = tempfile::tempdir().unwrap();
    let ended = run(behalf(dir.path(), &["demo"]).env("TMPDIR", dir.path())).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let mut rest = ended.out.as_str();
    for chapter in
        CHAPTERS.into_iter().chain(["AUDIT  What Carol, the administrator, reads", "Every step did what it said."])
    {
        let at = rest.find(chapter).unwrap_or_else(|| panic!("not there, or not in order: {chapter}\n{}", ended.out));
        rest = &rest[at..];
    }
    assert!(ended.out.contains("FOR DEMO AND TESTS ONLY"), "{}", ended.out);
    assert_eq!(dir.path().read_dir().unwrap().count(), 0, "it leaves nothing behind");
}

#[tokio::test]
async fn it_stays_and_the_commands_that_it_prints_work() {
    for signal in ["INT", "TERM"] {
        let dir = tempfile::tempdir().unwrap();
        let mut demo = Process::start(behalf(dir.path(), &["demo", "--serve"]).env("TMPDIR", dir.path()));
        demo.line("the last of the commands", |line| line.contains("/docs/").then_some(())).await;
        let out = demo.out();
        let start = out.iter().position(|line| line.starts_with("ANN='")).unwrap();
        let end = out.iter().position(|line| line.contains("/docs/")).unwrap();
        let script = out[start..end].join("\n");
        assert!(script.lines().filter(|line| line.starts_with("curl ") || line.contains("$(curl ")).count() >= 5);
        let tried = run(Command::new("sh").args(["-e", "-c", &script])).await;
        assert_eq!(tried.code, Some(0), "{tried:?}\n{script}");
        assert!(tried.out.contains("bob@example.test"), "for whom Ann may act: {}", tried.out);
        assert!(tried.out.contains(r#""on_behalf_sub":"bob@example.test""#), "decoded: {}", tried.out);
        assert!(tried.out.contains("not-delegated") && tried.out.contains("behalf_hooks"), "{}", tried.out);
        let verdict = out.iter().position(|line| line == "Every step did what it said.").unwrap();
        assert!(verdict < start, "before the commands");
        assert!(tried.out.contains("access_token") && !tried.out.contains("server_error"), "{}", tried.out);

        demo.signal(signal);
        let ended = demo.end().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(dir.path().read_dir().unwrap().count(), 0, "it leaves nothing behind");
    }
}

#[tokio::test]
async fn the_development_server_says_at_every_start_what_it_is() {
    let (settings, file) =
        (LogSettings { format: LogFormat::Json, filter: "warn".to_owned() }, tempfile::NamedTempFile::new().unwrap());
    let log = telemetry::subscriber(&settings, Mutex::new(file.reopen().unwrap())).unwrap();
    tracing::subscriber::with_default(log, || (World::new(), World::new()));
    let said = std::fs::read_to_string(file.path()).unwrap();
    assert_eq!(said.lines().filter(|line| line.contains("is for demo and tests only")).count(), 2, "{said}");
}
