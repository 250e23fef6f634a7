//! The wire contract of one identity provider's token hook.

use std::borrow::Cow;

use async_trait::async_trait;

use crate::domain::{
    claims::LifetimeBounds,
    hook::{Decision, HookRequest},
};

/// Why a caller is not let in. Always 401 with an empty body; the text is for our log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the hook's caller is not authenticated: {0}")]
pub struct NotAuthenticated(pub String);

/// A body that is no hook of this dialect. `carries_id` is true if it may hold a delegation id all the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a hook of this dialect: {detail}")]
pub struct NotAHook {
    /// What is wrong, without any of the content.
    pub detail: String,
    /// Whether the body may hold a delegation id.
    pub carries_id: bool,
}

/// An answer in the identity provider's own form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookResponse {
    /// HTTP status.
    pub status: u16,
    /// JSON, or empty.
    pub body: String,
}

/// Gives a header's values, by lower-case name, in the order received.
pub type HeaderLookup<'h> = &'h (dyn for<'n> Fn(&'n str) -> Vec<&'h [u8]> + Sync);

/// One identity provider's hook: who calls, what he says, how he is answered.
#[async_trait]
pub trait Dialect: Send + Sync + 'static {
    /// The dialect's name, in routes and metrics.
    fn name(&self) -> &'static str;

    /// Whether [`Dialect::authenticate`] looks at the body. If not, it is asked before the body is read, with an empty
    /// one: strangers then hold no memory.
    fn authenticates_by_body(&self) -> bool;

    /// Is it the identity provider that calls? Secrets are compared in constant time.
    async fn authenticate(&self, headers: HeaderLookup<'_>, body: &[u8]) -> Result<(), NotAuthenticated>;

    /// Reads the body, borrowing from it. Fields that this version doesn't know are passed over.
    fn decode<'a>(&self, body: &'a [u8]) -> Result<HookRequest<'a>, NotAHook>;

    /// The user whose session asks for the token, where such a body tells.
    fn session_user<'a>(&self, _body: &'a [u8]) -> Result<Option<Cow<'a, str>>, NotAHook> {
        Ok(None)
    }

    /// Writes the decision down, also refusals and failures. The answer is one that the identity provider applies
    /// whole: nothing for tokens that aren't being minted, nothing that doesn't fit the claims present.
    fn encode(&self, request: &HookRequest<'_>, decision: &Decision) -> HookResponse;

    /// Seconds between which it can set a token's lifetime; `None`: not at all.
    fn lifetime_bounds(&self) -> Option<LifetimeBounds>;

    /// How long the identity provider waits for us.
    fn patience(&self) -> std::time::Duration;
}
