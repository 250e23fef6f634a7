//! Public keys of approvers as JSON Web Keys (RFC 7517, 8037): Ed25519 and P-256, and what they verify.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::domain::{
    bytes::{self, bytes_type},
    chain::{FormError, PublicKey},
};

bytes_type!(
    /// A coordinate, or a raw Ed25519 key.
    Coordinate, 32
);
bytes_type!(
    /// A key's name: its thumbprint (RFC 7638).
    Kid, 32
);

/// Members that only a private or a shared key has (RFC 7518, 6).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
/// Ed25519 keys of small order, without the sign: under them anybody can make signatures that verify. The last two are
/// other spellings of the first two.
const SMALL_ORDER: [&str; 7] = [
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_AU",
    "xxdqcD1N2E-6PAt2DRBnDyogU_osOczGTsf9d5KsA3o",
    "7P_______________________________________38",
    "7f_______________________________________38",
    "7v_______________________________________38",
];

/// Why a JSON value is no key for an approver.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwkError {
    /// Not an object with `kty` and `crv` of one of the two kinds.
    #[error("must be a public key: `kty` OKP with `crv` Ed25519, or `kty` EC with `crv` P-256")]
    Kind,
    /// It has what must stay with its owner.
    #[error("is a private key. Keep `{0}` to yourself, and use another key: this one is not secret any more")]
    Private(&'static str),
    /// A coordinate that isn't 32 bytes in base64url without padding.
    #[error("has no `{0}` of 32 bytes in base64url without padding")]
    Size(&'static str),
    /// A point that isn't on the curve, or one under which anybody can sign.
    #[error("is no point of the curve that could be a key")]
    Point,
    /// A member that contradicts the rest.
    #[error("has a `{0}` that doesn't fit")]
    Misfit(&'static str),
    /// A member that means nothing here.
    #[error("has a member that isn't one of kty, crv, x, y, alg, use, kid")]
    Unknown,
}

/// A public key that was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Wire", into = "Wire")]
pub enum Jwk {
    /// Ed25519; signs with `EdDSA` (RFC 8037).
    Ed25519 {
        /// The raw key.
        x: Coordinate,
    },
    /// P-256; signs with ES256.
    P256 {
        /// The point's first half.
        x: Coordinate,
        /// Its other half.
        y: Coordinate,
    },
}

/// The members that make the key, in the order of RFC 7638.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    crv: String,
    kty: String,
    x: Coordinate,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    y: Option<Coordinate>,
}

impl Jwk {
    /// Takes a key from outside: strictly, but for `alg`, `use` and `kid`, which may be there and must fit.
    pub fn parse(value: &Value) -> Result<Self, JwkError> {
        let object = value.as_object().ok_or(JwkError::Kind)?;
        if let Some(secret) = PRIVATE.iter().find(|name| object.contains_key(**name)) {
            return Err(JwkError::Private(secret));
        }
        let text = |name: &str| object.get(name).and_then(Value::as_str);
        let coordinate = |name: &'static str| text(name).and_then(|x| x.parse().ok()).ok_or(JwkError::Size(name));
        let key = match (text("kty"), text("crv")) {
            (Some("OKP"), Some("Ed25519")) => Self::Ed25519 { x: coordinate("x")? },
            (Some("EC"), Some("P-256")) => Self::P256 { x: coordinate("x")?, y: coordinate("y")? },
            _ => return Err(JwkError::Kind),
        };
        let thumbprint = key.kid().to_string();
        let fits = [("alg", key.algorithm()), ("use", "sig"), ("kid", &thumbprint)];
        if let Some((name, _)) = fits.iter().find(|(name, fit)| object.get(*name).is_some_and(|is| is != fit)) {
            return Err(JwkError::Misfit(name));
        }
        let known = ["kty", "crv", "x", "alg", "use", "kid"];
        let is_known = |name: &str| known.contains(&name) || (name == "y" && matches!(key, Self::P256 { .. }));
        if !object.keys().all(|name| is_known(name)) {
            return Err(JwkError::Unknown);
        }
        if key.is_sound() { Ok(key) } else { Err(JwkError::Point) }
    }

    /// The service's own key.
    pub fn of_service(key: &PublicKey) -> Self {
        Self::Ed25519 { x: Coordinate(key.0) }
    }

    /// The key's name.
    pub fn kid(&self) -> Kid {
        // The members in the order of their names and without white space (RFC 7638, 3).
        let members = match self {
            Self::Ed25519 { x } => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#),
            Self::P256 { x, y } => format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#),
        };
        Kid(Sha256::digest(members).into())
    }

    /// The one algorithm that it signs with.
    pub fn algorithm(&self) -> &'static str {
        match self {
            Self::Ed25519 { .. } => "EdDSA",
            Self::P256 { .. } => "ES256",
        }
    }

    /// Whether it made this signature (RFC 8032; RFC 7518, 3.4).
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match self {
            Self::Ed25519 { x } => UnparsedPublicKey::new(&ED25519, x.0).verify(message, signature),
            Self::P256 { x, y } => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point(x, y)).verify(message, signature)
            }
        };
        verified.is_ok()
    }

    fn is_sound(&self) -> bool {
        match self {
            Self::Ed25519 { x } => {
                let mut plain = x.0;
                plain[31] &= 0x7f;
                !SMALL_ORDER.contains(&bytes::text(&plain).as_str()) && ParsedPublicKey::new(&ED25519, x.0).is_ok()
            }
            Self::P256 { x, y } => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point(x, y)).is_ok(),
        }
    }
}

/// Uncompressed (SEC 1, 2.3.3).
fn point(x: &Coordinate, y: &Coordinate) -> Vec<u8> {
    [&[4], x.0.as_slice(), y.0.as_slice()].concat()
}

impl TryFrom<Wire> for Jwk {
    type Error = FormError;

    fn try_from(wire: Wire) -> Result<Self, FormError> {
        let key = match (wire.kty.as_str(), wire.crv.as_str(), wire.y) {
            ("OKP", "Ed25519", None) => Self::Ed25519 { x: wire.x },
            ("EC", "P-256", Some(y)) => Self::P256 { x: wire.x, y },
            _ => return Err(FormError::Spelling),
        };
        if key.is_sound() { Ok(key) } else { Err(FormError::Spelling) }
    }
}

impl From<Jwk> for Wire {
    fn from(key: Jwk) -> Self {
        let (kty, crv, x, y) = match key {
            Jwk::Ed25519 { x } => ("OKP", "Ed25519", x, None),
            Jwk::P256 { x, y } => ("EC", "P-256", x, Some(y)),
        };
        Self { kty: kty.to_owned(), crv: crv.to_owned(), x, y }
    }
}

#[cfg(test)]
mod tests;
