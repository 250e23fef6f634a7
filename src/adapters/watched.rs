//! A file that is replaced while the service runs: new content is taken if it is right, else the old one stays.
//!
//! The content is polled. A mounted Kubernetes `ConfigMap` changes by the swap of a symlink two levels up, and network
//! file systems tell nothing at all, so notifications of the file itself (inotify) would miss the changes that matter.

use std::{
    fmt::Display,
    future::Future,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sha2::{Digest, Sha256};
use tokio::time::MissedTickBehavior;

/// How often a file is looked at, if the configuration doesn't say.
pub const DEFAULT_PERIOD: Duration = Duration::from_secs(2);

/// After so many looks at ever other content it is taken as it is, if it is right.
const MOST_UNSETTLED: u32 = 3;

/// What a look at the file came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reloaded {
    /// The content is the one in use.
    Same,
    /// New content, in use from now on.
    Taken,
    /// New content, taken if the next look finds the same: a file that is being written isn't taken half.
    Settling,
}

/// SHA-256 of a content.
pub type Hash = [u8; 32];

/// The hash of a content.
pub fn hash(content: &[u8]) -> Hash {
    Sha256::digest(content).into()
}

/// What a file holds, and what is done with it. All of it may block.
pub trait Content: Send + Sync + 'static {
    /// A content that is right.
    type Value;
    /// What is wrong with one that isn't.
    type Wrong: Clone + Display + Send + 'static;

    /// What logs call it, in the plural: `users`.
    const WHAT: &'static str;

    /// The file's bytes, bounded.
    fn read(&self, path: &Path) -> Result<Vec<u8>, Self::Wrong>;

    /// Checks all of it.
    fn parse(&self, content: &[u8]) -> Result<Self::Value, Self::Wrong>;

    /// Puts it in use.
    fn take(&self, value: Self::Value);

    /// The look itself failed.
    fn failed(why: String) -> Self::Wrong;

    /// Told after each look: whether the file is wrong or gone, so that old content is in use.
    fn in_doubt(&self, _is_so: bool) {}
}

/// A file, and what it last held when it was right.
pub struct Watched<C: Content> {
    path: Option<PathBuf>,
    content: C,
    seen: Mutex<Seen<C::Wrong>>,
}

struct Seen<W> {
    /// Of the content in use.
    loaded: Hash,
    /// Of other content, seen once so far.
    settling: Option<Hash>,
    /// Looks in a row that found new content which nobody had seen before.
    unsettled: u32,
    /// Of content that was refused (or of the reading's failure), and why.
    refused: Option<(Hash, W)>,
}

impl<W> Seen<W> {
    fn settle(&mut self) {
        self.settling = None;
        self.unsettled = 0;
    }
}

/// Whether new content must be seen twice.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    AtOnce,
    Twice,
}

impl<C: Content> Watched<C> {
    /// A file whose content of this hash is in use already; without a path there is nothing to watch.
    pub fn new(path: Option<PathBuf>, loaded: Hash, content: C) -> Self {
        let seen = Seen { loaded, settling: None, unsettled: 0, refused: None };
        Self { path, content, seen: Mutex::new(seen) }
    }

    /// What is done with it.
    pub fn content(&self) -> &C {
        &self.content
    }

    /// Why the file as it is now is not in use.
    pub fn last_error(&self) -> Option<C::Wrong> {
        self.seen().refused.as_ref().map(|(_, why)| why.clone())
    }

    /// Takes the file as it is now.
    pub async fn reload_now(self: &Arc<Self>) -> Result<Reloaded, C::Wrong> {
        self.look(Look::AtOnce).await
    }

    /// Looks at the file every `period`, until it is dropped; ends at once if there is no file.
    pub fn watch(self: &Arc<Self>, period: Duration) -> impl Future<Output = ()> + Send + use<C> {
        let this = Arc::clone(self);
        async move {
            if this.path.is_none() {
                return;
            }
            let mut ticks = tokio::time::interval(period.max(Duration::from_millis(10)));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                // What is wrong is logged and kept for `last_error`.
                let _ = this.look(Look::Twice).await;
            }
        }
    }

    async fn look(self: &Arc<Self>, look: Look) -> Result<Reloaded, C::Wrong> {
        let this = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || this.look_blocking(look).map_err(Some)).await;
        done.unwrap_or(Err(None))
            .map_err(|why| why.unwrap_or_else(|| C::failed(format!("reading the file of {} broke off", C::WHAT))))
    }

    fn look_blocking(&self, look: Look) -> Result<Reloaded, C::Wrong> {
        let Some(path) = &self.path else { return Ok(Reloaded::Same) };
        let read = self.content.read(path);
        let now = match &read {
            Ok(content) => hash(content),
            Err(why) => hash(why.to_string().as_bytes()),
        };
        // Held to the end, so that two looks at a time can't put an older content over a newer one.
        let mut seen = self.seen();
        let came_to = self.judge(&mut seen, path, look, now, read);
        self.content.in_doubt(seen.refused.is_some());
        came_to
    }

    fn judge(
        &self,
        seen: &mut Seen<C::Wrong>,
        path: &Path,
        look: Look,
        now: Hash,
        read: Result<Vec<u8>, C::Wrong>,
    ) -> Result<Reloaded, C::Wrong> {
        if seen.loaded == now {
            if seen.refused.take().is_some() {
                tracing::info!(path = %path.display(), "the file of {} is again the one in use", C::WHAT);
            }
            seen.settle();
            return Ok(Reloaded::Same);
        }
        if let Some((refused, why)) = &seen.refused
            && *refused == now
        {
            return Err(why.clone());
        }
        if look == Look::Twice && seen.settling.replace(now) != Some(now) {
            seen.unsettled = seen.unsettled.saturating_add(1);
            return self.unsettled(seen, path, now, read);
        }
        seen.settle();
        self.take(seen, path, now, read.and_then(|content| self.content.parse(&content)))
    }

    /// A file that is other at every look would never be taken, and a revocation in it never hold.
    fn unsettled(
        &self,
        seen: &mut Seen<C::Wrong>,
        path: &Path,
        now: Hash,
        read: Result<Vec<u8>, C::Wrong>,
    ) -> Result<Reloaded, C::Wrong> {
        if seen.unsettled < MOST_UNSETTLED {
            return Ok(Reloaded::Settling);
        }
        match read.and_then(|content| self.content.parse(&content)) {
            Ok(value) => {
                let path_shown = path.display();
                tracing::warn!(path = %path_shown, "the file of {} is another at every look: taken unsettled", C::WHAT);
                seen.settle();
                self.take(seen, path, now, Ok(value))
            }
            // Perhaps a file that is half written. Told once.
            Err(why) => {
                if seen.unsettled == MOST_UNSETTLED {
                    let path = path.display();
                    tracing::warn!(%path, %why, "the file of {} is another at every look, and wrong", C::WHAT);
                }
                Ok(Reloaded::Settling)
            }
        }
    }

    fn take(
        &self,
        seen: &mut Seen<C::Wrong>,
        path: &Path,
        now: Hash,
        parsed: Result<C::Value, C::Wrong>,
    ) -> Result<Reloaded, C::Wrong> {
        match parsed {
            Ok(value) => {
                tracing::info!(path = %path.display(), "took the new file of {}", C::WHAT);
                self.content.take(value);
                seen.loaded = now;
                seen.refused = None;
                Ok(Reloaded::Taken)
            }
            Err(why) => {
                tracing::error!(path = %path.display(), %why, "kept the old {}: the new file is wrong", C::WHAT);
                seen.refused = Some((now, why.clone()));
                Err(why)
            }
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen<C::Wrong>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
