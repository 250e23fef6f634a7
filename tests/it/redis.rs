//! Many processes of the service over one Redis: they decide as one.

mod approvals;
mod counts;
mod faults;
mod held_up;
mod idempotency;
mod obedience;
mod once;
mod pair;
mod reaper;
mod reservations;
mod rolling;
mod sealer;
