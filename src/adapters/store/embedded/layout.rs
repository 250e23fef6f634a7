//! How tables, keys and records are written as bytes. Numbers are big-endian, so that bytes sort as the values do.
//!
//! Every key begins with `tenant ‖ 0`: a tenant's name has no zero byte, so no tenant is a prefix of another.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use redb::TableDefinition;

use super::fault::Fault;
use crate::{
    adapters::store::{
        bounds::RESERVED,
        format::{Input, KEY_BYTES, cut_off},
    },
    domain::ids::TenantName,
    ports::store::{Index, IndexRow, Key, Seq},
};

/// `tenant ‖ 0 ‖ key` to an encoded record.
pub(super) const RECORDS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("records");
/// `tenant ‖ 0 ‖ list ‖ owner ‖ sort ‖ key`.
pub(super) const INDEX: TableDefinition<&[u8], ()> = TableDefinition::new("index");
/// `tenant ‖ 0 ‖ seq` to the event as it was given.
pub(super) const EVENTS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("events");
/// A tenant's name to its counters, and [`HEADER_KEY`] to the file's header.
pub(super) const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");
/// Not a tenant's name: those have no dot.
pub(super) const HEADER_KEY: &str = ".store";

/// The layout of the whole file.
const FILE_FORMAT: u8 = 1;
/// The layout of a tenant's counters.
const META_FORMAT: u8 = 1;

/// What the file says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Random, made with the database.
    pub(super) incarnation: [u8; 16],
    /// Counts the transactions: tells after a failed sync whether the last one is there.
    pub(super) batch: u64,
}

impl Header {
    /// The incarnation as text.
    pub(super) fn name(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.incarnation)
    }

    pub(super) fn encode(&self) -> [u8; 25] {
        let mut out = [0; 25];
        out[0] = FILE_FORMAT;
        out[1..17].copy_from_slice(&self.incarnation);
        out[17..].copy_from_slice(&self.batch.to_be_bytes());
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let mut input = Input(bytes);
        input.format("the file", FILE_FORMAT)?;
        Ok(Self { incarnation: input.take()?, batch: u64::from_be_bytes(input.take()?) })
    }
}

/// A tenant's counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meta {
    /// The highest version ever given.
    pub(super) version: u64,
    /// The number of the last event.
    pub(super) seq: u64,
    /// The highest time shown, in microseconds.
    pub(super) high: i64,
    /// Records, leases not counted.
    pub(super) records: u64,
    /// Events that are kept.
    pub(super) events: u64,
}

impl Meta {
    /// Of a tenant that has nothing yet.
    pub(super) const EMPTY: Self = Self { version: 0, seq: 0, high: i64::MIN, records: 0, events: 0 };

    /// The number of the first event that is kept, or of the next one if none is: they are dropped from the beginning.
    pub(super) fn first_event(&self) -> u64 {
        (self.seq + 1).saturating_sub(self.events)
    }

    pub(super) fn encode(&self) -> [u8; 41] {
        let mut out = [0; 41];
        out[0] = META_FORMAT;
        let high = u64::from_be_bytes(self.high.to_be_bytes());
        for (slot, number) in
            out[1..].chunks_exact_mut(8).zip([self.version, self.seq, high, self.records, self.events])
        {
            slot.copy_from_slice(&number.to_be_bytes());
        }
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let mut input = Input(bytes);
        input.format("a tenant's counters", META_FORMAT)?;
        Ok(Self {
            version: u64::from_be_bytes(input.take()?),
            seq: u64::from_be_bytes(input.take()?),
            high: i64::from_be_bytes(input.take()?),
            records: u64::from_be_bytes(input.take()?),
            events: u64::from_be_bytes(input.take()?),
        })
    }
}

fn scoped(tenant: &TenantName, parts: &[&[u8]]) -> Vec<u8> {
    let name = tenant.as_str().as_bytes();
    let mut out = Vec::with_capacity(name.len() + 1 + parts.iter().map(|p| p.len()).sum::<usize>());
    out.extend_from_slice(name);
    out.push(0);
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

/// Where a record is.
pub(super) fn record_key(tenant: &TenantName, key: Key) -> Vec<u8> {
    scoped(tenant, &[&key.to_bytes()])
}

/// True for the key of one of the store's own records.
pub(super) fn is_reserved(record_key: &[u8]) -> bool {
    record_key.len().checked_sub(KEY_BYTES).and_then(|at| record_key.get(at)) == Some(&RESERVED.0)
}

/// Where an event is.
pub(super) fn event_key(tenant: &TenantName, seq: Seq) -> Vec<u8> {
    scoped(tenant, &[&seq.0.to_be_bytes()])
}

/// Where an index row is.
pub(super) fn index_key(tenant: &TenantName, row: IndexRow, key: Key) -> Vec<u8> {
    scoped(tenant, &[&[row.index.list], &row.index.owner, &row.sort.to_be_bytes(), &key.to_bytes()])
}

/// Not above any row of this index and position.
pub(super) fn index_start(tenant: &TenantName, index: Index, sort: u64) -> Vec<u8> {
    scoped(tenant, &[&[index.list], &index.owner, &sort.to_be_bytes()])
}

/// Above every row of this index and position.
pub(super) fn index_end(tenant: &TenantName, index: Index, sort: u64) -> Vec<u8> {
    let mut end = index_start(tenant, index, sort);
    end.extend_from_slice(&[0xff; KEY_BYTES + 1]);
    end
}

/// The end of an index row's key: position and record.
pub(super) fn index_tail(bytes: &[u8]) -> Result<(u64, Key), Fault> {
    let tail = bytes.len().checked_sub(8 + KEY_BYTES).and_then(|at| bytes.get(at..)).ok_or_else(cut_off)?;
    let mut input = Input(tail);
    Ok((u64::from_be_bytes(input.take()?), Key::from_bytes(&input.take()?)))
}

/// The number at the end of an event's key.
pub(super) fn event_seq(bytes: &[u8]) -> Result<Seq, Fault> {
    bytes.last_chunk().map(|seq| Seq(u64::from_be_bytes(*seq))).ok_or_else(|| cut_off().into())
}

#[cfg(test)]
mod tests;
