//! Who may decide, and how votes count.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Approval, Cause, Signed, State, Template,
    evidence::Countersignature,
    template::{Approver, Kind},
};
use crate::domain::{
    delegation::Party,
    ids::{GroupId, UserId},
    user::User,
};

/// What somebody says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// Yes.
    Approve,
    /// No: the first one wins.
    Deny,
}

impl Choice {
    /// Its stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Deny => "deny",
        }
    }
}

/// One person's decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// Whose, as the directory knew him.
    pub by: Party,
    /// What he said.
    pub choice: Choice,
    /// When.
    pub at: Timestamp,
    /// Why, in his words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// How he signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<Signed>,
    /// The service's own signature over all of this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub countersignature: Option<Countersignature>,
}

/// Somebody who wants to decide, as the directory tells of him now.
#[derive(Debug, Clone, Copy)]
pub struct Voter<'a> {
    /// The caller's id, as his token names him.
    pub caller: &'a UserId,
    /// The directory's record of him.
    pub user: &'a User,
    /// His groups.
    pub groups: &'a BTreeSet<GroupId>,
    /// It is a shared account: whoever holds it now may be anybody, the requester included.
    pub is_shared: bool,
}

/// A vote, before it counts.
#[derive(Debug, Clone)]
pub struct Ballot {
    /// What he says.
    pub choice: Choice,
    /// The version of the content that he saw.
    pub version: u32,
    /// Why.
    pub comment: Option<String>,
    /// His signature, verified.
    pub signed: Option<Signed>,
}

/// Why somebody may not decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Ineligible {
    /// Nobody approves his own request.
    #[error("self-approval")]
    Requester,
    /// The delegator's own vote doesn't count here.
    #[error("delegator-approval")]
    Delegator,
    /// His account doesn't work.
    #[error("approver-inactive")]
    Inactive,
    /// Nobody knows who speaks through a shared account.
    #[error("shared-account")]
    Shared,
    /// The rule doesn't name him, nor a group of his.
    #[error("not-an-approver")]
    NotNamed,
}

/// Why a vote doesn't count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// He may not decide.
    #[error(transparent)]
    Ineligible(#[from] Ineligible),
    /// It is decided, or over: the state's name.
    #[error("approval-closed")]
    Closed(&'static str),
    /// He saw another version.
    #[error("version-changed")]
    VersionChanged,
    /// One person counts once.
    #[error("already-voted")]
    AlreadyVoted,
    /// The rule wants a signature.
    #[error("signature-required")]
    SignatureRequired,
    /// The rule wants a signature of another level.
    #[error("signature-level")]
    SignatureLevel,
}

impl Template {
    /// True if it names the user, or one of his groups.
    pub fn names(&self, user: &UserId, groups: &BTreeSet<GroupId>) -> bool {
        is_named(&self.approvers, user, groups)
    }
}

impl Approval {
    /// Whether he may decide. Ids decide; that a login or the token's name for him is a party's, is as good as his id:
    /// an alias is no second person.
    pub fn eligible(&self, voter: &Voter<'_>) -> Result<(), Ineligible> {
        if is_same(voter, &self.asked.requester) {
            return Err(Ineligible::Requester);
        }
        if !self.template.delegator_may_approve && is_same(voter, &self.asked.delegator) {
            return Err(Ineligible::Delegator);
        }
        if !voter.user.is_active() {
            return Err(Ineligible::Inactive);
        }
        if voter.is_shared {
            return Err(Ineligible::Shared);
        }
        if self.template.names(&voter.user.id, voter.groups) { Ok(()) } else { Err(Ineligible::NotNamed) }
    }

    /// Counts a vote: PENDING stays, or -> APPROVED with the last one that is needed, or -> DENIED at once.
    pub fn vote(self, voter: &Voter<'_>, ballot: Ballot, now: Timestamp) -> Result<Self, Refusal> {
        self.may_vote(voter, ballot.version, now)?;
        self.takes(ballot.signed.as_ref())?;
        let by = Party::of(voter.user);
        let Ballot { choice, comment, signed, .. } = ballot;
        let mut after = self.next();
        after.votes.push(Vote { by: by.clone(), choice, at: now, comment, signed, countersignature: None });
        Ok(match choice {
            Choice::Deny => after.closed(Cause::Denied, Some(by), now),
            Choice::Approve if after.has_quorum() => after.approved(now),
            Choice::Approve => after,
        })
    }

    /// Whether a vote on this version would count, but for its signature.
    pub fn may_vote(&self, voter: &Voter<'_>, version: u32, now: Timestamp) -> Result<(), Refusal> {
        self.eligible(voter)?;
        let state = self.state_name(now);
        if state != State::Pending.name() {
            return Err(Refusal::Closed(state));
        }
        if version != self.version {
            return Err(Refusal::VersionChanged);
        }
        if self.votes.iter().any(|vote| is_same(voter, &vote.by)) {
            return Err(Refusal::AlreadyVoted);
        }
        Ok(())
    }

    /// True if he voted.
    pub fn has_voted(&self, user: &UserId) -> bool {
        self.votes.iter().any(|vote| &vote.by.id == user)
    }

    pub(super) fn has_quorum(&self) -> bool {
        let yes: BTreeSet<&UserId> =
            self.votes.iter().filter(|vote| vote.choice == Choice::Approve).map(|vote| &vote.by.id).collect();
        let no = self.votes.iter().any(|vote| vote.choice == Choice::Deny);
        !no && self.template.quorum > 0 && yes.len() >= usize::from(self.template.quorum)
    }

    fn takes(&self, signed: Option<&Signed>) -> Result<(), Refusal> {
        match (self.template.kind, signed) {
            (Kind::Approve, _) => Ok(()),
            (Kind::SignAndApprove, None) => Err(Refusal::SignatureRequired),
            (Kind::SignAndApprove, Some(signed)) if self.template.signatures.contains(&signed.level()) => Ok(()),
            (Kind::SignAndApprove, Some(_)) => Err(Refusal::SignatureLevel),
        }
    }
}

/// True if the user, or one of his groups, is among them.
pub(super) fn is_named(approvers: &BTreeSet<Approver>, user: &UserId, groups: &BTreeSet<GroupId>) -> bool {
    approvers.iter().any(|approver| match approver {
        Approver::User(id) => id == user,
        Approver::Group(id) => groups.contains(id),
    })
}

/// The same person under any of his names. Logins are compared without regard to case, as directories do.
pub(super) fn is_same(voter: &Voter<'_>, party: &Party) -> bool {
    let login = party.login.as_str().to_lowercase();
    let his = [voter.user.id.as_str(), voter.caller.as_str(), voter.user.login.as_str()];
    his.iter().any(|name| *name == party.id.as_str() || name.to_lowercase() == login)
}
