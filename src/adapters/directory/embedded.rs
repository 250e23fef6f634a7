//! The directory that needs nothing else installed: users from a YAML file, grants in the store.

use std::{collections::BTreeSet, future::Future, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;

use self::{
    file::{Mistakes, Users},
    grants::Grants,
    reload::{Reloaded, UserFile},
};
use crate::{
    domain::{
        ids::{GroupId, TenantName, UserId, UserRef},
        user::User,
    },
    ports::{
        directory::{Directory, DirectoryError, Members, Written},
        entropy::Entropy,
        store::Store,
    },
};

pub mod file;
pub mod grants;
pub mod reload;

/// One tenant's users and grants. Look-up is exact; by id or login, the id goes first.
pub struct EmbeddedDirectory {
    file: Arc<UserFile>,
    grants: Grants,
}

impl EmbeddedDirectory {
    /// Reads the file (blocks; for the start) and refuses a wrong one. An empty path means no users.
    pub fn open(
        path: &Path,
        tenant: TenantName,
        store: Arc<dyn Store>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, Mistakes> {
        let path = Some(path).filter(|p| !p.as_os_str().is_empty());
        Ok(Self { file: Arc::new(reload::open(path)?), grants: Grants::new(tenant, store, entropy) })
    }

    /// Looks at the file and takes it at once if it is new and right. A wrong one leaves the old users in place.
    pub async fn reload_now(&self) -> Result<Reloaded, Mistakes> {
        self.file.reload_now().await
    }

    /// What is wrong with the file as it was last seen; `None` while the users in use are the file's.
    pub fn last_error(&self) -> Option<Mistakes> {
        self.file.last_error()
    }

    /// The background task that takes new files; looks every `period` (a new content must be seen twice). Ends when it
    /// is dropped, or at once if there is no file.
    pub fn watch(&self, period: Duration) -> impl Future<Output = ()> + Send + 'static {
        self.file.watch(period)
    }

    /// The users in use.
    pub fn users(&self) -> Arc<Users> {
        self.file.content().now()
    }
}

#[async_trait]
impl Directory for EmbeddedDirectory {
    async fn user(&self, who: &UserRef) -> Result<Option<User>, DirectoryError> {
        Ok(self.file.content().now().find(who).cloned())
    }

    async fn groups_of(&self, user: &UserId) -> Result<BTreeSet<GroupId>, DirectoryError> {
        self.file.content().now().groups_of(user).cloned().ok_or(DirectoryError::NoSuchUser)
    }

    /// A group is what users are in: nobody's group isn't there.
    async fn members_of(&self, group: &GroupId, limit: usize) -> Result<Option<Members>, DirectoryError> {
        let users = self.file.content().now();
        Ok(users.members_of(group).map(|members| Members::first(limit, members.iter().cloned())))
    }

    async fn is_granted(&self, delegator: &UserId, agent: &UserId) -> Result<bool, DirectoryError> {
        self.grants.stands(delegator, agent).await
    }

    async fn agents_of(&self, delegator: &UserId) -> Result<Vec<UserId>, DirectoryError> {
        self.grants.agents_of(delegator).await
    }

    async fn delegators_of(&self, agent: &UserId) -> Result<Vec<UserId>, DirectoryError> {
        self.grants.delegators_of(agent).await
    }

    /// Refuses users who are not in the file: a grant must not wait for somebody to take up the id.
    async fn add_grant(&self, delegator: &UserId, agent: &UserId) -> Result<Written, DirectoryError> {
        let users = self.file.content().now();
        if !users.contains(delegator) || !users.contains(agent) {
            return Err(DirectoryError::Rejected("no such user: add the delegator and the agent to the file".into()));
        }
        self.grants.add(delegator, agent).await
    }

    async fn remove_grant(&self, delegator: &UserId, agent: &UserId) -> Result<Written, DirectoryError> {
        self.grants.remove(delegator, agent).await
    }
}
