//! Approvers' keys: registered, approved by somebody else, revoked.

use behalf::{app::keys::KeyPolicy, domain::approval::keys::MOST_KEPT};
use jiff::SignedDuration;
use serde_json::json;

use super::client::*;
use crate::approvals::rig::named;

fn policy(approvers: &[&str]) -> KeyPolicy {
    KeyPolicy { approvers: named(approvers), ..KeyPolicy::default() }
}

#[actix_web::test]
async fn a_key_is_registered_listed_and_revoked() {
    let app = app().await;
    let (one, two) = (Signer::ed25519(), Signer::p256());
    for key in [&one, &two] {
        let answer = register(&app, "ada", key).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        assert_eq!((&answer.json["kid"], &answer.json["jwk"]), (&json!(key.kid), &key.jwk));
    }
    let listed = app.get("/v1/me/keys", "ada").await.json;
    let algorithms: Vec<_> = listed["items"].as_array().unwrap().iter().map(|key| key["alg"].clone()).collect();
    assert_eq!(algorithms, ["EdDSA", "ES256"]);
    assert_eq!(app.get("/v1/me/keys", "ben").await.json["items"], json!([]), "another's keys are not his");
    let path = format!("/v1/me/keys/{}", one.kid);
    app.delete(&path, "ben").await.is_problem(404, "not-found");
    assert_eq!(app.delete(&path, "ada").await.status, 204);
    app.delete(&path, "ada").await.is_problem(409, "key-closed");
    let listed = app.get("/v1/me/keys", "ada").await.json;
    assert_eq!((&listed["items"][0]["state"], &listed["items"][1]["state"]), (&json!("REVOKED"), &json!("ACTIVE")));
    assert_eq!(codes(&app).await, ["DA2100", "DA2100", "DA2103"]);
    let registered = &app.events().await[0];
    assert_eq!(registered.details["jwk"], one.jwk);
    assert!(registered.target.iter().any(|target| target.kind == "key" && target.id == one.kid));
}

#[actix_web::test]
async fn registering_takes_a_sign_in_of_the_last_five_minutes() {
    let app = app().await;
    let key = Signer::ed25519();
    app.token("stale", &json!({"uid": "00uada"}), &["openid", "behalf"]);
    signed_in(&app, "ada", SignedDuration::from_secs(301));
    for token in ["stale", "ada"] {
        let answer = register(&app, token, &key).await;
        answer.is_problem(401, "insufficient-user-authentication");
        let header = answer.header("www-authenticate").unwrap();
        assert!(header.contains(r#"error="insufficient_user_authentication""#), "{header}");
        assert!(header.contains("max_age=300"), "{header}");
    }
    assert_eq!(app.get("/v1/me/keys", "ada").await.json["items"], json!([]));
    signed_in(&app, "ada", SignedDuration::from_secs(300));
    enrolled(&app, "ada", key).await;
}

#[actix_web::test]
async fn somebody_else_approves_a_key_where_the_tenant_wants_it() {
    let app = app_of(policy(&["user:00uada", "user:00uben"])).await;
    let key = Signer::ed25519();
    // A fresh sign-in isn't asked for: somebody looks at it.
    app.token("ada", &json!({"uid": "00uada"}), &["openid", "behalf"]);
    let answer = register(&app, "ada", &key).await;
    assert_eq!((answer.status.as_u16(), &answer.json["state"]), (201, &json!("PENDING")), "{}", answer.text);
    let id = asked(&app, by_key_only()).await;
    let given = challenge(&app, id, "ada", "approve").await;
    vote_signed(&app, id, "ada", "approve", &key.answer(&given)).await.is_problem(422, "key-not-active");

    let votes = format!("/v1/keys/{}/votes", key.kid);
    let yes = json!({"decision": "approve"});
    app.post(&votes, "ada", &yes).await.is_problem(404, "not-found");
    app.post(&votes, "eve", &yes).await.is_problem(404, "not-found");
    assert_eq!(app.get("/v1/keys", "ada").await.json["items"], json!([]), "nobody approves his own");
    assert_eq!(app.get("/v1/keys", "eve").await.json["items"], json!([]));
    let waiting = app.get("/v1/keys", "ben").await.json;
    assert_eq!((&waiting["items"][0]["kid"], &waiting["items"][0]["owner"]["id"]), (&json!(key.kid), &json!("00uada")));
    let approved = app.post(&votes, "ben", &yes).await;
    assert_eq!((approved.status.as_u16(), &approved.json["state"]), (200, &json!("ACTIVE")), "{}", approved.text);
    app.post(&votes, "ben", &json!({"decision": "deny"})).await.is_problem(409, "key-closed");
    assert_eq!(app.get("/v1/keys", "ben").await.json["items"], json!([]));

    let given = challenge(&app, id, "ada", "approve").await;
    assert_eq!(vote_signed(&app, id, "ada", "approve", &key.answer(&given)).await.json["state"], "APPROVED");
    let codes = codes(&app).await;
    for (code, times) in [("DA2100", 1), ("DA2101", 1), ("DA2104", 2)] {
        assert_eq!(codes.iter().filter(|is| *is == code).count(), times, "{code}: {codes:?}");
    }
}

#[actix_web::test]
async fn a_key_that_is_denied_never_signs() {
    let app = app_of(policy(&["group:00gsec"])).await;
    app.directory.set_groups(&crate::support::test_app::uid("00ucleo"), &["00gsec"]);
    let key = Signer::p256();
    register(&app, "ada", &key).await;
    let denied = app.post(&format!("/v1/keys/{}/votes", key.kid), "cleo", &json!({"decision": "deny"})).await;
    assert_eq!(denied.json["state"], "DENIED", "{}", denied.text);
    let id = asked(&app, by_key_only()).await;
    let given = challenge(&app, id, "ada", "approve").await;
    vote_signed(&app, id, "ada", "approve", &key.answer(&given)).await.is_problem(422, "key-not-active");
    register(&app, "ada", &key).await.is_problem(409, "key-exists");
    // Who has left the group has no say any more.
    app.directory.set_groups(&crate::support::test_app::uid("00ucleo"), &[]);
    let other = Signer::p256();
    register(&app, "ada", &other).await;
    let late = app.post(&format!("/v1/keys/{}/votes", other.kid), "cleo", &json!({"decision": "approve"})).await;
    late.is_problem(404, "not-found");
}

#[actix_web::test]
async fn a_revoked_key_that_is_forgotten_never_comes_back() {
    let app = app().await;
    let revoked = async |key: &Signer| {
        assert_eq!(register(&app, "ada", key).await.status, 201);
        assert_eq!(app.delete(&format!("/v1/me/keys/{}", key.kid), "ada").await.status, 204);
    };
    let first = Signer::ed25519();
    revoked(&first).await;
    for _ in 0..MOST_KEPT {
        revoked(&Signer::ed25519()).await;
    }
    let listed = app.get("/v1/me/keys", "ada").await.json;
    let kids: Vec<&str> = listed["items"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap()).collect();
    assert_eq!(kids.len(), MOST_KEPT);
    assert!(!kids.contains(&first.kid.as_str()), "the oldest is forgotten");
    for who in ["ada", "ben"] {
        register(&app, who, &first).await.is_problem(409, "key-exists");
    }
}

#[actix_web::test]
async fn keys_of_the_wrong_type_or_size_are_refused_and_nothing_is_kept() {
    let app = app().await;
    let good = Signer::ed25519().jwk;
    let x = good["x"].as_str().unwrap();
    for jwk in [
        json!("key"),
        json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"}),
        json!({"kty": "oct", "k": "c2VjcmV0"}),
        json!({"kty": "OKP", "crv": "Ed25519", "x": x, "d": x}),
        json!({"kty": "OKP", "crv": "Ed25519", "x": &x[2..]}),
        json!({"kty": "OKP", "crv": "Ed25519", "x": b64([0; 32])}),
        json!({"kty": "OKP", "crv": "X25519", "x": x}),
        json!({"kty": "EC", "crv": "P-256", "x": x, "y": x}),
        json!({"kty": "EC", "crv": "P-384", "x": x, "y": x}),
        json!({"kty": "OKP", "crv": "Ed25519", "x": x, "alg": "ES256"}),
    ] {
        let answer = app.post("/v1/me/keys", "ada", &json!({"jwk": jwk, "name": "laptop"})).await;
        answer.is_problem(400, "invalid-request");
        assert_eq!(answer.json["field"], "jwk", "{jwk}");
    }
    for name in ["", "a\u{202e}b", &"n".repeat(101)] {
        let answer = app.post("/v1/me/keys", "ada", &json!({"jwk": good, "name": name})).await;
        answer.is_problem(400, "invalid-request");
        assert_eq!(answer.json["field"], "name", "{name:?}");
    }
    assert_eq!(app.events().await, []);
}

#[actix_web::test]
async fn one_key_is_one_persons_and_nobody_has_more_than_five() {
    let app = app().await;
    let key = enrolled(&app, "ada", Signer::ed25519()).await;
    register(&app, "ada", &key).await.is_problem(409, "key-exists");
    register(&app, "ben", &key).await.is_problem(409, "key-exists");
    for _ in 0..4 {
        enrolled(&app, "ada", Signer::p256()).await;
    }
    register(&app, "ada", &Signer::ed25519()).await.is_problem(409, "too-many-keys");
    enrolled(&app, "ben", Signer::ed25519()).await;
    app.delete(&format!("/v1/me/keys/{}", key.kid), "ada").await;
    enrolled(&app, "ada", Signer::ed25519()).await;
    register(&app, "ada", &key).await.is_problem(409, "key-exists");
}

#[actix_web::test]
async fn registrations_at_once_never_exceed_five() {
    let app = app().await;
    let keys: Vec<_> = (0..12).map(|_| Signer::ed25519()).collect();
    futures_util::future::join_all(keys.iter().map(|key| register(&app, "ada", key))).await;
    let listed = app.get("/v1/me/keys", "ada").await.json;
    let held = listed["items"].as_array().unwrap().len();
    assert!((1..=5).contains(&held), "{held}");
    assert_eq!(codes(&app).await.iter().filter(|code| *code == "DA2100").count(), held);
}

#[actix_web::test]
async fn an_administrator_takes_any_key_out_of_use_and_nobody_else_does() {
    let app = app().await;
    let key = enrolled(&app, "ada", Signer::ed25519()).await;
    let path = format!("/v1/keys/{}", key.kid);
    for token in ["ada", "ben"] {
        app.delete(&path, token).await.is_problem(403, "administrator-only");
    }
    assert_eq!(app.delete(&path, "root").await.status, 204);
    assert_eq!(app.get("/v1/me/keys", "ada").await.json["items"][0]["state"], "REVOKED");
    assert_eq!(app.events().await.last().unwrap().actor.kind, "administrator");
    app.delete(&format!("/v1/keys/{}", Signer::ed25519().kid), "root").await.is_problem(404, "not-found");
    app.delete("/v1/keys/nonsense", "root").await.is_problem(404, "not-found");
}

#[actix_web::test]
async fn whoever_is_not_in_the_directory_or_not_active_has_no_keys() {
    let app = app().await;
    let mut ada = crate::support::test_app::user("00uada", "ada@example.test", &json!({}));
    ada.status = behalf::domain::user::Status::Inactive;
    app.directory.put(ada);
    register(&app, "ada", &Signer::ed25519()).await.is_problem(403, "account-inactive");
    assert_eq!(codes(&app).await, ["DA2104"]);
}
