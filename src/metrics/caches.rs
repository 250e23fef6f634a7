//! What is counted of local caches.

use prometheus_client::metrics::{counter::Counter, family::Family};

use super::labels::{CacheLabels, CacheLookupLabels};

/// The local caches. Caches of one kind (each verifier of tokens has its own) are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CacheKind {
    /// Access tokens that were verified.
    Tokens,
    /// Issuers' keys.
    Keys,
    /// Key ids that an issuer didn't know when it was asked.
    UnknownKeys,
    /// Lists of agents and delegators that are shown to people.
    Lists,
    /// Users as they are shown to people.
    Names,
}

impl CacheKind {
    fn code(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Keys => "keys",
            Self::UnknownKeys => "unknown_keys",
            Self::Lists => "lists",
            Self::Names => "names",
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct CacheFamilies {
    pub(super) lookups: Family<CacheLookupLabels, Counter>,
    pub(super) evictions: Family<CacheLabels, Counter>,
}

/// One kind's counters, found once.
#[derive(Debug, Clone)]
pub struct CacheSeries {
    hits: Counter,
    misses: Counter,
    evictions: Counter,
}

impl CacheFamilies {
    pub(super) fn series(&self, kind: CacheKind) -> CacheSeries {
        let cache = kind.code();
        let lookups = |result| self.lookups.get_or_create_owned(&CacheLookupLabels { cache, result });
        CacheSeries {
            hits: lookups("hit"),
            misses: lookups("miss"),
            evictions: self.evictions.get_or_create_owned(&CacheLabels { cache }),
        }
    }
}

impl CacheSeries {
    /// A look-up that found something, or nothing that still counts.
    pub fn looked_up(&self, found: bool) {
        if found {
            self.hits.inc()
        } else {
            self.misses.inc()
        };
    }

    /// An entry was dropped for want of room.
    pub fn evicted(&self) {
        self.evictions.inc();
    }
}
