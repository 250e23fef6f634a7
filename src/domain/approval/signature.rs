//! What an approver signs, and whether he did. Pure: bytes in, yes or no out.
//!
//! * `jws`: his registered key signs a statement that the service puts together and hands out with the challenge. What
//!   is verified are the very bytes that the service would build, so the message can't say anything else.
//! * `typed`: he signed in a moment ago, and typed his full name and the meaning of it. That is evidence of his intent
//!   as the service saw it; it proves nothing to somebody who doesn't believe the service.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Choice, jwk::Jwk};
use crate::domain::{
    bytes::bytes_type,
    canonical::canonical,
    chain::{Digest, FormError},
    ids::UserId,
    jws::{Jws, JwsError},
    text::same_name,
    user::User,
};

bytes_type!(
    /// A challenge's random part. Good once, for one approver, one decision and one version of one request.
    Nonce, 32
);

/// Begins what is hashed for a challenge.
const CHALLENGE: &[u8] = b"da-approval-challenge-v1\0";
/// `typ` of the header of an approver's signature.
pub const JWS_TYP: &str = "approval+jws";
/// `typ` of the statement that he signs.
const STATEMENT_TYP: &str = "approval-decision";
/// How long a statement may be good, seconds.
pub const MOST_SECONDS: i64 = 300;
/// How long ago the sign-in of a typed signature may be.
pub const FRESH: SignedDuration = SignedDuration::from_mins(5);
/// How far the clocks of the identity provider and ours may be apart.
const LEEWAY: SignedDuration = SignedDuration::from_secs(60);

/// Why a signature doesn't count. The codes are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No such nonce was given out, or not to him.
    #[error("the nonce is none that was given to you for this request; ask for a challenge")]
    ChallengeUnknown,
    /// Somebody uses another's.
    #[error("the nonce is none that was given to you for this request; ask for a challenge")]
    ChallengeForeign,
    /// It was used before, for whatever.
    #[error("the challenge was used already; ask for another one")]
    ChallengeUsed,
    /// Its five minutes are over.
    #[error("the challenge has expired; ask for another one")]
    ChallengeExpired,
    /// It is for another request, another version of it, or the other decision.
    #[error("the challenge is for another request, version or decision; ask for one for this")]
    ChallengeMismatch,
    /// What lies in the store isn't what was asked to be signed.
    #[error("the request is not the one that the challenge was made for")]
    DigestMismatch,
    /// Not a detached JWS.
    #[error("the signature is no detached JWS (RFC 7515, appendix F)")]
    Malformed,
    /// The header has other members.
    #[error("the signature's header must have exactly `alg`, `kid` and `typ`, each once")]
    Header,
    /// The header's `typ` is another one.
    #[error("the signature's header must have the typ `approval+jws`")]
    Type,
    /// The key doesn't sign with this algorithm.
    #[error("the signature's `alg` is not the one of the key")]
    Algorithm,
    /// Not a key of the approver.
    #[error("the signature's `kid` is no key of yours")]
    KeyUnknown,
    /// It was revoked, or isn't approved yet.
    #[error("the key is revoked, refused, or not approved yet")]
    KeyNotActive,
    /// It was registered after the challenge was made, or its cool-down wasn't over then.
    #[error("the key can't be used with this challenge: it was registered too late; ask for another one")]
    KeyTooNew,
    /// It doesn't verify.
    #[error("the signature does not verify; sign the `statement` of the challenge, byte for byte")]
    Wrong,
    /// The sign-in was too long ago, or the token doesn't say when it was.
    #[error("sign in again: the access token must have an `auth_time` of the last five minutes")]
    NotFresh,
    /// The directory has no full name to compare with.
    #[error("the directory knows no full name of yours; sign with a key")]
    NameUnknown,
    /// Another name than the directory's.
    #[error("the name is not your full name as the directory has it")]
    NameDiffers,
    /// Another sentence.
    #[error("the meaning is not the sentence of this decision")]
    MeaningDiffers,
}

impl Fault {
    /// Its stable code, exact: for the audit trail.
    pub fn code(self) -> &'static str {
        match self {
            Self::ChallengeUnknown => "challenge-unknown",
            Self::ChallengeForeign => "challenge-foreign",
            Self::ChallengeUsed => "challenge-used",
            Self::ChallengeExpired => "challenge-expired",
            Self::ChallengeMismatch => "challenge-mismatch",
            Self::DigestMismatch => "digest-mismatch",
            Self::Malformed => "signature-malformed",
            Self::Header => "signature-header",
            Self::Type => "signature-type",
            Self::Algorithm => "signature-algorithm",
            Self::KeyUnknown => "key-unknown",
            Self::KeyNotActive => "key-not-active",
            Self::KeyTooNew => "key-too-new",
            Self::Wrong => "signature-wrong",
            Self::NotFresh => "authentication-not-fresh",
            Self::NameUnknown => "name-unknown",
            Self::NameDiffers => "name-differs",
            Self::MeaningDiffers => "meaning-differs",
        }
    }

    /// What the caller is told: whose a nonce is, is nobody else's business.
    pub fn public_code(self) -> &'static str {
        match self {
            Self::ChallengeForeign => Self::ChallengeUnknown.code(),
            Self::NotFresh => "insufficient-user-authentication",
            other => other.code(),
        }
    }
}

impl From<JwsError> for Fault {
    fn from(error: JwsError) -> Self {
        match error {
            JwsError::Form => Self::Malformed,
            JwsError::Header => Self::Header,
        }
    }
}

/// What signing means, in the words that the signer sees.
pub fn meaning(choice: Choice) -> &'static str {
    match choice {
        Choice::Approve => "I reviewed and approve this delegated access",
        Choice::Deny => "I reviewed and deny this delegated access",
    }
}

/// The challenge of a nonce: SHA-256 over the tag, the decision, the nonce and the request's digest.
pub fn challenge(choice: Choice, nonce: &Nonce, digest: &Digest) -> [u8; 32] {
    let decision = match choice {
        Choice::Approve => 1,
        Choice::Deny => 2,
    };
    Digest::of(CHALLENGE, &[&[decision], nonce.0.as_slice(), digest.0.as_slice()].concat()).0
}

/// What a key signs: one person's decision about one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement<'a> {
    /// Who decides.
    pub approver: &'a UserId,
    /// What.
    pub decision: Choice,
    /// About which request.
    pub request_id: &'a str,
    /// To the byte.
    pub request_digest: &'a Digest,
    /// The challenge's nonce.
    pub nonce: &'a Nonce,
    /// When the challenge was made; to the second.
    pub issued: Timestamp,
    /// When it ends; to the second.
    pub expires: Timestamp,
}

#[derive(Serialize)]
struct Payload<'a> {
    approver: &'a UserId,
    decision: Choice,
    exp: i64,
    iat: i64,
    meaning: &'static str,
    nonce: &'a Nonce,
    request_digest: &'a Digest,
    request_id: &'a str,
    typ: &'static str,
    v: u8,
}

/// What a statement says about its own time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Times {
    /// From when on, seconds since 1970.
    pub iat: i64,
    /// Until when.
    pub exp: i64,
}

impl Statement<'_> {
    /// The payload in canonical JSON.
    pub fn payload(&self) -> Result<String, FormError> {
        canonical(&Payload {
            approver: self.approver,
            decision: self.decision,
            exp: self.expires.as_second(),
            iat: self.issued.as_second(),
            meaning: meaning(self.decision),
            nonce: self.nonce,
            request_digest: self.request_digest,
            request_id: self.request_id,
            typ: STATEMENT_TYP,
            v: 1,
        })
    }
}

/// Which key a detached signature says that it is of.
pub fn kid_of(jws: &str) -> Result<String, Fault> {
    Ok(Jws::parse(jws)?.header.kid)
}

/// Whether this key, known to the service as `kid`, signed this payload. The message chooses neither key nor algorithm.
pub fn verify_detached(jws: &str, key: &Jwk, kid: &str, payload: &str) -> Result<(), Fault> {
    let jws = Jws::parse(jws)?;
    if !jws.is_detached() {
        return Err(Fault::Malformed);
    }
    if jws.header.typ != JWS_TYP {
        return Err(Fault::Type);
    }
    if jws.header.kid != kid {
        return Err(Fault::KeyUnknown);
    }
    if jws.header.alg != key.algorithm() {
        return Err(Fault::Algorithm);
    }
    if key.verify(&jws.input_with(payload), &jws.signature) { Ok(()) } else { Err(Fault::Wrong) }
}

/// Whether somebody signed in within the last five minutes.
pub fn is_fresh(auth_time: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    auth_time.filter(|at| {
        let age = now.duration_since(*at);
        age <= FRESH && age >= -LEEWAY
    })
}

/// The same for an outsider, who has the sign-in by one clock and the vote by another.
pub fn was_fresh(auth_time: Timestamp, voted: Timestamp) -> bool {
    let age = voted.duration_since(auth_time);
    age <= FRESH + LEEWAY && age >= -LEEWAY
}

/// The user's full name as the directory has it: first and last name, else the name that it displays.
pub fn full_name(user: &User) -> Option<String> {
    let parts: Vec<_> = ["firstName", "lastName"].iter().filter_map(|name| user.text(name)).collect();
    let name = if parts.len() == 2 { Some(parts.join(" ")) } else { user.text("displayName") };
    name.filter(|name| !name.trim().is_empty())
}

/// Whether he typed his own full name, and the sentence of this decision.
pub fn check_typed(user: &User, choice: Choice, name: &str, meant: &str) -> Result<(), Fault> {
    let full = full_name(user).ok_or(Fault::NameUnknown)?;
    if !same_name(&full, name) {
        return Err(Fault::NameDiffers);
    }
    if meant == meaning(choice) { Ok(()) } else { Err(Fault::MeaningDiffers) }
}

#[cfg(test)]
mod tests;
