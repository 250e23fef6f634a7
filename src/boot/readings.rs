//! Keeps the tenants' gauges up to date.

use std::time::Duration;

use actix_web::web;
use jiff::SignedDuration;
use tokio::time::MissedTickBehavior;

use crate::{
    app::{Services, approvals, readings},
    web::state::{AppState, Door},
};

/// Between two readings of the store.
const READ_EVERY: Duration = Duration::from_secs(15);
/// Between two looks whether there is still somebody who can decide what waits: this asks the directory.
const ASK_EVERY: Duration = Duration::from_mins(1);
/// One process asks for all, and another does when it is gone.
const LEASE: &str = "approvals watch";
const LEASE_TIME: SignedDuration = SignedDuration::from_mins(3);

/// Reads each tenant's store again and again. Where that fails the gauges stay as they are; that the store is away is
/// told by another one.
pub(super) async fn read_all(state: web::Data<AppState>, sink: Option<String>) {
    let mut ticks = tokio::time::interval(READ_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        for (tenant, door) in &state.doors {
            match readings::read(&state.services, tenant, sink.as_deref()).await {
                Ok(reading) => door.series.show(&reading),
                Err(error) => tracing::debug!(%tenant, %error, "the store could not be read for its gauges"),
            }
        }
    }
}

/// Looks for approvals that nobody can decide.
pub(super) async fn watch_approvals(state: web::Data<AppState>, holder: String) {
    let mut ticks = tokio::time::interval(ASK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        for door in state.doors.values() {
            if let Some(count) = undecidable(&state.services, door, &holder).await {
                door.series.approvals_undecidable(count);
            }
        }
    }
}

/// `None`: it can't be told now.
async fn undecidable(services: &Services, door: &Door, holder: &str) -> Option<u64> {
    let tenant = &door.tenant;
    let lease = services.store.lease(&tenant.name, LEASE, holder, LEASE_TIME).await.ok()?;
    if lease.is_none() {
        // Somebody else shows it.
        return Some(0);
    }
    approvals::undecidable(services, tenant)
        .await
        .inspect_err(|error| tracing::debug!(tenant = %tenant.name, %error, "it can't be told who could decide"))
        .ok()
}
