//! The Okta connector against the fake Okta.

mod sign_in;

use std::sync::Arc;

use behalf::{
    adapters::{
        directory::{
            okta::{
                auth::{Credentials, SignIn},
                limits::Limits,
            },
            rest::Rest,
        },
        http_client,
        oidc::install_crypto,
        system::OsEntropy,
    },
    ports::{
        clock::{Clock, ManualClock},
        entropy::Entropy,
    },
};

use crate::support::fake_okta::FakeOkta;

/// A fake Okta, and the clock that both sides go by.
struct Rig {
    okta: FakeOkta,
    clock: Arc<ManualClock>,
}

impl Rig {
    fn start() -> Self {
        install_crypto();
        let clock = Arc::new(ManualClock::at("2026-11-20T12:00:00Z".parse().unwrap()));
        Self { okta: FakeOkta::start(Arc::clone(&clock) as Arc<dyn Clock>).unwrap(), clock }
    }

    fn rest(&self) -> Rest {
        Rest::new(http_client::build(None).unwrap(), self.okta.url.parse().unwrap())
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock) as Arc<dyn Clock>
    }

    fn sign_in(&self, credentials: Credentials, scopes: &[&str]) -> SignIn {
        let entropy: Arc<dyn Entropy> = Arc::new(OsEntropy);
        let limits = Arc::new(Limits::new(self.clock(), Arc::clone(&entropy)));
        SignIn::new(credentials, scopes, &self.rest(), &limits, &self.clock(), &entropy).unwrap()
    }
}
