//! The file of users as it is in use, and how it is replaced while the service runs.
//!
//! The content is polled. A mounted Kubernetes `ConfigMap` changes by the swap of a symlink two levels up, and network
//! file systems tell nothing at all, so notifications of the file itself (inotify) would miss the changes that matter.

use std::{
    future::Future,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use sha2::{Digest, Sha256};
use tokio::time::MissedTickBehavior;

use super::file::{self, Mistakes, Users};

/// How often the file is looked at, if the configuration doesn't say.
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

type Hash = [u8; 32];

/// A file and the users it last held when it was right.
pub(super) struct UserFile {
    path: Option<PathBuf>,
    users: ArcSwap<Users>,
    seen: Mutex<Seen>,
}

struct Seen {
    /// Of the content in use.
    loaded: Hash,
    /// Of other content, seen once so far.
    settling: Option<Hash>,
    /// Looks in a row that found new content which nobody had seen before.
    unsettled: u32,
    /// Of content that was refused (or of the reading's failure), and why.
    refused: Option<(Hash, Mistakes)>,
}

impl Seen {
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

impl UserFile {
    /// Reads the file; no path, no users. Blocks.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, Mistakes> {
        let (users, loaded) = match path {
            Some(path) => {
                let content = file::read(path)?;
                (Users::parse(&content)?, hash(&content))
            }
            None => (Users::default(), Hash::default()),
        };
        let seen = Seen { loaded, settling: None, unsettled: 0, refused: None };
        Ok(Self { path: path.map(Path::to_owned), users: ArcSwap::from_pointee(users), seen: Mutex::new(seen) })
    }

    pub(super) fn users(&self) -> Arc<Users> {
        self.users.load_full()
    }

    /// Why the file as it is now is not in use.
    pub(super) fn last_error(&self) -> Option<Mistakes> {
        self.seen().refused.as_ref().map(|(_, why)| why.clone())
    }

    /// Takes the file as it is now.
    pub(super) async fn reload_now(self: &Arc<Self>) -> Result<Reloaded, Mistakes> {
        self.look(Look::AtOnce).await
    }

    /// Looks at the file every `period`, until it is dropped; ends at once if there is no file.
    pub(super) fn watch(self: &Arc<Self>, period: Duration) -> impl Future<Output = ()> + Send + 'static {
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

    async fn look(self: &Arc<Self>, look: Look) -> Result<Reloaded, Mistakes> {
        let this = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || this.look_blocking(look)).await;
        done.unwrap_or_else(|e| Err(Mistakes::one(format!("reading the file of users broke off: {e}"))))
    }

    fn look_blocking(&self, look: Look) -> Result<Reloaded, Mistakes> {
        let Some(path) = &self.path else { return Ok(Reloaded::Same) };
        let read = file::read(path);
        let now = match &read {
            Ok(content) => hash(content),
            Err(why) => hash(why.to_string().as_bytes()),
        };
        // Held to the end, so that two looks at a time can't put an older content over a newer one.
        let mut seen = self.seen();
        if seen.loaded == now {
            if seen.refused.take().is_some() {
                tracing::info!(path = %path.display(), "the file of users is again the one in use");
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
            return self.unsettled(&mut seen, path, now, read);
        }
        seen.settle();
        self.take(&mut seen, path, now, read.and_then(|content| Users::parse(&content)))
    }

    /// A file that is other at every look would never be taken, and a revocation in it never hold.
    fn unsettled(
        &self,
        seen: &mut Seen,
        path: &Path,
        now: Hash,
        read: Result<Vec<u8>, Mistakes>,
    ) -> Result<Reloaded, Mistakes> {
        if seen.unsettled < MOST_UNSETTLED {
            return Ok(Reloaded::Settling);
        }
        match read.and_then(|content| Users::parse(&content)) {
            Ok(users) => {
                tracing::warn!(path = %path.display(), "the file of users is another at every look: taken unsettled");
                seen.settle();
                self.take(seen, path, now, Ok(users))
            }
            // Perhaps a file that is half written. Told once.
            Err(why) => {
                if seen.unsettled == MOST_UNSETTLED {
                    tracing::warn!(path = %path.display(), %why, "the file of users is another at every look, and wrong");
                }
                Ok(Reloaded::Settling)
            }
        }
    }

    fn take(
        &self,
        seen: &mut Seen,
        path: &Path,
        now: Hash,
        parsed: Result<Users, Mistakes>,
    ) -> Result<Reloaded, Mistakes> {
        match parsed {
            Ok(users) => {
                tracing::info!(path = %path.display(), users = users.len(), "took the new file of users");
                self.users.store(Arc::new(users));
                seen.loaded = now;
                seen.refused = None;
                Ok(Reloaded::Taken)
            }
            Err(why) => {
                tracing::error!(path = %path.display(), %why, "kept the old users: the new file is wrong");
                seen.refused = Some((now, why.clone()));
                Err(why)
            }
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(content: &[u8]) -> Hash {
    Sha256::digest(content).into()
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    /// What is logged, shared with the subscriber.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Log {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(line);
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Log {
        fn errors(&self) -> usize {
            self.count("ERROR")
        }

        fn count(&self, level: &str) -> usize {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap().matches(level).count()
        }
    }

    #[test]
    fn each_wrong_content_is_logged_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("users.yaml");
        std::fs::write(&path, "users: []").unwrap();
        let file = UserFile::open(Some(&path)).unwrap();
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, || {
            for (errors, wrong) in [(1, "users: 1"), (2, "users: 2")] {
                std::fs::write(&path, wrong).unwrap();
                for _ in 0..5 {
                    // Why it is refused is another test's question.
                    let _ = file.look_blocking(Look::Twice);
                }
                assert_eq!(log.errors(), errors);
            }
            std::fs::remove_file(&path).unwrap();
            for _ in 0..5 {
                let _ = file.look_blocking(Look::Twice);
            }
            assert_eq!(log.errors(), 3, "a file that is gone is logged once, too");
        });
    }

    #[test]
    fn content_that_is_other_at_every_look_is_taken_at_the_third_if_it_is_right() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("users.yaml");
        std::fs::write(&path, "users: []").unwrap();
        let file = UserFile::open(Some(&path)).unwrap();
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        let look = |content: String| {
            std::fs::write(&path, content).unwrap();
            file.look_blocking(Look::Twice)
        };
        let right = |n: u32| look(format!("users: [] # {n}"));
        tracing::subscriber::with_default(subscriber, || {
            assert_eq!([right(1), right(2)], [Ok(Reloaded::Settling), Ok(Reloaded::Settling)]);
            assert_eq!(log.count("WARN"), 0);
            assert_eq!(right(3), Ok(Reloaded::Taken));
            assert_eq!(log.count("WARN"), 1);
            assert_eq!([right(4), right(4)], [Ok(Reloaded::Settling), Ok(Reloaded::Taken)], "it counts anew");
            for n in 0..5 {
                assert_eq!(look(format!("users: {n}")), Ok(Reloaded::Settling));
            }
            assert_eq!((log.count("WARN"), log.errors()), (2, 0), "told once that it is wrong each time");
            assert_eq!(right(5), Ok(Reloaded::Taken), "the first right one after that");
        });
    }
}
