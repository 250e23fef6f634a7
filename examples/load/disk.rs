//! How long the disk takes to make one page durable.

use std::{fs::File, os::unix::fs::FileExt as _, path::Path};

use tokio::time::Instant;

use crate::data::{self, Fault};

const PAGE: usize = 4096;
const PAGES: u64 = 16 * 1024;
const TIMES: usize = 300;

/// Milliseconds.
pub(crate) struct Sync {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// Writes random pages of a 64 MiB file, each followed by `fdatasync`.
pub(crate) fn measure(folder: &Path) -> Result<Sync, Fault> {
    let file = File::create(folder.join("sync-probe"))?;
    for page in 0..PAGES {
        file.write_all_at(&[1; PAGE], page * PAGE as u64)?;
    }
    file.sync_all()?;
    let mut pages: Vec<u64> = (0..PAGES).collect();
    data::shuffle(&mut pages);
    let mut took = Vec::with_capacity(TIMES);
    for page in pages.into_iter().take(TIMES) {
        file.write_all_at(&[2; PAGE], page * PAGE as u64)?;
        let started = Instant::now();
        file.sync_data()?;
        took.push(started.elapsed().as_secs_f64() * 1e3);
    }
    took.sort_unstable_by(f64::total_cmp);
    Ok(Sync { p50: took[TIMES / 2], p99: took[TIMES * 99 / 100] })
}
