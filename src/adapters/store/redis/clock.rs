//! The tenant's time, as this process shows it: the server's, but never less than what was shown before.

use std::sync::{Arc, Mutex, PoisonError};

use dashmap::DashMap;

use super::wire::{Meta, Time};
use crate::{domain::ids::TenantName, ports::clock::Clock};

#[derive(Debug, Clone, Copy, Default)]
struct Shown {
    /// In microseconds.
    high: i64,
    /// How far ahead of the server's time.
    skew: i64,
}

/// What had been shown when the server was asked, in microseconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Before(i64);

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

    /// The highest time that was shown by now. To be asked before the server is: its answer can't be from before that.
    pub(super) fn before(&self, tenant: &TenantName) -> Before {
        Before(self.tenant(tenant).lock().unwrap_or_else(PoisonError::into_inner).high)
    }

    /// The tenant's time, in microseconds, from what the server said in one answer. Where its clock was set back the
    /// time goes on from the highest that was shown: if it stood still, nothing would expire.
    ///
    /// Answers overtake each other on their way here, so a time below the highest shown tells nothing of the server's
    /// clock, unless that was shown before the server was asked, or was a commit's.
    pub(super) fn now(&self, tenant: &TenantName, Before(before): Before, server: i64, meta: &Meta) -> i64 {
        let own = self.fixed().unwrap_or(server);
        let tenant = self.tenant(tenant);
        let mut shown = tenant.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, floor) = (own.saturating_add(meta.skew.max(shown.skew)), meta.high.max(before));
        if now < floor {
            shown.skew = floor.saturating_sub(own);
        }
        shown.high = now.max(floor).max(shown.high);
        shown.high
    }

    fn tenant(&self, name: &TenantName) -> Arc<Mutex<Shown>> {
        if let Some(tenant) = self.known.get(name) {
            return Arc::clone(&tenant);
        }
        Arc::clone(&self.known.entry(name.clone()).or_default())
    }
}

#[cfg(test)]
mod tests;
