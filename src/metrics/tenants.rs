//! Gauges of one tenant each. Replicas over one store show the same numbers, or a part of them lately: ask for the
//! maximum over replicas, never the sum.

use jiff::Timestamp;
use prometheus_client::metrics::{family::Family, gauge::Gauge};

use super::labels::TenantLabels;
use crate::{app::readings::Reading, domain::ids::TenantName};

type Gauges = Family<TenantLabels, Gauge>;

#[derive(Debug, Default)]
pub(super) struct TenantFamilies {
    pub(super) last_hook: Gauges,
    pub(super) epoch: Gauges,
    pub(super) unreadable: Gauges,
    pub(super) approvals_waiting: Gauges,
    pub(super) approvals_oldest: Gauges,
    pub(super) approvals_undecidable: Gauges,
    pub(super) reservations_held: Gauges,
    pub(super) unsealed: Gauges,
    pub(super) unsealed_seconds: Gauges,
    pub(super) undelivered: Gauges,
}

/// One tenant's gauges, found once; setting one is an atomic store.
#[derive(Debug, Clone)]
pub struct TenantSeries {
    last_hook: Gauge,
    epoch: Gauge,
    unreadable: Gauge,
    approvals_waiting: Gauge,
    approvals_oldest: Gauge,
    approvals_undecidable: Gauge,
    reservations_held: Gauge,
    unsealed: Gauge,
    unsealed_seconds: Gauge,
    undelivered: Gauge,
}

impl TenantFamilies {
    /// The tenant's gauges; from now on they are there, at zero.
    pub(super) fn series(&self, tenant: &TenantName) -> TenantSeries {
        let labels = TenantLabels { tenant: tenant.to_string() };
        let of = |gauges: &Gauges| gauges.get_or_create_owned(&labels);
        TenantSeries {
            last_hook: of(&self.last_hook),
            epoch: of(&self.epoch),
            unreadable: of(&self.unreadable),
            approvals_waiting: of(&self.approvals_waiting),
            approvals_oldest: of(&self.approvals_oldest),
            approvals_undecidable: of(&self.approvals_undecidable),
            reservations_held: of(&self.reservations_held),
            unsealed: of(&self.unsealed),
            unsealed_seconds: of(&self.unsealed_seconds),
            undelivered: of(&self.undelivered),
        }
    }
}

impl TenantSeries {
    /// The identity provider called, and was recognised.
    pub fn hook_seen(&self, at: Timestamp) {
        self.last_hook.set(at.as_second());
    }

    /// When it did last; `None`: not since this process started.
    pub fn last_hook(&self) -> Option<Timestamp> {
        Timestamp::from_second(self.last_hook.get()).ok().filter(|at| at.as_second() > 0)
    }

    /// What was found in the store.
    pub fn show(&self, reading: &Reading) {
        let set = |gauge: &Gauge, value: u64| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        set(&self.epoch, reading.epoch);
        set(&self.approvals_waiting, reading.approvals_waiting);
        set(&self.approvals_oldest, reading.approvals_oldest);
        set(&self.reservations_held, reading.reservations_held);
        set(&self.unsealed, reading.unsealed);
        set(&self.unsealed_seconds, reading.unsealed_seconds);
        set(&self.undelivered, reading.undelivered);
    }

    /// Records that can't be read.
    pub fn unreadable(&self, count: usize) {
        self.unreadable.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Approvals that nobody can decide any more.
    pub fn approvals_undecidable(&self, count: u64) {
        self.approvals_undecidable.set(i64::try_from(count).unwrap_or(i64::MAX));
    }
}
