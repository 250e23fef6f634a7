//! A file of JSON lines. Lines are only ever added; what a crash left of half a line is cut off before the next one.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;

use crate::ports::audit_sink::AuditSink;

/// Bytes looked at together when the end of the last whole line is searched.
const STEP: u64 = 64 * 1024;

/// Appends to a file (0600) and syncs it. The file is opened for every write, so that it may be moved away meanwhile.
pub struct JsonLines {
    name: String,
    path: PathBuf,
    /// One writer at a time.
    turn: Arc<Mutex<()>>,
}

impl JsonLines {
    /// The file at this path, which is made with the first write.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self { name: format!("file:{}", path.display()), path, turn: Arc::default() }
    }
}

#[async_trait]
impl AuditSink for JsonLines {
    fn name(&self) -> &str {
        &self.name
    }

    fn durable(&self) -> bool {
        true
    }

    async fn write(&self, lines: Vec<u8>) -> io::Result<()> {
        let (path, turn) = (self.path.clone(), Arc::clone(&self.turn));
        let write = move || {
            let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
            append(&path, &lines)
        };
        tokio::task::spawn_blocking(write).await.map_err(io::Error::other)?
    }
}

fn append(path: &Path, lines: &[u8]) -> io::Result<()> {
    let is_new = !path.exists();
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    let whole = end_of_lines(&mut file)?;
    if whole < file.metadata()?.len() {
        tracing::warn!(file = %path.display(), "the audit file ended within a line; the rest of it is cut off");
        file.set_len(whole)?;
    }
    if let Err(error) = file.write_all(lines).and_then(|()| file.sync_all()) {
        // Whole lines may stay, they come again; half a line is cut off by the next write if not now.
        drop(file.set_len(whole));
        return Err(error);
    }
    match path.parent().filter(|_| is_new) {
        Some(folder) if folder.as_os_str().is_empty() => File::open(".")?.sync_all(),
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

/// Where the last whole line ends.
fn end_of_lines(file: &mut File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    while end > 0 {
        let start = end.saturating_sub(STEP);
        file.seek(SeekFrom::Start(start))?;
        let mut part = Vec::new();
        file.take(end - start).read_to_end(&mut part)?;
        if let Some(at) = part.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    #[tokio::test]
    async fn half_a_line_is_cut_off_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let sink = JsonLines::new(&path);
        sink.write(b"one\ntwo\n".to_vec()).await.unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let torn = "x".repeat(200_000);
        fs::write(&path, format!("one\ntwo\n{torn}")).unwrap();
        sink.write(b"three\n".to_vec()).await.unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\nthree\n");
        fs::write(&path, &torn).unwrap();
        sink.write(b"four\n".to_vec()).await.unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "four\n");
    }
}
