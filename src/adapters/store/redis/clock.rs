//! The tenant's time, as this process shows it: the server's, but never less than what was shown before.

use std::sync::{Arc, Mutex, PoisonError};

use dashmap::DashMap;

use super::wire::{Meta, Time};
use crate::{domain::ids::TenantName, ports::clock::Clock};

/// Answers may overtake each other by this much; more means that the server's clock was set back. In microseconds.
const TOLERANCE: i64 = 50_000;

#[derive(Debug, Clone, Copy, Default)]
struct Shown {
    high: i64,
    /// How far ahead of the server's time.
    skew: i64,
}

/// What this process has shown to each tenant.
pub(super) struct Times {
    /// In tests: asked instead of the server.
    instead: Option<Arc<dyn Clock>>,
    known: DashMap<TenantName, Arc<Mutex<Shown>>>,
}

impl Times {
    pub(super) fn new(instead: Option<Arc<dyn Clock>>) -> Self {
        Self { instead, known: DashMap::new() }
    }

    /// What a script has to be told.
    pub(super) fn told(&self, tenant: &TenantName) -> Time {
        let shown = *self.tenant(tenant).lock().unwrap_or_else(PoisonError::into_inner);
        Time { fixed: self.fixed(), skew: shown.skew }
    }

    fn fixed(&self) -> Option<i64> {
        self.instead.as_ref().map(|clock| clock.now().as_microsecond())
    }

    /// The tenant's time, in microseconds, from what the server said in one answer. Where its clock was set back the
    /// time goes on from the highest that was shown: if it stood still, nothing would expire.
    pub(super) fn now(&self, tenant: &TenantName, server: i64, meta: &Meta) -> i64 {
        let own = self.fixed().unwrap_or(server);
        let tenant = self.tenant(tenant);
        let mut shown = tenant.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, high) = (own.saturating_add(meta.skew.max(shown.skew)), meta.high.max(shown.high));
        if now.saturating_add(TOLERANCE) < high {
            shown.skew = high.saturating_sub(own);
        }
        shown.high = now.max(high);
        shown.high
    }

    fn tenant(&self, name: &TenantName) -> Arc<Mutex<Shown>> {
        if let Some(tenant) = self.known.get(name) {
            return Arc::clone(&tenant);
        }
        Arc::clone(&self.known.entry(name.clone()).or_default())
    }
}
