//! The epoch: raised whenever the store may have rolled back, so that what was used once is not fresh again.

use jiff::SignedDuration;

use super::{
    Services,
    error::{AppError, reason_of},
    records::{self, Epoch},
};
use crate::{
    domain::{
        audit::{Actor, Code},
        ids::TenantName,
        reason::Reason,
    },
    ports::store::{Change, Committed, Expect, Record, Snapshot, StoreError},
};

/// How long the change that raises it may take.
const PATIENCE: SignedDuration = SignedDuration::from_secs(5);

/// The epoch in a snapshot, with its record; a tenant without one is not ready.
pub fn of(snapshot: &Snapshot) -> Result<(Epoch, &Record), Reason> {
    match records::find::<Epoch>(snapshot, &records::epoch_key()) {
        Ok(Some(found)) => Ok(found),
        Ok(None) => Err(Reason::EpochChanged),
        Err(error) => Err(reason_of(&error)),
    }
}

/// Makes sure that the tenant's epoch was written in the store's present line of history, and raises it if not.
/// Gives the number in force, and the line. `at_least`: a number that this process has seen; a store that shows a smaller
/// one was put back, and one that has lost everything doesn't begin below it. Safe to run in many processes at once.
pub async fn ensure(services: &Services, tenant: &TenantName, at_least: u64) -> Result<InForce, AppError> {
    for _ in 0..5 {
        let incarnation = services.store.incarnation(tenant).await?;
        match attempt(services, tenant, at_least, &incarnation).await {
            Ok(Some(number)) => return Ok(InForce { number, incarnation }),
            // Another process was faster, or the store changed once more.
            Ok(None) | Err(StoreError::RolledBack) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Unavailable("the epoch could not be written".to_owned()).into())
}

/// An epoch, and the line of history in which it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InForce {
    /// The epoch's number.
    pub number: u64,
    /// The line of history.
    pub incarnation: String,
}

/// The number in force; `None` if it must be looked at again.
async fn attempt(
    services: &Services,
    tenant: &TenantName,
    at_least: u64,
    incarnation: &str,
) -> Result<Option<u64>, StoreError> {
    let key = records::epoch_key();
    let snapshot = services.store.read(tenant, &[key]).await?;
    let (expect, before) = match records::find::<Epoch>(&snapshot, &key)? {
        Some((epoch, _)) if epoch.incarnation == incarnation && epoch.number >= at_least => {
            return Ok(Some(epoch.number));
        }
        Some((epoch, record)) => (Expect::Version(record.version), epoch.number.max(at_least)),
        None => (Expect::Absent, at_least),
    };
    let number = before + 1;
    let raised = before > 0;
    let event = services
        .event(tenant, Code::EpochRaised, Actor::service("store"), snapshot.now)
        .on("epoch", &number)
        .changed(raised.then(|| before.to_string()).as_deref(), &number.to_string());
    let change = Change {
        expect: vec![(key, expect)],
        puts: vec![records::put_epoch(&Epoch { number, incarnation: incarnation.to_owned() })?],
        events: if raised { records::encode_events(&[event])? } else { Vec::new() },
        begins: Some(incarnation.to_owned()),
        ..Change::new(services.change_id(), snapshot.now.saturating_add(PATIENCE).unwrap_or(snapshot.now))
    };
    match services.store.commit(tenant, change).await? {
        Committed::Done(_) => {}
        Committed::Conflict(_) | Committed::Fenced | Committed::Late => return Ok(None),
    }
    if raised {
        tracing::warn!(%tenant, epoch = number, "the store may have rolled back: what was pending is void");
    }
    Ok(Some(number))
}
