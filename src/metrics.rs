//! What is counted and timed. Every metric's name is a variant of one enum.

use std::time::Duration;

use crate::domain::hook::Outcome;

/// How a call to a dependency ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallResult {
    /// Answered.
    Ok,
    /// Answered with an error, or not at all.
    Failed,
    /// Not in time.
    TimedOut,
}

/// The process's metrics.
#[derive(Debug, Default)]
pub struct Metrics {}

impl Metrics {
    /// A hook was answered; `patience` is how long the identity provider waits.
    pub fn hook(&self, _dialect: &'static str, _outcome: Outcome, _took: Duration, _patience: Duration) {}

    /// A hook's caller was turned away.
    pub fn hook_not_authenticated(&self, _dialect: &'static str) {}

    /// A call to the directory.
    pub fn directory(&self, _operation: &'static str, _result: CallResult, _took: Duration) {}

    /// A call to the store.
    pub fn store(&self, _operation: &'static str, _result: CallResult, _took: Duration) {}

    /// An API request; `route` is the pattern, never the path.
    pub fn api(&self, _route: &str, _method: &str, _status: u16, _took: Duration) {}

    /// A fetch of an issuer's keys.
    pub fn keys(&self, _result: CallResult, _took: Duration) {}

    /// Delegations that wait for their hook.
    pub fn pending_delegations(&self, _count: u64) {}

    /// Whether a dependency answered when last asked.
    pub fn dependency_up(&self, _name: &str, _up: bool) {}

    /// The metrics in OpenMetrics text form.
    pub fn render(&self) -> String {
        String::new()
    }
}
