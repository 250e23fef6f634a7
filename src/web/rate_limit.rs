//! A brake on API callers, one per tenant, user or application, and process. Hooks have none.

use std::num::NonZeroU32;

use governor::{
    Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
    middleware::StateInformationMiddleware,
    state::keyed::DashMapStateStore,
};

use crate::domain::ids::{ApplicationUri, TenantName, UserId};

type Key = (TenantName, Who);

/// Who has a budget.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Who {
    /// A user.
    User(UserId),
    /// An application.
    Application(ApplicationUri),
}

/// Counts requests.
pub struct RateLimit {
    limiter: RateLimiter<Key, DashMapStateStore<Key>, DefaultClock, StateInformationMiddleware>,
    per_minute: u32,
}

/// What is left to a caller, for the answer's headers.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Requests per minute.
    pub limit: u32,
    /// Requests that could follow at once.
    pub remaining: u32,
    /// Seconds to wait, if this one is too many.
    pub wait: Option<u64>,
}

impl RateLimit {
    /// So many requests per minute and caller, all of them at once if need be.
    pub fn per_minute(per_minute: NonZeroU32) -> Self {
        let limiter =
            RateLimiter::dashmap(Quota::per_minute(per_minute)).with_middleware::<StateInformationMiddleware>();
        Self { limiter, per_minute: per_minute.get() }
    }

    /// Counts one request.
    pub fn check(&self, tenant: &TenantName, who: Who) -> Budget {
        let limit = self.per_minute;
        match self.limiter.check_key(&(tenant.clone(), who)) {
            Ok(state) => Budget { limit, remaining: state.remaining_burst_capacity(), wait: None },
            Err(until) => {
                let wait = until.wait_time_from(self.limiter.clock().now()).as_secs() + 1;
                Budget { limit, remaining: 0, wait: Some(wait) }
            }
        }
    }

    /// Forgets callers whose budget is full again.
    pub fn tidy(&self) {
        self.limiter.retain_recent();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_tenants_have_budgets_of_their_own() {
        let limit = RateLimit::per_minute(NonZeroU32::new(2).unwrap());
        let (one, two) = (TenantName::parse("one").unwrap(), TenantName::parse("two").unwrap());
        let ann = || Who::User(UserId::parse("ann").unwrap());
        assert!(limit.check(&one, ann()).wait.is_none());
        assert!(limit.check(&one, ann()).wait.is_none());
        assert!(limit.check(&one, ann()).wait.is_some_and(|s| (1..=31).contains(&s)));
        assert!(limit.check(&two, ann()).wait.is_none());
        assert!(limit.check(&one, Who::Application(ApplicationUri::parse("ann").unwrap())).wait.is_none());
    }
}
