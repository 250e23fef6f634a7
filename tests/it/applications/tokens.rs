//! Which tokens are accepted, and that the caller learns nothing about those that aren't.

use std::collections::BTreeSet;

use aws_lc_rs::hmac;
use behalf::{domain::application::Right, ports::store::Store};
use jiff::SignedDuration;
use reqwest::header::AUTHORIZATION;
use serde_json::{Value, json};

use super::*;
use crate::{
    hooks::rounds,
    support::tampered_store::{Tamper, TamperedStore},
};

/// Everything of an answer that a caller could tell refusals apart by.
fn shape(answer: &Answer) -> (u16, Value, Option<String>) {
    (answer.status.as_u16(), answer.json.clone(), answer.header("www-authenticate").map(str::to_owned))
}

#[actix_web::test]
async fn a_token_that_says_all_it_must_is_accepted() {
    let app = app().await;
    let now = app.store_now().as_second();
    let cases = [
        json!({}),
        json!({"nbf": null}),
        json!({"nbf": now - 1_000_000}),
        json!({"sub": null}),
        json!({"aud": ["https://elsewhere.test", APPLICATIONS_AUDIENCE]}),
        json!({"iat": now + 60, "nbf": now + 60, "exp": now + 360}),
        json!({"iat": now - 300, "exp": now - 59}),
        json!({"otherClaim": "Release payment run 4711"}),
    ];
    for changes in cases {
        let answer = check_lock(&app, &token_with(&app, &changes)).await;
        assert_eq!(answer.status, 200, "{changes}: {}", answer.text);
        let answer = check_lock_nl3(&app, &token_with(&app, &changes)).await;
        assert_eq!(answer.status, 200, "{changes}: {}", answer.text);
    }
    assert_eq!(refusals(&app).await, Vec::<String>::new());
}

#[actix_web::test]
async fn whatever_is_wrong_with_a_token_the_answer_is_the_same_and_the_trail_is_exact() {
    let app = app().await;
    let expected = shape(&check_lock(&app, "no token at all").await);
    assert_eq!((expected.0, &expected.1["code"]), (401, &json!("invalid-token")));
    let now = app.store_now().as_second();
    let cases = [
        (json!({"aud": "https://elsewhere.test"}), "wrong-audience"),
        (json!({"aud": null}), "wrong-audience"),
        (json!({"jti": null}), "no-id"),
        (json!({"jti": ""}), "no-id"),
        (json!({"jti": 7}), "no-id"),
        (json!({"iat": null}), "no-issue-time"),
        (json!({"exp": null}), "no-end"),
        (json!({"exp": now - 60, "iat": now - 360}), "expired"),
        (json!({"exp": now + 302}), "lives-too-long"),
        (json!({"nbf": now + 61}), "not-yet-valid"),
        (json!({"iat": now + 61}), "not-yet-valid"),
        (json!({"iat": now + 10, "exp": now + 9}), "ends-before-it-begins"),
        (json!({"exp": "never"}), "bad-time"),
    ];
    for (changes, why) in cases {
        let before = refusals(&app).await.len();
        for send in 0..2 {
            let token = token_with(&app, &changes);
            let answer = if send == 0 { check_lock(&app, &token).await } else { check_lock_nl3(&app, &token).await };
            assert_eq!(shape(&answer), expected, "{changes}");
        }
        let told = refusals(&app).await;
        // Twice in a minute is told once; "no-id" stands there several times in this list.
        assert!(told.len() <= before + 1 && told.contains(&why.to_owned()), "{changes}: {told:?}");
    }
    // A user's route is no way round.
    app.get("/v1/delegations", &token(&app)).await.is_problem(401, "invalid-token");
}

#[actix_web::test]
async fn only_hs256_with_the_applications_own_key_counts() {
    let app = app().await;
    let claims = || Value::Object(claims(&app));
    let with_mac = |alg: &str, algorithm: hmac::Algorithm| {
        let message = format!("{}.{}", part(&json!({"typ": "JWT", "alg": alg})), part(&claims()));
        format!("{message}.{}", mac(algorithm, &ERP_KEY, &message))
    };
    let unsigned = |alg: &str| format!("{}.{}.", part(&json!({"alg": alg})), part(&claims()));
    let mut cut = token(&app);
    cut.pop();
    let payload_changed = {
        let (good, mut parts) = (token(&app), Vec::new());
        parts.extend(good.split('.').map(str::to_owned));
        parts[1] = part(&claims());
        parts.join(".")
    };
    let cases = [
        (unsigned("none"), "wrong-algorithm"),
        (unsigned("None"), "wrong-algorithm"),
        (unsigned("HS256"), "wrong-signature"),
        (with_mac("HS512", hmac::HMAC_SHA512), "wrong-algorithm"),
        (with_mac("HS384", hmac::HMAC_SHA384), "wrong-algorithm"),
        (with_mac("HS256", hmac::HMAC_SHA512), "wrong-signature"),
        // The key as text of an RSA token: nobody must take one for the other.
        (with_mac("RS256", hmac::HMAC_SHA256), "wrong-algorithm"),
        (with_mac("ES256", hmac::HMAC_SHA256), "wrong-algorithm"),
        (signed(&hs256(), &claims(), &SHOP_KEY), "wrong-signature"),
        (signed(&hs256(), &claims(), b""), "wrong-signature"),
        (signed(&json!({"typ": "at+jwt", "alg": "HS256"}), &claims(), &ERP_KEY), "malformed"),
        (signed(&json!({"alg": "HS256", "crit": ["exp"]}), &claims(), &ERP_KEY), "malformed"),
        (cut, "wrong-signature"),
        (payload_changed, "wrong-signature"),
    ];
    for (token, why) in cases {
        next_minute(&app);
        let before = refusals(&app).await;
        check_lock(&app, &token).await.is_problem(401, "invalid-token");
        assert_eq!(refusals(&app).await[before.len()..], [why.to_owned()], "{token}");
    }
}

#[actix_web::test]
async fn who_names_no_application_is_nobody() {
    let app = app().await;
    for iss in [json!("https://erp.example.com/"), json!("HTTPS://ERP.EXAMPLE.COM"), json!([ERP]), json!(7), json!("")]
    {
        let token = token_with(&app, &json!({"iss": iss}));
        check_lock(&app, &token).await.is_problem(401, "invalid-token");
        check_lock_nl3(&app, &token).await.is_problem(401, "invalid-token");
    }
    let twice = format!(r#"{{"iss":"{SHOP}","iss":"{ERP}"}}"#);
    let message = format!("{}.{}", part(&hs256()), URL_SAFE_NO_PAD.encode(twice));
    let token = format!("{message}.{}", mac(hmac::HMAC_SHA256, &ERP_KEY, &message));
    check_lock_nl3(&app, &token).await.is_problem(401, "invalid-token");
    // Anybody can write such a token: the trail stays empty.
    assert_eq!(app.events().await, []);
}

#[actix_web::test]
async fn both_keys_are_good_while_they_are_changed() {
    let app = app().await;
    for key in [&ERP_KEY[..], &ERP_NEXT_KEY[..]] {
        let token = signed(&hs256(), &Value::Object(claims(&app)), key);
        assert_eq!(check_lock(&app, &token).await.status, 200);
    }
    // After the change the old one is good for nothing.
    let app = app_of(Setup {
        applications: vec![Arc::new(application(ERP, vec![key(&ERP_NEXT_KEY)], &[]))],
        ..Setup::default()
    })
    .await;
    check_lock(&app, &token(&app)).await.is_problem(401, "invalid-token");
    assert_eq!(refusals(&app).await, ["wrong-signature"]);
}

#[actix_web::test]
async fn a_token_is_good_for_one_change_whatever_becomes_of_it() {
    let app = app().await;
    for body in [json!({"user": "00uann"}), json!({"user": "00unobody"}), json!({"user": 7}), json!({})] {
        next_minute(&app);
        let token = token(&app);
        let first = app.post("/v1/locks/check", &token, &body).await;
        assert_ne!(first.status, 401, "{body}: {}", first.text);
        check_lock(&app, &token).await.is_problem(401, "invalid-token");
        check_lock_nl3(&app, &token).await.is_problem(401, "invalid-token");
    }
    assert_eq!(refusals(&app).await, vec!["replayed"; 4]);
    // The id counts, not the bytes.
    next_minute(&app);
    check_lock(&app, &token_with(&app, &json!({"jti": "one"}))).await;
    check_lock(&app, &token_with(&app, &json!({"jti": "one", "sub": "eve"}))).await.is_problem(401, "invalid-token");
    // Another application's ids are its own.
    let mut claims = claims(&app);
    claims.extend([("jti".to_owned(), json!("one")), ("iss".to_owned(), json!(SHOP))]);
    let shops = signed(&hs256(), &Value::Object(claims), &SHOP_KEY);
    assert_eq!(check_lock(&app, &shops).await.status, 200);
}

#[actix_web::test]
async fn tenants_know_nothing_of_each_others_ids() {
    let app = app().await;
    let token = token(&app);
    let body = json!({"user": "00uann"});
    assert_eq!(app.post("/v1/locks/check", &token, &body).await.status, 200);
    assert_eq!(app.post("/t/acme/v1/locks/check", &token, &body).await.status, 200);
    app.post("/t/acme/v1/locks/check", &token, &body).await.is_problem(401, "invalid-token");
}

#[actix_web::test]
async fn an_id_is_remembered_for_as_long_as_its_token_could_be_shown() {
    let app = app().await;
    let now = app.store_now().as_second();
    // The longest that there can be: issued a minute ahead.
    let token = token_with(&app, &json!({"iat": now + 60, "exp": now + 361}));
    assert_eq!(check_lock(&app, &token).await.status, 200);
    for _ in 0..7 {
        app.advance(SignedDuration::from_secs(60));
        app.reap().await;
        check_lock(&app, &token).await.is_problem(401, "invalid-token");
    }
    let told = refusals(&app).await;
    assert_eq!(told, ["replayed", "replayed", "replayed", "replayed", "replayed", "replayed", "replayed"]);
    app.advance(SignedDuration::from_secs(1));
    check_lock(&app, &token).await.is_problem(401, "invalid-token");
    next_minute(&app);
    check_lock(&app, &token).await.is_problem(401, "invalid-token");
    assert_eq!(refusals(&app).await.last().unwrap(), "expired");
}

#[actix_web::test]
async fn of_forty_requests_with_one_token_one_is_served() {
    for _ in 0..rounds() {
        let app = app().await;
        let token = token(&app);
        let all = futures_util::future::join_all((0..40).map(|_| check_lock(&app, &token))).await;
        let served = all.iter().filter(|answer| answer.status == 200).count();
        let refused = all.iter().filter(|answer| answer.status == 401).count();
        assert_eq!((served, refused), (1, 39));
    }
}

#[actix_web::test]
async fn two_credentials_are_none() {
    let app = app().await;
    let request = |app: &TestApp| app.request(Method::POST, "/v1/locks/check").json(&json!({"user": "00uann"}));
    let cases = [
        request(&app).bearer_auth("ann").header("x-nl3-authorization-token", token(&app)),
        request(&app).bearer_auth(token(&app)).header("x-nl3-authorization-token", token(&app)),
        request(&app).header("x-nl3-authorization-token", token(&app)).header("x-nl3-authorization-token", token(&app)),
        request(&app).header(AUTHORIZATION, "Basic YW5uOmFubg==").header("x-nl3-authorization-token", token(&app)),
        request(&app).header("x-nl3-authorization-token", ""),
        // A user's token is none of an application's.
        request(&app).header("x-nl3-authorization-token", "ann"),
    ];
    for request in cases {
        app.send(request).await.is_problem(401, "invalid-token");
    }
}

#[actix_web::test]
async fn an_application_may_only_what_it_is_registered_for() {
    let calls = [
        (Right::LockCheck, "/v1/locks/check", json!({"user": "00uann"})),
        (Right::Approvals, "/v1/approvals", json!({"user": "00uann", "title": "Release"})),
        (Right::Otp, "/v1/otp/verify", json!({"username": "dba@example.test", "code": "123456"})),
    ];
    for (right, path, body) in &calls {
        let all = [Right::LockCheck, Right::Approvals, Right::Otp];
        let others: BTreeSet<Right> = all.into_iter().filter(|other| other != right).collect();
        let erp = Application { may: others, ..application(ERP, vec![key(&ERP_KEY)], &[]) };
        let app = app_of(Setup { applications: vec![Arc::new(erp)], ..Setup::default() }).await;
        app.post(path, &token(&app), body).await.is_problem(403, "right-missing");
    }
}

#[actix_web::test]
async fn an_application_has_a_budget_of_its_own() {
    let app = app_of(Setup { per_minute: 2, ..registered() }).await;
    for _ in 0..2 {
        assert_eq!(check_lock(&app, &token(&app)).await.status, 200);
    }
    check_lock(&app, &token(&app)).await.is_problem(429, "rate-limited");
    assert_eq!(check_lock(&app, &shop_token(&app)).await.status, 200);
}

#[actix_web::test]
async fn what_nobody_proved_uses_up_no_budget() {
    let app = app_of(Setup { per_minute: 2, ..registered() }).await;
    let forged = signed(&hs256(), &Value::Object(claims(&app)), &SHOP_KEY);
    let late = token_with(&app, &json!({"exp": app.store_now().as_second() - 60}));
    for _ in 0..5 {
        for bad in [&forged, &late] {
            check_lock(&app, bad).await.is_problem(401, "invalid-token");
            check_lock_nl3(&app, bad).await.is_problem(401, "invalid-token");
        }
    }
    for _ in 0..2 {
        assert_eq!(check_lock(&app, &token(&app)).await.status, 200);
    }
    // Who is over his budget uses up no token.
    let unused = token(&app);
    check_lock(&app, &unused).await.is_problem(429, "rate-limited");
}

#[actix_web::test]
async fn while_the_store_is_down_nothing_is_accepted() {
    let tamper = Arc::new(Tamper::default());
    let of_store = Arc::clone(&tamper);
    let wrap = Box::new(|inner| Arc::new(TamperedStore { inner, tamper: of_store }) as Arc<dyn Store>);
    let app = app_of(Setup { wrap, ..registered() }).await;
    let token = token(&app);
    tamper.set_down(true);
    check_lock(&app, &token).await.is_problem(503, "temporarily-unavailable");
    tamper.set_down(false);
    assert_eq!(check_lock(&app, &token).await.status, 200);
}
