use serde_json::json;

use super::*;

/// The example of RFC 8037, appendix A.2.
const ED25519: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
/// The example of RFC 7515, appendix A.3.
const X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
const Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";

fn ed25519() -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "x": ED25519})
}

fn p256() -> Value {
    json!({"kty": "EC", "crv": "P-256", "x": X, "y": Y})
}

fn with(mut key: Value, name: &str, value: Value) -> Value {
    key[name] = value;
    key
}

#[test]
fn thumbprints_are_those_of_the_rfc() {
    // RFC 8037, appendix A.3.
    assert_eq!(Jwk::parse(&ed25519()).unwrap().kid().to_string(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    assert_ne!(Jwk::parse(&p256()).unwrap().kid(), Jwk::parse(&ed25519()).unwrap().kid());
}

#[test]
fn signatures_of_both_kinds_are_those_of_the_rfcs() {
    let bytes = |text: &str| base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, text).unwrap();
    // RFC 8037, appendix A.4.
    let input = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature = bytes("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg");
    let key = Jwk::parse(&ed25519()).unwrap();
    assert!(key.verify(input, &signature));
    assert!(!key.verify(b"other", &signature) && !key.verify(input, &signature[1..]) && !key.verify(input, &[]));
    // RFC 7515, appendix A.3.
    let input = b"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let signature = bytes("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q");
    let key = Jwk::parse(&p256()).unwrap();
    assert!(key.verify(input, &signature));
    let zeros = [0; 64];
    let mut no_r = signature.clone();
    no_r[..32].fill(0);
    assert!(!key.verify(b"other", &signature) && !key.verify(input, &zeros) && !key.verify(input, &no_r));
}

#[test]
fn what_may_be_there_must_fit() {
    for (name, value) in [("alg", json!("EdDSA")), ("use", json!("sig"))] {
        assert!(Jwk::parse(&with(ed25519(), name, value)).is_ok(), "{name}");
    }
    let kid = Jwk::parse(&p256()).unwrap().kid().to_string();
    assert!(Jwk::parse(&with(p256(), "kid", json!(kid))).is_ok());
    for (name, value) in [("alg", json!("ES256")), ("alg", json!("none")), ("use", json!("enc")), ("kid", json!(kid))] {
        assert_eq!(Jwk::parse(&with(ed25519(), name, value)), Err(JwkError::Misfit(name)));
    }
}

#[test]
fn keys_of_the_wrong_type_or_size_are_refused() {
    let cases = [
        (json!("key"), JwkError::Kind),
        (json!({}), JwkError::Kind),
        (json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"}), JwkError::Kind),
        (json!({"kty": "oct", "x": X}), JwkError::Kind),
        (json!({"kty": "oct", "k": X}), JwkError::Private("k")),
        (with(ed25519(), "crv", json!("X25519")), JwkError::Kind),
        (with(ed25519(), "crv", json!("Ed448")), JwkError::Kind),
        (with(p256(), "crv", json!("P-384")), JwkError::Kind),
        (with(p256(), "crv", json!("secp256k1")), JwkError::Kind),
        (with(p256(), "kty", json!("OKP")), JwkError::Kind),
        (with(ed25519(), "d", json!("secret")), JwkError::Private("d")),
        (with(p256(), "d", json!(null)), JwkError::Private("d")),
        (with(ed25519(), "x", json!(7)), JwkError::Size("x")),
        (with(ed25519(), "x", json!("")), JwkError::Size("x")),
        (with(ed25519(), "x", json!(&ED25519[1..])), JwkError::Size("x")),
        (with(ed25519(), "x", json!(format!("{ED25519}="))), JwkError::Size("x")),
        // The last character carries four bits: this is another spelling of the same key.
        (with(ed25519(), "x", json!(ED25519.replace("HURo", "HURp"))), JwkError::Size("x")),
        (with(p256(), "y", json!(null)), JwkError::Size("y")),
        (with(p256(), "y", json!(X)), JwkError::Point),
        (with(ed25519(), "y", json!(Y)), JwkError::Unknown),
        (with(ed25519(), "x5u", json!("https://x")), JwkError::Unknown),
    ];
    for (value, error) in cases {
        assert_eq!(Jwk::parse(&value), Err(error), "{value}");
    }
}

#[test]
fn a_key_under_which_anybody_can_sign_is_refused() {
    for x in SMALL_ORDER {
        let mut other_sign: [u8; 32] = bytes::read(x).unwrap();
        other_sign[31] |= 0x80;
        for x in [x.to_owned(), bytes::text(&other_sign)] {
            assert_eq!(Jwk::parse(&with(ed25519(), "x", json!(x))), Err(JwkError::Point), "{x}");
        }
    }
}

#[test]
fn stored_form_round_trips_and_is_checked_again() {
    for value in [ed25519(), p256()] {
        let key = Jwk::parse(&value).unwrap();
        assert_eq!(serde_json::to_value(key).unwrap(), value);
        assert_eq!(serde_json::from_value::<Jwk>(value).unwrap(), key);
    }
    for bad in [with(p256(), "y", json!(X)), with(ed25519(), "x", json!(SMALL_ORDER[1])), with(p256(), "d", json!("a"))]
    {
        assert!(serde_json::from_value::<Jwk>(bad.clone()).is_err(), "{bad}");
    }
}
