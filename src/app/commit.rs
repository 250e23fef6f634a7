//! Committing when the answer may get lost.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Services, Tenant, records};
use crate::{
    domain::{audit::Event, ids::TenantName},
    ports::store::{Change, ChangeId, Committed, Key, StoreError},
};

/// Between two looks at a record whose commit is in doubt.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A commit taken in before its `not_after` may show this much later.
const MARGIN: SignedDuration = SignedDuration::from_secs(2);

impl Services {
    /// The last instant (store's time) at which a commit of an API call is wanted.
    pub fn not_after(&self, now: Timestamp, tenant: &Tenant) -> Timestamp {
        let budget = SignedDuration::try_from(tenant.budget.hook).unwrap_or(SignedDuration::from_secs(2));
        now.saturating_add(budget).unwrap_or(now)
    }

    /// Commits; when the reply is lost, the record under `witness`, which the change writes, tells what became of it.
    pub async fn commit_and_settle(
        &self,
        tenant: &TenantName,
        change: Change,
        witness: Key,
        id: ChangeId,
        not_after: Timestamp,
    ) -> Result<Committed, StoreError> {
        match self.store.commit(tenant, change).await {
            Err(StoreError::Unknown(_)) => {
                let ours = self.settle(tenant, witness, id, not_after).await;
                Ok(if ours { Committed::Done(Vec::new()) } else { Committed::Late })
            }
            answered => answered,
        }
    }

    /// Waits until it is certain whether the change was applied: true if the record under `witness` is its doing.
    /// Ends only when the store answers; bound it from outside.
    pub async fn settle(&self, tenant: &TenantName, witness: Key, id: ChangeId, not_after: Timestamp) -> bool {
        let certain = not_after.saturating_add(MARGIN).unwrap_or(not_after);
        let mut looks = tokio::time::interval(LOOK_EVERY);
        loop {
            looks.tick().await;
            let Ok(snapshot) = self.store.read(tenant, &[witness]).await else { continue };
            if snapshot.get(&witness).is_some_and(|record| record.last_change == id) {
                return true;
            }
            if snapshot.now >= certain {
                return false;
            }
        }
    }

    /// Writes one event that goes with no change of records. Gives its id if it stands; a failure is logged.
    pub async fn record(&self, tenant: &Tenant, event: impl FnOnce(Timestamp) -> Event) -> Option<String> {
        let written = tokio::time::timeout(tenant.budget.commit, self.try_record(tenant, event)).await;
        match written {
            Ok(Ok(id)) => Some(id),
            Ok(Err(error)) => {
                tracing::error!(tenant = %tenant.name, %error, "an audit event could not be written");
                None
            }
            Err(_) => {
                tracing::error!(tenant = %tenant.name, "an audit event could not be written in time");
                None
            }
        }
    }

    async fn try_record(&self, tenant: &Tenant, event: impl FnOnce(Timestamp) -> Event) -> Result<String, StoreError> {
        let now = self.store.read(&tenant.name, &[]).await?.now;
        let event = event(now);
        let change = Change {
            id: self.change_id(),
            not_after: self.not_after(now, tenant),
            expect: Vec::new(),
            fence: None,
            puts: Vec::new(),
            drops: Vec::new(),
            events: records::encode_events(std::slice::from_ref(&event))?,
        };
        match self.store.commit(&tenant.name, change).await? {
            Committed::Done(_) => Ok(event.id.as_str().to_owned()),
            other => Err(StoreError::Unavailable(format!("not written: {other:?}"))),
        }
    }
}
