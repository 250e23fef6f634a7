//! What a hook may do with an approval.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::{Approval, Cause, State, Template};
use crate::domain::{
    ids::{ClientId, UserId},
    reason::Reason,
};

/// What a hook shows of itself, and what its rule demands now.
#[derive(Debug, Clone, Copy)]
pub struct Use<'a> {
    /// The rule that demands it now, which is what the approvers saw.
    pub rule: &'a str,
    /// The rule's present template: an approval on other terms is none.
    pub template: &'a Template,
    /// On whose behalf.
    pub delegator: &'a UserId,
    /// The user whose token is minted.
    pub agent: &'a UserId,
    /// The client.
    pub client: &'a ClientId,
    /// The token's scopes.
    pub scopes: &'a BTreeSet<String>,
    /// The store's present epoch.
    pub epoch: u64,
}

impl Approval {
    /// Whether a hook may use it at `now`. Unknown is no: whatever isn't what was decided about is a mismatch.
    pub fn usable(&self, by: &Use<'_>, now: Timestamp) -> Result<(), Reason> {
        if self.epoch != by.epoch {
            return Err(Reason::EpochChanged);
        }
        if !self.is_for(by) || self.request_digest() != self.digest {
            return Err(Reason::ApprovalMismatch);
        }
        match self.lapse(now).as_ref().map_or(&self.state, |lapsed| &lapsed.state) {
            State::Pending => Err(Reason::ApprovalPending),
            State::Approved { .. } | State::Active { .. } if self.is_decided() => Ok(()),
            State::Approved { .. } | State::Active { .. } => Err(Reason::ApprovalMismatch),
            State::Closed(closed) => Err(match closed.cause {
                Cause::Denied => Reason::ApprovalDenied,
                Cause::DecideBy | Cause::UseBy | Cause::GrantUntil => Reason::ApprovalExpired,
                Cause::UsesExhausted => Reason::ApprovalSpent,
                Cause::Withdrawn | Cause::Revoked => Reason::ApprovalRevoked,
            }),
        }
    }

    /// One use: APPROVED or ACTIVE -> ACTIVE, or ENDED with the last one.
    pub fn used(self, by: &Use<'_>, now: Timestamp) -> Result<Self, Reason> {
        self.usable(by, now)?;
        let (since, grant_until) = match self.state {
            State::Approved { .. } => (now, super::later(now, self.template.valid_for)),
            State::Active { since, grant_until, .. } => (since, grant_until),
            State::Pending | State::Closed(_) => return Err(Reason::Internal),
        };
        let uses = self.state.uses().saturating_add(1);
        let is_last = uses >= self.template.max_uses;
        let mut after = self.next();
        after.state = State::Active { since, grant_until, uses };
        Ok(if is_last { after.closed(Cause::UsesExhausted, None, now) } else { after })
    }

    /// How long a token that is minted with it at `now` may live; zero if none may be.
    pub fn remaining(&self, now: Timestamp) -> SignedDuration {
        match &self.state {
            State::Approved { use_by, .. } if now < *use_by => self.template.valid_for,
            State::Active { grant_until, .. } if now < *grant_until => grant_until.duration_since(now),
            _ => SignedDuration::ZERO,
        }
    }

    fn is_for(&self, by: &Use<'_>) -> bool {
        let asked = &self.asked;
        asked.application.is_none()
            && self.rule == by.rule
            && &self.template == by.template
            && &asked.delegator.id == by.delegator
            && &asked.requester.id == by.agent
            && &asked.client == by.client
            && by.scopes.is_subset(&asked.scopes)
    }

    /// The votes are counted again: a state alone is no decision.
    fn is_decided(&self) -> bool {
        self.break_glass.is_some() || self.has_quorum()
    }
}
