//! Okta's token inline hook `com.okta.oauth2.tokens.transform`.
//!
//! Okta asks once, waits 3 s, and mints the plain token when it gets no usable answer. An answer that it can't apply
//! whole counts as none, so every command is fitted to the request that it answers.

mod auth;
mod request;
mod response;
pub mod sample;
mod settings;

use std::{borrow::Cow, time::Duration};

use async_trait::async_trait;

pub use self::settings::{BearerCaller, HeaderSecrets, Settings, SettingsError, check_claim_names};
use crate::{
    domain::{
        claims::LifetimeBounds,
        hook::{Decision, HookRequest},
    },
    ports::dialect::{Dialect, HeaderLookup, HookResponse, NotAHook, NotAuthenticated},
};

/// Seconds between which a hook can set a token's lifetime (Okta, token inline hook reference).
const LIFETIME_BOUNDS: LifetimeBounds = (300, 86_400);

/// How long Okta waits for a token hook. It doesn't ask twice.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// The Okta dialect.
pub struct Okta {
    settings: Settings,
}

impl Okta {
    /// The dialect with these settings.
    pub fn new(settings: Settings) -> Self {
        Self { settings }
    }
}

#[async_trait]
impl Dialect for Okta {
    fn name(&self) -> &'static str {
        "okta"
    }

    fn authenticates_by_body(&self) -> bool {
        false
    }

    async fn authenticate(&self, headers: HeaderLookup<'_>, _body: &[u8]) -> Result<(), NotAuthenticated> {
        auth::authenticate(&self.settings, headers).await
    }

    fn decode<'a>(&self, body: &'a [u8]) -> Result<HookRequest<'a>, NotAHook> {
        request::decode(body)
    }

    fn session_user<'a>(&self, body: &'a [u8]) -> Result<Option<Cow<'a, str>>, NotAHook> {
        request::session_user(body)
    }

    fn encode(&self, request: &HookRequest<'_>, decision: &Decision) -> HookResponse {
        response::encode(request, decision)
    }

    fn lifetime_bounds(&self) -> Option<LifetimeBounds> {
        Some(LIFETIME_BOUNDS)
    }

    fn patience(&self) -> Duration {
        PATIENCE
    }
}
