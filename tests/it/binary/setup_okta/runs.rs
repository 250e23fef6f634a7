//! Runs that go well: first, second, dry, verifying.

use std::{os::unix::fs::PermissionsExt as _, sync::Arc};

use behalf::adapters::system::SystemClock;
use serde_json::json;

use super::*;
use crate::support::{
    fake_okta::{FakeOkta, KeyKind},
    fake_okta_admin::APP,
};

#[tokio::test]
async fn a_first_run_makes_everything_and_a_second_has_nothing_to_do() {
    let rig = Rig::start();
    let first = rig.set_up().await;
    let steps = lines(&first, "").into_iter().filter(|line| line.contains("/8 ")).count();
    assert_eq!(steps, 8, "{}", first.out);
    assert!(first.out.contains("8 changes made"), "{}", first.out);
    let (hook, delegatable) = rig.okta.set(|state| {
        let attribute = state.schemas.values().find_map(|schema| schema.get("delegatedAgents")).unwrap();
        assert_eq!((&attribute["type"], &attribute["items"]), (&json!("array"), &json!({"type": "string"})));
        assert_eq!(attribute["permissions"], json!([{"principal": "SELF", "action": "READ_ONLY"}]));
        assert!(!state.schemas["osc0"].contains_key("delegatedAgents"), "the default type stays as it is");
        let claim = state.claims.iter().find(|claim| claim["name"] == "can_delegate").unwrap();
        assert_eq!(claim["value"], "(user.delegatedAgents != null) ? \"True\" : \"False\"");
        assert_eq!(claim["claimType"], "RESOURCE");
        assert!(state.scopes.iter().any(|scope| scope["name"] == "behalf"));
        let hook = state.hooks[0].clone();
        assert_eq!(hook["channel"]["config"]["uri"], "https://behalf.example.com/hooks/okta");
        assert_eq!(state.secrets[hook["id"].as_str().unwrap()], SECRET);
        assert_eq!(state.policies[0].raw["name"], "behalf 0oaapp", "it decides");
        assert_eq!(state.policies[0].raw["conditions"]["clients"]["include"], json!(["0oaapp"]));
        (hook["id"].as_str().unwrap().to_owned(), state.types[1]["id"].as_str().unwrap().to_owned())
    });
    assert_eq!(hooks_of(&rig.okta, "behalf 0oaapp"), [Some(hook)]);
    assert_eq!(hooks_of(&rig.okta, "Default Policy"), [None]);
    for setting in [
        "BEHALF_USER_TYPE_ID=oty0".to_owned(),
        format!("BEHALF_DELEGATED_USER_TYPE_ID={delegatable}"),
        "BEHALF_HOOK_HEADER=authorization".to_owned(),
    ] {
        assert!(first.out.lines().any(|line| line == setting), "{setting}: {}", first.out);
    }
    let server = "/api/v1/authorizationServers/default";
    for (write, expected) in rig.okta.writes().iter().zip([
        "POST /api/v1/meta/types/user".to_owned(),
        "POST /api/v1/meta/schemas/user/osc".to_owned(),
        format!("POST {server}/scopes"),
        format!("POST {server}/claims"),
        "POST /api/v1/inlineHooks".to_owned(),
        format!("POST {server}/policies"),
        format!("POST {server}/policies/00p"),
        format!("PUT {server}/policies/00p"),
    ]) {
        let (line, body) = (format!("{} {}", write.method, write.path), write.body.to_string());
        assert!(line.starts_with(&expected), "{line}, not {expected}");
        assert_eq!(body.contains(SECRET), line.ends_with("inlineHooks"), "{line}: {body}");
    }
    let (picture, writes) = (rig.okta.picture(), rig.okta.writes().len());
    assert_eq!(writes, 8);
    let second = rig.set_up().await;
    assert!(second.out.contains("nothing to do"), "{}", second.out);
    assert!(second.out.contains("Okta never tells its secret"), "{}", second.out);
    let with_id = rig.run_with(&[], &[("BEHALF_DELEGATED_USER_TYPE_ID", &delegatable)]).await;
    assert_eq!(with_id.code, Some(0), "{with_id:?}");
    assert_eq!((rig.okta.picture(), rig.okta.writes().len()), (picture, writes));
}

#[tokio::test]
async fn a_dry_run_says_what_a_run_would_do_and_changes_nothing() {
    let rig = Rig::start();
    let before = rig.okta.picture();
    let dry = rig.run_with(&["--dry-run"], &[("BEHALF_HOOK_SECRET", "")]).await;
    assert_eq!(dry.code, Some(0), "{dry:?}");
    assert_eq!(lines(&dry, "would: ").len(), 9, "eight changes and the secret: {}", dry.out);
    assert!(dry.out.ends_with("8 changes; nothing was changed"), "{}", dry.out);
    assert_eq!((rig.okta.picture(), rig.okta.writes().len()), (before, 0));
    assert_eq!(fs::read_dir(rig.path()).unwrap().count(), 0, "no file was made");
    let real = rig.set_up().await;
    let told: Vec<_> = lines(&dry, "would: ").iter().skip(1).map(|line| line.trim_start_matches("would: ")).collect();
    let done: Vec<_> = real.out.lines().filter_map(|line| line.split_once("/8 ").map(|(_, what)| what)).collect();
    assert_eq!(told, done, "what was told is what was done");
}

#[tokio::test]
async fn verifying_ends_with_0_only_where_all_is_there() {
    let rig = Rig::start();
    let nothing = rig.run(&["--verify"]).await;
    assert_eq!((nothing.code, lines(&nothing, "missing: ").len()), (Some(1), 8), "{nothing:?}");
    assert_eq!(rig.okta.writes().len(), 0);
    rig.set_up().await;
    let writes = rig.okta.writes().len();
    let all = rig.run(&["--verify"]).await;
    assert_eq!((all.code, all.out.ends_with("all is there")), (Some(0), true), "{all:?}");
    rig.okta.set(|state| state.hooks[0]["status"] = json!("INACTIVE"));
    let off = rig.run(&["--verify"]).await;
    assert_eq!(off.code, Some(1), "{off:?}");
    assert!(lines(&off, "error: ")[0].contains("is switched off"), "{}", off.out);
    assert_eq!(rig.okta.writes().len(), writes, "verifying writes nothing");
}

#[tokio::test]
async fn a_secret_that_is_missing_is_made_left_in_a_file_and_used_again() {
    let rig = Rig::start();
    let none = [("BEHALF_HOOK_SECRET", "")];
    let first = rig.run_with(&[], &none).await;
    assert_eq!(first.code, Some(0), "{first:?}");
    let file = rig.path().join("behalf-hook-secret");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let secret = fs::read_to_string(&file).unwrap();
    assert_eq!(rig.okta.set(|state| state.secrets.values().cloned().collect::<Vec<_>>()), [secret.trim()]);
    let setting = format!("BEHALF_HOOK_SECRET_FILE={}", fs::canonicalize(&file).unwrap().display());
    assert!(first.out.lines().any(|line| line == setting), "{setting}: {}", first.out);

    let second = rig.run_with(&[], &none).await;
    assert_eq!(second.code, Some(0), "{second:?}");
    assert!(second.out.contains("nothing to do") && second.out.contains(&setting), "{}", second.out);

    fs::remove_file(&file).unwrap();
    let lost = rig.run_with(&[], &none).await;
    assert_eq!(lost.code, Some(1), "{lost:?}");
    assert!(lines(&lost, "error: ")[0].contains("--set-secret"), "{}", lost.out);
    assert!(!file.exists(), "a secret that nobody knows isn't guessed");
    let renewed = rig.run_with(&["--set-secret"], &none).await;
    assert_eq!(renewed.code, Some(0), "{renewed:?}");
    let new = fs::read_to_string(&file).unwrap();
    assert_ne!(new, secret);
    assert_eq!(rig.okta.set(|state| state.secrets.values().cloned().collect::<Vec<_>>()), [new.trim()]);
}

#[tokio::test]
async fn an_attribute_that_users_may_write_is_protected_by_the_run() {
    let rig = Rig::start();
    rig.set_up().await;
    let schema = rig.okta.set(|state| {
        let (id, schema) = state.schemas.iter_mut().find(|(_, schema)| schema.contains_key("delegatedAgents")).unwrap();
        schema["delegatedAgents"]["permissions"] = json!([{"principal": "SELF", "action": "READ_WRITE"}]);
        id.clone()
    });
    let verified = rig.run(&["--verify"]).await;
    assert_eq!(verified.code, Some(1), "{verified:?}");
    rig.set_up().await;
    let permissions = rig.okta.set(|state| state.schemas[&schema]["delegatedAgents"]["permissions"].clone());
    assert_eq!(permissions, json!([{"principal": "SELF", "action": "READ_ONLY"}]));
}

#[tokio::test]
async fn what_others_made_is_left_and_said_until_a_fix_is_asked_for() {
    let rig = Rig::start();
    rig.set_up().await;
    rig.okta.set(|state| {
        state.claims.iter_mut().find(|claim| claim["name"] == "can_delegate").unwrap()["value"] = json!("\"True\"");
        state.hooks[0]["channel"]["config"]["uri"] = json!("https://old.example.com/hooks/okta");
    });
    let (before, writes) = (rig.okta.picture(), rig.okta.writes().len());
    let left = rig.run(&[]).await;
    assert_eq!((left.code, lines(&left, "error: ").len()), (Some(1), 2), "{left:?}");
    assert_eq!((rig.okta.picture(), rig.okta.writes().len()), (before, writes));
    let fixed = rig.run(&["--fix"]).await;
    assert_eq!(fixed.code, Some(0), "{fixed:?}");
    assert_eq!(rig.okta.writes().len(), writes + 2);
    rig.okta
        .set(|state| assert_eq!(state.hooks[0]["channel"]["config"]["uri"], "https://behalf.example.com/hooks/okta"));
}

#[tokio::test]
async fn whatever_is_fixed_is_a_request_that_okta_takes() {
    let rig = Rig::start();
    rig.set_up().await;
    rig.okta.set(|state| {
        state.hooks[0]["status"] = json!("INACTIVE");
        state.hooks[0]["channel"]["config"]["authScheme"]["key"] = json!("x-other");
        let policy = &mut state.policies[0];
        policy.raw["status"] = json!("INACTIVE");
        policy.rules[0]["actions"]["token"].as_object_mut().unwrap().remove("inlineHook");
        state.policies.swap(0, 1);
        for (policy, at) in state.policies.iter_mut().zip(1..) {
            policy.raw["priority"] = json!(at);
        }
    });
    let left = rig.run(&[]).await;
    assert_eq!(left.code, Some(1), "{left:?}");
    let fixed = rig.run(&["--fix"]).await;
    assert_eq!(fixed.code, Some(0), "{fixed:?}");
    assert!(fixed.out.contains("5 changes made"), "hook, its status, rule, policy, its place: {}", fixed.out);
    let all = rig.run(&["--verify"]).await;
    assert_eq!(all.code, Some(0), "{all:?}");
}

#[tokio::test]
async fn a_name_at_okta_forges_no_line() {
    let rig = Rig::start();
    rig.set_up().await;
    rig.okta.set(|state| {
        state.hooks[0]["name"] = json!("x\nall is there\u{1b}[2J");
        state.hooks[0]["status"] = json!("INACTIVE");
    });
    let ended = rig.run(&["--verify"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.out.lines().all(|line| !line.starts_with("all is there")) && !ended.out.contains('\u{1b}'),
        "{}",
        ended.out
    );
}

#[tokio::test]
async fn a_secret_that_cannot_be_kept_stops_the_run_before_it_begins() {
    let rig = Rig::start();
    let nowhere = rig.path().join("nowhere/secret");
    let ended = rig.run_with(&["--secret-file", nowhere.to_str().unwrap()], &[("BEHALF_HOOK_SECRET", "")]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(lines(&ended, "FAILED: ")[0].contains("nothing was changed"), "{}", ended.out);
    assert_eq!(rig.okta.writes().len(), 0);
}

#[tokio::test]
async fn a_set_up_that_a_person_clicked_for_okta_managed_access_is_complete() {
    let rig = Rig::start();
    rig.set_up().await;
    rig.okta.set(|state| {
        state.hooks[0]["name"] = json!("token enrichment");
        state.hooks[0]["channel"]["config"]["uri"] = json!("https://behalf.example.com/tokenEnrichment/agent");
        let rule = state.policies[0].rules.clone();
        state.policies.remove(0);
        state.policies[0].rules = rule;
        state.types[1]["name"] = json!("clicked");
        state.scopes.retain(|scope| scope["name"] != "behalf");
    });
    let writes = rig.okta.writes().len();
    let delegatable = rig.okta.set(|state| state.types[1]["id"].as_str().unwrap().to_owned());
    let issuer = format!("{}/oauth2/default", rig.okta.url);
    let old = [
        ("BEHALF_ISSUER", ""),
        ("BEHALF_AUDIENCE", ""),
        ("BEHALF_HOOK_SECRET", ""),
        ("ISSUER", issuer.as_str()),
        ("TOKEN_AUD", "api://default"),
        ("SERVICE_AUTH_SECRET", SECRET),
        ("DELEGATED_USER_TYPE_ID", &delegatable),
    ];
    let ended = rig.run_with(&[], &old).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.contains("nothing to do"), "{}", ended.out);
    assert_eq!(rig.okta.writes().len(), writes);
}

#[tokio::test]
async fn every_user_can_be_a_delegator_without_a_type() {
    let rig = Rig::start();
    let ended = rig.run(&["--every-user"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    rig.okta.set(|state| assert!(state.types.len() == 1 && state.schemas["osc0"].contains_key("delegatedAgents")));
    assert!(!ended.out.contains("DELEGATED_USER_TYPE_ID"), "{}", ended.out);
}

#[tokio::test]
async fn another_tenant_has_a_hook_of_its_own() {
    let rig = Rig::start();
    rig.set_up().await;
    let file = format!(
        "[tenants.acme]\nissuer = \"{0}/oauth2/default\"\naudience = \"api://default\"\n\
         [tenants.acme.hook]\nsecret = \"another-secret-of-acme\"\nheader = \"x-acme\"\n\
         [tenants.acme.directory.okta]\nurl = \"{0}\"\ntoken = \"{TOKEN}\"\n",
        rig.okta.url
    );
    fs::write(rig.path().join("behalf.toml"), file).unwrap();
    let arguments = ["setup", "okta", "--address", ADDRESS, "--client", "0oaother", "--tenant", "acme"];
    let ended = run(&mut behalf(rig.path(), &arguments)).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    rig.okta.set(|state| {
        let hook = &state.hooks[1];
        assert_eq!(hook["name"], "behalf acme");
        assert_eq!(hook["channel"]["config"]["uri"], "https://behalf.example.com/t/acme/hooks/okta");
        assert_eq!(hook["channel"]["config"]["authScheme"]["key"], "x-acme");
        assert_eq!(state.secrets[hook["id"].as_str().unwrap()], "another-secret-of-acme");
    });
    assert_eq!(rig.okta.writes().len(), 8 + 4, "hook, policy, rule, place");
    assert!(
        ended.out.lines().any(|line| line.starts_with("tenants.acme.user_types.delegatable = \"oty")),
        "{}",
        ended.out
    );
}

#[tokio::test]
async fn a_service_app_asks_for_the_scopes_that_it_needs() {
    let rig = Rig::start();
    let keys = FakeOkta::start(Arc::new(SystemClock)).unwrap();
    fs::write(rig.path().join("app.pem"), keys.register(APP, KeyKind::P256, "key", &[]).unwrap()).unwrap();
    let app = [("TOKEN", ""), ("BEHALF_OKTA_CLIENT_ID", APP), ("BEHALF_OKTA_KEY_FILE", "app.pem")];
    let refused = rig.run_with(&[], &app).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(
        refused.err.contains("invalid_scope") && refused.err.contains("okta.inlineHooks.manage"),
        "{}",
        refused.err
    );
    let areas = ["userTypes", "schemas", "inlineHooks", "authorizationServers"];
    let scopes = areas.iter().flat_map(|area| [format!("okta.{area}.read"), format!("okta.{area}.manage")]);
    rig.okta.set(|state| state.granted = scopes.collect());
    let ended = rig.run_with(&[], &app).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(rig.okta.writes().len(), 8);
}
