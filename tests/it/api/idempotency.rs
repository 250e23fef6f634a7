//! `Idempotency-Key`: sent again, nothing happens twice.

use std::time::Duration;

use behalf::{
    app::idempotency::{Begun, Sender, begin},
    domain::{chain::Digest, idempotency::IdempotencyKey, ids::TenantName},
    ports::directory::DirectoryError,
};
use futures_util::future::join_all;
use jiff::SignedDuration;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    durability::setting,
    support::{
        fake_directory::{Act, Op},
        http::Answer,
        process::until,
        test_app::TestApp,
    },
};

const KEY: &str = "8e03978e-40d5-43e8-bc93-6894a57f9324";

async fn post(app: &TestApp, path: &str, token: &str, key: &str, body: &Value) -> Answer {
    app.send(app.request(Method::POST, path).bearer_auth(token).header("Idempotency-Key", key).json(body)).await
}

fn replayed(answer: &Answer) -> bool {
    answer.header("idempotent-replayed") == Some("true")
}

/// How many events with that code there are.
async fn count(app: &TestApp, code: &str) -> usize {
    app.trail().await.into_iter().filter(|(found, _)| found == code).count()
}

#[track_caller]
fn same(again: &Answer, first: &Answer) {
    assert_eq!((again.status, &again.text), (first.status, &first.text));
    assert!(replayed(again) && !replayed(first));
    assert_eq!(again.header("content-type"), first.header("content-type"));
}

#[actix_web::test]
async fn a_lock_and_a_grant_are_answered_as_the_first_time() {
    let app = TestApp::new().await;
    let body = json!({"reason": "on holiday"});
    let first = post(&app, "/v1/locks", "bob", KEY, &body).await;
    assert_eq!(first.status, 201, "{}", first.text);
    same(&post(&app, "/v1/locks", "bob", KEY, &body).await, &first);
    // In quotes, and below the tenant's own path, it is the same key of the same request.
    same(&post(&app, "/t/default/v1/locks", "bob", &format!("\"{KEY}\""), &body).await, &first);
    // Lifted meanwhile: it isn't locked again.
    assert_eq!(app.delete("/v1/locks/00ubob", "bob").await.status, 204);
    same(&post(&app, "/v1/locks", "bob", KEY, &body).await, &first);
    assert_eq!(app.get("/v1/locks", "bob").await.json["items"], json!([]));
    assert_eq!(count(&app, "DA6200").await, 1);

    let first = post(&app, "/v1/grants", "bob", "k-2", &json!({"agent": "eve@example.test"})).await;
    assert_eq!(first.status, 201, "{}", first.text);
    same(&post(&app, "/v1/grants", "bob", "k-2", &json!({"agent": "eve@example.test"})).await, &first);
    assert_eq!(app.directory.calls(Op::AddGrant), 1);
}

#[actix_web::test]
async fn a_key_names_one_request_of_one_sender() {
    let app = TestApp::new().await;
    assert_eq!(post(&app, "/v1/locks", "bob", KEY, &json!({"reason": "one"})).await.status, 201);
    let other = post(&app, "/v1/locks", "bob", KEY, &json!({"reason": "two"})).await;
    other.is_problem(422, "idempotency-key-reused");
    let other = post(&app, "/v1/grants", "bob", KEY, &json!({"agent": "eve@example.test"})).await;
    other.is_problem(422, "idempotency-key-reused");
    assert_eq!(app.directory.calls(Op::AddGrant), 0);
    let eve = post(&app, "/v1/locks", "eve", KEY, &json!({"reason": "one"})).await;
    assert_eq!((eve.status.as_u16(), &eve.json["user"], replayed(&eve)), (201, &json!("00ueve"), false));
}

#[actix_web::test]
async fn tenants_do_not_share_keys() {
    let app = TestApp::new().await;
    assert_eq!(post(&app, "/v1/locks", "bob", KEY, &json!({})).await.status, 201);
    let there = post(&app, "/t/acme/v1/locks", "bob", KEY, &json!({})).await;
    assert_eq!((there.status.as_u16(), replayed(&there)), (201, false));
}

#[actix_web::test]
async fn what_is_no_key_is_refused_and_nothing_done() {
    let app = TestApp::new().await;
    let longer = "k".repeat(65);
    for bad in ["", "two words", "\"open", &longer] {
        let answer = post(&app, "/v1/locks", "bob", bad, &json!({})).await;
        answer.is_problem(400, "invalid-request");
        assert_eq!(answer.json["field"], "Idempotency-Key", "{bad}");
    }
    let twice = app.request(Method::POST, "/v1/locks").bearer_auth("bob").json(&json!({}));
    let twice = app.send(twice.header("Idempotency-Key", "a").header("Idempotency-Key", "b")).await;
    twice.is_problem(400, "invalid-request");
    assert_eq!(app.get("/v1/locks", "bob").await.json["items"], json!([]));
    // Who may not call isn't told of keys.
    post(&app, "/v1/locks", "nobody", "two words", &json!({})).await.is_problem(401, "invalid-token");
}

#[actix_web::test]
async fn a_failure_is_tried_again() {
    let app = TestApp::new().await;
    let body = json!({"agent": "eve@example.test"});
    app.directory.next(Op::AddGrant, Act::Fail(DirectoryError::Unavailable("the test says so".to_owned())));
    post(&app, "/v1/grants", "bob", KEY, &body).await.is_problem(503, "temporarily-unavailable");
    let done = post(&app, "/v1/grants", "bob", KEY, &body).await;
    assert_eq!((done.status.as_u16(), replayed(&done)), (201, false), "{}", done.text);
    same(&post(&app, "/v1/grants", "bob", KEY, &body).await, &done);
}

#[actix_web::test]
async fn who_comes_while_the_first_is_worked_on_is_told_so() {
    let app = TestApp::new().await;
    let body = json!({"agent": "eve@example.test"});
    let gate = app.directory.hang(Op::AddGrant);
    let second = async {
        app.directory.called(Op::AddGrant, 1).await;
        let second = post(&app, "/v1/grants", "bob", KEY, &body).await;
        second.is_problem(409, "idempotency-in-progress");
        assert_eq!(second.header("retry-after"), Some("1"));
        let other = post(&app, "/v1/grants", "bob", KEY, &json!({"agent": "ann@example.test"})).await;
        other.is_problem(422, "idempotency-key-reused");
        gate.notify_one();
    };
    let (first, ()) = tokio::join!(post(&app, "/v1/grants", "bob", KEY, &body), second);
    assert_eq!(first.status, 201, "{}", first.text);
    same(&post(&app, "/v1/grants", "bob", KEY, &body).await, &first);
    assert_eq!(app.directory.calls(Op::AddGrant), 1);
}

#[actix_web::test]
async fn a_request_whose_sender_hung_up_is_worked_on_to_its_end() {
    let app = TestApp::new().await;
    let body = json!({"agent": "eve@example.test"});
    let gate = app.directory.hang(Op::AddGrant);
    tokio::select! {
        answer = post(&app, "/v1/grants", "bob", KEY, &body) => panic!("{}", answer.text),
        () = app.directory.called(Op::AddGrant, 1) => {}
    }
    gate.notify_one();
    let done = until("the answer is kept", async || {
        let again = post(&app, "/v1/grants", "bob", KEY, &body).await;
        (again.status != 409).then_some(again)
    })
    .await;
    assert!(done.status == 201 && replayed(&done), "{}", done.text);
    assert_eq!(app.directory.calls(Op::AddGrant), 1);
}

#[actix_web::test]
async fn what_nobody_finishes_is_taken_up_after_a_minute() {
    let app = TestApp::new().await;
    let tenant = app.services.tenant(&TenantName::default_tenant()).unwrap();
    let key = IdempotencyKey::parse(KEY).unwrap();
    let reserve = |request: Digest| begin(&app.services, tenant, Sender::User("00ubob"), &key, request);
    let request = Digest::of(b"", b"of a process that dies now");
    assert!(matches!(reserve(request).await, Ok(Begun::Go(_))));
    app.advance(SignedDuration::from_secs(59));
    assert!(reserve(request).await.is_err());
    app.advance(SignedDuration::from_secs(1));
    assert_eq!(post(&app, "/v1/locks", "bob", KEY, &json!({})).await.status, 201);
    assert!(reserve(request).await.is_err(), "the key is another request's now");
}

#[actix_web::test]
async fn after_a_day_a_key_is_new_and_nothing_of_it_is_left() {
    let app = TestApp::new().await;
    let grant = json!({"agent": "eve@example.test"});
    let first = post(&app, "/v1/grants", "bob", KEY, &grant).await;
    assert_eq!(first.status, 201, "{}", first.text);
    app.advance(SignedDuration::from_hours(24) - SignedDuration::from_secs(1));
    assert_eq!(app.reap().await.dropped, 0);
    same(&post(&app, "/v1/grants", "bob", KEY, &grant).await, &first);
    app.advance(SignedDuration::from_secs(1));
    let new = post(&app, "/v1/grants", "bob", KEY, &json!({"agent": "00uroot"})).await;
    assert_eq!((new.status.as_u16(), replayed(&new)), (201, false));
    app.advance(SignedDuration::from_hours(24));
    assert_eq!(app.reap().await.dropped, 1);
}

#[actix_web::test]
async fn forty_at_once_with_one_key_are_one_request() {
    let rounds = setting("BEHALF_TEST_ROUNDS").unwrap_or(5);
    for round in 0..rounds {
        let app = TestApp::new().await;
        let body = json!({"reason": "race"});
        let persistent = async || {
            until("the first one ends", async || {
                let answer = post(&app, "/v1/locks", "bob", KEY, &body).await;
                (answer.status != 409).then_some(answer)
            })
            .await
        };
        let answers = tokio::time::timeout(Duration::from_mins(1), join_all((0..40).map(|_| persistent())));
        let answers = answers.await.unwrap();
        let fresh = answers.iter().filter(|answer| !replayed(answer)).count();
        assert_eq!(fresh, 1, "round {round}");
        for answer in &answers {
            assert_eq!((answer.status.as_u16(), &answer.text), (201, &answers[0].text), "round {round}");
        }
        assert_eq!(count(&app, "DA6200").await, 1, "round {round}");
    }
}
