//! Stands before a store, counts its calls, and does to the next writing commits what a test wants.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use behalf::{
    adapters::store::embedded::EmbeddedStore,
    domain::ids::TenantName,
    ports::store::{
        Change, Committed, Hints, Index, Key, Lease, ListPage, Page, Seq, Snapshot, Store, StoreError, Stored,
    },
};
use tokio::sync::{Notify, watch};

/// What happens to a commit that writes records (commits of events alone pass).
pub(crate) enum Act {
    /// Another change is applied first.
    Overtaken(Box<Change>),
    /// The first of its expectations is said not to hold; nothing is applied.
    Conflict,
    /// Nothing is sent.
    Unavailable,
    /// It is applied and its reply is lost.
    ReplyLost,
    /// It is lost on its way, and nobody knows.
    ChangeLost,
    /// Nobody knows of it until the gate opens: then it arrives.
    ChangeDelayed(Arc<Notify>),
    /// It is applied; the reply is delivered when the gate opens.
    ReplyHeld(Arc<Notify>),
}

/// What a test holds of a [`TamperedStore`].
#[derive(Default)]
pub(crate) struct Tamper {
    acts: Mutex<VecDeque<Act>>,
    calls: AtomicUsize,
    down: AtomicBool,
    held: watch::Sender<bool>,
}

impl Tamper {
    /// What the next writing commit that has no act yet meets.
    pub(crate) fn next(&self, act: Act) {
        self.acts.lock().unwrap().push_back(act);
    }

    /// Calls of `read`, `commit` and `list` so far.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// Acts that no commit met yet.
    pub(crate) fn left(&self) -> usize {
        self.acts.lock().unwrap().len()
    }

    /// Whether reads and commits fail.
    pub(crate) fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::SeqCst);
    }

    /// Whether commits of events alone are kept waiting.
    pub(crate) fn hold_events(&self, hold: bool) {
        self.held.send_replace(hold);
    }

    fn called(&self) -> Result<(), StoreError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if self.down.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("the test says so".to_owned()));
        }
        Ok(())
    }
}

pub(crate) struct TamperedStore {
    pub(crate) inner: Arc<EmbeddedStore>,
    pub(crate) tamper: Arc<Tamper>,
}

#[async_trait]
impl Store for TamperedStore {
    async fn read(&self, tenant: &TenantName, keys: &[Key]) -> Result<Snapshot, StoreError> {
        self.tamper.called()?;
        self.inner.read(tenant, keys).await
    }

    async fn commit(&self, tenant: &TenantName, change: Change) -> Result<Committed, StoreError> {
        self.tamper.called()?;
        if change.puts.is_empty() {
            let mut held = self.tamper.held.subscribe();
            held.wait_for(|held| !held).await.unwrap();
        }
        let act = if change.puts.is_empty() { None } else { self.tamper.acts.lock().unwrap().pop_front() };
        let unknown = || StoreError::Unknown("the test says so".to_owned());
        match act {
            None => self.inner.commit(tenant, change).await,
            Some(Act::Overtaken(other)) => {
                assert!(matches!(self.inner.commit(tenant, *other).await, Ok(Committed::Done(_))));
                self.inner.commit(tenant, change).await
            }
            Some(Act::Conflict) => Ok(Committed::Conflict(change.expect[0].0)),
            Some(Act::Unavailable) => Err(StoreError::Unavailable("the test says so".to_owned())),
            Some(Act::ReplyLost) => {
                assert!(matches!(self.inner.commit(tenant, change).await, Ok(Committed::Done(_))));
                Err(unknown())
            }
            Some(Act::ChangeLost) => Err(unknown()),
            Some(Act::ChangeDelayed(gate)) => {
                let (inner, tenant) = (Arc::clone(&self.inner), tenant.clone());
                tokio::spawn(async move {
                    gate.notified().await;
                    // Whether it still fits is what the test asks.
                    drop(inner.commit(&tenant, change).await);
                    gate.notify_one();
                });
                Err(unknown())
            }
            Some(Act::ReplyHeld(gate)) => {
                let done = self.inner.commit(tenant, change).await;
                gate.notified().await;
                done
            }
        }
    }

    async fn list(&self, tenant: &TenantName, index: Index, page: Page) -> Result<ListPage, StoreError> {
        self.tamper.called()?;
        self.inner.list(tenant, index, page).await
    }

    async fn events(&self, tenant: &TenantName, after: Seq, limit: usize) -> Result<Vec<Stored>, StoreError> {
        self.inner.events(tenant, after, limit).await
    }

    async fn lease(
        &self,
        tenant: &TenantName,
        name: &str,
        holder: &str,
        ttl: jiff::SignedDuration,
    ) -> Result<Option<Lease>, StoreError> {
        self.inner.lease(tenant, name, holder, ttl).await
    }

    fn changed(&self, tenant: &TenantName) -> Hints {
        self.inner.changed(tenant)
    }

    async fn incarnation(&self, tenant: &TenantName) -> Result<String, StoreError> {
        self.inner.incarnation(tenant).await
    }

    async fn replicated(&self, tenant: &TenantName) -> Result<Option<bool>, StoreError> {
        self.inner.replicated(tenant).await
    }
}
