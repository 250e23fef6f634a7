//! A deadline for each call, and no calls at all while the directory doesn't answer.

use std::{
    collections::BTreeSet,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use tokio::time::{Instant, timeout};

use super::{
    breaker::{Breaker, Pass, Went},
    entries::{Entries, Entry},
    timed::result_of,
};
use crate::{
    domain::ids::{GroupId, UserId, UserRef},
    metrics::{CallResult, Metrics},
    ports::directory::{DirectoryError, Entity, Members, Written},
};

/// The breaker of one directory, shared by all who ask it.
pub struct Guard {
    breaker: Mutex<Breaker>,
    metrics: Arc<Metrics>,
    /// As `behalf_dependency_up` names it.
    name: String,
}

impl Guard {
    /// Closed; `name` is how the metrics call the directory.
    pub fn new(name: String, metrics: Arc<Metrics>) -> Self {
        Self { breaker: Mutex::default(), metrics, name }
    }

    /// True while the directory isn't asked, because it doesn't answer.
    pub fn is_open(&self) -> bool {
        self.breaker().is_open()
    }

    fn admit(&self) -> Result<Ticket<'_>, DirectoryError> {
        let pass = self.breaker().admit(Instant::now());
        let refused = |left: Duration| {
            DirectoryError::Unavailable(format!("it did not answer, and is asked again in {} ms", left.as_millis()))
        };
        Ok(Ticket { guard: self, pass: pass.map_err(refused)?, went: Went::Unknown })
    }

    fn settle(&self, pass: Pass, went: Went) {
        let (before, after) = {
            let mut breaker = self.breaker();
            let before = breaker.is_open();
            breaker.settle(pass, went, Instant::now());
            (before, breaker.is_open())
        };
        if before == after {
            return;
        }
        self.metrics.dependency_up(&self.name, !after);
        if after {
            tracing::error!(directory = self.name, "the directory does not answer: it is asked no more for a while");
        } else {
            tracing::info!(directory = self.name, "the directory answers again");
        }
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives its pass back however the call ends, dropped in the middle included.
struct Ticket<'a> {
    guard: &'a Guard,
    pass: Pass,
    went: Went,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.guard.settle(self.pass, self.went);
    }
}

/// How long calls may take.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// A read. Less than what its caller waits, or a dead directory would look like impatient callers.
    pub reads: Duration,
    /// A change, with all its tries.
    pub changes: Duration,
}

/// `inner` behind a [`Guard`].
pub struct Guarded {
    inner: Arc<dyn Entries>,
    guard: Arc<Guard>,
    deadlines: Deadlines,
}

impl Guarded {
    /// Several may share a guard: what one learns of the directory is true for all.
    pub fn new(inner: Arc<dyn Entries>, guard: Arc<Guard>, deadlines: Deadlines) -> Self {
        Self { inner, guard, deadlines }
    }

    async fn within<A>(
        &self,
        operation: &'static str,
        deadline: Duration,
        call: impl Future<Output = Result<A, DirectoryError>>,
    ) -> Result<A, DirectoryError> {
        let mut ticket = self.guard.admit()?;
        let start = Instant::now();
        let answer = timeout(deadline, call).await;
        let result = answer.as_ref().map_or(CallResult::TimedOut, result_of);
        self.guard.metrics.directory_call(operation, result, start.elapsed());
        ticket.went = match result {
            CallResult::Failed | CallResult::TimedOut => Went::Failed,
            CallResult::Ok | CallResult::Garbled | CallResult::Rejected | CallResult::Throttled => Went::Answered,
        };
        answer.unwrap_or_else(|_| Err(DirectoryError::Unavailable(format!("no answer within {deadline:?}"))))
    }
}

#[async_trait]
impl Entries for Guarded {
    async fn entry(&self, who: &UserRef) -> Result<Option<Entry>, DirectoryError> {
        self.within("entry", self.deadlines.reads, self.inner.entry(who)).await
    }

    async fn groups_of(&self, user: &UserId) -> Result<BTreeSet<GroupId>, DirectoryError> {
        self.within("groups_of", self.deadlines.reads, self.inner.groups_of(user)).await
    }

    async fn members_of(&self, group: &GroupId, limit: usize) -> Result<Option<Members>, DirectoryError> {
        self.within("members_of", self.deadlines.reads, self.inner.members_of(group, limit)).await
    }

    async fn candidates(&self, agent: &UserId) -> Result<Vec<UserId>, DirectoryError> {
        self.within("candidates", self.deadlines.reads, self.inner.candidates(agent)).await
    }

    async fn add(&self, delegator: &UserId, agent: &UserId) -> Result<Written, DirectoryError> {
        self.within("add", self.deadlines.changes, self.inner.add(delegator, agent)).await
    }

    async fn remove(&self, delegator: &UserId, agent: &UserId) -> Result<Written, DirectoryError> {
        self.within("remove", self.deadlines.changes, self.inner.remove(delegator, agent)).await
    }

    async fn set_delegatable(&self, user: &UserId, can: bool) -> Result<Option<Written>, DirectoryError> {
        self.within("set_delegatable", self.deadlines.changes, self.inner.set_delegatable(user, can)).await
    }

    async fn entity_of(&self, user: &UserId) -> Result<Option<Entity>, DirectoryError> {
        self.within("entity_of", self.deadlines.reads, self.inner.entity_of(user)).await
    }
}
