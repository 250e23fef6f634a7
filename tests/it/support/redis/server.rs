//! A server's process: it is told from its log when it is ready, and it never outlives the tests.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::support::process::until;

/// Nothing here takes as long, not even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Names the server's program; `redis-server` is the default.
const VARIABLE: &str = "BEHALF_TEST_REDIS_SERVER";

/// Why it doesn't run.
#[derive(Debug)]
pub(super) enum Failed {
    PortTaken,
    Other(String),
}

/// A running process; killed when it is dropped.
pub(super) struct Running {
    child: Child,
    /// Kills the server when our end of its input is closed, which the system does however this process ends.
    watchdog: Child,
}

#[expect(clippy::disallowed_methods, reason = "which server to test with is no setting of behalf")]
fn chosen() -> Option<String> {
    std::env::var(VARIABLE).ok()
}

/// Whether it failed because this server can't do TLS. Only one that was chosen may; then it is said on standard error
/// (not by a macro, whose text a passing test hides).
pub(super) fn without_tls(why: &str) -> bool {
    let lacks = why.contains("Failed finding TLS support") || why.contains("'tls-");
    let (true, Some(server)) = (lacks, chosen()) else { return false };
    let text = format!("\nSKIPPED: a test with TLS, which {server} was built without\n");
    io::stderr().write_all(text.as_bytes()).unwrap();
    true
}

impl Running {
    /// Starts it on the `redis.conf` in this folder, and waits until it says that it is ready.
    pub(super) async fn start(folder: &Path, nth: usize, sentinel: bool) -> Result<Self, Failed> {
        let log = folder.join(format!("log-{nth}"));
        let out = File::create(&log).unwrap();
        let program = chosen().unwrap_or_else(|| "redis-server".to_owned());
        let mut command = Command::new(&program);
        command.arg(folder.join("redis.conf")).args(sentinel.then_some("--sentinel")).env_clear();
        let mut running = Self::spawn(command.stdout(out.try_clone().unwrap()).stderr(out))
            .map_err(|error| Failed::Other(format!("{program}: {error}; ./check installs it")))?;
        let ready = if sentinel { "Sentinel ID is" } else { "Ready to accept connections" };
        let text = || fs::read_to_string(&log).unwrap();
        let waited = until(ready, async || {
            if text().contains(ready) {
                return Some(Ok(()));
            }
            running.child.try_wait().unwrap().map(|status| Err(format!("{program}: {status}")))
        });
        let ended = tokio::time::timeout(PATIENCE, waited).await;
        let why = match ended {
            Ok(Ok(())) => return Ok(running),
            Ok(Err(why)) => why,
            Err(_) => format!("{program} isn't ready after {PATIENCE:?}"),
        };
        let text = text();
        if text.contains("Address already in use") {
            return Err(Failed::PortTaken);
        }
        let lines: Vec<_> = text.lines().collect();
        Err(Failed::Other(format!("{why}; its log ends:\n{}", lines[lines.len().saturating_sub(20)..].join("\n"))))
    }

    fn spawn(command: &mut Command) -> io::Result<Self> {
        let child = command.stdin(Stdio::null()).spawn()?;
        let mut watchdog = Command::new("sh");
        watchdog.args(["-c", "read -r nothing; kill -KILL \"$1\"", "watchdog", &child.id().to_string()]);
        watchdog.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self { child, watchdog: watchdog.spawn()? })
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The watchdog first: the server's number is free for others once its end was waited for.
        for process in [&mut self.watchdog, &mut self.child] {
            drop(process.kill());
            drop(process.wait());
        }
    }
}
