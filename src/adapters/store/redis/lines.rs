//! On which line of history this process committed last, so that a replica of another one isn't taken for one that has
//! what was committed.

use std::time::Duration;

use dashmap::DashMap;
use tokio::time::Instant;

use crate::domain::ids::TenantName;

/// What was committed before another line may be asked about for so long: twice what a call of the API waits.
const ASKED_ABOUT: Duration = Duration::from_secs(6);

struct Line {
    name: String,
    /// Since when commits go there; `None` for the first line that this process saw.
    since: Option<Instant>,
}

/// Each tenant's.
#[derive(Default)]
pub(super) struct Lines(DashMap<TenantName, Line>);

impl Lines {
    /// Something was committed on this line.
    pub(super) fn committed(&self, tenant: &TenantName, name: &str) {
        let known = self.0.get(tenant).map(|line| line.name == name);
        if known != Some(true) {
            let since = known.map(|_| Instant::now());
            self.0.insert(tenant.clone(), Line { name: name.to_owned(), since });
        }
    }

    /// True if whatever somebody asks about now was committed on this line.
    pub(super) fn has_all(&self, tenant: &TenantName, name: &str) -> bool {
        self.0
            .get(tenant)
            .is_none_or(|line| line.name == name && line.since.is_none_or(|since| since.elapsed() >= ASKED_ABOUT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_line_has_what_was_committed_on_it() {
        let (lines, acme) = (Lines::default(), TenantName::parse("acme").unwrap());
        assert!(lines.has_all(&acme, "a"), "nothing was committed");
        lines.committed(&acme, "a");
        assert!(lines.has_all(&acme, "a"));
        assert!(!lines.has_all(&acme, "b"), "a failover after the commit");
        lines.committed(&acme, "b");
        assert!(!lines.has_all(&acme, "b"), "what was committed on the line before may still be asked about");
        tokio::time::advance(ASKED_ABOUT).await;
        assert!(lines.has_all(&acme, "b"));
    }
}
