//! A time-out for each caller, and the metrics of what he waited for.

use std::{future::Future, sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::time::{Instant, timeout};

use crate::{
    domain::{
        ids::{UserId, UserRef},
        user::User,
    },
    metrics::{CallResult, Metrics},
    ports::directory::{Capabilities, Directory, DirectoryError, Written},
};

/// Gives up on `inner` after `budget`: `Unavailable`. A change that was given up may have been made all the same.
pub struct Timed {
    /// Who is asked.
    pub inner: Arc<dyn Directory>,
    /// How long a caller waits at most.
    pub budget: Duration,
    /// Where results and times are counted.
    pub metrics: Arc<Metrics>,
}

impl Timed {
    async fn within<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, DirectoryError>>,
    ) -> Result<T, DirectoryError> {
        let start = Instant::now();
        let answer = timeout(self.budget, call).await;
        let result = match &answer {
            Ok(Ok(_)) => CallResult::Ok,
            Ok(Err(_)) => CallResult::Failed,
            Err(_) => CallResult::TimedOut,
        };
        self.metrics.directory(operation, result, start.elapsed());
        answer.unwrap_or_else(|_| Err(DirectoryError::Unavailable(format!("no answer within {:?}", self.budget))))
    }
}

#[async_trait]
impl Directory for Timed {
    async fn user(&self, who: &UserRef) -> Result<Option<User>, DirectoryError> {
        self.within("user", self.inner.user(who)).await
    }

    async fn is_granted(&self, delegator: &UserId, agent: &UserId) -> Result<bool, DirectoryError> {
        self.within("is_granted", self.inner.is_granted(delegator, agent)).await
    }

    async fn agents_of(&self, delegator: &UserId) -> Result<Vec<UserId>, DirectoryError> {
        self.within("agents_of", self.inner.agents_of(delegator)).await
    }

    async fn delegators_of(&self, agent: &UserId) -> Result<Vec<UserId>, DirectoryError> {
        self.within("delegators_of", self.inner.delegators_of(agent)).await
    }

    async fn add_grant(&self, delegator: &UserId, agent: &UserId) -> Result<Written, DirectoryError> {
        self.within("add_grant", self.inner.add_grant(delegator, agent)).await
    }

    async fn remove_grant(&self, delegator: &UserId, agent: &UserId) -> Result<Written, DirectoryError> {
        self.within("remove_grant", self.inner.remove_grant(delegator, agent)).await
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
}
