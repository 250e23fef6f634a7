//! The embedded store as the one or the other side of a copy. No process may have it open. Blocks.

use std::{
    fs,
    ops::Bound,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use redb::{Builder, Database, ReadTransaction, ReadableDatabase as _};

use super::{
    OpenError, copy,
    fault::{Fault, guarded},
    layout::{EVENTS, HEADER_KEY, Header, INDEX, META, Meta, RECORDS, event_key, index_key, is_reserved, record_key},
    maintenance,
    media::{DATA_FILE, Folder, sync_folder},
    reads,
};
use crate::{
    adapters::store::{
        format::{Head, KEY_BYTES, cut_off},
        moving::{Counters, MoveError, Raw, Sink, Source},
    },
    domain::ids::TenantName,
    ports::store::{Key, Seq, Stored},
};

/// The copy until it is complete.
pub const UNFINISHED_FILE: &str = "behalf.redb.copying";
/// Records or events of one batch.
const BATCH: usize = 500;
const CACHE: usize = 8 << 20;

fn read(fault: &Fault) -> MoveError {
    MoveError::Read(fault.to_string())
}

fn write(fault: &Fault) -> MoveError {
    MoveError::Write(fault.to_string())
}

/// Data in a folder, locked against every process.
pub struct FolderSource {
    snapshot: ReadTransaction,
    at: Option<(TenantName, Vec<u8>)>,
    _database: Database,
    _media: Arc<Folder>,
}

impl FolderSource {
    /// Opens the data, and repairs it first if the last process was killed.
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        let (media, database, _, name) = maintenance::open(folder)?;
        let snapshot = guarded(|| Ok(database.begin_read()?));
        let snapshot = snapshot.map_err(|fault| OpenError::Unreadable(name, fault.to_string()))?;
        Ok(Self { snapshot, at: None, _database: database, _media: media })
    }

    fn batch(&self, tenant: &TenantName, begin: Bound<&[u8]>) -> Result<(Vec<Raw>, Option<Vec<u8>>), Fault> {
        let table = self.snapshot.open_table(RECORDS)?;
        let start = [tenant.as_str().as_bytes(), &[0]].concat();
        let (mut out, mut last) = (Vec::new(), None);
        for row in table.range::<&[u8]>((begin, Bound::Unbounded))?.take(BATCH) {
            let (name, bytes) = row?;
            let Some(key) = name.value().strip_prefix(start.as_slice()) else { break };
            if !is_reserved(name.value()) {
                let key: &[u8; KEY_BYTES] = key.try_into().map_err(|_| cut_off())?;
                out.push((Key::from_bytes(key), bytes.value().to_vec()));
            }
            last = Some(name.value().to_vec());
        }
        Ok((out, last))
    }
}

#[async_trait]
impl Source for FolderSource {
    async fn tenants(&mut self) -> Result<Vec<Counters>, MoveError> {
        let (_, tenants) = guarded(|| reads::meta(&self.snapshot)).map_err(|fault| read(&fault))?;
        let counters = |(tenant, meta): (TenantName, Meta)| Counters {
            tenant,
            version: meta.version,
            seq: meta.seq,
            high: meta.high,
            records: meta.records,
            events: meta.events,
        };
        Ok(tenants.into_iter().map(counters).collect())
    }

    async fn record(&mut self, tenant: &TenantName, key: Key) -> Result<Option<Vec<u8>>, MoveError> {
        let found = || {
            let table = self.snapshot.open_table(RECORDS)?;
            Ok(table.get(record_key(tenant, key).as_slice())?.map(|bytes| bytes.value().to_vec()))
        };
        guarded(found).map_err(|fault| read(&fault))
    }

    async fn records(&mut self, tenant: &TenantName) -> Result<Option<Vec<Raw>>, MoveError> {
        let start = [tenant.as_str().as_bytes(), &[0]].concat();
        let begin = match &self.at {
            Some((at, key)) if at == tenant => Bound::Excluded(key.as_slice()),
            _ => Bound::Included(start.as_slice()),
        };
        let (batch, last) = guarded(|| self.batch(tenant, begin)).map_err(|fault| read(&fault))?;
        let Some(last) = last else { return Ok(None) };
        self.at = Some((tenant.clone(), last));
        Ok(Some(batch))
    }

    async fn events(&mut self, tenant: &TenantName, after: u64) -> Result<Vec<Stored>, MoveError> {
        guarded(|| reads::events(&self.snapshot, tenant, Seq(after), BATCH)).map_err(|fault| read(&fault))
    }
}

/// A folder without data, to be filled.
pub struct FolderSink {
    folder: PathBuf,
    incarnation: [u8; 16],
    database: Option<Database>,
}

impl FolderSink {
    /// `incarnation`: random; names the line of history of what will be there.
    pub fn new(folder: &Path, incarnation: [u8; 16]) -> Self {
        Self { folder: folder.to_owned(), incarnation, database: None }
    }

    fn database(&self) -> Result<&Database, MoveError> {
        self.database.as_ref().ok_or_else(|| MoveError::Write("it was not begun".to_owned()))
    }

    fn place(&self) -> std::io::Result<()> {
        let (unfinished, data) = (self.folder.join(UNFINISHED_FILE), self.folder.join(DATA_FILE));
        fs::File::open(&unfinished)?.sync_all()?;
        // Data that appeared meanwhile stays.
        fs::hard_link(&unfinished, &data).and_then(|()| fs::remove_file(&unfinished))?;
        sync_folder(&self.folder)
    }
}

fn put_records(database: &Database, tenant: &TenantName, batch: &[Raw]) -> Result<u64, Fault> {
    let txn = database.begin_write()?;
    let mut fresh = 0;
    {
        let (mut records, mut index) = (txn.open_table(RECORDS)?, txn.open_table(INDEX)?);
        for (key, bytes) in batch {
            for row in Head::decode(key.kind, bytes)?.rows {
                index.insert(index_key(tenant, row, *key).as_slice(), ())?;
            }
            fresh += u64::from(records.insert(record_key(tenant, *key).as_slice(), bytes.as_slice())?.is_none());
        }
    }
    txn.commit()?;
    Ok(fresh)
}

fn put_events(database: &Database, tenant: &TenantName, batch: &[Stored]) -> Result<(), Fault> {
    let txn = database.begin_write()?;
    {
        let mut events = txn.open_table(EVENTS)?;
        for event in batch {
            events.insert(event_key(tenant, event.seq).as_slice(), event.body.as_slice())?;
        }
    }
    txn.commit()?;
    Ok(())
}

fn put_counters(database: &Database, tenants: &[Counters], incarnation: [u8; 16]) -> Result<(), Fault> {
    let txn = database.begin_write()?;
    {
        let mut table = txn.open_table(META)?;
        for counters in tenants {
            let Counters { tenant, version, seq, high, records, events } = counters.clone();
            let meta = Meta { version, seq, high, records, events };
            table.insert(tenant.as_str(), meta.encode().as_slice())?;
        }
        table.insert(HEADER_KEY, Header { incarnation, batch: 0 }.encode().as_slice())?;
    }
    txn.commit()?;
    Ok(())
}

#[async_trait]
impl Sink for FolderSink {
    async fn line(&mut self, _tenant: &TenantName) -> Result<Option<String>, MoveError> {
        Ok(None)
    }

    async fn begin(&mut self, _tenants: &[TenantName]) -> Result<(), MoveError> {
        let shown = self.folder.display();
        if self.folder.join(DATA_FILE).exists() {
            return Err(MoveError::Refused(format!("there is data in {shown}; nothing is overwritten")));
        }
        let failed = |error: std::io::Error| MoveError::Write(format!("{shown}: {error}"));
        Folder::new(&self.folder).create_folder().map_err(failed)?;
        let file = self.folder.join(UNFINISHED_FILE);
        if file.exists() {
            let text = format!("{} is left over from a copy that was broken off: remove it first", file.display());
            return Err(MoveError::Refused(text));
        }
        let backend = copy::create(&file).map_err(failed)?;
        let made = guarded(|| {
            let database = Builder::new().set_cache_size(CACHE).create_with_backend(backend)?;
            let txn = database.begin_write()?;
            txn.open_table(RECORDS)?;
            txn.open_table(INDEX)?;
            txn.open_table(EVENTS)?;
            txn.commit()?;
            Ok(database)
        });
        self.database = Some(made.map_err(|fault| write(&fault))?);
        Ok(())
    }

    async fn records(&mut self, tenant: &TenantName, batch: Vec<Raw>) -> Result<u64, MoveError> {
        let database = self.database()?;
        guarded(|| put_records(database, tenant, &batch)).map_err(|fault| write(&fault))
    }

    async fn events(&mut self, tenant: &TenantName, batch: Vec<Stored>) -> Result<(), MoveError> {
        let database = self.database()?;
        guarded(|| put_events(database, tenant, &batch)).map_err(|fault| write(&fault))
    }

    async fn end(&mut self, tenants: &[Counters]) -> Result<(), MoveError> {
        let database = self.database()?;
        guarded(|| put_counters(database, tenants, self.incarnation)).map_err(|fault| write(&fault))?;
        // Its lock goes with it.
        drop(self.database.take());
        self.place().map_err(|error| MoveError::Write(format!("{}: {error}", self.folder.display())))
    }
}
