//! Bytes that fail, wait and count as a test wants.

use std::{
    io,
    ops::Bound,
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
};

use behalf::{
    adapters::store::embedded::{
        EmbeddedStore, Place, Settings,
        media::{Media, Memory},
    },
    ports::{clock::ManualClock, entropy::SeededEntropy},
};
use redb::{BackendError, StorageBackend};

use crate::contract::stores::start;

/// What the bytes do from now on.
#[derive(Debug, Default)]
pub(super) struct Rig {
    pub(super) fail_open: AtomicBool,
    pub(super) fail_read: AtomicBool,
    pub(super) fail_write: AtomicBool,
    /// Of more than two pages.
    pub(super) fail_big_write: AtomicBool,
    pub(super) fail_sync: AtomicBool,
    pub(super) syncs: AtomicU64,
    pub(super) opens: AtomicU64,
    closed_gate: Mutex<bool>,
    gate: Condvar,
}

impl Rig {
    /// From now on every sync waits for [`Rig::open_gate`].
    pub(super) fn close_gate(&self) {
        *self.closed_gate.lock().unwrap() = true;
    }

    pub(super) fn open_gate(&self) {
        *self.closed_gate.lock().unwrap() = false;
        self.gate.notify_all();
    }

    fn pass_gate(&self) {
        let closed = self.closed_gate.lock().unwrap();
        drop(self.gate.wait_while(closed, |closed| *closed).unwrap());
    }

    /// A store over `media` with this rig in between. Without a cache all reads reach the bytes, and writes reach
    /// them at once; with one they do when the transaction is committed.
    pub(super) fn store(
        self: &Arc<Self>,
        media: impl Media,
        cache_bytes: usize,
    ) -> (Arc<EmbeddedStore>, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at(start()));
        let rigged = Rigged { rig: Arc::clone(self), media };
        let settings = Settings { cache_bytes, ..Settings::new(Place::Memory) };
        let time = Arc::<ManualClock>::clone(&clock);
        let store = EmbeddedStore::open_on(Arc::new(rigged), &settings, time, &SeededEntropy::default());
        (Arc::new(store.unwrap()), clock)
    }

    pub(super) fn in_memory(self: &Arc<Self>) -> (Arc<EmbeddedStore>, Arc<ManualClock>) {
        self.store(Memory::default(), 0)
    }
}

fn broken(flag: &AtomicBool) -> io::Result<()> {
    if flag.load(SeqCst) { Err(io::Error::other("the test broke it")) } else { Ok(()) }
}

struct Rigged<M> {
    rig: Arc<Rig>,
    media: M,
}

impl<M: Media> Media for Rigged<M> {
    fn open(&self, create: bool) -> io::Result<Box<dyn StorageBackend>> {
        self.rig.opens.fetch_add(1, SeqCst);
        broken(&self.rig.fail_open)?;
        let inner = self.media.open(create)?;
        Ok(Box::new(Bytes { rig: Arc::clone(&self.rig), inner }))
    }

    fn size(&self) -> io::Result<u64> {
        self.media.size()
    }

    fn name(&self) -> String {
        self.media.name()
    }
}

#[derive(Debug)]
struct Bytes {
    rig: Arc<Rig>,
    inner: Box<dyn StorageBackend>,
}

impl StorageBackend for Bytes {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        broken(&self.rig.fail_read)?;
        self.inner.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        broken(&self.rig.fail_write)?;
        self.inner.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.rig.syncs.fetch_add(1, SeqCst);
        self.rig.pass_gate();
        broken(&self.rig.fail_sync)?;
        self.inner.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        broken(&self.rig.fail_write)?;
        if data.len() > 8192 {
            broken(&self.rig.fail_big_write)?;
        }
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
