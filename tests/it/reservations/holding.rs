//! Who reserves what, who sees it, and how it is given back.

use futures_util::future::join_all;
use jiff::SignedDuration;
use serde_json::json;

use super::{DBA, HOLD_MS, account, app, app_of, counts, ends, hold, log_in, reserve, sharing, state};
use crate::{
    hooks::coded,
    support::test_app::{Setup, TestApp, uid},
};

async fn offered(app: &TestApp, who: &str) -> serde_json::Value {
    let found = app.get("/v1/reservations/accounts", who).await;
    assert_eq!(found.status, 200, "{}", found.text);
    found.json["items"].clone()
}

#[actix_web::test]
async fn a_member_reserves_and_sees_it_and_gives_it_back() {
    let app = app().await;
    let free = json!([{"id": DBA, "login": "dba@example.test", "state": "AVAILABLE", "minutes": 5, "max_minutes": 30}]);
    assert_eq!(offered(&app, "ann").await, free);
    let made = reserve(&app, "ann", json!({"account": DBA, "minutes": 7})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let (secret, id) = (made.json["secret"].as_str().unwrap(), made.json["id"].as_str().unwrap());
    assert!(secret.starts_with("rsv_") && secret.len() == 55 && id.starts_with("rvn_"));
    let shown = json!({
        "id": id, "state": "HELD", "account": {"id": DBA, "login": "dba@example.test"},
        "holder": {"id": "00uann", "login": "ann@example.test"},
        "created_at": "2026-11-21T10:00:00Z", "expires_at": "2026-11-21T10:07:00Z"
    });
    assert_eq!(app.get(&format!("/v1/reservations/{id}"), "ann").await.json, shown);
    assert_eq!(app.get("/v1/reservations", "ann").await.json["items"], json!([shown]));
    assert_eq!(offered(&app, "ann").await[0]["holder"], "ann@example.test");
    let seen = offered(&app, "eve").await[0].clone();
    assert_eq!(
        (&seen["state"], &seen["until"], seen.get("holder")),
        (&json!("HELD"), &json!("2026-11-21T10:07:00Z"), None)
    );
    let path = format!("/v1/reservations/{id}");
    app.get(&path, "eve").await.is_problem(404, "not-found");
    app.delete(&path, "eve").await.is_problem(404, "not-found");
    assert_eq!(app.get(&path, "root").await.status, 200, "an administrator sees any");
    for _ in 0..2 {
        assert_eq!(app.delete(&path, "ann").await.status, 204);
    }
    assert_eq!(state(&app, "ann", id).await, "RELEASED");
    assert_eq!(offered(&app, "eve").await, free);
    assert_eq!(log_in(&app, "e1", secret).await.refused(), "reservation-gone");
    assert_eq!(counts(&app, ["DA3000", "DA3003"]).await, [1, 1]);
}

#[actix_web::test]
async fn who_is_no_member_learns_nothing() {
    let app = app().await;
    assert_eq!(offered(&app, "bob").await, json!([]));
    let (shared, unknown) = (
        reserve(&app, "bob", json!({"account": DBA})).await,
        reserve(&app, "bob", json!({"account": "00unobody"})).await,
    );
    shared.is_problem(403, "not-a-member");
    unknown.is_problem(403, "not-a-member");
    assert_eq!(shared.text, unknown.text, "no oracle");
    hold(&app, "ann", DBA).await;
    assert_eq!(reserve(&app, "bob", json!({"account": DBA})).await.text, shared.text);
    let refused = coded(&app, "DA3010").await;
    assert!(refused.len() == 3 && refused.iter().all(|e| e.outcome.reason.as_deref() == Some("not-a-member")));
}

#[actix_web::test]
async fn who_is_told_the_holder_is_the_accounts_choice() {
    for show_holder in [false, true] {
        let mut shared = account(DBA);
        shared.show_holder = show_holder;
        let app = app_of(sharing(Setup::default(), vec![shared], 1)).await;
        hold(&app, "ann", DBA).await;
        let taken = reserve(&app, "eve", json!({"account": DBA})).await;
        taken.is_problem(409, "reserved");
        assert_eq!(
            (taken.json["until"].as_str(), taken.header("retry-after")),
            (Some("2026-11-21T10:05:00Z"), Some("301"))
        );
        assert_eq!(taken.json["holder"].as_str(), show_holder.then_some("ann@example.test"));
        assert_eq!(taken.text.contains("ann@example.test"), show_holder, "{}", taken.text);
        let own = reserve(&app, "ann", json!({"account": DBA})).await;
        own.is_problem(409, "reserved");
        assert_eq!(own.json["holder"], "ann@example.test", "to himself it is no secret");
    }
}

#[actix_web::test]
async fn reserve_x40_same_account() {
    let app = app().await;
    for n in 0..40 {
        let (id, token) = (format!("00um{n}"), format!("m{n}"));
        app.directory.put(crate::support::test_app::user(&id, &format!("m{n}@example.test"), &json!({})));
        app.directory.set_groups(&uid(&id), &["dbas"]);
        app.token(&token, &json!({ "uid": id }), &["openid", "behalf"]);
    }
    let tokens: Vec<String> = (0..40).map(|n| format!("m{n}")).collect();
    let answers = join_all(tokens.iter().map(|token| reserve(&app, token, json!({"account": DBA})))).await;
    let made: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!(made.len(), 1);
    for other in answers.iter().filter(|answer| answer.status != 201) {
        other.is_problem(409, "reserved");
        assert_eq!(other.json["until"], made[0].json["expires_at"], "the same hint");
    }
    assert_eq!(counts(&app, ["DA3000", "DA3010"]).await, [1, 39]);
}

#[actix_web::test]
async fn reserve_at_expiry_boundary() {
    for (age, status) in [(HOLD_MS - 1, 409), (HOLD_MS, 201), (HOLD_MS + 1, 201)] {
        let app = app().await;
        let (_, old) = hold(&app, "ann", DBA).await;
        app.advance(SignedDuration::from_millis(age));
        let next = reserve(&app, "eve", json!({"account": DBA})).await;
        assert_eq!(next.status.as_u16(), status, "{age}: {}", next.text);
        let taken = usize::from(status == 201);
        assert_eq!(counts(&app, ["DA3000", "DA3002"]).await, [1 + taken, taken], "{age}");
        if taken == 1 {
            let events = app.events().await;
            let codes: Vec<_> = events.iter().map(|event| event.code.as_str()).collect();
            assert_eq!(codes, ["DA3000", "DA3002", "DA3000"], "the old one ends before the new one begins");
            assert_eq!(events[1].target[0].id, old);
        }
    }
}

#[actix_web::test]
async fn an_administrator_takes_it_away_and_the_holder_is_told_why() {
    let app = app().await;
    let (secret, id) = hold(&app, "ann", DBA).await;
    let path = format!("/v1/reservations/{id}/force-release");
    app.post(&path, "ann", &json!({"reason": "mine"})).await.is_problem(403, "administrator-only");
    for bad in [json!({"reason": ""}), json!({"reason": "a\u{202e}b"}), json!({"reason": "x".repeat(501)}), json!({})] {
        app.post(&path, "root", &bad).await.is_problem(400, "invalid-request");
    }
    assert_eq!(state(&app, "ann", &id).await, "HELD");
    assert_eq!(app.post(&path, "root", &json!({"reason": "incident 7"})).await.status, 204);
    let again = app.post(&path, "root", &json!({"reason": "again"})).await;
    again.is_problem(409, "not-held");
    assert_eq!(again.json["state"], "FORCE_RELEASED");
    let shown = app.get(&format!("/v1/reservations/{id}"), "ann").await.json;
    assert_eq!((&shown["state"], &shown["reason"]), (&json!("FORCE_RELEASED"), &json!("incident 7")));
    assert_eq!(log_in(&app, "e1", &secret).await.refused(), "reservation-gone");
    let seen = app.get("/v1/audit?code=reservation.force_released", "ann").await.json;
    let event = &seen["items"][0];
    assert_eq!(
        (&event["actor"]["type"], &event["actor"]["id"]),
        (&json!("administrator"), &json!("00uroot")),
        "{seen}"
    );
    assert_eq!(event["details"]["reason"], "incident 7");
    assert_eq!(ends(&app).await, [0, 0, 0, 1, 0]);
    assert_eq!(coded(&app, "DA6300").await.len(), 1, "Ann's attempt");
    app.post("/v1/reservations/rvn_x/force-release", "root", &json!({"reason": "x"}))
        .await
        .is_problem(404, "not-found");
}

#[actix_web::test]
async fn a_locked_administrator_takes_nothing_away() {
    let app = app().await;
    let (_, id) = hold(&app, "ann", DBA).await;
    assert_eq!(app.post("/v1/locks", "root", &json!({})).await.status, 201);
    let path = format!("/v1/reservations/{id}/force-release");
    app.post(&path, "root", &json!({"reason": "incident 7"})).await.is_problem(423, "locked");
    assert_eq!(state(&app, "ann", &id).await, "HELD");
    // To give back what one holds oneself takes nothing from anybody.
    assert_eq!(app.post("/v1/locks", "ann", &json!({})).await.status, 201);
    assert_eq!(app.delete(&format!("/v1/reservations/{id}"), "ann").await.status, 204);
}

#[actix_web::test]
async fn aba_stale_release() {
    let app = app().await;
    let (_, old) = hold(&app, "ann", DBA).await;
    assert_eq!(app.delete(&format!("/v1/reservations/{old}"), "ann").await.status, 204);
    let (_, new) = hold(&app, "ann", DBA).await;
    assert_ne!(old, new);
    app.delete(&format!("/v1/reservations/{old}"), "ann").await.is_problem(404, "not-found");
    assert_eq!(state(&app, "ann", &new).await, "HELD");
}

#[actix_web::test]
async fn aba_stale_force() {
    let app = app().await;
    let (_, old) = hold(&app, "ann", DBA).await;
    assert_eq!(app.delete(&format!("/v1/reservations/{old}"), "ann").await.status, 204);
    let (_, new) = hold(&app, "eve", DBA).await;
    let stale =
        app.post(&format!("/v1/reservations/{old}/force-release"), "root", &json!({"reason": "old news"})).await;
    stale.is_problem(404, "not-found");
    assert_eq!(state(&app, "eve", &new).await, "HELD");
}

#[actix_web::test]
async fn aba_stale_expiry_timer() {
    let app = app().await;
    let (_, old) = hold(&app, "ann", DBA).await;
    app.advance(SignedDuration::from_millis(HOLD_MS - 1000));
    assert_eq!(app.delete(&format!("/v1/reservations/{old}"), "ann").await.status, 204);
    let (_, new) = hold(&app, "ann", DBA).await;
    // The old one's time comes.
    app.advance(SignedDuration::from_millis(2000));
    assert_eq!(app.reap().await.expired, 0);
    assert_eq!(state(&app, "ann", &new).await, "HELD");
    assert_eq!(ends(&app).await, [0, 0, 1, 0, 0]);
}

#[actix_web::test]
async fn sweeper_runs_on_3_nodes() {
    let app = app().await;
    let (_, id) = hold(&app, "ann", DBA).await;
    assert_eq!(app.reap().await.expired, 0);
    app.advance(SignedDuration::from_millis(HOLD_MS));
    let passes = join_all((0..3).map(|_| app.reap())).await;
    assert_eq!(passes.iter().map(|pass| pass.expired).sum::<usize>(), 1);
    assert_eq!(app.reap().await.expired, 0);
    assert_eq!(state(&app, "ann", &id).await, "EXPIRED");
    assert_eq!(ends(&app).await, [0, 1, 0, 0, 0]);
    app.delete(&format!("/v1/reservations/{id}"), "ann").await.is_problem(409, "not-held");
}

#[actix_web::test]
async fn a_locked_or_inactive_account_can_not_be_reserved() {
    let app = app().await;
    for who in [DBA, "00uann"] {
        assert_eq!(app.post("/v1/locks", "root", &json!({"user": who})).await.status, 201);
        reserve(&app, "ann", json!({"account": DBA})).await.is_problem(423, "locked");
        assert_eq!(offered(&app, "eve").await[0]["state"], if who == DBA { "LOCKED" } else { "AVAILABLE" });
        assert_eq!(app.delete(&format!("/v1/locks/{who}"), "root").await.status, 204);
    }
    app.directory.suspend(DBA);
    reserve(&app, "ann", json!({"account": DBA})).await.is_problem(409, "account-not-active");
    assert_eq!(offered(&app, "ann").await[0]["state"], "INACTIVE");
    app.directory.take(DBA);
    reserve(&app, "ann", json!({"account": DBA})).await.is_problem(409, "account-not-active");
    app.directory.suspend("00ueve");
    reserve(&app, "eve", json!({"account": DBA})).await.is_problem(403, "not-a-member");
    assert_eq!(counts(&app, ["DA3000", "DA3010"]).await, [0, 5]);
}

#[actix_web::test]
async fn an_unknown_answer_of_the_directory_is_no() {
    let app = app().await;
    app.directory.fail_next();
    reserve(&app, "ann", json!({"account": DBA})).await.is_problem(503, "temporarily-unavailable");
    assert_eq!(counts(&app, ["DA3000"]).await, [0]);
    hold(&app, "ann", DBA).await;
}

#[actix_web::test]
async fn an_account_is_named_by_its_login_too() {
    let app = app().await;
    let made = reserve(&app, "ann", json!({"account": "dba@example.test"})).await;
    assert_eq!((made.status.as_u16(), &made.json["account"]["id"]), (201, &json!(DBA)), "{}", made.text);
    reserve(&app, "eve", json!({"account": "dba@example.test"})).await.is_problem(409, "reserved");
    let (shared, unknown) = (
        reserve(&app, "bob", json!({"account": "dba@example.test"})).await,
        reserve(&app, "bob", json!({"account": "nobody@example.test"})).await,
    );
    shared.is_problem(403, "not-a-member");
    assert_eq!(shared.text, unknown.text, "no oracle");
    reserve(&app, "ann", json!({"account": "me"})).await.is_problem(400, "invalid-request");
}
