//! A cache that fetches what it lacks, once for all who ask at the same time.

use std::{future::Future, hash::Hash, sync::Arc};

use dashmap::{DashMap, Entry};
use jiff::SignedDuration;
use tokio::sync::OnceCell;

use super::{Cache, Life, Scoped};
use crate::domain::ids::TenantName;

/// One load, for all who wait for it. Whoever of them is first makes it; if he goes away, the next one does.
type Flight<V, E> = Arc<OnceCell<Result<V, E>>>;

/// Loads values that aren't there. Errors go to all who waited, and are not kept.
pub struct Loads<K: Eq + Hash, V, E> {
    cache: Cache<K, V>,
    life: SignedDuration,
    flights: DashMap<Scoped<K>, Flight<V, E>>,
}

impl<K, V, E> Loads<K, V, E>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
{
    /// Values count for `life`, from the moment at which their load was begun.
    pub fn new(cache: Cache<K, V>, life: SignedDuration) -> Self {
        Self { cache, life, flights: DashMap::new() }
    }

    /// The value that is there, or what `load` brings, or what another's load brings that is under way. A load that was
    /// begun before the key was forgotten is neither joined nor kept.
    pub async fn get<F>(&self, tenant: &TenantName, key: &K, load: impl FnOnce() -> F + Send) -> Result<V, E>
    where
        F: Future<Output = Result<V, E>> + Send,
    {
        if let Some(value) = self.cache.get(tenant, key) {
            return Ok(value);
        }
        let scoped = Scoped { tenant: tenant.clone(), key: key.clone() };
        let flight = Arc::clone(&*self.flights.entry(scoped.clone()).or_default());
        let seat = Seat { loads: self, scoped, flight };
        seat.flight.get_or_init(|| self.fly(&seat, load)).await.clone()
    }

    /// Drops the value, and what a load that is under way will bring.
    pub fn forget(&self, tenant: &TenantName, key: &K) {
        // The entry stays locked, free or not: nobody inserts between the two.
        let entry = self.flights.entry(Scoped { tenant: tenant.clone(), key: key.clone() });
        self.cache.forget(tenant, key);
        if let Entry::Occupied(flight) = entry {
            flight.remove();
        }
    }

    /// How many keys are being loaded.
    #[cfg(test)]
    pub(super) fn under_way(&self) -> usize {
        self.flights.len()
    }

    async fn fly<F>(&self, seat: &Seat<'_, K, V, E>, load: impl FnOnce() -> F) -> Result<V, E>
    where
        F: Future<Output = Result<V, E>>,
    {
        let Scoped { tenant, key } = &seat.scoped;
        // Somebody's load may have landed since this one looked.
        if let Some(value) = self.cache.peek(tenant, key) {
            return Ok(value);
        }
        let since = self.cache.now();
        let result = load().await;
        if let Entry::Occupied(current) = self.flights.entry(seat.scoped.clone())
            && Arc::ptr_eq(current.get(), &seat.flight)
        {
            if let Ok(value) = &result {
                self.cache.insert(tenant, key, value.clone(), Life::of(since, self.life));
            }
            current.remove();
        }
        result
    }
}

/// A caller's place in a flight. The last one who leaves takes the flight with him, however he leaves.
struct Seat<'a, K: Eq + Hash, V, E> {
    loads: &'a Loads<K, V, E>,
    scoped: Scoped<K>,
    flight: Flight<V, E>,
}

impl<K: Eq + Hash, V, E> Drop for Seat<'_, K, V, E> {
    fn drop(&mut self) {
        let mine = std::mem::take(&mut self.flight);
        self.loads.flights.remove_if(&self.scoped, move |_, flight| {
            let is_mine = Arc::ptr_eq(&mine, flight);
            // Counted under the entry's lock, under which others join: none can come in between.
            drop(mine);
            is_mine && Arc::strong_count(flight) == 1
        });
    }
}
