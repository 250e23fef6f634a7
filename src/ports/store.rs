//! The store: one small transactional port. It knows records, not features.
//!
//! A use case reads, runs a pure transition of `domain`, and commits with the versions it read (optimistic
//! concurrency). What is atomic is written in `app/`; how it is made atomic, in `adapters/store/`.
//! The contract below is executable: `tests/it/contract/stores.rs` runs it over every adapter.

use std::{collections::HashMap, pin::Pin};

use async_trait::async_trait;
use futures_util::Stream;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::ids::{RecordId, TenantName};

/// What sort of record a key names. The store only compares it; `app/kinds.rs` gives the names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(pub u8);

/// The name of a record within its tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// What sort of record.
    pub kind: Kind,
    /// Which one.
    pub id: RecordId,
}

impl Key {
    /// The 41 bytes that adapters store: kind, time, hash. Their order is the order of the keys.
    pub fn to_bytes(self) -> [u8; 41] {
        let mut out = [0; 41];
        out[0] = self.kind.0;
        out[1..].copy_from_slice(&self.id.to_bytes());
        out
    }

    /// The inverse of [`Key::to_bytes`].
    pub fn from_bytes(bytes: &[u8; 41]) -> Self {
        let mut id = [0; 40];
        id.copy_from_slice(&bytes[1..]);
        Self { kind: Kind(bytes[0]), id: RecordId::from_bytes(&id) }
    }
}

/// Identifies one attempt to commit: 128 random bits. The same id never means two different changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChangeId(pub [u8; 16]);

/// The number of an event: 1, 2, 3 … without a gap in each tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(pub u64);

/// A record as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Grows with every write; a version is never used again in the tenant, not even for a record that was
    /// dropped and made anew.
    pub version: u64,
    /// From this instant on `VersionLive` fails. The record is still read.
    pub live_until: Option<Timestamp>,
    /// From this instant on the reaper may drop it.
    pub drop_at: Option<Timestamp>,
    /// The change that wrote this version. On a doubtful outcome: ours here means "committed".
    pub last_change: ChangeId,
    /// The content, opaque to the store.
    pub body: Vec<u8>,
}

/// Records read together, and the store's own `now`: the only `now` for decisions about them.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The store's time of the read, in microseconds. Never runs back within a tenant.
    pub now: Timestamp,
    /// Those of the keys that exist.
    pub records: HashMap<Key, Record>,
}

impl Snapshot {
    /// The record, if it exists.
    pub fn get(&self, key: &Key) -> Option<&Record> {
        self.records.get(key)
    }

    /// What holds as long as nobody changes what is under this key here, or that nothing is.
    pub fn as_seen(&self, key: &Key) -> Expect {
        self.get(key).map_or(Expect::Absent, |record| Expect::Version(record.version))
    }
}

/// What must hold for a change to be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// There is no such record (dropped is absent; past `live_until` is not).
    Absent,
    /// It has this version, alive or not.
    Version(u64),
    /// It has this version and the store's now < `live_until` (no `live_until`: always alive).
    VersionLive(u64),
}

/// An index row: `list` walks them by `sort`, then by key. What they mean is the writer's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct IndexRow {
    /// Which index.
    pub index: Index,
    /// Position in it, usually milliseconds.
    pub sort: u64,
}

/// Names an index: its kind and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Index {
    /// Which list: a number that its users in `app` have to themselves.
    pub list: u8,
    /// Whose: SHA-256 of the owner's id, or zeros for a tenant-wide list.
    pub owner: [u8; 32],
}

/// A record to write. It replaces the record of that key, its times and all its index rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// Where.
    pub key: Key,
    /// The content; at most 64 KiB.
    pub body: Vec<u8>,
    /// See [`Record::live_until`].
    pub live_until: Option<Timestamp>,
    /// See [`Record::drop_at`].
    pub drop_at: Option<Timestamp>,
    /// The rows under which it is listed; at most 16.
    pub indexes: Vec<IndexRow>,
}

/// A lease's proof: commits that carry it fail once another holder took the lease or its time ran out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    /// The lease's name.
    pub lease: String,
    /// Its token.
    pub token: u64,
}

/// Events that one change may drop, so that no other change waits for long behind it.
pub const MOST_FORGOTTEN: u64 = 1000;

/// All or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The attempt. The same id again within 10 s gives the first result and applies nothing.
    pub id: ChangeId,
    /// The store answers `Late`, and applies nothing, if the change reaches it at or after this instant
    /// (store's time). Past it, "not committed" is certain.
    pub not_after: Timestamp,
    /// Everything that must hold.
    pub expect: Vec<(Key, Expect)>,
    /// The lease under which this is done.
    pub fence: Option<Fence>,
    /// Records to write.
    pub puts: Vec<Put>,
    /// Records to drop, with their index rows. Dropping what isn't there is no error.
    pub drops: Vec<Key>,
    /// Drop the events with this number and smaller ones. At most [`MOST_FORGOTTEN`] of those that are still there,
    /// and none that wasn't numbered before this change: else it is refused, and nothing is applied. Numbers go on
    /// as if nothing had been dropped, even if everything was. Up to what was dropped before: no error.
    pub forget: Option<Seq>,
    /// Events to number and append in this order, opaque to the store.
    pub events: Vec<Vec<u8>>,
    /// The incarnation that this change makes the tenant's own: it raises the epoch. See [`StoreError::RolledBack`].
    pub begins: Option<String>,
}

impl Change {
    /// One that does nothing yet; callers add to it with struct update syntax.
    pub fn new(id: ChangeId, not_after: Timestamp) -> Self {
        Self {
            id,
            not_after,
            expect: Vec::new(),
            fence: None,
            puts: Vec::new(),
            drops: Vec::new(),
            forget: None,
            events: Vec::new(),
            begins: None,
        }
    }
}

/// What became of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Committed {
    /// Applied and durable. The numbers of the events, in the order given.
    Done(Vec<Seq>),
    /// Nothing applied: this key's expectation doesn't hold (the first in the order given).
    Conflict(Key),
    /// Nothing applied: the lease is lost.
    Fenced,
    /// Nothing applied, ever: it came at or after `not_after`.
    Late,
}

/// Why the store didn't answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Not reached, or closed for the moment: nothing was applied.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The change was sent and the answer is missing: it may or may not be applied. Read `last_change`.
    #[error("the outcome of a commit is unknown: {0}")]
    Unknown(String),
    /// Nothing was applied: the store may have rolled back since the tenant's epoch was written. Until a change that
    /// [begins](Change::begins) the present incarnation was applied, no other one is.
    #[error("the store may have rolled back; the epoch must be raised first")]
    RolledBack,
    /// A record or a file that this version can't read.
    #[error("the store holds what this version can't read: {0}")]
    Unreadable(String),
}

/// A page of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Rows with `sort` at most this.
    pub up_to: u64,
    /// Continue behind this row (`sort`, key); `None` from the beginning.
    pub after: Option<(u64, Key)>,
    /// At most this many, 1 to 1000.
    pub limit: usize,
}

/// A record that this version can't read, and why: never what is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

impl From<Unreadable> for StoreError {
    fn from(Unreadable(text): Unreadable) -> Self {
        Self::Unreadable(text)
    }
}

/// A row of an index: `sort`, key, and the record where it can be read. One that can't is there all the same.
pub type Row = (u64, Key, Result<Record, Unreadable>);

/// Rows of an index with their records, in ascending order.
#[derive(Debug, Clone)]
pub struct ListPage {
    /// The store's time.
    pub now: Timestamp,
    /// One record that can't be read hides none of the others.
    pub rows: Vec<Row>,
    /// True if there may be more behind the last row.
    pub more: bool,
}

impl ListPage {
    /// Its rows, where nothing may be left out: one that can't be read is an error.
    pub fn whole(&self) -> Result<Vec<(u64, Key, &Record)>, StoreError> {
        let rows = self.rows.iter().map(|(sort, key, record)| match record {
            Ok(record) => Ok((*sort, *key, record)),
            Err(why) => Err(why.clone().into()),
        });
        rows.collect()
    }

    /// The rows with a record that can be read.
    pub fn readable(&self) -> impl Iterator<Item = (u64, Key, &Record)> {
        self.rows.iter().filter_map(|(sort, key, record)| Some((*sort, *key, record.as_ref().ok()?)))
    }

    /// Where the last row stands.
    pub fn end(&self) -> Option<(u64, Key)> {
        self.rows.last().map(|(sort, key, _)| (*sort, *key))
    }
}

/// A numbered event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its number.
    pub seq: Seq,
    /// As it was given to `commit`.
    pub body: Vec<u8>,
}

/// The right to do something alone, for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Goes into the [`Fence`] of commits made under it. Grows with every change of holder.
    pub token: u64,
    /// The first instant (store's time) at which it is lost.
    pub until: Timestamp,
}

/// A hint that something was committed. Hints may be lost or come too often; polling stands behind them.
pub type Hints = Pin<Box<dyn Stream<Item = ()> + Send>>;

/// Transactional, tenant-scoped records.
///
/// * `read` and `commit` are serialisable per tenant: a read sees all of a commit or nothing, and a commit that
///   was answered `Done` is seen by every later read.
/// * The store's clock never runs back within a tenant: it is the maximum of its own time and the highest it has
///   shown there. Where its own time was set back, it goes on from there as real time passes: it never stands
///   still. A clean restart keeps that; after a crash it is at least the time of the last commit.
/// * Every expectation is checked before the first write.
/// * A failure after sending is `Unknown`, never `Unavailable`.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// One round trip.
    async fn read(&self, tenant: &TenantName, keys: &[Key]) -> Result<Snapshot, StoreError>;

    /// Applies the change or nothing of it. A caller that gives up waiting may find it applied all the same.
    async fn commit(&self, tenant: &TenantName, change: Change) -> Result<Committed, StoreError>;

    /// An ordered page of an index. For people and the reaper; never for a decision. A record that can't be read is a
    /// row that says so; counters or an index that can't be are an error.
    async fn list(&self, tenant: &TenantName, index: Index, page: Page) -> Result<ListPage, StoreError>;

    /// Events with numbers greater than `after`, ascending, at most `limit` (1 to 1000). Where those behind `after`
    /// were dropped ([`Change::forget`]), it begins with the first that is there.
    async fn events(&self, tenant: &TenantName, after: Seq, limit: usize) -> Result<Vec<Stored>, StoreError>;

    /// Takes the lease, or renews it for the same `holder` (same token). `None`: another holds it.
    /// A new holder gets a greater token, also after the lease ran out unused.
    async fn lease(
        &self,
        tenant: &TenantName,
        name: &str,
        holder: &str,
        ttl: jiff::SignedDuration,
    ) -> Result<Option<Lease>, StoreError>;

    /// Hints of commits in this tenant, from now on.
    fn changed(&self, tenant: &TenantName) -> Hints;

    /// Names the present line of history of what holds the tenant's records. It differs whenever that may have rolled
    /// back (a restored copy, another Redis server): then the tenant's epoch must be raised. Cheap enough to be asked
    /// several times a second.
    async fn incarnation(&self, tenant: &TenantName) -> Result<String, StoreError>;

    /// Waits for a moment until a second server has everything that was committed in this tenant so far. `None`: there
    /// is no second server to have it. `false` also where another server than the one that took the commit has the
    /// records now.
    async fn replicated(&self, tenant: &TenantName) -> Result<Option<bool>, StoreError> {
        let _ = tenant;
        Ok(None)
    }
}
