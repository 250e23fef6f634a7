//! What the audit trail tells of approvals: one event for each transition and each vote.

use jiff::Timestamp;

use crate::{
    app::Services,
    domain::{
        approval::{Approval, ApprovalId, Cause, State, Vote},
        audit::{Actor, Code, Event},
        ids::TenantName,
    },
};

/// An event about this approval, with who and what it is for.
pub fn about(
    services: &Services,
    tenant: &TenantName,
    code: Code,
    actor: Actor,
    approval: &Approval,
    now: Timestamp,
) -> Event {
    let asked = &approval.asked;
    let mut event = services
        .event(tenant, code, actor, now)
        .on_behalf_of(&asked.delegator)
        .on("approval", &approval.id)
        .on("agent", &asked.requester.id)
        .through(asked.client.as_str())
        .detail("version", approval.version)
        .detail("digest", approval.digest.to_string());
    event.policy.rule = Some(approval.rule.clone());
    event
}

/// It was asked for.
pub(super) fn requested(services: &Services, tenant: &TenantName, approval: &Approval, now: Timestamp) -> Event {
    let actor = match &approval.asked.application {
        Some(said) => Actor::application(&said.uri),
        None => Actor::user(&approval.asked.requester),
    };
    let event = about(services, tenant, Code::ApprovalRequested, actor, approval, now)
        .changed(None, State::Pending.name())
        .detail("approvers", approvers(approval))
        .detail("decide_by", approval.decide_by.to_string());
    let asked = &approval.asked;
    [("reason", &asked.reason), ("ticket", &asked.ticket)]
        .into_iter()
        .filter_map(|(name, text)| Some((name, text.as_deref()?)))
        .fold(event, |event, (name, text)| event.detail(name, text))
}

/// The votes were skipped.
pub(super) fn broken(
    services: &Services,
    tenant: &TenantName,
    approval: &Approval,
    denied: Option<ApprovalId>,
    now: Timestamp,
) -> Event {
    let actor = Actor::user(&approval.asked.requester);
    let event = about(services, tenant, Code::BreakGlass, actor, approval, now)
        .changed(Some(State::Pending.name()), approval.state.name())
        .detail("reason", approval.break_glass.clone().unwrap_or_default())
        .detail("skipped", approvers(approval));
    denied.into_iter().fold(event, |event, id| event.detail("denied", id.to_string()))
}

/// Who may decide; who tells people of it reads this.
fn approvers(approval: &Approval) -> Vec<String> {
    approval.template.approvers.iter().map(ToString::to_string).collect()
}

/// A vote, and what it led to.
pub(super) fn voted(services: &Services, tenant: &TenantName, after: &Approval, vote: &Vote) -> Vec<Event> {
    let now = vote.at;
    let mut event = about(services, tenant, Code::ApprovalVoted, Actor::user(&vote.by), after, now)
        .detail("decision", vote.choice.code());
    if let Some(comment) = &vote.comment {
        event = event.detail("comment", comment.as_str());
    }
    if let Some(signed) = &vote.signed {
        event = event.detail("signature", serde_json::to_value(signed.level()).unwrap_or_default());
    }
    let code = match &after.state {
        State::Approved { .. } => Code::ApprovalApproved,
        State::Closed(_) => Code::ApprovalDenied,
        State::Pending | State::Active { .. } => return vec![event],
    };
    let decided = about(services, tenant, code, Actor::user(&vote.by), after, now)
        .changed(Some(State::Pending.name()), after.state.name());
    vec![event, decided]
}

/// Somebody ended it.
pub(super) fn ended_by(
    services: &Services,
    tenant: &TenantName,
    actor: Actor,
    before: &Approval,
    after: &Approval,
    now: Timestamp,
) -> Event {
    let code = if after.state.name() == "REVOKED" { Code::ApprovalRevoked } else { Code::ApprovalWithdrawn };
    about(services, tenant, code, actor, after, now).changed(Some(before.state.name()), after.state.name())
}

/// A hook used it; the end, if that was the last use.
pub fn used(
    services: &Services,
    tenant: &TenantName,
    before: &Approval,
    after: &Approval,
    now: Timestamp,
) -> Vec<Event> {
    let actor = || Actor::user(&after.asked.requester);
    let (was, is) = (before.state.name(), after.state.name());
    let used = about(services, tenant, Code::ApprovalUsed, actor(), after, now)
        .changed(Some(was), State::name(&State::Active { since: now, grant_until: now, uses: 0 }))
        .detail("uses", after.state.uses())
        .detail("max_uses", after.template.max_uses);
    if !matches!(after.state, State::Closed(_)) {
        return vec![used];
    }
    let ended = about(services, tenant, Code::ApprovalEnded, actor(), after, now)
        .changed(Some("ACTIVE"), is)
        .detail("cause", Cause::UsesExhausted.code());
    vec![used, ended]
}

/// A deadline has passed; `part` wrote it down.
pub(super) fn lapsed(
    services: &Services,
    tenant: &TenantName,
    before: &Approval,
    after: &Approval,
    now: Timestamp,
    part: &str,
) -> Vec<Event> {
    let State::Closed(closed) = &after.state else { return Vec::new() };
    let code = match closed.cause {
        Cause::DecideBy => Code::ApprovalExpired,
        Cause::UseBy => Code::ApprovalUnusedExpired,
        _ => Code::ApprovalEnded,
    };
    let event = about(services, tenant, code, Actor::service(part), after, now)
        .changed(Some(before.state.name()), after.state.name())
        .detail("cause", closed.cause.code())
        .detail("at", closed.at.to_string());
    vec![event]
}
