//! A challenge: the service's side of a signature, good once.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    Approval, ApprovalId, Choice,
    signature::{Fault, Nonce, Statement},
};
use crate::domain::{chain::Digest, ids::UserId};

/// From its making to the last moment of use.
pub const LIFE: SignedDuration = SignedDuration::from_mins(5);

/// A challenge as it is stored, under its nonce's hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// Whose.
    pub approver: UserId,
    /// For which request.
    pub approval: ApprovalId,
    /// For which version of it.
    pub version: u32,
    /// Its digest then.
    pub digest: Digest,
    /// For which decision.
    pub decision: Choice,
    /// When it was made.
    pub issued: Timestamp,
    /// The first instant at which it can't be used any more.
    pub expires: Timestamp,
    /// When it was used, whatever came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Timestamp>,
}

impl Challenge {
    /// For this approver's decision about this request.
    pub fn new(approver: UserId, approval: &Approval, decision: Choice, now: Timestamp) -> Self {
        Self {
            approver,
            approval: approval.id,
            version: approval.version,
            digest: approval.request_digest(),
            decision,
            issued: now,
            expires: now.saturating_add(LIFE).unwrap_or(now),
            used: None,
        }
    }

    /// Whether it is good for this vote.
    pub fn check(&self, approver: &UserId, approval: &Approval, choice: Choice, now: Timestamp) -> Result<(), Fault> {
        if &self.approver != approver {
            return Err(Fault::ChallengeForeign);
        }
        if self.used.is_some() {
            return Err(Fault::ChallengeUsed);
        }
        if now >= self.expires {
            return Err(Fault::ChallengeExpired);
        }
        if self.approval != approval.id || self.version != approval.version || self.decision != choice {
            return Err(Fault::ChallengeMismatch);
        }
        if self.digest != approval.request_digest() || approval.digest != self.digest {
            return Err(Fault::DigestMismatch);
        }
        Ok(())
    }

    /// It was used, and can't be used again.
    #[must_use]
    pub fn spent(self, now: Timestamp) -> Self {
        Self { used: Some(now), ..self }
    }

    /// What a key signs for it.
    pub fn statement<'a>(&'a self, nonce: &'a Nonce, request_id: &'a str) -> Statement<'a> {
        Statement {
            approver: &self.approver,
            decision: self.decision,
            request_id,
            request_digest: &self.digest,
            nonce,
            issued: self.issued,
            expires: self.expires,
        }
    }
}
