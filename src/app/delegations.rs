//! An agent's own delegations: list and cancel.

use super::{
    Services, Tenant,
    caller::Caller,
    error::AppError,
    listing::{self, Cursor, Listed},
    records,
};
use crate::{
    domain::{
        audit::{Actor, Code},
        delegation::Delegation,
        ids::{DelegationId, DelegationRef, RecordId},
        reason::Reason,
    },
    ports::store::{Change, Expect},
};

/// A delegation as its agent sees it.
pub struct Mine {
    /// Its public reference.
    pub reference: DelegationRef,
    /// The record; a pending one past its end is shown as expired.
    pub delegation: Delegation,
}

/// The caller's delegations, newest first.
pub async fn list(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    after: Option<Cursor>,
    limit: usize,
) -> Result<Listed<Mine>, AppError> {
    let found = listing::page(services, tenant, records::by_agent(&caller.user), after, limit).await?;
    Ok(Listed::of(&found, |key, record| {
        let delegation: Delegation = records::decode(record)?;
        if delegation.binding.agent.id != caller.user {
            return Ok(None);
        }
        let delegation = delegation.clone().expire(found.now).unwrap_or(delegation);
        Ok(Some(Mine { reference: DelegationRef(key.id), delegation }))
    }))
}

/// Takes back a delegation that waits, named by its id or by its reference. One of somebody else isn't there.
pub async fn cancel(services: &Services, tenant: &Tenant, caller: &Caller, id: &str) -> Result<(), AppError> {
    let record = parse(id).ok_or(AppError::NotFound("delegation"))?;
    let key = records::delegation_key(record);
    let mut tries = services.tries();
    while tries.again().await {
        let snapshot = services.store.read(&tenant.name, &[key]).await?;
        let found = records::find::<Delegation>(&snapshot, &key)?;
        let Some((delegation, record)) = found.filter(|(d, _)| d.binding.agent.id == caller.user) else {
            return Err(AppError::NotFound("delegation"));
        };
        let agent = delegation.binding.agent.clone();
        let (delegator, client) = (delegation.delegator.clone(), delegation.binding.client.clone());
        let cancelled = match delegation.cancel(snapshot.now) {
            Ok(cancelled) => cancelled,
            Err(Reason::Expired) => return Err(AppError::NotPending("EXPIRED")),
            Err(Reason::Cancelled) => return Ok(()),
            Err(_) => return Err(AppError::NotPending("CONSUMED")),
        };
        let event = services
            .event(&tenant.name, Code::DelegationCancelled, Actor::user(&agent), snapshot.now)
            .on_behalf_of(&delegator)
            .on("delegation", &DelegationRef(key.id))
            .through(client.as_str())
            .in_request(caller.request.as_deref())
            .changed(Some("PENDING"), cancelled.state.name());
        let change = Change {
            expect: vec![(key, Expect::VersionLive(record.version))],
            puts: vec![records::put_ended(key, &cancelled)?],
            events: records::encode_events(&[event])?,
            ..Change::new(services.change_id(), services.not_after(snapshot.now, tenant))
        };
        if services.settle(&tenant.name, change, key).await?.stands() {
            return Ok(());
        }
    }
    Err(Reason::Busy.into())
}

fn parse(id: &str) -> Option<RecordId> {
    let by_secret = DelegationId::parse(id).map(|id| id.record());
    by_secret.or_else(|| DelegationRef::parse(id).map(|reference| reference.0))
}
