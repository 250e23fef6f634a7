//! Okta's rate limits: what each answer says of them is kept, so that a 429 is rare and never followed by a storm.

use std::{
    collections::HashMap,
    ops::RangeInclusive,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use reqwest::StatusCode;

use crate::{
    adapters::directory::rest::Answer,
    ports::{
        clock::Clock,
        directory::DirectoryError,
        entropy::{self, Entropy},
    },
};

/// When a minute of a bucket ends, in seconds since 1970.
const RESET: &str = "x-rate-limit-reset";
/// Hundredths of a bucket that only hooks may use.
const RESERVE: u64 = 30;
/// No announcement holds calls for longer.
const LONGEST: Duration = Duration::from_mins(2);
/// How long nothing is asked after a 429 for too many calls in flight, at least and at most.
const CROWDED: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_millis(400);
/// The same for a 429 that doesn't say how long.
const UNSAID: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(2);
/// How long a minute of a bucket is taken to last after its end, so that nobody comes too early.
const GRACE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(2);

/// What Okta counts by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bucket {
    /// Reading a user.
    User,
    /// Searching users.
    Users,
    /// Changing a user.
    Change,
    /// A user's groups.
    Groups,
    /// A group's members.
    Members,
    /// A user's linked objects.
    Links,
    /// Types and schemas.
    Meta,
    /// Tokens for service apps.
    Token,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// A hook, while the identity provider waits.
    Hooks,
    /// Everything else: leaves hooks a reserve.
    Others,
}

/// A minute of a bucket, as the last answer told of it.
#[derive(Debug, Clone, Copy)]
struct Window {
    limit: u64,
    remaining: u64,
    /// Okta's own time, in seconds since 1970: tells one minute from another.
    reset: i64,
    /// The same by our monotonic clock.
    ends: Duration,
}

#[derive(Default)]
struct Known {
    windows: HashMap<Bucket, Window>,
    /// Buckets that aren't asked, and until when.
    held: HashMap<Bucket, Duration>,
    /// Nothing is asked until then.
    crowded: Duration,
}

/// What is known of one organisation's limits.
pub struct Limits {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    known: Mutex<Known>,
}

impl Limits {
    /// Nothing known yet.
    pub fn new(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { clock, entropy, known: Mutex::default() }
    }

    /// Leave for one call.
    pub fn admit(&self, bucket: Bucket, lane: Lane) -> Result<(), DirectoryError> {
        let now = self.clock.monotonic();
        let mut known = self.known();
        let held = known.held.get(&bucket).copied().unwrap_or_default().max(known.crowded);
        if now < held {
            return Err(self.throttled(held.saturating_sub(now)));
        }
        let Some(window) = known.windows.get_mut(&bucket).filter(|window| now < window.ends) else { return Ok(()) };
        let kept = window.limit.saturating_mul(RESERVE).div_ceil(100);
        if window.remaining == 0 || (lane == Lane::Others && window.remaining <= kept) {
            return Err(self.throttled(window.ends.saturating_sub(now)));
        }
        // Until its answer tells better.
        window.remaining -= 1;
        Ok(())
    }

    /// Takes in what an answer says; a 429 is an error that tells until when.
    pub fn learn(&self, bucket: Bucket, answer: &Answer) -> Result<(), DirectoryError> {
        let now = self.clock.monotonic();
        let told = self.told(answer, now);
        let mut known = self.known();
        if answer.status != StatusCode::TOO_MANY_REQUESTS {
            if let Some(told) = told {
                keep(&mut known, bucket, told);
            }
            return Ok(());
        }
        let usual = known.windows.get(&bucket).map(|window| window.limit);
        // Then the headers tell of calls in flight, whose number is another than the bucket's.
        let crowded = told.is_some_and(|told| told.limit == 0 || usual.is_some_and(|usual| usual != told.limit));
        let wait = match told {
            _ if crowded => self.between(CROWDED),
            Some(told) => told.ends.saturating_sub(now).min(LONGEST),
            None => self.between(UNSAID),
        };
        if crowded {
            known.crowded = known.crowded.max(now + wait);
        } else {
            known.held.insert(bucket, now + wait);
        }
        tracing::warn!(?bucket, crowded, wait_ms = wait.as_millis(), "Okta throttles us");
        Err(self.throttled(wait))
    }

    /// A length of time between the two, by chance.
    pub fn between(&self, times: RangeInclusive<Duration>) -> Duration {
        entropy::between(&*self.entropy, times)
    }

    fn told(&self, answer: &Answer, now: Duration) -> Option<Window> {
        let count = |name: &str| number(answer, name).and_then(|n| u64::try_from(n).ok());
        let reset = number(answer, RESET)?;
        let ends = now + left(answer, self.clock.now())?.min(LONGEST) + self.between(GRACE);
        Some(Window { limit: count("x-rate-limit-limit")?, remaining: count("x-rate-limit-remaining")?, reset, ends })
    }

    fn throttled(&self, wait: Duration) -> DirectoryError {
        let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
        DirectoryError::Throttled { until: Some(self.clock.now().saturating_add(wait).unwrap_or(Timestamp::MAX)) }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn number(answer: &Answer, header: &str) -> Option<i64> {
    answer.header(header)?.trim().parse().ok()
}

/// How long the minute of a bucket lasts still, counted by Okta's own clock if it says what that shows; `None`: the
/// answer doesn't tell.
pub fn left(answer: &Answer, now: Timestamp) -> Option<Duration> {
    let date = answer.header("date").and_then(|text| rfc2822::parse(text).ok()).map(|date| date.timestamp());
    let left = number(answer, RESET)?.saturating_sub(date.unwrap_or(now).as_second());
    Some(Duration::from_secs(u64::try_from(left).unwrap_or(0)))
}

/// Answers may overtake each other: of the same minute the smaller number is the later one.
fn keep(known: &mut Known, bucket: Bucket, told: Window) {
    match known.windows.get_mut(&bucket) {
        Some(window) if window.reset == told.reset && window.limit == told.limit => {
            window.remaining = window.remaining.min(told.remaining);
        }
        Some(window) if window.reset > told.reset => {}
        _ => {
            known.windows.insert(bucket, told);
        }
    }
}
