use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::*;
use crate::domain::{
    bytes,
    ids::Login,
    user::{Status, User},
};

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../../../tests/it/fixtures/approval-vectors.json")).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn nonce() -> Nonce {
    text(&vectors()["nonce_b64u"]).parse().unwrap()
}

fn digest() -> Digest {
    format!("sha256:{}", text(&vectors()["request_digest_hex"])).parse().unwrap()
}

fn second(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

/// The statement of the vectors.
fn payload() -> String {
    let (approver, digest, nonce) = (UserId::parse("00u_approver").unwrap(), digest(), nonce());
    let statement = Statement {
        approver: &approver,
        decision: Choice::Approve,
        request_id: "req_01JZZZZZZZZZZZZZZZZZZZZZZZ",
        request_digest: &digest,
        nonce: &nonce,
        issued: second(1_767_261_600),
        expires: second(1_767_261_900),
    };
    statement.payload().unwrap()
}

fn ed25519() -> (Ed25519KeyPair, Jwk) {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let x = bytes::text(pair.public_key().as_ref());
    (pair, Jwk::parse(&json!({"kty": "OKP", "crv": "Ed25519", "x": x})).unwrap())
}

/// What a signer makes, with any header.
fn detached(header: &str, payload: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let header = URL_SAFE_NO_PAD.encode(header);
    let signature = sign(format!("{header}.{}", URL_SAFE_NO_PAD.encode(payload)).as_bytes());
    format!("{header}..{}", URL_SAFE_NO_PAD.encode(signature))
}

#[test]
fn challenges_are_those_of_the_vectors() {
    let vectors = vectors();
    assert_eq!(crate::domain::hex::hex(CHALLENGE), text(&vectors["challenge_domain_hex"]));
    for (choice, name) in [(Choice::Approve, "challenge_approve_b64u"), (Choice::Deny, "challenge_deny_b64u")] {
        assert_eq!(bytes::text(&challenge(choice, &nonce(), &digest())), text(&vectors[name]));
    }
}

#[test]
fn the_detached_jws_of_the_vectors_verifies() {
    let jws = &vectors()["jws_detached"];
    assert_eq!(payload(), text(&jws["payload_jcs"]));
    let key = Jwk::parse(&json!({"kty": "OKP", "crv": "Ed25519", "x": jws["pub_raw_b64u"]})).unwrap();
    assert_eq!(verify_detached(text(&jws["detached"]), &key, "approver-key-1", &payload()), Ok(()));
    assert_eq!(kid_of(text(&jws["detached"])), Ok("approver-key-1".to_owned()));
    for other in
        [payload().replace("approve\"", "deny\""), payload().replace("1767261900", "1767261901"), String::new()]
    {
        assert_eq!(verify_detached(text(&jws["detached"]), &key, "approver-key-1", &other), Err(Fault::Wrong));
    }
    assert_eq!(verify_detached(text(&jws["detached"]), &key, "approver-key-2", &payload()), Err(Fault::KeyUnknown));
}

#[test]
fn es256_signs_as_well() {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref()).unwrap();
    let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
    let key = json!({"kty": "EC", "crv": "P-256", "x": bytes::text(x), "y": bytes::text(y)});
    let key = Jwk::parse(&key).unwrap();
    let sign = |input: &[u8]| pair.sign(&random, input).unwrap().as_ref().to_vec();
    let good = detached(r#"{"alg":"ES256","kid":"k","typ":"approval+jws"}"#, &payload(), sign);
    assert_eq!(verify_detached(&good, &key, "k", &payload()), Ok(()));
    assert_eq!(verify_detached(&good, &key, "k", "{}"), Err(Fault::Wrong));
    let zeros = detached(r#"{"alg":"ES256","kid":"k","typ":"approval+jws"}"#, &payload(), |_| vec![0; 64]);
    assert_eq!(verify_detached(&zeros, &key, "k", &payload()), Err(Fault::Wrong));
    let der = detached(r#"{"alg":"ES256","kid":"k","typ":"approval+jws"}"#, &payload(), |_| vec![0x30; 70]);
    assert_eq!(verify_detached(&der, &key, "k", &payload()), Err(Fault::Wrong));
}

#[test]
fn alg_confusion() {
    let (pair, key) = ed25519();
    let sign = |input: &[u8]| pair.sign(input).as_ref().to_vec();
    let Jwk::Ed25519 { x } = key else { panic!("an Ed25519 key") };
    for alg in ["none", "HS256", "ES256", "ed25519", "EdDSA "] {
        let jws = detached(&format!(r#"{{"alg":"{alg}","kid":"k","typ":"approval+jws"}}"#), &payload(), sign);
        assert_eq!(verify_detached(&jws, &key, "k", &payload()), Err(Fault::Algorithm), "{alg}");
    }
    let none = detached(r#"{"alg":"none","kid":"k","typ":"approval+jws"}"#, &payload(), |_| Vec::new());
    assert_eq!(verify_detached(&none, &key, "k", &payload()), Err(Fault::Algorithm));
    // The public key as the secret of an HMAC.
    let hmac = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &x.0);
    let mac = |input: &[u8]| aws_lc_rs::hmac::sign(&hmac, input).as_ref().to_vec();
    for alg in ["HS256", "EdDSA"] {
        let jws = detached(&format!(r#"{{"alg":"{alg}","kid":"k","typ":"approval+jws"}}"#), &payload(), mac);
        assert!(verify_detached(&jws, &key, "k", &payload()).is_err(), "{alg}");
    }
}

#[test]
fn header_jwk_and_every_other_member_is_refused() {
    let (pair, key) = ed25519();
    let sign = |input: &[u8]| pair.sign(input).as_ref().to_vec();
    let good = r#""alg":"EdDSA","kid":"k","typ":"approval+jws""#;
    assert_eq!(verify_detached(&detached(&format!("{{{good}}}"), &payload(), sign), &key, "k", &payload()), Ok(()));
    let jwk = serde_json::to_string(&key).unwrap();
    for more in [
        format!(r#""jwk":{jwk}"#),
        r#""jku":"https://x""#.to_owned(),
        r#""x5u":"https://x""#.to_owned(),
        r#""x5c":["a"]"#.to_owned(),
        r#""crit":["exp"],"exp":1"#.to_owned(),
        r#""alg":"EdDSA""#.to_owned(),
        r#""kid":"k""#.to_owned(),
    ] {
        let jws = detached(&format!("{{{good},{more}}}"), &payload(), sign);
        assert_eq!(verify_detached(&jws, &key, "k", &payload()), Err(Fault::Header), "{more}");
    }
    for typ in ["approval-countersignature+jws", "JWT", "application/approval+jws", "Approval+jws"] {
        let jws = detached(&format!(r#"{{"alg":"EdDSA","kid":"k","typ":"{typ}"}}"#), &payload(), sign);
        assert_eq!(verify_detached(&jws, &key, "k", &payload()), Err(Fault::Type), "{typ}");
    }
    // Attached, even with the right payload: the message brings nothing.
    let attached = detached(&format!("{{{good}}}"), &payload(), sign).replacen(
        "..",
        &format!(".{}.", URL_SAFE_NO_PAD.encode(payload())),
        1,
    );
    assert_eq!(verify_detached(&attached, &key, "k", &payload()), Err(Fault::Malformed));
}

#[test]
fn a_sign_in_is_fresh_for_five_minutes() {
    let now = second(1_767_261_600);
    let ago = |seconds: i64| is_fresh(Some(second(1_767_261_600 - seconds)), now).is_some();
    assert!(ago(0) && ago(300) && ago(-60));
    assert!(!ago(301) && !ago(86_400) && !ago(-61));
    assert!(is_fresh(None, now).is_none());
}

fn user(profile: &Value) -> User {
    User {
        id: UserId::parse("00uada").unwrap(),
        login: Login::parse("ada@example.test").unwrap(),
        status: Status::Active,
        user_type: None,
        profile: serde_json::from_value(profile.clone()).unwrap(),
    }
}

#[test]
fn the_typed_name_is_the_directorys() {
    let ada = user(&json!({"firstName": "Ada", "lastName": "Lovelacé"}));
    let sentence = meaning(Choice::Approve);
    let typed = |name: &str| check_typed(&ada, Choice::Approve, name, sentence);
    assert_eq!(typed("Ada Lovelacé"), Ok(()));
    assert_eq!(typed(" ADA  lovelace\u{301} "), Ok(()));
    for other in ["", "Ada", "Ada Lovelace", "Lovelacé Ada", "ada@example.test"] {
        assert_eq!(typed(other), Err(Fault::NameDiffers), "{other}");
    }
    assert_eq!(check_typed(&ada, Choice::Deny, "Ada Lovelacé", sentence), Err(Fault::MeaningDiffers));
    assert_eq!(check_typed(&ada, Choice::Deny, "Ada Lovelacé", meaning(Choice::Deny)), Ok(()));
    let shown = user(&json!({"firstName": "Ada", "displayName": "Countess Lovelace"}));
    assert_eq!(check_typed(&shown, Choice::Approve, "countess lovelace", sentence), Ok(()));
    for nameless in [json!({}), json!({"firstName": "Ada"}), json!({"displayName": " "})] {
        assert_eq!(check_typed(&user(&nameless), Choice::Approve, "", sentence), Err(Fault::NameUnknown));
    }
}

#[test]
fn codes_are_unique_and_nobody_learns_whose_a_nonce_is() {
    let all = [
        Fault::ChallengeUnknown,
        Fault::ChallengeForeign,
        Fault::ChallengeUsed,
        Fault::ChallengeExpired,
        Fault::ChallengeMismatch,
        Fault::DigestMismatch,
        Fault::Malformed,
        Fault::Header,
        Fault::Type,
        Fault::Algorithm,
        Fault::KeyUnknown,
        Fault::KeyNotActive,
        Fault::KeyTooNew,
        Fault::Wrong,
        Fault::NotFresh,
        Fault::NameUnknown,
        Fault::NameDiffers,
        Fault::MeaningDiffers,
    ];
    let codes: std::collections::BTreeSet<_> = all.iter().map(|fault| fault.code()).collect();
    assert_eq!(codes.len(), all.len());
    let (foreign, unknown) = (Fault::ChallengeForeign, Fault::ChallengeUnknown);
    assert_eq!((foreign.public_code(), foreign.to_string()), (unknown.public_code(), unknown.to_string()));
}
