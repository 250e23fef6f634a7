//! Logging in as the shared account itself.

use futures_util::future::join_all;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{DBA, HOLD_MS, account, app, app_of, counts, ends, hold, log_in, login_hook, reserved_by, sharing, state};
use crate::{
    hooks::{coded, deliver, denials, with},
    support::test_app::{Setup, TestApp, refresh_hook},
};

#[actix_web::test]
async fn the_secret_names_the_holder_in_both_tokens_once() {
    let app = app().await;
    let (secret, id) = hold(&app, "ann", DBA).await;
    let hook = login_hook("e1", DBA, Some(&secret));
    let told = deliver(&app, &hook).await;
    let by = Some("ann@example.test".to_owned());
    assert_eq!(reserved_by(&told, &hook), [by.clone(), by]);
    let access = told.minted(&hook).access.unwrap().claims;
    assert_eq!(
        Value::Object(access),
        json!({"sub": "dba@example.test", "uid": DBA, "reserved_by": "ann@example.test"}),
        "nothing else changes, and nobody acts on behalf of anybody"
    );
    assert_eq!(state(&app, "ann", &id).await, "CONSUMED");
    let again = log_in(&app, "e2", &secret).await;
    assert_eq!(again.refused(), "reservation-gone");
    assert!(again.body.contains("(reservation-required)"), "{}", again.body);
    let granted = coded(&app, "DA1000").await;
    assert_eq!((granted.len(), granted[0].actor.id.as_str()), (1, "00uann"));
    assert_eq!(told.debug("event").as_deref(), Some(granted[0].id.as_str()));
    let consumed = coded(&app, "DA3001").await;
    assert_eq!((consumed.len(), consumed[0].request.hook_event_id.as_deref()), (1, Some("e1")));
    assert_eq!(consumed[0].target[0].id, id);
    assert_eq!(denials(&app).await, ["reservation-gone"]);
    // Each use needs a new one, and the account is free for that at once.
    let (secret, _) = hold(&app, "eve", DBA).await;
    assert!(log_in(&app, "e3", &secret).await.is_granted());
}

#[actix_web::test]
async fn consume_at_expiry_boundary() {
    for (age, granted) in [(HOLD_MS - 1, true), (HOLD_MS, false), (HOLD_MS + 1, false)] {
        let app = app().await;
        let (secret, _) = hold(&app, "ann", DBA).await;
        app.advance(SignedDuration::from_millis(age));
        let told = log_in(&app, "e1", &secret).await;
        assert_eq!(told.is_granted(), granted, "{age}: {told:?}");
        if !granted {
            assert_eq!(told.refused(), "reservation-gone");
        }
    }
}

#[actix_web::test]
async fn consume_x40_distinct_events() {
    for round in 0..crate::hooks::rounds() {
        let app = app().await;
        let (secret, _) = hold(&app, "ann", DBA).await;
        let hooks: Vec<_> = (0..40).map(|n| login_hook(&format!("e{n}"), DBA, Some(&secret))).collect();
        let told = join_all(hooks.iter().map(|hook| deliver(&app, hook))).await;
        assert_eq!(told.iter().filter(|told| told.is_granted()).count(), 1, "round {round}");
        for other in told.iter().filter(|told| !told.is_granted()) {
            assert_eq!(other.refused(), "reservation-gone", "round {round}");
        }
        assert_eq!(counts(&app, ["DA1000", "DA3001", "DA1001"]).await, [1, 1, 39], "round {round}");
    }
}

#[actix_web::test]
async fn consume_x40_same_event() {
    for round in 0..crate::hooks::rounds() {
        let app = app().await;
        let (secret, _) = hold(&app, "ann", DBA).await;
        let hook = login_hook("e1", DBA, Some(&secret));
        let told = join_all((0..40).map(|_| deliver(&app, &hook))).await;
        assert!(told[0].is_granted(), "round {round}: {:?}", told[0]);
        assert!(told.iter().all(|other| other == &told[0]), "round {round}: the same bytes");
        assert_eq!(counts(&app, ["DA1000", "DA3001", "DA1002"]).await, [1, 1, 39], "round {round}");
        app.advance(SignedDuration::from_secs(60));
        assert_eq!(deliver(&app, &hook).await.refused(), "reservation-gone", "kept no longer");
    }
}

#[actix_web::test]
async fn same_event_other_body() {
    let app = app().await;
    let (secret, _) = hold(&app, "ann", DBA).await;
    let hook = login_hook("e1", DBA, Some(&secret));
    assert!(deliver(&app, &hook).await.is_granted());
    let other = deliver(&app, &with(hook, "/eventTime", "2026-11-21T10:00:01.000Z")).await;
    assert_eq!(other.refused(), "replay-conflict");
    let alarm = coded(&app, "DA1003").await;
    assert_eq!((alarm.len(), alarm[0].severity.as_str()), (1, "critical"));
    assert_eq!(ends(&app).await, [1, 0, 0, 0, 0]);
}

#[actix_web::test]
async fn stale_secret_after_rereserve_by_same_user() {
    let app = app().await;
    let (old, id) = hold(&app, "ann", DBA).await;
    assert_eq!(app.delete(&format!("/v1/reservations/{id}"), "ann").await.status, 204);
    let (new, new_id) = hold(&app, "ann", DBA).await;
    assert_eq!(log_in(&app, "e1", &old).await.refused(), "reservation-missing");
    assert_eq!(state(&app, "ann", &new_id).await, "HELD");
    assert!(log_in(&app, "e2", &new).await.is_granted());
}

#[actix_web::test]
async fn a_secret_opens_its_own_account_only() {
    let app = app_of(sharing(Setup::default(), vec![account(DBA), account("00uops")], 1)).await;
    let (secret, id) = hold(&app, "ann", DBA).await;
    for (event, subject) in [("e1", "00uops"), ("e2", "00ubob"), ("e3", "00uann")] {
        let told = deliver(&app, &login_hook(event, subject, Some(&secret))).await;
        assert_eq!(told.refused(), "reservation-missing", "{subject}");
    }
    let elsewhere =
        with(login_hook("e4", DBA, Some(&secret)), "/data/context/protocol/issuer/uri", "https://other.test");
    assert_eq!(deliver(&app, &elsewhere).await.refused(), "foreign-issuer");
    assert_eq!(state(&app, "ann", &id).await, "HELD");
    assert!(log_in(&app, "e5", &secret).await.is_granted());
}

#[actix_web::test]
async fn id_guess() {
    let app = app().await;
    hold(&app, "ann", DBA).await;
    let (old, _) = {
        let other = app_of(sharing(Setup::default(), vec![account(DBA)], 1)).await;
        hold(&other, "ann", DBA).await
    };
    let mut told = vec![log_in(&app, "old", &old).await.for_the_user()];
    for n in 0..200_u8 {
        let guess = behalf::domain::reservation::ReservationSecret::mint(app.store_now(), [n; 32]);
        told.push(log_in(&app, &format!("g{n}"), guess.expose()).await.for_the_user());
    }
    app.advance(SignedDuration::from_millis(HOLD_MS));
    told.push(log_in(&app, "expired", &old).await.for_the_user());
    assert!(told.windows(2).all(|two| two[0] == two[1]), "no oracle between unknown, foreign and expired");
    assert_eq!(counts(&app, ["DA1000", "DA3001"]).await, [0, 0]);
}

#[actix_web::test]
async fn where_there_is_no_secret_the_token_is_minted_without_the_claim() {
    let app = app().await;
    hold(&app, "ann", DBA).await;
    for (event, state) in [("e1", None), ("e2", Some("csrf")), ("e3", Some("rsv_booking-4711")), ("e4", Some("rsv_"))] {
        assert_eq!(deliver(&app, &login_hook(event, DBA, state)).await.status, 204, "{state:?}");
    }
    assert_eq!(counts(&app, ["DA1000", "DA1001", "DA3001"]).await, [0, 0, 0]);
}

#[actix_web::test]
async fn a_claim_that_nobody_gave_is_taken_away() {
    let app = app().await;
    let (secret, _) = hold(&app, "ann", DBA).await;
    for (event, subject) in [("e1", DBA), ("e2", "00ubob")] {
        let hook = with(login_hook(event, subject, None), "/data/access/claims/reserved_by", "root@example.test");
        let hook = with(hook, "/data/identity/claims/reserved_by", "root@example.test");
        let told = deliver(&app, &hook).await;
        assert_eq!(reserved_by(&told, &hook), [None, None]);
        assert_eq!(told.debug("decision").as_deref(), Some("stripped"));
    }
    assert_eq!(coded(&app, "DA1005").await.len(), 2);
    // With a reservation it is overwritten, and a pretended delegation goes as well.
    let hook = with(login_hook("e3", DBA, Some(&secret)), "/data/access/claims/reserved_by", "root@example.test");
    let hook = with(hook, "/data/access/claims/on_behalf", "True");
    let hook = with(hook, "/data/access/claims/on_behalf_sub", "root@example.test");
    let told = deliver(&app, &hook).await;
    let claims = told.minted(&hook).access.unwrap().claims;
    assert_eq!(claims["reserved_by"], "ann@example.test");
    assert!(!claims.contains_key("on_behalf") && !claims.contains_key("on_behalf_sub"));
    // In a delegated token, too.
    let hook =
        with(refresh_hook("e4", Some(&app.begin().await)), "/data/access/claims/reserved_by", "root@example.test");
    let claims = deliver(&app, &hook).await.minted(&hook).access.unwrap().claims;
    assert_eq!((claims.get("reserved_by"), &claims["on_behalf"]), (None, &json!("True")));
}

#[actix_web::test]
async fn a_tenant_without_shared_accounts_leaves_such_a_claim_alone() {
    let app = TestApp::new().await;
    let hook = with(login_hook("e1", "00ubob", None), "/data/access/claims/reserved_by", "the library");
    assert_eq!(deliver(&app, &hook).await.status, 204);
}

#[actix_web::test]
async fn refresh_after_consume() {
    let app = app().await;
    let (secret, _) = hold(&app, "ann", DBA).await;
    assert!(log_in(&app, "e1", &secret).await.is_granted());
    // The login's state is the original grant's now; a client may also send it again.
    let refresh = with(login_hook("e2", DBA, None), "/data/context/protocol/request/grant_type", "refresh_token");
    let grant = json!({"authorization": {"state": secret}});
    let refresh = with(refresh, "/data/context/protocol/originalGrant", grant);
    assert_eq!(deliver(&app, &refresh).await.status, 204);
    let url = format!("https://issuer.test/oauth2/default/v1/token?state={secret}");
    assert_eq!(deliver(&app, &with(refresh, "/data/context/request/url/value", url)).await.status, 204);
    // Not even with a fresh one: it is good for a login, and nothing is spent.
    let (fresh, id) = hold(&app, "ann", DBA).await;
    let refresh =
        with(login_hook("e3", DBA, Some(&fresh)), "/data/context/protocol/request/grant_type", "refresh_token");
    assert_eq!(deliver(&app, &refresh).await.status, 204);
    assert_eq!(state(&app, "ann", &id).await, "HELD");
}

#[actix_web::test]
async fn hook_preview_payload() {
    let app = app().await;
    let (secret, id) = hold(&app, "ann", DBA).await;
    // What an administrator of the IdP sends from a preview: a sample user, or a sample state.
    let preview = with(
        login_hook("preview", "00uq8tMo3zV0OfJON0g3", Some(&secret)),
        "/data/context/user/id",
        "00uq8tMo3zV0OfJON0g3",
    );
    assert!(!deliver(&app, &preview).await.is_granted());
    assert_eq!(deliver(&app, &login_hook("preview", DBA, Some("foolishness"))).await.status, 204);
    assert_eq!(state(&app, "ann", &id).await, "HELD");
}

#[actix_web::test]
async fn what_a_decision_needs_is_demanded() {
    let app = app().await;
    let (secret, id) = hold(&app, "ann", DBA).await;
    let hook = || login_hook("e1", DBA, Some(&secret));
    let hybrid = with(hook(), "/data/context/protocol/request/response_type", "code id_token");
    assert_eq!(deliver(&app, &hybrid).await.refused(), "hybrid-flow");
    let eventless = with(hook(), "/eventId", Value::Null);
    assert_eq!(deliver(&app, &eventless).await.refused(), "malformed-hook");
    let begun = format!("https://issuer.test/oauth2/default/v1/token?delegationid={}", app.begin().await);
    let both = with(hook(), "/data/context/request/url/value", begun);
    assert_eq!(deliver(&app, &both).await.refused(), "ambiguous-id");
    let mut tokenless = hook();
    tokenless["data"].as_object_mut().unwrap().remove("access");
    let mut none = tokenless.clone();
    none["data"].as_object_mut().unwrap().remove("identity");
    assert_eq!(deliver(&app, &none).await.refused(), "no-access-token");
    assert_eq!(state(&app, "ann", &id).await, "HELD");
    // A login may be for an ID token alone.
    let told = deliver(&app, &tokenless).await;
    assert_eq!(reserved_by(&told, &tokenless), [None, Some("ann@example.test".to_owned())]);
}

#[actix_web::test]
async fn no_secret_is_in_an_event() {
    let app = app().await;
    let (secret, _) = hold(&app, "ann", DBA).await;
    log_in(&app, "e1", &secret).await;
    log_in(&app, "e2", &secret).await;
    let events = serde_json::to_string(&app.events().await).unwrap();
    assert!(events.contains("rvn_") && !events.contains("rsv_"), "{events}");
}
