//! What a case's delegation brings along: an approval and a reservation in the state that the case names.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::Case;
use crate::{
    domain::{
        approval::{Approval, ApprovalId, Asked, Cause, Closed, Opening, State},
        hook::Fingerprint,
        ids::{GroupId, Issuer},
        reason::Reason,
        reservation::{Slot, Wish},
        rule::{Rule, Situation, first_match},
    },
    policy::{Brought, Hold, TenantPolicy},
};

/// The epoch of a case; nothing depends on which it is.
const EPOCH: u64 = 1;
/// The moment of a case; nothing depends on which it is.
const NOW: Timestamp = Timestamp::UNIX_EPOCH;

/// How the approval stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Approved {
    /// Nobody asked for one.
    #[default]
    None,
    /// It waits for votes.
    Pending,
    /// It can be used.
    Approved,
    /// Somebody said no.
    Denied,
    /// A deadline passed.
    Expired,
    /// The requester took it back.
    Withdrawn,
    /// Somebody took the decision back.
    Revoked,
    /// Every use was made.
    Spent,
}

/// How the reservation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reserved {
    /// Nobody made one.
    #[default]
    None,
    /// The agent holds the account, of whose group he is a member.
    Held,
    /// It ended before the hook.
    Gone,
    /// The agent holds the account, and left its group.
    NotAMember,
}

/// A case's approval and reservation.
pub(super) struct Props {
    delivery: Fingerprint,
    approval: Option<Approval>,
    hold: Option<(Slot, u64)>,
    group: GroupId,
}

impl Props {
    pub(super) fn of(policy: &TenantPolicy, case: &Case) -> Result<Self, Reason> {
        let is = Situation {
            delegator_groups: &case.delegator.groups,
            agent_groups: &case.agent.groups,
            client: &case.client,
            scopes: &case.scopes,
        };
        let approval = match first_match(&policy.rules, &is) {
            Some(rule) => approval(case, rule)?,
            None => None,
        };
        let delivery = Fingerprint { event_id: "case".to_owned(), body: String::new() };
        Ok(Self { delivery, approval, hold: hold(case)?, group: members()? })
    }

    pub(super) fn brought(&self) -> Brought<'_> {
        let hold = self.hold.as_ref();
        Brought {
            now: NOW,
            epoch: EPOCH,
            delivery: &self.delivery,
            approval: self.approval.as_ref(),
            reservation: hold.map(|(slot, generation)| Hold {
                slot,
                generation: *generation,
                group: Some(&self.group),
            }),
        }
    }
}

/// The group of the reserved account. The agent is in it unless the case says otherwise.
pub(super) fn members() -> Result<GroupId, Reason> {
    GroupId::parse("members of the reserved account").map_err(|_| Reason::Internal)
}

fn approval(case: &Case, rule: &Rule) -> Result<Option<Approval>, Reason> {
    let (Some(template), false) = (&rule.approval, case.approval == Approved::None) else { return Ok(None) };
    let opening = Opening {
        id: ApprovalId::mint(NOW, [0; 16]),
        asked: Asked {
            requester: case.agent.party.clone(),
            delegator: case.delegator.party.clone(),
            client: case.client.clone(),
            issuer: Issuer::parse("https://issuer.invalid").map_err(|_| Reason::Internal)?,
            scopes: case.scopes.clone(),
            reason: None,
            ticket: None,
            application: None,
        },
        rule: rule.name.clone(),
        template: template.clone(),
        binding: "{}".to_owned(),
        epoch: EPOCH,
    };
    let open = Approval::open(opening, NOW);
    let closed = |cause| State::Closed(Closed { cause, at: NOW, by: None, uses: 0 });
    let state = match case.approval {
        Approved::None => return Ok(None),
        Approved::Pending => State::Pending,
        // As good as votes, and no case has to name who would vote.
        Approved::Approved => {
            return open.break_glass("a case".to_owned(), NOW).map(Some).map_err(|_| Reason::Internal);
        }
        Approved::Denied => closed(Cause::Denied),
        Approved::Expired => closed(Cause::UseBy),
        Approved::Withdrawn => closed(Cause::Withdrawn),
        Approved::Revoked => closed(Cause::Revoked),
        Approved::Spent => closed(Cause::UsesExhausted),
    };
    Ok(Some(Approval { state, ..open }))
}

fn hold(case: &Case) -> Result<Option<(Slot, u64)>, Reason> {
    if case.reservation == Reserved::None {
        return Ok(None);
    }
    let holder = case.agent.party.clone();
    let expires = NOW.saturating_add(SignedDuration::from_mins(5)).unwrap_or(Timestamp::MAX);
    let wish = Wish { holder, secret: None, expires };
    let slot = Slot::empty(case.delegator.party.clone()).reserve(wish, EPOCH, NOW)?.slot;
    let generation = slot.generation;
    let slot = match case.reservation {
        Reserved::Gone => slot.release(generation, &case.agent.party.id, EPOCH, NOW)?,
        _ => slot,
    };
    Ok(Some((slot, generation)))
}
