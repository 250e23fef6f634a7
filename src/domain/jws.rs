//! JSON Web Signatures (RFC 7515) in compact form, in the one shape that is used here: a protected header of `alg`,
//! `kid` and `typ`, each once and nothing besides.
//!
//! So there is no `crit` that somebody may not understand, and no `jwk`, `jku`, `x5c` or `x5u` by which a message would
//! bring its own key. Which key, and with it which algorithm, is settled before the header is looked at.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

/// Longer ones are refused unread.
const MOST_BYTES: usize = 8 * 1024;

/// The protected header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The algorithm.
    pub alg: String,
    /// The key.
    pub kid: String,
    /// What is signed.
    pub typ: String,
}

/// Why a text is no such signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    /// Not three parts of base64url, or too long.
    #[error("is not a JWS in compact form (RFC 7515)")]
    Form,
    /// Other members, or one of them twice or not at all.
    #[error("has a protected header of other members than `alg`, `kid` and `typ`, each once")]
    Header,
}

/// A signature that was taken apart; nothing is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jws<'a> {
    /// The header.
    pub header: Header,
    /// Header and payload as they came; the payload is empty where it is detached.
    protected: &'a str,
    payload: &'a str,
    /// The signature.
    pub signature: Vec<u8>,
}

impl<'a> Jws<'a> {
    /// Takes `header.payload.signature` apart.
    pub fn parse(text: &'a str) -> Result<Self, JwsError> {
        let mut parts = text.split('.');
        let (protected, payload, signature) = match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(protected), Some(payload), Some(signature), None) if text.len() <= MOST_BYTES => {
                (protected, payload, signature)
            }
            _ => return Err(JwsError::Form),
        };
        let bytes = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| JwsError::Form);
        let header = bytes(protected)?;
        let header = std::str::from_utf8(&header).map_err(|_| JwsError::Form)?;
        // Derived readers refuse a member that stands there twice.
        let header = serde_json::from_str(header).map_err(|_| JwsError::Header)?;
        Ok(Self { header, protected, payload, signature: bytes(signature)? })
    }

    /// True if the payload was left out (RFC 7515, appendix F).
    pub fn is_detached(&self) -> bool {
        self.payload.is_empty()
    }

    /// What is signed, with this payload put back in.
    pub fn input_with(&self, payload: &str) -> Vec<u8> {
        format!("{}.{}", self.protected, URL_SAFE_NO_PAD.encode(payload)).into_bytes()
    }
}

/// Signs a payload, which is left out.
pub fn sign_detached(
    header: &Header,
    payload: &str,
    sign: impl FnOnce(&[u8]) -> [u8; 64],
) -> Result<String, serde_json::Error> {
    let header = URL_SAFE_NO_PAD.encode(serde_json::to_string(header)?);
    let signature = sign(format!("{header}.{}", URL_SAFE_NO_PAD.encode(payload)).as_bytes());
    Ok(format!("{header}..{}", URL_SAFE_NO_PAD.encode(signature)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_header(header: &str) -> String {
        format!("{}..c2ln", URL_SAFE_NO_PAD.encode(header))
    }

    #[test]
    fn the_three_members_and_nothing_else() {
        let text = with_header(r#"{"typ":"t","kid":"k","alg":"EdDSA"}"#);
        let jws = Jws::parse(&text).unwrap();
        assert_eq!(jws.header, Header { alg: "EdDSA".to_owned(), kid: "k".to_owned(), typ: "t".to_owned() });
        assert!(jws.is_detached());
        for more in [
            r#""crit":["b64"]"#,
            r#""b64":false"#,
            r#""jwk":{"kty":"OKP"}"#,
            r#""jku":"https://x""#,
            r#""x5u":"https://x""#,
            r#""x5c":[]"#,
            r#""x5t":"a""#,
            r#""cty":"a""#,
            r#""alg":"EdDSA""#,
            r#""kid":"other""#,
            r#""typ":"t""#,
        ] {
            let text = with_header(&format!(r#"{{"alg":"EdDSA","kid":"k","typ":"t",{more}}}"#));
            assert_eq!(Jws::parse(&text), Err(JwsError::Header), "{more}");
        }
        for less in ["{}", "[]", r#"{"alg":"EdDSA","kid":"k"}"#, r#"{"alg":1,"kid":"k","typ":"t"}"#, "{} {}"] {
            assert_eq!(Jws::parse(&with_header(less)), Err(JwsError::Header), "{less}");
        }
    }

    #[test]
    fn other_shapes_are_none() {
        let good = with_header(r#"{"alg":"EdDSA","kid":"k","typ":"t"}"#);
        let long = format!("{good}{}", "A".repeat(MOST_BYTES));
        for bad in
            ["", ".", "..", "a.b", &good[1..], &format!("{good}.x"), &format!("{good}="), &format!(" {good}"), &long]
        {
            assert!(Jws::parse(bad).is_err(), "{bad}");
        }
    }
}
