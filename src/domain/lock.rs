//! A lock on an account: while it stands, nobody acts for that account and it acts for nobody.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::delegation::Party;

/// Who placed a lock, when and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// Who.
    pub by: Party,
    /// When.
    pub at: Timestamp,
    /// Why, in his words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// By whose right a lock is placed or lifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The account's owner.
    Owner,
    /// An administrator.
    Administrator,
}

/// The locks of one account. A stored lock holds at least one of the two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// The locked account.
    pub user: Party,
    /// Placed by the owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<Placed>,
    /// Placed by an administrator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin: Option<Placed>,
}

impl Lock {
    /// The account's lock after `side` placed one; `None` if that side's lock stands already.
    pub fn place(before: Option<Self>, user: Party, side: Side, placed: Placed) -> Option<Self> {
        let mut lock = before.unwrap_or(Self { user, own: None, admin: None });
        let slot = match side {
            Side::Owner => &mut lock.own,
            Side::Administrator => &mut lock.admin,
        };
        if slot.is_some() {
            return None;
        }
        *slot = Some(placed);
        Some(lock)
    }

    /// What lifting leaves behind: the owner lifts his own lock, an administrator both.
    pub fn lift(mut self, side: Side) -> Lifted {
        let nothing = match side {
            Side::Owner => self.own.take().is_none(),
            Side::Administrator => self.own.take().is_none() & self.admin.take().is_none(),
        };
        if nothing {
            return Lifted::NotYours;
        }
        if self.own.is_none() && self.admin.is_none() { Lifted::Gone } else { Lifted::Remains(Box::new(self)) }
    }
}

/// What is left of a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lifted {
    /// Nothing: the account is free.
    Gone,
    /// The other side's lock.
    Remains(Box<Lock>),
    /// This side has placed none.
    NotYours,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{Login, UserId};

    fn party(id: &str) -> Party {
        Party { id: UserId::parse(id).unwrap(), login: Login::parse(id).unwrap() }
    }

    fn placed(by: &str) -> Placed {
        Placed { by: party(by), at: Timestamp::UNIX_EPOCH, reason: None }
    }

    fn both() -> Lock {
        let own = Lock::place(None, party("bob"), Side::Owner, placed("bob")).unwrap();
        Lock::place(Some(own), party("bob"), Side::Administrator, placed("root")).unwrap()
    }

    #[test]
    fn both_sides_can_lock_at_once_and_neither_twice() {
        assert_eq!(Lock::place(Some(both()), party("bob"), Side::Owner, placed("bob")), None);
        assert_eq!(Lock::place(Some(both()), party("bob"), Side::Administrator, placed("root")), None);
    }

    #[test]
    fn the_owner_lifts_only_his_own() {
        let Lifted::Remains(rest) = both().lift(Side::Owner) else { panic!("the administrator's stays") };
        assert!(rest.own.is_none() && rest.admin.is_some());
        assert_eq!(rest.clone().lift(Side::Owner), Lifted::NotYours);
        assert_eq!(rest.lift(Side::Administrator), Lifted::Gone);
    }

    #[test]
    fn an_administrator_lifts_any() {
        assert_eq!(both().lift(Side::Administrator), Lifted::Gone);
        let own = Lock::place(None, party("bob"), Side::Owner, placed("bob")).unwrap();
        assert_eq!(own.lift(Side::Administrator), Lifted::Gone);
    }
}
