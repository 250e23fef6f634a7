//! Votes with a signature that holds, and those without one that should.

use behalf::{
    app::{
        approvals::{self, Cast, How, Signature},
        error::AppError,
        keys::{self, KeyPolicy},
    },
    domain::approval::Choice,
};
use jiff::SignedDuration;
use serde_json::json;

use super::client::*;
use crate::approvals::rig::{caller, path, tenant_of};

#[actix_web::test]
async fn both_kinds_of_keys_sign() {
    for key in [Signer::ed25519(), Signer::p256()] {
        let app = app().await;
        let key = enrolled(&app, "ada", key).await;
        let id = asked(&app, by_key_only()).await;
        let given = challenge(&app, id, "ada", "approve").await;
        assert_eq!((&given["version"], &given["decision"]), (&json!(1), &json!("approve")));
        assert_eq!(given["digest"], shown(&app, id).await["digest"]);
        assert_eq!(given["expires_at"], "2026-11-21T10:05:00Z");
        let done = vote_signed(&app, id, "ada", "approve", &key.answer(&given)).await;
        assert_eq!((done.status.as_u16(), &done.json["state"]), (200, &json!("APPROVED")), "{}", done.text);
        assert_eq!(done.json["votes"][0]["signature"], "jws");
        assert_eq!(codes(&app).await, ["DA2100", "DA2000", "DA2110", "DA2001", "DA2002"]);
        let trail = serde_json::to_string(&app.events().await).unwrap();
        assert!(!trail.contains(given["nonce"].as_str().unwrap()), "a nonce is nobody else's business");
    }
}

#[actix_web::test]
async fn a_denial_is_signed_as_well() {
    let app = app().await;
    let key = enrolled(&app, "ada", Signer::ed25519()).await;
    let id = asked(&app, by_key_only()).await;
    vote(&app, id, "ada", "deny").await.is_problem(422, "signature-required");
    let given = challenge(&app, id, "ada", "deny").await;
    let done = vote_signed(&app, id, "ada", "deny", &key.answer(&given)).await;
    assert_eq!(done.json["state"], "DENIED", "{}", done.text);
}

#[actix_web::test]
async fn a_typed_name_counts_after_a_fresh_sign_in() {
    let app = app().await;
    let id = asked(&app, signing()).await;
    let given = challenge(&app, id, "ben", "approve").await;
    // An hour later he would have to sign in again; the challenge is not spent by that.
    signed_in(&app, "ben", SignedDuration::from_secs(301));
    let answer = vote_signed(&app, id, "ben", "approve", &typed(&given, "Ben Žižka")).await;
    answer.is_problem(401, "insufficient-user-authentication");
    assert!(answer.header("www-authenticate").unwrap().contains("max_age=300"));
    still_waits(&app, id).await;
    signed_in(&app, "ben", SignedDuration::from_secs(299));
    // In other letters, with the accents put on separately.
    let done = vote_signed(&app, id, "ben", "approve", &typed(&given, " BEN  z\u{30c}iz\u{30c}ka ")).await;
    assert_eq!((done.status.as_u16(), &done.json["state"]), (200, &json!("APPROVED")), "{}", done.text);
    assert_eq!(done.json["votes"][0]["signature"], "typed");
}

#[actix_web::test]
async fn another_name_or_sentence_spends_the_challenge() {
    let app = app().await;
    let id = asked(&app, signing()).await;
    for (name, sentence, code) in [
        ("Ada Lovelace", None, "name-differs"),
        ("Ben", None, "name-differs"),
        ("", None, "name-differs"),
        ("Ben Žižka", Some("yes"), "meaning-differs"),
        ("Ben Žižka", Some("I reviewed and deny this delegated access"), "meaning-differs"),
    ] {
        let given = challenge(&app, id, "ben", "approve").await;
        let mut signature = typed(&given, name);
        if let Some(sentence) = sentence {
            signature["meaning"] = json!(sentence);
        }
        vote_signed(&app, id, "ben", "approve", &signature).await.is_problem(422, code);
        assert_eq!(last_reason(&app).await, ("DA2111".to_owned(), Some(code.to_owned())));
        let again = vote_signed(&app, id, "ben", "approve", &typed(&given, "Ben Žižka")).await;
        again.is_problem(422, "challenge-used");
    }
    still_waits(&app, id).await;
}

#[actix_web::test]
async fn the_rule_says_which_level_counts() {
    let app = app().await;
    let id = asked(&app, by_key_only()).await;
    let given = challenge(&app, id, "ben", "approve").await;
    let by_name = vote_signed(&app, id, "ben", "approve", &typed(&given, "Ben Žižka")).await;
    by_name.is_problem(422, "signature-level");
    assert_eq!(shown(&app, id).await["template"]["signatures"], json!(["jws"]), "it says which it takes");
    vote(&app, id, "ben", "approve").await.is_problem(422, "signature-required");
    still_waits(&app, id).await;
}

#[actix_web::test]
async fn a_key_enrolled_during_the_approval_is_refused() {
    let cooled = KeyPolicy { cooldown: SignedDuration::from_mins(10), ..KeyPolicy::default() };
    let app = app_of(cooled).await;
    let id = asked(&app, by_key_only()).await;
    let key = enrolled(&app, "ada", Signer::ed25519()).await;
    app.advance(SignedDuration::from_secs(599));
    let given = challenge(&app, id, "ada", "approve").await;
    vote_signed(&app, id, "ada", "approve", &key.answer(&given)).await.is_problem(422, "key-too-new");
    app.advance(SignedDuration::from_secs(1));
    let given = challenge(&app, id, "ada", "approve").await;
    // A key that came after the challenge doesn't count for it, cool-down or not.
    let done = vote_signed(&app, id, "ada", "approve", &key.answer(&given)).await;
    assert_eq!(done.json["state"], "APPROVED", "{}", done.text);

    let app = super::client::app().await;
    let id = asked(&app, by_key_only()).await;
    let given = challenge(&app, id, "ada", "approve").await;
    app.advance(SignedDuration::from_millis(1));
    let late = enrolled(&app, "ada", Signer::ed25519()).await;
    vote_signed(&app, id, "ada", "approve", &late.answer(&given)).await.is_problem(422, "key-too-new");
    still_waits(&app, id).await;
}

#[actix_web::test]
async fn a_key_that_is_revoked_signs_nothing_more() {
    let app = app().await;
    let key = enrolled(&app, "ada", Signer::ed25519()).await;
    let id = asked(&app, by_key_only()).await;
    let given = challenge(&app, id, "ada", "approve").await;
    app.delete(&format!("/v1/me/keys/{}", key.kid), "ada").await;
    vote_signed(&app, id, "ada", "approve", &key.answer(&given)).await.is_problem(422, "key-not-active");
    still_waits(&app, id).await;
}

/// Between the look at the key and the commit, too.
#[actix_web::test]
async fn a_revocation_between_the_proof_and_the_commit_is_seen() {
    let app = app().await;
    let key = enrolled(&app, "ada", Signer::ed25519()).await;
    let id = asked(&app, by_key_only()).await;
    let given = challenge(&app, id, "ada", "approve").await;
    let (tenant, ada) = (tenant_of(&app.services), caller(&app, "ada").await);
    let answer = key.answer(&given);
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    let signature = Signature { nonce: text("nonce"), how: How::Jws(text("jws")) };
    let proof = approvals::prove(&app.services, &tenant, &ada, id, Choice::Approve, &signature).await.unwrap();
    keys::revoke_own(&app.services, &tenant, &ada, &key.kid.parse().unwrap()).await.unwrap();
    let cast = Cast { choice: Choice::Approve, version: 1, comment: None };
    match approvals::vote(&app.services, &tenant, &ada, id, cast, Some(proof)).await {
        Err(AppError::Approval(refused)) => assert_eq!(refused.code(), "signature-spent"),
        other => panic!("a revoked key signed: {other:?}"),
    }
    still_waits(&app, id).await;
}

#[actix_web::test]
async fn a_challenge_is_for_those_whose_vote_would_count() {
    let app = app().await;
    let id = asked(&app, signing()).await;
    ask(&app, id, "eve", "approve").await.is_problem(404, "not-found");
    ask(&app, id, "ann", "approve").await.is_problem(403, "not-an-approver");
    // Nor is anything written about his signature.
    let nonce = behalf::domain::approval::signature::Nonce([7; 32]).to_string();
    let made_up = json!({"level": "jws", "nonce": nonce, "jws": "a..b"});
    vote_signed(&app, id, "eve", "approve", &made_up).await.is_problem(404, "not-found");
    assert!(!codes(&app).await.contains(&"DA2111".to_owned()));
    ask(&app, id, "ben", "perhaps").await.is_problem(400, "invalid-request");
    let given = challenge(&app, id, "ben", "approve").await;
    vote_signed(&app, id, "ben", "approve", &typed(&given, "Ben Žižka")).await;
    let late = ask(&app, id, "ada", "approve").await;
    late.is_problem(409, "approval-closed");
    assert_eq!(late.json["state"], "APPROVED");
    let unknown = path(behalf::domain::approval::ApprovalId::mint(app.store_now(), [7; 16]), "/challenges");
    app.post(&unknown, "ada", &json!({"decision": "approve"})).await.is_problem(404, "not-found");
}

#[actix_web::test]
async fn who_signs_without_being_asked_is_welcome() {
    let app = app().await;
    let key = enrolled(&app, "ada", Signer::ed25519()).await;
    let id = asked(&app, unsigned()).await;
    let given = challenge(&app, id, "ada", "approve").await;
    let done = vote_signed(&app, id, "ada", "approve", &key.answer(&given)).await;
    assert_eq!((&done.json["state"], &done.json["votes"][0]["signature"]), (&json!("APPROVED"), &json!("jws")));
    assert_eq!(state(&app, id).await, "APPROVED");
}
