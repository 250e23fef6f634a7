//! What the demo needs beside itself: a folder, and processes. Nothing of it outlives the demo, however that ends.

use std::{
    ffi::OsStr,
    fs::{self, DirBuilder, File},
    io::{self, Write as _},
    os::{
        fd::AsFd as _,
        unix::{fs::DirBuilderExt as _, process::CommandExt as _},
    },
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::Duration,
};

use tokio::time::Instant;

use super::say::say;

/// Nothing here takes longer, not even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks into a log.
const LOOK: Duration = Duration::from_millis(10);

/// What cleans up if the demo is killed: then its end of the input is closed. Otherwise this is killed first.
const WATCHDOG: &str = r#"ids=
while read -r id; do
    case "$id" in
    -*) left=; for other in $ids; do [ "$other" = "${id#-}" ] || left="$left $other"; done; ids=$left ;;
    *) ids="$ids $id" ;;
    esac
done
[ -z "$ids" ] || kill -KILL $ids
rm -rf "$1""#;
/// What becomes the program of a process. First it tells the watchdog who it is: were that left to the demo, killed
/// before it came to it, the process would stay.
const LAUNCHER: &str = r#"echo "$$" && log=$1 && shift && exec "$@" >>"$log" 2>&1"#;

/// A folder of the demo's own, which nobody else can read. It goes with this.
pub(super) struct Backstage {
    folder: PathBuf,
    /// `None` where there is no shell.
    watchdog: Option<std::process::Child>,
}

impl Backstage {
    /// Makes it where the system keeps temporary files.
    pub(super) fn build(random: &str) -> Result<Self, String> {
        let folder = std::env::temp_dir().join(format!("behalf-demo-{random}"));
        DirBuilder::new().mode(0o700).create(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let mut watchdog = Command::new("sh");
        watchdog.args(["-c", WATCHDOG, "behalf-demo-watchdog"]).arg(&folder).current_dir(&folder);
        // In a group of its own it doesn't hear what the terminal tells the demo.
        watchdog.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self { folder, watchdog: watchdog.spawn().ok() })
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes a file there.
    pub(super) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<PathBuf, String> {
        let path = self.path(name);
        fs::write(&path, content).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(path)
    }

    /// A command for [`Self::start`] to start under this name.
    pub(super) fn command(&self, name: &str, program: impl AsRef<OsStr>) -> Result<Command, String> {
        let log = self.write(&log_of(name), "")?;
        let mut command = self.launched(&log, program.as_ref()).map_err(|error| cant_start(name, &error))?;
        command.current_dir(&self.folder).stdin(Stdio::null());
        Ok(command)
    }

    fn launched(&self, log: &Path, program: &OsStr) -> io::Result<Command> {
        let Some(watchdog) = self.watchdog.as_ref().and_then(|it| it.stdin.as_ref()) else {
            let out = File::options().append(true).open(log)?;
            let mut command = Command::new(program);
            command.stdout(out.try_clone()?).stderr(out);
            return Ok(command);
        };
        let mut command = Command::new("sh");
        command.args(["-c", LAUNCHER, "behalf-demo-launcher"]).arg(log).arg(program);
        command.stdout(watchdog.as_fd().try_clone_to_owned()?).stderr(Stdio::null());
        Ok(command)
    }

    /// Starts a process whose output goes to a file of its name. The command is one of [`Self::command`].
    pub(super) fn start(&self, name: &str, mut command: Command) -> Result<Child, String> {
        let process = command.spawn().map_err(|error| cant_start(name, &error))?;
        let watchdog = self.watchdog.as_ref().and_then(|it| it.stdin.as_ref());
        let watchdog = watchdog.and_then(|input| input.as_fd().try_clone_to_owned().ok()).map(File::from);
        Ok(Child { name: name.to_owned(), process, log: self.path(&log_of(name)), watchdog })
    }
}

fn log_of(name: &str) -> String {
    format!("{name}.log")
}

fn cant_start(name: &str, error: &io::Error) -> String {
    format!("{name} can't be started: {error}")
}

impl Drop for Backstage {
    fn drop(&mut self) {
        if let Some(watchdog) = &mut self.watchdog {
            drop(watchdog.kill());
            drop(watchdog.wait());
        }
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            say(&format!("{} is left over: {error}", self.folder.display()));
        }
    }
}

/// A process. It is killed when this is dropped.
pub(super) struct Child {
    name: String,
    process: std::process::Child,
    log: PathBuf,
    watchdog: Option<File>,
}

impl Child {
    /// The system's number for it.
    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Waits for a line of its output that `read` makes something of. The error has the end of what it said instead.
    pub(super) async fn line<T>(&mut self, read: impl Fn(&str) -> Option<T>) -> Result<T, String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // First whether it has ended, so that nothing it said before its end is missed.
            let ended = self.process.try_wait().map_err(|error| error.to_string())?;
            let said = fs::read_to_string(&self.log).map_err(|error| error.to_string())?;
            if let Some(found) = said.lines().find_map(&read) {
                return Ok(found);
            }
            if let Some(status) = ended {
                return Err(format!("{} ended ({status}); it said:\n{}", self.name, end_of(&said)));
            }
            if Instant::now() >= deadline {
                return Err(format!("{} isn't ready after {PATIENCE:?}; it said:\n{}", self.name, end_of(&said)));
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

fn end_of(said: &str) -> String {
    let lines: Vec<&str> = said.lines().collect();
    lines[lines.len().saturating_sub(10)..].join("\n")
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to do.
        drop(self.process.kill());
        drop(self.process.wait());
        if let Some(mut watchdog) = self.watchdog.take() {
            // From now on the number may be somebody else's.
            drop(writeln!(watchdog, "-{}", self.process.id()));
        }
    }
}

/// Runs a command to its end.
pub(super) async fn output(mut command: Command) -> io::Result<Output> {
    tokio::task::spawn_blocking(move || command.output()).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left running by the watchdog of a process that it was told this of.
    fn survives(told: impl Fn(u32) -> String) -> bool {
        let folder = tempfile::tempdir().unwrap();
        let mut process = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut watchdog = Command::new("sh");
        watchdog.args(["-c", WATCHDOG, "watchdog"]).arg(folder.path().join("gone")).stdin(Stdio::piped());
        let mut watchdog = watchdog.spawn().unwrap();
        watchdog.stdin.take().unwrap().write_all(told(process.id()).as_bytes()).unwrap();
        assert!(watchdog.wait().unwrap().success());
        // Where nothing has killed it, it ends by itself, at the end of its input.
        drop(process.stdin.take());
        process.wait().unwrap().success()
    }

    #[test]
    fn a_watchdog_kills_what_runs_and_not_who_has_its_number_later() {
        assert!(!survives(|id| format!("{id}\n")));
        assert!(survives(|id| format!("{id}\n-{id}\n")));
        assert!(!survives(|id| format!("{id}\n-{id}\n1{id}\n-1{id}\n{id}\n")));
    }
}
