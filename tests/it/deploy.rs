//! What is in `deploy/`: the image's recipe, the example of many containers, the unit for systemd.

mod compose;
mod image;
mod supply;
mod unit;

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::Command,
};

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(file(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Whether the program is there. If not, that is said on standard error (not by a macro, whose text a passing test
/// hides), and under CI it is a failure.
#[expect(clippy::disallowed_methods, reason = "CI is the environment's business, and no setting of behalf")]
fn is_installed(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", "PATH=$PATH:/usr/sbin command -v \"$1\"", "sh", program]).output();
    if found.is_ok_and(|found| found.status.success()) {
        return true;
    }
    let in_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    assert!(!in_ci, "{program} isn't installed; ./check installs it");
    let text = format!("\nSKIPPED: a test with {program}, which isn't installed; ./check installs it\n");
    io::stderr().write_all(text.as_bytes()).unwrap();
    false
}
