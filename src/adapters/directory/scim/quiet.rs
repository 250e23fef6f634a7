//! When the server asks us to slow down (`429` with `Retry-After`), it isn't asked before.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, fmt::rfc2822};

use crate::ports::{clock::Clock, directory::DirectoryError};

/// Nobody shuts us out for longer with one answer.
const LONGEST: Duration = Duration::from_mins(1);

/// The time that is waited for, if any: by the clock that nobody sets, and as it is told.
#[derive(Debug, Default)]
pub(super) struct Quiet(Option<(Duration, Timestamp)>);

impl Quiet {
    /// From now on for so long, or for [`LONGEST`].
    pub(super) fn keep(&mut self, wait: Duration, clock: &dyn Clock) -> Timestamp {
        let wait = wait.min(LONGEST);
        let until = clock.now().saturating_add(SignedDuration::try_from(wait).unwrap_or(SignedDuration::ZERO));
        let until = until.unwrap_or(Timestamp::MAX);
        self.0 = Some((clock.monotonic() + wait, until));
        until
    }

    /// An error while it lasts.
    pub(super) fn check(&mut self, clock: &dyn Clock) -> Result<(), DirectoryError> {
        match self.0 {
            Some((end, until)) if clock.monotonic() < end => Err(DirectoryError::Throttled { until: Some(until) }),
            _ => Ok(()),
        }
    }
}

/// How long `Retry-After` says (RFC 9110, 10.2.3). A date is held against the server's own, for its clock isn't ours.
pub(super) fn retry_after(header: Option<&str>, date: Option<&str>, now: Timestamp) -> Option<Duration> {
    let header = header?.trim();
    if !header.is_empty() && header.bytes().all(|b| b.is_ascii_digit()) {
        return Some(header.parse().map_or(LONGEST, Duration::from_secs));
    }
    let read = |text: &str| rfc2822::parse(text).ok().map(|time| time.timestamp());
    let (at, sent) = (read(header)?, date.and_then(read).unwrap_or(now));
    Some(Duration::try_from(at.duration_since(sent)).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::clock::ManualClock;

    #[test]
    fn both_forms_of_retry_after() {
        let now: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
        let secs = |n| Some(Duration::from_secs(n));
        assert_eq!(retry_after(Some("7"), None, now), secs(7));
        assert_eq!(retry_after(Some("99999999999999999999999"), None, now), Some(LONGEST));
        let at = "Fri, 20 Nov 2026 12:00:09 GMT";
        assert_eq!(retry_after(Some(at), None, now), secs(9));
        assert_eq!(retry_after(Some(at), Some("Fri, 20 Nov 2026 12:00:05 GMT"), now), secs(4), "its own clock counts");
        assert_eq!(retry_after(Some(at), Some("Fri, 20 Nov 2026 13:00:05 GMT"), now), secs(0));
        for nothing in [None, Some(""), Some("-1"), Some("soon"), Some("1.5")] {
            assert_eq!(retry_after(nothing, None, now), None, "{nothing:?}");
        }
    }

    #[test]
    fn it_lasts_as_long_as_it_says_and_no_longer_than_a_minute() {
        let clock = ManualClock::at("2026-11-20T12:00:00Z".parse().unwrap());
        let mut quiet = Quiet::default();
        assert!(quiet.check(&clock).is_ok());
        let until = quiet.keep(Duration::from_secs(5), &clock);
        assert_eq!(until.to_string(), "2026-11-20T12:00:05Z");
        clock.set_by(SignedDuration::from_hours(1));
        assert_eq!(quiet.check(&clock), Err(DirectoryError::Throttled { until: Some(until) }), "no time has passed");
        clock.advance(SignedDuration::from_secs(5));
        assert!(quiet.check(&clock).is_ok());
        quiet.keep(Duration::MAX, &clock);
        clock.advance(SignedDuration::from_secs(60));
        assert!(quiet.check(&clock).is_ok());
    }
}
