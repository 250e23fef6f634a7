//! Access tokens of users.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::{Map, Value};

/// A token whose signature, issuer, audience and times were checked. Which claim is the user, is the tenant's
/// business.
#[derive(Clone)]
pub struct VerifiedToken {
    /// All claims.
    pub claims: Map<String, Value>,
    /// Scopes, from `scp` (list) or `scope` (space separated).
    pub scopes: BTreeSet<String>,
    /// The OAuth client, from `cid`, `azp` or `client_id`, in this order.
    pub client: Option<String>,
    /// When it ends.
    pub expires: Timestamp,
}

impl VerifiedToken {
    /// A claim's text.
    pub fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim).and_then(Value::as_str)
    }
}

/// Why a token was not verified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The token is no good; the text is for our log.
    #[error("the token is not valid: {0}")]
    Invalid(String),
    /// The issuer's keys could not be had; the token may be good.
    #[error("the issuer's keys are unavailable: {0}")]
    Unavailable(String),
}

/// Verifies one tenant's access tokens.
#[async_trait]
pub trait TokenVerifier: Send + Sync + 'static {
    /// Checks signature (algorithm pinned by the key), `iss`, `aud`, `exp` and `nbf`, by our clock.
    async fn verify(&self, token: &str) -> Result<Arc<VerifiedToken>, VerifyError>;

    /// Fetches what verification needs, for `check` and the health page.
    async fn probe(&self) -> Result<(), VerifyError>;
}
