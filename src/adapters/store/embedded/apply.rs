//! One change within the writer's transaction: first everything is checked, then everything is written.

use std::collections::{HashMap, hash_map::Entry};

use jiff::{SignedDuration, Timestamp};
use redb::{ReadableTable, Table, WriteTransaction};

use super::{
    fault::Fault,
    layout::{EVENTS, HEADER_KEY, Header, INDEX, META, Meta, RECORDS, event_key, index_key, record_key},
    lease::{self, Held},
    tenants::time,
};
use crate::{
    adapters::store::{bounds::RESERVED, format::Head},
    domain::ids::TenantName,
    ports::store::{Change, ChangeId, Committed, Expect, IndexRow, Key, Lease, MOST_FORGOTTEN, Put, Seq},
};

/// The tables of one transaction, what was seen of its records, and what it changed of the counters.
pub(super) struct Batch<'txn> {
    /// Records that were looked at, as they stand in this transaction: those that many changes expect are read once.
    seen: HashMap<Vec<u8>, Option<Seen>>,
    records: Table<'txn, &'static [u8], &'static [u8]>,
    index: Table<'txn, &'static [u8], ()>,
    events: Table<'txn, &'static [u8], &'static [u8]>,
    meta: Table<'txn, &'static str, &'static [u8]>,
    touched: HashMap<TenantName, Meta>,
}

impl<'txn> Batch<'txn> {
    pub(super) fn begin(txn: &'txn WriteTransaction) -> Result<Self, Fault> {
        Ok(Self {
            records: txn.open_table(RECORDS)?,
            index: txn.open_table(INDEX)?,
            events: txn.open_table(EVENTS)?,
            meta: txn.open_table(META)?,
            touched: HashMap::new(),
            seen: HashMap::new(),
        })
    }

    /// Applies the change or nothing of it. `now`: the tenant's time in microseconds.
    /// An error may leave half of it behind unless it is [`Fault::Unreadable`] or [`Fault::Refused`]: then the
    /// transaction must not be committed.
    pub(super) fn commit(&mut self, tenant: &TenantName, change: &Change, now: i64) -> Result<Committed, Fault> {
        let at = time(now);
        if at >= change.not_after {
            return Ok(Committed::Late);
        }
        if let Some(fence) = &change.fence {
            let held = self.lease_of(tenant, &fence.lease)?;
            if !held.is_some_and(|held| held.token == fence.token && at < held.until) {
                return Ok(Committed::Fenced);
            }
        }
        for (key, expect) in &change.expect {
            if !self.holds(tenant, *key, *expect, at)? {
                return Ok(Committed::Conflict(*key));
            }
        }
        // All that may be unreadable is read before the first write.
        let meta = self.meta_of(tenant)?;
        for key in change.puts.iter().map(|put| put.key).chain(change.drops.iter().copied()) {
            self.seen(tenant, key)?;
        }
        check_forgotten(change.forget, meta)?;
        self.write(tenant, change, now, meta)
    }

    fn write(&mut self, tenant: &TenantName, change: &Change, now: i64, mut meta: Meta) -> Result<Committed, Fault> {
        for put in &change.puts {
            meta.version += 1;
            let new = self.put(tenant, change.id, put, meta.version)?;
            meta.records += u64::from(new);
        }
        for key in &change.drops {
            let dropped = self.drop_record(tenant, *key)?;
            meta.records = meta.records.saturating_sub(u64::from(dropped));
        }
        self.forget(tenant, change.forget, &mut meta)?;
        let mut numbers = Vec::with_capacity(change.events.len());
        for event in &change.events {
            meta.seq += 1;
            meta.events += 1;
            numbers.push(Seq(meta.seq));
            self.events.insert(event_key(tenant, Seq(meta.seq)).as_slice(), event.as_slice())?;
        }
        meta.high = meta.high.max(now);
        self.touched.insert(tenant.clone(), meta);
        Ok(Committed::Done(numbers))
    }

    fn forget(&mut self, tenant: &TenantName, up_to: Option<Seq>, meta: &mut Meta) -> Result<(), Fault> {
        let first = meta.first_event();
        for seq in first..=up_to.map_or(0, |seq| seq.0) {
            self.events.remove(event_key(tenant, Seq(seq)).as_slice())?;
            meta.events = meta.events.saturating_sub(1);
        }
        Ok(())
    }

    /// Writes a record and its index rows. True if there was none.
    fn put(&mut self, tenant: &TenantName, change: ChangeId, put: &Put, version: u64) -> Result<bool, Fault> {
        let head = Head {
            version,
            live_until: put.live_until,
            drop_at: put.drop_at,
            last_change: change,
            rows: put.indexes.clone(),
            body: &put.body,
        };
        let at = record_key(tenant, put.key);
        self.records.insert(at.as_slice(), head.encode().as_slice())?;
        let now = Seen { version, live_until: put.live_until.map(kept), rows: head.rows };
        let old = self.seen.insert(at, Some(now)).flatten();
        self.relist(tenant, put, old.as_ref().map_or(&[], |old| &old.rows))?;
        Ok(old.is_none())
    }

    /// Leaves rows alone that stay as they are: each one touched is a page to be written.
    fn relist(&mut self, tenant: &TenantName, put: &Put, old: &[IndexRow]) -> Result<(), Fault> {
        for row in old.iter().filter(|row| !put.indexes.contains(row)) {
            self.index.remove(index_key(tenant, *row, put.key).as_slice())?;
        }
        for row in put.indexes.iter().filter(|row| !old.contains(row)) {
            self.index.insert(index_key(tenant, *row, put.key).as_slice(), ())?;
        }
        Ok(())
    }

    /// Drops a record and its index rows. True if there was one.
    fn drop_record(&mut self, tenant: &TenantName, key: Key) -> Result<bool, Fault> {
        let at = record_key(tenant, key);
        let Some(old) = self.seen.get_mut(&at).and_then(Option::take) else { return Ok(false) };
        self.records.remove(at.as_slice())?;
        for row in old.rows {
            self.index.remove(index_key(tenant, row, key).as_slice())?;
        }
        Ok(true)
    }

    fn holds(&mut self, tenant: &TenantName, key: Key, expect: Expect, at: Timestamp) -> Result<bool, Fault> {
        Ok(match (expect, self.seen(tenant, key)?) {
            (Expect::Absent, None) => true,
            (Expect::Version(version), Some(seen)) => seen.version == version,
            (Expect::VersionLive(version), Some(seen)) => {
                seen.version == version && seen.live_until.is_none_or(|end| at < end)
            }
            (Expect::Absent, Some(_)) | (_, None) => false,
        })
    }

    /// What stands under this key.
    fn seen(&mut self, tenant: &TenantName, key: Key) -> Result<Option<&Seen>, Fault> {
        let found = match self.seen.entry(record_key(tenant, key)) {
            Entry::Occupied(found) => found.into_mut(),
            Entry::Vacant(place) => {
                let bytes = self.records.get(place.key().as_slice())?;
                let head = bytes.as_ref().map(|bytes| Head::decode(key.kind, bytes.value())).transpose()?;
                place.insert(head.map(|head| Seen {
                    version: head.version,
                    live_until: head.live_until,
                    rows: head.rows,
                }))
            }
        };
        Ok(found.as_ref())
    }

    fn meta_of(&self, tenant: &TenantName) -> Result<Meta, Fault> {
        if let Some(meta) = self.touched.get(tenant) {
            return Ok(*meta);
        }
        self.meta.get(tenant.as_str())?.map_or(Ok(Meta::EMPTY), |bytes| Meta::decode(bytes.value()))
    }

    fn lease_of(&self, tenant: &TenantName, name: &str) -> Result<Option<Held>, Fault> {
        let Some(bytes) = self.records.get(record_key(tenant, lease::key(name)).as_slice())? else {
            return Ok(None);
        };
        Held::decode(&Head::decode(RESERVED, bytes.value())?).map(Some)
    }

    /// Takes or renews a lease. The tenant's counters grow as with any write.
    pub(super) fn lease(
        &mut self,
        tenant: &TenantName,
        (name, holder): (&str, &str),
        ttl: SignedDuration,
        now: i64,
    ) -> Result<Option<Lease>, Fault> {
        let Some(lease) = lease::decide(self.lease_of(tenant, name)?, holder, ttl, time(now)) else {
            return Ok(None);
        };
        let mut meta = self.meta_of(tenant)?;
        meta.version += 1;
        meta.high = meta.high.max(now);
        let body = lease.encode();
        let head = Head {
            version: meta.version,
            live_until: Some(lease.until),
            drop_at: None,
            last_change: ChangeId([0; 16]),
            rows: Vec::<IndexRow>::new(),
            body: &body,
        };
        let at = record_key(tenant, lease::key(name));
        self.records.insert(at.as_slice(), head.encode().as_slice())?;
        self.seen.remove(&at);
        self.touched.insert(tenant.clone(), meta);
        Ok(Some(Lease { token: lease.token, until: lease.until }))
    }

    /// Notes a time that was shown, so that it outlives the process.
    pub(super) fn note_time(&mut self, tenant: &TenantName, high: i64) -> Result<(), Fault> {
        let mut meta = self.meta_of(tenant)?;
        if meta.high < high {
            meta.high = high;
            self.touched.insert(tenant.clone(), meta);
        }
        Ok(())
    }

    /// Writes the counters and the batch's number. False: nothing changed, there is nothing to commit.
    pub(super) fn finish(mut self, header: Header) -> Result<bool, Fault> {
        if self.touched.is_empty() {
            return Ok(false);
        }
        for (tenant, meta) in &self.touched {
            self.meta.insert(tenant.as_str(), meta.encode().as_slice())?;
        }
        self.meta.insert(HEADER_KEY, header.encode().as_slice())?;
        Ok(true)
    }
}

/// A time as it is stored: to the microsecond.
fn kept(at: Timestamp) -> Timestamp {
    time(at.as_microsecond())
}

/// What a commit has to know of a record.
struct Seen {
    version: u64,
    live_until: Option<Timestamp>,
    rows: Vec<IndexRow>,
}

/// What a change drops must have been numbered before it, and be little.
fn check_forgotten(up_to: Option<Seq>, meta: Meta) -> Result<(), Fault> {
    let Some(Seq(up_to)) = up_to else { return Ok(()) };
    if up_to > meta.seq {
        return Err(Fault::Refused(format!("events up to {up_to} can't be dropped: the last one is {}", meta.seq)));
    }
    let count = (up_to + 1).saturating_sub(meta.first_event());
    if count > MOST_FORGOTTEN {
        return Err(Fault::Refused(format!("{count} events can't be dropped at once, at most {MOST_FORGOTTEN}")));
    }
    Ok(())
}
