//! How fast the audit trail grows, without counting it: a few reads at chosen numbers.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::records::decode_event;
use crate::{
    domain::ids::TenantName,
    ports::store::{Seq, Store, StoreError, Stored},
};

const DAY: SignedDuration = SignedDuration::from_hours(24);
/// Events whose size is looked at.
const SAMPLE: u32 = 100;

/// What came within the last day, or since the first event that is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Growth {
    /// Events.
    pub events: u64,
    /// Their bytes, by the average of the last ones.
    pub bytes: u64,
    /// How long ago the first one was, in seconds, where that is less than a day.
    pub since: Option<i64>,
}

/// Looks at one tenant.
pub async fn growth(store: &dyn Store, tenant: &TenantName) -> Result<Growth, StoreError> {
    let now = store.read(tenant, &[]).await?.now;
    let Some(first) = store.events(tenant, Seq(0), 1).await?.pop() else {
        return Ok(Growth { events: 0, bytes: 0, since: Some(0) });
    };
    let day_ago = now.checked_sub(DAY).unwrap_or(Timestamp::MIN);
    let begins = decode_event(&first)?.time;
    let before = first.seq.0 - 1;
    let last = before + count_while(store, tenant, before, |_| Ok(true)).await?;
    let old = count_while(store, tenant, before, |event| Ok(decode_event(event)?.time < day_ago)).await?;
    let events = last - before - old;
    let sample = store.events(tenant, Seq(last.saturating_sub(SAMPLE.into())), SAMPLE as usize).await?;
    let bytes: u64 = sample.iter().map(|event| event.body.len() as u64).sum();
    let average = bytes.checked_div(sample.len() as u64).unwrap_or(0);
    let since = (begins >= day_ago).then(|| now.duration_since(begins).as_secs());
    Ok(Growth { events, bytes: events.saturating_mul(average), since })
}

/// How many events behind `before` fit, where those that fit come first: the step is doubled, then halved.
async fn count_while(
    store: &dyn Store,
    tenant: &TenantName,
    before: u64,
    fits: impl Fn(&Stored) -> Result<bool, StoreError>,
) -> Result<u64, StoreError> {
    let holds = async |count: u64| match store.events(tenant, Seq(before + count - 1), 1).await?.first() {
        Some(event) => fits(event),
        None => Ok(false),
    };
    // `low` events fit, `high` are one too many.
    let (mut low, mut high) = (0, 1);
    while holds(high).await? {
        (low, high) = (high, high.saturating_mul(2));
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if holds(middle).await? { low = middle } else { high = middle }
    }
    Ok(low)
}
