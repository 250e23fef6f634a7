//! The time of day.

use std::{
    sync::atomic::{AtomicI64, AtomicU64, Ordering},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};

/// Tells the time. Decisions about stored records take the store's `now` instead.
pub trait Clock: Send + Sync + 'static {
    /// Now, UTC. May be set, back as well as forth.
    fn now(&self) -> Timestamp;

    /// Time since some fixed moment. Nobody sets it, and it never runs back.
    fn monotonic(&self) -> Duration;
}

/// A clock that stands until it is moved.
#[derive(Debug)]
pub struct ManualClock {
    wall: AtomicI64,
    monotonic: AtomicU64,
}

impl ManualClock {
    /// A clock that shows `at` (to the microsecond).
    pub fn at(at: Timestamp) -> Self {
        Self { wall: AtomicI64::new(at.as_microsecond()), monotonic: AtomicU64::new(0) }
    }

    /// Lets time pass. Back is as if the clock had been set: the monotonic time stands.
    pub fn advance(&self, by: SignedDuration) {
        self.monotonic.fetch_add(u64::try_from(by.as_micros()).unwrap_or(0), Ordering::SeqCst);
        self.set_by(by);
    }

    /// Sets it, back or forth, while no time passes.
    pub fn set_by(&self, by: SignedDuration) {
        self.wall.fetch_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.wall.load(Ordering::SeqCst)).unwrap_or(Timestamp::MAX)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_micros(self.monotonic.load(Ordering::SeqCst))
    }
}
