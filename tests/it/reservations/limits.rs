//! Bad input, and how much one user may hold.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{DBA, HOLD_MS, account, app, app_of, counts, hold, reserve, sharing};
use crate::support::test_app::{Setup, TestApp};

async fn two_accounts(max_held: usize) -> TestApp {
    app_of(sharing(Setup::default(), vec![account(DBA), account("00uops")], max_held)).await
}

#[actix_web::test]
async fn ttl_0_minus_1_2_63_nan_and_more_than_the_most() {
    let app = app().await;
    for bad in ["0", "-1", "9223372036854775808", "1.5", "1e300", "31", "1441", "-0.0"] {
        let body = format!(r#"{{"account":"{DBA}","minutes":{bad}}}"#);
        let answer = app.post_bytes("/v1/reservations", "ann", "application/json", body).await;
        answer.is_problem(422, "invalid-hold");
        assert_eq!(answer.json["field"], "minutes");
    }
    for bad in ["NaN", "\"5\"", "1e999", "[5]", "true"] {
        let body = format!(r#"{{"account":"{DBA}","minutes":{bad}}}"#);
        let answer = app.post_bytes("/v1/reservations", "ann", "application/json", body).await;
        answer.is_problem(400, "invalid-request");
    }
    assert_eq!(app.events().await, [], "nothing was done");
    for (minutes, until) in [(json!(1), "10:01"), (json!(30), "10:30"), (Value::Null, "10:05")] {
        let made = reserve(&app, "ann", json!({"account": DBA, "minutes": minutes})).await;
        assert_eq!(made.json["expires_at"], format!("2026-11-21T{until}:00Z"), "{}", made.text);
        assert_eq!(
            app.delete(&format!("/v1/reservations/{}", made.json["id"].as_str().unwrap()), "ann").await.status,
            204
        );
    }
}

#[actix_web::test]
async fn what_names_no_account_is_refused() {
    let app = app().await;
    let long = "x".repeat(321);
    for bad in [
        json!({}),
        json!({"account": DBA, "pool": "dba"}),
        json!({"account": ""}),
        json!({"account": long}),
        json!({"account": "a\u{0}"}),
        json!({"pool": ""}),
        json!({"pool": "x".repeat(65)}),
        json!({"pool": "a\u{202e}"}),
        json!({"account": DBA, "hold": "5m"}),
        json!({"account": 7}),
    ] {
        reserve(&app, "ann", bad.clone()).await.is_problem(400, "invalid-request");
    }
    for id in ["rvn_", "rvn_x", "rsv_x", "dlr_x", "%00", "x".repeat(300).as_str()] {
        app.get(&format!("/v1/reservations/{id}"), "ann").await.is_problem(404, "not-found");
        app.delete(&format!("/v1/reservations/{id}"), "ann").await.is_problem(404, "not-found");
    }
    assert_eq!(app.events().await, []);
}

#[actix_web::test]
async fn two_accounts_one_user_quota() {
    let app = two_accounts(1).await;
    let (_, first) = hold(&app, "ann", DBA).await;
    let second = reserve(&app, "ann", json!({"account": "00uops"})).await;
    second.is_problem(429, "too-many-held");
    assert_eq!(second.header("retry-after"), Some("301"));
    // What was given back before its time counts no more, though the roster has it still.
    assert_eq!(app.delete(&format!("/v1/reservations/{first}"), "ann").await.status, 204);
    let (_, second) = hold(&app, "ann", "00uops").await;
    reserve(&app, "ann", json!({"account": DBA})).await.is_problem(429, "too-many-held");
    app.advance(SignedDuration::from_millis(HOLD_MS));
    hold(&app, "ann", DBA).await;
    assert_eq!(super::state(&app, "ann", &second).await, "EXPIRED");
    let two = two_accounts(2).await;
    hold(&two, "ann", DBA).await;
    hold(&two, "ann", "00uops").await;
    assert_eq!(counts(&two, ["DA3000", "DA3010"]).await, [2, 0]);
}

#[actix_web::test]
async fn two_accounts_at_once_do_not_get_around_the_quota() {
    for round in 0..crate::hooks::rounds() {
        let app = two_accounts(1).await;
        let ask = |account: &'static str| reserve(&app, "ann", json!({ "account": account }));
        let (one, two) = tokio::join!(ask(DBA), ask("00uops"));
        let mut got = [one.status.as_u16(), two.status.as_u16()];
        got.sort_unstable();
        assert_eq!(got, [201, 429], "round {round}: {} {}", one.text, two.text);
    }
}

#[actix_web::test]
async fn a_tenant_without_shared_accounts_has_none_to_reserve() {
    let app = TestApp::new().await;
    assert_eq!(app.get("/v1/reservations/accounts", "ann").await.json["items"], json!([]));
    assert_eq!(app.get("/v1/reservations", "ann").await.json["items"], json!([]));
    reserve(&app, "ann", json!({"account": DBA})).await.is_problem(403, "not-a-member");
    reserve(&app, "ann", json!({"pool": "dba"})).await.is_problem(403, "not-a-member");
}

#[actix_web::test]
async fn one_tenants_accounts_are_not_anothers() {
    let app = app().await;
    let (_, id) = hold(&app, "ann", DBA).await;
    app.get(&format!("/t/acme/v1/reservations/{id}"), "ann").await.is_problem(404, "not-found");
    app.delete(&format!("/t/acme/v1/reservations/{id}"), "ann").await.is_problem(404, "not-found");
    let there = app.post("/t/acme/v1/reservations", "eve", &json!({"account": DBA})).await;
    assert_eq!(there.status, 201, "the other tenant's account of that name is free: {}", there.text);
}
