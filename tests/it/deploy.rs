//! What is in `deploy/`: the image's recipe, the example of many containers, the unit for systemd.

mod compose;
mod image;
mod supply;
mod unit;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::peers;

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(file(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Whether the program is there. If not, that is said, and under CI it is a failure.
fn is_installed(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", "PATH=$PATH:/usr/sbin command -v \"$1\"", "sh", program]).output();
    found.is_ok_and(|found| found.status.success()) || peers::missing::<()>(program).is_some()
}
