//! One call for all who ask the same, and a bound on the calls in all.

use std::{num::NonZeroUsize, sync::Arc};

use async_trait::async_trait;
use tokio::sync::Semaphore;

use self::flights::{Flights, caught};
use crate::{
    domain::{
        ids::{UserId, UserRef},
        user::User,
    },
    ports::directory::{Capabilities, Directory, DirectoryError, Written},
};

mod flights;

/// How many calls are in flight at most, if the configuration doesn't say.
pub const DEFAULT_MAX_CONCURRENT: NonZeroUsize = NonZeroUsize::new(64).unwrap();

/// Shares reads of `inner` among those who ask the same. An answer is never older than its question, so a removal that
/// was acknowledged is seen. Changes are never shared. One of these per tenant: the tenant is part of every question.
pub struct Coalesced {
    inner: Arc<dyn Directory>,
    permits: Arc<Semaphore>,
    users: Flights<UserRef, Option<User>>,
    granted: Flights<(UserId, UserId), bool>,
    agents: Flights<UserId, Vec<UserId>>,
    delegators: Flights<UserId, Vec<UserId>>,
}

impl Coalesced {
    /// At most `max_concurrent` calls of `inner` at once; the others wait for a place, as long as their caller does.
    pub fn new(inner: Arc<dyn Directory>, max_concurrent: NonZeroUsize) -> Self {
        let permits = Arc::new(Semaphore::new(max_concurrent.get().min(Semaphore::MAX_PERMITS)));
        Self {
            inner,
            users: Flights::new(Arc::clone(&permits)),
            granted: Flights::new(Arc::clone(&permits)),
            agents: Flights::new(Arc::clone(&permits)),
            delegators: Flights::new(Arc::clone(&permits)),
            permits,
        }
    }

    async fn place(&self) -> Result<tokio::sync::SemaphorePermit<'_>, DirectoryError> {
        self.permits.acquire().await.map_err(|e| DirectoryError::Unavailable(e.to_string()))
    }
}

#[async_trait]
impl Directory for Coalesced {
    async fn user(&self, who: &UserRef) -> Result<Option<User>, DirectoryError> {
        let (inner, asked) = (Arc::clone(&self.inner), who.clone());
        let call = move || {
            let (inner, who) = (Arc::clone(&inner), asked.clone());
            async move { inner.user(&who).await }
        };
        self.users.ask(who.clone(), call).await
    }

    async fn is_granted(&self, delegator: &UserId, agent: &UserId) -> Result<bool, DirectoryError> {
        let (inner, pair) = (Arc::clone(&self.inner), (delegator.clone(), agent.clone()));
        let question = pair.clone();
        let call = move || {
            let (inner, (delegator, agent)) = (Arc::clone(&inner), pair.clone());
            async move { inner.is_granted(&delegator, &agent).await }
        };
        self.granted.ask(question, call).await
    }

    async fn agents_of(&self, delegator: &UserId) -> Result<Vec<UserId>, DirectoryError> {
        let (inner, asked) = (Arc::clone(&self.inner), delegator.clone());
        let call = move || {
            let (inner, delegator) = (Arc::clone(&inner), asked.clone());
            async move { inner.agents_of(&delegator).await }
        };
        self.agents.ask(delegator.clone(), call).await
    }

    async fn delegators_of(&self, agent: &UserId) -> Result<Vec<UserId>, DirectoryError> {
        let (inner, asked) = (Arc::clone(&self.inner), agent.clone());
        let call = move || {
            let (inner, agent) = (Arc::clone(&inner), asked.clone());
            async move { inner.delegators_of(&agent).await }
        };
        self.delegators.ask(agent.clone(), call).await
    }

    async fn add_grant(&self, delegator: &UserId, agent: &UserId) -> Result<Written, DirectoryError> {
        let _place = self.place().await?;
        caught(|| self.inner.add_grant(delegator, agent)).await
    }

    async fn remove_grant(&self, delegator: &UserId, agent: &UserId) -> Result<Written, DirectoryError> {
        let _place = self.place().await?;
        caught(|| self.inner.remove_grant(delegator, agent)).await
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
}
