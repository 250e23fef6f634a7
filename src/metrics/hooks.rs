//! The hooks' series. Those of a known dialect are found once; counting then is a few atomic additions.

use std::time::Duration;

use prometheus_client::metrics::{counter::Counter, family::Family, histogram::Histogram};

use super::{
    Histograms, SECONDS, SHARE,
    labels::{DialectLabels, HookLabels},
};
use crate::domain::{hook::Outcome, reason::Reason};

const UNREFUSED: [Outcome; 5] =
    [Outcome::Untouched, Outcome::Stripped, Outcome::Enriched, Outcome::Granted, Outcome::Replayed];

/// The families over all dialects.
#[derive(Debug)]
pub(super) struct HookFamilies {
    pub(super) outcomes: Family<HookLabels, Counter>,
    pub(super) seconds: Histograms<DialectLabels>,
    pub(super) share: Histograms<DialectLabels>,
    pub(super) turned_away: Family<DialectLabels, Counter>,
}

impl Default for HookFamilies {
    fn default() -> Self {
        Self {
            outcomes: Family::default(),
            seconds: Family::new_with_constructor(SECONDS),
            share: Family::new_with_constructor(SHARE),
            turned_away: Family::default(),
        }
    }
}

impl HookFamilies {
    /// A dialect's series; every outcome is there from now on, at zero if it hasn't occurred.
    pub(super) fn series(&self, dialect: &'static str) -> DialectSeries {
        let refused = Reason::ALL.iter().map(|reason| Outcome::Refused(*reason));
        let outcomes = UNREFUSED.into_iter().chain(refused).map(|outcome| {
            let reason = outcome.reason().map_or("", Reason::code);
            let labels = HookLabels { dialect, outcome: outcome.code(), reason };
            self.outcomes.get_or_create_owned(&labels)
        });
        let labels = DialectLabels { dialect };
        DialectSeries {
            outcomes: outcomes.collect(),
            seconds: self.seconds.get_or_create_owned(&labels),
            share: self.share.get_or_create_owned(&labels),
            turned_away: self.turned_away.get_or_create_owned(&labels),
        }
    }
}

/// One dialect's series.
#[derive(Debug)]
pub(super) struct DialectSeries {
    /// By [`position`].
    outcomes: Vec<Counter>,
    seconds: Histogram,
    share: Histogram,
    turned_away: Counter,
}

impl DialectSeries {
    pub(super) fn answered(&self, outcome: Outcome, took: Duration, patience: Duration) {
        if let Some(counter) = self.outcomes.get(position(outcome)) {
            counter.inc();
        }
        self.seconds.observe(took.as_secs_f64());
        if !patience.is_zero() {
            self.share.observe(took.as_secs_f64() / patience.as_secs_f64());
        }
    }

    pub(super) fn turned_away(&self) {
        self.turned_away.inc();
    }
}

/// Where [`HookFamilies::series`] puts the outcome: the reasons follow in the order of their declaration.
fn position(outcome: Outcome) -> usize {
    match outcome {
        Outcome::Untouched => 0,
        Outcome::Stripped => 1,
        Outcome::Enriched => 2,
        Outcome::Granted => 3,
        Outcome::Replayed => 4,
        Outcome::Refused(reason) => UNREFUSED.len() + reason as usize,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_its_own_position() {
        for (at, outcome) in UNREFUSED.into_iter().enumerate() {
            assert_eq!(position(outcome), at);
        }
        for (at, reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(position(Outcome::Refused(*reason)), UNREFUSED.len() + at);
        }
    }
}
