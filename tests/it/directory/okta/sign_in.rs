//! Tokens: an API token, and those of a service app.

use behalf::{
    adapters::directory::okta::auth::{App, AppKey, Credentials, SignIn},
    ports::directory::DirectoryError,
};
use futures_util::future::join_all;
use jiff::SignedDuration;
use reqwest::Method;

use super::Rig;
use crate::support::fake_okta::{Endpoint, Fault, KeyKind, TOKEN};

const SCOPES: [&str; 2] = ["okta.users.read", "okta.users.manage"];

fn app(rig: &Rig, kind: KeyKind) -> SignIn {
    let pem = rig.okta.register("0oaapp", kind, "k1", &SCOPES).unwrap();
    let key = AppKey::from_pem(pem.as_bytes(), Some("k1")).unwrap();
    rig.sign_in(Credentials::App(App { client_id: "0oaapp".to_owned(), key }), &SCOPES)
}

async fn read(rig: &Rig, sign_in: &SignIn) -> Result<u16, DirectoryError> {
    let rest = rig.rest();
    let url = rest.url(&["api", "v1", "users", "00uann"], &[]).unwrap();
    sign_in.send(rest.request(Method::GET, url)).await.map(|answer| answer.status.as_u16())
}

#[tokio::test]
async fn an_api_token_is_sent_as_it_is() {
    let rig = Rig::start();
    let right = rig.sign_in(Credentials::ApiToken(TOKEN.into()), &SCOPES);
    assert_eq!(read(&rig, &right).await, Ok(200));
    let wrong = rig.sign_in(Credentials::ApiToken("another".into()), &SCOPES);
    assert_eq!(read(&rig, &wrong).await, Ok(401));
}

#[tokio::test]
async fn an_app_signs_in_once_for_an_hour_with_either_sort_of_key() {
    for kind in [KeyKind::Rsa, KeyKind::P256] {
        let rig = Rig::start();
        let sign_in = app(&rig, kind);
        let many = join_all((0..20).map(|_| read(&rig, &sign_in))).await;
        assert!(many.iter().all(|said| *said == Ok(200)), "{many:?}");
        rig.clock.advance(SignedDuration::from_mins(50));
        assert_eq!(read(&rig, &sign_in).await, Ok(200));
        assert_eq!(rig.okta.calls(Endpoint::Token), 1, "{kind:?}");
    }
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends_and_serves_meanwhile() {
    let rig = Rig::start();
    let sign_in = app(&rig, KeyKind::P256);
    assert_eq!(read(&rig, &sign_in).await, Ok(200));
    rig.clock.advance(SignedDuration::from_mins(56));
    rig.okta.fail_next(Endpoint::Token, [Fault::Status(503)]);
    assert_eq!(read(&rig, &sign_in).await, Ok(200));
    crate::support::process::until("a failed renewal", async || (rig.okta.calls(Endpoint::Token) == 2).then_some(()))
        .await;
    assert_eq!(read(&rig, &sign_in).await, Ok(200));
    rig.clock.advance(SignedDuration::from_secs(40));
    assert_eq!(read(&rig, &sign_in).await, Ok(200));
    crate::support::process::until("the next one", async || (rig.okta.calls(Endpoint::Token) == 3).then_some(())).await;
    rig.clock.advance(SignedDuration::from_mins(10));
    assert_eq!(read(&rig, &sign_in).await, Ok(200));
    assert_eq!(rig.okta.calls(Endpoint::Token), 3);
}

#[tokio::test]
async fn a_401_is_worth_one_renewal() {
    let rig = Rig::start();
    let sign_in = app(&rig, KeyKind::P256);
    assert_eq!(read(&rig, &sign_in).await, Ok(200));
    rig.okta.set(|state| state.issued.clear());
    rig.clock.advance(SignedDuration::from_mins(1));
    assert_eq!(read(&rig, &sign_in).await, Ok(200));
    assert_eq!(rig.okta.calls(Endpoint::Token), 2);
    // Whatever token we show, it isn't taken: that must not become two calls for each.
    rig.okta.set(|state| state.always.insert(Endpoint::ReadUser, Fault::Error(401, "E0000011")));
    for _ in 0..10 {
        assert_eq!(read(&rig, &sign_in).await, Ok(401));
    }
    assert_eq!(rig.okta.calls(Endpoint::Token), 2);
}

#[tokio::test]
async fn failing_to_sign_in_is_no_storm() {
    let rig = Rig::start();
    let sign_in = app(&rig, KeyKind::P256);
    rig.okta.fail_next(Endpoint::Token, [Fault::Status(500)]);
    let many = join_all((0..50).map(|_| read(&rig, &sign_in))).await;
    assert!(many.iter().all(|said| matches!(said, Err(DirectoryError::Unavailable(_)))), "{many:?}");
    assert_eq!((rig.okta.calls(Endpoint::Token), rig.okta.calls(Endpoint::ReadUser)), (1, 0));
    rig.clock.advance(SignedDuration::from_secs(2));
    assert_eq!(read(&rig, &sign_in).await, Ok(200));
}

#[tokio::test]
async fn what_okta_does_not_accept_is_rejected_and_named() {
    let rig = Rig::start();
    let key = |id| {
        let pem = rig.okta.register("0oaapp", KeyKind::P256, "k1", &["okta.users.read"]).unwrap();
        AppKey::from_pem(pem.as_bytes(), id).unwrap()
    };
    let attempt = async |client: &str, key, scopes: &[&str]| {
        let app = App { client_id: client.to_owned(), key };
        read(&rig, &rig.sign_in(Credentials::App(app), scopes)).await
    };
    assert_eq!(attempt("0oaapp", key(Some("k1")), &["okta.users.read"]).await, Ok(200));
    let refused = [
        (attempt("0oaapp", key(Some("k2")), &["okta.users.read"]).await, "invalid_client"),
        (attempt("0oaother", key(Some("k1")), &["okta.users.read"]).await, "invalid_client"),
        (attempt("0oaapp", key(Some("k1")), &SCOPES).await, "invalid_scope"),
    ];
    for (said, why) in refused {
        assert!(matches!(&said, Err(DirectoryError::Rejected(text)) if text.contains(why)), "{said:?}");
    }
    rig.okta.fail_next(
        Endpoint::Token,
        [Fault::Garbage(r#"{"token_type":"DPoP","expires_in":3600,"access_token":"x","scope":"y"}"#.to_owned())],
    );
    let said = attempt("0oaapp", key(Some("k1")), &["okta.users.read"]).await;
    assert!(matches!(&said, Err(DirectoryError::Rejected(text)) if text.contains("DPoP")), "{said:?}");
}

#[test]
fn keys_that_cannot_sign_are_refused() {
    behalf::adapters::oidc::install_crypto();
    for bad in ["", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no pem"] {
        assert!(AppKey::from_pem(bad.as_bytes(), None).is_err(), "{bad}");
    }
}
