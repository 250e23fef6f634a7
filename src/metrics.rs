//! What is counted and timed. Every metric's name is a variant of one enum.

use std::time::Duration;

use jiff::Timestamp;
use prometheus_client::{
    encoding::text::encode,
    metrics::{
        counter::Counter,
        family::{Family, MetricConstructor},
        gauge::Gauge,
        histogram::Histogram,
        info::Info,
    },
    registry::Registry,
};

use crate::domain::{hook::Outcome, ids::TenantName};
use caches::CacheFamilies;
pub use caches::{CacheKind, CacheSeries};
use hooks::{DialectSeries, HookFamilies};
use labels::{ApiLabels, CallLabels, ChannelLabels, NameLabels, OutcomeLabels, ResultLabels, RouteLabels, TryLabels};
pub use names::{Kind, Metric};
use tenants::TenantFamilies;
pub use tenants::TenantSeries;

mod caches;
mod hooks;
mod labels;
mod names;
mod tenants;

/// Dialects whose series exist from the start and are found without a lock.
const DIALECTS: &[&str] = &["okta"];

/// How a call to a dependency ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallResult {
    /// Answered.
    Ok,
    /// Answered with an error, or not at all.
    Failed,
    /// Answered something that isn't understood.
    Garbled,
    /// Answered that it won't.
    Rejected,
    /// Answered that it will, but not now.
    Throttled,
    /// Not in time.
    TimedOut,
}

/// Builds histograms over fixed bounds.
#[derive(Debug, Clone, Copy)]
struct Buckets(&'static [f64]);

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

/// Seconds, from what a store in memory takes to what no hook can wait for.
const SECONDS: Buckets =
    Buckets(&[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 10.0]);
/// Parts of the time that the identity provider waits.
const SHARE: Buckets = Buckets(&[0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0]);

type Histograms<L> = Family<L, Histogram, Buckets>;

/// The process's metrics.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    hooks: HookFamilies,
    known: Vec<(&'static str, DialectSeries)>,
    directory: Histograms<CallLabels>,
    directory_calls: Histograms<CallLabels>,
    store: Histograms<CallLabels>,
    api_requests: Family<ApiLabels, Counter>,
    api_seconds: Histograms<RouteLabels>,
    keys: Histograms<ResultLabels>,
    caches: CacheFamilies,
    pending: Gauge,
    policy_failed: Gauge,
    policy_loaded: Gauge,
    notifications: Family<TryLabels, Counter>,
    waiting: Family<ChannelLabels, Gauge>,
    up: Family<NameLabels, Gauge>,
    tenants: TenantFamilies,
    self_tests: Family<OutcomeLabels, Counter>,
    started: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let hooks = HookFamilies::default();
        let metrics = Self {
            registry: Registry::default(),
            known: DIALECTS.iter().map(|name| (*name, hooks.series(name))).collect(),
            hooks,
            directory: Family::new_with_constructor(SECONDS),
            directory_calls: Family::new_with_constructor(SECONDS),
            store: Family::new_with_constructor(SECONDS),
            api_requests: Family::default(),
            api_seconds: Family::new_with_constructor(SECONDS),
            keys: Family::new_with_constructor(SECONDS),
            caches: CacheFamilies::default(),
            pending: Gauge::default(),
            policy_failed: Gauge::default(),
            policy_loaded: Gauge::default(),
            notifications: Family::default(),
            waiting: Family::default(),
            up: Family::default(),
            tenants: TenantFamilies::default(),
            self_tests: Family::default(),
            started: Gauge::default(),
        };
        metrics.begin_at_zero();
        metrics.registered()
    }
}

impl Metrics {
    fn registered(mut self) -> Self {
        let registry = &mut self.registry;
        for metric in Metric::ALL {
            let (name, help) = (metric.registered_name(), metric.help());
            match metric {
                Metric::Hooks => registry.register(name, help, self.hooks.outcomes.clone()),
                Metric::HookSeconds => registry.register(name, help, self.hooks.seconds.clone()),
                Metric::HookBudgetShare => registry.register(name, help, self.hooks.share.clone()),
                Metric::HookAuthFailures => registry.register(name, help, self.hooks.turned_away.clone()),
                Metric::HookLastSeen => registry.register(name, help, self.tenants.last_hook.clone()),
                Metric::SelfTestHooks => registry.register(name, help, self.self_tests.clone()),
                Metric::DirectorySeconds => registry.register(name, help, self.directory.clone()),
                Metric::DirectoryCallSeconds => registry.register(name, help, self.directory_calls.clone()),
                Metric::StoreSeconds => registry.register(name, help, self.store.clone()),
                Metric::ApiRequests => registry.register(name, help, self.api_requests.clone()),
                Metric::ApiSeconds => registry.register(name, help, self.api_seconds.clone()),
                Metric::KeyFetchSeconds => registry.register(name, help, self.keys.clone()),
                Metric::CacheLookups => registry.register(name, help, self.caches.lookups.clone()),
                Metric::CacheEvictions => registry.register(name, help, self.caches.evictions.clone()),
                Metric::PendingDelegations => registry.register(name, help, self.pending.clone()),
                Metric::ApprovalsWaiting => registry.register(name, help, self.tenants.approvals_waiting.clone()),
                Metric::ApprovalsOldest => registry.register(name, help, self.tenants.approvals_oldest.clone()),
                Metric::ApprovalsUndecidable => {
                    registry.register(name, help, self.tenants.approvals_undecidable.clone());
                }
                Metric::ReservationsHeld => registry.register(name, help, self.tenants.reservations_held.clone()),
                Metric::AuditUnsealed => registry.register(name, help, self.tenants.unsealed.clone()),
                Metric::AuditUnsealedSeconds => registry.register(name, help, self.tenants.unsealed_seconds.clone()),
                Metric::AuditUndelivered => registry.register(name, help, self.tenants.undelivered.clone()),
                Metric::StoreEpoch => registry.register(name, help, self.tenants.epoch.clone()),
                Metric::StoreUnreadable => registry.register(name, help, self.tenants.unreadable.clone()),
                Metric::PolicyReloadFailed => registry.register(name, help, self.policy_failed.clone()),
                Metric::PolicyLoaded => registry.register(name, help, self.policy_loaded.clone()),
                Metric::Notifications => registry.register(name, help, self.notifications.clone()),
                Metric::NotificationsWaiting => registry.register(name, help, self.waiting.clone()),
                Metric::DependencyUp => registry.register(name, help, self.up.clone()),
                Metric::Started => registry.register(name, help, self.started.clone()),
                Metric::BuildInfo => registry.register(name, help, Info::new([("version", env!("CARGO_PKG_VERSION"))])),
            }
        }
        self
    }

    /// What alerts ask for by its growth must be there before it first happens: the first sample of a series is no growth.
    fn begin_at_zero(&self) {
        for result in [CallResult::Ok, CallResult::Failed, CallResult::TimedOut] {
            drop(self.keys.get_or_create(&ResultLabels { result: result.code() }));
        }
        for channel in ["webhook", "email"] {
            drop(self.waiting.get_or_create(&ChannelLabels { channel }));
            for result in ["sent", "failed", "dead", "unreachable", "overtaken"] {
                drop(self.notifications.get_or_create(&TryLabels { channel, result }));
            }
        }
    }

    /// This process started.
    pub fn started(&self, at: Timestamp) {
        self.started.set(at.as_second());
    }

    /// A tenant's gauges; from now on they are there.
    pub fn tenant(&self, name: &TenantName) -> TenantSeries {
        self.tenants.series(name)
    }

    /// A self-test's hook was answered.
    pub fn self_test(&self, outcome: Outcome) {
        self.self_tests.get_or_create(&OutcomeLabels { outcome: outcome.code() }).inc();
    }

    /// A hook was answered; `patience` is how long the identity provider waits.
    pub fn hook(&self, dialect: &'static str, outcome: Outcome, took: Duration, patience: Duration) {
        match self.known.iter().find(|(name, _)| *name == dialect) {
            Some((_, series)) => series.answered(outcome, took, patience),
            None => self.hooks.series(dialect).answered(outcome, took, patience),
        }
    }

    /// A hook's caller was turned away.
    pub fn hook_not_authenticated(&self, dialect: &'static str) {
        match self.known.iter().find(|(name, _)| *name == dialect) {
            Some((_, series)) => series.turned_away(),
            None => self.hooks.series(dialect).turned_away(),
        }
    }

    /// A question to the directory, as its caller saw it.
    pub fn directory(&self, operation: &'static str, result: CallResult, took: Duration) {
        let labels = CallLabels { operation, result: result.code() };
        self.directory.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// A call that went to a directory elsewhere, for one caller or for many.
    pub fn directory_call(&self, operation: &'static str, result: CallResult, took: Duration) {
        let labels = CallLabels { operation, result: result.code() };
        self.directory_calls.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// A call to the store.
    pub fn store(&self, operation: &'static str, result: CallResult, took: Duration) {
        let labels = CallLabels { operation, result: result.code() };
        self.store.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// An API request; `route` is the pattern, never the path.
    pub fn api(&self, route: &str, method: &str, status: u16, took: Duration) {
        let method = labels::method(method);
        let labels = ApiLabels { route: route.to_owned(), method, status: labels::status_class(status) };
        self.api_requests.get_or_create(&labels).inc();
        let labels = RouteLabels { route: labels.route, method };
        self.api_seconds.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// A fetch of an issuer's keys.
    pub fn keys(&self, result: CallResult, took: Duration) {
        self.keys.get_or_create(&ResultLabels { result: result.code() }).observe(took.as_secs_f64());
    }

    /// The counters of local caches of that kind; from now on they are there, at zero.
    pub fn cache(&self, kind: CacheKind) -> CacheSeries {
        self.caches.series(kind)
    }

    /// Delegations that wait for their hook.
    pub fn pending_delegations(&self, count: u64) {
        self.pending.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Whether the configuration's file is wrong or gone, so that old rules are in force.
    pub fn policy_reload_failed(&self, is_so: bool) {
        self.policy_failed.set(i64::from(is_so));
    }

    /// Rules were taken from the configuration's file.
    pub fn policy_loaded(&self, at: Timestamp) {
        self.policy_loaded.set(at.as_second());
    }

    /// A try to tell somebody, or the end of trying.
    pub fn notification(&self, channel: &'static str, result: &'static str) {
        self.notifications.get_or_create(&TryLabels { channel, result }).inc();
    }

    /// Notifications that wait to be sent.
    pub fn notifications_waiting(&self, channel: &'static str, count: u64) {
        let gauge = self.waiting.get_or_create(&ChannelLabels { channel });
        gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Whether a dependency answered when last asked.
    pub fn dependency_up(&self, name: &str, up: bool) {
        self.up.get_or_create(&NameLabels { name: name.to_owned() }).set(i64::from(up));
    }

    /// The metrics in OpenMetrics text form.
    pub fn render(&self) -> String {
        let mut out = String::new();
        // Writing to a String doesn't fail; half a page would be worse than none.
        if encode(&mut out, &self.registry).is_err() {
            out.clear();
        }
        out
    }
}

impl CallResult {
    /// As labels and logs have it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Garbled => "garbled",
            Self::Rejected => "rejected",
            Self::Throttled => "throttled",
            Self::TimedOut => "timed_out",
        }
    }
}

#[cfg(test)]
mod tests;
