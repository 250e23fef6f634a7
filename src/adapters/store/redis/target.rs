//! Keeps a link to one server, or to whoever is master now: makes a new one whenever it breaks.

use std::{sync::Arc, time::Duration};

use redis::cmd;
use tokio::{
    sync::watch,
    task::AbortHandle,
    time::{Instant, sleep, timeout, timeout_at},
};

use super::{
    Address, Dial,
    fault::{self, Fault},
    link::{self, Link, Mode},
};
use crate::ports::entropy;

/// The first pause after a failed attempt, and the longest one.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// A connection that lasted as long was a good one.
const STABLE: Duration = Duration::from_secs(5);
/// Whoever asks waits for a pause as short as that.
const BRIEF: Duration = Duration::from_millis(200);
/// Between two looks whether the server is still there and a master.
const PROBE_EVERY: Duration = Duration::from_secs(1);

/// Where a target is.
#[derive(Debug, Clone)]
pub(super) enum Finder {
    /// Always there.
    At(Address, Mode),
    /// The sentinels know.
    Sentinels(Vec<Address>, String),
}

#[derive(Clone)]
enum State {
    /// For the first time, or after a break.
    Connecting,
    Up(Arc<Link>),
    /// Tried, and to be tried again.
    Down(Fault),
}

/// A server to talk to.
pub(super) struct Target {
    state: watch::Receiver<State>,
    patience: Duration,
    keeper: AbortHandle,
}

impl Target {
    /// Begins to connect.
    pub(super) fn start(finder: Finder, dial: &Arc<Dial>) -> Arc<Self> {
        let (sender, state) = watch::channel(State::Connecting);
        let keeper = dial.runtime.spawn(keep(finder, Arc::clone(dial), sender)).abort_handle();
        // Longer than an attempt at one server takes: it ends by itself, and then says why.
        let patience = dial.connect_timeout * 2 + dial.response_timeout;
        Arc::new(Self { state, patience, keeper })
    }

    /// The link. While there is none it waits for the attempt under way, but not for the next one.
    pub(super) async fn link(&self) -> Result<Arc<Link>, Fault> {
        if let State::Up(link) = &*self.state.borrow()
            && !link.is_broken()
        {
            return Ok(Arc::clone(link));
        }
        let (until, mut state) = (Instant::now() + self.patience, self.state.clone());
        loop {
            match &*state.borrow_and_update() {
                State::Up(link) if !link.is_broken() => return Ok(Arc::clone(link)),
                State::Down(fault) => return Err(fault.clone()),
                State::Up(_) | State::Connecting => {}
            }
            match timeout_at(until, state.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(Fault::Away("the store was closed".to_owned())),
                Err(_) => {
                    let text = "Redis is being connected to, and not reached yet (BEHALF_REDIS_CONNECT_TIMEOUT)";
                    return Err(Fault::Away(text.to_owned()));
                }
            }
        }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

async fn keep(finder: Finder, dial: Arc<Dial>, state: watch::Sender<State>) {
    let (mut pause, mut told) = (PAUSES.0, None);
    loop {
        let begun = Instant::now();
        match attempt(&finder, &dial).await {
            Ok(link) => {
                let link = Arc::new(link);
                tracing::info!(server = %link.address, line = link.line, "connected to Redis");
                told = None;
                state.send_replace(State::Up(Arc::clone(&link)));
                until_it_breaks(&link).await;
                tracing::warn!(server = %link.address, "the connection to Redis broke");
                state.send_replace(State::Connecting);
                if begun.elapsed() > STABLE {
                    pause = PAUSES.0;
                    continue;
                }
                // One that breaks as soon as it is made, and never served, is no better than none.
                let longest = if link.has_served() { BRIEF } else { PAUSES.1 };
                pause = pause.min(longest);
                if pause > BRIEF {
                    let why = "the connection to Redis breaks again and again".to_owned();
                    state.send_replace(State::Down(Fault::Away(why)));
                }
                sleep(jittered(pause, &dial)).await;
                pause = (pause * 2).min(longest);
            }
            Err(fault) => {
                if told.as_ref() != Some(&fault) {
                    tracing::warn!(why = %fault, "Redis can't be connected to; it is tried again and again");
                }
                told = Some(fault.clone());
                state.send_replace(State::Down(fault));
                sleep(jittered(pause, &dial)).await;
                pause = (pause * 2).min(PAUSES.1);
            }
        }
    }
}

async fn until_it_breaks(link: &Link) {
    while !link.is_broken() {
        if timeout(PROBE_EVERY, link.broke.notified()).await.is_err() {
            link.probe().await;
        }
    }
}

/// Between half of it and all of it, so that replicas don't come all at once.
fn jittered(pause: Duration, dial: &Dial) -> Duration {
    entropy::between(&*dial.entropy, pause / 2..=pause)
}

async fn attempt(finder: &Finder, dial: &Arc<Dial>) -> Result<Link, Fault> {
    match finder {
        Finder::At(address, mode) => Link::open(address, *mode, dial).await,
        Finder::Sentinels(sentinels, master) => {
            Link::open(&ask_sentinels(sentinels, master, dial).await?, Mode::Alone, dial).await
        }
    }
}

/// Where the master is, as the first sentinel says that knows.
pub(super) async fn ask_sentinels(sentinels: &[Address], master: &str, dial: &Dial) -> Result<Address, Fault> {
    let dial = dial.for_sentinels();
    let mut why = Vec::new();
    for sentinel in sentinels {
        match ask_sentinel(sentinel, master, &dial).await {
            Ok(address) => return Ok(address),
            Err(fault) => why.push(fault.to_string()),
        }
    }
    Err(Fault::Away(format!("no sentinel tells who is master: {}", why.join("; "))))
}

/// `dial`: for sentinels.
pub(super) async fn ask_sentinel(sentinel: &Address, master: &str, dial: &Dial) -> Result<Address, Fault> {
    let mut connection = link::connect(sentinel, dial).await.map_err(Fault::of_sentinel)?;
    let mut command = cmd("SENTINEL");
    command.arg("GET-MASTER-ADDR-BY-NAME").arg(master);
    let said: Result<Option<(String, u16)>, _> = command.query_async(&mut connection).await;
    let found = said.map_err(|error| match fault::of_greeting(sentinel, &error).of_sentinel() {
        Fault::Away(text) if text.contains("unknown command") => {
            Fault::Refused(format!("{sentinel} is no sentinel: BEHALF_STORE must be `redis://…`"))
        }
        other => other,
    })?;
    found
        .map(|(host, port)| Address { host, port })
        .ok_or_else(|| Fault::Refused(format!("the sentinel {sentinel} knows no master `{master}` (BEHALF_STORE)")))
}
