//! What there is to say about the store without looking into records.

use std::{path::Path, sync::Arc};

use jiff::Timestamp;
use redb::ReadableDatabase;
use serde::{Deserialize, Serialize};

use super::{
    EmbeddedStore, OpenError,
    database::Opener,
    fault::guarded,
    layout::{Header, Meta},
    media::{Folder, Media},
    reads,
    tenants::time,
};
use crate::{
    domain::ids::TenantName,
    ports::{clock::Clock, store::StoreError},
};

/// Enough for a look at the counters.
pub(super) const SMALL_CACHE: usize = 4 << 20;

/// The state of the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Names the database's line of history.
    pub incarnation: String,
    /// The size of the data file.
    pub file_bytes: u64,
    /// The store's own time.
    pub time: Timestamp,
    /// By name.
    pub tenants: Vec<TenantStatus>,
}

/// The state of one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantStatus {
    /// Its name.
    pub tenant: TenantName,
    /// Records, leases not counted.
    pub records: u64,
    /// Events that are kept.
    pub events: u64,
    /// The number of the last event; 0: there was none yet.
    pub last_seq: u64,
    /// The highest time that was shown in the tenant.
    pub time: Timestamp,
}

fn status(found: (Header, Vec<(TenantName, Meta)>), file_bytes: u64, own_time: Timestamp) -> Status {
    let (header, tenants) = found;
    let tenants = tenants
        .into_iter()
        .map(|(tenant, meta)| TenantStatus {
            tenant,
            records: meta.records,
            events: meta.events,
            last_seq: meta.seq,
            time: time(meta.high),
        })
        .collect();
    Status { incarnation: header.name(), file_bytes, time: own_time, tenants }
}

impl EmbeddedStore {
    /// The state of the running store.
    pub fn status(&self) -> Result<Status, StoreError> {
        let found = self.view(reads::meta)?;
        let size = self.shared.opener.media.size().map_err(|e| StoreError::Unavailable(e.to_string()))?;
        Ok(status(found, size, time(self.shared.tenants.own_time())))
    }
}

/// The state of the data in a folder that no process uses at the moment. Blocks; repairs the file if the last
/// process was killed. Makes nothing.
pub fn status_offline(folder: &Path, clock: &dyn Clock) -> Result<Status, OpenError> {
    let media = Arc::new(Folder::new(folder));
    let opener = Opener { media: Arc::<Folder>::clone(&media), cache_bytes: SMALL_CACHE };
    let (database, _) = opener.open(None)?;
    let name = media.name();
    let found = guarded(|| reads::meta(&database.begin_read()?))
        .map_err(|fault| OpenError::Unreadable(name.clone(), fault.to_string()))?;
    let size = media.size().map_err(|e| OpenError::Io(name, e))?;
    Ok(status(found, size, clock.now()))
}
