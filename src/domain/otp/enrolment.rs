//! A user's authenticator: shown once, confirmed by one code, used step by step.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Code, Sealed, Secret, accepted};
use crate::domain::ids::UserId;

/// How long a new secret waits for its first code.
pub const CONFIRM_WITHIN: SignedDuration = SignedDuration::from_mins(10);
/// Wrong codes after which it waits no longer.
pub const MOST_WRONG: u8 = 5;

/// A secret that no code has confirmed yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// The secret.
    pub sealed: Sealed,
    /// The first instant at which it can't be confirmed any more.
    pub until: Timestamp,
    /// Wrong codes so far.
    pub wrong: u8,
}

/// A secret whose codes count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmed {
    /// The secret.
    pub sealed: Sealed,
    /// Since when.
    pub at: Timestamp,
    /// The last step that was used; only greater ones count.
    pub step: u64,
}

/// What one user has enrolled. While a new authenticator waits for its code, the old one works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolment {
    /// Whose.
    pub user: UserId,
    /// The authenticator in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Confirmed>,
    /// The one that waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Pending>,
}

/// Why nothing was confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unconfirmed {
    /// Nothing waits for a code.
    NothingPending,
    /// The code is wrong; this is what is left.
    Wrong(Box<Enrolment>),
}

impl Enrolment {
    /// A new secret, beside the one in use.
    pub fn begin(before: Option<Self>, user: UserId, sealed: Sealed, now: Timestamp) -> Self {
        let until = now.saturating_add(CONFIRM_WITHIN).unwrap_or(Timestamp::MAX);
        let confirmed = before.and_then(|it| it.confirmed);
        Self { user, confirmed, pending: Some(Pending { sealed, until, wrong: 0 }) }
    }

    /// The secret that waits for its code now.
    pub fn waiting(&self, now: Timestamp) -> Option<&Pending> {
        self.pending.as_ref().filter(|pending| now < pending.until)
    }

    /// Takes the code of the waiting secret, `secret`: from now on its codes count, and no other's. This code is used.
    pub fn confirm(self, secret: &Secret, code: Option<Code>, now: Timestamp) -> Result<Self, Unconfirmed> {
        let Some(pending) = self.waiting(now).cloned() else { return Err(Unconfirmed::NothingPending) };
        if let Some(step) = code.and_then(|code| accepted(secret, code, now, None)) {
            let confirmed = Confirmed { sealed: pending.sealed, at: now, step };
            return Ok(Self { confirmed: Some(confirmed), pending: None, ..self });
        }
        let wrong = pending.wrong.saturating_add(1);
        let pending = (wrong < MOST_WRONG).then_some(Pending { wrong, ..pending });
        Err(Unconfirmed::Wrong(Box::new(Self { pending, ..self })))
    }

    /// With this step used.
    #[must_use]
    pub fn used(mut self, step: u64) -> Self {
        if let Some(confirmed) = &mut self.confirmed {
            confirmed.step = confirmed.step.max(step);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{OtpKey, OtpKeys, SECRET_BYTES, step_at, truncated},
        *,
    };
    use crate::domain::ids::TenantName;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn code(byte: u8, now: Timestamp) -> Option<Code> {
        Code::parse(&format!("{:06}", truncated(&[byte; SECRET_BYTES], step_at(now)) % 1_000_000))
    }

    fn begin(before: Option<Enrolment>, byte: u8, now: Timestamp) -> (Enrolment, Secret) {
        let keys = OtpKeys::new(vec![OtpKey::new(&[1; 32]).unwrap()]).unwrap();
        let (user, secret) = (UserId::parse("ann").unwrap(), Secret::new([byte; SECRET_BYTES]));
        let sealed = keys.seal(&secret, [3; 12], &TenantName::default_tenant(), &user).unwrap();
        (Enrolment::begin(before, user, sealed, now), secret)
    }

    #[test]
    fn a_right_code_confirms_and_is_used_by_it() {
        let now = at(1_800_000_000);
        let (begun, secret) = begin(None, 7, now);
        let done = begun.confirm(&secret, code(7, now), now).unwrap();
        assert_eq!(done.pending, None);
        assert_eq!(done.confirmed.map(|it| it.step), Some(step_at(now)));
    }

    #[test]
    fn the_fifth_wrong_code_ends_it() {
        let now = at(1_800_000_000);
        let (mut waits, secret) = begin(None, 7, now);
        for wrong in 1..=5 {
            let Err(Unconfirmed::Wrong(left)) = waits.confirm(&secret, code(8, now), now) else {
                panic!("confirmed by another secret's code")
            };
            assert_eq!(left.waiting(now).map(|it| it.wrong), (wrong < 5).then_some(wrong));
            waits = *left;
        }
        assert_eq!(waits.confirm(&secret, code(7, now), now), Err(Unconfirmed::NothingPending));
    }

    #[test]
    fn it_waits_ten_minutes() {
        let now = at(1_800_000_000);
        let (begun, secret) = begin(None, 7, now);
        let last = at(1_800_000_599);
        assert!(begun.clone().confirm(&secret, code(7, last), last).is_ok());
        let late = at(1_800_000_600);
        assert_eq!(begun.confirm(&secret, code(7, late), late), Err(Unconfirmed::NothingPending));
    }

    #[test]
    fn the_old_one_works_until_the_new_one_is_confirmed() {
        let now = at(1_800_000_000);
        let (begun, secret) = begin(None, 7, now);
        let old = begun.confirm(&secret, code(7, now), now).unwrap();
        let (both, secret) = begin(Some(old.clone()), 9, now);
        assert_eq!(both.confirmed, old.confirmed);
        let new = both.confirm(&secret, code(9, now), now).unwrap();
        assert_ne!(new.confirmed, old.confirmed);
    }

    #[test]
    fn a_used_step_never_falls() {
        let now = at(1_800_000_000);
        let (begun, secret) = begin(None, 7, now);
        let done = begun.confirm(&secret, code(7, now), now).unwrap();
        let used = done.used(step_at(now) + 1).used(3);
        assert_eq!(used.confirmed.map(|it| it.step), Some(step_at(now) + 1));
    }
}
