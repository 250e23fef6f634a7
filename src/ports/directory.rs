//! The user directory, where grants live.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::domain::{
    ids::{UserId, UserRef},
    user::User,
};

/// Why the directory could not be asked. Never to be confused with "not there", which is `Ok(None)`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// No answer, no connection, garbage.
    #[error("the directory is unavailable: {0}")]
    Unavailable(String),
    /// It refuses the question: wrong credentials, missing rights.
    #[error("the directory rejects the request: {0}")]
    Rejected(String),
    /// It asks us to slow down.
    #[error("the directory throttles us")]
    Throttled {
        /// When to ask again, if it said so.
        until: Option<Timestamp>,
    },
}

/// What a change came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It is so now, and wasn't before.
    Changed,
    /// It was so already.
    Already,
}

/// What a directory can do beyond the basics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities {
    /// `delegators_of` finds candidates by a search of the directory's own.
    pub reverse_search: bool,
    /// Users have types.
    pub user_types: bool,
}

/// Users and grants. Everything is asked live; `Ok(None)` is "not there", `Err` is "could not ask".
/// Ids are compared exactly, byte for byte, by the adapter as well as by the caller.
#[async_trait]
pub trait Directory: Send + Sync + 'static {
    /// The user as the directory knows him now.
    async fn user(&self, who: &UserRef) -> Result<Option<User>, DirectoryError>;

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

    /// What it can do.
    fn capabilities(&self) -> Capabilities;
}
