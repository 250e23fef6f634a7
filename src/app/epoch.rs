//! The epoch: raised whenever the store may have rolled back, so that what was used once is not fresh again.

use jiff::SignedDuration;

use super::{
    Services,
    error::AppError,
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

/// The epoch in a snapshot, with its record; a tenant without one is not ready.
pub fn of(snapshot: &Snapshot) -> Result<(Epoch, &Record), Reason> {
    match records::find::<Epoch>(snapshot, &records::epoch_key()) {
        Ok(Some(found)) => Ok(found),
        Ok(None) => Err(Reason::EpochChanged),
        Err(_) => Err(Reason::StoreUnavailable),
    }
}

/// Makes sure that the tenant's epoch was written in the store's present line of history, and raises it if not.
/// Gives the number in force. Safe to run in many processes at once.
pub async fn ensure(services: &Services, tenant: &TenantName) -> Result<u64, AppError> {
    let incarnation = services.store.incarnation(tenant).await?;
    let key = records::epoch_key();
    for _ in 0..3 {
        let snapshot = services.store.read(tenant, &[key]).await?;
        let found = records::find::<Epoch>(&snapshot, &key)?;
        let (expect, number) = match found {
            Some((epoch, _)) if epoch.incarnation == incarnation => return Ok(epoch.number),
            Some((epoch, record)) => (Expect::Version(record.version), epoch.number + 1),
            None => (Expect::Absent, 1),
        };
        let raised = number > 1;
        let epoch = Epoch { number, incarnation: incarnation.clone() };
        let event = services
            .event(tenant, Code::EpochRaised, Actor::service("store"), snapshot.now)
            .on("epoch", &number)
            .changed((raised).then(|| (number - 1).to_string()).as_deref(), &number.to_string());
        let change = Change {
            expect: vec![(key, expect)],
            puts: vec![records::put_epoch(&epoch)?],
            events: if raised { records::encode_events(&[event])? } else { Vec::new() },
            ..Change::new(
                services.change_id(),
                snapshot.now.saturating_add(SignedDuration::from_secs(5)).unwrap_or(snapshot.now),
            )
        };
        match services.store.commit(tenant, change).await? {
            Committed::Done(_) => {
                if raised {
                    tracing::warn!(%tenant, epoch = number, "the store may have rolled back: what was pending is void");
                }
                return Ok(number);
            }
            Committed::Conflict(_) | Committed::Fenced | Committed::Late => {}
        }
    }
    Err(StoreError::Unavailable("the epoch could not be written".to_owned()).into())
}
