//! Which records there are, how they are found, and how they are written down. The store knows none of this.

use std::fmt::Display;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

use crate::{
    app::kinds,
    domain::{
        audit::Event,
        delegation::{ANSWER_KEPT, Delegation, State},
        ids::{RecordId, UserId},
        lock::Lock,
        reservation::{self, Slot},
    },
    ports::store::{Index, IndexRow, Key, Kind, Put, Record, Snapshot, StoreError},
};

const EPOCH: Kind = Kind(1);
const DELEGATION: Kind = Kind(2);
const ROSTER: Kind = Kind(3);
const LOCK: Kind = Kind(4);
const ANSWER: Kind = Kind(5);
const SLOT: Kind = Kind(8);
const HOLDER: Kind = Kind(9);

const LIST_DUE: u8 = 1;
const LIST_DROP: u8 = 2;
const LIST_BY_AGENT: u8 = 3;
const LIST_LOCKS: u8 = 4;
const LIST_HELD: u8 = 10;
const LIST_BY_HOLDER: u8 = 11;

/// How long a record is kept after its end (`records.keep`).
pub const KEEP: SignedDuration = SignedDuration::from_hours(24 * 30);

/// The generation of a tenant's store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epoch {
    /// Grows whenever the store may have rolled back.
    pub number: u64,
    /// The store's line of history that it was written in.
    pub incarnation: String,
}

/// An agent's pending delegations, or what a user holds: never more than the cap, rewritten in the commit that adds one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roster {
    /// Each with the end of its life.
    pub pending: Vec<RosterEntry>,
}

/// One line of a roster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RosterEntry {
    /// Its public reference.
    pub reference: String,
    /// The first instant at which it counts no more.
    pub end: Timestamp,
}

/// Key of the tenant's epoch.
pub fn epoch_key() -> Key {
    Key { kind: EPOCH, id: RecordId::natural(&["epoch"]) }
}

/// Key of a delegation.
pub fn delegation_key(id: RecordId) -> Key {
    Key { kind: DELEGATION, id }
}

/// Key of an agent's roster.
pub fn roster_key(agent: &UserId) -> Key {
    Key { kind: ROSTER, id: RecordId::natural(&["roster", agent.as_str()]) }
}

/// Key of an account's lock.
pub fn lock_key(user: &UserId) -> Key {
    Key { kind: LOCK, id: RecordId::natural(&["lock", user.as_str()]) }
}

/// True for keys of delegations.
pub fn is_delegation(key: &Key) -> bool {
    key.kind == DELEGATION
}

/// Key of a shared account's slot.
pub fn slot_key(slot: RecordId) -> Key {
    Key { kind: SLOT, id: slot }
}

/// The same, by the account.
pub fn slot_of(account: &UserId) -> Key {
    slot_key(Slot::record_of(account))
}

/// Key of the roster of what a user holds.
pub fn holder_key(holder: &UserId) -> Key {
    Key { kind: HOLDER, id: RecordId::natural(&["holder", holder.as_str()]) }
}

/// Key of the answer that used this delegation, or this slot's reservation, then.
pub fn answer_key(used: Key, at: Timestamp) -> Key {
    Key { kind: ANSWER, id: used.id.since(at) }
}

/// Reservations that are held, by their end.
pub fn held() -> Index {
    Index { list: LIST_HELD, owner: [0; 32] }
}

/// What a user holds or held last, newest first.
pub fn by_holder(holder: &UserId) -> Index {
    Index { list: LIST_BY_HOLDER, owner: Sha256::digest(holder.as_str().as_bytes()).into() }
}

/// Records that the reaper has to look at, by when.
pub fn due() -> Index {
    Index { list: LIST_DUE, owner: [0; 32] }
}

/// Records that have ended, by the time they may be dropped.
pub fn droppable() -> Index {
    Index { list: LIST_DROP, owner: [0; 32] }
}

/// An agent's delegations, newest first.
pub fn by_agent(agent: &UserId) -> Index {
    Index { list: LIST_BY_AGENT, owner: Sha256::digest(agent.as_str().as_bytes()).into() }
}

/// All locks of the tenant.
pub fn locks() -> Index {
    Index { list: LIST_LOCKS, owner: [0; 32] }
}

/// Milliseconds since 1970, as index rows sort by them.
pub fn millis(at: Timestamp) -> u64 {
    u64::try_from(at.as_millisecond()).unwrap_or(0)
}

/// The record of a delegation that waits, or was used just now. It stays listed as due: taking it off that list would
/// touch one more page, at a random place, in every hook. The reaper does it for many at once ([`put_ended`]).
pub fn put_delegation(key: Key, delegation: &Delegation) -> Result<Put, StoreError> {
    put_listed(key, delegation, IndexRow { index: due(), sort: millis(delegation.expires) })
}

/// The record of a delegation that nothing will happen to but to be dropped.
pub fn put_ended(key: Key, delegation: &Delegation) -> Result<Put, StoreError> {
    put_listed(key, delegation, IndexRow { index: droppable(), sort: millis(kept_until(delegation)) })
}

fn put_listed(key: Key, delegation: &Delegation, row: IndexRow) -> Result<Put, StoreError> {
    let newest_first = u64::MAX - millis(delegation.created);
    let by_agent = IndexRow { index: by_agent(&delegation.binding.agent.id), sort: newest_first };
    Ok(Put {
        key,
        body: encode(delegation)?,
        live_until: Some(delegation.expires),
        drop_at: Some(kept_until(delegation)),
        indexes: vec![by_agent, row],
    })
}

/// Counted from its end, so that the list of droppable records grows at one place; from `expires` on each would touch
/// another page.
fn kept_until(delegation: &Delegation) -> Timestamp {
    let ended = match &delegation.state {
        State::Pending => delegation.expires,
        State::Consumed(used) => used.at,
        State::Expired { at } | State::Cancelled { at } => *at,
    };
    ended.saturating_add(KEEP).unwrap_or(Timestamp::MAX)
}

/// The record of an answer: its bytes, for as long as the same hook may come again.
pub fn put_answer(used: Key, at: Timestamp, answer: &str) -> Put {
    let end = at.saturating_add(ANSWER_KEPT).unwrap_or(Timestamp::MAX);
    Put {
        key: answer_key(used, at),
        body: answer.as_bytes().to_vec(),
        live_until: Some(end),
        drop_at: Some(end),
        indexes: vec![IndexRow { index: droppable(), sort: millis(end) }],
    }
}

/// The record of a lock.
pub fn put_lock(lock: &Lock) -> Result<Put, StoreError> {
    let since = [&lock.own, &lock.admin].into_iter().flatten().map(|p| millis(p.at)).min().unwrap_or(0);
    Ok(Put {
        key: lock_key(&lock.user.id),
        body: encode(lock)?,
        live_until: None,
        drop_at: None,
        indexes: vec![IndexRow { index: locks(), sort: since }],
    })
}

/// The record of a roster; it may be dropped once its last entry has ended.
pub fn put_roster(agent: &UserId, roster: &Roster, now: Timestamp) -> Result<Put, StoreError> {
    put_roster_at(roster_key(agent), roster, now)
}

/// The record of what a user holds; likewise.
pub fn put_holder(holder: &UserId, roster: &Roster, now: Timestamp) -> Result<Put, StoreError> {
    put_roster_at(holder_key(holder), roster, now)
}

/// The record of an account's slot. It is never dropped: there is one for each account, and it is what the next
/// generation follows.
pub fn put_slot(slot: &Slot) -> Result<Put, StoreError> {
    let mut indexes = Vec::new();
    let mut live_until = None;
    if let Some(current) = &slot.current {
        let newest_first = u64::MAX - millis(current.created);
        indexes.push(IndexRow { index: by_holder(&current.holder.id), sort: newest_first });
        if current.state == reservation::State::Held {
            indexes.push(IndexRow { index: held(), sort: millis(current.expires) });
            live_until = Some(current.expires);
        }
    }
    Ok(Put { key: slot_of(&slot.account.id), body: encode(slot)?, live_until, drop_at: None, indexes })
}

fn put_roster_at(key: Key, roster: &Roster, now: Timestamp) -> Result<Put, StoreError> {
    let end = roster.pending.iter().map(|e| e.end).max().unwrap_or(now);
    let indexes = vec![IndexRow { index: droppable(), sort: millis(end) }];
    Ok(Put { key, body: encode(roster)?, live_until: None, drop_at: Some(end), indexes })
}

/// The record of the epoch.
pub fn put_epoch(epoch: &Epoch) -> Result<Put, StoreError> {
    Ok(Put { key: epoch_key(), body: encode(epoch)?, live_until: None, drop_at: None, indexes: Vec::new() })
}

/// A body or an event, written down.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(value).map_err(|e| StoreError::Unreadable(format!("a record can't be written: {e}")))
}

/// Events, written down.
pub fn encode_events(events: &[Event]) -> Result<Vec<Vec<u8>>, StoreError> {
    events.iter().map(encode).collect()
}

/// A record's content. What can't be read is an error, never a default.
pub fn decode<T: DeserializeOwned>(record: &Record) -> Result<T, StoreError> {
    read(record, "")
}

/// The content under `key`, with its record; `None` if there is none.
pub fn find<'a, T: DeserializeOwned>(snapshot: &'a Snapshot, key: &Key) -> Result<Option<(T, &'a Record)>, StoreError> {
    let Some(record) = snapshot.get(key) else { return Ok(None) };
    Ok(Some((read(record, kinds::of(key.kind))?, record)))
}

fn read<T: DeserializeOwned>(record: &Record, of_kind: impl Display) -> Result<T, StoreError> {
    let unreadable = |error| StoreError::Unreadable(format!("a record{of_kind} can't be read: {error}"));
    serde_json::from_slice(&record.body).map_err(unreadable)
}

/// An event, read back.
pub fn decode_event(stored: &crate::ports::store::Stored) -> Result<Event, StoreError> {
    serde_json::from_slice(&stored.body)
        .map_err(|e| StoreError::Unreadable(format!("event {} can't be read: {e}", stored.seq.0)))
}
