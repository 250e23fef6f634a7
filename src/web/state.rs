//! What handlers work with, built once at start.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{middleware::RequestIds, rate_limit::RateLimit, unknown_route::RouteTable};
use crate::{
    app::{Services, Tenant, answer_hook::Desk},
    domain::ids::TenantName,
    metrics::{Metrics, TenantSeries},
    ports::{dialect::Dialect, token_verifier::TokenVerifier},
};

/// One tenant's way in.
pub struct Door {
    /// The tenant.
    pub tenant: Arc<Tenant>,
    /// Its dialects by name.
    pub dialects: BTreeMap<&'static str, Arc<dyn Dialect>>,
    /// Verifies its users' tokens.
    pub verifier: Arc<dyn TokenVerifier>,
    /// Tells whether the directory's own file is wrong or gone, so that old users are in use.
    pub users_in_doubt: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
    /// The user type of entities (companies and the like), for display names.
    pub entity_type: Option<String>,
    /// Its gauges.
    pub series: TenantSeries,
}

/// The one piece of application data.
pub struct AppState {
    /// Use cases' tools.
    pub services: Arc<Services>,
    /// Ways in, by tenant.
    pub doors: BTreeMap<TenantName, Arc<Door>>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Whether `/metrics` answers.
    pub show_metrics: bool,
    /// Whether `/docs/` answers.
    pub show_docs: bool,
    /// Ids for requests that bring none.
    pub request_ids: RequestIds,
    /// Brake on API callers.
    pub rate_limit: RateLimit,
    /// The API document, as served.
    pub openapi: String,
    /// Which methods a path has.
    pub routes: RouteTable,
    /// Whether new hooks should come here.
    pub readiness: Arc<Readiness>,
    /// Tells whether the configuration's file is wrong or gone, so that old rules are in force; `None`: there is none.
    pub rules_in_doubt: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
}

impl AppState {
    /// The desk at which this door's hooks of a dialect are answered.
    pub fn desk(&self, door: &Door, dialect: &Arc<dyn Dialect>, request: Option<String>) -> Desk {
        let (services, tenant) = (Arc::clone(&self.services), Arc::clone(&door.tenant));
        Desk { services, tenant, dialect: Arc::clone(dialect), request }
    }
}

/// Ready from the first moment that a hook can be answered in the IdP's form until the drain begins. It never asks
/// store or directory: a replica that leaves because they are down turns refusals into unanswered hooks.
#[derive(Debug, Default)]
pub struct Readiness {
    ready: AtomicBool,
    draining: AtomicBool,
}

impl Readiness {
    /// Says that hooks should come here, or not any more.
    pub fn set(&self, ready: bool) {
        self.ready.store(ready, Ordering::SeqCst);
        self.draining.store(!ready, Ordering::SeqCst);
    }

    /// Whether hooks should come here.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::SeqCst)
    }

    /// Whether the end has begun; not so before the beginning.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }
}
