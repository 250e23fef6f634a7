//! What people are shown of a directory: asked for each time, or kept for half a minute.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::{StreamExt, TryStreamExt, stream};
use jiff::SignedDuration;

use crate::{
    adapters::cache::{Bounds, Cache, Settings, loads::Loads, size},
    domain::ids::{TenantName, UserId, UserRef},
    metrics::{CacheKind, Metrics},
    ports::{
        clock::Clock,
        directory::{Directory, DirectoryError},
        shown::{MOST_SHOWN, ShownAgent, ShownGrants, ShownUser},
    },
};

/// Look-ups of one list that run at the same time.
const AT_ONCE: usize = 8;
/// For how long a list or a name is shown that was true once.
const SHOWN_FOR: SignedDuration = SignedDuration::from_secs(30);
/// The same for moka, which reads a clock of its own.
const KEPT_FOR: Duration = Duration::from_secs(30);
/// Lists of all tenants.
const LISTS: Bounds = Bounds { entries: 10_000, bytes: 16 << 20 };
/// Users of all tenants.
const NAMES: Bounds = Bounds { entries: 20_000, bytes: 16 << 20 };

type Ids = Arc<[UserId]>;
type Found = Option<Arc<ShownUser>>;

/// Asks the directory each time.
pub struct Live {
    directory: Arc<dyn Directory>,
}

impl Live {
    /// Over this directory.
    pub fn new(directory: Arc<dyn Directory>) -> Self {
        Self { directory }
    }

    async fn agent_ids(&self, delegator: &UserId) -> Result<Ids, DirectoryError> {
        let ids = self.directory.agents_of(delegator).await?;
        Ok(ids.into_iter().take(MOST_SHOWN).collect())
    }

    async fn delegator_ids(&self, agent: &UserId) -> Result<Ids, DirectoryError> {
        let candidates = self.directory.delegators_of(agent).await?;
        let asked = |id: UserId| async move {
            let granted = self.directory.is_granted(&id, agent).await?;
            Ok::<_, DirectoryError>(granted.then_some(id))
        };
        let found: Vec<_> = in_order(candidates.into_iter().take(MOST_SHOWN).map(asked)).await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn user(&self, id: &UserId) -> Result<Found, DirectoryError> {
        let found = self.directory.user(&UserRef::Id(id.clone())).await?;
        Ok(found.filter(|user| user.id == *id).map(|user| Arc::new(ShownUser::from(&user))))
    }
}

#[async_trait]
impl ShownGrants for Live {
    async fn agents(&self, delegator: &UserId) -> Result<Vec<ShownAgent>, DirectoryError> {
        agents(self.agent_ids(delegator).await?, |id| async move { self.user(&id).await }).await
    }

    async fn delegators(&self, agent: &UserId) -> Result<Vec<Arc<ShownUser>>, DirectoryError> {
        delegators(self.delegator_ids(agent).await?, |id| async move { self.user(&id).await }).await
    }

    fn forget(&self, _: &UserId, _: &UserId) {}
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Question {
    AgentsOf(UserId),
    DelegatorsOf(UserId),
}

/// What a process keeps, of all its tenants.
pub struct Kept {
    lists: Loads<Question, Ids, DirectoryError>,
    names: Loads<UserId, Found, DirectoryError>,
}

impl Kept {
    /// Nothing yet.
    pub fn new(clock: &Arc<dyn Clock>, metrics: &Metrics) -> Self {
        let settings = |kind, bounds| Settings { kind, bounds, keep: KEPT_FOR };
        let lists = Cache::new(settings(CacheKind::Lists, LISTS), list_size, Arc::clone(clock), metrics);
        let names = Cache::new(settings(CacheKind::Names, NAMES), name_size, Arc::clone(clock), metrics);
        Self { lists: Loads::new(lists, SHOWN_FOR), names: Loads::new(names, SHOWN_FOR) }
    }
}

/// For a directory that is far away: shows what it said within the last half minute. What this process changes is seen
/// at once; what others change, when the half minute is over.
pub struct Cached {
    tenant: TenantName,
    live: Live,
    kept: Arc<Kept>,
}

impl Cached {
    /// Over the tenant's directory.
    pub fn new(tenant: TenantName, directory: Arc<dyn Directory>, kept: Arc<Kept>) -> Self {
        Self { tenant, live: Live::new(directory), kept }
    }

    async fn user(&self, id: UserId) -> Result<Found, DirectoryError> {
        self.kept.names.get(&self.tenant, &id, || self.live.user(&id)).await
    }
}

#[async_trait]
impl ShownGrants for Cached {
    async fn agents(&self, delegator: &UserId) -> Result<Vec<ShownAgent>, DirectoryError> {
        let question = Question::AgentsOf(delegator.clone());
        let ids = self.kept.lists.get(&self.tenant, &question, || self.live.agent_ids(delegator)).await?;
        agents(ids, |id| self.user(id)).await
    }

    async fn delegators(&self, agent: &UserId) -> Result<Vec<Arc<ShownUser>>, DirectoryError> {
        let question = Question::DelegatorsOf(agent.clone());
        let ids = self.kept.lists.get(&self.tenant, &question, || self.live.delegator_ids(agent)).await?;
        delegators(ids, |id| self.user(id)).await
    }

    fn forget(&self, delegator: &UserId, agent: &UserId) {
        let Kept { lists, names } = &*self.kept;
        lists.forget(&self.tenant, &Question::AgentsOf(delegator.clone()));
        lists.forget(&self.tenant, &Question::DelegatorsOf(agent.clone()));
        // Who was just read for the change must not be shown as deleted.
        names.forget(&self.tenant, delegator);
        names.forget(&self.tenant, agent);
    }
}

async fn agents<F>(ids: Ids, user: impl Fn(UserId) -> F) -> Result<Vec<ShownAgent>, DirectoryError>
where
    F: Future<Output = Result<Found, DirectoryError>>,
{
    let found = in_order(ids.iter().cloned().map(user)).await?;
    let shown = |(id, found): (&UserId, Found)| found.map_or_else(|| ShownAgent::Gone(id.clone()), ShownAgent::Known);
    Ok(ids.iter().zip(found).map(shown).collect())
}

async fn delegators<F>(ids: Ids, user: impl Fn(UserId) -> F) -> Result<Vec<Arc<ShownUser>>, DirectoryError>
where
    F: Future<Output = Result<Found, DirectoryError>>,
{
    Ok(in_order(ids.iter().cloned().map(user)).await?.into_iter().flatten().collect())
}

async fn in_order<T, F>(calls: impl Iterator<Item = F>) -> Result<Vec<T>, DirectoryError>
where
    F: Future<Output = Result<T, DirectoryError>>,
{
    stream::iter(calls).buffered(AT_ONCE).try_collect().await
}

fn list_size(question: &Question, ids: &Ids) -> usize {
    let (Question::AgentsOf(owner) | Question::DelegatorsOf(owner)) = question;
    id_size(owner) + ids.iter().map(|id| size_of::<UserId>() + id_size(id)).sum::<usize>()
}

fn name_size(id: &UserId, found: &Found) -> usize {
    let shown = |user: &Arc<ShownUser>| {
        let ShownUser { id, login, active: _, user_type, .. } = &**user;
        let ShownUser { first_name, last_name, email, organization, entity_name, entity_id, .. } = &**user;
        let texts = [user_type, first_name, last_name, email, organization, entity_name, entity_id];
        let texts = texts.into_iter().flatten().map(|text| size::text(text)).sum::<usize>();
        size_of::<ShownUser>() + id_size(id) + size::text(login.as_str()) + texts
    };
    id_size(id) + found.as_ref().map_or(0, shown)
}

fn id_size(id: &UserId) -> usize {
    size::text(id.as_str())
}
