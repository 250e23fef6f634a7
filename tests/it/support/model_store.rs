//! The store's contract in its plainest form: one map per tenant under one lock. A clock that tests move.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
};

use async_trait::async_trait;
use behalf::{
    domain::ids::TenantName,
    ports::{
        clock::{Clock, ManualClock},
        store::{
            Change, ChangeId, Committed, Expect, Fence, Hints, Index, IndexRow, Key, Lease, ListPage, MOST_FORGOTTEN,
            Page, Record, Seq, Snapshot, Store, StoreError, Stored,
        },
    },
};
use futures_util::StreamExt;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;

/// What goes wrong with a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It isn't sent: `Unavailable`.
    Unavailable,
    /// It is applied and the answer is lost: `Unknown`.
    AnswerLost,
    /// It is lost on its way: `Unknown`.
    ChangeLost,
}

/// How long a change's result is remembered (the port's contract).
const REMEMBERED: SignedDuration = SignedDuration::from_secs(10);

struct Tenant {
    records: BTreeMap<Key, (Record, Vec<IndexRow>)>,
    events: Vec<Vec<u8>>,
    /// How many of them were dropped, from the beginning.
    forgotten: u64,
    results: HashMap<ChangeId, (Timestamp, Committed)>,
    leases: HashMap<String, (String, Lease)>,
    version: u64,
    highest: Timestamp,
    hints: broadcast::Sender<()>,
}

impl Default for Tenant {
    fn default() -> Self {
        Self {
            records: BTreeMap::new(),
            events: Vec::new(),
            forgotten: 0,
            results: HashMap::new(),
            leases: HashMap::new(),
            version: 0,
            highest: Timestamp::MIN,
            hints: broadcast::Sender::new(16),
        }
    }
}

/// A [`Store`] that forgets everything when it is dropped.
pub(crate) struct ModelStore {
    clock: Arc<ManualClock>,
    tenants: Mutex<HashMap<TenantName, Tenant>>,
    faults: Mutex<VecDeque<Fault>>,
}

impl ModelStore {
    pub(crate) fn new(clock: Arc<ManualClock>) -> Self {
        Self { clock, tenants: Mutex::default(), faults: Mutex::default() }
    }

    /// What goes wrong with the next commit that has no fault yet.
    pub(crate) fn next(&self, fault: Fault) {
        self.faults.lock().unwrap().push_back(fault);
    }

    /// The tenant's data, with the clock moved on.
    fn tenant<T>(&self, name: &TenantName, work: impl FnOnce(&mut Tenant) -> T) -> T {
        let mut tenants: MutexGuard<'_, _> = self.tenants.lock().unwrap();
        let tenant = tenants.entry(name.clone()).or_default();
        tenant.highest = tenant.highest.max(self.clock.now());
        work(tenant)
    }
}

impl Tenant {
    /// What no store takes.
    fn refuses(&self, change: &Change) -> bool {
        let up_to = change.forget.map_or(0, |seq| seq.0);
        up_to > self.events.len() as u64 || up_to.saturating_sub(self.forgotten) > MOST_FORGOTTEN
    }

    fn commit(&mut self, change: Change) -> Committed {
        let now = self.highest;
        self.results.retain(|_, (at, _)| now.duration_since(*at) < REMEMBERED);
        if let Some((_, first)) = self.results.get(&change.id) {
            return first.clone();
        }
        let (id, result) = (change.id, self.decide(change));
        self.results.insert(id, (now, result.clone()));
        result
    }

    fn decide(&mut self, change: Change) -> Committed {
        if self.highest >= change.not_after {
            return Committed::Late;
        }
        if change.fence.as_ref().is_some_and(|fence| !self.holds(fence)) {
            return Committed::Fenced;
        }
        if let Some((key, _)) = change.expect.iter().find(|(key, expect)| !self.is_so(key, *expect)) {
            return Committed::Conflict(*key);
        }
        self.apply(change)
    }

    fn holds(&self, fence: &Fence) -> bool {
        let lease = self.leases.get(&fence.lease);
        lease.is_some_and(|(_, lease)| lease.token == fence.token && self.highest < lease.until)
    }

    fn is_so(&self, key: &Key, expect: Expect) -> bool {
        let record = self.records.get(key).map(|(record, _)| record);
        match expect {
            Expect::Absent => record.is_none(),
            Expect::Version(version) => record.is_some_and(|r| r.version == version),
            Expect::VersionLive(version) => record.is_some_and(|r| {
                r.version == version && r.live_until.is_none_or(|live_until| self.highest < live_until)
            }),
        }
    }

    fn apply(&mut self, change: Change) -> Committed {
        for put in change.puts {
            self.version += 1;
            let record = Record {
                version: self.version,
                live_until: put.live_until,
                drop_at: put.drop_at,
                last_change: change.id,
                body: put.body,
            };
            self.records.insert(put.key, (record, put.indexes));
        }
        for key in change.drops {
            self.records.remove(&key);
        }
        self.forgotten = self.forgotten.max(change.forget.map_or(0, |seq| seq.0));
        let first = self.events.len() as u64 + 1;
        let seqs = (first..).map(Seq).take(change.events.len()).collect();
        self.events.extend(change.events);
        // Nobody may be listening.
        let _ = self.hints.send(());
        Committed::Done(seqs)
    }

    fn list(&self, index: Index, page: Page) -> ListPage {
        let mut rows: Vec<_> = (self.records.iter())
            .flat_map(|(key, (record, rows))| rows.iter().map(move |row| (row, key, record)))
            .filter(|(row, _, _)| row.index == index && row.sort <= page.up_to)
            .map(|(row, key, record)| (row.sort, *key, Ok(record.clone())))
            .filter(|(sort, key, _)| page.after.is_none_or(|after| (*sort, *key) > after))
            .collect();
        rows.sort_by_key(|(sort, key, _)| (*sort, *key));
        let more = rows.len() > page.limit;
        rows.truncate(page.limit);
        ListPage { now: self.highest, rows, more }
    }

    fn lease(&mut self, name: &str, holder: &str, ttl: SignedDuration) -> Option<Lease> {
        let now = self.highest;
        let before = self.leases.get(name);
        let token = match before {
            Some((held_by, lease)) if held_by == holder && now < lease.until => lease.token,
            Some((_, lease)) if now < lease.until => return None,
            Some((_, lease)) => lease.token + 1,
            None => 1,
        };
        let lease = Lease { token, until: now + ttl };
        self.leases.insert(name.to_owned(), (holder.to_owned(), lease.clone()));
        Some(lease)
    }
}

#[async_trait]
impl Store for ModelStore {
    async fn read(&self, tenant: &TenantName, keys: &[Key]) -> Result<Snapshot, StoreError> {
        tokio::task::yield_now().await;
        Ok(self.tenant(tenant, |tenant| {
            let found = keys.iter().filter_map(|key| Some((*key, tenant.records.get(key)?.0.clone())));
            Snapshot { now: tenant.highest, records: found.collect() }
        }))
    }

    async fn commit(&self, tenant: &TenantName, change: Change) -> Result<Committed, StoreError> {
        tokio::task::yield_now().await;
        let fault = self.faults.lock().unwrap().pop_front();
        match fault {
            None if self.tenant(tenant, |tenant| tenant.refuses(&change)) => {
                Err(StoreError::Unavailable("no change may forget so much".into()))
            }
            None => Ok(self.tenant(tenant, |tenant| tenant.commit(change))),
            Some(Fault::Unavailable) => Err(StoreError::Unavailable("the test wants it".into())),
            Some(Fault::ChangeLost) => Err(StoreError::Unknown("the test wants it".into())),
            Some(Fault::AnswerLost) => {
                self.tenant(tenant, |tenant| tenant.commit(change));
                Err(StoreError::Unknown("the test wants it".into()))
            }
        }
    }

    async fn list(&self, tenant: &TenantName, index: Index, page: Page) -> Result<ListPage, StoreError> {
        tokio::task::yield_now().await;
        assert!((1..=1000).contains(&page.limit), "the port allows 1 to 1000 rows");
        Ok(self.tenant(tenant, |tenant| tenant.list(index, page)))
    }

    async fn events(&self, tenant: &TenantName, after: Seq, limit: usize) -> Result<Vec<Stored>, StoreError> {
        assert!((1..=1000).contains(&limit), "the port allows 1 to 1000 events");
        Ok(self.tenant(tenant, |tenant| {
            let numbered =
                (1..).zip(&tenant.events).filter(|(seq, _)| *seq > after.0.max(tenant.forgotten)).take(limit);
            numbered.map(|(seq, body)| Stored { seq: Seq(seq), body: body.clone() }).collect()
        }))
    }

    async fn lease(
        &self,
        tenant: &TenantName,
        name: &str,
        holder: &str,
        ttl: SignedDuration,
    ) -> Result<Option<Lease>, StoreError> {
        Ok(self.tenant(tenant, |tenant| tenant.lease(name, holder, ttl)))
    }

    fn changed(&self, tenant: &TenantName) -> Hints {
        let hints = self.tenant(tenant, |tenant| tenant.hints.subscribe());
        Box::pin(BroadcastStream::new(hints).map(|_| ()))
    }

    async fn incarnation(&self, _tenant: &TenantName) -> Result<String, StoreError> {
        Ok("model".into())
    }
}
