//! A signed statement of how far a chain went. Kept elsewhere, it shows what was cut off or made anew since.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{FormError, KeyId, SealedHead, Signature};
use crate::domain::{canonical::canonical, ids::TenantName};

/// Begins what is signed.
const CHECKPOINT: &[u8] = b"da-audit-checkpoint-v1\0";

/// What a checkpoint says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsigned {
    /// Whose chain.
    pub tenant: TenantName,
    /// The head.
    #[serde(flatten)]
    pub head: SealedHead,
    /// When, by the store's clock.
    pub time: Timestamp,
    /// The key that signs.
    pub key: KeyId,
}

impl Unsigned {
    /// What is signed: the tag, then JCS of the fields.
    pub fn message(&self) -> Result<Vec<u8>, FormError> {
        Ok([CHECKPOINT, canonical(self)?.as_bytes()].concat())
    }
}

/// A signed checkpoint: `{tenant, seq, hash, time, key, signature}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// What it says.
    #[serde(flatten)]
    pub says: Unsigned,
    /// Ed25519 over [`Unsigned::message`].
    pub signature: Signature,
}
