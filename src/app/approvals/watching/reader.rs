//! The one who looks for all.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::{Approval, ApprovalId, Services, TenantName, lock};
use crate::{
    app::approvals::{Found, records},
    ports::store::Key,
};

/// Between two looks without a hint.
const EVERY: Duration = Duration::from_secs(1);
/// At least so long between two looks: hooks commit thousands of times a second.
const PAUSE: Duration = Duration::from_millis(25);
/// Records of one read.
const TOGETHER: usize = 200;

/// Looks until nobody waits any more.
pub(super) async fn read(services: Arc<Services>, tenant: TenantName) {
    let mut hints = services.store.changed(&tenant);
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while let Some(ids) = wanted(&services, &tenant) {
        for part in ids.chunks(TOGETHER) {
            look(&services, &tenant, part).await;
        }
        sleep(PAUSE).await;
        tokio::select! {
            _ = ticks.tick() => {}
            Some(()) = hints.next() => {}
        }
    }
}

/// What is watched; `None`, and there is no reader any more, if nothing is.
fn wanted(services: &Services, tenant: &TenantName) -> Option<Vec<ApprovalId>> {
    let mut waiting = lock(&services.watchers.waiting);
    let ids: Vec<_> = waiting.tenants.get(tenant)?.approvals.keys().copied().collect();
    if ids.is_empty() {
        waiting.tenants.remove(tenant);
        return None;
    }
    Some(ids)
}

async fn look(services: &Services, tenant: &TenantName, ids: &[ApprovalId]) {
    let keys: Vec<Key> = ids.iter().map(|id| records::key(*id)).collect();
    // A store that is away for a moment is asked again; those who wait have a last instant of their own.
    let Ok(snapshot) = services.store.read(tenant, &keys).await else { return };
    for id in ids {
        match Found::in_snapshot(&snapshot, *id) {
            Ok(Some(found)) => tell(services, tenant, found.approval),
            Ok(None) => {}
            Err(error) => tracing::error!(%tenant, approval = %id, %error, "an approval can't be watched"),
        }
    }
}

fn tell(services: &Services, tenant: &TenantName, approval: Approval) {
    let waiting = lock(&services.watchers.waiting);
    let watched = waiting.tenants.get(tenant).and_then(|of_tenant| of_tenant.approvals.get(&approval.id));
    let Some(watched) = watched else { return };
    watched.seen.send_if_modified(|seen| {
        let is_newer = seen.as_ref().is_none_or(|known| known.revision < approval.revision);
        if is_newer {
            *seen = Some(Arc::new(approval));
        }
        is_newer
    });
}
