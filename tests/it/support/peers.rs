//! Programs of other people that `tests/peers.sh` installs.

use std::{
    collections::HashMap,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
};

/// The folder of what `tests/peers.sh` installs under that name (`""`: the identity provider), installed now if need
/// be. Where that can't be done, it is [`lacking`].
pub(crate) fn installed(name: &'static str, what: &str) -> Option<PathBuf> {
    static INSTALLED: Mutex<Option<HashMap<&'static str, Result<PathBuf, String>>>> = Mutex::new(None);
    let mut all = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    let installed = all.get_or_insert_default().entry(name).or_insert_with(|| install(name));
    match installed {
        Ok(folder) => Some(folder.clone()),
        Err(why) => lacking(what, &format!("tests/peers.sh can't install it: {why}")),
    }
}

/// Says that a test can't run for want of this, and why. Under CI that is a failure.
#[expect(clippy::disallowed_methods, reason = "CI is the environment's business, and no setting of behalf")]
pub(crate) fn lacking<T>(what: &str, why: &str) -> Option<T> {
    let in_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    assert!(!in_ci, "a test needs {what}: {why}");
    say(&format!("a test with {what}: {why}"));
    None
}

fn install(name: &str) -> Result<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let asked = Some(name).filter(|name| !name.is_empty());
    match Command::new(root.join("tests/peers.sh")).args(asked).output() {
        Ok(done) if done.status.success() => Ok(root.join("target/peers").join(name)),
        Ok(done) => Err(String::from_utf8_lossy(&done.stderr).into_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// This program isn't there: it is [`lacking`].
pub(crate) fn missing<T>(program: &str) -> Option<T> {
    lacking(program, "it isn't installed; ./check installs it")
}

/// Whether the tests with peers that take long, or want to be root, are wanted.
#[expect(clippy::disallowed_methods, reason = "which tests to run is no setting of behalf")]
pub(crate) fn heavy(what: &str) -> bool {
    let wanted = std::env::var_os("BEHALF_TEST_PEERS").is_some_and(|peers| peers == "heavy");
    if !wanted {
        say(&format!("a test with {what}; ./check --full runs it (BEHALF_TEST_PEERS=heavy)"));
    }
    wanted
}

/// Says that a test is left out: on standard error, not by a macro, whose text a passing test hides.
pub(crate) fn say(skipped: &str) {
    io::stderr().write_all(format!("\nSKIPPED: {skipped}\n").as_bytes()).unwrap();
}
