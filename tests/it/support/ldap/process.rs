//! A server's process, with the folder that it works in: neither outlives the tests, however they end.

use std::{
    fs::File,
    io,
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::support::process::until;

/// Killed when it is dropped.
pub(super) struct Running {
    child: Child,
    /// Kills the server when our end of its input is closed, which the system does however this process ends; then it
    /// removes the folder.
    watchdog: Child,
}

impl Running {
    pub(super) fn start(command: &mut Command, folder: &Path) -> io::Result<Self> {
        let log = File::options().create(true).append(true).open(folder.join("log.txt"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn()?;
        // The server may write once more before it dies.
        let script = "read -r nothing; kill -KILL \"$1\"; for n in 1 2 3; do rm -rf \"$2\"; sleep 0.3; done";
        let mut watchdog = Command::new("sh");
        watchdog.args(["-c", script, "watchdog", &child.id().to_string()]).arg(folder);
        watchdog.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self { child, watchdog: watchdog.spawn()? })
    }

    /// Waits until it answers; what it wrote, if it ended instead.
    pub(super) async fn ready(&mut self, folder: &Path, mut answers: impl AsyncFnMut() -> bool) -> Result<(), String> {
        until("an answer of the LDAP server", async || {
            if let Some(status) = self.child.try_wait().unwrap() {
                let log = std::fs::read_to_string(folder.join("log.txt")).unwrap_or_default();
                let lines: Vec<_> = log.lines().collect();
                return Some(Err(format!("{status}\n{}", lines[lines.len().saturating_sub(20)..].join("\n"))));
            }
            answers().await.then_some(Ok(()))
        })
        .await
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for process in [&mut self.watchdog, &mut self.child] {
            drop(process.kill());
            drop(process.wait());
        }
    }
}
