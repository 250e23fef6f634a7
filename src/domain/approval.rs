//! An approval: people decide whether a delegation may come about. From the request to its last use.
//!
//! `PENDING -> APPROVED | DENIED | EXPIRED | WITHDRAWN`; `APPROVED -> ACTIVE -> ENDED | REVOKED`;
//! `APPROVED -> UNUSED_EXPIRED | REVOKED`. A deadline is over from its instant on, whether somebody wrote that down or
//! not: whatever is asked of an approval takes the present time.

pub mod application;
pub mod challenge;
pub mod data;
pub mod evidence;
mod id;
pub mod jwk;
pub mod keys;
pub mod request;
pub mod signature;
mod standing;
pub mod template;
mod using;
pub mod verify;
mod voting;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use self::application::FromApplication;
pub use self::{
    evidence::Signed,
    id::ApprovalId,
    standing::{Cause, Closed, State},
    template::Template,
    using::Use,
    voting::{Ballot, Choice, Ineligible, Refusal, Vote, Voter},
};
use super::{
    chain::Digest,
    delegation::Party,
    ids::{ClientId, Issuer},
    trace::TraceParent,
};

/// What is asked for, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Who wants to act.
    pub requester: Party,
    /// On whose behalf.
    pub delegator: Party,
    /// Through which client.
    pub client: ClientId,
    /// At which authorization server.
    pub issuer: Issuer,
    /// Upper bound of the tokens' scopes.
    pub scopes: BTreeSet<String>,
    /// Why, in the requester's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// A ticket number, in the requester's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// An application asked for it on its own: then no hook uses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<FromApplication>,
}

/// A request, before it stands.
#[derive(Debug, Clone)]
pub struct Opening {
    /// Its id.
    pub id: ApprovalId,
    /// What is asked for.
    pub asked: Asked,
    /// The rule that demands it.
    pub rule: String,
    /// What the rule demands.
    pub template: Template,
    /// The canonical request: what is decided about, to the byte.
    pub binding: String,
    /// The store's epoch.
    pub epoch: u64,
}

/// An approval as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Its public id.
    pub id: ApprovalId,
    /// What is asked for.
    pub asked: Asked,
    /// The rule that demanded it.
    pub rule: String,
    /// What the rule demanded then.
    pub template: Template,
    /// The canonical request (RFC 8785): what is decided about, to the byte.
    pub binding: String,
    /// The binding's digest when it was written.
    pub digest: Digest,
    /// The store's epoch at creation.
    pub epoch: u64,
    /// The version of the content: votes name it, signatures bind to it.
    pub version: u32,
    /// Grows with every change, for those who watch.
    pub revision: u64,
    /// When it was asked for.
    pub created: Timestamp,
    /// The first instant at which nobody can decide any more.
    pub decide_by: Timestamp,
    /// Who decided what, in their order; no two of one person.
    #[serde(default)]
    pub votes: Vec<Vote>,
    /// The votes were skipped in an emergency, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub break_glass: Option<String>,
    /// Where its distributed trace began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceParent>,
    /// Where it stands, as it was written down last.
    pub state: State,
}

impl Approval {
    /// A new request, which waits for votes.
    pub fn open(opening: Opening, now: Timestamp) -> Self {
        let Opening { id, asked, rule, template, binding, epoch } = opening;
        Self {
            id,
            asked,
            rule,
            decide_by: later(now, template.decide_within),
            template,
            digest: request::digest_of(&binding),
            binding,
            epoch,
            version: 1,
            revision: 1,
            created: now,
            votes: Vec::new(),
            break_glass: None,
            trace: None,
            state: State::Pending,
        }
    }

    /// SHA-256 over the binding as it is now. Whoever relies on it compares it with what was decided about.
    pub fn request_digest(&self) -> Digest {
        request::digest_of(&self.binding)
    }

    /// The state's name at `now`.
    pub fn state_name(&self, now: Timestamp) -> &'static str {
        self.lapse(now).as_ref().unwrap_or(self).state.name()
    }

    /// PENDING -> APPROVED without votes, in an emergency; otherwise the state that it has.
    pub fn break_glass(self, why: String, now: Timestamp) -> Result<Self, &'static str> {
        let mut open = self.as_of(now);
        if open.state != State::Pending {
            return Err(open.state.name());
        }
        open.break_glass = Some(why);
        Ok(open.approved(now).next())
    }

    fn approved(mut self, now: Timestamp) -> Self {
        self.state = State::Approved { at: now, use_by: later(now, self.template.use_within) };
        self
    }

    /// Counts one change.
    fn next(mut self) -> Self {
        self.revision = self.revision.saturating_add(1);
        self
    }
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
