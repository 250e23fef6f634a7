//! Okta's management API as far as behalf asks it, in the test's own process on 127.0.0.1. It is strict: what Okta
//! refuses, it refuses, and what nobody may ever ask is written down in [`FakeOkta::violations`].
//!
//! It names nothing of the test crate, so that the load generator can include it by `#[path]`.

#[path = "fake_okta/answer.rs"]
mod answer;
#[path = "fake_okta/guard.rs"]
mod guard;
#[path = "fake_okta/keys.rs"]
mod keys;
#[path = "fake_okta/meta.rs"]
mod meta;
#[path = "fake_okta/pages.rs"]
mod pages;
#[path = "fake_okta/routes.rs"]
mod routes;
#[path = "fake_okta/search.rs"]
pub(crate) mod search;
#[path = "fake_okta/state.rs"]
mod state;
#[path = "fake_okta/token.rs"]
mod token;
#[path = "fake_okta/users.rs"]
mod users;

use std::{
    io,
    net::TcpListener,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicUsize},
};

use actix_web::{App, HttpServer, dev::ServerHandle, web};
use behalf::ports::clock::Clock;
use serde_json::Value;

pub(crate) use self::{
    guard::{Budget, Endpoint, Fault},
    keys::KeyKind,
    state::{Account, State},
};

/// The API token that it takes.
pub(crate) const TOKEN: &str = "00fake-okta-api-token";
/// Its user types: ordinary users, those who can be delegators, entities.
pub(crate) const USER_TYPE: &str = "otyuser";
pub(crate) const DELEGATED_TYPE: &str = "otydelegated";
pub(crate) const ENTITY_TYPE: &str = "otyentity";

/// What the handlers share.
pub(crate) struct World {
    url: String,
    clock: Arc<dyn Clock>,
    in_flight: AtomicUsize,
    state: Mutex<State>,
}

impl World {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running one. It stops when it is dropped.
pub(crate) struct FakeOkta {
    /// `http://127.0.0.1:<port>`
    pub(crate) url: String,
    world: Arc<World>,
    handle: ServerHandle,
}

impl FakeOkta {
    /// Starts with three user types and nobody in it. Rate limits and expiries are told by `clock`.
    pub(crate) fn start(clock: Arc<dyn Clock>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let url = format!("http://{}", listener.local_addr()?);
        let state = Mutex::new(State::new());
        let world = Arc::new(World { url: url.clone(), clock, in_flight: AtomicUsize::new(0), state });
        let data = web::Data::from(Arc::clone(&world));
        let app = move || {
            let app = App::new().app_data(data.clone()).app_data(web::PayloadConfig::new(1 << 20));
            app.default_service(web::to(routes::handle))
        };
        let server = HttpServer::new(app).workers(1).backlog(1024).disable_signals().listen(listener)?.run();
        let handle = server.handle();
        tokio::spawn(server);
        Ok(Self { url, world, handle })
    }

    /// Looks at, or changes, everything at once.
    pub(crate) fn set<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.world.state())
    }

    /// Takes in an ACTIVE user of the ordinary type.
    pub(crate) fn add(&self, id: &str, login: &str) {
        self.set(|state| state.users.insert(id.to_owned(), Account::active(login)));
    }

    /// Changes a user as an administrator would, in the console.
    pub(crate) fn edit(&self, id: &str, change: impl FnOnce(&mut Account)) {
        self.set(|state| {
            if let Some(account) = state.users.get_mut(id) {
                change(account);
                account.version += 1;
            }
        });
    }

    /// Whom a user lists.
    pub(crate) fn agents(&self, id: &str) -> Vec<String> {
        let of = |account: &Account| {
            let listed = account.profile.get("delegatedAgents").and_then(Value::as_array);
            listed.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        self.set(|state| state.users.get(id).map(of)).unwrap_or_default()
    }

    /// Lets a user list exactly these.
    pub(crate) fn set_agents(&self, id: &str, agents: &[&str]) {
        self.edit(id, |account| {
            account.profile.insert("delegatedAgents".to_owned(), agents.iter().copied().collect());
        });
    }

    /// Registers a service app with a new key, and gives the private half (PEM). `None`: no key could be made.
    pub(crate) fn register(&self, client: &str, kind: KeyKind, key_id: &str, scopes: &[&str]) -> Option<String> {
        let (pem, key) = keys::pair(kind)?;
        let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        let app = state::OauthApp { key, key_id: key_id.to_owned(), scopes };
        self.set(|state| state.apps.insert(client.to_owned(), app));
        Some(pem)
    }

    /// The next calls of the endpoint go wrong, each in one of these ways.
    pub(crate) fn fail_next(&self, at: Endpoint, faults: impl IntoIterator<Item = Fault>) {
        self.set(|state| state.next.entry(at).or_default().extend(faults));
    }

    /// How many calls of the endpoint came, whatever became of them.
    pub(crate) fn calls(&self, at: Endpoint) -> usize {
        self.set(|state| state.calls.get(&at).copied().unwrap_or(0))
    }

    /// How many calls came in all.
    pub(crate) fn all_calls(&self) -> usize {
        self.set(|state| state.calls.values().sum())
    }

    /// What came that must never be sent.
    pub(crate) fn violations(&self) -> Vec<String> {
        self.set(|state| state.violations.clone())
    }
}

impl Drop for FakeOkta {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}
