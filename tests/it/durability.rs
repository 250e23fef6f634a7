//! The real binary, killed, starved of disk space, copied and restored: what was acknowledged stays.

mod backup;
pub(crate) mod disk;
pub(crate) mod drive;
mod kill;
pub(crate) mod ledger;
pub(crate) mod rig;
mod socket;
mod theft;
mod time;

use crate::support::peers;

/// A small generator (splitmix64), so that a failure can be played again from its seed.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// From `BEHALF_TEST_SEED`, or fresh.
    pub(crate) fn new() -> Self {
        let fresh = behalf::ports::entropy::bytes(&behalf::adapters::system::OsEntropy);
        Self(setting("BEHALF_TEST_SEED").unwrap_or_else(|| u64::from_be_bytes(fresh)))
    }

    /// At least 0, less than `below`.
    pub(crate) fn throw(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }
}

#[expect(clippy::disallowed_methods, reason = "whoever runs the tests says so by a variable")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

pub(crate) fn setting(name: &str) -> Option<u64> {
    variable(name).map(|text| text.parse().unwrap())
}

/// Says so that nobody overlooks it; an error where root runs the tests for a build server.
pub(crate) fn skipped(what: &str, root: bool) {
    if root {
        peers::lacking::<()>("root's rights", what);
    } else {
        peers::say(what);
    }
}

/// Whether root runs the tests.
pub(crate) fn is_root() -> bool {
    let id = std::process::Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}
