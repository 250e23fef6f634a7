//! When keys are fetched, and what happens when they can't be.

use std::sync::Arc;

use behalf::{
    demo::authorization_server::OldKey,
    ports::token_verifier::{TokenVerifier as _, VerifyError},
};
use futures_util::future::join_all;
use jiff::SignedDuration;
use jsonwebtoken::Header;
use serde_json::{Value, json};

use super::{
    clock, eventually, good, start,
    stub::{Issuer, Reply, Signer},
    verifier,
};

fn is_unavailable<T>(result: &Result<T, VerifyError>) -> bool {
    matches!(result, Err(VerifyError::Unavailable(_)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_first_tokens_cause_one_fetch() {
    let clock = clock();
    let server = start(&clock);
    let verifier = Arc::new(verifier(server.issuer(), &clock));
    let tokens = (0..100).map(|n| {
        let mut claims = good(server.issuer(), &clock);
        claims.insert("jti".to_owned(), json!(n));
        (Arc::clone(&verifier), server.sign(&claims).unwrap())
    });
    let tasks = tokens.map(|(verifier, token)| tokio::spawn(async move { verifier.verify(&token).await.is_ok() }));
    for passed in join_all(tasks.collect::<Vec<_>>()).await {
        assert!(passed.unwrap());
    }
    assert_eq!(server.requests("/v1/keys"), 1);
    assert_eq!(server.requests("/.well-known/openid-configuration"), 1);
}

#[tokio::test]
async fn a_new_key_is_found_at_once_and_again_after_the_brake() {
    let clock = clock();
    let server = start(&clock);
    let verifier = verifier(server.issuer(), &clock);
    let token = || server.sign(&good(server.issuer(), &clock)).unwrap();
    let first = token();
    assert!(verifier.verify(&first).await.is_ok());
    server.rotate_key(OldKey::Keep).unwrap();
    assert!(verifier.verify(&token()).await.is_ok());
    server.rotate_key(OldKey::Keep).unwrap();
    assert!(verifier.verify(&token()).await.is_err(), "the brake is on");
    assert_eq!(server.requests("/v1/keys"), 2);
    clock.advance(SignedDuration::from_secs(5));
    assert!(verifier.verify(&token()).await.is_ok());
    assert_eq!(server.requests("/v1/keys"), 3);
    assert!(verifier.verify(&first).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn made_up_key_ids_do_not_hammer_the_issuer() {
    let clock = clock();
    let signer = Signer::es256("real");
    let issuer = Issuer::start(std::slice::from_ref(&signer.public));
    let verifier = Arc::new(verifier(issuer.url(), &clock));
    let token =
        |id: String| signer.sign_as(&Header { kid: Some(id), ..signer.header.clone() }, &good(issuer.url(), &clock));
    let storm = |round: u32| {
        let tasks = (0..1000).map(|n| (Arc::clone(&verifier), token(format!("{round}-{n}"))));
        join_all(tasks.map(|(v, token)| tokio::spawn(async move { v.verify(&token).await.err() })).collect::<Vec<_>>())
    };
    for refused in storm(1).await {
        assert_eq!(refused.unwrap(), Some(VerifyError::Invalid("its key is unknown".to_owned())));
    }
    assert_eq!(issuer.stub.count(), 3, "description and keys, and the keys once more");
    assert!(verifier.verify(&signer.sign(&good(issuer.url(), &clock))).await.is_ok(), "real tokens still pass");
    clock.advance(SignedDuration::from_secs(5));
    drop(storm(2).await);
    assert_eq!(issuer.stub.count(), 4);
}

#[tokio::test]
async fn an_unknown_key_id_is_remembered_for_a_while() {
    let clock = clock();
    let signer = Signer::es256("real");
    let issuer = Issuer::start(std::slice::from_ref(&signer.public));
    let verifier = verifier(issuer.url(), &clock);
    let late = Signer::es256("late");
    let token = late.sign(&good(issuer.url(), &clock));
    assert!(verifier.verify(&token).await.is_err());
    let before = issuer.stub.count();
    clock.advance(SignedDuration::from_secs(9));
    assert!(verifier.verify(&token).await.is_err());
    assert_eq!(issuer.stub.count(), before, "the brake is off, but this id was looked for");
    issuer.publish(&[signer.public.clone(), late.public.clone()]);
    clock.advance(SignedDuration::from_secs(1));
    assert!(verifier.verify(&token).await.is_ok());
}

#[tokio::test]
async fn an_issuer_that_is_down_makes_tokens_unavailable_until_it_is_back() {
    let clock = clock();
    let signer = Signer::es256("one");
    let issuer = Issuer::start(std::slice::from_ref(&signer.public));
    let verifier = verifier(issuer.url(), &clock);
    let token = signer.sign(&good(issuer.url(), &clock));
    issuer.answer_keys(Reply::Body(503, String::new()));
    for _ in 0..20 {
        assert!(is_unavailable(&verifier.verify(&token).await));
        assert!(is_unavailable(&verifier.probe().await));
    }
    assert_eq!(issuer.stub.count(), 2, "description and keys once");
    issuer.publish(std::slice::from_ref(&signer.public));
    assert!(is_unavailable(&verifier.verify(&token).await), "the failure brake is on");
    clock.advance(SignedDuration::from_secs(1));
    assert!(verifier.verify(&token).await.is_ok());
}

#[tokio::test]
async fn nobody_listening_is_unavailable() {
    let clock = clock();
    let server = start(&clock);
    let (issuer, token) = (server.issuer().to_owned(), server.sign(&good(server.issuer(), &clock)).unwrap());
    server.stop().await;
    assert!(is_unavailable(&verifier(&issuer, &clock).verify(&token).await));
}

#[tokio::test]
async fn keys_are_refreshed_in_the_background_while_the_old_ones_serve() {
    let clock = clock();
    let signer = Signer::es256("one");
    let issuer = Issuer::start(std::slice::from_ref(&signer.public));
    let verifier = verifier(issuer.url(), &clock);
    let passes = || async { verifier.verify(&signer.sign(&good(issuer.url(), &clock))).await.is_ok() };
    assert!(passes().await);
    clock.advance(SignedDuration::from_secs(299));
    assert!(passes().await);
    assert_eq!(issuer.stub.count(), 2);
    clock.advance(SignedDuration::from_secs(1));
    assert!(passes().await);
    eventually("the refresh", || async { issuer.stub.count() == 4 }).await;
    // It was asked for; this waits until it has landed, and asks for nothing itself.
    assert!(verifier.probe().await.is_ok());
    assert_eq!(issuer.stub.count(), 4);

    // The issuer fails: the old keys serve, for a day and no longer.
    issuer.answer_keys(Reply::Body(500, String::new()));
    clock.advance(SignedDuration::from_hours(23));
    assert!(passes().await);
    eventually("the failed refresh", || async { issuer.stub.count() == 6 }).await;
    clock.advance(SignedDuration::from_secs(29));
    assert!(passes().await);
    assert_eq!(issuer.stub.count(), 6, "a failed refresh isn't tried again at once");
    clock.advance(SignedDuration::from_hours(1));
    let late = verifier.verify(&signer.sign(&good(issuer.url(), &clock))).await;
    assert!(is_unavailable(&late));
}

#[tokio::test]
async fn a_key_that_is_taken_back_stops_counting() {
    let clock = clock();
    let signer = Signer::es256("one");
    let issuer = Issuer::start(std::slice::from_ref(&signer.public));
    let verifier = verifier(issuer.url(), &clock);
    let token = || signer.sign(&good(issuer.url(), &clock));
    assert!(verifier.verify(&token()).await.is_ok());
    issuer.publish(&[]);
    clock.advance(SignedDuration::from_mins(5));
    assert!(verifier.verify(&token()).await.is_ok());
    eventually("the refresh", || async { verifier.verify(&token()).await.is_err() }).await;
    assert!(is_unavailable(&verifier.probe().await), "an issuer without keys is worth an operator's look");
}

#[tokio::test]
async fn key_sets_that_are_none_are_unavailable() {
    let clock = clock();
    let signer = Signer::es256("one");
    let issuer = Issuer::start(std::slice::from_ref(&signer.public));
    let token = signer.sign(&good(issuer.url(), &clock));
    let bodies =
        [String::new(), "<html>".to_owned(), "{}".to_owned(), format!("{{\"keys\":[{}]}}", " ".repeat(300_000))];
    for body in bodies {
        issuer.answer_keys(Reply::Body(200, body));
        assert!(is_unavailable(&verifier(issuer.url(), &clock).verify(&token).await));
    }
    for status in [204, 302, 404] {
        issuer.answer_keys(Reply::Body(status, String::new()));
        assert!(is_unavailable(&verifier(issuer.url(), &clock).verify(&token).await), "{status}");
    }
}

#[tokio::test]
async fn the_longest_set_is_kept_like_any_other() {
    let clock = clock();
    let signer = Signer::es256("one");
    let filler = json!("x".repeat(255 * 1024));
    let issuer = Issuer::start(&[filler, signer.public.clone()]);
    let verifier = verifier(issuer.url(), &clock);
    for number in 0..20 {
        let mut claims = good(issuer.url(), &clock);
        claims.insert("jti".to_owned(), json!(number));
        assert!(verifier.verify(&signer.sign(&claims)).await.is_ok());
    }
    assert_eq!(issuer.stub.count(), 2, "description and keys once");
}

#[tokio::test]
async fn a_good_key_serves_beside_unusable_ones() {
    let clock = clock();
    let (es, ed) = (Signer::es256("es"), Signer::ed25519("ed"));
    let mut bare = es.public.clone();
    bare.as_object_mut().unwrap().remove("alg");
    let issuer = Issuer::start(&[
        json!(null),
        json!({"kty": "AKP", "kid": "pq", "alg": "ML-DSA-44", "pub": "AA"}),
        json!({"kty": "EC", "kid": "k1", "crv": "secp256k1", "x": "AA", "y": "AA"}),
        json!({"kty": "RSA", "kid": "enc", "use": "enc", "n": "AA", "e": "AQAB"}),
        json!({"kty": "oct", "kid": "es", "k": "AA"}),
        bare,
        ed.public.clone(),
    ]);
    let verifier = verifier(issuer.url(), &clock);
    for signer in [es, ed] {
        assert!(verifier.verify(&signer.sign(&good(issuer.url(), &clock))).await.is_ok());
    }
}

#[tokio::test]
async fn a_description_of_another_issuer_is_not_believed() {
    let clock = clock();
    let signer = Signer::es256("one");
    let issuer = Issuer::start(std::slice::from_ref(&signer.public));
    let token = signer.sign(&good(issuer.url(), &clock));
    let with = |name: &str, value: Value| {
        let mut description = issuer.description();
        description[name] = value;
        issuer.describe(&description);
        verifier(issuer.url(), &clock)
    };
    for other in [json!("https://issuer.test"), json!(format!("{}/", issuer.url())), json!(7), json!(null)] {
        assert!(is_unavailable(&with("issuer", other.clone()).verify(&token).await), "{other}");
    }
    let _restored = with("issuer", json!(issuer.url()));
    assert!(is_unavailable(&with("jwks_uri", json!("file:///etc/passwd")).verify(&token).await));
    assert!(with("jwks_uri", json!(format!("{}/keys", issuer.url()))).verify(&token).await.is_ok());
}

#[tokio::test]
async fn a_probe_asks_but_does_not_hammer() {
    let clock = clock();
    let signer = Signer::es256("one");
    let issuer = Issuer::start(std::slice::from_ref(&signer.public));
    let verifier = verifier(issuer.url(), &clock);
    for _ in 0..20 {
        assert_eq!(verifier.probe().await, Ok(()));
    }
    assert_eq!(issuer.stub.count(), 2);
    clock.advance(SignedDuration::from_secs(5));
    issuer.answer_keys(Reply::Body(500, String::new()));
    assert!(is_unavailable(&verifier.probe().await));
    assert!(verifier.verify(&signer.sign(&good(issuer.url(), &clock))).await.is_ok(), "the keys we have still serve");
}
