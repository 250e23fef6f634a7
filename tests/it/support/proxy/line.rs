//! What becomes of a connection's bytes.

use std::{
    io,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::support::redis::client::encode;

/// A command that no server has. It says so with the name, when all before it is done, to everybody.
const MARK: &str = "behalf-rig-mark";

/// What a test can change.
pub(super) struct Settings {
    pub(super) target: String,
    pub(super) delay: Duration,
    pub(super) swallow: Option<Vec<u8>>,
}

/// What all connections share.
pub(super) struct Line {
    settings: Mutex<Settings>,
    pub(super) accepted: AtomicUsize,
    pub(super) swallowed: AtomicUsize,
}

/// What a connection's requests came to.
enum End {
    Closed,
    /// This one, not sent yet, is to lose its reply.
    Swallow(Vec<u8>),
}

impl Line {
    pub(super) fn to(address: &str) -> Self {
        let settings = Settings { target: address.to_owned(), delay: Duration::ZERO, swallow: None };
        Self { settings: Mutex::new(settings), accepted: AtomicUsize::default(), swallowed: AtomicUsize::default() }
    }

    pub(super) fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap()
    }

    /// Carries a connection until either side ends it, or it is to be cut. An error is an end, too.
    pub(super) async fn carry(self: Arc<Self>, client: TcpStream) {
        let target = self.settings().target.clone();
        let Ok(server) = TcpStream::connect(target).await else { return };
        drop((client.set_nodelay(true), server.set_nodelay(true)));
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let end = tokio::select! {
            end = self.requests(&mut from_client, &mut to_server) => end.unwrap_or(End::Closed),
            _ = self.replies(&mut from_server, &mut to_client) => End::Closed,
        };
        let End::Swallow(request) = end else { return };
        // From here on nobody carries replies.
        let sent = to_server.write_all(&[request, encode(&[MARK])].concat()).await;
        if sent.is_ok() && until_mark(&mut from_server).await.is_ok() {
            self.swallowed.fetch_add(1, Ordering::SeqCst);
        }
    }

    async fn requests(
        &self,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<End> {
        let (mut waiting, mut piece) = (Vec::new(), vec![0; 16 * 1024]);
        let mut plain = None;
        loop {
            let read = from.read(&mut piece).await?;
            if read == 0 {
                return Ok(End::Closed);
            }
            self.hold().await;
            waiting.extend_from_slice(&piece[..read]);
            // What isn't Redis's protocol (TLS) is passed as it comes.
            let plain = *plain.get_or_insert(waiting[0] == b'*');
            while let Some(length) = if plain { first_request(&waiting) } else { whole(&waiting) } {
                let request: Vec<_> = waiting.drain(..length).collect();
                if self.is_to_be_swallowed(&request) {
                    return Ok(End::Swallow(request));
                }
                to.write_all(&request).await?;
            }
        }
    }

    async fn replies(&self, from: &mut (impl AsyncRead + Unpin), to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let mut piece = vec![0; 16 * 1024];
        loop {
            let read = from.read(&mut piece).await?;
            if read == 0 {
                return Ok(());
            }
            self.hold().await;
            to.write_all(&piece[..read]).await?;
        }
    }

    async fn hold(&self) {
        let delay = self.settings().delay;
        if !delay.is_zero() {
            // The fault itself; nothing is waited for.
            tokio::time::sleep(delay).await;
        }
    }

    fn is_to_be_swallowed(&self, request: &[u8]) -> bool {
        let mut settings = self.settings();
        let Some(bytes) = &settings.swallow else { return false };
        let found = request.windows(bytes.len()).any(|part| part == bytes);
        if found {
            settings.swallow = None;
        }
        found
    }
}

/// Reads up to the answer to the mark: the server has answered all that came before.
async fn until_mark(from: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    let (mut seen, mut piece) = (Vec::new(), vec![0; 16 * 1024]);
    while !seen.windows(MARK.len()).any(|part| part == MARK.as_bytes()) {
        let read = from.read(&mut piece).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        seen.extend_from_slice(&piece[..read]);
    }
    Ok(())
}

fn whole(bytes: &[u8]) -> Option<usize> {
    (!bytes.is_empty()).then_some(bytes.len())
}

/// The length of the first request, if it is all there.
fn first_request(bytes: &[u8]) -> Option<usize> {
    let (words, mut at) = number_at(bytes, 0)?;
    for _ in 0..words {
        let (length, begin) = number_at(bytes, at)?;
        at = begin + length + 2;
    }
    (at <= bytes.len()).then_some(at)
}

/// A line's number behind its first byte, and where the next line begins.
fn number_at(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let rest = bytes.get(at + 1..)?;
    let end = rest.iter().position(|byte| *byte == b'\r')?;
    let number = str::from_utf8(&rest[..end]).ok()?.parse().ok()?;
    Some((number, at + 1 + end + 2))
}
