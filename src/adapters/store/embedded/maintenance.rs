//! Backup, restore and compaction of the data.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use redb::{Database, ReadableDatabase};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    EmbeddedStore, OpenError,
    copy::{self, Copied, CopyError},
    database::Opener,
    fault::{Fault, guarded},
    layout::Header,
    media::{DATA_FILE, Folder, Media, sync_folder},
    reads,
    status::SMALL_CACHE,
};

/// What a forced restore keeps of the data that was there, in the same folder.
pub const ASIDE_FILE: &str = "behalf.redb.before-restore";
/// The restored data until it is complete.
const UNFINISHED_FILE: &str = "behalf.redb.restoring";

/// Why it was not done. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum MaintenanceError {
    /// The data can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It can't be copied.
    #[error(transparent)]
    Copy(#[from] CopyError),
    /// There is data, and nobody said that it may go.
    #[error("there is data in {}: with --force it is kept aside as {ASIDE_FILE}", .0.display())]
    HasData(PathBuf),
    /// Left over from an earlier restore.
    #[error("{} is left over from an earlier restore (or one is going on): move it away first", .0.display())]
    LeftOver(PathBuf),
    /// The database refuses.
    #[error("the data in {0} can't be compacted: {1}")]
    Compact(String, String),
}

/// What compaction gained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compacted {
    /// The file's size before.
    pub bytes_before: u64,
    /// And after.
    pub bytes_after: u64,
}

impl EmbeddedStore {
    /// Copies the running store, as it is at this moment, into a new file. Commits go on meanwhile; the file of the
    /// data grows by what they change. Blocks.
    pub fn backup(&self, file: &Path) -> Result<Copied, MaintenanceError> {
        let name = self.shared.opener.media.name();
        let read = |fault: Fault| CopyError::Read(name.clone(), fault.to_string());
        let snapshot = guarded(|| self.shared.handle.begin_read()).map_err(read)?;
        let header = guarded(|| reads::header(&snapshot)).map_err(read)?;
        Ok(copy::copy(&snapshot, &name, file, of_copy(&header))?)
    }
}

/// Another line of history than the original's, so that a copy put in its place by hand is noticed, too.
fn of_copy(header: &Header) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update(b"behalf/backup/v1");
    hash.update(header.encode());
    let mut incarnation = [0; 16];
    incarnation.copy_from_slice(&hash.finalize()[..16]);
    incarnation
}

/// As [`EmbeddedStore::backup`], of data that no process has open. Repairs the data first if the last process was
/// killed.
pub fn backup_offline(folder: &Path, file: &Path) -> Result<Copied, MaintenanceError> {
    let (_, database, header, name) = open(folder)?;
    let snapshot = guarded(|| Ok(database.begin_read()?)).map_err(|f| CopyError::Read(name.clone(), f.to_string()))?;
    Ok(copy::copy(&snapshot, &name, file, of_copy(&header))?)
}

pub(super) fn open(folder: &Path) -> Result<(Arc<Folder>, Database, Header, String), OpenError> {
    let media = Arc::new(Folder::new(folder));
    let opener = Opener { media: Arc::<Folder>::clone(&media), cache_bytes: SMALL_CACHE };
    let (database, header) = opener.open(None)?;
    let name = media.name();
    Ok((media, database, header, name))
}

/// Puts the backup `file` into `folder` as its data, which must not be open anywhere. Data that is there is kept as
/// [`ASIDE_FILE`], if `force` allows it at all. The restored data is a line of history of its own, `incarnation`:
/// at the next start every tenant's epoch is raised, and ids and answers from before are refused.
pub fn restore(folder: &Path, file: &Path, force: bool, incarnation: [u8; 16]) -> Result<Copied, MaintenanceError> {
    let shown = file.display().to_string();
    let source = copy::open(file).map_err(|fault| CopyError::Read(shown.clone(), fault.to_string()))?;
    let failed = |error: io::Error| OpenError::Io(folder.display().to_string(), error);
    Folder::new(folder).create_folder().map_err(failed)?;
    let (data, aside, unfinished) = (folder.join(DATA_FILE), folder.join(ASIDE_FILE), folder.join(UNFINISHED_FILE));
    let kept = lock(folder, &data)?;
    if kept.is_some() && !force {
        return Err(MaintenanceError::HasData(folder.to_owned()));
    }
    if kept.is_some() && aside.exists() {
        return Err(MaintenanceError::LeftOver(aside));
    }
    let snapshot = guarded(|| Ok(source.begin_read()?)).map_err(|f| CopyError::Read(shown.clone(), f.to_string()))?;
    let copied = match copy::copy(&snapshot, &shown, &unfinished, incarnation) {
        Err(CopyError::Exists(_)) => return Err(MaintenanceError::LeftOver(unfinished)),
        copied => copied?,
    };
    // With data: at every moment there is the old or the new. Without: data that appeared meanwhile stays.
    let placed = if kept.is_some() {
        fs::hard_link(&data, &aside).and_then(|()| fs::rename(&unfinished, &data))
    } else {
        fs::hard_link(&unfinished, &data).and_then(|()| fs::remove_file(&unfinished))
    };
    placed.and_then(|()| sync_folder(folder)).map_err(failed)?;
    Ok(copied)
}

/// The data file, locked, if there is one; damaged or not, so it isn't opened as a database.
fn lock(folder: &Path, data: &Path) -> Result<Option<File>, OpenError> {
    let name = folder.display().to_string();
    let file = match File::open(data) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(OpenError::Io(name, error)),
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(name)),
        Err(TryLockError::Error(error)) => Err(OpenError::Io(name, error)),
    }
}

/// Gives space that is no longer used back to the disk. No process may have the data open. Blocks, for long if there
/// is much of it.
pub fn compact(folder: &Path) -> Result<Compacted, MaintenanceError> {
    let (media, mut database, _, name) = open(folder)?;
    let size = || media.size().map_err(|error| OpenError::Io(name.clone(), error));
    let bytes_before = size()?;
    guarded(|| Ok(database.compact()?)).map_err(|f| MaintenanceError::Compact(name.clone(), f.to_string()))?;
    drop(database);
    Ok(Compacted { bytes_before, bytes_after: size()? })
}
