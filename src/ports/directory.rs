//! The user directory, where grants live.

use std::collections::BTreeSet;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::domain::{
    ids::{GroupId, UserId, UserRef},
    user::User,
};

/// Why the directory could not be asked. Never to be confused with "not there", which is `Ok(None)`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// No answer, no connection.
    #[error("the directory is unavailable: {0}")]
    Unavailable(String),
    /// It answered, and what it said isn't understood. Adapters tell it apart, because one odd entry is no outage; to
    /// whoever asks, it is as good as no answer.
    #[error("the directory's answer isn't understood: {0}")]
    Garbled(String),
    /// It refuses the question: wrong credentials, missing rights.
    #[error("the directory rejects the request: {0}")]
    Rejected(String),
    /// The user whom the question is about isn't there. Only where that can't be told by `Ok(None)`.
    #[error("the directory does not know the user whose groups are asked for")]
    NoSuchUser,
    /// It asks us to slow down.
    #[error("the directory throttles us")]
    Throttled {
        /// When to ask again, if it said so.
        until: Option<Timestamp>,
    },
}

impl DirectoryError {
    /// True if a change that failed so may have been made all the same, or may still be.
    pub fn leaves_in_doubt(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::Garbled(_) => true,
            Self::Rejected(_) | Self::NoSuchUser | Self::Throttled { .. } => false,
        }
    }
}

/// What a change came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It is so now, and wasn't before.
    Changed,
    /// It was so already.
    Already,
}

/// A user, and whether he lets a certain agent act for him.
#[derive(Debug, Clone, PartialEq)]
pub struct Delegator {
    /// He himself.
    pub user: User,
    /// True if he lists that agent.
    pub lists_agent: bool,
}

/// What somebody acts for who is no user: a company, a household.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entity {
    /// The directory's `entityId`.
    pub id: String,
    /// The directory's `entityName`.
    pub name: Option<String>,
}

/// The most members of a group that anybody asks for.
pub const MOST_MEMBERS: usize = 500;

/// Who is in a group, as far as it was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Members {
    /// Users, active or not. Groups within the group are none, and whether theirs are here is the directory's business.
    pub ids: BTreeSet<UserId>,
    /// True if there are others.
    pub more: bool,
}

impl Members {
    /// The first `limit` different ones of these, [`MOST_MEMBERS`] at most. No more are looked at than it takes to know
    /// whether there are others.
    pub fn first(limit: usize, all: impl IntoIterator<Item = UserId>) -> Self {
        let limit = limit.min(MOST_MEMBERS);
        let mut members = Self::default();
        for id in all {
            if members.ids.len() < limit {
                members.ids.insert(id);
            } else if !members.ids.contains(&id) {
                members.more = true;
                break;
            }
        }
        members
    }
}

/// Users and grants. Everything is asked live; `Ok(None)` is "not there", `Err` is "could not ask".
/// Ids are compared exactly, byte for byte, by the adapter as well as by the caller.
#[async_trait]
pub trait Directory: Send + Sync + 'static {
    /// The user as the directory knows him now.
    async fn user(&self, who: &UserRef) -> Result<Option<User>, DirectoryError>;

    /// The user, and whether he lists `agent`, as of one moment wherever the directory can tell both at once.
    async fn delegator(&self, who: &UserRef, agent: &UserId) -> Result<Option<Delegator>, DirectoryError> {
        let Some(user) = self.user(who).await? else { return Ok(None) };
        let lists_agent = self.is_granted(&user.id, agent).await?;
        Ok(Some(Delegator { user, lists_agent }))
    }

    /// Ids of all groups that the user is in. Of a user who isn't there that is an error
    /// ([`NoSuchUser`](DirectoryError::NoSuchUser)), and so is a group that can't be told: a rule for it must not be passed
    /// by.
    async fn groups_of(&self, user: &UserId) -> Result<BTreeSet<GroupId>, DirectoryError>;

    /// At most `limit` (and [`MOST_MEMBERS`]) of the users in a group; `Ok(None)`: the directory says that there is no
    /// such group. Candidates: the caller reads each again. A directory that can't tell refuses, and never says that
    /// nobody is in it.
    async fn members_of(&self, group: &GroupId, limit: usize) -> Result<Option<Members>, DirectoryError>;

    /// True if `delegator` lists `agent` now.
    async fn is_granted(&self, delegator: &UserId, agent: &UserId) -> Result<bool, DirectoryError>;

    /// The agents that `delegator` lists, deleted users included.
    async fn agents_of(&self, delegator: &UserId) -> Result<Vec<UserId>, DirectoryError>;

    /// Candidates: users who may list `agent`. The caller reads each again and asks `is_granted`.
    async fn delegators_of(&self, agent: &UserId) -> Result<Vec<UserId>, DirectoryError>;

    /// Lets `agent` act for `delegator`. Concurrent changes lose nothing; nobody is listed twice.
    async fn add_grant(&self, delegator: &UserId, agent: &UserId) -> Result<Written, DirectoryError>;

    /// Ends it. What isn't there is `Already` ended, whoever the two are.
    async fn remove_grant(&self, delegator: &UserId, agent: &UserId) -> Result<Written, DirectoryError>;

    /// Lets the user be a delegator, or not, by a change of his type. `Ok(None)`: no such switch here.
    async fn set_delegatable(&self, _user: &UserId, _can: bool) -> Result<Option<Written>, DirectoryError> {
        Ok(None)
    }

    /// The entity that the user belongs to, where the directory has entities.
    async fn entity_of(&self, _user: &UserId) -> Result<Option<Entity>, DirectoryError> {
        Ok(None)
    }
}
