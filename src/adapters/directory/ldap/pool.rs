//! The connections. They come about when they are needed, in a task of their own that nobody's impatience ends, one at
//! a time, and not again at once after a failure: neither a server that comes up nor an account that is locked after
//! wrong passwords is stormed.

use std::{
    sync::{
        Arc, PoisonError, RwLock, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Mutex, time::Instant};

use super::{fault::unavailable, line::Line, settings::Settings, stream::Trust};
use crate::ports::{
    directory::DirectoryError,
    entropy::{self, Entropy},
};

/// After the first failure nobody tries for this long, after each further one for twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// The longest wait where no server answers.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// The wait where a server answers and doesn't let us in.
const REFUSED_WAIT: Duration = Duration::from_secs(15);
/// A connection is looked at this often.
const LOOK: Duration = Duration::from_secs(15);
/// How long a connection to another server than the first is kept.
const STRANGER: Duration = Duration::from_secs(30);

/// The connections of one connector.
pub(super) struct Pool {
    settings: Settings,
    trust: Trust,
    entropy: Arc<dyn Entropy>,
    lines: Vec<RwLock<Option<Arc<Line>>>>,
    next: AtomicUsize,
    opening: Mutex<Failed>,
}

/// What came of the last attempts.
#[derive(Default)]
struct Failed {
    times: u32,
    last: Option<(DirectoryError, Instant)>,
}

impl Pool {
    /// Connects to nobody yet.
    pub(super) fn new(settings: Settings, trust: Trust, entropy: Arc<dyn Entropy>) -> Self {
        let lines = (0..settings.connections.max(1)).map(|_| RwLock::default()).collect();
        Self { settings, trust, entropy, lines, next: AtomicUsize::default(), opening: Mutex::default() }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// A connection that was alive a moment ago.
    pub(super) async fn line(self: &Arc<Self>) -> Result<Arc<Line>, DirectoryError> {
        let at = self.next.fetch_add(1, Ordering::Relaxed) % self.lines.len();
        if let Some(line) = self.alive(at) {
            if line.server > 0 && line.since.elapsed() > STRANGER {
                tokio::spawn(Arc::clone(self).look_for_better(at, line.since));
            }
            return Ok(line);
        }
        let opening = tokio::spawn(Arc::clone(self).open(at));
        opening.await.unwrap_or_else(|_| Err(unavailable("the connection could not be made")))
    }

    fn alive(&self, at: usize) -> Option<Arc<Line>> {
        let line = self.lines[at].read().unwrap_or_else(PoisonError::into_inner);
        line.as_ref().filter(|line| line.is_alive()).cloned()
    }

    fn put(&self, at: usize, line: &Arc<Line>) {
        *self.lines[at].write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(line));
        tokio::spawn(watch(Arc::downgrade(line)));
    }

    async fn open(self: Arc<Self>, at: usize) -> Result<Arc<Line>, DirectoryError> {
        let mut failed = self.opening.lock().await;
        // Who waited here before may have made it, or failed a moment ago.
        if let Some(line) = self.alive(at) {
            return Ok(line);
        }
        if let Some((error, until)) = &failed.last
            && Instant::now() < *until
        {
            return Err(error.clone());
        }
        match self.open_first().await {
            Ok(line) => {
                let line = Arc::new(line);
                self.put(at, &line);
                *failed = Failed::default();
                Ok(line)
            }
            Err(error) => {
                failed.times = failed.times.saturating_add(1);
                tracing::warn!(%error, "no connection to the LDAP servers");
                failed.last = Some((error.clone(), Instant::now() + self.wait(&error, failed.times)));
                Err(error)
            }
        }
    }

    /// The first server that lets us in. Where all fail, what the first one said, unless only another one answered.
    async fn open_first(&self) -> Result<Line, DirectoryError> {
        let mut why: Option<DirectoryError> = None;
        for at in 0..self.settings.servers.len() {
            match Line::open(&self.settings, at, &self.trust).await {
                Ok(line) => return Ok(line),
                Err(error @ DirectoryError::Rejected(_)) if !matches!(why, Some(DirectoryError::Rejected(_))) => {
                    why = Some(error);
                }
                Err(error) => why = why.or(Some(error)),
            }
        }
        Err(why.unwrap_or_else(|| unavailable("no server is named")))
    }

    /// With up to a half more, so that replicas don't come all at once.
    fn wait(&self, error: &DirectoryError, times: u32) -> Duration {
        let wait = match error {
            DirectoryError::Rejected(_) => REFUSED_WAIT,
            _ => FIRST_WAIT.saturating_mul(1 << (times - 1).min(10)).min(LONGEST_WAIT),
        };
        entropy::between(&*self.entropy, wait..=wait * 3 / 2)
    }

    /// Takes the place of a connection to a server that isn't the first, if one before it answers again.
    async fn look_for_better(self: Arc<Self>, at: usize, since: Instant) {
        // Who else is at it does it for us, too.
        let Ok(_alone) = self.opening.try_lock() else { return };
        let Some(old) = self.alive(at).filter(|line| line.since == since) else { return };
        if let Ok(line) = self.open_first().await
            && line.server <= old.server
        {
            self.put(at, &Arc::new(line));
        }
    }
}

/// Looks whether the server still answers: what lies between may have dropped the connection and told nobody.
async fn watch(line: Weak<Line>) {
    let mut looks = tokio::time::interval(LOOK);
    looks.tick().await;
    loop {
        looks.tick().await;
        let Some(line) = line.upgrade().filter(|line| line.is_alive()) else { return };
        // After an answer that doesn't come it isn't alive any more.
        line.answers().await;
    }
}
