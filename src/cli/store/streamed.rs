//! A backup on standard output, for machines where no file can be kept: `kubectl exec … behalf store backup - > FILE`.
//!
//! The copy is made as a file in the data folder, which loses its name before its first byte goes out: whatever ends
//! this process, nothing of it stays.

use std::{
    fs::{self, File},
    io::{self, IsTerminal as _, Read as _, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    adapters::system::{OsEntropy, SystemClock},
    domain::hex::hex,
    ports::{clock::Clock as _, entropy},
};

/// What a copy on its way is called, before a number of its own.
const PREFIX: &str = "behalf.redb.streamed-";
/// A copy that nobody has written to for so long was broken off before it lost its name.
const DEAD_AFTER: Duration = Duration::from_mins(10);

/// Whether the backup is to go to standard output.
pub(super) fn is_wanted(file: &Path) -> bool {
    file.as_os_str() == "-"
}

/// Writes the backup to standard output and gives what was written, to be told elsewhere.
pub(super) async fn backup(folder: PathBuf) -> Result<Value, String> {
    if io::stdout().is_terminal() {
        return Err(
            "standard output is a terminal: send the backup somewhere, as in `behalf store backup - > FILE`".to_owned()
        );
    }
    sweep(&folder);
    let number: [u8; 8] = entropy::bytes(&OsEntropy);
    let file = folder.join(format!("{PREFIX}{}", hex(&number)));
    let mut told = super::backup(folder, &file).await?;
    let failed = |error: io::Error| format!("{}: {error}", file.display());
    let copy = File::open(&file);
    fs::remove_file(&file).map_err(failed)?;
    let copy = copy.map_err(failed)?;
    let sent = tokio::task::spawn_blocking(move || send(copy, &mut io::stdout().lock())).await;
    let broken = |error: &dyn std::fmt::Display| format!("the backup broke off, what was written is none: {error}");
    let (bytes, sha256) = sent.map_err(|error| broken(&error))?.map_err(|error| broken(&error))?;
    if told["file_bytes"] != json!(bytes) {
        return Err(broken(&format_args!("{bytes} bytes were written of {}", told["file_bytes"])));
    }
    told["sha256"] = json!(sha256);
    Ok(told)
}

/// How many bytes, and what they hash to.
fn send(mut from: File, to: &mut dyn Write) -> io::Result<(u64, String)> {
    let (mut bytes, mut hash, mut buffer) = (0, Sha256::new(), vec![0; 1 << 16]);
    loop {
        let some = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => buffer.get(..count).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        to.write_all(some)?;
        hash.update(some);
        bytes += some.len() as u64;
    }
    to.flush()?;
    Ok((bytes, hex(&hash.finalize())))
}

/// Removes what an earlier one left that was killed while its copy was being made. What can't be removed stays.
fn sweep(folder: &Path) {
    let now = SystemClock.now();
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        let written = entry.metadata().and_then(|meta| meta.modified()).ok();
        let written = written.and_then(|at| jiff::Timestamp::try_from(at).ok());
        let is_dead = written.is_some_and(|at| now.duration_since(at).unsigned_abs() > DEAD_AFTER && at < now);
        if is_ours && is_dead {
            drop(fs::remove_file(entry.path()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many bytes and no more.
    struct Full(usize);

    impl Write for Full {
        fn write(&mut self, some: &[u8]) -> io::Result<usize> {
            let taken = some.len().min(self.0);
            self.0 -= taken;
            if taken == 0 { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(taken) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn all_is_sent_or_it_is_an_error() {
        let path = tempfile::NamedTempFile::new().unwrap();
        fs::write(path.path(), vec![7; 200_000]).unwrap();
        let mut out = Vec::new();
        let (bytes, sha256) = send(File::open(path.path()).unwrap(), &mut out).unwrap();
        assert_eq!((bytes, out.len()), (200_000, 200_000));
        assert_eq!(sha256, hex(&Sha256::digest(&out)));
        assert!(send(File::open(path.path()).unwrap(), &mut Full(150_000)).is_err());
    }

    #[test]
    fn what_is_left_of_one_that_was_killed_goes_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let names = ["behalf.redb", "behalf.redb.streamed-00", "behalf.redb.streamed-01"];
        for name in names {
            let file = File::create(folder.path().join(name)).unwrap();
            let old = std::time::UNIX_EPOCH + Duration::from_hours(1);
            if !name.ends_with('1') {
                file.set_modified(old).unwrap();
            }
        }
        sweep(folder.path());
        assert_eq!(names.map(|name| folder.path().join(name).exists()), [true, false, true]);
    }
}
