//! The admin socket.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::PathBuf,
    sync::Arc,
};

use behalf::{
    adapters::store::embedded::{
        EmbeddedStore, OpenError,
        admin::{AskError, MOST_REQUEST, SOCKET, ask, serve},
        copy::Copied,
        media::DATA_FILE,
        status::{Status, status_offline},
    },
    ports::{clock::ManualClock, store::Store},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::{bench, open};
use crate::contract::stores::{draft, key, ms, soon, start, tenant};

/// A store whose socket is served.
struct Served {
    folder: TempDir,
    store: Arc<EmbeddedStore>,
    clock: Arc<ManualClock>,
    stop: CancellationToken,
    server: JoinHandle<std::io::Result<()>>,
}

impl Served {
    async fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap()).await
    }

    async fn start_in(folder: TempDir) -> Self {
        let (store, clock) = open(folder.path());
        let stop = CancellationToken::new();
        let (path, serving, token) = (folder.path().join(SOCKET), Arc::clone(&store), stop.clone());
        let server = tokio::spawn(async move { serve(&path, serving, token).await });
        let started = Self { folder, store, clock, stop, server };
        soon(async {
            while ask(&started.socket(), &json!({"cmd": "status"})).await.is_err() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        started
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join(SOCKET)
    }

    /// Sends raw bytes and reads until the server closes.
    async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = UnixStream::connect(self.socket()).await.unwrap();
        // The server may close before it has read everything.
        drop(stream.write_all(bytes).await);
        drop(stream.shutdown().await);
        let mut answer = Vec::new();
        drop(soon(stream.read_to_end(&mut answer)).await);
        String::from_utf8(answer).unwrap()
    }
}

#[tokio::test]
async fn status_tells_the_counts() {
    let s = Served::start().await;
    let b = bench(&s.store, &s.clock);
    b.done(draft().put(key(1), b"").put(key(2), b"").event(b"e").event(b"f").build()).await;
    b.done(draft().put(key(2), b"again").put(key(3), b"").remove(key(1)).remove(key(9)).build()).await;
    s.store.lease(&b.tenant, "seal", "one", ms(5)).await.unwrap();
    s.store.commit(&tenant("b"), draft().event(b"e").build()).await.unwrap();
    let answer = soon(ask(&s.socket(), &json!({"cmd": "status"}))).await.unwrap();
    let status: Status = serde_json::from_value(answer).unwrap();
    assert_eq!(status.incarnation, s.store.incarnation(&super::super::stores::tenant("acme")).await.unwrap());
    assert_eq!(status.file_bytes, fs::metadata(s.folder.path().join(DATA_FILE)).unwrap().len());
    assert_eq!(status.time, start());
    let counts: Vec<_> =
        status.tenants.iter().map(|t| (t.tenant.as_str(), t.records, t.events, t.last_seq, t.time)).collect();
    assert_eq!(counts, [("acme", 2, 2, 2, start()), ("b", 0, 1, 1, start())]);
    // Without the process, the file tells the same.
    let offline = status_offline(s.folder.path(), &*s.clock);
    assert!(matches!(offline, Err(OpenError::InUse(_))), "{offline:?}");
    s.store.close();
    let offline = status_offline(s.folder.path(), &*s.clock).unwrap();
    assert_eq!((offline.incarnation, offline.tenants), (status.incarnation, status.tenants));
}

#[tokio::test]
async fn a_backup_is_made_over_the_socket() {
    let s = Served::start().await;
    bench(&s.store, &s.clock).done(draft().put(key(1), b"").event(b"e").build()).await;
    let file = s.folder.path().join("backup");
    let request = json!({"cmd": "backup", "file": file});
    let copied: Copied = serde_json::from_value(soon(ask(&s.socket(), &request)).await.unwrap()).unwrap();
    assert_eq!((copied.records, copied.events), (1, 1));
    assert_eq!(copied.file_bytes, fs::metadata(&file).unwrap().len());
    for (request, why) in [
        (request, "already"),
        (json!({"cmd": "backup", "file": "relative"}), "absolute"),
        (json!({"cmd": "backup"}), "absolute"),
        (json!({"cmd": "backup", "file": s.folder.path().join("nowhere/b")}), "No such file"),
    ] {
        let refused = soon(ask(&s.socket(), &request)).await;
        assert!(matches!(&refused, Err(AskError::Refused(text)) if text.contains(why)), "{refused:?}");
    }
}

#[tokio::test]
async fn what_is_no_command_is_said_so() {
    let s = Served::start().await;
    let unknown = soon(ask(&s.socket(), &json!({"cmd": "explode"}))).await.unwrap_err();
    assert!(matches!(&unknown, AskError::Refused(text) if text.contains("explode") && text.contains("status")));
    for bytes in ["nonsense\n", "[]\n", "{}\n", "{\"cmd\":7}\n", "\n", "{\"cmd\""] {
        let answer: Value = serde_json::from_str(&s.raw(bytes.as_bytes()).await).unwrap();
        assert!(answer["error"].is_string() && answer.get("ok").is_none(), "{bytes}: {answer}");
    }
    let two = s.raw(b"{\"cmd\":\"status\"}\n\xff\xfe\n").await;
    let lines: Vec<Value> = two.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines[0]["ok"].is_object() && lines[1]["error"].is_string());
}

#[tokio::test]
async fn a_line_is_bounded() {
    let s = Served::start().await;
    let fits = format!("{:<width$}\n", "{\"cmd\":\"status\"}", width = MOST_REQUEST - 1);
    assert!(s.raw(fits.as_bytes()).await.starts_with("{\"ok\""));
    let long = format!("{:<width$}\n", "{\"cmd\":\"status\"}", width = MOST_REQUEST);
    let mut stream = UnixStream::connect(s.socket()).await.unwrap();
    stream.write_all(&long.as_bytes()[..MOST_REQUEST]).await.unwrap();
    let mut answer = String::new();
    soon(stream.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.contains("at most 4096 bytes"), "{answer}");
    assert!(ask(&s.socket(), &json!({"cmd": "status"})).await.is_ok());
}

#[tokio::test]
async fn the_socket_is_the_owners_own_and_goes_with_the_server() {
    let s = Served::start().await;
    assert_eq!(fs::metadata(s.socket()).unwrap().permissions().mode() & 0o777, 0o600);
    let second = soon(serve(&s.socket(), Arc::clone(&s.store), s.stop.clone())).await.unwrap_err();
    assert_eq!(second.kind(), std::io::ErrorKind::AddrInUse);
    assert!(ask(&s.socket(), &json!({"cmd": "status"})).await.is_ok());
    let socket = s.socket();
    s.stop.cancel();
    soon(s.server).await.unwrap().unwrap();
    assert!(!socket.exists());
    let gone = ask(&socket, &json!({"cmd": "status"})).await;
    assert!(matches!(gone, Err(AskError::NotRunning(_))), "{gone:?}");
}

#[tokio::test]
async fn a_dead_socket_is_replaced_and_a_file_is_not() {
    let folder = tempfile::tempdir().unwrap();
    drop(UnixListener::bind(folder.path().join(SOCKET)).unwrap());
    let dead = ask(&folder.path().join(SOCKET), &json!({"cmd": "status"})).await;
    assert!(matches!(dead, Err(AskError::NotRunning(_))), "{dead:?}");
    let s = Served::start_in(folder).await;
    let file = s.folder.path().join("file");
    fs::write(&file, "precious").unwrap();
    let refused = soon(serve(&file, Arc::clone(&s.store), s.stop.clone())).await.unwrap_err();
    assert!(refused.to_string().contains("no socket"), "{refused}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
}

#[tokio::test]
async fn looking_at_a_folder_without_data_makes_none() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(start());
    assert!(matches!(status_offline(folder.path(), &clock), Err(OpenError::Io(..))));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
