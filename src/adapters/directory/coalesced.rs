//! One call for all who ask the same, and a bound on the calls in all.

use std::{collections::BTreeSet, num::NonZeroUsize, sync::Arc};

use async_trait::async_trait;
use tokio::sync::Semaphore;

use self::{
    doubts::Doubts,
    flights::{Flights, caught},
};
use super::entries::{Entries, Entry};
use crate::{
    domain::{
        ids::{GroupId, UserId, UserRef},
        user::User,
    },
    ports::directory::{Delegator, Directory, DirectoryError, Entity, Members, Written},
};

mod doubts;
mod flights;

/// An entry as it is handed around.
type Found = Option<Arc<Entry>>;

/// Makes a [`Directory`] of entries, and shares reads among those who ask the same. An answer is never older than its
/// question, so a removal that was acknowledged is seen. Changes are never shared. One of these per tenant: the tenant
/// is part of every question.
pub struct Coalesced {
    inner: Arc<dyn Entries>,
    /// Changes wait for each other; they must not keep reads waiting, too.
    changes: Semaphore,
    doubts: Doubts,
    entries: Flights<UserRef, Found>,
    groups: Flights<UserId, BTreeSet<GroupId>>,
    members: Flights<(GroupId, usize), Option<Members>>,
    candidates: Flights<UserId, Vec<UserId>>,
    entities: Flights<UserId, Option<Entity>>,
}

impl Coalesced {
    /// At most `max_concurrent` calls of `inner` at once; the others wait for a place, as long as their caller does.
    pub fn new(inner: Arc<dyn Entries>, max_concurrent: NonZeroUsize) -> Self {
        let permits = Arc::new(Semaphore::new(max_concurrent.get().min(Semaphore::MAX_PERMITS)));
        Self {
            inner,
            entries: Flights::new(Arc::clone(&permits)),
            groups: Flights::new(Arc::clone(&permits)),
            members: Flights::new(Arc::clone(&permits)),
            candidates: Flights::new(Arc::clone(&permits)),
            entities: Flights::new(Arc::clone(&permits)),
            changes: Semaphore::new(permits.available_permits()),
            doubts: Doubts::default(),
        }
    }

    async fn entry(&self, who: &UserRef) -> Result<Found, DirectoryError> {
        let call = |inner: Arc<dyn Entries>, who: UserRef| async move { Ok(inner.entry(&who).await?.map(Arc::new)) };
        self.shared(&self.entries, who, call).await
    }

    async fn shared<Q, A, F>(
        &self,
        flights: &Flights<Q, A>,
        question: &Q,
        call: impl Fn(Arc<dyn Entries>, Q) -> F + Send + Sync + 'static,
    ) -> Result<A, DirectoryError>
    where
        Q: Clone + Eq + std::hash::Hash + Send + Sync + 'static,
        A: Clone + Send + Sync + 'static,
        F: Future<Output = Result<A, DirectoryError>> + Send + 'static,
    {
        let (inner, asked) = (Arc::clone(&self.inner), question.clone());
        flights.ask(question.clone(), move || call(Arc::clone(&inner), asked.clone())).await.map_err(as_no_answer)
    }

    async fn place(&self) -> Result<tokio::sync::SemaphorePermit<'_>, DirectoryError> {
        self.changes.acquire().await.map_err(|e| DirectoryError::Unavailable(e.to_string()))
    }
}

/// To whoever asks, what isn't understood is no answer.
fn as_no_answer(error: DirectoryError) -> DirectoryError {
    match error {
        DirectoryError::Garbled(text) => DirectoryError::Unavailable(text),
        other => other,
    }
}

#[async_trait]
impl Directory for Coalesced {
    async fn user(&self, who: &UserRef) -> Result<Option<User>, DirectoryError> {
        Ok(self.entry(who).await?.map(|entry| entry.user.clone()))
    }

    async fn delegator(&self, who: &UserRef, agent: &UserId) -> Result<Option<Delegator>, DirectoryError> {
        let found = self.entry(who).await?;
        Ok(found.map(|entry| Delegator { user: entry.user.clone(), lists_agent: entry.agents.contains(agent) }))
    }

    async fn groups_of(&self, user: &UserId) -> Result<BTreeSet<GroupId>, DirectoryError> {
        self.shared(&self.groups, user, |inner, user| async move { inner.groups_of(&user).await }).await
    }

    async fn members_of(&self, group: &GroupId, limit: usize) -> Result<Option<Members>, DirectoryError> {
        let question = (group.clone(), limit);
        self.shared(
            &self.members,
            &question,
            |inner, (group, limit)| async move { inner.members_of(&group, limit).await },
        )
        .await
    }

    async fn is_granted(&self, delegator: &UserId, agent: &UserId) -> Result<bool, DirectoryError> {
        let found = self.entry(&UserRef::Id(delegator.clone())).await?;
        Ok(found.is_some_and(|entry| entry.user.id == *delegator && entry.agents.contains(agent)))
    }

    async fn agents_of(&self, delegator: &UserId) -> Result<Vec<UserId>, DirectoryError> {
        let found = self.entry(&UserRef::Id(delegator.clone())).await?;
        Ok(found.filter(|entry| entry.user.id == *delegator).map(|entry| entry.agents.clone()).unwrap_or_default())
    }

    async fn delegators_of(&self, agent: &UserId) -> Result<Vec<UserId>, DirectoryError> {
        self.shared(&self.candidates, agent, |inner, agent| async move { inner.candidates(&agent).await }).await
    }

    async fn add_grant(&self, delegator: &UserId, agent: &UserId) -> Result<Written, DirectoryError> {
        if delegator == agent {
            return Err(DirectoryError::Rejected("nobody is his own agent".to_owned()));
        }
        let _place = self.place().await?;
        let attempt = self.doubts.begin(delegator, agent);
        let added = caught(|| self.inner.add(delegator, agent)).await;
        if !added.as_ref().is_err_and(DirectoryError::leaves_in_doubt) {
            attempt.settle();
        }
        added.map_err(as_no_answer)
    }

    async fn remove_grant(&self, delegator: &UserId, agent: &UserId) -> Result<Written, DirectoryError> {
        let _place = self.place().await?;
        let removed = caught(|| self.inner.remove(delegator, agent)).await.map_err(as_no_answer)?;
        // Nobody may be told that it is gone while it can still come.
        if removed == Written::Already && self.doubts.is_in_doubt(delegator, agent) {
            return Err(DirectoryError::Unavailable("an attempt to make this grant may still arrive there".to_owned()));
        }
        Ok(removed)
    }

    async fn set_delegatable(&self, user: &UserId, can: bool) -> Result<Option<Written>, DirectoryError> {
        let _place = self.place().await?;
        caught(|| self.inner.set_delegatable(user, can)).await.map_err(as_no_answer)
    }

    async fn entity_of(&self, user: &UserId) -> Result<Option<Entity>, DirectoryError> {
        self.shared(&self.entities, user, |inner, user| async move { inner.entity_of(&user).await }).await
    }
}
