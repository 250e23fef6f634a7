//! Each user has only so many things that wait: delegations for their hook, reservations for their use, approvals for
//! their votes.

use jiff::Timestamp;

use super::{Services, Tenant, error::AppError};
use crate::ports::store::{Key, Snapshot};

/// A line of a roster.
pub(super) struct Line<E> {
    /// The line as the roster keeps it.
    pub(super) entry: E,
    /// The first instant at which it counts no more, whatever its record says.
    pub(super) end: Timestamp,
    /// Its record, if the line can still be read.
    pub(super) key: Option<Key>,
}

/// How many there may be.
pub(super) struct Limit {
    /// One less is room for another.
    pub(super) most: usize,
    /// The answer when there are so many, and the whole seconds after which one of them ends by itself.
    pub(super) full: fn(usize, u64) -> AppError,
}

/// The lines that still count. Only when there are too many are their records looked at, and those that don't `stand`
/// any more left out: what ends one early needn't write the roster.
pub(super) async fn made<E>(
    services: &Services,
    tenant: &Tenant,
    lines: impl Iterator<Item = Line<E>>,
    limit: Limit,
    now: Timestamp,
    stands: impl Fn(&Snapshot, &E) -> Result<bool, AppError>,
) -> Result<Vec<E>, AppError> {
    let lines: Vec<Line<E>> = lines.filter(|line| now < line.end).collect();
    if lines.len() < limit.most {
        return Ok(lines.into_iter().map(|line| line.entry).collect());
    }
    let keys: Vec<Key> = lines.iter().filter_map(|line| line.key).collect();
    let snapshot = services.store.read(&tenant.name, &keys).await?;
    let (mut kept, mut soonest) = (Vec::new(), None::<Timestamp>);
    for line in lines {
        if line.key.is_some() && stands(&snapshot, &line.entry)? {
            soonest = Some(soonest.map_or(line.end, |end| end.min(line.end)));
            kept.push(line.entry);
        }
    }
    if kept.len() < limit.most {
        return Ok(kept);
    }
    Err((limit.full)(limit.most, seconds(now, soonest.unwrap_or(now))))
}

/// Whole seconds until then, at least one.
pub(super) fn seconds(now: Timestamp, then: Timestamp) -> u64 {
    u64::try_from(then.duration_since(now).as_millis().div_euclid(1000) + 1).unwrap_or(1).max(1)
}
