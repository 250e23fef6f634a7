//! The key that signs what leaves the house about the audit trail.

use crate::domain::chain::{PublicKey, Signature};

/// Signs with Ed25519 (RFC 8032).
pub trait Signer: Send + Sync + 'static {
    /// The public half.
    fn public_key(&self) -> PublicKey;

    /// The signature over a message. Can't fail: the key was checked when it was loaded.
    fn sign(&self, message: &[u8]) -> Signature;
}
