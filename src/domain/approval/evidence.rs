//! What is kept of a decision, so that an outsider can verify it: the signature that was given, and the service's own.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Approval, ApprovalId, Choice, Vote,
    jwk::{Jwk, Kid},
    signature::Nonce,
    template::SignatureLevel,
};
use crate::domain::{
    canonical::canonical,
    chain::{Digest, FormError, PublicKey, Signature},
    delegation::Party,
    ids::TenantName,
    jws::{self, Header},
};

/// `typ` of the document.
pub(super) const TYP: &str = "approval-evidence";
/// `typ` of the header of the service's signature.
pub const COUNTERSIGNATURE_TYP: &str = "approval-countersignature+jws";
/// The service signs with Ed25519 (RFC 8037).
pub(super) const SERVICE_ALG: &str = "EdDSA";

/// A signature that was verified, with all that it takes to verify it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "level", rename_all = "snake_case", deny_unknown_fields)]
pub enum Signed {
    /// A fresh sign-in, and the full name, typed.
    Typed {
        /// The challenge's nonce.
        nonce: Nonce,
        /// The request that he was shown.
        digest: Digest,
        /// As he typed it.
        name: String,
        /// The sentence that he agreed to.
        meaning: String,
        /// When he signed in, as his token says.
        auth_time: Timestamp,
        /// How, as his token says.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        amr: Vec<String>,
    },
    /// A detached JWS by a registered key.
    Jws {
        /// The challenge's nonce.
        nonce: Nonce,
        /// The key's name.
        kid: Kid,
        /// The key.
        key: Jwk,
        /// When it was registered.
        registered: Timestamp,
        /// What was signed.
        payload: String,
        /// The signature.
        jws: String,
    },
}

impl Signed {
    /// How it was given.
    pub fn level(&self) -> SignatureLevel {
        match self {
            Self::Typed { .. } => SignatureLevel::Typed,
            Self::Jws { .. } => SignatureLevel::Jws,
        }
    }
}

/// The service's own signature under a vote. What it signs is rebuilt from the vote, so it isn't kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Countersignature {
    /// The audit event that tells of the vote.
    pub event: String,
    /// Detached JWS (RFC 7515, appendix F).
    pub jws: String,
}

/// What the service signs about a decision.
#[derive(Serialize)]
struct Countersigned<'a> {
    approver: &'a Party,
    decision: Choice,
    event: &'a str,
    iat: i64,
    level: &'static str,
    request_digest: Digest,
    request_id: ApprovalId,
    request_version: u32,
    tenant: &'a TenantName,
    typ: &'static str,
    v: u8,
    /// Of the whole vote but for this signature.
    vote_digest: Digest,
}

/// What a vote belongs to.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Whose.
    pub tenant: &'a TenantName,
    /// Which approval.
    pub approval: ApprovalId,
    /// Which version of it.
    pub version: u32,
    /// The request's digest.
    pub digest: Digest,
}

/// The service's statement about a vote, in canonical JSON.
pub(super) fn countersigned(subject: &Subject<'_>, vote: &Vote, event: &str) -> Result<String, FormError> {
    let bare = Vote { countersignature: None, ..vote.clone() };
    let level = match vote.signed.as_ref().map(Signed::level) {
        None => "none",
        Some(SignatureLevel::Typed) => "typed",
        Some(SignatureLevel::Jws) => "jws",
    };
    canonical(&Countersigned {
        approver: &vote.by,
        decision: vote.choice,
        event,
        iat: vote.at.as_second(),
        level,
        request_digest: subject.digest,
        request_id: subject.approval,
        request_version: subject.version,
        tenant: subject.tenant,
        typ: "approval-countersignature",
        v: 1,
        vote_digest: Digest::of(b"", canonical(&bare)?.as_bytes()),
    })
}

impl Approval {
    /// With the service's signature under the latest vote: what was decided, when, and which audit event tells of it.
    pub fn countersigned(
        mut self,
        tenant: &TenantName,
        event: &str,
        key: &PublicKey,
        sign: impl FnOnce(&[u8]) -> Signature,
    ) -> Result<Self, FormError> {
        let subject = Subject { tenant, approval: self.id, version: self.version, digest: self.request_digest() };
        if let Some(vote) = self.votes.last_mut() {
            let payload = countersigned(&subject, vote, event)?;
            let header =
                Header { alg: SERVICE_ALG.to_owned(), kid: key.id().to_string(), typ: COUNTERSIGNATURE_TYP.to_owned() };
            let signed = jws::sign_detached(&header, &payload, |input| sign(input).0);
            let jws = signed.map_err(|error| FormError::Unreadable(error.to_string()))?;
            vote.countersignature = Some(Countersignature { event: event.to_owned(), jws });
        }
        Ok(self)
    }
}

/// A key of the service, as a JSON Web Key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceKey {
    /// `OKP`.
    pub kty: String,
    /// `Ed25519`.
    pub crv: String,
    /// The raw key.
    pub x: PublicKey,
    /// The name by which signatures and the audit trail call it: SHA-256 of the raw key.
    pub kid: String,
    /// `EdDSA`.
    pub alg: String,
    /// `sig`.
    #[serde(rename = "use")]
    pub purpose: String,
}

impl From<&PublicKey> for ServiceKey {
    fn from(key: &PublicKey) -> Self {
        Self {
            kty: "OKP".to_owned(),
            crv: "Ed25519".to_owned(),
            x: *key,
            kid: key.id().to_string(),
            alg: SERVICE_ALG.to_owned(),
            purpose: "sig".to_owned(),
        }
    }
}

/// A set of them (RFC 7517, 5).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceKeys {
    /// The keys, the present one last.
    pub keys: Vec<ServiceKey>,
}

/// Everything about an approval that an outsider needs. The document proves nothing by being there: `verify` tells what
/// its parts prove.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Format version.
    pub v: u8,
    /// `approval-evidence`.
    pub typ: String,
    /// Whose.
    pub tenant: TenantName,
    /// Which approval.
    pub approval: ApprovalId,
    /// The version of its content.
    pub version: u32,
    /// Where it stands.
    pub state: String,
    /// The canonical request, to the byte.
    pub binding: String,
    /// Its digest.
    pub request_digest: Digest,
    /// What the rule demanded, as it was written down: another version may know more of it, or less.
    pub template: Value,
    /// Who decided what.
    pub votes: Vec<Vote>,
    /// The votes were skipped in an emergency, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<String>,
    /// The service's keys, by its own account.
    pub keys: ServiceKeys,
}

impl Evidence {
    /// Of an approval, as of some moment.
    pub fn of(tenant: &TenantName, approval: &Approval, keys: ServiceKeys) -> Result<Self, FormError> {
        let template = serde_json::to_value(&approval.template);
        Ok(Self {
            v: 1,
            typ: TYP.to_owned(),
            tenant: tenant.clone(),
            approval: approval.id,
            version: approval.version,
            state: approval.state.name().to_owned(),
            binding: approval.binding.clone(),
            request_digest: approval.digest,
            template: template.map_err(|error| FormError::Unreadable(error.to_string()))?,
            votes: approval.votes.clone(),
            break_glass: approval.break_glass.clone(),
            keys,
        })
    }
}
