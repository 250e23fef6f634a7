//! What can go wrong below the port, and how the port says it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::ports::store::{StoreError, Unreadable};

/// The database failed, or holds what can't be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The database itself.
    #[error("{0}")]
    Database(redb::Error),
    /// What it gave back.
    #[error("{0}")]
    Unreadable(String),
    /// The change asks for what no change may; nothing was written yet.
    #[error("{0}")]
    Refused(String),
    /// It is being opened again, or was closed.
    #[error("the database is {0}")]
    Away(&'static str),
}

macro_rules! from_database {
    ($($error:ident),*) => {
        $(impl From<redb::$error> for Fault {
            fn from(error: redb::$error) -> Self {
                Self::Database(error.into())
            }
        })*
    };
}
impl From<Unreadable> for Fault {
    fn from(Unreadable(text): Unreadable) -> Self {
        Self::Unreadable(text)
    }
}

from_database!(StorageError, TableError, TransactionError, CommitError, DatabaseError, CompactionError);

/// Calls into the database. On pages with flipped bits it may panic; that is an error like any other here.
/// Nothing of ours is half changed then: what was being done is given up, and the writer opens the file again.
pub(super) fn guarded<T>(call: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| Err(Fault::Unreadable("the file is damaged".to_owned())))
}

impl Fault {
    /// True if only opening the database again can help.
    pub(super) fn needs_reopening(&self) -> bool {
        use redb::Error;
        matches!(self, Self::Database(Error::Io(_) | Error::PreviousIo | Error::LockPoisoned(_)))
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        use redb::Error;
        match fault {
            Fault::Unreadable(text) => Self::Unreadable(text),
            Fault::Refused(text) => Self::Unavailable(text),
            Fault::Away(why) => Self::Unavailable(format!("the database is {why}")),
            Fault::Database(
                error @ (Error::Corrupted(_)
                | Error::UpgradeRequired(_)
                | Error::TableTypeMismatch { .. }
                | Error::TableIsMultimap(_)
                | Error::TypeDefinitionChanged { .. }
                | Error::TableDoesNotExist(_)),
            ) => Self::Unreadable(error.to_string()),
            Fault::Database(error) => Self::Unavailable(error.to_string()),
        }
    }
}
