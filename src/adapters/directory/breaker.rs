//! Stops asking a directory that doesn't answer: who asks is refused in microseconds instead of waiting for nothing.
//!
//! After [`FAILURES`] failed calls in a row it is open: nobody is let through. When its time is up, [`PROBES`] calls go
//! through to see. The first that ends decides: answered, it is closed again, else it stays open for twice as long, up to
//! [`LONGEST`].

use std::time::Duration;

use tokio::time::Instant;

/// Failed calls in a row that open it.
pub const FAILURES: u32 = 5;
/// Calls that look whether the directory is back: as many as one decision needs, so that it isn't refused half of them.
pub const PROBES: u32 = 4;
/// How long it is open at first.
pub const FIRST: Duration = Duration::from_secs(1);
/// How long it is open at most before another look.
pub const LONGEST: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed {
        failed: u32,
    },
    Open {
        until: Instant,
        wait: Duration,
    },
    /// `left` more calls may look; `wait` is how long it was open before.
    Probing {
        wait: Duration,
        left: u32,
    },
}

/// The state machine. Time is a parameter.
#[derive(Debug)]
pub struct Breaker {
    state: State,
    /// Grows with every change of state, so that calls from before don't count for what is now.
    generation: u64,
}

/// Leave to make one call; to be given back with how it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    generation: u64,
}

/// How a call went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Went {
    /// The directory answered, whatever it said.
    Answered,
    /// It didn't.
    Failed,
    /// Nobody waited for it long enough to know.
    Unknown,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { state: State::Closed { failed: 0 }, generation: 0 }
    }
}

impl Breaker {
    /// Leave for a call, or none: for how long still, as far as is known.
    pub fn admit(&mut self, now: Instant) -> Result<Pass, Duration> {
        match self.state {
            State::Closed { .. } => {}
            State::Open { until, .. } if now < until => return Err(until - now),
            State::Open { wait, .. } => self.turn(State::Probing { wait, left: PROBES - 1 }),
            State::Probing { left: 0, .. } => return Err(Duration::ZERO),
            State::Probing { wait, left } => self.state = State::Probing { wait, left: left - 1 },
        }
        Ok(Pass { generation: self.generation })
    }

    /// Takes the leave back. What was begun in another state than that of now says nothing any more.
    pub fn settle(&mut self, pass: Pass, went: Went, now: Instant) {
        if pass.generation != self.generation {
            return;
        }
        match (self.state, went) {
            (State::Closed { failed }, Went::Failed) if failed + 1 >= FAILURES => {
                self.turn(State::Open { until: now + FIRST, wait: FIRST });
            }
            (State::Closed { failed }, Went::Failed) => self.state = State::Closed { failed: failed + 1 },
            (State::Closed { .. }, Went::Answered) => self.state = State::Closed { failed: 0 },
            (State::Probing { .. }, Went::Answered) => self.turn(State::Closed { failed: 0 }),
            (State::Probing { wait, .. }, Went::Failed) => {
                let wait = (wait * 2).min(LONGEST);
                self.turn(State::Open { until: now + wait, wait });
            }
            // Another may go in its place.
            (State::Probing { wait, left }, Went::Unknown) => self.state = State::Probing { wait, left: left + 1 },
            (State::Closed { .. } | State::Open { .. }, _) => {}
        }
    }

    /// True while calls are not simply let through.
    pub fn is_open(&self) -> bool {
        !matches!(self.state, State::Closed { .. })
    }

    fn turn(&mut self, state: State) {
        self.state = state;
        self.generation += 1;
    }
}

#[cfg(test)]
mod tests;
