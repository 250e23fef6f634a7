//! What a directory elsewhere is asked: a user's own entry, which holds both him and the agents he lists. One read
//! answers everything that a hook asks about a user, so that there is one thing to share and to guard.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use async_trait::async_trait;

use crate::{
    domain::{
        ids::{GroupId, UserId, UserRef},
        user::User,
    },
    ports::directory::{DirectoryError, Entity, Members, Written},
};

/// A delegator lists no more agents than this. An entry with more is an error of the directory, and nobody's grant.
pub const MOST_AGENTS: usize = 1000;

/// A user, and whom he lists.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// He himself.
    pub user: User,
    /// The agents he lists, each once, in the directory's order.
    pub agents: Vec<UserId>,
}

/// The ids, each once, where it comes first.
pub(super) fn each_once(mut ids: Vec<UserId>) -> Vec<UserId> {
    let mut seen = HashSet::with_capacity(ids.len());
    ids.retain(|id| seen.insert(id.clone()));
    ids
}

/// A directory whose users hold their grants in their own entries. `Ok(None)` is "not there", `Err` is "could not ask";
/// an answer that isn't understood is `Garbled`, never a user.
#[async_trait]
pub trait Entries: Send + Sync + 'static {
    /// The entry as it is now, by exactly that id or login.
    async fn entry(&self, who: &UserRef) -> Result<Option<Entry>, DirectoryError>;

    /// See [`Directory::groups_of`](crate::ports::directory::Directory::groups_of); all pages of them.
    async fn groups_of(&self, user: &UserId) -> Result<BTreeSet<GroupId>, DirectoryError>;

    /// See [`Directory::members_of`](crate::ports::directory::Directory::members_of).
    async fn members_of(&self, group: &GroupId, limit: usize) -> Result<Option<Members>, DirectoryError>;

    /// Candidates for having `agent` in their entries, at most [`MOST_AGENTS`]. It may be old or loosely compared.
    async fn candidates(&self, agent: &UserId) -> Result<Vec<UserId>, DirectoryError>;

    /// Adds `agent`, who is somebody else, to the delegator's entry; loses no change that others make meanwhile.
    async fn add(&self, delegator: &UserId, agent: &UserId) -> Result<Written, DirectoryError>;

    /// Takes it out of it; what isn't there is `Already` gone, whoever the two are.
    async fn remove(&self, delegator: &UserId, agent: &UserId) -> Result<Written, DirectoryError>;

    /// See [`Directory::set_delegatable`](crate::ports::directory::Directory::set_delegatable).
    async fn set_delegatable(&self, _user: &UserId, _can: bool) -> Result<Option<Written>, DirectoryError> {
        Ok(None)
    }

    /// See [`Directory::entity_of`](crate::ports::directory::Directory::entity_of).
    async fn entity_of(&self, _user: &UserId) -> Result<Option<Entity>, DirectoryError> {
        Ok(None)
    }
}

/// The same directory for hooks and for everything else. Where the directory counts our calls, the others leave a part
/// of them to hooks.
pub struct Lanes {
    /// What decides about a token, while the identity provider waits.
    pub hooks: Arc<dyn Entries>,
    /// Initiations, lists, changes, and what runs in the background.
    pub others: Arc<dyn Entries>,
}
