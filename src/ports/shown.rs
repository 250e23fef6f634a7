//! Users and grants as they are shown to people. That may be half a minute old: nothing here becomes a [`User`], so
//! that nothing that decides can be given it. Decisions ask the [`Directory`](super::directory::Directory).

use std::sync::Arc;

use async_trait::async_trait;

use super::directory::DirectoryError;
use crate::domain::{
    ids::{Login, UserId},
    user::User,
};

/// A list is cut here. The embedded directory takes no more agents than that, so nobody hides behind the end.
pub const MOST_SHOWN: usize = 1000;

/// A user, and what people know him by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownUser {
    /// Immutable id.
    pub id: UserId,
    /// Login name.
    pub login: Login,
    /// Whether the account works.
    pub active: bool,
    /// The directory's user type, where it has types.
    pub user_type: Option<String>,
    /// `firstName`.
    pub first_name: Option<String>,
    /// `lastName`.
    pub last_name: Option<String>,
    /// `email`.
    pub email: Option<String>,
    /// `organization`.
    pub organization: Option<String>,
    /// `entityName`, of an account that is nobody's own.
    pub entity_name: Option<String>,
    /// `entityId`, of such an account.
    pub entity_id: Option<String>,
}

impl From<&User> for ShownUser {
    fn from(user: &User) -> Self {
        Self {
            id: user.id.clone(),
            login: user.login.clone(),
            active: user.is_active(),
            user_type: user.user_type.clone(),
            first_name: user.text("firstName"),
            last_name: user.text("lastName"),
            email: user.text("email"),
            organization: user.text("organization"),
            entity_name: user.text("entityName"),
            entity_id: user.text("entityId"),
        }
    }
}

/// One of a delegator's agents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShownAgent {
    /// The directory knows him.
    Known(Arc<ShownUser>),
    /// The directory doesn't know this id any more; the entry can be removed.
    Gone(UserId),
}

/// One tenant's lists, of at most [`MOST_SHOWN`] entries.
#[async_trait]
pub trait ShownGrants: Send + Sync + 'static {
    /// The agents whom `delegator` lists. Deleted ones don't break the list.
    async fn agents(&self, delegator: &UserId) -> Result<Vec<ShownAgent>, DirectoryError>;

    /// The users who list `agent`, whatever their status and type. The directory's hits are candidates only: each was
    /// asked for the grant and read by id.
    async fn delegators(&self, agent: &UserId) -> Result<Vec<Arc<ShownUser>>, DirectoryError>;

    /// The grant may have changed: who asks from now on is not shown what was before.
    fn forget(&self, delegator: &UserId, agent: &UserId);
}
