//! What policy would decide, told to administrators.

use std::collections::BTreeSet;

use behalf::{
    domain::{
        approval::template::{Kind, Template},
        ids::{ClientId, GroupId, TenantName},
        rule::{Rule, When},
        shared_account::{DirectLogin, SharedAccount, SharedAccounts},
    },
    ports::directory::DirectoryError,
};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::{
    fake_directory::{Act, Op},
    http::Answer,
    test_app::{Setup, TestApp, uid},
};

fn rule(name: &str, when: When) -> Rule {
    Rule { name: name.to_owned(), when, ..Rule::default() }
}

/// For a group nobody is in; for the client `app` with an approval; for everybody.
fn rules() -> Vec<Rule> {
    let directors = When { delegator_groups: [GroupId::parse("00gdir").unwrap()].into(), ..When::default() };
    let app = When { clients: [ClientId::parse("app").unwrap()].into(), ..When::default() };
    let approvers = ["user:00ueve".parse().unwrap()].into();
    let approval = Some(Template::new(Kind::Approve, approvers));
    let allowed: BTreeSet<String> = ["openid", "pay"].map(str::to_owned).into();
    vec![
        rule("directors", directors),
        Rule { approval, reservation: true, scopes_allowed: Some(allowed), ..rule("app", app) },
        rule("rest", When::default()),
    ]
}

/// Bob's account is shared with the group `dbas`, in which Ann is.
async fn ruled() -> TestApp {
    let account = SharedAccount {
        id: uid("00ubob"),
        group: GroupId::parse("dbas").unwrap(),
        hold: SignedDuration::from_mins(5),
        max_hold: SignedDuration::from_mins(30),
        direct_login: DirectLogin::Claim,
        pool: None,
        show_holder: false,
    };
    let mut setup = Setup { shared: SharedAccounts::new([account], 1), ..Setup::default() };
    setup.policy.rules = rules();
    let app = TestApp::with(setup).await;
    app.directory.set_groups(&uid("00uann"), &["dbas"]);
    app
}

fn question(client: &str) -> Value {
    json!({"agent": "ann@example.test", "delegator": "00ubob", "client": client, "scopes": ["openid"]})
}

async fn ask(app: &TestApp, body: &Value) -> Value {
    let answer = app.post("/v1/policy/explain", "root", body).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json
}

fn with(mut body: Value, key: &str, value: Value) -> Value {
    body[key] = value;
    body
}

#[actix_web::test]
async fn the_rule_that_applies_is_named_and_why_the_others_do_not() {
    let app = ruled().await;
    let told = ask(&app, &question("web")).await;
    assert_eq!(told["decision"], "granted");
    assert_eq!((&told["reason"], &told["at"], &told["rule"]["name"]), (&json!(null), &json!("hook"), &json!("rest")));
    let missed = |condition: &str, wanted: &str, present: Value| json!([{"condition": condition, "wanted": [wanted], "present": present}]);
    let rules = json!([
        {"name": "directors", "fit": "missed", "missed": missed("delegator_groups", "00gdir", json!([]))},
        {"name": "app", "fit": "missed", "missed": missed("clients", "app", json!(["web"]))},
        {"name": "rest", "fit": "matched", "missed": []},
    ]);
    assert_eq!(told["rules"], rules);
    assert_eq!(told["agent"], json!({"id": "00uann", "login": "ann@example.test", "active": true}));
    assert_eq!(told["delegator"]["login"], "bob@example.test");
    let stages = ["grant", "lock", "rules"].map(|stage| json!({"stage": stage, "said": "continue"}));
    assert_eq!(told["trace"], json!(stages));
}

#[actix_web::test]
async fn stages_that_a_rule_asks_for_are_told_with_their_settings() {
    let app = ruled().await;
    let told = ask(&app, &question("app")).await;
    assert_eq!((&told["decision"], &told["reason"]), (&json!("refused"), &json!("stage-missing")));
    assert_eq!(told["rule"]["stages"], json!(["approval", "reservation"]));
    assert_eq!(told["rule"]["approval"]["approvers"], json!(["user:00ueve"]));
    assert_eq!((&told["rule"]["scopes_allowed"], &told["scopes"]), (&json!(["openid", "pay"]), &json!(["openid"])));
    assert_eq!(told["rules"][2]["fit"], "shadowed");

    let early = ask(&app, &with(question("app"), "at", json!("initiation"))).await;
    assert_eq!((&early["decision"], &early["reason"]), (&json!("prepare"), &json!(null)));
    assert_eq!(early["trace"][3], json!({"stage": "approval", "said": "prepare"}));
    assert_eq!(early["trace"][4], json!({"stage": "reservation", "said": "prepare"}));

    let beyond = ask(&app, &with(question("app"), "scopes", json!(["openid", "all"]))).await;
    assert_eq!(beyond["reason"], "scope-not-allowed");
}

#[actix_web::test]
async fn every_no_is_told_plainly_and_the_stage_that_said_it() {
    let app = ruled().await;
    let reason = async |body: &Value| {
        let told = ask(&app, body).await;
        (told["reason"].as_str().unwrap_or_default().to_owned(), told["public"].clone(), told["agent"].is_null())
    };
    let unknown = with(question("web"), "agent", json!("nobody@example.test"));
    assert_eq!(reason(&unknown).await, ("agent-unknown".to_owned(), json!("not-delegated"), true));
    let unknown = with(question("web"), "delegator", json!("nobody"));
    assert_eq!(reason(&unknown).await, ("delegator-unknown".to_owned(), json!("not-delegated"), false));
    let other = with(question("web"), "agent", json!("00ueve"));
    assert_eq!(reason(&other).await.0, "grant-gone");
    assert_eq!(ask(&app, &other).await["rules"], json!([]), "it never came to the rules");

    app.post("/v1/locks", "bob", &json!({})).await;
    let locked = ask(&app, &question("web")).await;
    assert_eq!((&locked["reason"], &locked["rule"]["name"]), (&json!("locked"), &json!("rest")));
    app.directory.suspend("00uann");
    assert_eq!(reason(&question("web")).await.0, "agent-inactive");
}

#[actix_web::test]
async fn a_dry_run_leaves_no_trace_and_sees_what_the_hook_sees() {
    let app = TestApp::new().await;
    let id = app.begin().await;
    let before = (app.trail().await, app.pending().await);
    for at in ["hook", "initiation"] {
        assert_eq!(ask(&app, &with(question("app"), "at", json!(at))).await["decision"], "granted");
    }
    assert_eq!((app.trail().await, app.pending().await), before);
    let hook = crate::support::test_app::refresh_hook("e1", Some(&id));
    assert!(app.deliver(&hook.to_string()).await.1.contains("on_behalf_sub"), "it is still to be used");
    app.directory.set_grant(&uid("00ubob"), &uid("00uann"), false);
    assert_eq!(ask(&app, &question("app")).await["reason"], "grant-gone");
}

#[actix_web::test]
async fn other_rules_are_in_force_from_the_next_question_on() {
    let app = TestApp::new().await;
    let tenant = app.services.tenant(&TenantName::default_tenant()).unwrap();
    let id = app.begin().await;
    tenant.policy.replace_rules(&[Rule { reservation: true, ..rule("reserved", When::default()) }]);
    assert_eq!(ask(&app, &question("app")).await["reason"], "stage-missing");
    let hook = crate::support::test_app::refresh_hook("e1", Some(&id));
    let refused = app.deliver(&hook.to_string()).await.1;
    assert!(refused.contains("stage-missing"), "the hook's match decides: {refused}");
    tenant.policy.replace_rules(&[]);
    let hook = crate::support::test_app::refresh_hook("e2", Some(&id));
    assert!(app.deliver(&hook.to_string()).await.1.contains("on_behalf_sub"));
}

#[actix_web::test]
async fn a_directory_that_is_away_is_said_to_be_away() {
    let app = ruled().await;
    app.directory.next(Op::User, Act::Fail(DirectoryError::Unavailable("gone".to_owned())));
    app.post("/v1/policy/explain", "root", &question("web")).await.is_problem(503, "temporarily-unavailable");
}

#[actix_web::test]
async fn only_administrators_are_told_and_others_are_written_down() {
    let app = ruled().await;
    for who in ["ann", "bob", "eve"] {
        app.post("/v1/policy/explain", who, &question("app")).await.is_problem(403, "administrator-only");
    }
    let denied = app.events().await;
    assert_eq!(denied.len(), 3);
    assert!(denied.iter().all(|event| event.code == "DA6300"), "{denied:?}");
}

#[actix_web::test]
async fn what_is_no_question_is_refused() {
    let app = ruled().await;
    let refused = async |body: Value| -> Answer { app.post("/v1/policy/explain", "root", &body).await };
    for (key, value) in [
        ("agent", json!("")),
        ("agent", json!("me")),
        ("delegator", json!("a\u{202e}b")),
        ("client", json!("")),
        ("client", json!("x".repeat(257))),
        ("scopes", json!([])),
        ("scopes", json!(["a b"])),
        ("at", json!("noon")),
        ("when", json!("now")),
    ] {
        refused(with(question("app"), key, value)).await.is_problem(400, "invalid-request");
    }
    refused(json!({"agent": "ann"})).await.is_problem(400, "invalid-request");
    assert_eq!(app.events().await, []);
}

/// What an initiation would be told of a reservation, and what it is told.
#[actix_web::test]
async fn an_initiation_is_told_whether_the_account_can_be_had() {
    let app = ruled().await;
    let early = || with(question("app"), "at", json!("initiation"));
    let told = async || {
        let told = ask(&app, &early()).await;
        let last = told["trace"].as_array().unwrap().last().unwrap().clone();
        (told["decision"].clone(), last["said"].clone())
    };
    let tenant = app.services.tenant(&TenantName::default_tenant()).unwrap();
    let alone = || Rule { reservation: true, ..rule("reserved", When::default()) };
    tenant.policy.replace_rules(&[alone()]);
    assert_eq!(told().await, (json!("prepare"), json!("prepare")));
    app.directory.set_groups(&uid("00ueve"), &["dbas"]);
    assert_eq!(app.post("/v1/reservations", "eve", &json!({"account": "00ubob"})).await.status, 201);
    assert_eq!(told().await, (json!("refused"), json!("reserved")));
    app.post("/v1/delegations", "ann", &json!({"delegator": "00ubob"})).await.is_problem(409, "reserved");
    // Who waits for a decision can wait for the account too.
    let approval = Some(Template::new(Kind::Approve, ["user:00ueve".parse().unwrap()].into()));
    tenant.policy.replace_rules(&[Rule { approval, ..alone() }]);
    assert_eq!(told().await, (json!("prepare"), json!("reserved")));
    app.directory.set_groups(&uid("00uann"), &["others"]);
    assert_eq!(told().await, (json!("refused"), json!("not-a-member")));
}

#[actix_web::test]
async fn a_standing_approval_is_told() {
    let app = ruled().await;
    let standing = async |body: &Value| ask(&app, body).await["approval"].clone();
    assert_eq!(standing(&question("app")).await, json!({"would": "ask"}));
    let begin = json!({"delegator": "00ubob", "scopes": ["openid"], "reason": "invoices"});
    let asked = app.post("/v1/delegations", "ann", &begin).await;
    assert_eq!(asked.status, 202, "{}", asked.text);
    let id = asked.json["approval"]["id"].clone();
    assert_eq!(standing(&question("app")).await, json!({"would": "wait", "id": id}));
    let votes = format!("/v1/approvals/{}/votes", id.as_str().unwrap());
    let voted = app.post(&votes, "eve", &json!({"decision": "approve", "version": 1})).await;
    assert_eq!(voted.status, 200, "{}", voted.text);
    let usable = json!({"would": "use", "id": id, "uses_left": 1});
    assert_eq!(standing(&question("app")).await, usable);
    assert_eq!(standing(&with(question("app"), "at", json!("initiation"))).await, usable);
    // As the initiation does, without what the rule doesn't allow; but for nothing less.
    assert_eq!(standing(&with(question("app"), "scopes", json!(["openid", "pay"]))).await, json!({"would": "ask"}));
    assert_eq!(standing(&question("web")).await, json!(null), "a rule without approval");
    app.advance(SignedDuration::from_hours(25));
    assert_eq!(standing(&question("app")).await, json!({"would": "ask"}), "it is over");
}
