//! Where an approval stands: its states, its deadlines, and how it ends.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Approval;
use crate::domain::delegation::Party;

/// Where an approval stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "UPPERCASE")]
pub enum State {
    /// Waits for votes.
    Pending,
    /// Enough people said yes; nobody used it yet.
    Approved {
        /// When.
        at: Timestamp,
        /// The first instant at which a first use comes too late.
        use_by: Timestamp,
    },
    /// Used, and there are uses left.
    Active {
        /// When it was used first.
        since: Timestamp,
        /// The first instant at which it can't be used any more.
        grant_until: Timestamp,
        /// How often it was used.
        uses: u32,
    },
    /// Over, for good.
    Closed(Closed),
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    /// What ended it.
    pub cause: Cause,
    /// When. For a deadline: that instant, whenever it was written down.
    pub at: Timestamp,
    /// Who ended it, where somebody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Party>,
    /// How often it was used.
    #[serde(default)]
    pub uses: u32,
}

/// What ended an approval; every cause leads to one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Somebody said no.
    Denied,
    /// Nobody decided in time.
    DecideBy,
    /// The requester took it back.
    Withdrawn,
    /// Nobody used it in time.
    UseBy,
    /// Its time ran out after the first use.
    GrantUntil,
    /// Every use was made.
    UsesExhausted,
    /// Somebody took the decision back.
    Revoked,
}

impl Cause {
    /// Its stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::DecideBy => "decide-by",
            Self::Withdrawn => "withdrawn",
            Self::UseBy => "use-by",
            Self::GrantUntil => "grant-until",
            Self::UsesExhausted => "uses-exhausted",
            Self::Revoked => "revoked",
        }
    }

    fn state(self) -> &'static str {
        match self {
            Self::Denied => "DENIED",
            Self::DecideBy => "EXPIRED",
            Self::Withdrawn => "WITHDRAWN",
            Self::UseBy => "UNUSED_EXPIRED",
            Self::GrantUntil | Self::UsesExhausted => "ENDED",
            Self::Revoked => "REVOKED",
        }
    }
}

impl State {
    /// The state's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Approved { .. } => "APPROVED",
            Self::Active { .. } => "ACTIVE",
            Self::Closed(closed) => closed.cause.state(),
        }
    }

    /// How often it was used.
    pub fn uses(&self) -> u32 {
        match self {
            Self::Pending | Self::Approved { .. } => 0,
            Self::Active { uses, .. } | Self::Closed(Closed { uses, .. }) => *uses,
        }
    }
}

impl Approval {
    /// The instant at which the present state ends by itself; `None` once it is over.
    pub fn deadline(&self) -> Option<Timestamp> {
        match &self.state {
            State::Pending => Some(self.decide_by),
            State::Approved { use_by, .. } => Some(*use_by),
            State::Active { grant_until, .. } => Some(*grant_until),
            State::Closed(_) => None,
        }
    }

    /// The latest instant at which it could still be used, if everybody took all the time there is.
    pub fn latest_end(&self) -> Timestamp {
        let (use_within, valid_for) = (self.template.use_within, self.template.valid_for);
        match &self.state {
            State::Pending => super::later(self.decide_by, use_within + valid_for),
            State::Approved { use_by, .. } => super::later(*use_by, valid_for),
            State::Active { grant_until, .. } => *grant_until,
            State::Closed(closed) => closed.at,
        }
    }

    /// The approval whose deadline has passed, ended; `None` if there is nothing to do. It is the same whenever it is
    /// asked: the end is the deadline, and one change more than was written down.
    pub fn lapse(&self, now: Timestamp) -> Option<Self> {
        let at = self.deadline().filter(|deadline| now >= *deadline)?;
        let cause = match &self.state {
            State::Pending => Cause::DecideBy,
            State::Approved { .. } => Cause::UseBy,
            State::Active { .. } => Cause::GrantUntil,
            State::Closed(_) => return None,
        };
        Some(self.clone().closed(cause, None, at).next())
    }

    /// The approval as it is at `now`: what its deadlines ended is ended, written down or not.
    #[must_use]
    pub fn as_of(self, now: Timestamp) -> Self {
        self.lapse(now).unwrap_or(self)
    }

    /// PENDING -> WITHDRAWN, the requester's own; otherwise the state that it has.
    pub fn withdraw(self, by: Party, now: Timestamp) -> Result<Self, &'static str> {
        let open = self.as_of(now);
        match open.state {
            State::Pending => Ok(open.closed(Cause::Withdrawn, Some(by), now).next()),
            other => Err(other.name()),
        }
    }

    /// APPROVED or ACTIVE -> REVOKED; otherwise the state that it has.
    pub fn revoke(self, by: Party, now: Timestamp) -> Result<Self, &'static str> {
        let open = self.as_of(now);
        match open.state {
            State::Approved { .. } | State::Active { .. } => Ok(open.closed(Cause::Revoked, Some(by), now).next()),
            other => Err(other.name()),
        }
    }

    pub(super) fn closed(mut self, cause: Cause, by: Option<Party>, at: Timestamp) -> Self {
        self.state = State::Closed(Closed { cause, at, by, uses: self.state.uses() });
        self
    }
}
