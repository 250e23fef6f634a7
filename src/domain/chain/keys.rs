//! Keys that sign checkpoints, and how trust passes from one to the next.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::{Digest, FormError};
use crate::domain::{audit::Code, bytes::bytes_type, canonical::canonical, ids::TenantName};

/// Begins what is signed when a key takes over.
const ROTATION: &[u8] = b"da-audit-key-v1\0";

/// A key's name: SHA-256 of the raw public key.
pub type KeyId = Digest;

/// Checks an Ed25519 signature (RFC 8032) over a message.
pub type VerifySignature = fn(&PublicKey, &[u8], &Signature) -> bool;

bytes_type!(
    /// A raw Ed25519 public key, written in base64url.
    PublicKey, 32
);
bytes_type!(
    /// An Ed25519 signature, written in base64url.
    Signature, 64
);

impl PublicKey {
    /// The key's name.
    pub fn id(&self) -> KeyId {
        Digest(Sha256::digest(self.0).into())
    }
}

/// Details of the event `audit.key_rotated`: who signs from now on, and who says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    /// Whose chain.
    pub tenant: TenantName,
    /// The key that signed so far.
    pub old_key: PublicKey,
    /// The key that signs from now on.
    pub new_key: PublicKey,
    /// The old key's signature; missing where the old key was not at hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_signature: Option<Signature>,
    /// The new key's signature.
    pub new_signature: Signature,
}

impl Rotation {
    /// What both keys sign.
    pub fn message(tenant: &TenantName, old: &PublicKey, new: &PublicKey) -> Result<Vec<u8>, FormError> {
        let content = serde_json::json!({"new_key": new, "old_key": old, "tenant": tenant});
        Ok([ROTATION, canonical(&content)?.as_bytes()].concat())
    }

    /// What an event tells of a rotation, if it is one and complete.
    pub(super) fn of_event(code: &str, details: &Map<String, Value>) -> Option<Self> {
        if code != Code::SigningKeyRotated.code() {
            return None;
        }
        serde_json::from_value(details.get("rotation")?.clone()).ok()
    }
}

/// The keys that are believed.
#[derive(Clone)]
pub struct Keyring {
    known: BTreeMap<KeyId, PublicKey>,
    verify: VerifySignature,
}

impl Keyring {
    /// Believes these.
    pub fn new(keys: impl IntoIterator<Item = PublicKey>, verify: VerifySignature) -> Self {
        Self { known: keys.into_iter().map(|key| (key.id(), key)).collect(), verify }
    }

    /// True if nothing can be checked with it.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Whether the key signed the message; `None`: the key is not known.
    pub fn check(&self, key: &KeyId, message: &[u8], signature: &Signature) -> Option<bool> {
        self.known.get(key).map(|key| (self.verify)(key, message, signature))
    }

    /// Believes both keys if one of them is known already and both signed. One signature alone would let the owner
    /// of any key claim the succession.
    pub fn learn(&mut self, tenant: &TenantName, rotation: &Rotation) {
        let Rotation { old_key, new_key, .. } = rotation;
        let one_is_known = [old_key, new_key].iter().any(|key| self.known.contains_key(&key.id()));
        let Some(old_signature) = rotation.old_signature.as_ref().filter(|_| one_is_known) else { return };
        let Ok(message) = Rotation::message(tenant, old_key, new_key) else { return };
        let signed = (self.verify)(old_key, &message, old_signature)
            && (self.verify)(new_key, &message, &rotation.new_signature);
        if signed && &rotation.tenant == tenant {
            self.known.extend([(old_key.id(), *old_key), (new_key.id(), *new_key)]);
        }
    }
}
