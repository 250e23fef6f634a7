//! Rules that ask for an approval, from the initiation to the hook.

use behalf::{
    app::{DelegationLimits, epoch},
    domain::{
        approval::{Template, template::Kind},
        ids::TenantName,
        rule::Rule,
        user::{Status, User},
    },
};
use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Told, coded, deliver, rounds};
use crate::support::{
    http::Answer,
    test_app::{Setup, TestApp, refresh_hook, uid, user},
};

/// Eve decides about whatever Ann does for Bob.
fn template() -> Template {
    Template::new(Kind::Approve, ["user:00ueve".parse().unwrap()].into())
}

fn rule(template: Template) -> Rule {
    Rule { name: "directors".to_owned(), approval: Some(template), ..Rule::default() }
}

async fn app(template: Template) -> TestApp {
    let mut setup = Setup::default();
    setup.policy.rules = vec![rule(template)];
    TestApp::with(setup).await
}

async fn ask(app: &TestApp) -> Answer {
    app.post("/v1/delegations", "ann", &json!({"delegator": "bob@example.test", "reason": "invoices"})).await
}

/// The approval that an initiation waits for.
async fn waits(app: &TestApp) -> String {
    let answer = ask(app).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
    answer.json["approval"]["id"].as_str().unwrap().to_owned()
}

async fn begun(app: &TestApp) -> String {
    let answer = ask(app).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
    answer.json["delegationid"].as_str().unwrap().to_owned()
}

async fn vote(app: &TestApp, approval: &str, decision: &str) {
    let body = json!({"decision": decision, "version": 1});
    let answer = app.post(&format!("/v1/approvals/{approval}/votes"), "eve", &body).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
}

async fn approved(app: &TestApp) -> String {
    let approval = waits(app).await;
    vote(app, &approval, "approve").await;
    approval
}

async fn state(app: &TestApp, approval: &str) -> Value {
    app.get(&format!("/v1/approvals/{approval}"), "root").await.json["state"].clone()
}

async fn hook(app: &TestApp, event: &str, id: &str) -> Told {
    deliver(app, &refresh_hook(event, Some(id))).await
}

#[actix_web::test]
async fn it_waits_until_somebody_has_approved_and_works_once() {
    let app = app(template()).await;
    let first = ask(&app).await;
    assert_eq!(first.status, StatusCode::ACCEPTED, "{}", first.text);
    let approval = first.json["approval"]["id"].as_str().unwrap();
    assert_eq!(first.json["approval"]["state"], "PENDING");
    assert_eq!(first.json["wait"]["events"], format!("/v1/approvals/{approval}/events"));
    assert_eq!(waits(&app).await, approval, "the same request is found again");

    // The paths that it names are there.
    let poll = first.json["wait"]["poll"].as_str().unwrap().replace("wait=30s", "wait=1s");
    vote(&app, approval, "approve").await;
    assert_eq!(app.get(&poll, "ann").await.json["state"], "APPROVED");

    let id = begun(&app).await;
    let told = hook(&app, "e1", &id).await;
    assert!(told.is_granted(), "{told:?}");
    assert_eq!(hook(&app, "e1", &id).await, told, "the same hook gets the same answer");
    assert_eq!(hook(&app, "e2", &id).await.refused(), "already-used");
    assert_eq!(state(&app, approval).await, "ENDED");
    let granted = &coded(&app, "DA1000").await[0];
    let said: Vec<_> = granted.policy.trace.iter().map(|line| (line.stage.as_str(), line.said.as_str())).collect();
    assert!(said.contains(&("approval", "continue")), "{said:?}");
    assert_eq!(coded(&app, "DA2007").await.len(), 1);
    assert_ne!(waits(&app).await, approval, "what is used up is asked for again");
}

#[actix_web::test]
async fn what_is_told_under_a_tenants_path_stays_under_it() {
    let app = app(template()).await;
    app.directory.set_grant(&uid("00ubob"), &uid("00uann"), true);
    let answer = app.post("/t/acme/v1/delegations", "ann", &json!({"delegator": "00ubob"})).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.text);
    let approval = answer.json["approval"]["id"].as_str().unwrap();
    assert_eq!(answer.json["wait"]["events"], format!("/t/acme/v1/approvals/{approval}/events"));
}

#[actix_web::test]
async fn a_no_is_a_no_and_the_next_request_is_another_one() {
    let app = app(template()).await;
    let approval = waits(&app).await;
    vote(&app, &approval, "deny").await;
    assert_eq!(state(&app, &approval).await, "DENIED");
    assert_ne!(waits(&app).await, approval);
}

#[actix_web::test]
async fn a_revocation_takes_effect_on_the_next_hook() {
    let app = app(template()).await;
    let approval = approved(&app).await;
    let id = begun(&app).await;
    let answer = app.post(&format!("/v1/approvals/{approval}/revoke"), "eve", &json!({})).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let told = hook(&app, "e1", &id).await;
    assert_eq!(told.refused(), "approval-revoked");
    assert!(told.body.contains("(approval-required)"), "{}", told.body);
    assert_eq!(coded(&app, "DA1000").await.len(), 0);
}

#[actix_web::test]
async fn the_rule_that_the_hook_finds_decides() {
    let stricter = Template { quorum: 1, delegator_may_approve: true, ..template() };
    let changes = [
        (vec![rule(template())], None),
        (vec![rule(stricter)], Some("approval-mismatch")),
        // What was approved names the rule.
        (vec![Rule { name: "everybody".to_owned(), ..rule(template()) }], Some("approval-mismatch")),
        (vec![Rule { reservation: true, ..rule(template()) }], Some("stage-missing")),
        (vec![], None),
    ];
    for (rules, refused) in changes {
        let app = app(template()).await;
        approved(&app).await;
        let id = begun(&app).await;
        let tenant = app.services.tenant(&TenantName::default_tenant()).unwrap();
        tenant.policy.replace_rules(&rules);
        let told = hook(&app, "e1", &id).await;
        match refused {
            Some(reason) => assert_eq!(told.refused(), reason),
            None => assert!(told.is_granted(), "{told:?}"),
        }
    }
}

#[actix_web::test]
async fn a_delegation_from_before_the_rule_is_not_prepared_for_it() {
    let app = TestApp::new().await;
    let id = app.begin().await;
    app.services.tenant(&TenantName::default_tenant()).unwrap().policy.replace_rules(&[rule(template())]);
    assert_eq!(hook(&app, "e1", &id).await.refused(), "stage-missing");
}

#[actix_web::test]
async fn a_token_lives_no_longer_than_what_is_left_of_the_approval() {
    let template = Template { valid_for: SignedDuration::from_secs(900), max_uses: 2, ..template() };
    let app = app(template).await;
    approved(&app).await;
    let (first, second) = (begun(&app).await, begun(&app).await);
    let body = refresh_hook("e1", Some(&first));
    assert_eq!(deliver(&app, &body).await.minted(&body).access.unwrap().lifetime, 900);
    app.advance(SignedDuration::from_secs(30));
    let body = refresh_hook("e2", Some(&second));
    assert_eq!(deliver(&app, &body).await.minted(&body).access.unwrap().lifetime, 870);
}

/// Both delegations carry the approval as it was before either was used.
#[actix_web::test]
async fn uses_are_counted_across_delegations() {
    let app = app(Template { max_uses: 2, ..template() }).await;
    let approval = approved(&app).await;
    let ids = [begun(&app).await, begun(&app).await, begun(&app).await];
    assert!(hook(&app, "e1", &ids[0]).await.is_granted());
    assert_eq!(state(&app, &approval).await, "ACTIVE");
    assert!(hook(&app, "e2", &ids[1]).await.is_granted());
    assert_eq!(hook(&app, "e3", &ids[2]).await.refused(), "approval-spent");
    assert_eq!(state(&app, &approval).await, "ENDED");
}

#[actix_web::test]
async fn of_hooks_at_once_only_as_many_are_granted_as_the_approval_has_uses() {
    for round in 0..rounds() {
        let app = app(Template { max_uses: 3, ..template() }).await;
        approved(&app).await;
        let mut ids = Vec::new();
        for _ in 0..10 {
            ids.push(begun(&app).await);
        }
        let hooks = ids.iter().enumerate().map(async |(n, id)| hook(&app, &format!("e{n}"), id).await);
        let told = futures_util::future::join_all(hooks).await;
        let granted = told.iter().filter(|told| told.is_granted()).count();
        let busy = told.iter().filter(|told| !told.is_granted() && told.refused() == "busy").count();
        // Who lost too many races may come again; nobody gets a use too many.
        assert!(granted <= 3 && granted + busy >= 3, "round {round}: {granted} granted, {busy} busy");
        assert_eq!(coded(&app, "DA2007").await.len(), granted);
    }
}

#[actix_web::test]
async fn an_approval_ends_at_its_instants() {
    let ms = SignedDuration::from_millis;
    let template = Template { use_within: ms(20_000), ..template() };
    for (age, good) in [(19_999, true), (20_000, false), (20_001, false)] {
        let app = app(template.clone()).await;
        approved(&app).await;
        app.advance(ms(age));
        let answer = ask(&app).await;
        assert_eq!(answer.status == StatusCode::CREATED, good, "{age}: {}", answer.text);
    }
    // The delegation doesn't outlive it.
    for (age, good) in [(19_999, true), (20_000, false), (20_001, false)] {
        let app = app(template.clone()).await;
        approved(&app).await;
        let id = begun(&app).await;
        app.advance(ms(age));
        assert_eq!(hook(&app, "e1", &id).await.is_granted(), good, "{age}");
    }
}

#[actix_web::test]
async fn nothing_is_asked_of_approvers_where_the_grant_is_gone_or_an_account_is_locked() {
    let app = app(template()).await;
    app.directory.set_grant(&uid("00ubob"), &uid("00uann"), false);
    assert_eq!(ask(&app).await.status, StatusCode::FORBIDDEN);
    app.directory.set_grant(&uid("00ubob"), &uid("00uann"), true);
    let lock = json!({"user": "00ubob"});
    let (status, _) = app.call(Method::POST, "/v1/locks", "root", Some(lock)).await;
    assert!(status.is_success(), "{status}");
    assert_eq!(ask(&app).await.status, StatusCode::LOCKED);
    assert_eq!(coded(&app, "DA2000").await.len(), 0);
}

#[actix_web::test]
async fn after_the_approval_the_grant_is_asked_again() {
    let app = app(template()).await;
    approved(&app).await;
    let id = begun(&app).await;
    app.directory.put(User { status: Status::Inactive, ..user("00ubob", "bob@example.test", &json!({})) });
    assert_eq!(hook(&app, "e1", &id).await.refused(), "delegator-inactive");
    assert_eq!(coded(&app, "DA2007").await.len(), 0, "nothing was used");
}

#[actix_web::test]
async fn an_approval_of_before_a_rollback_is_asked_for_again() {
    let app = app(template()).await;
    let approval = approved(&app).await;
    let id = begun(&app).await;
    epoch::ensure(&app.services, &TenantName::default_tenant(), 99).await.unwrap();
    assert_eq!(hook(&app, "e1", &id).await.refused(), "epoch-changed");
    assert_ne!(waits(&app).await, approval);
}

/// Clients of the old routes can't be told to wait.
#[actix_web::test]
async fn the_old_routes_say_no_in_their_one_way() {
    let app = app(template()).await;
    let answer = app.post("/agent", "ann", &json!({"entityid": "00ubob"})).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.json["error"], "User is not delegated by that delegator.");
}

/// Okta's tokens live 5 minutes at least.
#[actix_web::test]
async fn the_last_minutes_of_an_approval_are_told_at_the_initiation_already() {
    for overrun in [false, true] {
        let limits = DelegationLimits { least_lifetime: Some(300), ..DelegationLimits::default() };
        let mut setup = Setup { limits, ..Setup::default() };
        let template = Template { valid_for: SignedDuration::from_secs(900), max_uses: 3, ..template() };
        setup.policy.rules = vec![Rule { allow_overrun: overrun, ..rule(template) }];
        let app = TestApp::with(setup).await;
        approved(&app).await;
        assert!(hook(&app, "e1", &begun(&app).await).await.is_granted());
        app.advance(SignedDuration::from_secs(600));
        let last = begun(&app).await;
        app.advance(SignedDuration::from_secs(1));
        let late = ask(&app).await;
        let body = refresh_hook("e2", Some(&last));
        let told = deliver(&app, &body).await;
        if overrun {
            assert_eq!(late.status, StatusCode::CREATED, "{}", late.text);
            assert_eq!(told.minted(&body).access.unwrap().lifetime, 300, "the least that there is");
        } else {
            late.is_problem(409, "lifetime-too-short");
            assert_eq!(coded(&app, "DA1101").await[0].outcome.reason.as_deref(), Some("lifetime-too-short"));
            assert_eq!(told.refused(), "lifetime-too-short");
        }
    }
}
