//! A brake on events: who guesses ids fills the metrics, not the audit trail.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError},
};

use jiff::Timestamp;

use crate::domain::ids::TenantName;

/// More agents of a tenant than this in one minute get no event of their own.
const MOST: usize = 10_000;

/// Remembers who was written down in this minute. Each tenant has a minute of its own, by its own store's clock.
#[derive(Default)]
pub struct UnknownIds(Mutex<HashMap<TenantName, Minute>>);

#[derive(Default)]
struct Minute {
    number: i64,
    seen: HashSet<String>,
}

impl UnknownIds {
    /// True for the first unknown id of this agent in this minute.
    pub fn is_first(&self, tenant: &TenantName, agent: &str, now: Timestamp) -> bool {
        let mut minutes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let minute = minutes.entry(tenant.clone()).or_default();
        let number = now.as_second().div_euclid(60);
        if minute.number != number {
            *minute = Minute { number, seen: HashSet::new() };
        }
        minute.seen.len() < MOST && minute.seen.insert(agent.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_event_per_agent_and_minute() {
        let (brake, tenant) = (UnknownIds::default(), TenantName::default_tenant());
        let at = |s| Timestamp::from_second(s).unwrap();
        assert!(brake.is_first(&tenant, "ann", at(0)));
        assert!(!brake.is_first(&tenant, "ann", at(59)));
        assert!(brake.is_first(&tenant, "eve", at(59)));
        assert!(brake.is_first(&tenant, "ann", at(60)));
    }

    #[test]
    fn a_tenant_whose_clock_differs_leaves_the_others_brake_alone() {
        let (brake, tenant, other) =
            (UnknownIds::default(), TenantName::default_tenant(), TenantName::parse("acme").unwrap());
        let at = |s| Timestamp::from_second(s).unwrap();
        assert!(brake.is_first(&tenant, "ann", at(0)));
        assert!(brake.is_first(&other, "ann", at(600)));
        assert!(!brake.is_first(&tenant, "ann", at(1)));
    }
}
