//! Messages for one thread that sleeps until enough of them are there. A channel would wake it for each.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

struct State<T> {
    messages: VecDeque<T>,
    /// As many wake the reader.
    wanted: usize,
    /// Wakes the reader whatever it wants.
    urgent: bool,
    closed: bool,
}

/// Many writers, one reader. Unbounded: the writers have to be.
pub(super) struct Mailbox<T> {
    state: Mutex<State<T>>,
    enough: Condvar,
}

impl<T> Default for Mailbox<T> {
    fn default() -> Self {
        let state = State { messages: VecDeque::new(), wanted: 1, urgent: false, closed: false };
        Self { state: Mutex::new(state), enough: Condvar::new() }
    }
}

impl<T> Mailbox<T> {
    /// False: the reader is gone, and the message with it.
    pub(super) fn put(&self, message: T) -> bool {
        self.push(message, false)
    }

    /// As [`Mailbox::put`], and the reader looks at once.
    pub(super) fn put_urgent(&self, message: T) -> bool {
        self.push(message, true)
    }

    fn push(&self, message: T, urgent: bool) -> bool {
        let mut state = self.lock();
        if state.closed {
            return false;
        }
        state.messages.push_back(message);
        state.urgent |= urgent;
        let wake = state.urgent || state.messages.len() >= state.wanted;
        drop(state);
        if wake {
            self.enough.notify_one();
        }
        true
    }

    /// The next message, whenever it comes.
    pub(super) fn take(&self) -> T {
        let mut state = self.lock();
        loop {
            if let Some(message) = state.messages.pop_front() {
                return message;
            }
            state.wanted = 1;
            state = self.enough.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// All that is there once there are `wanted` messages, or an urgent one, or the time is over.
    pub(super) fn take_all(&self, wanted: usize, within: Duration) -> VecDeque<T> {
        let mut state = self.lock();
        if state.messages.len() < wanted && !within.is_zero() {
            state.wanted = wanted;
            let too_few = |state: &mut State<T>| state.messages.len() < wanted && !state.urgent;
            let woken = self.enough.wait_timeout_while(state, within, too_few);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.urgent = false;
        std::mem::take(&mut state.messages)
    }

    /// The reader is gone: what waits is dropped, and nothing more is taken.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let left = std::mem::take(&mut state.messages);
        drop(state);
        drop(left);
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    #[test]
    fn the_reader_sleeps_until_enough_came() {
        let mailbox = Arc::new(Mailbox::default());
        let writer = Arc::clone(&mailbox);
        let thread = std::thread::spawn(move || (0..3).for_each(|n| assert!(writer.put(n))));
        assert_eq!(mailbox.take_all(3, LONG), [0, 1, 2]);
        thread.join().unwrap();
    }

    #[test]
    fn an_urgent_message_wakes_it_and_only_once() {
        let mailbox = Arc::new(Mailbox::default());
        let writer = Arc::clone(&mailbox);
        let thread = std::thread::spawn(move || writer.put_urgent(1));
        assert_eq!(mailbox.take_all(100, LONG), [1]);
        assert!(thread.join().unwrap());
        assert!(mailbox.take_all(1, Duration::from_millis(1)).is_empty(), "nothing more is urgent");
    }

    #[test]
    fn what_came_before_is_taken_first() {
        let mailbox = Mailbox::default();
        assert!(mailbox.put(1) && mailbox.put_urgent(2) && mailbox.put(3));
        assert_eq!(mailbox.take(), 1);
        assert_eq!(mailbox.take_all(0, Duration::ZERO), [2, 3]);
    }

    #[test]
    fn a_closed_one_takes_nothing_and_keeps_nothing() {
        let (mailbox, message) = (Mailbox::default(), Arc::new(()));
        assert!(mailbox.put(Arc::clone(&message)));
        mailbox.close();
        assert_eq!(Arc::strong_count(&message), 1, "what waited is dropped");
        assert!(!mailbox.put(message));
    }
}
