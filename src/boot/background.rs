//! What goes on besides the requests. Each pass is bounded, and safe to repeat and to interrupt.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actix_web::web;
use futures_util::future::join_all;
use tokio::time::Instant;

use crate::{
    app::{
        Services, deliver,
        epoch::{self, InForce},
        error::AppError,
        reaper,
        retention::Retention,
        sealer::Sealer,
    },
    domain::ids::TenantName,
    metrics::{Metrics, TenantSeries},
    ports::audit_sink::AuditSink,
    web::state::AppState,
};

/// Between two passes of the reaper, when there is nothing left to do at once.
const REAP_EVERY: Duration = Duration::from_secs(5);
/// Between two tidyings of the rate limiter.
const TIDY_EVERY: Duration = Duration::from_mins(1);

/// Between two looks whether the store is another one now. It costs nothing while it isn't.
const EPOCH_EVERY: Duration = Duration::from_millis(200);
/// Between two looks at the epoch itself: somebody may have emptied the store.
const EPOCH_AGAIN: Duration = Duration::from_secs(5);

/// Between two looks for events to seal or to deliver.
const SEAL_EVERY: Duration = Duration::from_secs(1);

/// Between two looks for events that are kept for long enough.
const TRIM_EVERY: Duration = Duration::from_mins(1);

/// Ends delegations that nobody used and drops old records.
pub(super) async fn reap(services: Arc<Services>, metrics: Arc<Metrics>) {
    let mut ticks = tokio::time::interval(REAP_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut tenants: BTreeMap<_, _> = services.tenants.keys().map(|tenant| (tenant, Reaped::default())).collect();
    loop {
        ticks.tick().await;
        for (tenant, reaped) in &mut tenants {
            if let Err(error) = reaped.go_on(&services, tenant, &metrics.tenant(tenant)).await {
                tracing::warn!(%tenant, %error, "the reaper could not do its work");
            }
        }
        metrics.pending_delegations(tenants.values().map(|reaped| reaped.pending).sum());
    }
}

/// How far the reaper came with a tenant.
#[derive(Default)]
struct Reaped {
    places: reaper::Places,
    /// Delegations that waited when they were counted last.
    pending: u64,
    /// Records that couldn't be read.
    unread: usize,
}

impl Reaped {
    /// Passes over the tenant until there is nothing left to do, or a pass gets nowhere.
    async fn go_on(&mut self, services: &Services, tenant: &TenantName, series: &TenantSeries) -> Result<(), AppError> {
        let unread = loop {
            let pass = reaper::pass(services, tenant, &mut self.places).await?;
            if !(pass.more && pass.got_on()) {
                break pass.unread;
            }
        };
        // Said when it changes: it may stay so until a newer version runs again.
        if unread.count > self.unread {
            let (records, first) = (unread.count, unread.first.as_deref().unwrap_or_default());
            tracing::error!(%tenant, records, first, "there are records that this version can't read: they stay as they are");
        }
        self.unread = unread.count;
        series.unreadable(unread.count);
        self.pending = reaper::pending(services, tenant).await?;
        Ok(())
    }
}

/// Forgets API callers who haven't called for long.
pub(super) async fn tidy(state: web::Data<AppState>) {
    let mut ticks = tokio::time::interval(TIDY_EVERY);
    loop {
        ticks.tick().await;
        state.rate_limit.tidy();
    }
}

/// Raises a tenant's epoch as soon as its store may have rolled back, and tells whether the store can be reached.
pub(super) async fn keep_epochs(services: Arc<Services>, sealer: Arc<Sealer>, metrics: Arc<Metrics>) {
    let up: BTreeMap<_, _> = services.tenants.keys().map(|tenant| (tenant, AtomicBool::new(true))).collect();
    // Each for itself: tenants may lie on servers of which one answers late.
    let all = up.iter().map(async |(tenant, is_up)| {
        let mut ticks = tokio::time::interval(EPOCH_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut known = None;
        loop {
            ticks.tick().await;
            is_up.store(keep_epoch(&services, &sealer, tenant, &mut known).await, Ordering::Relaxed);
            metrics.dependency_up("store", up.values().all(|up| up.load(Ordering::Relaxed)));
        }
    });
    join_all(all).await;
}

/// The epoch as it was found.
struct Known {
    in_force: InForce,
    /// Whether our key is the one that signs.
    ours: bool,
    at: Instant,
}

/// False if the store can't be reached.
async fn keep_epoch(services: &Services, sealer: &Sealer, tenant: &TenantName, known: &mut Option<Known>) -> bool {
    let Ok(incarnation) = services.store.incarnation(tenant).await else { return false };
    let is_same = |last: &Known| last.in_force.incarnation == incarnation && last.at.elapsed() < EPOCH_AGAIN;
    if known.as_ref().is_some_and(is_same) {
        return true;
    }
    let at_least = known.as_ref().map_or(0, |last| last.in_force.number);
    match make_sure(services, sealer, tenant, at_least).await {
        Ok(found) => {
            if !found.ours && known.as_ref().is_none_or(|last| last.ours) {
                tracing::error!(
                    %tenant,
                    "another process signs the audit trail with another key: give all the same BEHALF_SIGNING_KEY_FILE"
                );
            }
            *known = Some(found);
            true
        }
        Err(error) => {
            tracing::warn!(%tenant, %error, "the epoch could not be made sure of; ids are refused until it is");
            false
        }
    }
}

/// A store that has lost everything has lost the key's announcement, too.
async fn make_sure(
    services: &Services,
    sealer: &Sealer,
    tenant: &TenantName,
    at_least: u64,
) -> Result<Known, AppError> {
    let in_force = epoch::ensure(services, tenant, at_least).await?;
    let ours = sealer.stay_announced(services, tenant).await?;
    Ok(Known { in_force, ours, at: Instant::now() })
}

/// Seals what was written since, and signs checkpoints.
pub(super) async fn seal(services: Arc<Services>, sealer: Arc<Sealer>) {
    let mut ticks = tokio::time::interval(SEAL_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        for tenant in services.tenants.keys() {
            seal_all(&services, tenant, &sealer).await;
        }
    }
}

async fn seal_all(services: &Services, tenant: &TenantName, sealer: &Sealer) {
    let result = loop {
        match sealer.pass(services, tenant).await {
            Ok(pass) if pass.more => {}
            other => break other,
        }
    };
    if let Err(error) = result {
        tracing::warn!(%tenant, %error, "the audit trail could not be sealed");
    }
}

/// Seals and delivers what there is, once: the last thing before the store is closed.
pub(super) async fn last_pass(services: &Services, sealer: &Sealer, sink: Option<&dyn AuditSink>) {
    for tenant in services.tenants.keys() {
        seal_all(services, tenant, sealer).await;
        if let Some(sink) = sink {
            deliver_all(services, tenant, sink, sealer).await;
        }
    }
}

/// Hands sealed entries to the sink.
pub(super) async fn deliver(services: Arc<Services>, sink: Arc<dyn AuditSink>, sealer: Arc<Sealer>) {
    let mut ticks = tokio::time::interval(SEAL_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        for tenant in services.tenants.keys() {
            deliver_all(&services, tenant, &*sink, &sealer).await;
        }
    }
}

async fn deliver_all(services: &Services, tenant: &TenantName, sink: &dyn AuditSink, sealer: &Sealer) {
    let delivered = loop {
        match deliver::pass(services, tenant, sink, sealer.holder()).await {
            Ok(pass) if pass.more => {}
            other => break other,
        }
    };
    if let Err(error) = delivered {
        tracing::warn!(%tenant, %error, "the audit trail could not be delivered");
    }
}

/// Drops events that are old, sealed and delivered.
pub(super) async fn trim(services: Arc<Services>, retention: Retention, sealer: Arc<Sealer>) {
    let mut ticks = tokio::time::interval(TRIM_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        for tenant in services.tenants.keys() {
            let trimmed = loop {
                match retention.pass(&services, tenant, sealer.holder()).await {
                    Ok(pass) if pass.more => {}
                    other => break other,
                }
            };
            if let Err(error) = trimmed {
                tracing::warn!(%tenant, %error, "old events of the audit trail could not be dropped");
            }
        }
    }
}
