//! Trying again: one way for every commit that expects what it read, where others change the same.
//!
//! Those who come together would fail together once more if they tried again at once, so each pauses, for a time by
//! chance that grows with every try.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use super::Services;
use crate::ports::entropy::{self, Entropy};

/// How often a change of an API call is tried.
const MOST: usize = 12;
/// The longest pause before the second try; it doubles from one to the next.
const FIRST_PAUSE: Duration = Duration::from_millis(4);
/// The longest one of all.
const LONGEST_PAUSE: Duration = Duration::from_millis(200);
/// How long an API call goes on beginning tries.
const API_PATIENCE: Duration = Duration::from_secs(3);

/// Tries of one change.
pub struct Tries {
    entropy: Arc<dyn Entropy>,
    made: usize,
    most: usize,
    until: Instant,
}

impl Tries {
    /// At most so many, and none begins at `until` or later.
    pub fn until(services: &Services, most: usize, until: Instant) -> Self {
        Self { entropy: Arc::clone(&services.entropy), made: 0, most, until }
    }

    /// With so many more, for what isn't others' doing.
    #[must_use]
    pub fn and(mut self, more: usize) -> Self {
        self.most += more;
        self
    }

    /// True: try now. The first time that is at once, later after a pause.
    pub async fn again(&mut self) -> bool {
        let made = self.made;
        self.made += 1;
        if made == 0 {
            return true;
        }
        let longest = FIRST_PAUSE.saturating_mul(1 << (made - 1).min(10)).min(LONGEST_PAUSE);
        let pause = entropy::between(&*self.entropy, Duration::ZERO..=longest);
        if made >= self.most || Instant::now() + pause >= self.until {
            return false;
        }
        sleep(pause).await;
        true
    }
}

impl Services {
    /// Tries for an API call.
    pub fn tries(&self) -> Tries {
        Tries::until(self, MOST, Instant::now() + API_PATIENCE)
    }
}
