//! Approvals: asked for at an initiation, decided by people, used by hooks.
//!
//! Every change is one commit: the record as it was read, the pure transition, its events. A deadline that has passed
//! is written down by whoever touches the record next, or by the reaper.

mod challenges;
pub mod eligible;
mod ending;
mod ensure;
pub mod events;
mod lapsing;
mod of_application;
pub mod outlook;
mod proving;
mod reading;
pub mod records;
pub mod refused;
pub mod reviews;
mod undecidable;
mod voting;
pub mod watching;

pub use self::{
    challenges::{Issued, challenge},
    ending::{revoke, withdraw},
    ensure::{Ensured, Wish, ensure},
    lapsing::lapse,
    of_application::{Wanted, ask},
    proving::{How, Signature, prove},
    reading::{Role, Viewer, evidence, find, list},
    refused::Refused,
    undecidable::undecidable,
    voting::{Cast, Verified, vote},
};

use std::collections::BTreeSet;

use self::ensure::{TEMPLATE_FORM, not_bound, with_room};
use super::{Services, Tenant, caller::Caller, commit::Settled, error::AppError, grants::find_user, locks, part::Part};
use crate::{
    domain::{
        approval::{Approval, ApprovalId, Ineligible, Voter},
        audit::{Code, Event},
        ids::{GroupId, UserRef},
        reason::Reason,
        user::User,
    },
    ports::{
        directory::DirectoryError,
        store::{Change, Expect, Key, Snapshot},
    },
};

/// An approval as it stands, and where it is stored.
#[derive(Debug, Clone)]
pub struct Found {
    /// As of the read: what a deadline ended is ended.
    pub approval: Approval,
    /// Its key.
    pub key: Key,
    /// The version of the record, for whoever expects it.
    pub version: u64,
    /// The approval as it was written down, where that is still open and a deadline has passed since.
    lapsed: Option<Box<Approval>>,
    /// The store's time of the read.
    now: jiff::Timestamp,
}

impl Found {
    /// How long a token that is minted with it now may live; zero if none may be.
    pub fn remaining(&self) -> jiff::SignedDuration {
        self.approval.remaining(self.now)
    }

    fn in_snapshot(snapshot: &Snapshot, id: ApprovalId) -> Result<Option<Self>, AppError> {
        let key = records::key(id);
        let Some((stored, record)) = super::records::find::<Approval>(snapshot, &key)? else { return Ok(None) };
        if stored.id != id {
            return Err(Reason::Internal.into());
        }
        let (version, now) = (record.version, snapshot.now);
        Ok(Some(match stored.lapse(now) {
            None => Self { approval: stored, key, version, lapsed: None, now },
            Some(approval) => Self { approval, key, version, lapsed: Some(Box::new(stored)), now },
        }))
    }
}

/// The approval under this id, and the epoch.
async fn read(services: &Services, tenant: &Tenant, id: ApprovalId) -> Result<(Found, Snapshot), AppError> {
    read_with(services, tenant, id, &[]).await
}

/// The same for somebody who is about to decide about it: with his lock.
async fn read_to_decide(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    id: ApprovalId,
) -> Result<(Found, Snapshot), AppError> {
    read_with(services, tenant, id, &[super::records::lock_key(&caller.user)]).await
}

async fn read_with(
    services: &Services,
    tenant: &Tenant,
    id: ApprovalId,
    more: &[Key],
) -> Result<(Found, Snapshot), AppError> {
    let keys = [&[records::key(id), super::records::epoch_key()], more].concat();
    let snapshot = services.store.read(&tenant.name, &keys).await?;
    let found = Found::in_snapshot(&snapshot, id)?.ok_or(AppError::NotFound("approval"))?;
    Ok((found, snapshot))
}

/// Who calls, as the directory tells of him now.
pub(super) struct Me {
    user: User,
    groups: BTreeSet<GroupId>,
    is_shared: bool,
}

impl Me {
    /// `None`: the directory doesn't know him. His groups are asked for where they matter.
    pub(super) async fn ask(tenant: &Tenant, caller: &Caller, with_groups: bool) -> Result<Option<Self>, AppError> {
        let directory = &*tenant.directory;
        let Some(user) = find_user(directory, &UserRef::Id(caller.user.clone())).await? else { return Ok(None) };
        let is_shared = tenant.shared.get(user.id.as_str()).is_some();
        let groups = if with_groups { directory.groups_of(&user.id).await } else { Ok(BTreeSet::new()) };
        match groups {
            // He went away meanwhile.
            Err(DirectoryError::NoSuchUser) => Ok(None),
            groups => Ok(Some(Self { user, groups: groups?, is_shared })),
        }
    }

    pub(super) fn voter<'a>(&'a self, caller: &'a Caller) -> Voter<'a> {
        Voter { caller: &caller.user, user: &self.user, groups: &self.groups, is_shared: self.is_shared }
    }
}

/// Whether the approval concerns the caller without asking the directory.
fn is_party(approval: &Approval, caller: &Caller) -> bool {
    let asked = &approval.asked;
    caller.administrator
        || asked.requester.id == caller.user
        || asked.delegator.id == caller.user
        || approval.has_voted(&caller.user)
}

/// Whether he may see it, being no party: only one who may decide about it. Unknown is no.
fn may_decide(approval: &Approval, caller: &Caller, me: Option<&Me>) -> Result<(), Ineligible> {
    me.map_or(Err(Ineligible::NotNamed), |me| approval.eligible(&me.voter(caller)))
}

/// The caller, if he may decide about it. Whom the directory doesn't know sees nothing, whatever his token says.
async fn voter(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    found: &Found,
    operation: &str,
) -> Result<Me, AppError> {
    let with_groups = found.approval.template.groups().next().is_some();
    let Some(me) = Me::ask(tenant, caller, with_groups).await? else { return Err(AppError::NotFound("approval")) };
    let Err(ineligible) = found.approval.eligible(&me.voter(caller)) else { return Ok(me) };
    let seen = is_party(&found.approval, caller);
    let answer = if seen { Refused::NotAnApprover.into() } else { AppError::NotFound("approval") };
    Err(refuse(services, tenant, caller, &found.approval, operation, &ineligible.to_string(), answer).await)
}

/// That the caller's account isn't locked, for the commit: as it acts for nobody, it decides nothing.
async fn unlocked(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    found: &Found,
    snapshot: &Snapshot,
    operation: &str,
) -> Result<(Key, Expect), AppError> {
    match locks::unlocked(snapshot, &caller.user) {
        Ok(expect) => Ok(expect),
        Err(locked) => {
            let exact = Reason::Locked.code();
            Err(refuse(services, tenant, caller, &found.approval, operation, exact, locked).await)
        }
    }
}

/// Writes an approval that was read, and what goes with it.
async fn commit(
    services: &Services,
    tenant: &Tenant,
    found: &Found,
    after: &Approval,
    more: Part,
) -> Result<Settled, AppError> {
    let mut part = Part::default();
    part.write(records::put(after)?, Expect::Version(found.version));
    part.add(more);
    let change = part.into_change(Change::new(services.change_id(), services.not_after(found.now, tenant)))?;
    services.settle(&tenant.name, change, found.key).await
}

/// Writes down what a deadline ended, if that wasn't done yet. Whether it could be written doesn't matter: whoever
/// comes next finds the same.
async fn settle(services: &Services, tenant: &Tenant, found: &Found) {
    let Some(before) = &found.lapsed else { return };
    let events = events::lapsed(services, &tenant.name, before, &found.approval, found.now, "approvals");
    if let Err(error) = commit(services, tenant, found, &found.approval, told(events)).await {
        tracing::warn!(tenant = %tenant.name, %error, "the end of an approval could not be written down");
    }
}

/// Nothing but events.
fn told(events: Vec<Event>) -> Part {
    Part { events, ..Part::default() }
}

/// Writes an attempt down and gives the refusal; whether it could be written doesn't change the refusal.
async fn refuse(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    approval: &Approval,
    operation: &str,
    exact: &str,
    answer: AppError,
) -> AppError {
    services
        .record(tenant, |now| {
            let actor = crate::domain::audit::Actor::user_id(caller.user.as_str());
            events::about(services, &tenant.name, Code::ApprovalRefused, actor, approval, now)
                .failed_with(exact)
                .in_request(caller.request.as_deref())
                .detail("operation", operation)
        })
        .await;
    answer
}
