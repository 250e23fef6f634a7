//! Who is locked decides nothing: he doesn't vote, sign, register keys, decide about keys, skip votes or close reviews.
//! What takes rights away stays his.

use behalf::{app::keys::KeyPolicy, domain::approval::ApprovalId};
use serde_json::json;

use super::client::{self, Signer, by_key_only, challenge, enrolled, register, vote_signed};
use crate::{
    approvals::rig::*,
    hooks::{lock_change, tampered},
    support::{http::Answer, tampered_store::Act, test_app::TestApp},
};

async fn lock(app: &TestApp, who: &str) {
    let answer = app.post("/v1/locks", "root", &json!({"user": format!("{who}@example.test")})).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
}

async fn lift(app: &TestApp, who: &str) {
    assert_eq!(app.delete(&format!("/v1/locks/00u{who}"), "root").await.status, 204);
}

#[track_caller]
fn is_locked(answer: &Answer) {
    answer.is_problem(423, "locked");
}

async fn last(app: &TestApp) -> (String, Option<String>) {
    app.trail().await.pop().unwrap()
}

async fn votes(app: &TestApp, id: ApprovalId) -> usize {
    shown(app, id).await["votes"].as_array().unwrap().len()
}

#[actix_web::test]
async fn a_locked_approver_sees_and_does_not_vote() {
    let app = app().await;
    let id = asked(&app, of_two()).await;
    lock(&app, "ada").await;
    for decision in ["approve", "deny"] {
        is_locked(&vote(&app, id, "ada", decision).await);
        assert_eq!(last(&app).await, ("DA2010".to_owned(), Some("locked".to_owned())));
    }
    assert_eq!(votes(&app, id).await, 0);
    assert_eq!(app.get(&path(id, ""), "ada").await.status, 200);
    assert_eq!(vote(&app, id, "ben", "approve").await.status, 200, "the others decide");
    lift(&app, "ada").await;
    assert_eq!(vote(&app, id, "ada", "approve").await.json["state"], "APPROVED");
    lock(&app, "ada").await;
    assert_eq!(revoke(&app, id, "ada").await.status, 200, "what takes a right away stays possible");
}

#[actix_web::test]
async fn a_lock_between_the_look_and_the_vote_is_seen() {
    let (setup, tamper) = tampered();
    let app = app_with(setup).await;
    let id = asked(&app, template()).await;
    tamper.next(Act::Overtaken(Box::new(lock_change(&app, "00uada"))));
    is_locked(&vote(&app, id, "ada", "approve").await);
    assert_eq!((tamper.left(), votes(&app, id).await), (0, 0));
}

#[actix_web::test]
async fn a_locked_approver_gets_no_challenge_and_one_from_before_is_not_spent() {
    let app = client::app().await;
    let key = enrolled(&app, "ada", Signer::ed25519()).await;
    let id = asked(&app, by_key_only()).await;
    let given = challenge(&app, id, "ada", "approve").await;
    lock(&app, "ada").await;
    is_locked(&client::ask(&app, id, "ada", "approve").await);
    is_locked(&vote_signed(&app, id, "ada", "approve", &key.answer(&given)).await);
    lift(&app, "ada").await;
    assert_eq!(vote_signed(&app, id, "ada", "approve", &key.answer(&given)).await.json["state"], "APPROVED");
}

#[actix_web::test]
async fn keys_are_neither_registered_nor_decided_about_by_who_is_locked() {
    let app = client::app_of(KeyPolicy { approvers: named(&["user:00uben"]), ..KeyPolicy::default() }).await;
    let key = Signer::ed25519();
    lock(&app, "ada").await;
    is_locked(&register(&app, "ada", &key).await);
    assert_eq!(last(&app).await, ("DA2104".to_owned(), Some("locked".to_owned())));
    lift(&app, "ada").await;
    assert_eq!(register(&app, "ada", &key).await.status, 201);
    lock(&app, "ben").await;
    let votes = format!("/v1/keys/{}/votes", key.kid);
    is_locked(&app.post(&votes, "ben", &json!({"decision": "approve"})).await);
    lock(&app, "ada").await;
    assert_eq!(app.delete(&format!("/v1/me/keys/{}", key.kid), "ada").await.status, 204, "his own he takes away");
}

#[actix_web::test]
async fn votes_are_not_skipped_and_reviews_not_closed_by_who_is_locked() {
    let app = app().await;
    let why = "payroll closes at noon, nobody of secops answers";
    let want = Want { break_glass: Some(why.to_owned()), token: "duty", ..Want::of(template()) };
    lock(&app, "ann").await;
    let locked = ensure(&app, &want).await;
    assert!(matches!(locked, Err(behalf::app::error::AppError::Refused(why)) if why.code() == "locked"), "{locked:?}");
    lift(&app, "ann").await;
    let id = usable(ensure(&app, &want).await).approval.id;
    app.token("second", &json!({"uid": "00uben", "groups": ["behalf-admins"]}), &["openid", "behalf"]);
    lock(&app, "ben").await;
    let close = async || app.post(&format!("/v1/reviews/{id}/close"), "second", &json!({"comment": "fine"})).await;
    is_locked(&close().await);
    lift(&app, "ben").await;
    assert_eq!(close().await.json["state"], "CLOSED");
}
