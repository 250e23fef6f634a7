//! Looking at notifications: the requester at those of his approval, an administrator at all; and trying one again.

use super::records as own;
use crate::{
    app::{
        Services, Tenant, approvals,
        caller::Caller,
        error::AppError,
        listing::{self, Cursor, Listed},
        records,
    },
    domain::{
        approval::ApprovalId,
        audit::{Actor, Code},
        notice::{Notification, NotificationId},
        reason::Reason,
    },
    ports::store::{Change, Expect, Page},
};

/// Notifications shown of one approval.
const MOST: usize = 200;

/// Those about an approval, in the order of what happened, for its requester and for administrators: none, as long as
/// none is made yet. To everybody else there is nothing here.
pub async fn of_approval(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    approval: &str,
) -> Result<Listed<Notification>, AppError> {
    let page = Page { up_to: u64::MAX, after: None, limit: MOST };
    let found = services.store.list(&tenant.name, own::about(approval), page).await?;
    let mut shown = Listed::of(&found, |_, record| {
        let notification: Notification = records::decode(record)?;
        let about = notification.facts.subject.as_ref();
        let fits = about.is_some_and(|subject| subject.kind == "approval" && subject.id == approval);
        let his = notification.facts.requester.as_ref() == Some(&caller.user);
        Ok((fits && (caller.administrator || his)).then_some(notification))
    });
    shown.next = None;
    if shown.items.is_empty() {
        is_theirs(services, tenant, caller, approval).await?;
    }
    Ok(shown)
}

/// Whether there is such an approval, and the caller asked for it or is an administrator.
async fn is_theirs(services: &Services, tenant: &Tenant, caller: &Caller, approval: &str) -> Result<(), AppError> {
    let id = ApprovalId::parse(approval).ok_or(AppError::NotFound("approval"))?;
    let found = approvals::find(services, tenant, caller, id).await?;
    let is_his = found.asked.application.is_none() && found.asked.requester.id == caller.user;
    if is_his || caller.administrator { Ok(()) } else { Err(AppError::NotFound("approval")) }
}

/// Those in a state, newest first; for administrators.
pub async fn in_state(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    state: &str,
    (after, limit): (Option<Cursor>, usize),
) -> Result<Listed<Notification>, AppError> {
    if !caller.administrator {
        return Err(services.denied(tenant, caller, "notification.list", "").await);
    }
    let found = listing::page(services, tenant, own::in_state(state), after, limit).await?;
    Ok(Listed::of(&found, |_, record| records::decode(record).map(Some)))
}

/// Has one that was given up tried again, from the beginning; for administrators.
pub async fn retry(services: &Services, tenant: &Tenant, caller: &Caller, id: &str) -> Result<Notification, AppError> {
    if !caller.administrator {
        return Err(services.denied(tenant, caller, "notification.retry", id).await);
    }
    let id = NotificationId::parse(id).ok_or(AppError::NotFound("notification"))?;
    let key = own::notification_key(id.0);
    let mut tries = services.tries();
    while tries.again().await {
        let snapshot = services.store.read(&tenant.name, &[key]).await?;
        let Some((present, record)) = records::find::<Notification>(&snapshot, &key)? else {
            return Err(AppError::NotFound("notification"));
        };
        let before = present.state.name();
        let Some(again) = present.again(snapshot.now) else { return Err(AppError::NotGivenUp(before)) };
        let actor = Actor::user_id(caller.user.as_str()).as_administrator();
        let event = services
            .event(&tenant.name, Code::NotificationRetried, actor, snapshot.now)
            .in_request(caller.request.as_deref())
            .on("notification", &id)
            .changed(Some(before), again.state.name());
        let change = Change {
            expect: vec![(key, Expect::Version(record.version))],
            puts: vec![own::put(&again)?],
            events: records::encode_events(&[event])?,
            ..Change::new(services.change_id(), services.not_after(snapshot.now, tenant))
        };
        if services.settle(&tenant.name, change, key).await?.stands() {
            return Ok(again);
        }
    }
    Err(Reason::Busy.into())
}
