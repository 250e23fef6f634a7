//! A time-out for each caller, and the metrics of what he waited for.

use std::{collections::BTreeSet, future::Future, sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::time::{Instant, timeout};

use crate::{
    domain::{
        ids::{GroupId, UserId, UserRef},
        user::User,
    },
    metrics::{CallResult, Metrics},
    ports::directory::{Delegator, Directory, DirectoryError, Entity, Members, Written},
    trace,
};

/// Gives up on `inner` after `budget`: `Unavailable`. A change that was given up may have been made all the same.
pub struct Timed {
    /// Who is asked.
    pub inner: Arc<dyn Directory>,
    /// How long a caller waits for an answer at most.
    pub budget: Duration,
    /// The same for a change, which may take several calls and tries.
    pub changes: Duration,
    /// Where results and times are counted.
    pub metrics: Arc<Metrics>,
}

impl Timed {
    async fn within<T>(
        &self,
        operation: &'static str,
        budget: Duration,
        call: impl Future<Output = Result<T, DirectoryError>>,
    ) -> Result<T, DirectoryError> {
        let (start, span) = (Instant::now(), trace::call("directory", operation));
        let answer = timeout(budget, call).await;
        let (result, took) = (answer.as_ref().map_or(CallResult::TimedOut, result_of), start.elapsed());
        span.record("result", result.code());
        self.metrics.directory(operation, result, took);
        tracing::debug!(operation, result = result.code(), ?took, "the directory was asked");
        answer.unwrap_or_else(|_| Err(DirectoryError::Unavailable(format!("no answer within {budget:?}"))))
    }
}

/// How the metrics call such an answer.
pub(super) fn result_of<T>(answer: &Result<T, DirectoryError>) -> CallResult {
    match answer {
        Ok(_) | Err(DirectoryError::NoSuchUser) => CallResult::Ok,
        Err(DirectoryError::Unavailable(_)) => CallResult::Failed,
        Err(DirectoryError::Garbled(_)) => CallResult::Garbled,
        Err(DirectoryError::Rejected(_)) => CallResult::Rejected,
        Err(DirectoryError::Throttled { .. }) => CallResult::Throttled,
    }
}

#[async_trait]
impl Directory for Timed {
    async fn user(&self, who: &UserRef) -> Result<Option<User>, DirectoryError> {
        self.within("user", self.budget, self.inner.user(who)).await
    }

    async fn is_granted(&self, delegator: &UserId, agent: &UserId) -> Result<bool, DirectoryError> {
        self.within("is_granted", self.budget, self.inner.is_granted(delegator, agent)).await
    }

    async fn agents_of(&self, delegator: &UserId) -> Result<Vec<UserId>, DirectoryError> {
        self.within("agents_of", self.budget, self.inner.agents_of(delegator)).await
    }

    async fn delegators_of(&self, agent: &UserId) -> Result<Vec<UserId>, DirectoryError> {
        self.within("delegators_of", self.budget, self.inner.delegators_of(agent)).await
    }

    async fn add_grant(&self, delegator: &UserId, agent: &UserId) -> Result<Written, DirectoryError> {
        self.within("add_grant", self.changes, self.inner.add_grant(delegator, agent)).await
    }

    async fn remove_grant(&self, delegator: &UserId, agent: &UserId) -> Result<Written, DirectoryError> {
        self.within("remove_grant", self.changes, self.inner.remove_grant(delegator, agent)).await
    }

    async fn delegator(&self, who: &UserRef, agent: &UserId) -> Result<Option<Delegator>, DirectoryError> {
        self.within("delegator", self.budget, self.inner.delegator(who, agent)).await
    }

    async fn groups_of(&self, user: &UserId) -> Result<BTreeSet<GroupId>, DirectoryError> {
        self.within("groups_of", self.budget, self.inner.groups_of(user)).await
    }

    async fn members_of(&self, group: &GroupId, limit: usize) -> Result<Option<Members>, DirectoryError> {
        self.within("members_of", self.budget, self.inner.members_of(group, limit)).await
    }

    async fn set_delegatable(&self, user: &UserId, can: bool) -> Result<Option<Written>, DirectoryError> {
        self.within("set_delegatable", self.changes, self.inner.set_delegatable(user, can)).await
    }

    async fn entity_of(&self, user: &UserId) -> Result<Option<Entity>, DirectoryError> {
        self.within("entity_of", self.budget, self.inner.entity_of(user)).await
    }
}
