//! What Okta lets administrators set up: user types and their schemas, inline hooks, one authorization server. It is
//! strict: what Okta refuses, it refuses; what may never be sent stands in [`FakeOktaAdmin::violations`]. Bodies are
//! held against Okta's published schemas.

mod answer;
mod hooks;
mod judge;
mod meta;
mod routes;
mod server;
mod state;
mod token;

use std::{
    net::TcpListener,
    sync::{Arc, Mutex},
};

use actix_web::{App, HttpServer, dev::ServerHandle, web};
use behalf::adapters::system::SystemClock;
use serde_json::Value;

pub(crate) use state::{Fault, State, Write};

/// The API token that it takes.
pub(crate) const TOKEN: &str = "00fake-okta-admin-token";
/// The service app that it gives tokens, and its tokens' beginning.
pub(crate) const APP: &str = "0oasetup";

/// What the handlers share.
struct World {
    url: String,
    clock: SystemClock,
    judge: judge::Judge,
    state: Mutex<State>,
}

/// A running one. It stops when it is dropped.
pub(crate) struct FakeOktaAdmin {
    /// `http://127.0.0.1:<port>`
    pub(crate) url: String,
    world: Arc<World>,
    handle: ServerHandle,
}

impl FakeOktaAdmin {
    /// Starts as Okta gives an organisation to a new customer, with the apps `0oaapp` and `0oaother`.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Mutex::new(State::fresh(&url));
        let judge = judge::Judge::new();
        let world = Arc::new(World { url: url.clone(), clock: SystemClock, judge, state });
        let data = web::Data::from(Arc::clone(&world));
        let app = move || App::new().app_data(data.clone()).default_service(web::to(routes::handle));
        let server = HttpServer::new(app).workers(1).disable_signals().listen(listener).unwrap().run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { url, world, handle }
    }

    /// Looks at, or changes, everything at once.
    pub(crate) fn set<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.world.state.lock().unwrap())
    }

    /// The writes that took effect.
    pub(crate) fn writes(&self) -> Vec<Write> {
        self.set(|state| state.writes.clone())
    }

    /// What goes wrong with the `n`th write from now (the first is 0).
    pub(crate) fn fail_write(&self, n: usize, fault: Fault) {
        self.set(|state| state.faults.insert(state.attempts + n, fault));
    }

    /// What goes wrong with the next calls, whatever they are.
    pub(crate) fn fail_next(&self, faults: impl IntoIterator<Item = Fault>) {
        self.set(|state| state.next.extend(faults));
    }

    /// What came that must never be sent.
    pub(crate) fn violations(&self) -> Vec<String> {
        self.set(|state| state.violations.clone())
    }

    /// All that is set up, for comparing.
    pub(crate) fn picture(&self) -> Value {
        self.set(|state| state.picture())
    }
}

impl Drop for FakeOktaAdmin {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}
