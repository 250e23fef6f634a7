//! A data folder that counts how often its file is synced.

use std::{
    io,
    ops::Bound,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use behalf::adapters::store::embedded::media::{Folder, Media};
use redb::{BackendError, StorageBackend};

/// A folder, and the count of its syncs.
pub(crate) struct Counting {
    pub(crate) folder: Folder,
    pub(crate) syncs: Arc<AtomicU64>,
}

impl Media for Counting {
    fn open(&self, create: bool) -> io::Result<Box<dyn StorageBackend>> {
        Ok(Box::new(Counted { inner: self.folder.open(create)?, syncs: Arc::clone(&self.syncs) }))
    }

    fn size(&self) -> io::Result<u64> {
        self.folder.size()
    }

    fn name(&self) -> String {
        self.folder.name()
    }
}

/// Hands every call on, the locks' too.
#[derive(Debug)]
struct Counted {
    inner: Box<dyn StorageBackend>,
    syncs: Arc<AtomicU64>,
}

impl StorageBackend for Counted {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.inner.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.inner.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        self.inner.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.inner.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.inner.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.query_lock_range(start, end)
    }
}
