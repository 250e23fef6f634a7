//! Where the database's bytes lie: a file, memory, or whatever a test puts in between.

use std::{
    fmt,
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io,
    ops::Bound,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use redb::{
    BackendError, StorageBackend,
    backends::{FileBackend, InMemoryBackend},
};

/// The data file's name in its folder.
pub const DATA_FILE: &str = "behalf.redb";

/// Gives the database its bytes. Asked once at start, and again after every I/O error.
pub trait Media: Send + Sync + 'static {
    /// The bytes, readable and writable. `create`: they may be made; otherwise they must be there.
    fn open(&self, create: bool) -> io::Result<Box<dyn StorageBackend>>;

    /// How many bytes there are.
    fn size(&self) -> io::Result<u64>;

    /// For messages: the folder, or `:memory:`.
    fn name(&self) -> String;
}

/// A folder with the data file. The folder is made 0700, the file 0600.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder at this path, which need not exist yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    fn file(&self) -> PathBuf {
        self.0.join(DATA_FILE)
    }

    /// Makes the folder, if it isn't there.
    pub(super) fn create_folder(&self) -> io::Result<()> {
        if !self.0.is_dir() {
            DirBuilder::new().recursive(true).mode(0o700).create(&self.0)?;
        } else if fs::metadata(&self.0)?.permissions().mode() & 0o077 != 0 {
            tracing::warn!(folder = %self.0.display(), "the data folder can be entered by others; it should have mode 0700");
        }
        Ok(())
    }

    fn create(&self) -> io::Result<()> {
        self.create_folder()?;
        if self.file().exists() {
            return Ok(());
        }
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(self.file())?;
        // Without this the file's name may not survive a loss of power.
        sync_folder(&self.0)
    }
}

/// Makes the names in the folder durable.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

impl Media for Folder {
    fn open(&self, create: bool) -> io::Result<Box<dyn StorageBackend>> {
        if create {
            self.create()?;
        }
        let file = OpenOptions::new().read(true).write(true).open(self.file())?;
        if file.metadata()?.permissions().mode() & 0o077 != 0 {
            file.set_permissions(Permissions::from_mode(0o600))?;
        }
        let backend = FileBackend::new(file).map_err(io::Error::other)?;
        Ok(Box::new(backend))
    }

    fn size(&self) -> io::Result<u64> {
        Ok(fs::metadata(self.file())?.len())
    }

    fn name(&self) -> String {
        self.0.display().to_string()
    }
}

/// Bytes that last as long as this value.
#[derive(Debug, Default)]
pub struct Memory(Arc<InMemoryBackend>);

impl Media for Memory {
    fn open(&self, _create: bool) -> io::Result<Box<dyn StorageBackend>> {
        Ok(Box::new(Forward(Arc::clone(&self.0))))
    }

    fn size(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn name(&self) -> String {
        ":memory:".to_owned()
    }
}

/// Hands every call on. The lock methods too: the trait's own bodies would mean that nothing is locked.
pub(super) struct Forward<B>(pub(super) B);

impl<B> fmt::Debug for Forward<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Forward")
    }
}

impl<B> StorageBackend for Forward<B>
where
    B: std::ops::Deref<Target: StorageBackend> + Send + Sync + 'static,
{
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.0.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.query_lock_range(start, end)
    }
}
