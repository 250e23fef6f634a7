//! Accounts that several people use, one at a time, by reservation.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::{
    ids::{GroupId, UserId},
    text::without_json_escapes,
};

/// The shortest reservation.
pub const LEAST_HOLD: SignedDuration = SignedDuration::from_mins(1);

/// What happens to a login as a shared account that shows no reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DirectLogin {
    /// The token is minted without the claim that names the holder; relying parties demand the claim.
    #[default]
    Claim,
    /// No token is minted, on refreshes neither.
    Refuse,
}

/// A shared account, as the configuration has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedAccount {
    /// Its immutable id.
    pub id: UserId,
    /// Whose members may reserve it.
    pub group: GroupId,
    /// How long a reservation lasts that doesn't say.
    pub hold: SignedDuration,
    /// How long one may last.
    pub max_hold: SignedDuration,
    /// What happens to a login without a reservation.
    pub direct_login: DirectLogin,
    /// The accounts of which any will do.
    pub pool: Option<String>,
    /// Whether other members are told who holds it.
    pub show_holder: bool,
}

impl SharedAccount {
    /// How long a reservation lasts for which this was asked; `None` if that can't be.
    pub fn hold_of(&self, asked: Option<SignedDuration>) -> Option<SignedDuration> {
        let hold = asked.unwrap_or(self.hold);
        (LEAST_HOLD..=self.max_hold).contains(&hold).then_some(hold)
    }
}

/// A tenant's shared accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedAccounts {
    accounts: BTreeMap<UserId, SharedAccount>,
    /// Reservations that one user may hold at a time.
    pub max_held: usize,
}

impl Default for SharedAccounts {
    fn default() -> Self {
        Self::new([], 1)
    }
}

impl SharedAccounts {
    /// These accounts; of two with one id the last counts.
    pub fn new(accounts: impl IntoIterator<Item = SharedAccount>, max_held: usize) -> Self {
        Self { accounts: accounts.into_iter().map(|account| (account.id.clone(), account)).collect(), max_held }
    }

    /// The account of that id, if it is one.
    pub fn get(&self, id: &str) -> Option<&SharedAccount> {
        self.accounts.get(id)
    }

    /// All of them, by id.
    pub fn iter(&self) -> impl Iterator<Item = &SharedAccount> {
        self.accounts.values()
    }

    /// True if there is none: then nothing here costs anything.
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// True if a body that isn't understood, or doesn't say whose token it is, may be about an account as which nobody
    /// logs in without a reservation; `None`: one that wasn't even read.
    pub fn may_refuse(&self, body: Option<&[u8]>) -> bool {
        let mut strict = self.iter().filter(|account| account.direct_login == DirectLogin::Refuse).peekable();
        let (Some(body), true) = (body, strict.peek().is_some()) else { return strict.peek().is_some() };
        let plain = without_json_escapes(body);
        let named = |body: &[u8], id: &[u8]| body.windows(id.len()).any(|part| part == id);
        strict.any(|account| [body, &plain].into_iter().any(|text| named(text, account.id.as_str().as_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(id: &str, direct_login: DirectLogin) -> SharedAccount {
        SharedAccount {
            id: UserId::parse(id).unwrap(),
            group: GroupId::parse("dbas").unwrap(),
            hold: SignedDuration::from_mins(5),
            max_hold: SignedDuration::from_mins(30),
            direct_login,
            pool: None,
            show_holder: false,
        }
    }

    #[test]
    fn a_hold_keeps_within_its_bounds() {
        let account = account("dba", DirectLogin::Claim);
        let secs = SignedDuration::from_secs;
        assert_eq!(account.hold_of(None), Some(secs(300)));
        for (asked, good) in [(59, false), (60, true), (1800, true), (1801, false), (0, false), (-60, false)] {
            assert_eq!(account.hold_of(Some(secs(asked))).is_some(), good, "{asked}");
        }
    }

    #[test]
    fn only_strict_accounts_are_looked_for_in_what_cannot_be_read() {
        let accounts =
            SharedAccounts::new([account("open", DirectLogin::Claim), account("dba", DirectLogin::Refuse)], 1);
        assert!(accounts.may_refuse(Some(br#"{"user":{"id":"dba"}"#)) && accounts.may_refuse(None));
        assert!(accounts.may_refuse(Some(br#"{"user":{"id":"\u0064b\u0061"}"#)), "behind escapes, too");
        assert!(!accounts.may_refuse(Some(br#"{"user":{"id":"open"}"#)) && !accounts.may_refuse(Some(b"")));
        let lenient = SharedAccounts::new([account("open", DirectLogin::Claim)], 1);
        assert!(!lenient.may_refuse(None) && !SharedAccounts::default().may_refuse(None));
    }
}
