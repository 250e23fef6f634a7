//! A faulty line to a server: its faults are switched on and off while it runs.
//!
//! It has a thread and a clock of its own, so it works whatever the test's runtime does.

use std::{
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    thread,
    time::Duration,
};

use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
    task::{AbortHandle, JoinHandle},
};

use self::line::Line;
use super::ports;

mod line;

/// A proxy before one address.
pub(crate) struct Proxy {
    port: u16,
    line: Arc<Line>,
    connections: Arc<Mutex<Vec<AbortHandle>>>,
    listening: Mutex<Option<JoinHandle<()>>>,
    runtime: Option<Runtime>,
}

impl Proxy {
    /// Passes everything on to this address.
    pub(crate) fn to(address: &str) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let connections = Arc::default();
        let proxy = Self {
            port: ports::free(),
            line: Arc::new(Line::to(address)),
            connections,
            listening: Mutex::default(),
            runtime: Some(runtime),
        };
        proxy.admit();
        proxy
    }

    /// Where clients connect, as `127.0.0.1:port`.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Where connections go.
    pub(crate) fn target(&self) -> String {
        self.line.settings().target.clone()
    }

    /// New connections go to another server, as after a failover behind one address.
    pub(crate) fn retarget(&self, address: &str) {
        address.clone_into(&mut self.line.settings().target);
    }

    /// Cuts all connections. When it returns, they are closed.
    pub(crate) fn cut(&self) {
        let all = std::mem::take(&mut *locked(&self.connections));
        all.iter().for_each(AbortHandle::abort);
        wait(|| all.iter().all(AbortHandle::is_finished));
    }

    /// New connections are refused, as by a machine where nothing listens. Those that are open stay.
    pub(crate) fn refuse(&self) {
        let Some(listening) = locked(&self.listening).take() else { return };
        listening.abort();
        wait(|| listening.is_finished());
    }

    /// New connections are taken again.
    pub(crate) fn admit(&self) {
        let mut listening = locked(&self.listening);
        if listening.is_some() {
            return;
        }
        let socket = std::net::TcpListener::bind(("127.0.0.1", self.port)).unwrap();
        socket.set_nonblocking(true).unwrap();
        let (line, connections) = (Arc::clone(&self.line), Arc::clone(&self.connections));
        let accept = async move {
            let socket = TcpListener::from_std(socket).unwrap();
            while let Ok((client, _)) = socket.accept().await {
                line.accepted.fetch_add(1, Ordering::SeqCst);
                let task = tokio::spawn(Arc::clone(&line).carry(client));
                locked(&connections).push(task.abort_handle());
            }
        };
        *listening = self.runtime.as_ref().map(|runtime| runtime.spawn(accept));
    }

    /// What goes in either direction is held back at least this long, from the next piece on.
    pub(crate) fn delay(&self, by: Duration) {
        self.line.settings().delay = by;
    }

    /// Once: the next request that contains these bytes reaches the server and is carried out, then its connection is
    /// cut before the reply. (What else was under way on the connection shares this fate.) Not inside a transaction.
    pub(crate) fn swallow_replies(&self, of: &[u8]) {
        self.line.settings().swallow = Some(of.to_vec());
    }

    /// How many connections were cut like that: they are cut after the server has answered.
    pub(crate) fn swallowed(&self) -> usize {
        self.line.swallowed.load(Ordering::SeqCst)
    }

    /// How many connections were taken so far.
    pub(crate) fn accepted(&self) -> usize {
        self.line.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A task that is told to end does so at its next step, which is at once.
fn wait(ended: impl Fn() -> bool) {
    while !ended() {
        thread::yield_now();
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
