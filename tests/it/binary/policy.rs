//! Rules as an operator keeps them: under test, tried out, looked at, and replaced while the service runs.

use std::fs;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::{USERS, World, assert_delegates, assert_refuses};
use crate::support::process::{Ended, Service, run, until};

const RESERVED: &str = "[[tenants.default.rules]]\nname = \"all\"\nstages = [\"reservation\"]\n";
const FREE: &str = "[[tenants.default.rules]]\nname = \"all\"\n";

impl World {
    fn rules(&self, text: &str) {
        fs::write(self.path().join("behalf.toml"), text).unwrap();
    }

    async fn simulate(&self, more: &[&str]) -> Ended {
        let mut arguments = vec!["simulate", "--delegator", "bob@example.test", "--client", "app"];
        arguments.extend_from_slice(more);
        run(&mut self.command(&arguments, &[])).await
    }

    async fn metric(&self, service: &Service, name: &str) -> String {
        let page = self.http.get(service.url("/metrics")).send().await.unwrap().text().await.unwrap();
        let line = page.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.rsplit(' ').next().unwrap_or_default().to_owned()
    }
}

#[tokio::test]
async fn new_rules_decide_the_next_hook_and_wrong_ones_never() {
    let world = World::new();
    world.rules(FREE);
    let mut service = world.serve(&[]).await;
    world.grant(&service).await;
    let hook = async |service: &Service, event: &str, id: &str| {
        world.deliver(&service.url("/hooks/okta"), &world.hook(event, Some(id))).await
    };
    let id = world.begin(&service).await;
    assert_delegates(&hook(&service, "e1", &id).await);
    assert_eq!(world.metric(&service, "behalf_policy_reload_failed ").await, "0");
    let loaded: i64 = world.metric(&service, "behalf_policy_loaded_timestamp_seconds ").await.parse().unwrap();
    assert!(loaded > 1_700_000_000, "{loaded}");

    // On a signal the file is read at once.
    let id = world.begin(&service).await;
    world.rules(&format!("log.level = \"debug\"\n{RESERVED}"));
    service.process.signal("HUP");
    service.process.log("other rules are in force").await;
    let restart: Value =
        service.process.log("the configuration differs from the one in force: it needs a restart").await;
    assert_eq!(restart["keys"], "log.level");
    assert_refuses(&hook(&service, "e2", &id).await, "stage-missing");

    // A wrong file changes nothing, says so, and every mistake of it.
    world.rules("[[tenants.default.rules]]\nname = \"all\"\nstages = [\"aproval\"]\nmax_token_lifetime = \"x\"\n");
    let error: Value = service.process.log("kept the old rules: the new file is wrong").await;
    let why = error["why"].as_str().unwrap();
    assert!(why.contains("behalf.toml:3: ") && why.contains("behalf.toml:4: "), "{why}");
    assert_eq!(world.metric(&service, "behalf_policy_reload_failed ").await, "1");
    let (status, health) = world.page(&service.url("/healthz")).await.unwrap();
    let rules = health["dependencies"].as_array().unwrap().iter().find(|d| d["name"] == "rules").unwrap();
    assert_eq!((status, &rules["up"]), (503, &Value::Bool(false)), "{health}");
    assert_refuses(&hook(&service, "e3", &id).await, "stage-missing");

    // A file that is gone is as wrong.
    fs::remove_file(world.path().join("behalf.toml")).unwrap();
    let gone = |line: &str| (line.contains("kept the old rules") && line.contains("can't be read")).then_some(());
    service.process.line("that the file is gone", gone).await;

    // Without a signal it is found by polling.
    world.rules(FREE);
    until("the new rules", async || {
        (world.metric(&service, "behalf_policy_reload_failed ").await == "0").then_some(())
    })
    .await;
    let id = world.begin(&service).await;
    assert_delegates(&hook(&service, "e4", &id).await);
    assert_eq!(world.page(&service.url("/healthz")).await.unwrap().0, 200);
}

#[tokio::test]
async fn a_signal_to_reread_ends_nobody_who_has_no_file() {
    let world = World::new();
    let mut service = world.serve(&[]).await;
    service.process.signal("HUP");
    service.process.log("the configuration's file holds nothing new, or there is none").await;
    assert_eq!(world.page(&service.url("/livez")).await.unwrap().0, 200);
}

#[tokio::test]
async fn simulate_tells_yes_no_and_nobody_knows() {
    let world = World::new();
    world.rules(FREE);
    let ann = ["--agent", "ann@example.test"];
    let before = world.simulate(&ann).await;
    assert_eq!(before.code, Some(1), "{before:?}");
    assert!(before.out.contains("refused: grant-gone") && before.out.contains("stage grant: grant-gone"), "{before:?}");
    assert!(!world.path().join("data").exists(), "it makes nothing");

    // Through the running process.
    let service = world.serve(&[]).await;
    world.grant(&service).await;
    let running = world.simulate(&ann).await;
    assert_eq!(running.code, Some(0), "{running:?}");
    assert!(running.out.starts_with("granted\n") && running.out.contains("rule \"all\": matched"), "{running:?}");
    world.rules(RESERVED);
    let unprepared = world.simulate(&ann).await;
    assert_eq!(unprepared.code, Some(1), "{unprepared:?}");
    assert!(unprepared.out.contains("\nprepared: no"), "{unprepared:?}");
    let early = world.simulate(&["--agent", "00uann", "--at", "initiation"]).await;
    let told = "refused: reservation-missing (the agent is told: reservation-required)";
    assert_eq!((early.code, early.out.lines().next()), (Some(1), Some(told)), "{early:?}");
    world.rules(FREE);
    let lock = serde_json::json!({});
    world.call(reqwest::Method::POST, &service.url("/v1/locks"), "bob", &lock).await;
    let locked = world.simulate(&ann).await;
    assert_eq!(
        (locked.code, locked.out.lines().next()),
        (Some(1), Some("refused: locked (the agent is told: locked)"))
    );

    // At its file, when it has ended.
    service.process.signal("TERM");
    assert_eq!(service.process.end().await.code, Some(0));
    let json = world.simulate(&["--agent", "00uann", "--json", "--scope", "openid"]).await;
    assert_eq!(json.code, Some(1), "{json:?}");
    let told: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(
        (&told["reason"], &told["scopes"][0], &told["rule"]["name"]),
        (&"locked".into(), &"openid".into(), &"all".into())
    );

    let unknown = world.simulate(&["--agent", "carol"]).await;
    assert_eq!(unknown.code, Some(1), "{unknown:?}");
    assert!(unknown.out.contains("carol is not in the directory"), "{unknown:?}");
    let tenant = world.simulate(&["--agent", "00uann", "--tenant", "acme"]).await;
    assert_eq!((tenant.code, tenant.err.as_str()), (Some(2), "there is no tenant `acme`"));
    let memory = [("BEHALF_STORE", "memory")];
    let arguments = ["simulate", "--agent", "00uann", "--delegator", "00ubob", "--client", "app"];
    assert_eq!(run(&mut world.command(&arguments, &memory)).await.code, Some(2));
}

const RULES_UNDER_TEST: &str = r#"
[[tenants.default.rules]]
name = "directors"
when = { delegator_groups = ["00gdir"] }
stages = ["approval"]
approval = { type = "approve", approvers = ["group:00gsec"] }
[[tenants.default.rules]]
name = "short"
when = { clients = ["app"] }
scopes_allowed = ["openid"]
"#;

const CASES: &str = "
cases:
  - name: a director needs an approval
    agent: ann
    delegator: bob
    client: app
    groups: { delegator: [00gdir] }
    at: initiation
    expect: { decision: prepare, rule: directors, stages: [approval] }
  - { name: the hook wants it done, agent: ann, delegator: bob, client: app, groups: { delegator: [00gdir] }, expect: { decision: stage-missing } }
  - { name: others go on, agent: ann, delegator: bob, client: app, scopes: [openid], expect: { decision: granted, rule: short, stages: [] } }
  - { name: but not with more, agent: ann, delegator: bob, client: app, scopes: [pay], expect: { decision: scope-not-allowed } }
  - { name: no rule, agent: ann, delegator: bob, client: web, expect: { decision: granted, rule: null } }
  - { name: no grant, agent: ann, delegator: bob, client: web, state: { granted: false }, expect: { decision: grant-gone } }
  - { name: asleep, agent: ann, delegator: bob, client: web, state: { active: { delegator: false } }, expect: { decision: delegator-inactive } }
  - { name: locked, agent: ann, delegator: bob, client: web, state: { locked: { agent: true } }, expect: { decision: locked } }
";

#[tokio::test]
async fn rules_are_kept_under_test_without_anything_else() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    write("rules.toml", RULES_UNDER_TEST);
    write("cases.yaml", CASES);
    let test = async |cases: &str, config: &str| {
        run(&mut crate::support::process::behalf(dir.path(), &["policy", "test", cases, "--config", config])).await
    };
    let good = test("cases.yaml", "rules.toml").await;
    assert_eq!(good.code, Some(0), "{good:?}");
    assert!(
        good.out.contains("ok: a director needs an approval") && good.out.ends_with("8 cases, 0 failed"),
        "{good:?}"
    );

    write(
        "wrong.yaml",
        &CASES.replace("rule: short", "rule: directors").replace("decision: locked", "decision: granted"),
    );
    let failed = test("wrong.yaml", "rules.toml").await;
    assert_eq!(failed.code, Some(1), "{failed:?}");
    for part in [
        "FAILED: others go on\n  rule: expected directors, got short\n  trace: grant: continue, lock: continue, rules: continue\n",
        "FAILED: locked\n  decision: expected granted, got locked\n",
        "8 cases, 2 failed",
    ] {
        assert!(failed.out.contains(part), "{part}: {}", failed.out);
    }

    write("typo.yaml", &CASES.replace("expect: { decision: granted, rule: null }", "expct: {}"));
    let typo = test("typo.yaml", "rules.toml").await;
    assert_eq!(typo.code, Some(2), "{typo:?}");
    assert!(typo.err.contains("typo.yaml: line 13: cases[4]: unknown field `expct`"), "{}", typo.err);
    write("broken.toml", "[[tenants.default.rules]]\nname = \"x\"\nstages = [\"approval\"]\n");
    let broken = test("cases.yaml", "broken.toml").await;
    assert_eq!(broken.code, Some(2), "{broken:?}");
    assert!(broken.err.contains("broken.toml:1: ") && broken.err.contains("has no settings"), "{}", broken.err);
    assert_eq!(test("nowhere.yaml", "rules.toml").await.code, Some(2));
}

#[tokio::test]
async fn check_looks_for_everybody_whom_the_rules_name() {
    let world = World::new();
    let users = format!("{USERS}  - {{id: 00ueve, login: eve@example.test, status: suspended, groups: [00gsec]}}\n");
    fs::write(world.path().join("users.yaml"), users).unwrap();
    let rule = |approvers: &str, quorum: u8, group: &str| {
        format!(
            "[[tenants.default.rules]]\nname = \"r\"\nwhen = {{ agent_groups = [\"{group}\"] }}\nstages = [\"approval\"]\n\
             approval = {{ type = \"approve\", approvers = [{approvers}], quorum = {quorum} }}\n"
        )
    };
    world.rules(&rule("\"user:00uann\", \"user:00ubob\", \"group:00gsec\"", 2, "00gsec"));
    let good = run(&mut world.command(&["check"], &[])).await;
    assert_eq!(good.code, Some(0), "{good:?}");
    assert!(good.out.contains("ok: rules of `default`: 1 rule"), "{}", good.out);

    world.rules(&rule("\"user:00uann\", \"user:00ueve\", \"user:00unobody\"", 2, "00gops"));
    let bad = run(&mut world.command(&["check"], &[])).await;
    assert_eq!(bad.code, Some(1), "{bad:?}");
    for part in [
        "warning: rules of `default`: rule \"r\": the approver user:00ueve isn't active",
        "error: rules of `default`: rule \"r\": the approver user:00unobody is not in the directory",
        "error: rules of `default`: rule \"r\": only 1 of its approvers can approve, and its quorum is 2",
        "error: rules of `default`: rule \"r\": there is no group 00gops",
    ] {
        assert!(bad.out.contains(part), "{part}: {}", bad.out);
    }

    // Members count once, however often they are named, and only if they are active.
    world.rules(&rule("\"group:00gsec\", \"group:00gnone\"", 1, "00gsec"));
    let bad = run(&mut world.command(&["check"], &[])).await;
    assert_eq!(bad.code, Some(1), "{bad:?}");
    for part in [
        "error: rules of `default`: rule \"r\": only 0 of its approvers can approve, and its quorum is 1",
        "error: rules of `default`: rule \"r\": there is no group 00gnone",
    ] {
        assert!(bad.out.contains(part), "{part}: {}", bad.out);
    }
    let both = "  - {id: 00udan, login: dan@example.test, status: active, groups: [00gsec, 00gops]}\n";
    fs::write(world.path().join("users.yaml"), format!("{USERS}{both}")).unwrap();
    world.rules(&rule("\"group:00gsec\", \"group:00gops\", \"user:00udan\"", 2, "00gsec"));
    let bad = run(&mut world.command(&["check"], &[])).await;
    assert!(bad.out.contains("only 1 of its approvers can approve, and its quorum is 2"), "{}", bad.out);
    world.rules(&rule("\"group:00gsec\", \"group:00gops\"", 1, "00gsec"));
    let good = run(&mut world.command(&["check"], &[])).await;
    assert_eq!(good.code, Some(0), "{good:?}");
}

#[tokio::test]
async fn check_looks_for_those_who_decide_about_applications_and_keys() {
    let world = World::new();
    fs::write(world.path().join("till.keys"), format!("{}\n", STANDARD.encode([7; 32]))).unwrap();
    let settings = |approver: &str| {
        format!(
            "[applications]\naudience = \"https://behalf.example\"\n[tenants.default.approvals]\nkey_approvers = [\"{approver}\"]\n\
             [[tenants.default.applications]]\nuri = \"https://till.example\"\nkeys_file = \"till.keys\"\n\
             may = [\"approvals\"]\napproval = {{ type = \"approve\", approvers = [\"{approver}\"] }}\n"
        )
    };
    world.rules(&settings("user:00ubob"));
    let good = run(&mut world.command(&["check"], &[])).await;
    assert_eq!(good.code, Some(0), "{good:?}");
    for part in ["ok: applications of `default`: 1 application that asks", "ok: keys of `default`: 1 list of approvers"]
    {
        assert!(good.out.contains(part), "{part}: {}", good.out);
    }
    world.rules(&settings("group:00gnone"));
    let bad = run(&mut world.command(&["check"], &[])).await;
    assert_eq!(bad.code, Some(1), "{bad:?}");
    for part in [
        "error: applications of `default`: application https://till.example: there is no group 00gnone",
        "error: applications of `default`: application https://till.example: only 0 of its approvers can approve",
        "error: keys of `default`: `approvals.key_approvers`: there is no group 00gnone",
    ] {
        assert!(bad.out.contains(part), "{part}: {}", bad.out);
    }
}
