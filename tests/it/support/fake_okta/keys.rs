//! Keys for service apps.

use aws_lc_rs::{
    encoding::AsDer as _,
    rsa::KeySize,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, jwk::Jwk};

/// The sort of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyKind {
    Rsa,
    P256,
}

/// A new key: the private half as PEM (PKCS#8), and the public half.
pub(super) fn pair(kind: KeyKind) -> Option<(String, DecodingKey)> {
    let (der, algorithm) = match kind {
        KeyKind::Rsa => {
            let pair = aws_lc_rs::rsa::KeyPair::generate(KeySize::Rsa2048).ok()?;
            let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().ok()?;
            (der.as_ref().to_vec(), Algorithm::RS256)
        }
        KeyKind::P256 => {
            let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).ok()?;
            (pair.to_pkcs8v1().ok()?.as_ref().to_vec(), Algorithm::ES256)
        }
    };
    let text = STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"));
    let key = match kind {
        KeyKind::Rsa => EncodingKey::from_rsa_pem(pem.as_bytes()),
        KeyKind::P256 => EncodingKey::from_ec_pem(pem.as_bytes()),
    };
    let public = Jwk::from_encoding_key(&key.ok()?, algorithm).ok()?;
    Some((pem, DecodingKey::from_jwk(&public).ok()?))
}
