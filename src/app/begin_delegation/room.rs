//! An agent has only so many delegations that wait.

use jiff::Timestamp;

use crate::{
    app::{
        Services, Tenant,
        error::AppError,
        records::{self, Roster, RosterEntry},
    },
    domain::{delegation::Delegation, ids::DelegationRef},
    ports::store::Key,
};

/// The roster without entries that have ended. Only when it is full are the delegations themselves looked at:
/// a hook that consumes one needn't write the roster.
pub(super) async fn made(
    services: &Services,
    tenant: &Tenant,
    mut roster: Roster,
    now: Timestamp,
) -> Result<Roster, AppError> {
    let limit = tenant.limits.max_pending;
    roster.pending.retain(|entry| now < entry.end);
    if roster.pending.len() < limit {
        return Ok(roster);
    }
    let key_of = |e: &RosterEntry| DelegationRef::parse(&e.reference).map(|r| records::delegation_key(r.0));
    let keys: Vec<Key> = roster.pending.iter().filter_map(key_of).collect();
    let snapshot = services.store.read(&tenant.name, &keys).await?;
    let mut kept = Vec::new();
    for entry in roster.pending {
        let Some(key) = key_of(&entry) else { continue };
        let found = records::find::<Delegation>(&snapshot, &key)?;
        if found.is_some_and(|(d, _)| d.is_pending(snapshot.now)) {
            kept.push(entry);
        }
    }
    if kept.len() < limit {
        return Ok(Roster { pending: kept });
    }
    let soonest = kept.iter().map(|e| e.end).min().unwrap_or(now);
    let wait = soonest.duration_since(now).as_secs().max(0);
    Err(AppError::TooManyPending { limit, retry_after: u64::try_from(wait).unwrap_or(0) + 1 })
}
