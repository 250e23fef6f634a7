//! What isn't an answer to this challenge, by this person, with his key. Each leaves the request as it was.

use behalf::{
    app::{approvals::records, records as all},
    domain::{approval::Approval, ids::TenantName},
    ports::store::{Change, Committed, Expect},
};
use futures_util::future::join_all;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::client::*;
use crate::{approvals::rig::path, durability::setting, support::test_app::TestApp};

async fn refused_as(app: &TestApp, code: &str) {
    assert_eq!(last_reason(app).await, ("DA2111".to_owned(), Some(code.to_owned())));
}

#[actix_web::test]
async fn approve_challenge_used_for_deny() {
    let app = app().await;
    let key = enrolled(&app, "ada", Signer::ed25519()).await;
    let id = asked(&app, by_key_only()).await;
    for (asked_for, used_for) in [("approve", "deny"), ("deny", "approve")] {
        let given = challenge(&app, id, "ada", asked_for).await;
        let answer = key.answer(&given);
        vote_signed(&app, id, "ada", used_for, &answer).await.is_problem(422, "challenge-mismatch");
        refused_as(&app, "challenge-mismatch").await;
        vote_signed(&app, id, "ada", asked_for, &answer).await.is_problem(422, "challenge-used");
    }
    still_waits(&app, id).await;
}

#[actix_web::test]
async fn challenge_of_request_a_replayed_on_b() {
    let app = app().await;
    let key = enrolled(&app, "ada", Signer::ed25519()).await;
    let (a, b) = (asked(&app, by_key_only()).await, asked_besides(&app, by_key_only()).await);
    let given = challenge(&app, a, "ada", "approve").await;
    vote_signed(&app, b, "ada", "approve", &key.answer(&given)).await.is_problem(422, "challenge-mismatch");
    // B's nonce under A's statement.
    let (of_a, of_b) = (challenge(&app, a, "ada", "approve").await, challenge(&app, b, "ada", "approve").await);
    let mut mixed = key.answer(&of_a);
    mixed["nonce"] = of_b["nonce"].clone();
    vote_signed(&app, b, "ada", "approve", &mixed).await.is_problem(422, "signature-wrong");
    for id in [a, b] {
        still_waits(&app, id).await;
    }
}

#[actix_web::test]
async fn same_nonce_twice_sequential() {
    let app = app().await;
    let key = enrolled(&app, "ada", Signer::ed25519()).await;
    let id = asked(&app, by_key_only()).await;
    let given = challenge(&app, id, "ada", "approve").await;
    let mut forged = key.answer(&given);
    forged["jws"] = json!(key.under(&key.header(), "{}"));
    vote_signed(&app, id, "ada", "approve", &forged).await.is_problem(422, "signature-wrong");
    refused_as(&app, "signature-wrong").await;
    vote_signed(&app, id, "ada", "approve", &key.answer(&given)).await.is_problem(422, "challenge-used");
    still_waits(&app, id).await;
    let given = challenge(&app, id, "ada", "approve").await;
    let answer = key.answer(&given);
    assert_eq!(vote_signed(&app, id, "ada", "approve", &answer).await.json["state"], "APPROVED");
    vote_signed(&app, id, "ada", "approve", &answer).await.is_problem(422, "challenge-used");
}

#[actix_web::test]
async fn same_nonce_twice_concurrent() {
    for _ in 0..setting("BEHALF_TEST_ROUNDS").unwrap_or(5) {
        let app = app().await;
        let key = enrolled(&app, "ada", Signer::ed25519()).await;
        let id = asked(&app, by_key_only()).await;
        let given = challenge(&app, id, "ada", "approve").await;
        let answer = key.answer(&given);
        let tries = join_all((0..4).map(|_| vote_signed(&app, id, "ada", "approve", &answer))).await;
        let counted = tries.iter().filter(|answer| answer.status == 200).count();
        let said: Vec<_> = tries.iter().map(|answer| answer.json["code"].clone()).collect();
        assert_eq!(counted, 1, "{said:?}");
        let item = shown(&app, id).await;
        assert_eq!((&item["state"], item["votes"].as_array().unwrap().len()), (&json!("APPROVED"), 1));
        assert_eq!(codes(&app).await.iter().filter(|code| *code == "DA2001").count(), 1);
    }
}

#[actix_web::test]
async fn nonce_of_approver_x_used_by_y() {
    let app = app().await;
    let (ada, ben) = (enrolled(&app, "ada", Signer::ed25519()).await, enrolled(&app, "ben", Signer::ed25519()).await);
    let id = asked(&app, by_key_only()).await;
    let given = challenge(&app, id, "ada", "approve").await;
    for signer in [&ada, &ben] {
        let stolen = vote_signed(&app, id, "ben", "approve", &signer.answer(&given)).await;
        stolen.is_problem(422, "challenge-unknown");
        refused_as(&app, "challenge-foreign").await;
    }
    still_waits(&app, id).await;
    // It is still hers.
    let done = vote_signed(&app, id, "ada", "approve", &ada.answer(&given)).await;
    assert_eq!(done.json["state"], "APPROVED", "{}", done.text);
}

#[actix_web::test]
async fn kid_of_another_approver() {
    let app = app().await;
    let (ada, ben) = (enrolled(&app, "ada", Signer::ed25519()).await, enrolled(&app, "ben", Signer::ed25519()).await);
    let id = asked(&app, by_key_only()).await;
    let mine = challenge(&app, id, "ada", "approve").await;
    vote_signed(&app, id, "ada", "approve", &ben.answer(&mine)).await.is_problem(422, "key-unknown");
    let mine = challenge(&app, id, "ada", "approve").await;
    // His key under her name.
    let disguised = ben.answer_under(&ada.header(), &mine);
    vote_signed(&app, id, "ada", "approve", &disguised).await.is_problem(422, "signature-wrong");
    still_waits(&app, id).await;
}

#[actix_web::test]
async fn alg_confusion_and_header_jwk() {
    let app = app().await;
    let (ed, ec) = (enrolled(&app, "ada", Signer::ed25519()).await, enrolled(&app, "ada", Signer::p256()).await);
    let id = asked(&app, by_key_only()).await;
    let with = |name: &str, value: Value| {
        let mut header = ed.header();
        header[name] = value;
        header
    };
    for (header, code) in [
        (with("alg", json!("none")), "signature-algorithm"),
        (with("alg", json!("HS256")), "signature-algorithm"),
        (with("alg", json!("ES256")), "signature-algorithm"),
        (with("kid", json!(ec.kid)), "signature-algorithm"),
        (with("typ", json!("JWT")), "signature-type"),
        (with("jwk", ed.jwk.clone()), "signature-header"),
        (with("crit", json!(["exp"])), "signature-header"),
        (with("jku", json!("https://example.test/keys")), "signature-header"),
        (with("x5c", json!(["MIIB"])), "signature-header"),
        (json!({"alg": "EdDSA"}), "signature-header"),
    ] {
        let given = challenge(&app, id, "ada", "approve").await;
        let answer = ed.answer_under(&header, &given);
        vote_signed(&app, id, "ada", "approve", &answer).await.is_problem(422, code);
        refused_as(&app, code).await;
    }
    for jws in ["", ".", "a.b.c", "e30..", &"A".repeat(9000)] {
        let given = challenge(&app, id, "ada", "approve").await;
        let answer = json!({"level": "jws", "nonce": given["nonce"], "jws": jws});
        let refused = vote_signed(&app, id, "ada", "approve", &answer).await;
        assert_eq!(refused.status, 422, "{}", refused.text);
    }
    still_waits(&app, id).await;
}

#[actix_web::test]
async fn expired_by_1_ms() {
    let app = app().await;
    let key = enrolled(&app, "ada", Signer::ed25519()).await;
    let id = asked(&app, by_key_only()).await;
    let given = challenge(&app, id, "ada", "approve").await;
    app.advance(SignedDuration::from_secs(300));
    vote_signed(&app, id, "ada", "approve", &key.answer(&given)).await.is_problem(422, "challenge-expired");
    still_waits(&app, id).await;
    let given = challenge(&app, id, "ada", "approve").await;
    app.advance(SignedDuration::from_millis(299_999));
    let done = vote_signed(&app, id, "ada", "approve", &key.answer(&given)).await;
    assert_eq!(done.json["state"], "APPROVED", "{}", done.text);
}

#[actix_web::test]
async fn the_request_ends_while_somebody_signs() {
    let app = app().await;
    let key = enrolled(&app, "ada", Signer::ed25519()).await;
    let id = asked(&app, by_key_only()).await;
    app.advance(SignedDuration::from_mins(59));
    let given = challenge(&app, id, "ada", "approve").await;
    app.advance(SignedDuration::from_mins(1));
    let late = vote_signed(&app, id, "ada", "approve", &key.answer(&given)).await;
    late.is_problem(409, "approval-closed");
    assert_eq!(late.json["state"], "EXPIRED");
}

#[actix_web::test]
async fn approver_removed_from_group_between_challenge_and_response() {
    let app = app().await;
    let mut of_group = by_key_only();
    of_group.approvers = crate::approvals::rig::named(&["group:00gsec"]);
    app.directory.set_groups(&crate::support::test_app::uid("00uada"), &["00gsec"]);
    let key = enrolled(&app, "ada", Signer::ed25519()).await;
    let id = asked(&app, of_group).await;
    let given = challenge(&app, id, "ada", "approve").await;
    app.directory.set_groups(&crate::support::test_app::uid("00uada"), &[]);
    vote_signed(&app, id, "ada", "approve", &key.answer(&given)).await.is_problem(404, "not-found");
    still_waits(&app, id).await;
}

/// Whoever owns the data writes another request in its place.
async fn edit(app: &TestApp, id: behalf::domain::approval::ApprovalId, change: impl Fn(&mut Approval)) {
    let (name, key) = (TenantName::default_tenant(), records::key(id));
    let snapshot = app.services.store.read(&name, &[key]).await.unwrap();
    let (mut approval, record) = all::find::<Approval>(&snapshot, &key).unwrap().unwrap();
    change(&mut approval);
    let tenant = app.services.tenant(&name).unwrap();
    let edited = Change {
        expect: vec![(key, Expect::Version(record.version))],
        puts: vec![records::put(&approval).unwrap()],
        ..Change::new(app.services.change_id(), app.services.not_after(snapshot.now, tenant))
    };
    assert!(matches!(app.services.store.commit(&name, edited).await.unwrap(), Committed::Done(_)));
}

#[actix_web::test]
async fn request_edited_after_challenge() {
    let app = app().await;
    let key = enrolled(&app, "ada", Signer::ed25519()).await;
    let id = asked(&app, by_key_only()).await;
    let given = challenge(&app, id, "ada", "approve").await;
    edit(&app, id, |approval| approval.binding = approval.binding.replace("invoices", "everything")).await;
    vote_signed(&app, id, "ada", "approve", &key.answer(&given)).await.is_problem(422, "digest-mismatch");
    refused_as(&app, "digest-mismatch").await;
    // With the digest made to fit, and a version that is another one.
    edit(&app, id, |approval| {
        approval.digest = approval.request_digest();
        approval.version = 2;
    })
    .await;
    let given = challenge(&app, id, "ada", "approve").await;
    assert_eq!(given["version"], 2);
    vote_signed(&app, id, "ada", "approve", &key.answer(&given)).await.is_problem(409, "version-changed");
}

#[actix_web::test]
async fn a_nonce_that_nobody_gave_out() {
    let app = app().await;
    let key = enrolled(&app, "ada", Signer::ed25519()).await;
    let id = asked(&app, by_key_only()).await;
    let given = challenge(&app, id, "ada", "approve").await;
    for nonce in [String::new(), b64([0; 32]), b64([1; 31]), "x".repeat(4000)] {
        let mut answer = key.answer(&given);
        answer["nonce"] = json!(nonce);
        vote_signed(&app, id, "ada", "approve", &answer).await.is_problem(422, "challenge-unknown");
    }
    // Another tenant has neither the request nor the nonce.
    let body = json!({"decision": "approve", "version": 1, "signature": key.answer(&given)});
    let elsewhere = app.post(&format!("/t/acme{}", path(id, "/votes")), "ada", &body).await;
    elsewhere.is_problem(404, "not-found");
    for signature in [json!({}), json!({"level": "jws"}), json!({"level": "webauthn"}), json!("jws")] {
        vote_signed(&app, id, "ada", "approve", &signature).await.is_problem(400, "invalid-request");
    }
    still_waits(&app, id).await;
    let done = vote_signed(&app, id, "ada", "approve", &key.answer(&given)).await;
    assert_eq!(done.json["state"], "APPROVED", "{}", done.text);
}
