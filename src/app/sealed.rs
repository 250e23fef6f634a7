//! The sealed trail in the store: its records, and how it is read.
//!
//! The events lie in the store's outbox; what sealing adds are records: the head, the hashes in segments, and signed
//! checkpoints. They are small, so that what the outbox holds isn't stored twice.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::records;
use crate::{
    domain::{
        chain::{Checkpoint, Digest, Entry, FormError, PublicKey, SealedEvent, SealedHead},
        ids::{RecordId, TenantName},
    },
    ports::store::{Index, IndexRow, Key, Kind, Page, Put, Seq, Snapshot, Store, StoreError, Stored},
};

const HEAD: Kind = Kind(40);
const SEGMENT: Kind = Kind(41);
const CHECKPOINT: Kind = Kind(42);
const KEYS: Kind = Kind(43);
const CURSOR: Kind = Kind(44);
const START: Kind = Kind(45);

const LIST_CHECKPOINTS: u8 = 40;

/// Hashes in one segment.
const SEGMENT_LEN: u64 = 256;
const HASH_LEN: usize = 32;

/// The keys that signed this tenant's checkpoints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigningKeys {
    /// The one that signs.
    pub current: PublicKey,
    /// Those that signed before, the oldest first.
    pub former: Vec<PublicKey>,
}

impl SigningKeys {
    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = PublicKey> {
        self.former.iter().chain([&self.current]).copied()
    }
}

/// How far a sink got.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The last entry that it has for good.
    pub seq: u64,
}

/// Key of the sealed head.
pub fn head_key() -> Key {
    Key { kind: HEAD, id: RecordId::natural(&["sealed head"]) }
}

/// Key of the latest checkpoint.
pub fn latest_key() -> Key {
    Key { kind: CHECKPOINT, id: RecordId::natural(&["latest checkpoint"]) }
}

/// Key of the checkpoint up to which events were dropped.
pub fn start_key() -> Key {
    Key { kind: START, id: RecordId::natural(&["start of the trail"]) }
}

/// Key of the record of signing keys.
pub fn keys_key() -> Key {
    Key { kind: KEYS, id: RecordId::natural(&["signing keys"]) }
}

/// Key of a sink's cursor.
pub fn cursor_key(sink: &str) -> Key {
    Key { kind: CURSOR, id: RecordId::natural(&["sink", sink]) }
}

fn checkpoint_key(seq: u64) -> Key {
    Key { kind: CHECKPOINT, id: RecordId::natural(&["checkpoint", &seq.to_string()]) }
}

fn segment_key(first: u64) -> Key {
    Key { kind: SEGMENT, id: RecordId::natural(&["seal", &first.to_string()]) }
}

/// Every checkpoint but the latest, by its number.
pub fn checkpoints() -> Index {
    Index { list: LIST_CHECKPOINTS, owner: [0; 32] }
}

/// The sealed head in a snapshot that has [`head_key`]; the genesis if nothing is sealed yet.
pub fn head_of(tenant: &TenantName, snapshot: &Snapshot) -> Result<SealedHead, StoreError> {
    Ok(records::find(snapshot, &head_key())?.map_or_else(|| SealedHead::genesis(tenant), |(head, _)| head))
}

/// Where the trail begins, in a snapshot that has [`start_key`]: the checkpoint up to which events were dropped.
pub fn start_of(snapshot: &Snapshot) -> Result<Option<Checkpoint>, StoreError> {
    Ok(records::find(snapshot, &start_key())?.map(|(start, _)| start))
}

/// The number of the last event that was dropped; 0: none was.
pub async fn dropped(store: &dyn Store, tenant: &TenantName) -> Result<u64, StoreError> {
    dropped_of(&store.read(tenant, &[start_key()]).await?)
}

fn dropped_of(snapshot: &Snapshot) -> Result<u64, StoreError> {
    Ok(start_of(snapshot)?.map_or(0, |start| start.says.head.seq))
}

pub(in crate::app) fn plain<T: Serialize>(key: Key, content: &T) -> Result<Put, StoreError> {
    Ok(Put { key, body: records::encode(content)?, live_until: None, drop_at: None, indexes: Vec::new() })
}

/// The records of a checkpoint: as the latest, and among the others.
pub(super) fn put_checkpoint(checkpoint: &Checkpoint) -> Result<[Put; 2], StoreError> {
    let seq = checkpoint.says.head.seq;
    let listed = vec![IndexRow { index: checkpoints(), sort: seq }];
    let kept = Put { indexes: listed, ..plain(checkpoint_key(seq), checkpoint)? };
    Ok([plain(latest_key(), checkpoint)?, kept])
}

/// Key of the segment with the hash of `seq`, and its place in there.
pub(super) fn place(seq: u64) -> (Key, usize) {
    let index = seq.saturating_sub(1);
    let place = usize::try_from(index % SEGMENT_LEN).unwrap_or(0);
    (segment_key(index - index % SEGMENT_LEN + 1), place)
}

/// The keys of the segments with the hashes of these numbers.
pub(super) fn segments(first: u64, last: u64) -> Vec<Key> {
    let start = first.saturating_sub(1) / SEGMENT_LEN;
    let end = last.saturating_sub(1) / SEGMENT_LEN;
    (start..=end).map(|n| segment_key(n * SEGMENT_LEN + 1)).collect()
}

/// The keys of the segments of which nothing is needed once the trail begins behind `up_to`, where it began behind
/// `start` so far. The hash of `up_to` itself is needed: it is the `prev` of the first entry that is kept.
pub(super) fn segments_dropped(start: u64, up_to: u64) -> Vec<Key> {
    let mut keys = segments(start.max(1), up_to.max(1));
    keys.pop();
    keys
}

/// Hashes one behind the other.
pub(super) fn push_hash(body: &mut Vec<u8>, hash: Digest) {
    body.extend_from_slice(&hash.0);
}

fn hash_at(snapshot: &Snapshot, seq: u64) -> Option<Digest> {
    let (key, place) = place(seq);
    let bytes = snapshot.get(&key)?.body.get(place * HASH_LEN..(place + 1) * HASH_LEN)?;
    bytes.try_into().ok().map(Digest)
}

/// An error of the chain as one of the store: what lies there is not what was put there.
pub(super) fn unreadable(seq: u64) -> impl FnOnce(FormError) -> StoreError {
    move |error| StoreError::Unreadable(format!("event {seq} {error}"))
}

/// Reads the event that comes behind this head. A gap is an error: nothing is linked over it.
pub(super) fn next_event(head: SealedHead, stored: &Stored) -> Result<SealedEvent, StoreError> {
    let seq = head.seq + 1;
    if stored.seq.0 != seq {
        return Err(StoreError::Unreadable(format!("event {seq} is missing from the audit trail")));
    }
    SealedEvent::read(&stored.body).map_err(unreadable(seq))
}

/// A part of the sealed trail.
#[derive(Debug)]
pub struct SealedPage {
    /// The entries, as they are stored: nothing is checked.
    pub entries: Vec<Entry>,
    /// The number of the last entry that was dropped; 0: none was.
    pub dropped: u64,
    /// How far the trail is sealed.
    pub head: SealedHead,
    /// The store's time.
    pub now: Timestamp,
}

/// Sealed entries behind `after`, at most `limit` (1 to 1000); none means the end. What was dropped is left out.
pub async fn page(store: &dyn Store, tenant: &TenantName, after: u64, limit: usize) -> Result<SealedPage, StoreError> {
    let mut after = after;
    loop {
        let stored = store.events(tenant, Seq(after), limit).await?;
        let (first, last) = match (stored.first(), stored.last()) {
            (Some(first), Some(last)) => (first.seq.0, last.seq.0),
            _ => (after + 1, after + 1),
        };
        let mut keys = segments(first.saturating_sub(1).max(1), last);
        keys.extend([head_key(), start_key()]);
        let snapshot = store.read(tenant, &keys).await?;
        let dropped = dropped_of(&snapshot)?;
        if !stored.is_empty() && last <= dropped {
            // All of them were dropped between the two reads.
            after = dropped;
            continue;
        }
        return linked(tenant, stored, &snapshot, dropped);
    }
}

fn linked(
    tenant: &TenantName,
    stored: Vec<Stored>,
    snapshot: &Snapshot,
    dropped: u64,
) -> Result<SealedPage, StoreError> {
    let head = head_of(tenant, snapshot)?;
    let genesis = SealedHead::genesis(tenant).hash;
    let mut entries = Vec::with_capacity(stored.len());
    for event in stored.into_iter().filter(|event| (dropped + 1..=head.seq).contains(&event.seq.0)) {
        let seq = event.seq.0;
        let missing = || StoreError::Unreadable(format!("the hash of event {seq} is missing"));
        let prev = if seq == 1 { Some(genesis) } else { hash_at(snapshot, seq - 1) };
        entries.push(Entry {
            seq,
            prev: prev.ok_or_else(missing)?,
            hash: hash_at(snapshot, seq).ok_or_else(missing)?,
            event: SealedEvent::read(&event.body).map_err(unreadable(seq))?,
        });
    }
    Ok(SealedPage { entries, dropped, head, now: snapshot.now })
}

/// A part of the sealed trail as it leaves the house.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// Numbers and lines of `{seq, prev, hash, event}`, without their ends; none means the end.
    pub lines: Vec<(u64, String)>,
    /// The number of the last entry that was dropped; 0: none was.
    pub dropped: u64,
    /// How far the trail is sealed.
    pub head: SealedHead,
}

/// Lines behind `after`: as many as fit a page.
pub async fn export(store: &dyn Store, tenant: &TenantName, after: u64) -> Result<Export, StoreError> {
    let page = page(store, tenant, after, EXPORTED).await?;
    let (mut lines, mut bytes) = (Vec::new(), 0);
    for entry in &page.entries {
        let line = entry.line();
        bytes += line.len();
        if bytes > EXPORTED_BYTES && !lines.is_empty() {
            break;
        }
        lines.push((entry.seq, line));
    }
    Ok(Export { lines, dropped: page.dropped, head: page.head })
}

/// Entries of one page of an export, and their bytes.
const EXPORTED: usize = 500;
const EXPORTED_BYTES: usize = 1 << 20;

/// What attests the trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// The checkpoint up to which entries were dropped.
    pub start: Option<Checkpoint>,
    /// The latest checkpoint.
    pub latest: Option<Checkpoint>,
    /// The keys that signed.
    pub keys: Option<SigningKeys>,
    /// Checkpoints, ascending.
    pub checkpoints: Vec<Checkpoint>,
    /// Ask for more behind this number.
    pub next: Option<u64>,
}

/// Keys, the latest checkpoint, and a page of the others behind `after` (`None`: from the first).
pub async fn marks(store: &dyn Store, tenant: &TenantName, after: Option<u64>) -> Result<Marks, StoreError> {
    let snapshot = store.read(tenant, &[start_key(), latest_key(), keys_key()]).await?;
    let after = after.map(|seq| (seq, checkpoint_key(seq)));
    let page = store.list(tenant, checkpoints(), Page { up_to: u64::MAX, after, limit: EXPORTED }).await?;
    // A trail with a hole proves nothing: one that can't be read is an error.
    let rows = page.whole()?;
    let read = rows.iter().map(|(_, _, record)| records::decode(record));
    Ok(Marks {
        start: start_of(&snapshot)?,
        latest: records::find(&snapshot, &latest_key())?.map(|(latest, _)| latest),
        keys: records::find(&snapshot, &keys_key())?.map(|(keys, _)| keys),
        checkpoints: read.collect::<Result<_, _>>()?,
        next: page.rows.last().filter(|_| page.more).map(|(seq, ..)| *seq),
    })
}
