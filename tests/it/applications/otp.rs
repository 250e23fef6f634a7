//! One-time codes: a user enrols his own, and logs in elsewhere as the shared account that he holds.

use aws_lc_rs::hmac;
use jiff::SignedDuration;
use serde_json::json;

use super::*;
use crate::reservations::{DBA, account, app_of as sharing_app, hold, sharing, state};

const USERNAME: &str = "dba@example.test";

/// The ERP and the shop have the account; Ann, Eve and Cid may reserve it.
pub(super) async fn app() -> TestApp {
    install_crypto();
    let app = sharing_app(sharing(registered(), vec![account(DBA)], 1)).await;
    for name in ["ann", "eve"] {
        fresh(&app, name);
    }
    app
}

/// A token of one who signed in just now.
fn fresh(app: &TestApp, name: &str) {
    let claims = json!({"uid": format!("00u{name}"), "auth_time": app.store_now().as_second()});
    app.token(name, &claims, &["openid", "behalf"]);
}

/// RFC 6238, as an authenticator has it, written apart from the service's own.
pub(super) fn code_at(secret: &[u8], second: i64) -> String {
    let counter = u64::try_from(second / 30).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &counter.to_be_bytes());
    let mac = tag.as_ref();
    let offset = usize::from(mac[19] & 15);
    let bits = u32::from_be_bytes(mac[offset..offset + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", bits % 1_000_000)
}

fn from_base32(text: &str) -> Vec<u8> {
    let five = |c| format!("{:05b}", "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(c).unwrap());
    let bits: Vec<String> = text.chars().map(five).collect();
    bits.concat()
        .as_bytes()
        .chunks_exact(8)
        .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap())
        .collect()
}

/// The code of so many steps from now.
pub(super) fn code(app: &TestApp, secret: &[u8], steps: i64) -> String {
    code_at(secret, app.store_now().as_second() + 30 * steps)
}

/// A new secret, not confirmed yet.
async fn begin(app: &TestApp, who: &str) -> Vec<u8> {
    let begun = app.send(app.request(Method::POST, "/v1/me/otp").bearer_auth(who)).await;
    assert_eq!(begun.status, 201, "{}", begun.text);
    assert_eq!(begun.header("cache-control"), Some("no-store"));
    let uri = url::Url::parse(begun.json["uri"].as_str().unwrap()).unwrap();
    let secret = uri.query_pairs().find(|(name, _)| name == "secret").unwrap().1.into_owned();
    from_base32(&secret)
}

async fn confirm(app: &TestApp, who: &str, code: &str) -> Answer {
    app.post("/v1/me/otp/confirm", who, &json!({"code": code})).await
}

/// Enrols: the code of the present step is used by it.
pub(super) async fn enrol(app: &TestApp, who: &str) -> Vec<u8> {
    let secret = begin(app, who).await;
    let done = confirm(app, who, &code(app, &secret, 0)).await;
    assert_eq!(done.status, 204, "{}", done.text);
    secret
}

async fn verify_as(app: &TestApp, token: &str, username: &str, code: &str) -> Answer {
    app.post("/v1/otp/verify", token, &json!({"username": username, "code": code})).await
}

pub(super) async fn verify(app: &TestApp, code: &str) -> Answer {
    verify_as(app, &token(app), USERNAME, code).await
}

/// The exact reasons of refused logins.
pub(super) async fn reasons(app: &TestApp) -> Vec<String> {
    let refused = app.events().await.into_iter().filter(|event| event.code == "DA5111");
    refused.filter_map(|event| event.outcome.reason).collect()
}

#[actix_web::test]
async fn a_holder_logs_in_by_his_own_code_and_his_reservation_is_used_up() {
    let app = app().await;
    let secret = enrol(&app, "ann").await;
    let (_, id) = hold(&app, "ann", DBA).await;
    let done = verify(&app, &code(&app, &secret, 1)).await;
    assert_eq!(done.status, 200, "{}", done.text);
    assert_eq!(done.json["account"], json!({"id": DBA, "login": USERNAME}));
    assert_eq!(done.json["holder"], json!({"id": "00uann", "login": "ann@example.test"}));
    assert_eq!(state(&app, "ann", &id).await, "CONSUMED");
    let told: Vec<_> = app.events().await.into_iter().map(|event| (event.code, event.actor.id)).collect();
    let last: Vec<_> = told[told.len() - 2..].iter().map(|(code, who)| (code.as_str(), who.as_str())).collect();
    assert_eq!(last, [("DA5110", ERP), ("DA3001", "00uann")]);
    // The next one needs another reservation.
    app.advance(SignedDuration::from_secs(60));
    verify(&app, &code(&app, &secret, 1)).await.is_problem(401, "otp-refused");
    assert_eq!(reasons(&app).await, ["reservation-missing"]);
}

#[actix_web::test]
async fn everything_that_fails_has_one_answer() {
    let app = app().await;
    let secret = enrol(&app, "ann").await;
    let good = |app: &TestApp| code(app, &secret, 1);
    app.directory.put(crate::support::test_app::user("00uown", "own@example.test", &json!({})));
    let mut answers = Vec::new();
    // Nobody holds it.
    answers.push(verify(&app, &good(&app)).await);
    hold(&app, "ann", DBA).await;
    answers.push(verify_as(&app, &token(&app), "nobody@example.test", &good(&app)).await);
    answers.push(verify_as(&app, &token(&app), "own@example.test", &good(&app)).await);
    answers.push(verify_as(&app, &token(&app), DBA, &good(&app)).await);
    answers.push(verify(&app, "000000").await);
    answers.push(verify(&app, "12345").await);
    answers.push(verify(&app, &code(&app, &secret, 0)).await);
    let mut expected = answers.remove(0);
    expected.is_problem(401, "otp-refused");
    // The request's id alone may differ.
    let plain = |answer: &mut Answer| {
        for name in ["x-request-id", "date", "ratelimit-remaining"] {
            answer.headers.remove(name);
        }
    };
    plain(&mut expected);
    for mut answer in answers {
        plain(&mut answer);
        assert_eq!(
            (answer.status, &answer.headers, &answer.text),
            (expected.status, &expected.headers, &expected.text)
        );
    }
    let told = reasons(&app).await;
    let exact = [
        "reservation-missing",
        "otp-unknown-account",
        "otp-foreign-account",
        "otp-unknown-account",
        "otp-wrong-code",
        "otp-no-code",
        "otp-used-code",
    ];
    assert_eq!(told, exact);
}

#[actix_web::test]
async fn one_step_to_either_side_counts_and_each_once() {
    let app = app().await;
    let secret = enrol(&app, "ann").await;
    app.advance(SignedDuration::from_mins(2));
    hold(&app, "ann", DBA).await;
    for (steps, good) in [(-2, false), (2, false), (-1, true), (-1, false), (0, true), (0, false), (1, true)] {
        let status = verify(&app, &code(&app, &secret, steps)).await.status;
        assert_eq!(status == 200, good, "{steps}");
        if good {
            hold(&app, "ann", DBA).await;
        }
    }
    app.advance(SignedDuration::from_secs(30));
    verify(&app, &code(&app, &secret, 0)).await.is_problem(401, "otp-refused");
    let (wrong, used) = ("otp-wrong-code", "otp-used-code");
    assert_eq!(reasons(&app).await, [wrong, wrong, used, used, used]);
}

#[actix_web::test]
async fn five_failures_lock_one_account_at_one_application_for_five_minutes() {
    let app = app().await;
    let secret = enrol(&app, "ann").await;
    hold(&app, "ann", DBA).await;
    for _ in 0..5 {
        verify(&app, "000000").await.is_problem(401, "otp-refused");
    }
    verify(&app, &code(&app, &secret, 1)).await.is_problem(401, "otp-refused");
    assert_eq!(reasons(&app).await.last().unwrap(), "otp-locked");
    let alarm: Vec<_> = app.events().await.into_iter().filter(|event| event.code == "DA5112").collect();
    assert_eq!(alarm.len(), 1);
    assert!(alarm[0].target.iter().any(|target| target.id == "00uann"), "{:?}", alarm[0]);
    assert_eq!(alarm[0].severity, "critical");
    // The holder sees it; nobody else's business.
    let seen = async |who: &str| app.get("/v1/audit?code=DA5112", who).await.json["items"].as_array().unwrap().len();
    assert_eq!((seen("ann").await, seen("bob").await), (1, 0));
    // Another application isn't affected.
    let done = verify_as(&app, &shop_token(&app), USERNAME, &code(&app, &secret, 1)).await;
    assert_eq!(done.status, 200, "{}", done.text);
    app.advance(SignedDuration::from_secs(299));
    hold(&app, "ann", DBA).await;
    verify(&app, &code(&app, &secret, 0)).await.is_problem(401, "otp-refused");
    app.advance(SignedDuration::from_secs(1));
    assert_eq!(verify(&app, &code(&app, &secret, 0)).await.status, 200);
}

#[actix_web::test]
async fn what_was_lost_since_the_reservation_is_asked_again() {
    let app = app().await;
    let secret = enrol(&app, "ann").await;
    hold(&app, "ann", DBA).await;
    app.directory.set_groups(&uid("00uann"), &["staff"]);
    verify(&app, &code(&app, &secret, 1)).await.is_problem(401, "otp-refused");
    app.directory.set_groups(&uid("00uann"), &["staff", "dbas"]);
    app.post("/v1/locks", "ann", &json!({})).await;
    verify(&app, &code(&app, &secret, 1)).await.is_problem(401, "otp-refused");
    app.delete("/v1/locks/00uann", "ann").await;
    app.directory.suspend(DBA);
    verify(&app, &code(&app, &secret, 1)).await.is_problem(401, "otp-refused");
    assert_eq!(reasons(&app).await, ["not-a-member", "locked", "account-inactive"]);
}

#[actix_web::test]
async fn a_directory_that_cannot_be_asked_costs_nobody_an_attempt() {
    let app = app().await;
    let secret = enrol(&app, "ann").await;
    hold(&app, "ann", DBA).await;
    for _ in 0..6 {
        app.directory.fail_all(Some(behalf::ports::directory::DirectoryError::Unavailable("the test".to_owned())));
        verify(&app, "000000").await.is_problem(503, "temporarily-unavailable");
    }
    app.directory.fail_all(None);
    assert_eq!(verify(&app, &code(&app, &secret, 1)).await.status, 200);
}

#[actix_web::test]
async fn enrolling_takes_a_fresh_sign_in_and_one_code() {
    let app = app().await;
    app.advance(SignedDuration::from_secs(301));
    let late = app.send(app.request(Method::POST, "/v1/me/otp").bearer_auth("ann")).await;
    late.is_problem(401, "insufficient-user-authentication");
    let challenge = late.header("www-authenticate").unwrap();
    assert!(challenge.contains("insufficient_user_authentication") && challenge.contains("max_age=300"));
    // Who never said when he signed in did so long ago.
    app.send(app.request(Method::POST, "/v1/me/otp").bearer_auth("bob"))
        .await
        .is_problem(401, "insufficient-user-authentication");
    fresh(&app, "ann");
    confirm(&app, "ann", "123456").await.is_problem(409, "otp-nothing-pending");
    let secret = begin(&app, "ann").await;
    hold(&app, "ann", DBA).await;
    // Not confirmed: it counts for nothing yet.
    verify(&app, &code(&app, &secret, 0)).await.is_problem(401, "otp-refused");
    confirm(&app, "ann", "000000").await.is_problem(403, "otp-wrong-code");
    assert_eq!(app.get("/v1/me/otp", "ann").await.json["enrolled"], false);
    assert_eq!(confirm(&app, "ann", &code(&app, &secret, 0)).await.status, 204);
    assert_eq!(app.get("/v1/me/otp", "ann").await.json["enrolled"], true);
    // The code that confirmed it is used.
    verify(&app, &code(&app, &secret, 0)).await.is_problem(401, "otp-refused");
    assert_eq!(reasons(&app).await, ["otp-not-enrolled", "otp-used-code"]);
}

#[actix_web::test]
async fn a_locked_account_gets_no_authenticator() {
    let app = app().await;
    let secret = begin(&app, "ann").await;
    assert_eq!(app.post("/v1/locks", "ann", &json!({})).await.status, 201);
    confirm(&app, "ann", &code(&app, &secret, 0)).await.is_problem(423, "locked");
    app.send(app.request(Method::POST, "/v1/me/otp").bearer_auth("ann")).await.is_problem(423, "locked");
    assert_eq!(app.get("/v1/me/otp", "ann").await.json["enrolled"], false);
}

#[actix_web::test]
async fn a_new_authenticator_replaces_the_old_one_when_it_is_confirmed() {
    let app = app().await;
    let old = enrol(&app, "ann").await;
    app.advance(SignedDuration::from_secs(60));
    let new = begin(&app, "ann").await;
    hold(&app, "ann", DBA).await;
    assert_eq!(verify(&app, &code(&app, &old, 0)).await.status, 200, "the old one works until then");
    assert_eq!(confirm(&app, "ann", &code(&app, &new, 0)).await.status, 204);
    app.advance(SignedDuration::from_secs(60));
    hold(&app, "ann", DBA).await;
    verify(&app, &code(&app, &old, 0)).await.is_problem(401, "otp-refused");
    assert_eq!(verify(&app, &code(&app, &new, 0)).await.status, 200);
}

#[actix_web::test]
async fn what_is_removed_counts_no_more() {
    let app = app().await;
    let secret = enrol(&app, "ann").await;
    hold(&app, "ann", DBA).await;
    assert_eq!(app.delete("/v1/me/otp", "ann").await.status, 204);
    app.delete("/v1/me/otp", "ann").await.is_problem(404, "not-found");
    verify(&app, &code(&app, &secret, 1)).await.is_problem(401, "otp-refused");
    assert_eq!(reasons(&app).await, ["otp-not-enrolled"]);
}

#[actix_web::test]
async fn no_secret_and_no_code_is_kept_in_clear_or_told() {
    let app = app().await;
    let secret = enrol(&app, "ann").await;
    hold(&app, "ann", DBA).await;
    let used = code(&app, &secret, 1);
    assert_eq!(verify(&app, &used).await.status, 200);
    let events = serde_json::to_string(&app.events().await).unwrap();
    let base64 = base64::engine::general_purpose::STANDARD.encode(&secret);
    for text in [&used, &base64] {
        assert!(!events.contains(&format!("\"{text}\"")), "{text}");
    }
}

#[actix_web::test]
async fn bodies_are_bounded_and_strict() {
    let app = app().await;
    for body in [
        json!({}),
        json!({"username": "x"}),
        json!({"username": "x", "code": 123_456}),
        json!([]),
        json!({"username": "x", "code": "123456", "holder": "ann"}),
    ] {
        app.post("/v1/otp/verify", &token(&app), &body).await.is_problem(400, "invalid-request");
    }
    for username in ["", "a\u{0}b", &"x".repeat(400)] {
        verify_as(&app, &token(&app), username, "123456").await.is_problem(401, "otp-refused");
    }
}
