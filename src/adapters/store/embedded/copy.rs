//! One snapshot of the data, copied into a new file.
//!
//! Rows are written in bounded batches, and the file's header in the last transaction: a copy that was broken off has
//! none and is never taken for data. Every copy is another line of history than what it was copied from.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use redb::{
    Builder, Database, Key, ReadOnlyDatabase, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition,
    TableHandle, Value, backends::FileBackend,
};
use serde::{Deserialize, Serialize};

use super::{
    fault::{Fault, guarded},
    layout::{EVENTS, HEADER_KEY, Header, INDEX, META, Meta, RECORDS, is_reserved},
    media::sync_folder,
};

/// Bytes of one batch, before its last row.
const BATCH: usize = 4 << 20;
/// Of each database's own cache: rows are passed by once.
const CACHE: usize = 8 << 20;

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// A copy overwrites nothing.
    #[error("{0} is there already; nothing is overwritten")]
    Exists(String),
    /// What was to be copied.
    #[error("{0} can't be read: {1}")]
    Read(String, String),
    /// Where it was to be written.
    #[error("{0} can't be written: {1}")]
    Write(String, String),
}

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copied {
    /// The size of the copy.
    pub file_bytes: u64,
    /// Records, leases not counted.
    pub records: u64,
    /// Events.
    pub events: u64,
    /// Names the copy's line of history.
    pub incarnation: String,
}

/// Either side's trouble.
enum Side {
    From(Fault),
    To(Fault),
}

fn from<E: Into<Fault>>(error: E) -> Side {
    Side::From(error.into())
}

fn to<E: Into<Fault>>(error: E) -> Side {
    Side::To(error.into())
}

/// Copies the snapshot into `file`, which must not exist; it gets mode 0600 and is synced. `name` is the source, for
/// errors. Blocks; what was begun is removed if it fails.
pub(super) fn copy(
    snapshot: &ReadTransaction,
    name: &str,
    file: &Path,
    incarnation: [u8; 16],
) -> Result<Copied, CopyError> {
    let shown = file.display().to_string();
    let backend = create(file).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => CopyError::Exists(shown.clone()),
        _ => CopyError::Write(shown.clone(), error.to_string()),
    })?;
    let copied = fill(snapshot, backend, incarnation)
        .map_err(|side| match side {
            Side::From(fault) => CopyError::Read(name.to_owned(), fault.to_string()),
            Side::To(fault) => CopyError::Write(shown.clone(), fault.to_string()),
        })
        .and_then(|()| check(file, &shown));
    if copied.is_err()
        && let Err(error) = fs::remove_file(file)
    {
        tracing::warn!(file = shown, %error, "a copy that was broken off is left over");
    }
    copied
}

pub(super) fn create(file: &Path) -> io::Result<FileBackend> {
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(file)?;
    FileBackend::new(file).map_err(io::Error::other)
}

fn fill(snapshot: &ReadTransaction, backend: FileBackend, incarnation: [u8; 16]) -> Result<(), Side> {
    // The database may panic on damaged pages.
    let mut result = Ok(());
    guarded(|| {
        result = fill_unguarded(snapshot, backend, incarnation);
        Ok(())
    })
    .map_err(from)?;
    result
}

fn fill_unguarded(snapshot: &ReadTransaction, backend: FileBackend, incarnation: [u8; 16]) -> Result<(), Side> {
    only_known_tables(snapshot).map_err(from)?;
    let database = Builder::new().set_cache_size(CACHE).create_with_backend(backend).map_err(to)?;
    let (mut records, mut events) = (0, 0);
    table(snapshot, &database, RECORDS, &mut |key| records += u64::from(!is_reserved(key)))?;
    table(snapshot, &database, INDEX, &mut |_| {})?;
    table(snapshot, &database, EVENTS, &mut |_| events += 1)?;
    let counted = meta(snapshot, &database, incarnation)?;
    if counted == (records, events) {
        return Ok(());
    }
    let (some, others) = counted;
    let text = format!("it counts {some} records and {others} events, but has {records} and {events}");
    Err(Side::From(Fault::Unreadable(text)))
}

fn only_known_tables(snapshot: &ReadTransaction) -> Result<(), Fault> {
    let known = [RECORDS.name(), INDEX.name(), EVENTS.name(), META.name()];
    let stranger = snapshot.list_tables()?.find(|table| !known.contains(&table.name()));
    stranger.map_or(Ok(()), |table| Err(Fault::Unreadable(format!("it has a table {:?}", table.name()))))
}

fn table<K: Key + 'static, V: Value + 'static>(
    snapshot: &ReadTransaction,
    database: &Database,
    which: TableDefinition<K, V>,
    seen: &mut dyn FnMut(&[u8]),
) -> Result<(), Side> {
    let source = snapshot.open_table(which).map_err(from)?;
    let mut rows = source.iter().map_err(from)?;
    loop {
        let txn = database.begin_write().map_err(to)?;
        let mut bytes = 0;
        {
            let mut target = txn.open_table(which).map_err(to)?;
            while bytes < BATCH {
                let Some(row) = rows.next() else { break };
                let (key, value) = row.map_err(from)?;
                let (key, value) = (key.value(), value.value());
                let raw = K::as_bytes(&key);
                seen(raw.as_ref());
                bytes += raw.as_ref().len() + V::as_bytes(&value).as_ref().len();
                drop(raw);
                target.insert(&key, &value).map_err(to)?;
            }
        }
        txn.commit().map_err(to)?;
        if bytes < BATCH {
            return Ok(());
        }
    }
}

/// Copies the counters and, last, writes the header. Gives the counted records and events.
fn meta(snapshot: &ReadTransaction, database: &Database, incarnation: [u8; 16]) -> Result<(u64, u64), Side> {
    let source = snapshot.open_table(META).map_err(from)?;
    let txn = database.begin_write().map_err(to)?;
    let (mut header, mut records, mut events) = (None, 0, 0);
    {
        let mut target = txn.open_table(META).map_err(to)?;
        for row in source.iter().map_err(from)? {
            let (name, value) = row.map_err(from)?;
            if name.value() == HEADER_KEY {
                header = Some(Header::decode(value.value()).map_err(from)?);
                continue;
            }
            let counters = Meta::decode(value.value()).map_err(from)?;
            records += counters.records;
            events += counters.events;
            target.insert(name.value(), value.value()).map_err(to)?;
        }
        let header = header.ok_or_else(|| from(Fault::Unreadable("it is not behalf's database".to_owned())))?;
        let header = Header { incarnation, ..header };
        target.insert(HEADER_KEY, header.encode().as_slice()).map_err(to)?;
    }
    txn.commit().map_err(to)?;
    Ok((records, events))
}

/// Reads back what says that the copy is whole; errors of closing it would show here.
fn check(file: &Path, shown: &str) -> Result<Copied, CopyError> {
    let failed = |text: String| CopyError::Write(shown.to_owned(), text);
    let io = |error: io::Error| failed(error.to_string());
    let written = OpenOptions::new().read(true).open(file).map_err(io)?;
    written.sync_all().map_err(io)?;
    let file_bytes = written.metadata().map_err(io)?.len();
    sync_folder(folder_of(file)).map_err(io)?;
    drop(written);
    let (header, tenants) = open(file)
        .and_then(|database| guarded(|| super::reads::meta(&database.begin_read()?)))
        .map_err(|fault| failed(fault.to_string()))?;
    let sum = |count: fn(&Meta) -> u64| tenants.iter().map(|(_, meta)| count(meta)).sum();
    Ok(Copied {
        file_bytes,
        records: sum(|meta| meta.records),
        events: sum(|meta| meta.events),
        incarnation: header.name(),
    })
}

/// The folder that names this file.
pub(super) fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Opens a copy without changing a byte of it.
pub(super) fn open(file: &Path) -> Result<ReadOnlyDatabase, Fault> {
    guarded(|| match Builder::new().set_cache_size(CACHE).open_read_only(file) {
        Err(redb::DatabaseError::RepairAborted) => {
            Err(Fault::Unreadable("it was not closed cleanly, so it is no finished backup".to_owned()))
        }
        opened => Ok(opened?),
    })
}
