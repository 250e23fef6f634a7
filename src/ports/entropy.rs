//! Randomness.

use std::{
    ops::RangeInclusive,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use sha2::{Digest, Sha256};

/// Gives random bytes fit for bearer secrets.
pub trait Entropy: Send + Sync + 'static {
    /// Fills the buffer.
    fn fill(&self, out: &mut [u8]);
}

/// `N` random bytes.
pub fn bytes<const N: usize>(entropy: &dyn Entropy) -> [u8; N] {
    let mut out = [0; N];
    entropy.fill(&mut out);
    out
}

/// A length of time between the two, by chance: those who pause for it don't come back all at once.
pub fn between(entropy: &dyn Entropy, times: RangeInclusive<Duration>) -> Duration {
    let fraction = f64::from(u16::from_be_bytes(bytes(entropy))) / f64::from(u16::MAX);
    let (least, most) = times.into_inner();
    least + most.saturating_sub(least).mul_f64(fraction)
}

/// Repeatable bytes for tests: SHA-256 of a counter.
#[derive(Debug, Default)]
pub struct SeededEntropy(AtomicU64);

impl Entropy for SeededEntropy {
    fn fill(&self, out: &mut [u8]) {
        for chunk in out.chunks_mut(32) {
            let block = Sha256::digest(self.0.fetch_add(1, Ordering::SeqCst).to_be_bytes());
            chunk.copy_from_slice(&block[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every byte is this one.
    struct Always(u8);

    impl Entropy for Always {
        fn fill(&self, out: &mut [u8]) {
            out.fill(self.0);
        }
    }

    #[test]
    fn a_pause_by_chance_has_both_its_ends() {
        let (least, most) = (Duration::from_millis(20), Duration::from_millis(200));
        assert_eq!(between(&Always(0), least..=most), least);
        assert_eq!(between(&Always(255), least..=most), most);
        assert_eq!(between(&Always(255), most..=most), most);
        let some = between(&Always(128), least..=most);
        assert!(least < some && some < most, "{some:?}");
    }
}
