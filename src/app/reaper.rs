//! Ends what nobody touched in time, and drops what ended long ago. One bounded pass: no input, safe to repeat,
//! harmless in many processes at once, because every step is a compare-and-set.

use super::{Services, error::AppError, records};
use crate::{
    domain::{
        audit::{Actor, Code},
        delegation::Delegation,
        ids::{DelegationRef, TenantName},
    },
    ports::store::{Change, Committed, Expect, Index, Key, ListPage, Page, Record},
};

/// Records handled in one pass.
const BATCH: usize = 200;

/// What a pass did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pass {
    /// Delegations that were ended.
    pub expired: usize,
    /// Records that were dropped.
    pub dropped: usize,
    /// Delegations that still wait, as far as they were counted.
    pub pending: u64,
    /// True if there is more to do at once.
    pub more: bool,
}

/// One pass over one tenant.
pub async fn pass(services: &Services, tenant: &TenantName) -> Result<Pass, AppError> {
    let now = records::millis(services.store.read(tenant, &[]).await?.now);
    let due = list(services, tenant, records::due(), now).await?;
    let gone = list(services, tenant, records::droppable(), now).await?;
    let mut pass = Pass { more: due.more || gone.more, ..Pass::default() };
    for (_, key, record) in &due.rows {
        if records::is_delegation(key) && expire(services, tenant, *key, record, due.now).await? {
            pass.expired += 1;
        }
    }
    for (_, key, record) in &gone.rows {
        if record.drop_at.is_some_and(|at| at <= gone.now)
            && drop_record(services, tenant, *key, record, gone.now).await?
        {
            pass.dropped += 1;
        }
    }
    pass.pending = count_pending(services, tenant).await?;
    Ok(pass)
}

async fn list(services: &Services, tenant: &TenantName, index: Index, up_to: u64) -> Result<ListPage, AppError> {
    Ok(services.store.list(tenant, index, Page { up_to, after: None, limit: BATCH }).await?)
}

async fn expire(
    services: &Services,
    tenant: &TenantName,
    key: Key,
    record: &Record,
    now: jiff::Timestamp,
) -> Result<bool, AppError> {
    let delegation: Delegation = match records::decode(record) {
        Ok(delegation) => delegation,
        // One record that can't be read must not keep the others from ending.
        Err(error) => {
            tracing::error!(%tenant, %error, "a delegation can't be expired");
            return Ok(false);
        }
    };
    let Some(expired) = delegation.expire(now) else { return Ok(false) };
    let event = services
        .event(tenant, Code::DelegationExpired, Actor::service("reaper"), now)
        .on_behalf_of(&expired.delegator)
        .on("delegation", &DelegationRef(key.id))
        .on("agent", &expired.binding.agent.id)
        .through(expired.binding.client.as_str())
        .changed(Some("PENDING"), expired.state.name());
    let put = records::put_delegation(key, &expired)?;
    let change =
        Change { puts: vec![put], events: records::encode_events(&[event])?, ..blank(services, key, record, now) };
    Ok(matches!(services.store.commit(tenant, change).await?, Committed::Done(_)))
}

async fn drop_record(
    services: &Services,
    tenant: &TenantName,
    key: Key,
    record: &Record,
    now: jiff::Timestamp,
) -> Result<bool, AppError> {
    let change = Change { drops: vec![key], ..blank(services, key, record, now) };
    Ok(matches!(services.store.commit(tenant, change).await?, Committed::Done(_)))
}

fn blank(services: &Services, key: Key, record: &Record, now: jiff::Timestamp) -> Change {
    Change {
        id: services.change_id(),
        not_after: now.saturating_add(jiff::SignedDuration::from_secs(10)).unwrap_or(now),
        expect: vec![(key, Expect::Version(record.version))],
        fence: None,
        puts: Vec::new(),
        drops: Vec::new(),
        forget: None,
        events: Vec::new(),
    }
}

/// Counts the due list, up to a bound that no dashboard needs to tell from "very many".
async fn count_pending(services: &Services, tenant: &TenantName) -> Result<u64, AppError> {
    const PAGES: usize = 10;
    let (mut count, mut after) = (0, None);
    for _ in 0..PAGES {
        let page = Page { up_to: u64::MAX, after, limit: 1000 };
        let found = services.store.list(tenant, records::due(), page).await?;
        count += found.rows.len() as u64;
        after = found.rows.last().map(|(sort, key, _)| (*sort, *key));
        if !found.more {
            break;
        }
    }
    Ok(count)
}
