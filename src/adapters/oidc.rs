//! Access tokens of users, by OpenID Connect discovery and JWKS.
//!
//! Which file knows what: `claims` the token's content, `jwks` a key set's content, `issuer` the two documents that an
//! issuer publishes, `keys` when they are fetched, `verifier` the order of it all.

mod claims;
mod issuer;
mod jwks;
mod keys;
mod verifier;

pub use claims::Leeway;
pub use verifier::{MAX_TOKEN_BYTES, OidcSettings, OidcSettingsError, OidcVerifier};

/// Chooses aws-lc as the process's cryptography, for TLS and for token signatures. Called at the start of `main` and of
/// tests; a second call changes nothing.
pub fn install_crypto() {
    // An error only says that a provider is installed already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
}
