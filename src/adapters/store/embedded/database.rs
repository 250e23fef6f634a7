//! Opening the database, and the handle by which readers get at it while it may be swapped.

use std::{
    io,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use redb::{Builder, Database, ReadTransaction, ReadableDatabase, ReadableTable, WriteTransaction};

use super::{
    fault::{Fault, guarded},
    layout::{EVENTS, HEADER_KEY, Header, INDEX, META, RECORDS},
    media::{Forward, Media},
};

/// Why the store can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process (or another store in this one) has it.
    #[error("the data in {0} is in use by another process: stop that one, or choose another data folder")]
    InUse(String),
    /// The file, its folder or the disk.
    #[error("the data in {0} can't be opened: {1}{remedy}", remedy = remedy(.1))]
    Io(String, #[source] io::Error),
    /// Only the beginning of a copy is there.
    #[error("in {0} is a copy that was broken off ({1}): copy again, or remove that file to begin with nothing")]
    Unfinished(String, &'static str),
    /// Damaged beyond repair, written by a newer version, or not a database at all.
    #[error("the data in {0} can't be read: {1}")]
    Unreadable(String, String),
}

/// What to do about it, where that can be told.
fn remedy(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => {
            let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
            format!(
                "; give the folder to user {user} or group {group} (in Kubernetes by fsGroup), or choose another data folder"
            )
        }
        io::ErrorKind::ReadOnlyFilesystem => "; mount it writable, or choose another data folder".to_owned(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "; make room on its disk".to_owned(),
        _ => String::new(),
    }
}

/// Opens the database, the first time and again.
pub(super) struct Opener {
    pub(super) media: Arc<dyn Media>,
    pub(super) cache_bytes: usize,
}

impl Opener {
    /// Opens it, repairing what a crash left behind. `fresh` is the incarnation of a database that is made now;
    /// with `None` there must be one.
    pub(super) fn open(&self, fresh: Option<[u8; 16]>) -> Result<(Database, Header), OpenError> {
        let backend = self.media.open(fresh.is_some()).map_err(|e| OpenError::Io(self.media.name(), e))?;
        guarded(|| {
            let database = self.builder().create_with_backend(Forward(backend))?;
            let header = header(&database, fresh)?;
            Ok((database, header))
        })
        .map_err(|fault| self.refused(fault))
    }

    fn builder(&self) -> Builder {
        let data = self.media.name();
        let mut builder = Builder::new();
        builder.set_cache_size(self.cache_bytes).set_repair_callback(move |repair| {
            let percent = repair.progress() * 100.0;
            tracing::info!(%data, percent, "the store was not closed cleanly; it is being repaired");
        });
        builder
    }

    fn refused(&self, fault: Fault) -> OpenError {
        let name = self.media.name();
        match fault {
            Fault::Database(redb::Error::DatabaseAlreadyOpen) => OpenError::InUse(name),
            Fault::Database(redb::Error::Io(error)) if error.kind() != io::ErrorKind::InvalidData => {
                OpenError::Io(name, error)
            }
            other => OpenError::Unreadable(name, other.to_string()),
        }
    }
}

/// Reads the header; in a database that has none and may be new, writes it and makes the tables.
fn header(database: &Database, fresh: Option<[u8; 16]>) -> Result<Header, Fault> {
    let txn = database.begin_write()?;
    let found = match txn.open_table(META)?.get(HEADER_KEY)? {
        Some(bytes) => Some(Header::decode(bytes.value())?),
        None => None,
    };
    if let Some(header) = found {
        txn.abort()?;
        return Ok(header);
    }
    let Some(incarnation) = fresh else {
        return Err(Fault::Unreadable("it is not behalf's database".to_owned()));
    };
    if txn.list_tables()?.count() > 1 {
        return Err(Fault::Unreadable("it is a database of something else".to_owned()));
    }
    let header = Header { incarnation, batch: 0 };
    txn.open_table(META)?.insert(HEADER_KEY, header.encode().as_slice())?;
    txn.open_table(RECORDS)?;
    txn.open_table(INDEX)?;
    txn.open_table(EVENTS)?;
    txn.commit()?;
    Ok(header)
}

/// The open database, if there is one at the moment. Its lock is only held to begin a transaction.
pub(super) struct Handle {
    database: RwLock<Option<Database>>,
    generation: AtomicU64,
}

impl Handle {
    pub(super) fn new(database: Database) -> Self {
        Self { database: RwLock::new(Some(database)), generation: AtomicU64::new(0) }
    }

    /// Grows each time another database is put in.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    pub(super) fn begin_read(&self) -> Result<ReadTransaction, Fault> {
        let guard = self.database.read().unwrap_or_else(PoisonError::into_inner);
        Ok(guard.as_ref().ok_or(Fault::Away("not open"))?.begin_read()?)
    }

    /// For the one writer; would wait for another.
    pub(super) fn begin_write(&self) -> Result<WriteTransaction, Fault> {
        let guard = self.database.read().unwrap_or_else(PoisonError::into_inner);
        Ok(guard.as_ref().ok_or(Fault::Away("not open"))?.begin_write()?)
    }

    pub(super) fn is_open(&self) -> bool {
        self.database.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    pub(super) fn put(&self, database: Database) {
        *self.database.write().unwrap_or_else(PoisonError::into_inner) = Some(database);
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// Closes the database, outside the lock: that may take a sync.
    pub(super) fn close(&self) {
        let database = self.database.write().unwrap_or_else(PoisonError::into_inner).take();
        if let Err(fault) = guarded(|| {
            drop(database);
            Ok(())
        }) {
            tracing::error!(error = %fault, "the store's database could not be closed");
        }
    }
}
