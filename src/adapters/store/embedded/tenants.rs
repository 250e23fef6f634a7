//! What is kept in memory for each tenant: the highest time shown, and who waits for hints.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
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
    shown: Mutex<Shown>,
    hints: watch::Sender<()>,
}

/// The highest time shown, and when that was.
#[derive(Clone, Copy)]
struct Shown {
    /// Microseconds since 1970.
    high: i64,
    /// By the monotonic clock.
    at: Duration,
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

    /// The tenant's time, in microseconds: never less than what was shown before. Where the clock was set back it goes
    /// on from there at the pace of the monotonic clock: time that stood still would let nothing expire.
    pub(super) fn now(&self, tenant: &TenantName) -> i64 {
        let tenant = self.tenant(tenant);
        let mut shown = lock(&tenant.shown);
        let (own, at) = (self.own_time(), self.clock.monotonic());
        let passed = i64::try_from(at.saturating_sub(shown.at).as_micros()).unwrap_or(i64::MAX);
        *shown = Shown { high: own.max(shown.high.saturating_add(passed)), at };
        shown.high
    }

    /// A time that was shown, in this process or an earlier one.
    pub(super) fn was_shown(&self, tenant: &TenantName, micros: i64) {
        let tenant = self.tenant(tenant);
        let mut shown = lock(&tenant.shown);
        if shown.high < micros {
            *shown = Shown { high: micros, at: self.clock.monotonic() };
        }
    }

    /// Tenants and the highest times shown to them.
    pub(super) fn highest(&self) -> Vec<(TenantName, i64)> {
        self.known.iter().map(|t| (t.key().clone(), lock(&t.shown).high)).collect()
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
        let fresh = || {
            let shown = Shown { high: i64::MIN, at: self.clock.monotonic() };
            Arc::new(Tenant { shown: Mutex::new(shown), hints: watch::Sender::new(()) })
        };
        Arc::clone(&self.known.entry(name.clone()).or_insert_with(fresh))
    }
}

/// Nothing under this lock can break off half way.
fn lock(shown: &Mutex<Shown>) -> MutexGuard<'_, Shown> {
    shown.lock().unwrap_or_else(PoisonError::into_inner)
}
