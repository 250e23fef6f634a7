//! Hands sealed entries to a sink, in order and at least once: the cursor follows only after the sink has them.

use jiff::SignedDuration;

use super::{
    Services, records,
    sealed::{self, Cursor, cursor_key, plain},
};
use crate::{
    domain::ids::TenantName,
    ports::{
        audit_sink::AuditSink,
        store::{Change, Committed, Expect, Fence, StoreError},
    },
};

/// Entries handed over together.
const BATCH: usize = 256;
const LEASE_TIME: SignedDuration = SignedDuration::from_secs(30);
const PATIENCE: SignedDuration = SignedDuration::from_secs(5);

/// What a pass did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Entries that the sink took, and whose cursor stands.
    pub entries: u64,
    /// There is more to do at once.
    pub more: bool,
}

/// Why nothing was delivered.
#[derive(Debug, thiserror::Error)]
pub enum DeliverError {
    /// The sink takes nothing.
    #[error("the audit sink {0} can't be written: {1}; make room or the folder, or name another in BEHALF_AUDIT_SINK")]
    Sink(String, #[source] std::io::Error),
    /// The trail can't be read, or the cursor can't be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// One pass of one tenant's entries to one sink. `holder` names this process.
pub async fn pass(
    services: &Services,
    tenant: &TenantName,
    sink: &dyn AuditSink,
    holder: &str,
) -> Result<Delivered, DeliverError> {
    let store = &services.store;
    let key = cursor_key(sink.name());
    let snapshot = store.read(tenant, &[key]).await?;
    let found = records::find::<Cursor>(&snapshot, &key)?;
    let (cursor, expect) = match found {
        Some((cursor, record)) => (cursor, Expect::Version(record.version)),
        None => (Cursor::default(), Expect::Absent),
    };
    let page = sealed::page(&**store, tenant, cursor.seq, BATCH).await?;
    let Some(last) = page.entries.last() else { return Ok(Delivered::default()) };
    if page.dropped > cursor.seq {
        let (sink, up_to) = (sink.name(), page.dropped);
        tracing::warn!(%tenant, sink, up_to, "entries were dropped before this audit sink had them");
    }
    let name = format!("sink {}", sink.name());
    let lease = store.lease(tenant, &name, holder, LEASE_TIME).await?;
    let Some(lease) = lease else { return Ok(Delivered::default()) };
    let mut lines = Vec::new();
    for entry in &page.entries {
        lines.extend_from_slice(entry.line().as_bytes());
        lines.push(b'\n');
    }
    sink.write(lines).await.map_err(|error| DeliverError::Sink(sink.name().to_owned(), error))?;
    let now = store.read(tenant, &[]).await?.now;
    let change = Change {
        expect: vec![(key, expect)],
        fence: Some(Fence { lease: name, token: lease.token }),
        puts: vec![plain(key, &Cursor { seq: last.seq })?],
        ..Change::new(services.change_id(), now.saturating_add(PATIENCE).unwrap_or(now))
    };
    let entries = page.entries.len() as u64;
    match store.commit(tenant, change).await? {
        Committed::Done(_) => Ok(Delivered { entries, more: page.entries.len() == BATCH }),
        // They come again, from whoever holds the lease now.
        Committed::Conflict(_) | Committed::Fenced | Committed::Late => Ok(Delivered::default()),
    }
}
