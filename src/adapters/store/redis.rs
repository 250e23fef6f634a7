//! The shared store: many processes over one Redis (standalone, found by sentinels, or a cluster), 6.2 or newer.
//!
//! * A commit is one Lua script (`commit.lua`) on one slot: it checks everything before its first write, and after that
//!   nothing can fail. The results of attempts are kept for 10 s, so that a command that is sent twice counts once.
//! * A read is one `MGET` with the server's `TIME`, sent together.
//! * Redis may roll back: after a failover or a power cut the last commits may be gone. Every commit names the server it
//!   is meant for (its run id and, because a master may be a replica for a while, its replication id), and the tenant's
//!   counters name the one on which its epoch was raised last; where they differ the commit is refused ([`StoreError::RolledBack`]) until one that raises the epoch was applied.
//! * No driver re-sends anything behind our back: a link is a connection to one server process, and when it breaks,
//!   what was under way is `Unknown`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use jiff::SignedDuration;
use redis::Script;
use tokio_stream::wrappers::WatchStream;

use self::{
    clock::{Before, Times},
    fault::Fault,
    keys::Keys,
    lines::Lines,
    link::Link,
    servers::Servers,
    wire::Meta,
};
pub use self::{
    settings::{Address, Dial, Login, Topology},
    stream::{Trust, TrustError},
};
use super::bounds::{self, MOST_LISTED};
use crate::{
    domain::ids::TenantName,
    ports::{
        clock::Clock,
        store::{Change, Committed, Index, Key, Lease, ListPage, Page, Seq, Snapshot, Store, StoreError, Stored},
    },
};

mod clock;
mod cluster;
mod fault;
mod hints;
pub mod inspect;
mod keys;
mod lines;
mod link;
pub mod moving;
mod near;
mod places;
mod servers;
mod settings;
mod stream;
mod target;
mod wire;

/// Counters and records; the server's seconds and microseconds.
type Read = (Vec<Option<Vec<u8>>>, (i64, i64));
/// Counters; seconds, microseconds; the index's members and their records.
type Listed = (Option<Vec<u8>>, i64, i64, Vec<Vec<u8>>, Vec<Option<Vec<u8>>>);

struct Scripts {
    commit: Script,
    lease: Script,
    list: Script,
}

/// To commit, to lease, to list.
fn sources() -> [&'static str; 3] {
    [include_str!("redis/commit.lua"), include_str!("redis/lease.lua"), include_str!("redis/list.lua")]
}

impl Scripts {
    fn new() -> Self {
        let [commit, lease, list] = sources().map(Script::new);
        Self { commit, lease, list }
    }
}

/// A store on Redis.
pub struct RedisStore {
    servers: Arc<Servers>,
    dial: Arc<Dial>,
    scripts: Scripts,
    times: Times,
    hints: hints::Hints,
    lines: Lines,
    /// A replica was seen.
    had_replica: AtomicBool,
}

/// How long a commit may wait for a replica.
const REPLICA_WAIT: Duration = Duration::from_millis(200);

/// How often a command is sent again of which the server said that it wasn't executed.
const RETRIES: usize = 3;

impl RedisStore {
    /// Begins to connect. `instead`: in tests, a clock that is asked instead of the server.
    pub fn new(topology: Topology, dial: Dial, instead: Option<Arc<dyn Clock>>) -> Self {
        let dial = Arc::new(dial);
        Self {
            servers: Arc::new(Servers::new(topology, &dial)),
            dial,
            scripts: Scripts::new(),
            times: Times::new(instead),
            hints: hints::Hints::new(),
            lines: Lines::default(),
            had_replica: AtomicBool::new(false),
        }
    }

    /// Calls the master of the tenant's slot; where the slot has moved, its new one. A script that the server has
    /// forgotten again since it was loaded is sent anew.
    async fn call<T, F: Future<Output = Result<T, Fault>>>(
        &self,
        tenant: &TenantName,
        send: impl Fn(Arc<Link>) -> F,
    ) -> Result<T, Fault> {
        let mut answered = send(self.servers.link(tenant).await?).await;
        for _ in 0..RETRIES {
            match answered {
                Err(Fault::Moved(_)) => self.servers.look_again().await,
                Err(Fault::Forgotten(_)) => {}
                _ => break,
            }
            answered = send(self.servers.link(tenant).await?).await;
        }
        answered
    }

    /// What is counted in a tenant; `None`: it has nothing.
    pub async fn counters(&self, tenant: &TenantName) -> Result<Option<Counters>, StoreError> {
        let mut get = redis::cmd("GET");
        get.arg(Keys(tenant).counters());
        let get = &get;
        let found = self.call(tenant, |link| async move {
            link.call(|mut lane| async move { get.query_async::<Option<Vec<u8>>>(&mut lane).await }).await
        });
        let Some(bytes) = found.await.map_err(not_read)? else { return Ok(None) };
        let Meta { records, events, seq, line, .. } = Meta::decode(Some(&bytes))?;
        Ok(Some(Counters { records, events, last_seq: seq, line }))
    }

    fn time_of(
        &self,
        tenant: &TenantName,
        before: Before,
        (seconds, micros): (i64, i64),
        meta: &Meta,
    ) -> jiff::Timestamp {
        wire::time(self.times.now(tenant, before, seconds.saturating_mul(1_000_000).saturating_add(micros), meta))
    }
}

/// A tenant's counters.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Counters {
    /// Records, leases not counted.
    pub records: u64,
    /// Events that are kept.
    pub events: u64,
    /// The number of the last event; 0: there was none yet.
    pub last_seq: u64,
    /// The run id of the server on which the epoch was raised last; another one: it is raised at the next start.
    pub line: String,
}

/// Whatever reads has no outcome that could be in doubt.
fn not_read(fault: Fault) -> StoreError {
    match fault {
        Fault::Lost(text) | Fault::Silent(text) => StoreError::Unavailable(text),
        other => other.into(),
    }
}

#[async_trait]
impl Store for RedisStore {
    async fn read(&self, tenant: &TenantName, keys: &[Key]) -> Result<Snapshot, StoreError> {
        let names = Keys(tenant);
        let mut pipe = redis::pipe();
        let all = std::iter::once(names.counters()).chain(keys.iter().map(|key| names.record(*key)));
        pipe.cmd("MGET").arg(all.collect::<Vec<_>>()).cmd("TIME");
        let (pipe, before) = (&pipe, self.times.before(tenant));
        let read = self.call(tenant, |link| async move {
            link.call(|mut lane| async move { pipe.query_async::<Read>(&mut lane).await }).await
        });
        let (values, time) = read.await.map_err(not_read)?;
        let mut values = values.into_iter();
        let meta = Meta::decode(values.next().flatten().as_deref())?;
        let mut records = std::collections::HashMap::with_capacity(keys.len());
        for (key, bytes) in keys.iter().zip(values) {
            if let Some(bytes) = bytes {
                records.insert(*key, wire::record(key.kind, &bytes)?);
            }
        }
        Ok(Snapshot { now: self.time_of(tenant, before, time, &meta), records })
    }

    async fn commit(&self, tenant: &TenantName, change: Change) -> Result<Committed, StoreError> {
        bounds::check(&change).map_err(StoreError::Unavailable)?;
        let (change, script, times, lines) = (&change, &self.scripts.commit, &self.times, &self.lines);
        let sent = self.call(tenant, |link| async move {
            if change.begins.as_ref().is_some_and(|line| *line != link.line) {
                return Ok(None);
            }
            let call = wire::commit(script, tenant, change, &link.line, times.told(tenant));
            let call = &call;
            let reply = link.call(|lane| wire::invoke(script, call, lane)).await?;
            if wire::is_of_another_line(&reply) {
                link.give_up();
            } else {
                lines.committed(tenant, &link.line);
            }
            Ok(Some(reply))
        });
        match sent.await? {
            Some(reply) => wire::committed(change, reply),
            None => Err(StoreError::RolledBack),
        }
    }

    async fn list(&self, tenant: &TenantName, index: Index, page: Page) -> Result<ListPage, StoreError> {
        let limit = page.limit.clamp(1, MOST_LISTED);
        let script = &self.scripts.list;
        let call = wire::list(script, tenant, index, page, limit);
        let (call, before) = (&call, self.times.before(tenant));
        let listed =
            self.call(tenant, |link| async move { link.call(|lane| wire::invoke::<Listed>(script, call, lane)).await });
        let (meta, seconds, micros, members, records) = listed.await.map_err(not_read)?;
        let now = self.time_of(tenant, before, (seconds, micros), &Meta::decode(meta.as_deref())?);
        let more = members.len() > limit;
        let mut rows = Vec::with_capacity(members.len());
        for (member, bytes) in members.iter().zip(records).take(limit) {
            let (sort, key) = wire::row(member)?;
            // Rows are written and dropped with their record: one without is damage, and hides nothing.
            if let Some(bytes) = bytes {
                rows.push((sort, key, wire::record(key.kind, &bytes)));
            }
        }
        Ok(ListPage { now, rows, more })
    }

    async fn events(&self, tenant: &TenantName, after: Seq, limit: usize) -> Result<Vec<Stored>, StoreError> {
        let Some(command) = wire::events_behind(tenant, after, limit.clamp(1, MOST_LISTED)) else {
            return Ok(Vec::new());
        };
        let command = &command;
        let found = self.call(tenant, |link| async move {
            link.call(|mut lane| async move { command.query_async(&mut lane).await }).await
        });
        Ok(wire::stored(found.await.map_err(not_read)?)?)
    }

    async fn lease(
        &self,
        tenant: &TenantName,
        name: &str,
        holder: &str,
        ttl: SignedDuration,
    ) -> Result<Option<Lease>, StoreError> {
        let script = &self.scripts.lease;
        let mut call = script.prepare_invoke();
        call.key(Keys(tenant).counters()).key(Keys(tenant).lease(name));
        self.times.told(tenant).args(&mut call);
        call.arg(holder).arg(i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX).max(0));
        let call = &call;
        let asked = self.call(tenant, |link| async move {
            link.call(|lane| wire::invoke::<Vec<redis::Value>>(script, call, lane)).await
        });
        wire::lease(&asked.await?)
    }

    fn changed(&self, tenant: &TenantName) -> crate::ports::store::Hints {
        Box::pin(WatchStream::from_changes(self.hints.subscribe(tenant, &self.servers, &self.dial)))
    }

    async fn incarnation(&self, tenant: &TenantName) -> Result<String, StoreError> {
        let link = self.servers.link(tenant).await?;
        // Nothing can be committed: to whoever asks whether the store is there, it isn't.
        link.refuses_writes().map_or_else(|| Ok(link.line.clone()), |why| Err(StoreError::Unavailable(why)))
    }

    async fn replicated(&self, tenant: &TenantName) -> Result<Option<bool>, StoreError> {
        let mark = Keys(tenant).mark();
        let (mark, lines) = (mark.as_slice(), &self.lines);
        let waited = self.call(tenant, |link| async move {
            let waited = link.wait_for_replica(mark, REPLICA_WAIT).await?;
            Ok(waited.map(|has_it| has_it && lines.has_all(tenant, &link.line)))
        });
        let had_one = |now: Option<bool>| match now {
            Some(_) => {
                self.had_replica.store(true, Ordering::Relaxed);
                now
            }
            // One whose connection broke is not counted by the server, and has not got it.
            None => self.had_replica.load(Ordering::Relaxed).then_some(false),
        };
        waited.await.map(had_one).map_err(not_read)
    }
}
