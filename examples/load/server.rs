//! Starts and ends the servers under load.

use std::{
    fs::File,
    io::Write as _,
    net::{SocketAddr, TcpListener},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep},
};

use crate::{
    data::{self, Fault},
    proc,
};

/// How long a server may take to be ready.
const PATIENCE: Duration = Duration::from_mins(2);
/// Between two looks at what a server does.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// The share of a processor that a server at rest may use.
const AT_REST: f64 = 0.03;
/// The hook's secret.
pub(crate) const SECRET: &str = "Secret of-the-load-benchmark";

/// A running process. Killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) pid: String,
    /// From its start to its readiness.
    pub(crate) took: Duration,
}

/// An address that is free at the moment.
pub(crate) fn free() -> Result<SocketAddr, Fault> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}

impl Server {
    /// behalf with one worker, its data and users in `folder`.
    pub(crate) async fn behalf(binary: &Path, folder: &Path, issuer: &str) -> Result<Self, Fault> {
        Self::behalf_on(binary, folder, issuer, &[("BEHALF_STORE", "embedded:data")]).await
    }

    /// behalf with one worker and its users in `folder`, on the store that these variables name.
    pub(crate) async fn behalf_on(
        binary: &Path,
        folder: &Path,
        issuer: &str,
        store: &[(&str, &str)],
    ) -> Result<Self, Fault> {
        let address = free()?;
        // It starts in the folder of its data, where a relative path would lead elsewhere.
        let mut command = Command::new(binary.canonicalize()?);
        command
            .arg("serve")
            .current_dir(folder)
            .env_clear()
            .env("BEHALF_ENV", "development")
            .env("BEHALF_BIND", address.to_string())
            .env("BEHALF_WORKERS", "1")
            .envs(store.iter().copied())
            .env("BEHALF_USERS_FILE", "users.yaml")
            .env("BEHALF_ISSUER", issuer)
            .env("BEHALF_AUDIENCE", "api://default")
            .env("BEHALF_HOOK_SECRET", SECRET)
            .env("BEHALF_ACCESS_CLAIMS", "department email=on_behalf_email")
            .env("BEHALF_IDENTITY_CLAIMS", "department")
            .env("BEHALF_DRAIN_DELAY", "0s");
        Self::start(command, address, &folder.join(format!("behalf-{}.log", address.port())), Some("/readyz")).await
    }

    /// The floor.
    pub(crate) async fn floor(binary: &Path, folder: &Path) -> Result<Self, Fault> {
        let address = free()?;
        let mut command = Command::new(binary);
        command.arg(address.port().to_string());
        Self::start(command, address, &folder.join("floor.log"), None).await
    }

    pub(crate) async fn start(
        mut command: Command,
        address: SocketAddr,
        log: &Path,
        ready: Option<&str>,
    ) -> Result<Self, Fault> {
        let started = Instant::now();
        let child = command.stdin(Stdio::null()).stdout(File::create(log)?).stderr(Stdio::null()).spawn()?;
        let pid = child.id().to_string();
        let mut server = Self { child, address, pid, took: Duration::ZERO };
        let mut looks = tokio::time::interval(Duration::from_millis(1));
        while !answers(address, ready).await {
            if let Some(status) = server.child.try_wait()? {
                return Err(format!("{command:?} ended: {status}; see {}", log.display()).into());
            }
            if started.elapsed() > PATIENCE {
                return Err(format!("{command:?} was not ready within {PATIENCE:?}").into());
            }
            looks.tick().await;
        }
        server.took = started.elapsed();
        Ok(server)
    }

    /// Waits until it has next to nothing to do.
    pub(crate) async fn at_rest(&self) -> Result<(), Fault> {
        let (started, mut before) = (Instant::now(), proc::cpu_seconds(&self.pid)?);
        loop {
            sleep(LOOK_EVERY).await;
            let now = proc::cpu_seconds(&self.pid)?;
            if now - before < LOOK_EVERY.as_secs_f64() * AT_REST {
                return Ok(());
            }
            if started.elapsed() > PATIENCE {
                return Err(format!("process {} did not come to rest within {PATIENCE:?}", self.pid).into());
            }
            before = now;
        }
    }

    /// Ends it at once, as a loss of power would.
    pub(crate) fn kill(mut self) -> Result<(), Fault> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// True once it answers 200 to this path; without a path, once it accepts.
async fn answers(address: SocketAddr, path: Option<&str>) -> bool {
    let Ok(mut stream) = TcpStream::connect(address).await else { return false };
    let Some(path) = path else { return true };
    let request = format!("GET {path} HTTP/1.1\r\nhost: behalf.test\r\nconnection: close\r\n\r\n");
    let mut answer = Vec::new();
    let sent = stream.write_all(request.as_bytes()).await.is_ok();
    sent && stream.read_to_end(&mut answer).await.is_ok() && answer.starts_with(b"HTTP/1.1 200")
}

/// Writes the users: so many agents, and the delegators.
pub(crate) fn write_users(folder: &Path, agents: usize) -> Result<(), Fault> {
    let mut file = std::io::BufWriter::new(File::create(folder.join("users.yaml"))?);
    writeln!(file, "users:")?;
    for id in (0..agents).map(data::agent).chain((0..data::DELEGATORS).map(data::delegator)) {
        writeln!(
            file,
            "  - {{id: {id}, login: {id}@example.test, status: active, \
             profile: {{department: Operations, email: {id}@example.test}}}}"
        )?;
    }
    Ok(file.flush()?)
}
