//! A key set (RFC 7517): which of its keys verify signatures, and with which one algorithm each.

use std::sync::Arc;

use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;

/// Keys of one set that are looked at; what comes after is ignored.
pub(super) const MAX_KEYS: usize = 100;

/// A key that verifies signatures of one algorithm. The token's header has no say in which (RFC 8725, 3.1).
pub(super) struct Key {
    id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) decoding: DecodingKey,
}

/// What a token's header finds in a set.
pub(super) enum Lookup {
    Found(Arc<Key>),
    /// No key of that id: the issuer may have a newer set.
    Unknown,
    /// The set can't serve this token, however new it is.
    Unfit(&'static str),
}

/// What a key holds at most beside the parts of the document that it was read from.
pub(super) const KEY_OVERHEAD: usize = 1024;

/// The keys of a set that can be used.
pub(super) struct KeySet {
    keys: Vec<Arc<Key>>,
    /// The document's length.
    length: usize,
}

impl KeySet {
    /// Reads a set. A key that can't be used is left out; a document that is no set is an error.
    pub(super) fn parse(body: &[u8]) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        struct Document {
            keys: Vec<Value>,
        }
        let document: Document = serde_json::from_slice(body)?;
        let keys = document.keys.into_iter().take(MAX_KEYS).filter_map(usable).map(Arc::new).collect();
        Ok(Self { keys, length: body.len() })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The most bytes that it holds: no part of a key is longer than its text in the document.
    pub(super) fn size(&self) -> usize {
        self.length + self.keys.len() * KEY_OVERHEAD
    }

    /// The key of that id, or without an id the only one there is for the algorithm.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Lookup {
        let fitting = |key: &&Arc<Key>| key.algorithm == algorithm;
        let Some(id) = id else {
            let mut keys = self.keys.iter().filter(fitting);
            return match (keys.next(), keys.next()) {
                (Some(key), None) => Lookup::Found(Arc::clone(key)),
                (None, _) => Lookup::Unfit("it names no key, and the issuer has none for its algorithm"),
                (Some(_), Some(_)) => Lookup::Unfit("it names no key, and the issuer has several for its algorithm"),
            };
        };
        let mut named = self.keys.iter().filter(|key| key.id.as_deref() == Some(id)).peekable();
        if named.peek().is_none() {
            return Lookup::Unknown;
        }
        match named.find(fitting) {
            Some(key) => Lookup::Found(Arc::clone(key)),
            None => Lookup::Unfit("its algorithm is not its key's"),
        }
    }
}

fn usable(key: Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(key).ok()?;
    let signs = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
    let verifies = jwk.common.key_operations.as_ref().is_none_or(|ops| ops.contains(&KeyOperations::Verify));
    if !signs || !verifies {
        return None;
    }
    let algorithm = pinned(&jwk)?;
    let decoding = DecodingKey::from_jwk(&jwk).ok()?;
    Some(Key { id: jwk.common.key_id, algorithm, decoding })
}

/// The one algorithm of a key: its `alg` where that fits the kind of key, else what the kind of key says. An RSA key
/// that names none is RS256, which every issuer must offer (OpenID Connect Core 15.1).
fn pinned(jwk: &Jwk) -> Option<Algorithm> {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    let possible: &[Algorithm] = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => &[RS256, RS384, RS512, PS256, PS384, PS512],
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => &[ES256],
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => &[ES384],
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => &[EdDSA],
        // Among them symmetric keys: in a public document they are no secret, and hence no keys.
        _ => &[],
    };
    match jwk.common.key_algorithm {
        None => possible.first().copied(),
        Some(named) => possible.iter().copied().find(|algorithm| KeyAlgorithm::from(*algorithm) == named),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const N: &str = "sXchDaQebHnPiGvyDOAT4saGEUetSyo9MKLOoWFsueri23bOdgWp4Dy1WlUzewbgBHod5pcM9H95GQRV3JDXboIRROSBigeC5yjU1hGzHHyXss8UDprecbAYxknTcQkhslANGRUZmdTOQ5qTRsLAt6BTYuyvVRdhS8exSZEy_c4gs_7svlJJQ4H9_NxsiIoLwAEk7-Q3UXERGYw_75IDrGA84-lA_-Ct4eTlXHBIY2EaV7t7LjJaynVJCpkv4LKjTTAumiGUIuQhrNhZLuF_RJLqHpM2kgWFLU7-VTdL1VbC2tejvcI2BlMkEpk1BzBZI0KQB0GaDWFLN-aEAw3vRw";
    const X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
    const Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";

    fn algorithm_of(key: Value) -> Option<Algorithm> {
        usable(key).map(|key| key.algorithm)
    }

    #[test]
    fn the_key_pins_its_algorithm() {
        let rsa = |alg: &str| algorithm_of(json!({"kty": "RSA", "n": N, "e": "AQAB", "alg": alg}));
        assert_eq!(algorithm_of(json!({"kty": "RSA", "n": N, "e": "AQAB"})), Some(Algorithm::RS256));
        assert_eq!(rsa("PS384"), Some(Algorithm::PS384));
        assert_eq!(rsa("RS512"), Some(Algorithm::RS512));
        let p256 = json!({"kty": "EC", "crv": "P-256", "x": X, "y": Y, "use": "sig"});
        assert_eq!(algorithm_of(p256), Some(Algorithm::ES256));
        let ed = json!({"kty": "OKP", "crv": "Ed25519", "x": X, "key_ops": ["verify"]});
        assert_eq!(algorithm_of(ed), Some(Algorithm::EdDSA));
    }

    #[test]
    fn keys_that_verify_nothing_are_left_out() {
        let refused = [
            json!({"kty": "RSA", "n": N, "e": "AQAB", "use": "enc"}),
            json!({"kty": "RSA", "n": N, "e": "AQAB", "alg": "RSA-OAEP"}),
            json!({"kty": "RSA", "n": N, "e": "AQAB", "alg": "ES256"}),
            json!({"kty": "RSA", "n": N, "e": "AQAB", "alg": "HS256"}),
            json!({"kty": "RSA", "n": N, "e": "AQAB", "key_ops": ["encrypt"]}),
            json!({"kty": "RSA", "n": "!", "e": "AQAB"}),
            json!({"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}),
            json!({"kty": "EC", "crv": "secp256k1", "x": X, "y": Y}),
            json!({"kty": "EC", "crv": "P-521", "x": X, "y": Y}),
            json!({"kty": "EC", "crv": "P-256", "x": X, "y": Y, "alg": "ES384"}),
            json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": X}),
            json!({"kid": 7}),
            json!("a text"),
            json!(null),
        ];
        let set = KeySet::parse(&serde_json::to_vec(&json!({ "keys": refused })).unwrap()).unwrap();
        assert!(set.is_empty());
    }

    #[test]
    fn what_is_no_set_is_an_error() {
        for body in ["", "<html>", "[]", "{}", r#"{"keys": {}}"#, r#"{"keys": null}"#] {
            assert!(KeySet::parse(body.as_bytes()).is_err(), "{body}");
        }
        assert!(KeySet::parse(br#"{"keys": []}"#).unwrap().is_empty());
    }

    #[test]
    fn a_token_without_a_key_id_needs_an_only_key() {
        let set = |ids: &[&str]| {
            let keys: Vec<_> = ids.iter().map(|id| json!({"kty": "RSA", "n": N, "e": "AQAB", "kid": id})).collect();
            KeySet::parse(&serde_json::to_vec(&json!({ "keys": keys })).unwrap()).unwrap()
        };
        assert!(matches!(set(&["a"]).find(None, Algorithm::RS256), Lookup::Found(_)));
        assert!(matches!(set(&["a"]).find(None, Algorithm::ES256), Lookup::Unfit(_)));
        assert!(matches!(set(&["a", "b"]).find(None, Algorithm::RS256), Lookup::Unfit(_)));
        assert!(matches!(set(&["a", "b"]).find(Some("b"), Algorithm::RS256), Lookup::Found(_)));
        assert!(matches!(set(&["a", "b"]).find(Some("b"), Algorithm::PS256), Lookup::Unfit(_)));
        assert!(matches!(set(&["a", "b"]).find(Some("c"), Algorithm::RS256), Lookup::Unknown));
    }
}
