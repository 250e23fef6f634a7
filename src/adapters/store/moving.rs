//! Copies all of one store into another, byte for byte, while nobody serves from either.
//!
//! Leases stay behind. A target's counters are written last, so that a copy that was broken off is never taken for
//! data. What was copied is another line of history: at the next start every tenant's epoch is raised.

use async_trait::async_trait;

use super::format::Head;
use crate::{
    app::records::{self, Epoch},
    domain::ids::TenantName,
    ports::store::{Key, Seq, Stored, Unreadable},
};

/// Why nothing was copied, or not all.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// It can't be done like this. Nothing was written.
    #[error("{0}")]
    Refused(String),
    /// The one side can't be read.
    #[error("can't be read: {0}")]
    Read(String),
    /// The other side can't be written. What is there is named unfinished.
    #[error("can't be written: {0}")]
    Write(String),
}

impl From<Unreadable> for MoveError {
    fn from(Unreadable(text): Unreadable) -> Self {
        Self::Read(text)
    }
}

/// A tenant's counters, as every store has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counters {
    /// Whose.
    pub tenant: TenantName,
    /// The highest version ever given.
    pub version: u64,
    /// The number of the last event.
    pub seq: u64,
    /// The highest time shown, in microseconds.
    pub high: i64,
    /// Records, leases not counted.
    pub records: u64,
    /// Events that are kept.
    pub events: u64,
}

/// A record's key and its bytes (`format.rs`).
pub type Raw = (Key, Vec<u8>);

/// What is copied from.
#[async_trait]
pub trait Source: Send {
    /// Every tenant that is there.
    async fn tenants(&mut self) -> Result<Vec<Counters>, MoveError>;

    /// One record.
    async fn record(&mut self, tenant: &TenantName, key: Key) -> Result<Option<Vec<u8>>, MoveError>;

    /// The next records, from the first on for each tenant; `None`: there are no more. One may come twice.
    async fn records(&mut self, tenant: &TenantName) -> Result<Option<Vec<Raw>>, MoveError>;

    /// Events behind this number, a bounded batch; none: there are no more.
    async fn events(&mut self, tenant: &TenantName, after: u64) -> Result<Vec<Stored>, MoveError>;
}

/// What is copied to.
#[async_trait]
pub trait Sink: Send {
    /// The line of history that the tenant would lie in, where that is there already.
    async fn line(&mut self, tenant: &TenantName) -> Result<Option<String>, MoveError>;

    /// Makes sure that nothing of these tenants is there, and marks them as unfinished.
    async fn begin(&mut self, tenants: &[TenantName]) -> Result<(), MoveError>;

    /// Writes records with their index rows. How many weren't there yet.
    async fn records(&mut self, tenant: &TenantName, batch: Vec<Raw>) -> Result<u64, MoveError>;

    /// Writes events under their numbers.
    async fn events(&mut self, tenant: &TenantName, batch: Vec<Stored>) -> Result<(), MoveError>;

    /// Writes the counters: from here on it is data.
    async fn end(&mut self, tenants: &[Counters]) -> Result<(), MoveError>;
}

/// Copies everything. Gives what was copied.
pub async fn copy(from: &mut dyn Source, to: &mut dyn Sink) -> Result<Vec<Counters>, MoveError> {
    let tenants = from.tenants().await?;
    if tenants.is_empty() {
        return Err(MoveError::Refused("there is nothing to copy".to_owned()));
    }
    for counters in &tenants {
        another_line(from, to, &counters.tenant).await?;
    }
    let names: Vec<TenantName> = tenants.iter().map(|counters| counters.tenant.clone()).collect();
    to.begin(&names).await?;
    for counters in &tenants {
        tenant(from, to, counters).await?;
    }
    if from.tenants().await? != tenants {
        return Err(MoveError::Read("somebody wrote to it meanwhile: stop every service first".to_owned()));
    }
    to.end(&tenants).await?;
    Ok(tenants)
}

/// An epoch that names the target's line already would not be raised there, and ids from before could be used again.
async fn another_line(from: &mut dyn Source, to: &mut dyn Sink, tenant: &TenantName) -> Result<(), MoveError> {
    let Some(line) = to.line(tenant).await? else { return Ok(()) };
    let key = records::epoch_key();
    let Some(bytes) = from.record(tenant, key).await? else { return Ok(()) };
    let record = Head::decode(key.kind, &bytes)?.to_record();
    let epoch: Epoch = records::decode(&record).map_err(|error| MoveError::Read(error.to_string()))?;
    if epoch.incarnation != line {
        return Ok(());
    }
    Err(MoveError::Refused(format!(
        "tenant `{tenant}` comes from the very server process that it would be copied to; restart that Redis first, so \
         that its epoch is raised"
    )))
}

async fn tenant(from: &mut dyn Source, to: &mut dyn Sink, counters: &Counters) -> Result<(), MoveError> {
    let tenant = &counters.tenant;
    let (mut records, mut events) = (0, 0);
    while let Some(batch) = from.records(tenant).await? {
        records += to.records(tenant, batch).await?;
    }
    let first = (counters.seq + 1).saturating_sub(counters.events);
    let mut after = first.saturating_sub(1);
    loop {
        let batch = from.events(tenant, after).await?;
        let Some(last) = batch.last() else { break };
        in_order(tenant, after, &batch)?;
        (after, events) = (last.seq.0, events + batch.len() as u64);
        to.events(tenant, batch).await?;
    }
    if (records, events) == (counters.records, counters.events) {
        return Ok(());
    }
    let Counters { records: some, events: others, .. } = counters;
    let text = format!("tenant `{tenant}` counts {some} records and {others} events, but has {records} and {events}");
    Err(MoveError::Read(text))
}

fn in_order(tenant: &TenantName, after: u64, batch: &[Stored]) -> Result<(), MoveError> {
    let gap = (after + 1..).zip(batch).find(|(expected, event)| event.seq != Seq(*expected));
    gap.map_or(Ok(()), |(seq, _)| Err(MoveError::Read(format!("event {seq} of tenant `{tenant}` is missing"))))
}
