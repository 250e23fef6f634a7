//! The file of users as it is in use.

use std::{path::Path, sync::Arc};

use arc_swap::ArcSwap;

use super::file::{self, Mistakes, Users};
pub use crate::adapters::watched::Reloaded;
use crate::adapters::watched::{Content, Hash, Watched, hash};

/// The users of a file.
pub(super) struct UsersInUse(ArcSwap<Users>);

/// A file and the users it last held when it was right.
pub(super) type UserFile = Watched<UsersInUse>;

impl UsersInUse {
    pub(super) fn now(&self) -> Arc<Users> {
        self.0.load_full()
    }
}

impl Content for UsersInUse {
    type Value = Users;
    type Wrong = Mistakes;

    const WHAT: &'static str = "users";

    fn read(&self, path: &Path) -> Result<Vec<u8>, Mistakes> {
        file::read(path)
    }

    fn parse(&self, content: &[u8]) -> Result<Users, Mistakes> {
        Users::parse(content)
    }

    fn take(&self, users: Users) {
        tracing::info!(users = users.len(), "other users are in use");
        self.0.store(Arc::new(users));
    }

    fn failed(why: String) -> Mistakes {
        Mistakes::one(why)
    }
}

/// Reads the file; no path, no users. Blocks.
pub(super) fn open(path: Option<&Path>) -> Result<UserFile, Mistakes> {
    let (users, loaded) = match path {
        Some(path) => {
            let content = file::read(path)?;
            (Users::parse(&content)?, hash(&content))
        }
        None => (Users::default(), Hash::default()),
    };
    Ok(Watched::new(path.map(Path::to_owned), loaded, UsersInUse(ArcSwap::from_pointee(users))))
}
