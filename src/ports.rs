//! What the use cases need from outside, as traits with their contracts written on them. Adapters implement them.

pub mod audit_sink;
pub mod clock;
pub mod dialect;
pub mod directory;
pub mod entropy;
pub mod notifier;
pub mod shown;
pub mod signer;
pub mod store;
pub mod token_verifier;
