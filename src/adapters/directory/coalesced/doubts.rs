//! Grants that may still come about: an attempt to make them had no answer.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::domain::ids::UserId;

/// How long a request that had no answer may still arrive, and be carried out.
const LONGEST: Duration = Duration::from_secs(30);

type Pair = (UserId, UserId);

/// Pairs of delegator and agent, and until when their grant is in doubt.
#[derive(Default)]
pub(super) struct Doubts(Mutex<HashMap<Pair, Instant>>);

/// An attempt under way. Dropped without a word it leaves its pair in doubt.
pub(super) struct Attempt<'a> {
    doubts: &'a Doubts,
    pair: Option<Pair>,
}

impl Doubts {
    pub(super) fn begin(&self, delegator: &UserId, agent: &UserId) -> Attempt<'_> {
        Attempt { doubts: self, pair: Some((delegator.clone(), agent.clone())) }
    }

    /// Whether the grant may still come about though it isn't there.
    pub(super) fn is_in_doubt(&self, delegator: &UserId, agent: &UserId) -> bool {
        let now = Instant::now();
        self.pairs().get(&(delegator.clone(), agent.clone())).is_some_and(|until| now < *until)
    }

    fn pairs(&self) -> MutexGuard<'_, HashMap<Pair, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt<'_> {
    /// It is known how the attempt ended.
    pub(super) fn settle(mut self) {
        self.pair = None;
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let Some(pair) = self.pair.take() else { return };
        let now = Instant::now();
        let mut pairs = self.doubts.pairs();
        pairs.retain(|_, until| now < *until);
        pairs.insert(pair, now + LONGEST);
    }
}
