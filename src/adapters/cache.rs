//! Local caches: bounded in entries and in bytes, apart for each tenant, counted. What they hold was true a moment ago:
//! nothing that decides over a delegation may ask one.
//!
//! moka bounds the memory; it reads a clock of its own, so entries carry their times and ours tells whether they count.

use std::{hash::Hash, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use moka::{Equivalent, notification::RemovalCause};

use crate::{
    domain::ids::TenantName,
    metrics::{CacheKind, CacheSeries, Metrics},
    ports::clock::Clock,
};

pub mod loads;
pub mod size;

/// What an entry takes beside its key and its value, about: moka's books, and the tenant's name on the heap.
const OVERHEAD: u64 = 256;

/// What a cache holds at most. Both are held at any time but for a few entries that moka hasn't looked at yet.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Entries.
    pub entries: u64,
    /// Bytes, as near as sizes on the heap can be told.
    pub bytes: u64,
}

impl Bounds {
    /// The least that an entry weighs. moka has one bound only, the sum of weights: an entry that weighs at least its
    /// share of the bytes holds the bound on entries as well.
    const fn least(self) -> u64 {
        let entries = if self.entries == 0 { 1 } else { self.entries };
        self.bytes.div_ceil(entries)
    }
}

/// A cache's part in its owner's code.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// What it is counted as.
    pub kind: CacheKind,
    /// What it holds at most.
    pub bounds: Bounds,
    /// When moka drops an entry by its own clock, at the latest. It frees memory only: [`Life`] says what counts.
    pub keep: Duration,
}

/// From when to when an entry counts, by our clock.
#[derive(Debug, Clone, Copy)]
pub struct Life {
    since: Timestamp,
    until: Timestamp,
}

impl Life {
    /// Not before `since`: after the clock was set back, the entry is from the future and doesn't count.
    pub fn of(since: Timestamp, length: SignedDuration) -> Self {
        Self { since, until: since.saturating_add(length).unwrap_or(since) }
    }

    /// Whatever the clock showed when it was made.
    pub fn until(until: Timestamp) -> Self {
        Self { since: Timestamp::MIN, until }
    }

    /// Ends at `end` at the latest.
    #[must_use]
    pub fn at_most(self, end: Timestamp) -> Self {
        Self { until: self.until.min(end), ..self }
    }

    fn covers(self, now: Timestamp) -> bool {
        self.since <= now && now < self.until
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Scoped<K> {
    tenant: TenantName,
    key: K,
}

/// [`Scoped`], borrowed. It hashes alike: the same fields in the same order.
#[derive(Hash)]
struct Asked<'a, K> {
    tenant: &'a TenantName,
    key: &'a K,
}

impl<K: Eq> Equivalent<Scoped<K>> for Asked<'_, K> {
    fn equivalent(&self, other: &Scoped<K>) -> bool {
        *self.key == other.key && *self.tenant == other.tenant
    }
}

#[derive(Clone)]
struct Entry<V> {
    value: V,
    life: Life,
    weight: u32,
}

/// Values by tenant and key.
pub struct Cache<K, V> {
    entries: moka::sync::Cache<Scoped<K>, Entry<V>>,
    bounds: Bounds,
    heap: fn(&K, &V) -> usize,
    clock: Arc<dyn Clock>,
    series: CacheSeries,
}

impl<K, V> Cache<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// An empty one. `heap` tells how many bytes a key and its value hold on the heap.
    pub fn new(settings: Settings, heap: fn(&K, &V) -> usize, clock: Arc<dyn Clock>, metrics: &Metrics) -> Self {
        let Settings { kind, bounds, keep } = settings;
        let series = metrics.cache(kind);
        let for_listener = series.clone();
        let entries = moka::sync::Cache::builder()
            .max_capacity(bounds.bytes)
            .weigher(|_, entry: &Entry<V>| entry.weight)
            .time_to_live(keep)
            .eviction_listener(move |_, _, cause| {
                if cause == RemovalCause::Size {
                    for_listener.evicted();
                }
            })
            .build();
        Self { entries, bounds, heap, clock, series }
    }

    /// The value, if it is there and counts now.
    pub fn get(&self, tenant: &TenantName, key: &K) -> Option<V> {
        let found = self.peek(tenant, key);
        self.series.looked_up(found.is_some());
        found
    }

    /// As [`Cache::get`], but not counted: for who looks twice.
    pub fn peek(&self, tenant: &TenantName, key: &K) -> Option<V> {
        let entry = self.entries.get(&Asked { tenant, key })?;
        entry.life.covers(self.clock.now()).then_some(entry.value)
    }

    /// Keeps the value, in place of an older one. One that can't fit is not kept, and the older one is gone as well.
    pub fn insert(&self, tenant: &TenantName, key: &K, value: V, life: Life) {
        let fixed = (size_of::<Scoped<K>>() + size_of::<Entry<V>>()) as u64 + OVERHEAD;
        let weight = (fixed + (self.heap)(key, &value) as u64).max(self.bounds.least());
        match u32::try_from(weight) {
            Ok(weight) if u64::from(weight) <= self.bounds.bytes => {
                let scoped = Scoped { tenant: tenant.clone(), key: key.clone() };
                self.entries.insert(scoped, Entry { value, life, weight });
            }
            _ => self.forget(tenant, key),
        }
    }

    /// Drops the value.
    pub fn forget(&self, tenant: &TenantName, key: &K) {
        self.entries.invalidate(&Asked { tenant, key });
    }

    /// Now, by the clock that decides what counts.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

#[cfg(test)]
mod tests;
