//! One exercise of a grant, from its initiation to its end.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    approval::Approval,
    hook::Fingerprint,
    ids::{ClientId, Issuer, Login, UserId},
    reason::Reason,
    reservation::Slot,
    trace::TraceParent,
    user::User,
};

/// How long the answer to a consumed delegation is kept for a second delivery of the same hook.
pub const ANSWER_KEPT: SignedDuration = SignedDuration::from_secs(60);

/// A user as a delegation remembers him: the id decides, the login is for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// Immutable id.
    pub id: UserId,
    /// Login at the time.
    pub login: Login,
}

impl Party {
    /// The user as the directory knows him now.
    pub fn of(user: &User) -> Self {
        Self { id: user.id.clone(), login: user.login.clone() }
    }
}

/// What the delegation is bound to. A hook must show the same before it is told anything else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// The authorization server.
    pub issuer: Issuer,
    /// The user who acts.
    pub agent: Party,
    /// The client that initiated.
    pub client: ClientId,
}

/// What a delegation is bound to, as it was at initiation: a hook needs no second read for it. The hook's commit expects
/// the version, so that what changed meanwhile is seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried<T> {
    /// Its version in the store.
    pub version: u64,
    /// Its content then.
    pub body: T,
}

/// A delegation as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegation {
    /// What it is bound to.
    pub binding: Binding,
    /// On whose behalf.
    pub delegator: Party,
    /// Upper bound of the token's scopes.
    pub scopes: BTreeSet<String>,
    /// Why, in the agent's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// A ticket number, in the agent's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// The rule that matched at initiation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The approval that it was initiated with, until it is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Carried<Approval>>,
    /// The reservation of the delegator's account that it was initiated with, until it is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservation: Option<Carried<Slot>>,
    /// Where its distributed trace began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceParent>,
    /// The store's epoch at initiation.
    pub epoch: u64,
    /// When it was initiated.
    pub created: Timestamp,
    /// The first instant at which it can't be used any more.
    pub expires: Timestamp,
    /// Where it stands.
    pub state: State,
}

/// Where a delegation stands. PENDING -> CONSUMED | EXPIRED | CANCELLED, and never back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "UPPERCASE")]
pub enum State {
    /// Waits for its hook.
    Pending,
    /// Used by one hook.
    Consumed(Consumption),
    /// Its time ran out.
    Expired {
        /// When that was written down.
        at: Timestamp,
    },
    /// The agent took it back.
    Cancelled {
        /// When.
        at: Timestamp,
    },
}

impl State {
    /// The state's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Consumed(_) => "CONSUMED",
            Self::Expired { .. } => "EXPIRED",
            Self::Cancelled { .. } => "CANCELLED",
        }
    }
}

/// Which hook used it. What that hook was told is a record of its own, which doesn't outlive [`ANSWER_KEPT`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consumption {
    /// When.
    pub at: Timestamp,
    /// Which delivery.
    pub by: Fingerprint,
}

/// What a hook shows of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown<'a> {
    /// The authorization server.
    pub issuer: &'a str,
    /// The user whose token is minted.
    pub agent: &'a str,
    /// The client.
    pub client: &'a str,
    /// The delivery.
    pub delivery: &'a Fingerprint,
}

/// What a delegation is to a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    /// Fresh: policy may run.
    Fresh,
    /// This very delivery used it, then: it gets the answer it was given.
    Replay(Timestamp),
}

impl Delegation {
    /// What this delegation is to a hook at `now` (the store's), under the store's present `epoch`.
    /// The binding is compared first, so that a stranger learns nothing of the state.
    pub fn matches(&self, shown: &Shown<'_>, now: Timestamp, epoch: u64) -> Result<Match, Reason> {
        self.check_binding(shown)?;
        if self.epoch != epoch {
            return Err(Reason::EpochChanged);
        }
        match &self.state {
            State::Pending if now < self.expires => Ok(Match::Fresh),
            State::Pending | State::Expired { .. } => Err(Reason::Expired),
            State::Cancelled { .. } => Err(Reason::Cancelled),
            State::Consumed(used) => used.answer_for(shown.delivery, now).map(Match::Replay),
        }
    }

    fn check_binding(&self, shown: &Shown<'_>) -> Result<(), Reason> {
        if self.binding.issuer.as_str() != shown.issuer {
            return Err(Reason::ForeignIssuer);
        }
        if self.binding.agent.id.as_str() != shown.agent {
            return Err(Reason::ForeignAgent);
        }
        if self.binding.client.as_str() != shown.client {
            return Err(Reason::ForeignClient);
        }
        Ok(())
    }

    /// PENDING -> CONSUMED. Only what is pending and alive can be used; what it carried isn't needed any more.
    pub fn consume(mut self, by: Fingerprint, now: Timestamp) -> Result<Self, Reason> {
        self.must_be_alive(now)?;
        (self.approval, self.reservation) = (None, None);
        self.state = State::Consumed(Consumption { at: now, by });
        Ok(self)
    }

    /// PENDING -> CANCELLED.
    pub fn cancel(mut self, now: Timestamp) -> Result<Self, Reason> {
        self.must_be_alive(now)?;
        self.state = State::Cancelled { at: now };
        Ok(self)
    }

    /// PENDING -> EXPIRED, once its time has run out; `None` if there is nothing to do.
    pub fn expire(mut self, now: Timestamp) -> Option<Self> {
        if self.state != State::Pending || now < self.expires {
            return None;
        }
        self.state = State::Expired { at: now };
        Some(self)
    }

    fn must_be_alive(&self, now: Timestamp) -> Result<(), Reason> {
        match self.state {
            State::Pending if now < self.expires => Ok(()),
            State::Pending | State::Expired { .. } => Err(Reason::Expired),
            State::Cancelled { .. } => Err(Reason::Cancelled),
            State::Consumed(_) => Err(Reason::AlreadyUsed),
        }
    }

    /// True while it counts against the agent's cap.
    pub fn is_pending(&self, now: Timestamp) -> bool {
        self.must_be_alive(now).is_ok()
    }
}

impl Consumption {
    /// When it was, if this delivery's answer is still kept.
    pub fn answer_for(&self, delivery: &Fingerprint, now: Timestamp) -> Result<Timestamp, Reason> {
        if &self.by == delivery {
            let kept = now.duration_since(self.at) < ANSWER_KEPT;
            return if kept { Ok(self.at) } else { Err(Reason::AlreadyUsed) };
        }
        let same_event = !delivery.event_id.is_empty() && self.by.event_id == delivery.event_id;
        Err(if same_event { Reason::ReplayConflict } else { Reason::AlreadyUsed })
    }
}

#[cfg(test)]
mod tests;
