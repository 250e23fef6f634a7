//! Taking back: the request (its requester), or the decision (the requester, who voted, an administrator).

use jiff::Timestamp;

use super::{Found, Me, Refused, commit, events, is_party, may_decide, read, refuse, settle, told};
use crate::{
    app::{Services, Tenant, caller::Caller, error::AppError, grants::party_of},
    domain::{
        approval::{Approval, ApprovalId},
        audit::{Actor, Event},
        reason::Reason,
    },
};

/// PENDING -> WITHDRAWN.
pub async fn withdraw(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    id: ApprovalId,
) -> Result<Approval, AppError> {
    let found = visible(services, tenant, caller, id).await?;
    if found.approval.asked.requester.id != caller.user {
        let no = Refused::NotYours("who asked for it");
        return Err(refuse(services, tenant, caller, &found.approval, "withdraw", no.code(), no.into()).await);
    }
    let by = found.approval.asked.requester.clone();
    let actor = Actor::user(&by);
    end(services, tenant, caller, found, &actor, None, |approval, now| {
        approval.withdraw(by.clone(), now).map_err(Refused::Closed)
    })
    .await
}

/// APPROVED or ACTIVE -> REVOKED, from the next hook on.
pub async fn revoke(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    id: ApprovalId,
    why: Option<&str>,
) -> Result<Approval, AppError> {
    let found = visible(services, tenant, caller, id).await?;
    let approval = &found.approval;
    let is_his = approval.asked.requester.id == caller.user || approval.has_voted(&caller.user);
    if !is_his && !caller.administrator {
        let no = Refused::NotYours("who asked for it, who voted, or an administrator");
        return Err(refuse(services, tenant, caller, approval, "revoke", no.code(), no.into()).await);
    }
    let by = party_of(tenant, caller).await?;
    let actor = if is_his { Actor::user(&by) } else { Actor::user(&by).as_administrator() };
    end(services, tenant, caller, found, &actor, why, |approval, now| {
        approval.revoke(by.clone(), now).map_err(|state| match state {
            "PENDING" => Refused::StillPending,
            other => Refused::Closed(other),
        })
    })
    .await
}

/// The approval, if the caller may see it.
async fn visible(services: &Services, tenant: &Tenant, caller: &Caller, id: ApprovalId) -> Result<Found, AppError> {
    let (found, _) = read(services, tenant, id).await?;
    if is_party(&found.approval, caller) {
        return Ok(found);
    }
    let me = Me::ask(tenant, caller, true).await?;
    may_decide(&found.approval, caller, me.as_ref()).map_err(|_| AppError::NotFound("approval"))?;
    Ok(found)
}

async fn end(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    mut found: Found,
    actor: &Actor,
    why: Option<&str>,
    change: impl Fn(Approval, Timestamp) -> Result<Approval, Refused>,
) -> Result<Approval, AppError> {
    let mut tries = services.tries();
    while tries.again().await {
        let now = found.now;
        let after = match change(found.approval.clone(), now) {
            Ok(after) => after,
            Err(refused) => {
                settle(services, tenant, &found).await;
                return Err(refused.into());
            }
        };
        let event = events::ended_by(services, &tenant.name, actor.clone(), &found.approval, &after, now)
            .in_request(caller.request.as_deref());
        let event = why.into_iter().fold(event, |event: Event, text| event.detail("reason", text));
        if commit(services, tenant, &found, &after, told(vec![event])).await?.stands() {
            return Ok(after);
        }
        (found, _) = read(services, tenant, found.approval.id).await?;
    }
    Err(Reason::Busy.into())
}
