//! What is kept in memory for each tenant: the highest time shown, and who waits for hints.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use dashmap::DashMap;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use crate::{domain::ids::TenantName, ports::clock::Clock};

/// Microseconds since 1970 as a time.
pub(super) fn time(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(if micros < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

struct Tenant {
    /// The highest time shown, in microseconds.
    high: AtomicI64,
    hints: watch::Sender<()>,
}

/// All tenants that were ever asked for.
pub(super) struct Tenants {
    clock: Arc<dyn Clock>,
    offset: AtomicI64,
    known: DashMap<TenantName, Arc<Tenant>>,
}

impl Tenants {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, offset: AtomicI64::new(0), known: DashMap::new() }
    }

    pub(super) fn set_offset(&self, offset: SignedDuration) {
        self.offset.store(i64::try_from(offset.as_micros()).unwrap_or(i64::MAX), Ordering::SeqCst);
    }

    /// The clock with its offset, in microseconds: may run back.
    pub(super) fn own_time(&self) -> i64 {
        self.clock.now().as_microsecond().saturating_add(self.offset.load(Ordering::SeqCst))
    }

    /// The tenant's time, in microseconds: never less than what was shown before.
    pub(super) fn now(&self, tenant: &TenantName) -> i64 {
        let own = self.own_time();
        self.tenant(tenant).high.fetch_max(own, Ordering::SeqCst).max(own)
    }

    /// A time that was shown, in this process or an earlier one.
    pub(super) fn was_shown(&self, tenant: &TenantName, micros: i64) {
        self.tenant(tenant).high.fetch_max(micros, Ordering::SeqCst);
    }

    /// Tenants and the highest times shown to them.
    pub(super) fn highest(&self) -> Vec<(TenantName, i64)> {
        self.known.iter().map(|t| (t.key().clone(), t.high.load(Ordering::SeqCst))).collect()
    }

    pub(super) fn subscribe(&self, tenant: &TenantName) -> watch::Receiver<()> {
        self.tenant(tenant).hints.subscribe()
    }

    pub(super) fn hint(&self, tenant: &TenantName) {
        self.tenant(tenant).hints.send_replace(());
    }

    pub(super) fn hint_all(&self) {
        for tenant in &self.known {
            tenant.hints.send_replace(());
        }
    }

    fn tenant(&self, name: &TenantName) -> Arc<Tenant> {
        if let Some(tenant) = self.known.get(name) {
            return Arc::clone(&tenant);
        }
        let fresh = || Arc::new(Tenant { high: AtomicI64::new(i64::MIN), hints: watch::Sender::new(()) });
        Arc::clone(&self.known.entry(name.clone()).or_insert_with(fresh))
    }
}
