//! Signing keys: RSA of 2048 bits, RS256.

use aws_lc_rs::{
    error::Unspecified,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::OldKey;

/// The key that signs, and the public halves of all that count.
pub(super) struct KeyChain {
    pair: RsaKeyPair,
    id: String,
    published: Vec<Value>,
}

impl KeyChain {
    pub(super) fn generate() -> Result<Self, Unspecified> {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048)?;
        let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
        let id = URL_SAFE_NO_PAD.encode(&Sha256::digest(&n)[..16]);
        let (n, e) = (URL_SAFE_NO_PAD.encode(n), URL_SAFE_NO_PAD.encode(e));
        let public = json!({"kty": "RSA", "alg": "RS256", "kid": id, "use": "sig", "e": e, "n": n});
        Ok(Self { pair, id, published: vec![public] })
    }

    pub(super) fn rotate(&mut self, mut new: Self, old: OldKey) {
        if old == OldKey::Keep {
            new.published.append(&mut self.published);
        }
        *self = new;
    }

    pub(super) fn document(&self) -> Value {
        json!({ "keys": self.published })
    }

    /// A compact JWS (RFC 7515, 7.1).
    pub(super) fn sign(&self, claims: &Map<String, Value>) -> Result<String, Unspecified> {
        let header = json!({"typ": "JWT", "alg": "RS256", "kid": self.id}).to_string();
        let claims = Value::Object(claims.clone()).to_string();
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature)?;
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}
