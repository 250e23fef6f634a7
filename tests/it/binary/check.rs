//! `check`: every mistake at once.

use std::fs;

use super::World;
use crate::support::process::run;

#[tokio::test]
async fn all_is_well() {
    let world = World::new();
    let ended = run(&mut world.command(&["check"], &[])).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.ends_with("all is well"), "{}", ended.out);
    let kept = "ok: audit trail of `default`: no events yet; nothing is ever dropped";
    for part in [kept, "ok: store", "ok: directory of `default`: 2 users", "ok: issuer of `default`"] {
        assert!(ended.out.contains(part), "{part}: {}", ended.out);
    }
    assert!(!world.path().join("data").exists(), "a check makes nothing");
}

#[tokio::test]
async fn every_mistake_of_the_configuration_is_listed() {
    let world = World::new();
    fs::write(world.path().join("behalf.toml"), "[server]\nworkers = 0\nwokers = 2\n").unwrap();
    let wrong = [
        ("BEHALF_BIND", "nonsense"),
        ("BEHALF_ISSUER", "ftp://x"),
        ("BEHALF_AUDIENCE", ""),
        ("BEHALF_HOOK_SECRET", ""),
        ("BEHALF_DELEGATION_LIFE", "9s"),
        ("BEHALF_USERS_FILE", "nowhere.yaml"),
        ("BEHALF_CA_FILE", "nowhere.pem"),
        ("BEHALF_STORE", "sqlite:x"),
    ];
    let mut command = world.command(&["check"], &wrong);
    let ended = run(command.env("BEHALF_ISUER", "x")).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let places = wrong.iter().map(|(name, _)| *name).chain(["BEHALF_ISUER", "server.workers", "server.wokers"]);
    for place in places {
        assert!(ended.err.lines().any(|line| line.contains(place)), "{place} is not named:\n{}", ended.err);
    }
    assert!(ended.err.lines().all(|line| line.contains(';')), "each line says what to do:\n{}", ended.err);
}

#[tokio::test]
async fn everything_that_the_configuration_names_is_asked_even_if_the_first_is_down() {
    let world = World::new();
    let write = |name: &str, text: &str| fs::write(world.path().join(name), text).unwrap();
    write("users.yaml", "users:\n  - {id: 00uann, login: ann@example.test, status: active, groups: 7}\n");
    write("broken.pem", "no certificate");
    write("data", "a file where the folder should be");
    let gone = format!("{}/nobody", world.issuer.url());
    let wrong = [
        ("BEHALF_ISSUER", gone.as_str()),
        ("BEHALF_TLS_CERT_FILE", "broken.pem"),
        ("BEHALF_TLS_KEY_FILE", "broken.pem"),
        ("BEHALF_CA_FILE", "broken.pem"),
        ("BEHALF_ACCESS_CLAIMS", "login=sub"),
        ("BEHALF_SIGNING_KEY_FILE", "broken.pem"),
        ("BEHALF_AUDIT_SINK", "file:nowhere/trail.jsonl"),
    ];
    let ended = run(&mut world.command(&["check"], &wrong)).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.out.ends_with("not ready to serve"), "{}", ended.out);
    for part in [
        "store",
        "tls",
        "outbound",
        "groups",
        "sub",
        "error: issuer of `default`",
        "error: signing key: BEHALF_SIGNING_KEY_FILE",
    ] {
        let named = ended.out.lines().any(|line| line.contains("error") && line.contains(part));
        assert!(named, "{part} is not named:\n{}", ended.out);
    }
}

#[tokio::test]
async fn an_issuer_that_is_down_is_named() {
    let world = World::new();
    let gone = format!("{}/nobody", world.issuer.url());
    let ended = run(&mut world.command(&["check"], &[("BEHALF_ISSUER", &gone)])).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.out.contains("error: issuer of `default`") && ended.out.contains("ok: store"), "{}", ended.out);
}

#[tokio::test]
async fn a_running_service_can_be_checked() {
    let world = World::new();
    let service = world.serve(&[]).await;
    world.grant(&service).await;
    let ended = run(&mut world.command(&["check"], &[("BEHALF_AUDIT_SINK", "file:trail.jsonl")])).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.contains("is served by a running process"), "{}", ended.out);
    assert!(ended.out.contains(" events, 1 KiB, since the first, "), "{}", ended.out);
    assert!(ended.out.contains("; dropped after 90d, once file:"), "{}", ended.out);
    drop(service);
    let ended = run(&mut world.command(&["check"], &[("BEHALF_AUDIT_SINK", "stdout")])).await;
    let told = ended.out.lines().find(|line| line.contains("audit trail")).unwrap();
    assert!(told.contains(" events, ") && told.contains("nothing is ever dropped"), "{told}");
}

#[tokio::test]
async fn shared_accounts_are_looked_up_and_what_is_best_effort_is_said() {
    let world = World::new();
    let write = |second: &str| {
        let account = |id: &str, more: &str| {
            format!("[[tenants.default.shared_accounts]]\nid = \"{id}\"\ngroup = \"dbas\"\n{more}")
        };
        let config = account("00ubob", "direct_login = \"refuse\"\n") + &account(second, "");
        fs::write(world.path().join("behalf.toml"), config).unwrap();
    };
    write("00uann");
    let ended = run(&mut world.command(&["check"], &[])).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.contains("ok: shared accounts of `default`: 2 active"), "{}", ended.out);
    assert!(ended.out.contains("warning: ") && ended.out.contains("best effort on Okta"), "{}", ended.out);
    write("00unobody");
    let ended = run(&mut world.command(&["check"], &[])).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.out.contains("error: shared accounts of `default`: `00unobody` isn't there"), "{}", ended.out);
}
