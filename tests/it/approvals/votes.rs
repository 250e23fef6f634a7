//! Who decides, how, and what is refused. Each refusal leaves everything as it was.

use behalf::{
    domain::{
        approval::{
            Template,
            template::{Approver, Kind},
        },
        shared_account::SharedAccounts,
        user::User,
    },
    ports::directory::DirectoryError,
};
use jiff::SignedDuration;
use serde_json::json;

use super::rig::*;
use crate::{
    reservations::account,
    support::test_app::{Setup, TestApp, uid, user},
};

async fn nothing_changed(app: &TestApp, id: behalf::domain::approval::ApprovalId) {
    let item = shown(app, id).await;
    assert_eq!((&item["state"], &item["revision"], &item["votes"]), (&json!("PENDING"), &json!(1), &json!([])));
}

#[actix_web::test]
async fn the_quorum_decides_and_each_vote_is_told() {
    let app = app().await;
    let id = asked(&app, of_two()).await;
    let body = json!({"decision": "approve", "version": 1, "comment": "as agreed"});
    let one = app.post(&path(id, "/votes"), "ada", &body).await;
    assert_eq!((one.status.as_u16(), &one.json["state"]), (200, &json!("PENDING")), "{}", one.text);
    let two = vote(&app, id, "ben", "approve").await;
    assert_eq!(two.json["state"], "APPROVED");
    assert_eq!(two.json["use_by"], "2026-11-21T10:15:00Z");
    assert_eq!(two.json["votes"][0]["comment"], "as agreed");
    assert_eq!(two.json["votes"][1]["by"]["login"], "ben@example.test");
    assert_eq!(codes(&app).await, ["DA2000", "DA2001", "DA2001", "DA2002"]);
    let voted = &app.events().await[1];
    assert_eq!((voted.actor.id.as_str(), &voted.details["decision"]), ("00uada", &json!("approve")));
    assert!(voted.request.id.is_some());
}

#[actix_web::test]
async fn the_first_denial_wins() {
    let app = app().await;
    let id = asked(&app, of_two()).await;
    vote(&app, id, "ada", "approve").await;
    let denied = vote(&app, id, "ben", "deny").await;
    assert_eq!((&denied.json["state"], &denied.json["closed"]["cause"]), (&json!("DENIED"), &json!("denied")));
    let late = vote(&app, id, "cleo", "approve").await;
    late.is_problem(409, "approval-closed");
    assert_eq!(late.json["state"], "DENIED");
    assert_eq!(codes(&app).await, ["DA2000", "DA2001", "DA2001", "DA2003", "DA2010"]);
}

#[actix_web::test]
async fn nobody_approves_his_own_request_in_any_disguise() {
    let app = app().await;
    let mut all = template();
    all.approvers.extend(named(&["user:00uann", "user:00ubob", "group:00gall"]));
    app.directory.set_groups(&uid("00uann"), &["00gall"]);
    let id = asked(&app, all).await;
    // By his id, by a group, and with the administrator's role or that of emergencies on top.
    vote(&app, id, "ann", "approve").await.is_problem(403, "not-an-approver");
    app.token("ann-admin", &json!({"uid": "00uann", "groups": ["behalf-admins"]}), &["openid", "behalf"]);
    for token in ["ann-admin", "duty"] {
        vote(&app, id, token, "approve").await.is_problem(403, "not-an-approver");
    }
    vote(&app, id, "bob", "approve").await.is_problem(403, "not-an-approver");
    // By a token that names him by login, or by a second account whose login is his.
    app.token("by-login", &json!({"uid": "ann@example.test"}), &["openid", "behalf"]);
    app.directory.answer_for("ann@example.test", user("00uann", "ann@example.test", &json!({})));
    vote(&app, id, "by-login", "approve").await.is_problem(404, "not-found");
    app.directory.put(user("00uann2", "ANN@example.test", &json!({})));
    app.directory.set_groups(&uid("00uann2"), &["00gall"]);
    app.token("ann2", &json!({"uid": "00uann2"}), &["openid", "behalf"]);
    vote(&app, id, "ann2", "approve").await.is_problem(404, "not-found");
    // By a token that was delegated to him.
    let claims = json!({"uid": "00uada", "on_behalf": "True", "on_behalf_sub": "ada@example.test"});
    app.token("delegated", &claims, &["openid", "behalf"]);
    vote(&app, id, "delegated", "approve").await.is_problem(403, "delegated-token");
    nothing_changed(&app, id).await;
    let refusals = app.trail().await.into_iter().filter(|(code, _)| code == "DA2010");
    let reasons: Vec<_> = refusals.map(|(_, why)| why.unwrap()).collect();
    let own = "self-approval";
    assert_eq!(reasons, [own, own, own, "delegator-approval", own]);
}

#[actix_web::test]
async fn a_shared_account_decides_nothing_and_is_nobody_to_decide() {
    let shared = SharedAccounts::new(vec![account("00uada")], 1);
    let app = app_with(Setup { shared, ..Setup::default() }).await;
    let id = asked(&app, template()).await;
    vote(&app, id, "ada", "approve").await.is_problem(404, "not-found");
    nothing_changed(&app, id).await;
    assert_eq!(vote(&app, id, "ben", "approve").await.json["state"], "APPROVED");
    let alone = Template { approvers: named(&["user:00uada"]), ..template() };
    assert_eq!(refused(ensure(&app, &Want::of(alone)).await), "no-approvers");
}

#[actix_web::test]
async fn the_delegator_decides_where_the_rule_says_so() {
    let app = app().await;
    let mut own = Template { delegator_may_approve: true, ..template() };
    own.approvers.extend(named(&["user:00ubob"]));
    let id = asked(&app, own).await;
    assert_eq!(vote(&app, id, "bob", "approve").await.json["state"], "APPROVED");
}

#[actix_web::test]
async fn one_person_counts_once() {
    let app = app().await;
    let id = asked(&app, of_two()).await;
    assert_eq!(vote(&app, id, "ada", "approve").await.status, 200);
    for decision in ["approve", "deny"] {
        vote(&app, id, "ada", decision).await.is_problem(409, "already-voted");
    }
    let item = shown(&app, id).await;
    assert_eq!((&item["state"], item["votes"].as_array().unwrap().len()), (&json!("PENDING"), 1));
}

#[actix_web::test]
async fn a_vote_with_a_key_counts_once_and_is_answered_again() {
    let app = app().await;
    let id = asked(&app, template()).await;
    let cast = async |token: &str| {
        let request = app.request(reqwest::Method::POST, &path(id, "/votes")).bearer_auth(token);
        app.send(request.header("Idempotency-Key", "vote-1").json(&json!({"decision": "approve", "version": 1}))).await
    };
    let first = cast("ada").await;
    assert_eq!(first.status, 200, "{}", first.text);
    let again = cast("ada").await;
    assert_eq!((again.status, &again.text), (first.status, &first.text));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    // Without the key it is another vote.
    vote(&app, id, "ada", "approve").await.is_problem(409, "approval-closed");
    // A refusal isn't kept: it is decided anew.
    for _ in 0..2 {
        let late = cast("ben").await;
        late.is_problem(409, "approval-closed");
        assert_eq!(late.header("idempotent-replayed"), None);
    }
}

#[actix_web::test]
async fn who_may_decide_is_asked_at_the_vote() {
    let app = app().await;
    let by_group = Template::new(Kind::Approve, [Approver::Group("00gops".to_owned().try_into().unwrap())].into());
    app.directory.set_groups(&uid("00uada"), &["00gops"]);
    let id = asked(&app, by_group).await;
    vote(&app, id, "eve", "approve").await.is_problem(404, "not-found");
    app.directory.set_groups(&uid("00ueve"), &["00gops"]);
    app.directory.suspend("00ueve");
    vote(&app, id, "eve", "approve").await.is_problem(404, "not-found");
    app.directory.put(user("00ueve", "eve@example.test", &json!({})));
    app.directory.set_groups(&uid("00ueve"), &[]);
    vote(&app, id, "eve", "approve").await.is_problem(404, "not-found");
    app.directory.set_groups(&uid("00ueve"), &["00gops"]);
    app.directory.fail_all(Some(DirectoryError::Unavailable("the test says so".to_owned())));
    vote(&app, id, "eve", "approve").await.is_problem(503, "temporarily-unavailable");
    app.directory.fail_all(None);
    nothing_changed(&app, id).await;
    assert_eq!(vote(&app, id, "eve", "approve").await.json["state"], "APPROVED");
}

#[actix_web::test]
async fn an_approver_whom_the_directory_forgot_decides_nothing() {
    let app = app().await;
    let id = asked(&app, template()).await;
    app.directory.take("00uada");
    vote(&app, id, "ada", "approve").await.is_problem(404, "not-found");
    // A directory that answers with somebody else is not believed.
    app.directory.answer_for("00uada", User { ..user("00uben", "ben@example.test", &json!({})) });
    vote(&app, id, "ada", "approve").await.is_problem(404, "not-found");
    nothing_changed(&app, id).await;
}

#[actix_web::test]
async fn a_vote_names_the_version_that_was_seen() {
    let app = app().await;
    let id = asked(&app, template()).await;
    for version in [json!(0), json!(2), json!(4_294_967_295_u64)] {
        let body = json!({"decision": "approve", "version": version});
        app.post(&path(id, "/votes"), "ada", &body).await.is_problem(409, "version-changed");
    }
    nothing_changed(&app, id).await;
}

#[actix_web::test]
async fn a_decision_comes_before_the_deadline_or_not_at_all() {
    let app = app().await;
    let id = asked(&app, template()).await;
    app.advance(SignedDuration::from_hours(1) - SignedDuration::from_millis(1));
    assert_eq!(state(&app, id).await, "PENDING");
    app.advance(SignedDuration::from_millis(1));
    let late = vote(&app, id, "ada", "approve").await;
    late.is_problem(409, "approval-closed");
    assert_eq!(late.json["state"], "EXPIRED");
    // Who touched it wrote it down; the reaper has nothing to add.
    app.reap().await;
    assert_eq!(codes(&app).await, ["DA2000", "DA2004", "DA2010"]);
}

#[actix_web::test]
async fn an_unsigned_vote_is_none_where_the_rule_wants_a_signature() {
    let app = app().await;
    let signed = Template::new(Kind::SignAndApprove, template().approvers);
    let id = asked(&app, signed).await;
    for decision in ["approve", "deny"] {
        vote(&app, id, "ada", decision).await.is_problem(422, "signature-required");
    }
    nothing_changed(&app, id).await;
}

#[actix_web::test]
async fn what_is_no_vote_changes_nothing() {
    let app = app().await;
    let id = asked(&app, template()).await;
    let bad = [
        json!({}),
        json!({"decision": "approve"}),
        json!({"decision": "Approve", "version": 1}),
        json!({"decision": "maybe", "version": 1}),
        json!({"decision": ["approve"], "version": 1}),
        json!({"decision": "approve", "version": -1}),
        json!({"decision": "approve", "version": 1.5}),
        json!({"decision": "approve", "version": "1"}),
        json!({"decision": "approve", "version": 9_223_372_036_854_775_808_u64}),
        json!({"decision": "approve", "version": 1, "comment": "x".repeat(501)}),
        json!({"decision": "approve", "version": 1, "comment": "a\u{202e}b"}),
        json!({"decision": "approve", "version": 1, "comment": "a\nb"}),
        json!({"decision": "approve", "version": 1, "extra": true}),
        json!([]),
    ];
    for body in bad {
        app.post(&path(id, "/votes"), "ada", &body).await.is_problem(400, "invalid-request");
    }
    nothing_changed(&app, id).await;
    assert_eq!(codes(&app).await, ["DA2000"]);
}

#[actix_web::test]
async fn a_request_that_is_not_there_is_not_decided_about() {
    let app = app().await;
    let id = asked(&app, template()).await;
    let body = json!({"decision": "approve", "version": 1});
    for unknown in ["apr_AZOq4Yp7kJ2cGx3eUpYc1FhT0V6a1A", "apr_", "x", "%00", "..%2Flocks"] {
        app.post(&format!("/v1/approvals/{unknown}/votes"), "ada", &body).await.is_problem(404, "not-found");
    }
    // One of another tenant isn't there, either.
    app.post(&format!("/t/acme{}", path(id, "/votes")), "ada", &body).await.is_problem(404, "not-found");
    nothing_changed(&app, id).await;
}

#[actix_web::test]
async fn comments_never_outgrow_the_record() {
    let app = app().await;
    let by_group = Template { quorum: 16, ..Template::new(Kind::Approve, named(&["group:00gall"])) };
    for n in 0..16 {
        let (name, id_of) = (format!("voter{n}"), format!("00uvoter{n}"));
        app.directory.put(user(&id_of, &format!("{name}@example.test"), &json!({})));
        app.directory.set_groups(&uid(&id_of), &["00gall"]);
        app.token(&name, &json!({"uid": id_of}), &["openid", "behalf"]);
    }
    let scopes = (0..60).map(|n| format!("{n:0>220}")).collect();
    let id = pending(ensure(&app, &Want { scopes, ..Want::of(by_group) }).await).id;
    let mut told = std::collections::BTreeSet::new();
    for n in 0..16 {
        let name = format!("voter{n}");
        let long = "\u{10400}".repeat(500);
        let body = json!({"decision": "approve", "version": 1, "comment": long});
        let answer = app.post(&path(id, "/votes"), &name, &body).await;
        told.insert((answer.status.as_u16(), answer.json["code"].as_str().map(str::to_owned)));
        if answer.status != 200 {
            assert_eq!(vote(&app, id, &name, "approve").await.status, 200, "without the comment");
        }
    }
    assert_eq!(told.into_iter().collect::<Vec<_>>(), [(200, None), (422, Some("no-room".to_owned()))]);
    assert_eq!(state(&app, id).await, "APPROVED");
}
