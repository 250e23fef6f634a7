//! The unix socket by which commands ask a running store: one JSON object per line in, one out.
//!
//! `{"cmd":"status"}` and `{"cmd":"backup","file":"/…"}` are answered with `{"ok":{…}}`, whatever goes wrong with
//! `{"error":"…"}`; `audit` and `audit-marks` take a `tenant` and a number `after`, `audit-growth` a `tenant`, `read` a
//! `tenant` and a few `keys` in hex.
//! Only the process's own user and root may connect. A backup is written as the process's user.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::Semaphore,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{EmbeddedStore, through_process};
use crate::{
    app::{growth, sealed},
    domain::ids::TenantName,
};

/// The socket's name in the data folder.
pub const SOCKET: &str = "admin.sock";
/// The longest line of a request, its end included.
pub const MOST_REQUEST: usize = 4096;
/// The longest answer that a client reads.
const MOST_ANSWER: u64 = 4 << 20;
/// Callers at the same time; more wait.
const CALLERS: usize = 8;
/// A caller that sends nothing for so long is cut off; so long a client waits.
const PATIENCE: Duration = Duration::from_secs(30);
/// So long somebody who may not ask is waited for.
const STRANGERS: Duration = Duration::from_secs(1);

/// Why a running store gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No process serves this socket.
    #[error("no running process answers at {0}")]
    NotRunning(String),
    /// The connection broke, or the answer took too long.
    #[error("the running process did not answer: {0}")]
    Io(#[from] io::Error),
    /// The answer is not of the form agreed.
    #[error("the running process gave no sensible answer")]
    Form,
    /// It answered with an error.
    #[error("{0}")]
    Refused(String),
}

/// Serves the socket until it is cancelled, then removes it. A socket that a dead process left is replaced; one
/// that somebody answers at is an error, and so is anything else of that name.
pub async fn serve(path: &Path, store: Arc<EmbeddedStore>, stop: CancellationToken) -> io::Result<()> {
    let listener = bind(path).await?;
    let own = UnixStream::pair()?.0.peer_cred()?.uid();
    let callers = Arc::new(Semaphore::new(CALLERS));
    loop {
        let Ok(place) = Arc::clone(&callers).acquire_owned().await else { break };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "the admin socket can't accept");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (store, stop) = (Arc::clone(&store), stop.clone());
        tokio::spawn(async move {
            let _place = place;
            tokio::select! {
                () = stop.cancelled() => {}
                result = converse(stream, own, &store) => {
                    if let Err(error) = result {
                        tracing::debug!(%error, "a caller of the admin socket went away");
                    }
                }
            }
        });
    }
    drop(listener);
    fs::remove_file(path)
}

async fn bind(path: &Path) -> io::Result<UnixListener> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(named(error)),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(named(io::Error::other("is in the way and is no socket")));
        }
        Ok(_) => match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path).map_err(named)?,
            Err(error) => return Err(named(error)),
            Ok(_) => return Err(named(io::Error::new(io::ErrorKind::AddrInUse, "another process answers here"))),
        },
    }
    // The folder is 0700, so nobody else gets in before the mode is set.
    let listener = UnixListener::bind(path).map_err(named)?;
    fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(named)?;
    Ok(listener)
}

async fn converse(stream: UnixStream, own: u32, store: &Arc<EmbeddedStore>) -> io::Result<()> {
    let caller = stream.peer_cred()?.uid();
    let (input, mut output) = stream.into_split();
    let mut input = BufReader::new(input);
    if caller != own && caller != 0 {
        // What is left unread when the connection is closed would destroy the answer.
        let mut bounded = (&mut input).take(MOST_REQUEST as u64);
        drop(timeout(STRANGERS, bounded.read_until(b'\n', &mut Vec::new())).await);
        return say(&mut output, &json!({"error": "only the user that behalf runs as, and root, may ask"})).await;
    }
    loop {
        let mut line = Vec::new();
        let mut bounded = (&mut input).take(MOST_REQUEST as u64);
        timeout(PATIENCE, bounded.read_until(b'\n', &mut line)).await??;
        if line.is_empty() {
            return Ok(());
        }
        if line.last() != Some(&b'\n') && line.len() == MOST_REQUEST {
            let text = format!("a request has at most {MOST_REQUEST} bytes");
            return say(&mut output, &json!({ "error": text })).await;
        }
        let answer =
            answer(&line, store).await.map_or_else(|error| json!({ "error": error }), |ok| json!({ "ok": ok }));
        say(&mut output, &answer).await?;
    }
}

async fn say(output: &mut (impl AsyncWriteExt + Unpin), answer: &Value) -> io::Result<()> {
    let mut line = answer.to_string().into_bytes();
    line.push(b'\n');
    timeout(PATIENCE, output.write_all(&line)).await?
}

async fn answer(line: &[u8], store: &Arc<EmbeddedStore>) -> Result<Value, String> {
    let request: Value = serde_json::from_slice(line).map_err(|e| format!("not a JSON object: {e}"))?;
    let command = request.get("cmd").and_then(Value::as_str).ok_or("a request is a JSON object with `cmd`")?;
    match command {
        "status" => {
            let status = store.status().map_err(|e| e.to_string())?;
            serde_json::to_value(status).map_err(|e| e.to_string())
        }
        "audit" | "audit-growth" | "audit-marks" => audit(command, &request, store).await,
        "backup" => {
            let file = request.get("file").and_then(Value::as_str).map(PathBuf::from);
            let file = file.filter(|file| file.is_absolute()).ok_or("`file` is the absolute path of a file to make")?;
            let store = Arc::clone(store);
            let copied = tokio::task::spawn_blocking(move || store.backup(&file)).await;
            let copied = copied.map_err(|e| e.to_string())?.map_err(|e| e.to_string())?;
            serde_json::to_value(copied).map_err(|e| e.to_string())
        }
        "read" => through_process::answer(&request, &**store).await,
        other => {
            Err(format!("unknown command {other:?}; known: audit, audit-growth, audit-marks, backup, read, status"))
        }
    }
}

/// A page of the sealed trail, or of what attests it.
async fn audit(command: &str, request: &Value, store: &EmbeddedStore) -> Result<Value, String> {
    let tenant = request.get("tenant").and_then(Value::as_str).ok_or("`tenant` is missing")?;
    let tenant = TenantName::parse(tenant).map_err(|error| format!("`tenant` {error}"))?;
    let after = request.get("after").and_then(Value::as_u64);
    let answer = match command {
        "audit" => sealed::export(store, &tenant, after.unwrap_or(0)).await.map(serde_json::to_value),
        "audit-growth" => growth::growth(store, &tenant).await.map(serde_json::to_value),
        _ => sealed::marks(store, &tenant, after).await.map(serde_json::to_value),
    };
    answer.map_err(|e| e.to_string())?.map_err(|e| e.to_string())
}

/// Asks the process that serves the socket, and gives what it answers under `ok`. Waits 30 s.
pub async fn ask(path: &Path, request: &Value) -> Result<Value, AskError> {
    timeout(PATIENCE, ask_patiently(path, request)).await.map_err(io::Error::from)?
}

/// As [`ask`], for what may take long: waits for as long as the process lives.
pub async fn ask_patiently(path: &Path, request: &Value) -> Result<Value, AskError> {
    let stream = match UnixStream::connect(path).await {
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Err(AskError::NotRunning(path.display().to_string()));
        }
        connected => connected?,
    };
    let line = exchange(stream, request).await?;
    if line.is_empty() {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it closed the connection").into());
    }
    let mut answer: Value = serde_json::from_slice(&line).map_err(|_| AskError::Form)?;
    if let Some(ok) = answer.get_mut("ok") {
        return Ok(ok.take());
    }
    match answer.get("error").and_then(Value::as_str) {
        Some(error) => Err(AskError::Refused(error.to_owned())),
        None => Err(AskError::Form),
    }
}

async fn exchange(mut stream: UnixStream, request: &Value) -> io::Result<Vec<u8>> {
    say(&mut stream, request).await?;
    let mut line = Vec::new();
    BufReader::new(stream).take(MOST_ANSWER).read_until(b'\n', &mut line).await?;
    Ok(line)
}
