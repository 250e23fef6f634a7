//! What can happen to Redis, under load, with the real binary: nothing is granted twice, hooks without an id notice
//! nothing, hooks with one are refused in time, and all is well again by itself.
//!
//! What was acknowledged and is void afterwards, each test prints: that a store rolls back is allowed, that anybody
//! gains by it isn't.

mod cluster;
mod drive;
mod kill;
mod line;
mod probe;
mod scene;
mod sentinel;
mod server;
mod watch;

/// How often a test that throws dice is repeated.
fn rounds() -> u64 {
    crate::durability::setting("BEHALF_TEST_ROUNDS").map_or(1, |rounds| (rounds / 10).max(1))
}
