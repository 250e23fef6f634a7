//! Rules that ask for a reservation of the delegator's account.

use behalf::domain::{
    approval::{Template, template::Kind},
    ids::GroupId,
    rule::Rule,
    shared_account::{DirectLogin, SharedAccount, SharedAccounts},
    user::{Status, User},
};
use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{Told, coded, deliver};
use crate::support::{
    http::Answer,
    test_app::{Setup, TestApp, refresh_hook, uid, user},
};

const HOLD: SignedDuration = SignedDuration::from_mins(5);

/// Bob's account is shared: whoever is in the group `dbas` may reserve it, and that are Ann and Eve.
async fn app_with(rule: Rule) -> TestApp {
    app_of(Setup::default(), rule).await
}

pub(super) async fn app_of(setup: Setup, rule: Rule) -> TestApp {
    let account = SharedAccount {
        id: uid("00ubob"),
        group: GroupId::parse("dbas").unwrap(),
        hold: HOLD,
        max_hold: SignedDuration::from_mins(30),
        direct_login: DirectLogin::Claim,
        pool: None,
        show_holder: false,
    };
    let mut setup = Setup { shared: SharedAccounts::new([account], 1), ..setup };
    setup.policy.rules = vec![Rule { name: "shared".to_owned(), reservation: true, ..rule }];
    let app = TestApp::with(setup).await;
    for name in ["00uann", "00ueve"] {
        app.directory.set_groups(&uid(name), &["dbas"]);
        app.directory.set_grant(&uid("00ubob"), &uid(name), true);
    }
    app
}

async fn app() -> TestApp {
    app_with(Rule::default()).await
}

pub(super) async fn ask(app: &TestApp, who: &str) -> Answer {
    app.post("/v1/delegations", who, &json!({"delegator": "00ubob"})).await
}

async fn hook(app: &TestApp, event: &str, id: &str) -> Told {
    deliver(app, &refresh_hook(event, Some(id))).await
}

/// The caller's reservations: their states.
pub(super) async fn held(app: &TestApp, who: &str) -> Vec<String> {
    let page = app.get("/v1/reservations", who).await.json;
    page["items"].as_array().unwrap().iter().map(|it| it["state"].as_str().unwrap().to_owned()).collect()
}

async fn release(app: &TestApp, who: &str) {
    let page = app.get("/v1/reservations", who).await.json;
    let path = format!("/v1/reservations/{}", page["items"][0]["id"].as_str().unwrap());
    let (status, said) = app.call(Method::DELETE, &path, who, None).await;
    assert_eq!(status, StatusCode::NO_CONTENT, "{said}");
}

#[actix_web::test]
async fn the_initiation_holds_the_account_and_the_hook_uses_it_up() {
    let app = app().await;
    let id = app.begin().await;
    assert_eq!(held(&app, "ann").await, ["HELD"]);
    let other = ask(&app, "eve").await;
    assert_eq!((other.status, &other.json["code"]), (StatusCode::CONFLICT, &json!("reserved")));
    assert_eq!(other.json["until"], "2026-11-21T10:05:00Z");
    assert!(other.json.get("holder").is_none(), "{}", other.text);
    let refused = coded(&app, "DA1101").await;
    assert_eq!(refused[0].outcome.reason.as_deref(), Some("reserved"));

    assert!(hook(&app, "e1", &id).await.is_granted());
    assert_eq!(held(&app, "ann").await, ["CONSUMED"]);
    assert_eq!(coded(&app, "DA3001").await.len(), 1);
    assert_eq!(ask(&app, "eve").await.status, StatusCode::CREATED, "it is free again");
}

#[actix_web::test]
async fn the_callers_own_reservation_serves_and_is_good_for_one_token() {
    let app = app().await;
    let made = app.post("/v1/reservations", "ann", &json!({"account": "00ubob"})).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let (first, second) = (app.begin().await, app.begin().await);
    assert_eq!(coded(&app, "DA3000").await.len(), 1, "one reservation for all");
    assert!(hook(&app, "e1", &first).await.is_granted());
    assert_eq!(hook(&app, "e2", &second).await.refused(), "reservation-gone");
}

#[actix_web::test]
async fn stale_delegation_id_after_rereserve_by_same_user() {
    let app = app().await;
    let old = app.begin().await;
    release(&app, "ann").await;
    let new = app.begin().await;
    assert_eq!(hook(&app, "e1", &old).await.refused(), "reservation-gone");
    assert!(hook(&app, "e2", &new).await.is_granted());
}

#[actix_web::test]
async fn who_is_in_no_group_of_the_account_gets_it_neither_now_nor_then() {
    let app = app().await;
    app.directory.set_groups(&uid("00uann"), &["others"]);
    let answer = ask(&app, "ann").await;
    assert_eq!((answer.status, &answer.json["code"]), (StatusCode::FORBIDDEN, &json!("not-a-member")));
    app.directory.set_groups(&uid("00uann"), &["dbas"]);
    let id = app.begin().await;
    app.directory.set_groups(&uid("00uann"), &["others"]);
    assert_eq!(hook(&app, "e1", &id).await.refused(), "not-a-member");
    assert_eq!(held(&app, "ann").await, ["INVALIDATED"]);
    assert_eq!(ask(&app, "eve").await.status, StatusCode::CREATED, "it is free again");
}

#[actix_web::test]
async fn account_suspended_between() {
    let app = app().await;
    let id = app.begin().await;
    app.directory.put(User { status: Status::Inactive, ..user("00ubob", "bob@example.test", &json!({})) });
    assert_eq!(hook(&app, "e1", &id).await.refused(), "delegator-inactive");
    assert_eq!(held(&app, "ann").await, ["INVALIDATED"]);
}

#[actix_web::test]
async fn a_delegation_does_not_outlive_its_reservation() {
    let ms = SignedDuration::from_millis;
    for (age, granted) in [(29_999, true), (30_000, false), (30_001, false)] {
        let app = app().await;
        app.begin().await;
        app.advance(HOLD - ms(30_000));
        let id = app.begin().await;
        app.advance(ms(age));
        assert_eq!(hook(&app, "e1", &id).await.is_granted(), granted, "{age}");
    }
}

#[actix_web::test]
async fn with_an_approval_the_clock_of_the_reservation_starts_after_it() {
    let template = Template::new(Kind::Approve, ["user:00ueve".parse().unwrap()].into());
    let app = app_with(Rule { approval: Some(template), ..Rule::default() }).await;
    let waits = ask(&app, "ann").await;
    assert_eq!(waits.status, StatusCode::ACCEPTED, "{}", waits.text);
    assert_eq!(coded(&app, "DA3000").await.len(), 0, "nothing is held while somebody decides");
    let path = format!("/v1/approvals/{}/votes", waits.json["approval"]["id"].as_str().unwrap());
    app.advance(SignedDuration::from_mins(10));
    let voted = app.post(&path, "eve", &json!({"decision": "approve", "version": 1})).await;
    assert_eq!(voted.status, StatusCode::OK, "{}", voted.text);
    let id = ask(&app, "ann").await.json["delegationid"].as_str().unwrap().to_owned();
    assert_eq!(held(&app, "ann").await, ["HELD"]);
    assert!(hook(&app, "e1", &id).await.is_granted());
    assert_eq!((coded(&app, "DA2007").await.len(), coded(&app, "DA3001").await.len()), (1, 1));
}

#[actix_web::test]
async fn an_account_that_nobody_shares_cannot_be_reserved() {
    let mut setup = Setup::default();
    setup.policy.rules = vec![Rule { name: "shared".to_owned(), reservation: true, ..Rule::default() }];
    let app = TestApp::with(setup).await;
    let answer = ask(&app, "ann").await;
    assert_eq!((answer.status, &answer.json["code"]), (StatusCode::CONFLICT, &json!("reservation-required")));
}

/// Eve decides, and Ann may break the glass ("duty").
async fn approved_first() -> TestApp {
    let template = Template::new(Kind::Approve, ["user:00ueve".parse().unwrap()].into());
    let app = app_with(Rule { approval: Some(template), ..Rule::default() }).await;
    app.token("duty", &json!({"uid": "00uann", "groups": ["behalf-break-glass"]}), &["openid", "behalf"]);
    app
}

async fn emergency(app: &TestApp) -> Answer {
    let why = json!({"reason": "payroll closes at noon, nobody of secops answers"});
    app.post("/v1/delegations", "duty", &json!({"delegator": "00ubob", "break_glass": why})).await
}

#[actix_web::test]
async fn nobody_is_asked_to_approve_what_could_not_be_reserved_anyway() {
    let app = approved_first().await;
    app.directory.set_groups(&uid("00uann"), &["others"]);
    ask(&app, "ann").await.is_problem(403, "not-a-member");
    emergency(&app).await.is_problem(403, "not-a-member");
    let told: Vec<_> = app.events().await.into_iter().map(|e| (e.code, e.outcome.reason)).collect();
    assert_eq!(told, vec![("DA1101".to_owned(), Some("not-a-member".to_owned())); 2], "nothing but the refusals");
    assert_eq!(app.get("/v1/reviews", "root").await.json["items"], json!([]));
    assert_eq!(app.get("/v1/approvals", "ann").await.json["items"], json!([]));
}

#[actix_web::test]
async fn nobody_is_asked_to_approve_an_account_that_nobody_shares() {
    let template = Template::new(Kind::Approve, ["user:00ueve".parse().unwrap()].into());
    let mut setup = Setup::default();
    let rule = Rule { name: "shared".to_owned(), reservation: true, approval: Some(template), ..Rule::default() };
    setup.policy.rules = vec![rule];
    let app = TestApp::with(setup).await;
    ask(&app, "ann").await.is_problem(409, "reservation-required");
    assert_eq!(app.get("/v1/approvals", "ann").await.json["items"], json!([]));
}

#[actix_web::test]
async fn the_glass_is_not_broken_for_an_account_that_another_holds() {
    let app = approved_first().await;
    let made = app.post("/v1/reservations", "eve", &json!({"account": "00ubob"})).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let refused = emergency(&app).await;
    refused.is_problem(409, "reserved");
    assert_eq!(refused.json["until"], "2026-11-21T10:05:00Z");
    let told: Vec<_> = app.events().await.into_iter().map(|e| e.code).collect();
    assert_eq!(told, ["DA3000", "DA1101"]);
    assert_eq!(app.get("/v1/reviews", "root").await.json["items"], json!([]));
    // Who waits for a decision can wait for the account too.
    assert_eq!(ask(&app, "ann").await.status, StatusCode::ACCEPTED);
    release(&app, "eve").await;
    assert_eq!(emergency(&app).await.status, StatusCode::CREATED, "the request that waits is decided");
    assert_eq!(held(&app, "ann").await, ["HELD"]);
}

#[actix_web::test]
async fn the_glass_may_be_broken_for_the_account_that_one_holds_oneself() {
    let app = approved_first().await;
    app.post("/v1/reservations", "ann", &json!({"account": "00ubob"})).await;
    assert_eq!(emergency(&app).await.status, StatusCode::CREATED);
    assert_eq!(coded(&app, "DA3000").await.len(), 1, "the one that stood serves");
}
