//! When an issuer's keys are fetched: on first use, every few minutes on use, and for a key id nobody knows, but never
//! more often than the brakes allow.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::Algorithm;
use sha2::{Digest, Sha256};
use tokio::{sync::Mutex, time::Instant};
use url::Url;

use super::{
    issuer::{FetchError, IssuerDocuments, MAX_DOCUMENT},
    jwks::{KEY_OVERHEAD, Key, KeySet, Lookup, MAX_KEYS},
};
use crate::{
    adapters::cache::{Bounds, Cache, Life, Settings},
    domain::ids::TenantName,
    metrics::{CacheKind, CallResult, Metrics},
    ports::{clock::Clock, token_verifier::VerifyError},
};

/// Age at which keys are fetched again in the background, while the old ones serve.
const REFRESH_AFTER: SignedDuration = SignedDuration::from_mins(5);
/// How long after a background fetch was begun the next one may begin, if it brings nothing.
const RETRY_AFTER: SignedDuration = SignedDuration::from_secs(30);
/// Keys older than this don't count any more, even if the issuer can't be reached.
const MAX_AGE: SignedDuration = SignedDuration::from_hours(24);
/// After a failure nothing is fetched for this long; all who ask get that failure.
const FAILURE_BRAKE: SignedDuration = SignedDuration::from_secs(1);
/// For how long a key id that a fetch didn't bring causes no other fetch.
const UNKNOWN_FOR: SignedDuration = SignedDuration::from_secs(10);
/// Unknown key ids that are remembered.
const UNKNOWN_KEPT: Settings = Settings {
    kind: CacheKind::UnknownKeys,
    bounds: Bounds { entries: 1024, bytes: 1 << 20 },
    keep: Duration::from_secs(10),
};
/// A ring holds one set, and the next one while moka has not yet counted that the former is gone.
const KEYS_KEPT: Settings =
    Settings { kind: CacheKind::Keys, bounds: Bounds { entries: 2, bytes: 2 << 20 }, keep: Duration::from_hours(24) };
// A set that didn't fit would be fetched again for each token.
const _: () = assert!(2 * (MAX_DOCUMENT + MAX_KEYS * KEY_OVERHEAD) as u64 <= KEYS_KEPT.bounds.bytes);

/// Why keys are wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    /// There are none, or none that still count.
    Missing,
    /// They grow old.
    Age,
    /// A token names one that we don't have.
    UnknownKey,
    /// An operator asks whether the issuer answers.
    Probe,
}

/// What became of the wish.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Fetched,
    Braked,
}

struct Loaded {
    keys: KeySet,
    at: Timestamp,
}

/// What only he who fetches may touch.
#[derive(Default)]
struct Gate {
    keys_at: Option<Url>,
    last: Option<(Timestamp, Result<(), VerifyError>)>,
    sought: Option<Timestamp>,
}

/// One issuer's keys.
pub(super) struct KeyRing {
    tenant: TenantName,
    documents: IssuerDocuments,
    brake: SignedDuration,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    loaded: Cache<(), Arc<Loaded>>,
    /// When the next background fetch may begin, in microseconds since 1970.
    due: AtomicI64,
    /// Counts fetches, so that who waited for one knows that there was one.
    fetches: AtomicU64,
    gate: Mutex<Gate>,
    /// Hashes of key ids that a fetch didn't bring.
    unknown: Cache<[u8; 32], ()>,
}

impl KeyRing {
    pub(super) fn new(
        tenant: TenantName,
        documents: IssuerDocuments,
        brake: SignedDuration,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Arc<Self> {
        let loaded_size = |&(): &(), loaded: &Arc<Loaded>| loaded.keys.size();
        let loaded = Cache::new(KEYS_KEPT, loaded_size, Arc::clone(&clock), &metrics);
        let unknown = Cache::new(UNKNOWN_KEPT, |_, &()| 0, Arc::clone(&clock), &metrics);
        Arc::new(Self {
            tenant,
            documents,
            brake,
            clock,
            metrics,
            loaded,
            due: AtomicI64::new(i64::MIN),
            fetches: AtomicU64::new(0),
            gate: Mutex::default(),
            unknown,
        })
    }

    /// The key that a token's header names.
    pub(super) async fn find(self: &Arc<Self>, id: Option<&str>, by: Algorithm) -> Result<Arc<Key>, VerifyError> {
        let invalid = |why: &str| Err(VerifyError::Invalid(why.to_owned()));
        match (self.current().await?.keys.find(id, by), id) {
            (Lookup::Found(key), _) => return Ok(key),
            (Lookup::Unfit(why), _) => return invalid(why),
            (Lookup::Unknown, None) => return invalid("it names no key"),
            (Lookup::Unknown, Some(id)) if self.is_known_unknown(id) => return invalid("its key is unknown"),
            (Lookup::Unknown, Some(_)) => {}
        }
        let turn = self.fetch(Why::UnknownKey).await?;
        match self.current().await?.keys.find(id, by) {
            Lookup::Found(key) => Ok(key),
            Lookup::Unfit(why) => invalid(why),
            Lookup::Unknown => {
                if let (Turn::Fetched, Some(id)) = (turn, id) {
                    let life = Life::of(self.clock.now(), UNKNOWN_FOR);
                    self.unknown.insert(&self.tenant, &Sha256::digest(id).into(), (), life);
                }
                invalid("its key is unknown")
            }
        }
    }

    /// Asks the issuer, or tells what it said a moment ago.
    pub(super) async fn probe(self: &Arc<Self>) -> Result<(), VerifyError> {
        self.fetch(Why::Probe).await?;
        if self.current().await?.keys.is_empty() {
            return Err(VerifyError::Unavailable("the issuer publishes no key that can be used".to_owned()));
        }
        Ok(())
    }

    async fn current(self: &Arc<Self>) -> Result<Arc<Loaded>, VerifyError> {
        if let Some(loaded) = self.loaded.get(&self.tenant, &()) {
            self.refresh_in_background(&loaded, self.clock.now());
            return Ok(loaded);
        }
        self.fetch(Why::Missing).await?;
        self.loaded.peek(&self.tenant, &()).ok_or_else(|| VerifyError::Unavailable("no keys".to_owned()))
    }

    fn refresh_in_background(self: &Arc<Self>, loaded: &Loaded, now: Timestamp) {
        // A clock that was set back makes keys look younger than they are: then it is time as well.
        let young = (SignedDuration::ZERO..REFRESH_AFTER).contains(&now.duration_since(loaded.at));
        if young {
            return;
        }
        let (due, next) = (self.due.load(Ordering::Acquire), now.saturating_add(RETRY_AFTER));
        let next = next.map_or(i64::MAX, Timestamp::as_microsecond);
        let waiting = now.as_microsecond() < due && due <= next;
        if waiting || self.due.compare_exchange(due, next, Ordering::AcqRel, Ordering::Acquire).is_err() {
            return;
        }
        let ring = Arc::clone(self);
        // A failure is logged where it happens, and the old keys serve on.
        tokio::spawn(async move { drop(ring.fetch(Why::Age).await) });
    }

    fn is_known_unknown(&self, id: &str) -> bool {
        self.unknown.get(&self.tenant, &Sha256::digest(id).into()).is_some()
    }

    /// Fetches, or waits for the fetch under way, unless a brake is on. It runs in a task of its own: a caller that
    /// hangs up can't leave behind a fetch that no brake knows of.
    async fn fetch(self: &Arc<Self>, why: Why) -> Result<Turn, VerifyError> {
        let (ring, seen) = (Arc::clone(self), self.fetches.load(Ordering::Acquire));
        let task = tokio::spawn(async move {
            let mut gate = ring.gate.lock().await;
            if ring.fetches.load(Ordering::Acquire) != seen {
                return gate.last.clone().map_or(Ok(()), |(_, result)| result).map(|()| Turn::Fetched);
            }
            match ring.braked(&gate, why) {
                Some(answer) => answer,
                None => ring.fetch_now(&mut gate, why).await.map(|()| Turn::Fetched),
            }
        });
        task.await.unwrap_or_else(|_| Err(VerifyError::Unavailable("the fetch of the keys was stopped".to_owned())))
    }

    fn braked(&self, gate: &Gate, why: Why) -> Option<Result<Turn, VerifyError>> {
        let now = self.clock.now();
        match (&gate.last, why) {
            (Some((at, Err(error))), _) if within(*at, FAILURE_BRAKE, now) => return Some(Err(error.clone())),
            (Some((at, Ok(()))), Why::Probe) if within(*at, self.brake, now) => return Some(Ok(Turn::Braked)),
            _ => {}
        }
        let held = match why {
            Why::UnknownKey => gate.sought.is_some_and(|at| within(at, self.brake, now)),
            Why::Missing => self.loaded.peek(&self.tenant, &()).is_some(),
            Why::Age | Why::Probe => false,
        };
        held.then_some(Ok(Turn::Braked))
    }

    async fn fetch_now(&self, gate: &mut Gate, why: Why) -> Result<(), VerifyError> {
        if why == Why::UnknownKey {
            gate.sought = Some(self.clock.now());
        } else {
            // The issuer may have moved its keys.
            gate.keys_at = None;
        }
        let started = Instant::now();
        let fetched = self.fetch_keys(&mut gate.keys_at).await;
        let (now, took) = (self.clock.now(), started.elapsed());
        let result = match fetched {
            Ok(keys) => {
                self.metrics.keys(CallResult::Ok, took);
                let life = Life::until(now.saturating_add(MAX_AGE).unwrap_or(Timestamp::MAX));
                self.loaded.insert(&self.tenant, &(), Arc::new(Loaded { keys, at: now }), life);
                Ok(())
            }
            Err(error) => {
                gate.keys_at = None;
                let timed_out = matches!(error, FetchError::TimedOut(_));
                self.metrics.keys(if timed_out { CallResult::TimedOut } else { CallResult::Failed }, took);
                tracing::warn!(tenant = %self.tenant, %error, "the issuer's keys can't be fetched");
                Err(VerifyError::Unavailable(error.to_string()))
            }
        };
        gate.last = Some((now, result.clone()));
        self.fetches.fetch_add(1, Ordering::AcqRel);
        result
    }

    async fn fetch_keys(&self, at: &mut Option<Url>) -> Result<KeySet, FetchError> {
        let url = match at.take() {
            Some(url) => url,
            None => self.documents.discover().await?,
        };
        let keys = self.documents.keys(&url).await?;
        *at = Some(url);
        Ok(keys)
    }
}

/// True from `start` on for `length`. Before `start` it is false: a clock that was set back must not hold a brake.
fn within(start: Timestamp, length: SignedDuration, now: Timestamp) -> bool {
    (SignedDuration::ZERO..length).contains(&now.duration_since(start))
}
