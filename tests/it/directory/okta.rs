//! The Okta connector against the fake Okta. What all directories have in common is in `contract::directories`.

mod changes;
mod check;
mod expression;
mod kinds;
mod limits;
mod lists;
mod reading;
mod sign_in;

use std::sync::Arc;

use behalf::{
    adapters::{
        directory::{
            entries::{Entries, Lanes},
            okta::{
                Kinds, OktaDirectory, Settings, Tools,
                auth::{Credentials, SignIn},
                limits::Limits,
            },
            rest::Rest,
        },
        http_client,
        oidc::install_crypto,
        system::OsEntropy,
    },
    domain::ids::{TenantName, UserId},
    ports::{
        clock::{Clock, ManualClock},
        entropy::Entropy,
        store::Store,
    },
};

use crate::support::{
    fake_okta::{DELEGATED_TYPE, ENTITY_TYPE, FakeOkta, TOKEN, USER_TYPE},
    model_store::ModelStore,
};

/// A fake Okta, and the clock that both sides go by.
struct Rig {
    okta: FakeOkta,
    clock: Arc<ManualClock>,
    store: Arc<ModelStore>,
}

impl Rig {
    /// Ann and Bob are there.
    fn start() -> Self {
        install_crypto();
        let clock = Arc::new(ManualClock::at("2026-11-20T12:00:00Z".parse().unwrap()));
        let okta = FakeOkta::start(Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
        okta.add("00uann", "ann@example.com");
        okta.add("00ubob", "bob@example.com");
        let store = Arc::new(ModelStore::new(Arc::clone(&clock)));
        Self { okta, clock, store }
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

    /// The connector of one process.
    fn connect_as(&self, credentials: Credentials, kinds: Kinds) -> OktaDirectory {
        let tools = Tools {
            http: http_client::build(None).unwrap(),
            clock: self.clock(),
            entropy: Arc::new(OsEntropy),
            store: Arc::clone(&self.store) as Arc<dyn Store>,
            tenant: TenantName::default_tenant(),
        };
        let settings = Settings { url: self.okta.url.parse().unwrap(), credentials, kinds };
        OktaDirectory::new(settings, &tools).unwrap()
    }

    fn connect(&self) -> OktaDirectory {
        self.connect_as(Credentials::ApiToken(TOKEN.into()), all_kinds())
    }

    fn lanes(&self) -> Lanes {
        self.connect().lanes()
    }

    fn entries(&self) -> Arc<dyn Entries> {
        Arc::new(self.connect())
    }
}

fn all_kinds() -> Kinds {
    Kinds {
        user: Some(USER_TYPE.to_owned()),
        delegatable: Some(DELEGATED_TYPE.to_owned()),
        entity: Some(ENTITY_TYPE.to_owned()),
    }
}

fn id(text: &str) -> UserId {
    UserId::parse(text).unwrap()
}
