//! `behalf demo`, as somebody who has just cloned the project runs it.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, process::Command, sync::Mutex};

use behalf::{
    config::{LogFormat, LogSettings},
    telemetry,
};

use super::World;
use crate::client::{app::App, visitor::Visitor};
use crate::hooks::rounds;
use crate::support::{
    ports,
    process::{Process, behalf, run, until},
};

/// What the demo prints, in this order; `*` stands for anything within a line.
const STORY: [&str; 13] = [
    "FOR DEMO AND TESTS ONLY",
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
    "AUDIT  What Carol, the administrator, reads",
    "SEAL   An auditor takes the trail home",
];
const TWO_PROCESSES: [&str; 4] = [
    "PAIR   Two processes of behalf over one Redis",
    "   *-server *, process *, on 127.0.0.1:*: in memory",
    "   A: behalf serve, process *, on http://127.0.0.1:*",
    "   B: behalf serve, process *, on http://127.0.0.1:*",
];
const ONE_PROCESS: [&str; 3] = [
    "PAIR   A process of behalf",
    "   A second process is left out (no redis-server is installed)",
    "   A: behalf serve, process *, on http://127.0.0.1:*",
];
/// `%` stands for the process that serves the approver, Ben and the hooks.
const APPROVAL_AND_RESERVATION: [&str; 46] = [
    "   %  Bob: POST /v1/grants * -> 201",
    "ASK    Ann asks",
    "   A  Ann: POST /v1/delegations * -> 202",
    "        state    PENDING",
    "   A  Ann: GET /v1/approvals/*/events -> a stream",
    "        its first event: revision 1 \"PENDING\"",
    "SIGN   Dora, the approver, reads the request at %",
    "   %  Dora: POST /v1/me/keys * -> 201",
    "   %  Dora: GET /v1/approvals?role=approver -> 200",
    "        awaits her vote: \"apr_*\"",
    "   %  Dora: POST /v1/approvals/*/challenges * -> 201",
    "          {\"action\":\"delegation.grant\",*",
    "        its SHA-256, computed here: sha256:*",
    "   %  Dora: POST /v1/approvals/*/votes * -> 200",
    "        state APPROVED",
    "   A  Ann's app hears: revision 2 \"APPROVED\"",
    "USE    The same call again at A, and the hook at %",
    "   A  Ann: POST /v1/delegations * -> 201",
    "   %  POST /hooks/okta -> 200",
    "      + on_behalf *\"True\"",
    "      + on_behalf_sub *\"bob@example.test\"",
    "        state ENDED, used 1 time(s)",
    "NO     A second use",
    "(delegation-not-usable)",
    "   A  Ann: POST /v1/delegations * -> 202",
    "PROOF  An auditor",
    "      OK: apr_*",
    "nobody without it could make this",
    "      exit code 0",
    "      BAD: *digest",
    "      exit code 1",
    "HOLD   One person at a time: Ann reserves the till at A, Ben asks at %",
    "   A  Ann: POST /v1/reservations * -> 201",
    "   %  Ben: POST /v1/reservations * -> 409",
    "        reserved: ann@example.test has it until *UTC",
    "LOGIN  Ann signs in as the till",
    "      + reserved_by *\"ann@example.test\"",
    "(reservation-required)",
    "NEXT   One token was one use",
    "   %  Ben: POST /v1/reservations * -> 201",
    "        till@example.test: HELD, by ben@example.test",
    "ACT    Ann acts",
    "      + on_behalf_sub *\"till@example.test\"",
    "RACE   Ann at A, Ben at %, at once",
    "   10 rounds: Ann was answered 201 in * of them, Ben in *.",
    "Every step did what it said.",
];

/// Whether the text has this, where `*` stands for anything within a line. The rest behind it.
fn after<'a>(text: &'a str, wanted: &str) -> Option<&'a str> {
    let mut behind = 0;
    for line in text.split_inclusive('\n') {
        behind += line.len();
        let mut rest = Some(line);
        for part in wanted.split('*') {
            rest = rest.and_then(|rest| rest.split_once(part)).map(|(_, rest)| rest);
        }
        if rest.is_some() {
            return Some(&text[behind..]);
        }
    }
    None
}

fn tells<'a>(out: &str, wanted: impl IntoIterator<Item = &'a str>, other: char) {
    let mut rest = out;
    for wanted in wanted {
        let wanted = wanted.replace('%', &other.to_string());
        rest = after(rest, &wanted).unwrap_or_else(|| panic!("not there, or not in order: {wanted}\n{out}"));
    }
}

/// Programs in `bin` come first.
fn demo(dir: &Path, bin: &Path, arguments: &[&str]) -> Command {
    let mut command = behalf(dir, &[&["demo"], arguments].concat());
    command.env("TMPDIR", dir).env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display()));
    command
}

/// Processes that run in the folder, even if it isn't there any more; but for that which the test itself runs in it.
fn processes_in(dir: &Path, own: Option<u32>) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        // Those that have ended meanwhile, and those of others, have none to read.
        let Ok(cwd) = fs::read_link(entry.path().join("cwd")) else { continue };
        if cwd.starts_with(dir) && own.is_none_or(|id| entry.file_name().to_string_lossy() != id.to_string()) {
            found.push(format!("{} in {}", entry.file_name().display(), cwd.display()));
        }
    }
    found
}

fn nothing_is_left_in(dir: &Path) {
    let left: Vec<_> = dir.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.is_empty(), "files are left: {left:?}");
    let left = processes_in(dir, None);
    assert!(left.is_empty(), "processes are left: {left:?}");
}

#[tokio::test]
async fn it_tells_the_whole_story() {
    let (dir, bin) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let ended = run(&mut demo(dir.path(), bin.path(), &[])).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    tells(&ended.out, STORY.into_iter().chain(TWO_PROCESSES).chain(APPROVAL_AND_RESERVATION), 'B');
    nothing_is_left_in(dir.path());
}

#[tokio::test]
async fn without_a_redis_one_process_does_both_parts() {
    let (dir, bin) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let ended = run(demo(dir.path(), bin.path(), &[]).env("PATH", bin.path())).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    tells(&ended.out, STORY.into_iter().chain(ONE_PROCESS).chain(APPROVAL_AND_RESERVATION), 'A');
    assert!(!ended.out.contains("B: behalf serve"), "{}", ended.out);
    nothing_is_left_in(dir.path());
}

/// A `redis-server` that does this when it is told to serve.
fn pretended(bin: &Path, does: &str) {
    let script = format!("#!/bin/sh\n[ \"$1\" = --version ] && exec echo 'Redis server v=7.0.15'\n{does}\n");
    let path = bin.join("redis-server");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Waits where its Redis doesn't become ready.
const WAITS: &str = "exec sleep 600";

async fn waiting(dir: &Path, bin: &Path) -> Process {
    pretended(bin, WAITS);
    let demo = Process::start(&mut demo(dir, bin, &[]));
    // The watchdog and the Redis.
    until("its processes", async || (processes_in(dir, Some(demo.id())).len() == 2).then_some(())).await;
    demo
}

#[tokio::test]
async fn stopped_on_its_way_it_fails_and_leaves_nothing() {
    for signal in ["INT", "TERM"] {
        let (dir, bin) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let demo = waiting(dir.path(), bin.path()).await;
        demo.signal(signal);
        let ended = demo.end().await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.out.contains(&format!("The demo failed: SIG{signal} came before its end")), "{}", ended.out);
        nothing_is_left_in(dir.path());
    }
}

async fn all_ends_in(dir: &Path) {
    until("the end of all that the demo started", async || {
        (processes_in(dir, None).is_empty() && dir.read_dir().unwrap().count() == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn killed_it_leaves_nothing_either() {
    let (dir, bin) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let demo = waiting(dir.path(), bin.path()).await;
    demo.signal("KILL");
    assert_eq!(demo.end().await.code, None);
    all_ends_in(dir.path()).await;
}

/// What it starts is known to its watchdog from the first moment.
#[tokio::test]
async fn killed_by_what_it_starts_it_leaves_nothing_either() {
    let (dir, bin) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    pretended(bin.path(), &format!("kill -KILL $PPID; {WAITS}"));
    for _ in 0..rounds() {
        let ended = run(&mut demo(dir.path(), bin.path(), &[])).await;
        assert_eq!(ended.code, None, "{ended:?}");
        all_ends_in(dir.path()).await;
    }
}

#[tokio::test]
async fn a_step_that_does_not_hold_fails_it() {
    let (dir, bin) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    pretended(bin.path(), &format!("echo 'Ready to accept connections'\n{WAITS}"));
    let ended = run(&mut demo(dir.path(), bin.path(), &[])).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.out.contains("The demo failed: behalf-") && ended.out.contains("BEHALF_STORE"), "{}", ended.out);
    assert!(!ended.out.contains("Every step"), "{}", ended.out);
    nothing_is_left_in(dir.path());
}

/// Blocks of commands in a section of a document.
fn commands(document: &str, section: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(document)).unwrap();
    let (_, rest) = text.split_once(&format!("\n## {section}\n")).unwrap();
    let section = rest.split("\n## ").next().unwrap();
    let blocks = section.split("```sh\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap().to_owned()).collect()
}

/// Runs commands with these variables; gives what they said, and the refresh token that is good after them.
async fn typed(variables: &str, refresh: &str, text: &str) -> (String, String) {
    let script = format!("{variables}\nREFRESH='{refresh}'\n{text}\nended=$?; echo \"REFRESH=$REFRESH\"; exit $ended");
    let tried = run(Command::new("bash").args(["-c", &script])).await;
    assert_eq!(tried.code, Some(0), "{tried:?}\n{script}");
    let (said, refresh) = tried.out.rsplit_once("REFRESH=").unwrap();
    (said.to_owned(), refresh.trim().to_owned())
}

/// What `docs/clients.md` says with curl, with the variables that the demo prints.
async fn the_recipe_for_curl_works(variables: &str, refresh: &str, approving: &str) {
    let blocks = commands("docs/clients.md", "curl");
    let [begin, wait] = &blocks[..] else { panic!("{blocks:?}") };
    let (said, refresh) = typed(variables, refresh, begin).await;
    assert_eq!(said.lines().last(), Some("bob@example.test"), "for whom the token is: {said}");
    assert!(said.contains("ben@example.test\n"), "for whom she may: {said}");
    assert!(!said.contains("stop here") && !said.contains("no token"), "{said}");

    // Ben's: told to stop, then approved, then the same words again.
    let begin = begin.replace("bob@", "ben@").replace("invoice run", "another run");
    let (asked, _) = begin.split_once("# refresh within").unwrap();
    let (said, _) = typed(variables, &refresh, &format!("{asked}\n{approving}\n{wait}\n{begin}")).await;
    assert_eq!(said.matches("stop here: ").count(), 1, "{said}");
    assert!(said.contains("APPROVED\n"), "the wait is over: {said}");
    assert_eq!(said.lines().last(), Some("ben@example.test"), "{said}");
}

/// By the line that is printed for it, but on another port: tests run at the same time.
async fn the_application_runs(demo: &mut Process) {
    let line = |line: &str| line.strip_suffix(" node examples/client/main.mjs").map(str::to_owned);
    let printed = demo.line("how to start the example client", line).await;
    let open = |line: &str| line.strip_prefix("then in a browser, as ann@example.test: ").map(str::to_owned);
    let public = demo.line("where it is then", open).await;
    let mut environment: Vec<_> = printed.split(' ').map(|pair| pair.split_once('=').unwrap()).collect();
    assert_eq!(public, "http://127.0.0.1:3000/");
    let port = ports::free().to_string();
    environment.push(("PORT", &port));
    let Some(app) = App::start(&environment).await else { return };
    let mut ann = Visitor::of(&app);
    let home = ann.sign_in("ann@example.test").await;
    let acting = ann.press(&home, "Act for bob@example.test", &[]).await;
    assert_eq!(acting.row("on_behalf_sub"), ["", r#""bob@example.test""#, "added"], "{}", acting.body);
    let waiting = ann.press(&acting, "Act for ben@example.test", &[("reason", "month end")]).await;
    assert_eq!(waiting.heading(), "Somebody has to approve first", "{}", waiting.body);
}

#[tokio::test]
async fn it_stays_and_the_commands_that_it_prints_work() {
    for signal in ["INT", "TERM"] {
        let (dir, bin) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut demo = Process::start(&mut demo(dir.path(), bin.path(), &["--serve"]));
        demo.line("the last of the commands", |line| line.contains("/docs/").then_some(())).await;
        let out = demo.out();
        let start = out.iter().position(|line| line.starts_with("BEHALF_URL=")).unwrap();
        let end = out.iter().position(|line| line.contains("/docs/")).unwrap();
        let script = out[start..end].join("\n");
        assert!(script.lines().filter(|line| line.starts_with("curl ") || line.contains("$(curl ")).count() >= 5);
        let tried =
            run(Command::new("sh").args(["-e", "-c", &format!("{script}\nprintf '\\n%s\\n' \"$REFRESH\"")])).await;
        assert_eq!(tried.code, Some(0), "{tried:?}\n{script}");
        assert!(tried.out.contains("bob@example.test"), "for whom Ann may act: {}", tried.out);
        assert!(tried.out.contains(r#""on_behalf_sub":"bob@example.test""#), "decoded: {}", tried.out);
        assert!(tried.out.contains("not-delegated") && tried.out.contains("behalf_hooks"), "{}", tried.out);
        assert!(
            tried.out.contains(r#""state":"PENDING""#) && tried.out.contains(r#""state":"APPROVED""#),
            "{}",
            tried.out
        );
        let (_, after) = tried.out.rsplit_once(r#""state":"APPROVED""#).unwrap();
        assert!(after.contains(r#""delegationid":"dlg_"#), "for Ben after Dora's yes: {after}");
        let variables = out[start..].iter().take_while(|line| !line.starts_with("echo ")).cloned().collect::<Vec<_>>();
        let approving = out.iter().position(|line| line.starts_with("APPROVAL=")).unwrap();
        let refresh = tried.out.lines().last().unwrap();
        the_recipe_for_curl_works(&variables.join("\n"), refresh, &out[approving..end].join("\n")).await;
        the_application_runs(&mut demo).await;
        let verdict = out.iter().position(|line| line == "Every step did what it said.").unwrap();
        assert!(verdict < start, "before the commands");
        assert!(tried.out.contains("access_token") && !tried.out.contains("server_error"), "{}", tried.out);

        demo.signal(signal);
        let ended = demo.end().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        nothing_is_left_in(dir.path());
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
