//! Committing when the answer may get lost.

use std::{sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, timeout, timeout_at};

use super::{Services, Tenant, error::AppError, records};
use crate::{
    domain::{audit::Event, ids::TenantName, reason::Reason},
    ports::store::{Change, ChangeId, Committed, Key, StoreError},
};

/// Between two looks at a record whose commit is in doubt.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A commit taken in before its `not_after` may show this much later.
const MARGIN: SignedDuration = SignedDuration::from_secs(2);
/// How long an API call waits for a commit, doubts included.
const API_PATIENCE: Duration = Duration::from_secs(3);
/// How long an event that nobody waits for any more is tried.
const RECORD_FOR: Duration = Duration::from_secs(10);

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It stands.
    Stands,
    /// Nothing was written: somebody else was faster, at this record.
    Overtaken(Key),
}

impl Settled {
    /// False if somebody else was faster.
    pub fn stands(self) -> bool {
        self == Self::Stands
    }
}

impl Services {
    /// The last instant (store's time) at which a commit of an API call is wanted.
    pub fn not_after(&self, now: Timestamp, tenant: &Tenant) -> Timestamp {
        let budget = SignedDuration::try_from(tenant.budget.hook).unwrap_or(SignedDuration::from_secs(2));
        now.saturating_add(budget).unwrap_or(now)
    }

    /// Commits; when the reply is lost, the record under `witness`, which the change writes, tells what became of it.
    /// For API calls: after 3 s without certainty it gives up, `Unknown`.
    pub async fn commit_and_settle(
        &self,
        tenant: &TenantName,
        change: Change,
        witness: Key,
    ) -> Result<Committed, StoreError> {
        let certain = self.commit_to_the_end(tenant, change, witness);
        let in_time = timeout(API_PATIENCE, certain).await;
        in_time.unwrap_or_else(|_| Err(StoreError::Unknown("no certainty in time".to_owned())))
    }

    /// As [`Services::commit_and_settle`], for whoever has nothing to do about a commit that was too late but to fail.
    pub async fn settle(&self, tenant: &TenantName, change: Change, witness: Key) -> Result<Settled, AppError> {
        match self.commit_and_settle(tenant, change, witness).await? {
            Committed::Done(_) => Ok(Settled::Stands),
            Committed::Conflict(key) => Ok(Settled::Overtaken(key)),
            Committed::Late | Committed::Fenced => Err(Reason::StoreUnavailable.into()),
        }
    }

    /// As [`Services::commit_and_settle`], but ends only when it is certain; bound it from outside.
    pub async fn commit_to_the_end(
        &self,
        tenant: &TenantName,
        change: Change,
        witness: Key,
    ) -> Result<Committed, StoreError> {
        // A record that is dropped doesn't tell by whom.
        if !change.puts.iter().any(|put| put.key == witness) {
            return self.commit_until_answered(tenant, change).await;
        }
        let (id, not_after) = (change.id, change.not_after);
        match self.store.commit(tenant, change).await {
            Err(StoreError::Unknown(_)) => {
                let ours = self.was_applied(tenant, witness, id, not_after).await;
                Ok(if ours { Committed::Done(Vec::new()) } else { Committed::Late })
            }
            answered => answered,
        }
    }

    /// Commits what no record tells of afterwards. The same change is never applied twice, so where the reply is lost,
    /// to send it again is to ask what became of it. Ends only when the store answers; bound it from outside.
    async fn commit_until_answered(&self, tenant: &TenantName, change: Change) -> Result<Committed, StoreError> {
        let first = self.store.commit(tenant, change.clone()).await;
        if !matches!(first, Err(StoreError::Unknown(_))) {
            return first;
        }
        let mut looks = tokio::time::interval(LOOK_EVERY);
        loop {
            looks.tick().await;
            if let Ok(answer) = self.store.commit(tenant, change.clone()).await {
                return Ok(answer);
            }
        }
    }

    /// Waits until it is certain whether the change was applied: true if the record under `witness` is its doing.
    /// Ends only when the store answers; bound it from outside.
    async fn was_applied(&self, tenant: &TenantName, witness: Key, id: ChangeId, not_after: Timestamp) -> bool {
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

    /// Whether a second server has what was committed: asked after what takes a right away, because a failover that
    /// forgets it would give it back. `None`: there is no second server. Not known counts as no.
    pub async fn replicated(&self, tenant: &TenantName) -> Option<bool> {
        match timeout(API_PATIENCE, self.store.replicated(tenant)).await {
            Ok(Ok(replicated)) => replicated,
            Ok(Err(_)) | Err(_) => Some(false),
        }
    }

    /// Writes one event that goes with no change of records. Gives its id if it stands; a failure is logged.
    pub async fn record(&self, tenant: &Tenant, event: impl FnOnce(Timestamp) -> Event) -> Option<String> {
        self.record_within(tenant, tenant.budget.commit, |now| vec![event(now)]).await
    }

    /// Writes events that go with no change of records, as a task of its own that is waited for until `until`.
    /// Gives the first one's id if they stand by then.
    pub async fn record_until(
        self: &Arc<Self>,
        tenant: &Arc<Tenant>,
        until: Instant,
        events: impl FnOnce(Timestamp) -> Vec<Event> + Send + 'static,
    ) -> Option<String> {
        let (services, tenant) = (Arc::clone(self), Arc::clone(tenant));
        let work = async move { services.record_within(&tenant, RECORD_FOR, events).await };
        let task = self.tracker.spawn_on(work, &self.runtime);
        timeout_at(until, task).await.ok()?.ok()?
    }

    async fn record_within(
        &self,
        tenant: &Tenant,
        within: Duration,
        events: impl FnOnce(Timestamp) -> Vec<Event>,
    ) -> Option<String> {
        match timeout(within, self.try_record(tenant, within, events)).await {
            Ok(Ok(id)) => id,
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

    async fn try_record(
        &self,
        tenant: &Tenant,
        within: Duration,
        events: impl FnOnce(Timestamp) -> Vec<Event>,
    ) -> Result<Option<String>, StoreError> {
        let now = self.store.read(&tenant.name, &[]).await?.now;
        let events = events(now);
        let within = SignedDuration::try_from(within).unwrap_or(MARGIN);
        let change = Change {
            events: records::encode_events(&events)?,
            ..Change::new(self.change_id(), now.saturating_add(within).unwrap_or(now))
        };
        match self.commit_until_answered(&tenant.name, change).await? {
            Committed::Done(_) => Ok(events.first().map(|event| event.id.as_str().to_owned())),
            other => Err(StoreError::Unavailable(format!("not written: {other:?}"))),
        }
    }
}
