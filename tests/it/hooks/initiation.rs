//! How delegations begin: the cap, the locks, and refusals that tell nothing.

use behalf::{
    domain::user::{Status, User},
    ports::token_verifier::VerifiedToken,
};
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use reqwest::{Method, StatusCode, header::RETRY_AFTER};
use serde_json::{Value, json};

use super::{coded, deliver, rounds, still_works};
use crate::support::{
    fake_directory::Op,
    test_app::{Setup, TestApp, refresh_hook, uid, user},
};

const CAP: usize = 10;

async fn begin_as(app: &TestApp, token: &str, body: Value) -> (StatusCode, Value) {
    app.call(Method::POST, "/v1/delegations", token, Some(body)).await
}

async fn begin_bob(app: &TestApp) -> (StatusCode, Value) {
    begin_as(app, "ann", json!({"delegator": "00ubob"})).await
}

#[actix_web::test]
async fn the_eleventh_waits_until_one_is_used_cancelled_or_over() {
    let app = TestApp::new().await;
    let mut ids = Vec::new();
    for _ in 0..CAP {
        ids.push(app.begin().await);
    }
    app.advance(SignedDuration::from_secs(20));
    let request = app.http.post(format!("{}/v1/delegations", app.url)).bearer_auth("ann");
    let answer = request.json(&json!({"delegator": "00ubob"})).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.headers()[RETRY_AFTER], "41", "the first ends 40 s from now");
    assert_eq!(answer.json::<Value>().await.unwrap()["code"], "too-many-pending");

    still_works(&app, &ids[0]).await;
    assert_eq!(begin_bob(&app).await.0, StatusCode::CREATED, "one was used");
    assert_eq!(begin_bob(&app).await.0, StatusCode::TOO_MANY_REQUESTS);

    let path = format!("/v1/delegations/{}", ids[1]);
    assert_eq!(app.call(Method::DELETE, &path, "ann", None).await.0, StatusCode::NO_CONTENT);
    assert_eq!(begin_bob(&app).await.0, StatusCode::CREATED, "one was cancelled");
    assert_eq!(begin_bob(&app).await.0, StatusCode::TOO_MANY_REQUESTS);

    app.advance(SignedDuration::from_secs(40));
    for _ in 0..8 {
        assert_eq!(begin_bob(&app).await.0, StatusCode::CREATED, "eight are over");
    }
    assert_eq!(begin_bob(&app).await.0, StatusCode::TOO_MANY_REQUESTS);
}

#[actix_web::test]
async fn the_cap_is_each_agents_own() {
    let app = TestApp::new().await;
    for _ in 0..CAP {
        app.begin().await;
    }
    app.directory.set_grant(&uid("00ubob"), &uid("00ueve"), true);
    assert_eq!(begin_as(&app, "eve", json!({"delegator": "00ubob"})).await.0, StatusCode::CREATED);
}

#[actix_web::test]
async fn initiations_at_once_never_exceed_the_cap() {
    let mut made = Vec::new();
    for round in 0..rounds() {
        let app = TestApp::new().await;
        let answers = join_all((0..64).map(|_| begin_bob(&app))).await;
        let begun = answers.iter().filter(|(status, _)| *status == StatusCode::CREATED).count();
        assert!((1..=CAP).contains(&begun), "round {round}: {begun}");
        assert_eq!(coded(&app, "DA1100").await.len(), begun, "round {round}");
        for (status, problem) in answers.iter().filter(|(status, _)| *status != StatusCode::CREATED) {
            let full = *status == StatusCode::TOO_MANY_REQUESTS;
            assert!(full || *status == StatusCode::SERVICE_UNAVAILABLE, "round {round}: {status} {problem}");
        }
        // One after the other fills what is left of the cap, and no more.
        let mut more = 0;
        while begin_bob(&app).await.0 == StatusCode::CREATED {
            more += 1;
        }
        assert_eq!(begun + more, CAP, "round {round}");
        made.push(begun);
    }
    println!("{} rounds of 64 initiations at once: {made:?} of {CAP} begun", rounds());
}

#[actix_web::test]
async fn a_locked_account_is_told_to_who_has_the_grant() {
    let app = TestApp::new().await;
    for who in ["bob", "ann"] {
        assert_eq!(app.call(Method::POST, "/v1/locks", who, Some(json!({}))).await.0, StatusCode::CREATED);
        let (status, problem) = begin_bob(&app).await;
        assert_eq!((status, problem["code"].as_str()), (StatusCode::LOCKED, Some("locked")), "{who}");
        let path = format!("/v1/locks/00u{who}");
        assert_eq!(app.call(Method::DELETE, &path, who, None).await.0, StatusCode::NO_CONTENT);
    }
    assert_eq!(begin_bob(&app).await.0, StatusCode::CREATED);
    app.call(Method::POST, "/v1/locks", "bob", Some(json!({}))).await;
    let (status, problem) = begin_as(&app, "eve", json!({"delegator": "00ubob"})).await;
    assert_eq!((status, problem["code"].as_str()), (StatusCode::FORBIDDEN, Some("not-delegated")));
}

#[actix_web::test]
async fn every_refusal_is_the_same_bytes() {
    let mut setup = Setup::default();
    setup.policy.delegatable_type = Some("delegatable".to_owned());
    let app = TestApp::with(setup).await;
    let typed = |id: &str, kind: &str| User {
        user_type: Some(kind.to_owned()),
        ..user(id, &format!("{id}@example.test"), &json!({}))
    };
    app.directory.put(User { status: Status::Inactive, ..typed("00ususpended", "delegatable") });
    app.directory.put(typed("00unotlisted", "delegatable"));
    app.directory.put(typed("00uagent", "agent"));
    for granted in ["00ususpended", "00uagent"] {
        app.directory.set_grant(&uid(granted), &uid("00uann"), true);
    }
    let mut answers = Vec::new();
    let asked =
        ["00unobody", "00ususpended", "00unotlisted", "00uagent", "00uann", "ann@example.test", "%2e%2e/me", "00UBOB"];
    for delegator in asked {
        let request = app.http.post(format!("{}/v1/delegations", app.url)).bearer_auth("ann");
        let answer = request.json(&json!({"delegator": delegator})).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{delegator}");
        let mut names: Vec<_> = answer.headers().keys().map(|name| name.as_str().to_owned()).collect();
        names.sort();
        answers.push((names, answer.text().await.unwrap()));
    }
    assert!(answers[0].1.contains("not-delegated"));
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let reasons: Vec<_> = coded(&app, "DA1101").await.into_iter().map(|e| e.outcome.reason.unwrap()).collect();
    assert_eq!(reasons.len(), asked.len());
    assert_eq!(
        reasons[..5],
        ["delegator-unknown", "delegator-inactive", "grant-gone", "delegator-not-delegatable", "self-delegation"]
    );
}

#[actix_web::test]
async fn an_agent_who_is_suspended_or_gone_begins_nothing() {
    let app = TestApp::new().await;
    app.directory.put(User { status: Status::Inactive, ..user("00uann", "ann@example.test", &json!({})) });
    assert_eq!(begin_bob(&app).await.0, StatusCode::FORBIDDEN);
    app.directory.take("00uann");
    assert_eq!(begin_bob(&app).await.0, StatusCode::FORBIDDEN);
}

#[actix_web::test]
async fn a_token_without_a_client_is_a_bad_request() {
    let app = TestApp::new().await;
    let token = VerifiedToken {
        claims: json!({"uid": "00uann"}).as_object().unwrap().clone(),
        scopes: ["behalf".to_owned()].into(),
        client: None,
        expires: Timestamp::MAX,
    };
    app.raw_token("no-client", token);
    let (status, problem) = begin_as(&app, "no-client", json!({"delegator": "00ubob"})).await;
    assert_eq!((status, problem["code"].as_str()), (StatusCode::BAD_REQUEST, Some("invalid-request")));
}

#[actix_web::test]
async fn a_directory_that_cannot_be_asked_is_no_refusal() {
    let app = TestApp::new().await;
    app.directory.fail_next();
    let (status, problem) = begin_bob(&app).await;
    assert_eq!((status, problem["code"].as_str()), (StatusCode::SERVICE_UNAVAILABLE, Some("temporarily-unavailable")));
    assert!(app.directory.calls(Op::User) > 0);
}

#[actix_web::test]
async fn the_delegation_is_bound_to_the_scopes_of_the_token_or_to_fewer() {
    let app = TestApp::new().await;
    let id = app.begin().await;
    let body = json!({"delegator": "00ubob", "scopes": ["openid"], "reason": "invoices", "ticket": "T-1"});
    assert_eq!(begin_as(&app, "ann", body).await.0, StatusCode::CREATED);
    let (_, list) = app.call(Method::GET, "/v1/delegations", "ann", None).await;
    let mut scopes: Vec<_> = list["items"].as_array().unwrap().iter().map(|i| i["scopes"].clone()).collect();
    scopes.sort_by_key(|scopes| scopes.as_array().unwrap().len());
    assert_eq!(scopes, [json!(["openid"]), json!(["behalf", "openid"])]);
    assert!(!list.to_string().contains(&id), "the secret is told once");
    assert!(deliver(&app, &refresh_hook("e1", Some(&id))).await.is_granted());
}
