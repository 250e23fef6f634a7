//! Shared calls: who asks what another is about to ask waits for the same answer.
//!
//! Per question at most one call is in flight and one waits. Who comes while a call is in flight joins the waiting one,
//! never the one already sent: its answer may be older than what he has just been told.

use std::{
    collections::HashMap,
    future::Future,
    hash::Hash,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::FutureExt;
use tokio::sync::{Semaphore, watch};

use crate::ports::directory::DirectoryError;

pub(super) type Answer<A> = Result<A, DirectoryError>;

/// The call that is not sent yet; those who wait for it hold its receivers.
type Batch<A> = watch::Sender<Option<Answer<A>>>;

/// Calls of one operation. A question's entry is there as long as its pilot (a task) is.
pub(super) struct Flights<Q, A> {
    waiting: Arc<Mutex<HashMap<Q, Option<Batch<A>>>>>,
    permits: Arc<Semaphore>,
}

impl<Q, A> Clone for Flights<Q, A> {
    fn clone(&self) -> Self {
        Self { waiting: Arc::clone(&self.waiting), permits: Arc::clone(&self.permits) }
    }
}

impl<Q, A> Flights<Q, A>
where
    Q: Clone + Eq + Hash + Send + 'static,
    A: Clone + Send + Sync + 'static,
{
    /// `permits` bounds the calls in flight; share it among operations.
    pub(super) fn new(permits: Arc<Semaphore>) -> Self {
        Self { waiting: Arc::default(), permits }
    }

    /// The answer of a call that was sent after this was asked. Who drops this future leaves the call to the others;
    /// a call that nobody waits for any more is dropped.
    pub(super) async fn ask<C, F>(&self, question: Q, call: C) -> Answer<A>
    where
        C: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Answer<A>> + Send + 'static,
    {
        let mut seat = self.join(question, call);
        match seat.wait_for(Option::is_some).await {
            Ok(answer) => answer.clone().unwrap_or_else(|| Err(broke_off())),
            Err(_) => Err(broke_off()),
        }
    }

    fn join<C, F>(&self, question: Q, call: C) -> watch::Receiver<Option<Answer<A>>>
    where
        C: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Answer<A>> + Send + 'static,
    {
        let mut waiting = self.waiting();
        if let Some(slot) = waiting.get_mut(&question) {
            return slot.get_or_insert_with(|| watch::Sender::new(None)).subscribe();
        }
        let batch = watch::Sender::new(None);
        let seat = batch.subscribe();
        waiting.insert(question.clone(), Some(batch));
        tokio::spawn(self.clone().pilot(question, call));
        seat
    }

    /// Sends a question's calls one after the other, until nobody waits.
    async fn pilot<C, F>(self, question: Q, call: C)
    where
        C: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Answer<A>> + Send + 'static,
    {
        while self.is_asked(&question) {
            // Until there is a permit the call isn't sent, and others may still join it.
            let Ok(permit) = self.permits.acquire().await else { return };
            let Some(batch) = self.depart(&question) else { continue };
            let answer = tokio::select! {
                biased;
                answer = caught(&call) => answer,
                () = batch.closed() => continue,
            };
            drop(permit);
            batch.send_replace(Some(answer));
        }
    }

    /// Whether anybody waits; if not, the question's entry is gone and so is the pilot's task.
    fn is_asked(&self, question: &Q) -> bool {
        let mut waiting = self.waiting();
        let asked = matches!(waiting.get(question), Some(Some(batch)) if !batch.is_closed());
        if !asked {
            waiting.remove(question);
        }
        asked
    }

    /// Closes the waiting call to others: from here on it counts as sent. `None` if all have left.
    fn depart(&self, question: &Q) -> Option<Batch<A>> {
        self.waiting().get_mut(question)?.take().filter(|batch| !batch.is_closed())
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<Q, Option<Batch<A>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The call's answer; a panic in it is "could not ask", for all who wait.
pub(super) async fn caught<A, F>(call: impl Fn() -> F) -> Answer<A>
where
    F: Future<Output = Answer<A>>,
{
    AssertUnwindSafe(async { call().await }).catch_unwind().await.unwrap_or_else(|_| {
        tracing::error!("the directory's adapter panicked");
        Err(broke_off())
    })
}

fn broke_off() -> DirectoryError {
    DirectoryError::Unavailable("the call broke off".into())
}
