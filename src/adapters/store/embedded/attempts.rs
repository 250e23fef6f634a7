//! The results of recent attempts, so that a repeat gets the first result and applies nothing.
//!
//! In memory: whoever repeats an attempt lives in the same process as the store.

use std::collections::{HashMap, VecDeque};

use crate::ports::store::{ChangeId, Committed, Key, Seq};

/// How long a result is remembered, in microseconds of the store's own time.
const REMEMBERED: i64 = 10_000_000;
/// More than the writer can apply in that time; bounds the memory while the clock stands still.
const MOST: usize = 1 << 20;

/// A [`Committed`] in little space: a change's numbers follow each other.
enum Kept {
    Done { first: u64, count: u64 },
    Conflict(Box<Key>),
    Fenced,
    Late,
}

/// Results by attempt.
#[derive(Default)]
pub(super) struct Attempts {
    known: HashMap<ChangeId, Kept>,
    order: VecDeque<(i64, ChangeId)>,
}

impl Attempts {
    pub(super) fn get(&self, id: ChangeId) -> Option<Committed> {
        Some(match self.known.get(&id)? {
            Kept::Done { first, count } => Committed::Done((*first..first + count).map(Seq).collect()),
            Kept::Conflict(key) => Committed::Conflict(**key),
            Kept::Fenced => Committed::Fenced,
            Kept::Late => Committed::Late,
        })
    }

    /// Remembers a result. `own_time`: the store's own, in microseconds.
    pub(super) fn insert(&mut self, id: ChangeId, result: &Committed, own_time: i64) {
        let kept = match result {
            Committed::Done(numbers) => {
                Kept::Done { first: numbers.first().map_or(0, |seq| seq.0), count: numbers.len() as u64 }
            }
            Committed::Conflict(key) => Kept::Conflict(Box::new(*key)),
            Committed::Fenced => Kept::Fenced,
            Committed::Late => Kept::Late,
        };
        self.known.insert(id, kept);
        self.order.push_back((own_time.saturating_add(REMEMBERED), id));
    }

    /// Forgets what is old enough.
    pub(super) fn expire(&mut self, own_time: i64) {
        while let Some((until, id)) = self.order.front().copied() {
            if until > own_time && self.order.len() <= MOST {
                return;
            }
            self.order.pop_front();
            self.known.remove(&id);
        }
    }

    /// Forgets attempts that came to nothing: they may be tried again.
    pub(super) fn forget(&mut self, ids: &[ChangeId]) {
        for id in ids {
            self.known.remove(id);
        }
        // They were the last ones in; their places in the queue must not outlive them.
        while self.order.back().is_some_and(|(_, id)| !self.known.contains_key(id)) {
            self.order.pop_back();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> ChangeId {
        ChangeId([n; 16])
    }

    #[test]
    fn results_are_kept_for_ten_seconds() {
        let mut attempts = Attempts::default();
        let done = Committed::Done(vec![Seq(4), Seq(5)]);
        attempts.insert(id(1), &done, 0);
        attempts.expire(REMEMBERED - 1);
        assert_eq!(attempts.get(id(1)), Some(done));
        attempts.expire(REMEMBERED);
        assert_eq!(attempts.get(id(1)), None);
        assert!(attempts.order.is_empty());
    }

    #[test]
    fn what_is_forgotten_leaves_nothing_behind() {
        let mut attempts = Attempts::default();
        attempts.insert(id(1), &Committed::Late, 0);
        attempts.insert(id(2), &Committed::Fenced, 0);
        attempts.insert(id(3), &Committed::Done(Vec::new()), 0);
        attempts.forget(&[id(2), id(3)]);
        assert_eq!(attempts.get(id(1)), Some(Committed::Late));
        assert_eq!((attempts.known.len(), attempts.order.len()), (1, 1));
    }
}
