//! What gauges show of a tenant's store. Read in the background: neither hooks nor scrapes wait for it.

use jiff::Timestamp;
use serde::Deserialize;

use super::{
    Services, approvals, epoch,
    error::AppError,
    records,
    sealed::{self, Cursor, cursor_key, head_key},
};
use crate::{
    domain::{approval::State, ids::TenantName},
    ports::store::{Index, Page, Record, Seq, StoreError},
};

/// Nothing is counted further than that: no dashboard needs to tell more from "very many".
pub const MOST_COUNTED: usize = 1000;
/// Rows of one page: an approval may have 40 KiB.
const ROWS: usize = 100;
/// Pages of one list: among what can be read there may be what can't.
const MOST_READS: usize = 50;

/// What was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reading {
    /// The number of the store's epoch.
    pub epoch: u64,
    /// Approvals that wait for a decision.
    pub approvals_waiting: u64,
    /// For how many seconds the oldest of them has waited; 0: none waits.
    pub approvals_oldest: u64,
    /// Reservations that are held.
    pub reservations_held: u64,
    /// Events that aren't sealed yet.
    pub unsealed: u64,
    /// The age of the oldest of them in seconds; 0: all are sealed.
    pub unsealed_seconds: u64,
    /// Sealed entries that the sink doesn't have yet; 0 without a sink.
    pub undelivered: u64,
}

/// An approval of which only this is read.
#[derive(Deserialize)]
struct Waiting {
    state: State,
    created: Timestamp,
    decide_by: Timestamp,
}

/// Reads one tenant's figures; `sink` is the name of the audit sink, where there is one.
pub async fn read(services: &Services, tenant: &TenantName, sink: Option<&str>) -> Result<Reading, AppError> {
    let mut keys = vec![head_key(), records::epoch_key()];
    keys.extend(sink.map(cursor_key));
    let snapshot = services.store.read(tenant, &keys).await?;
    let now = snapshot.now;
    let head = sealed::head_of(tenant, &snapshot)?;
    let unsealed = services.store.events(tenant, Seq(head.seq), MOST_COUNTED).await?;
    let oldest = unsealed.first().map(records::decode_event).transpose()?;
    let undelivered = match sink {
        None => 0,
        Some(sink) => {
            let cursor: Cursor = records::find(&snapshot, &cursor_key(sink))?.map(|(it, _)| it).unwrap_or_default();
            head.seq.saturating_sub(cursor.seq)
        }
    };
    let asked = open_approvals(services, tenant, records::decode::<Waiting>).await?;
    let waiting: Vec<_> = asked.iter().filter(|it| it.state == State::Pending && now < it.decide_by).collect();
    Ok(Reading {
        epoch: epoch::of(&snapshot).map_or(0, |(epoch, _)| epoch.number),
        approvals_waiting: waiting.len() as u64,
        approvals_oldest: waiting.iter().map(|it| it.created).min().map_or(0, |since| seconds(since, now)),
        reservations_held: held(services, tenant, now).await?,
        unsealed: unsealed.len() as u64,
        unsealed_seconds: oldest.map_or(0, |event| seconds(event.time, now)),
        undelivered,
    })
}

/// What `read` makes of the approvals that aren't over, the next deadline first. One that can't be read is left out: it
/// must not keep the others from being counted.
pub(super) async fn open_approvals<T>(
    services: &Services,
    tenant: &TenantName,
    read: impl Fn(&Record) -> Result<T, StoreError>,
) -> Result<Vec<T>, AppError> {
    let rows = rows(services, tenant, approvals::records::due()).await?;
    Ok(rows.iter().filter_map(|(_, record)| read(record.as_ref()?).ok()).collect())
}

/// Those that can't be read count: they are held all the same.
async fn held(services: &Services, tenant: &TenantName, now: Timestamp) -> Result<u64, AppError> {
    let rows = rows(services, tenant, records::held()).await?;
    Ok(rows.iter().filter(|(end, _)| *end > records::millis(now)).take(MOST_COUNTED).count() as u64)
}

/// The first rows of a list, with where they stand in it; `None` is a record that can't be read.
async fn rows(services: &Services, tenant: &TenantName, index: Index) -> Result<Vec<(u64, Option<Record>)>, AppError> {
    let (mut found, mut after, mut readable) = (Vec::new(), None, 0);
    for _ in 0..MOST_READS {
        let page = services.store.list(tenant, index, Page { up_to: u64::MAX, after, limit: ROWS }).await?;
        after = page.end();
        readable += page.readable().count();
        found.extend(page.rows.into_iter().map(|(sort, _, record)| (sort, record.ok())));
        if !page.more || after.is_none() || readable >= MOST_COUNTED {
            break;
        }
    }
    Ok(found)
}

fn seconds(since: Timestamp, now: Timestamp) -> u64 {
    u64::try_from(now.duration_since(since).as_secs()).unwrap_or(0)
}
