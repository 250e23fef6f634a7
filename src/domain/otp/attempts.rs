//! How often codes for one account were wrong at one application.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Failures within [`WINDOW`] that lock.
pub const MOST_FAILURES: usize = 5;
/// How long a failure counts.
pub const WINDOW: SignedDuration = SignedDuration::from_mins(5);
/// How long the lock holds.
pub const LOCKED_FOR: SignedDuration = SignedDuration::from_mins(5);

/// The failures that count, and the lock.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Attempts {
    failures: Vec<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    locked_until: Option<Timestamp>,
}

impl Attempts {
    /// Whether nothing is checked now, right or wrong.
    pub fn is_locked(&self, now: Timestamp) -> bool {
        self.locked_until.is_some_and(|until| now < until)
    }

    /// One failure more. The one that makes it too many locks, and the count begins anew.
    #[must_use]
    pub fn failed(mut self, now: Timestamp) -> Self {
        self.failures.retain(|at| now.duration_since(*at) < WINDOW);
        self.failures.push(now);
        if self.failures.len() >= MOST_FAILURES {
            self.failures.clear();
            self.locked_until = Some(now.saturating_add(LOCKED_FOR).unwrap_or(Timestamp::MAX));
        }
        self
    }

    /// The first instant at which it says nothing any more.
    pub fn end(&self, now: Timestamp) -> Timestamp {
        let failed = self.failures.last().map(|at| at.saturating_add(WINDOW).unwrap_or(Timestamp::MAX));
        failed.into_iter().chain(self.locked_until).max().unwrap_or(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_fifth_failure_within_five_minutes_locks_for_five_minutes() {
        let mut attempts = Attempts::default();
        for second in [0, 1, 2, 299] {
            attempts = attempts.failed(at(second));
            assert!(!attempts.is_locked(at(second)));
        }
        let locked = attempts.clone().failed(at(299));
        assert!(locked.is_locked(at(299)) && locked.is_locked(at(598)) && !locked.is_locked(at(599)));
        assert_eq!(locked.end(at(299)), at(599));
        // The first one doesn't count any more.
        let later = attempts.failed(at(300));
        assert!(!later.is_locked(at(300)));
        assert_eq!(later.end(at(300)), at(600));
    }

    #[test]
    fn after_the_lock_the_count_begins_anew() {
        let locked = (0..5).fold(Attempts::default(), |attempts, _| attempts.failed(at(0)));
        assert!(locked.is_locked(at(0)));
        let mut after = locked;
        for second in 300..304 {
            after = after.failed(at(second));
            assert!(!after.is_locked(at(second)), "{second}");
        }
        assert!(after.failed(at(304)).is_locked(at(304)));
    }
}
