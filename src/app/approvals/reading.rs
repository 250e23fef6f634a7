//! Looking at approvals: one, or a list. What isn't the caller's to see isn't there.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;

use super::{Found, Me, is_party, may_decide, read, records};
use crate::{
    app::{
        Services, Tenant,
        application::ApplicationCaller,
        caller::Caller,
        error::AppError,
        listing::{self, Cursor, Listed},
        records as all,
    },
    domain::{
        approval::{
            Approval, ApprovalId, State,
            evidence::Evidence,
            template::{Approver, Template},
        },
        ids::{ApplicationUri, GroupId},
        reason::Reason,
    },
    ports::store::{ListPage, Page, Record, StoreError, Unreadable},
};

/// Groups of one approver that are looked into; those that present rules name come first.
const MOST_GROUPS: usize = 64;

/// As whom somebody looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// What he asked for.
    Requester,
    /// What was asked for on his behalf.
    Delegator,
    /// What awaits his vote.
    Approver,
    /// All of it, as an administrator.
    Administrator,
}

/// Who looks at one approval.
#[derive(Debug, Clone, Copy)]
pub enum Viewer<'a> {
    /// A user.
    User(&'a Caller),
    /// An application, which sees its own.
    Application(&'a ApplicationCaller),
}

impl Viewer<'_> {
    /// The approval, as of now.
    pub async fn find(self, services: &Services, tenant: &Tenant, id: ApprovalId) -> Result<Approval, AppError> {
        match self {
            Self::User(caller) => find(services, tenant, caller, id).await,
            Self::Application(caller) => find_by_application(services, tenant, &caller.application.uri, id).await,
        }
    }

    /// Whether he may see it as of now. What he saw a moment ago may be another's business by now; unknown is no.
    pub async fn may_see(self, tenant: &Tenant, approval: &Approval) -> Result<(), AppError> {
        match self {
            Self::User(caller) => may_see(tenant, caller, approval).await,
            Self::Application(caller) if is_of(approval, &caller.application.uri) => Ok(()),
            Self::Application(_) => Err(AppError::NotFound("approval")),
        }
    }
}

fn is_of(approval: &Approval, application: &ApplicationUri) -> bool {
    approval.asked.application.as_ref().is_some_and(|said| said.uri == *application)
}

async fn may_see(tenant: &Tenant, caller: &Caller, approval: &Approval) -> Result<(), AppError> {
    if is_party(approval, caller) {
        return Ok(());
    }
    let with_groups = approval.template.groups().next().is_some();
    let me = Me::ask(tenant, caller, with_groups).await?;
    may_decide(approval, caller, me.as_ref()).map_err(|_| AppError::NotFound("approval"))
}

/// One approval that this application asked for, as of now.
pub(super) async fn find_by_application(
    services: &Services,
    tenant: &Tenant,
    application: &ApplicationUri,
    id: ApprovalId,
) -> Result<Approval, AppError> {
    let (Found { approval, .. }, _) = read(services, tenant, id).await?;
    if is_of(&approval, application) { Ok(approval) } else { Err(AppError::NotFound("approval")) }
}

/// One approval, as of now.
pub async fn find(services: &Services, tenant: &Tenant, caller: &Caller, id: ApprovalId) -> Result<Approval, AppError> {
    let (Found { approval, .. }, _) = read(services, tenant, id).await?;
    may_see(tenant, caller, &approval).await?;
    Ok(approval)
}

/// All that an outsider needs to verify what was decided; for whoever may see the approval.
pub async fn evidence(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    id: ApprovalId,
) -> Result<Evidence, AppError> {
    let approval = find(services, tenant, caller, id).await?;
    let keys = services.signing.keys(&*services.store, &tenant.name).await?;
    let unwritable = |error| AppError::Failed { reason: Reason::Internal, internal: format!("evidence: {error}") };
    Evidence::of(&tenant.name, &approval, keys).map_err(unwritable)
}

/// A page, newest first. One of what awaits a vote may be short, and still have a next one.
pub async fn list(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    role: Role,
    after: Option<Cursor>,
    limit: usize,
) -> Result<Listed<Approval>, AppError> {
    let index = match role {
        Role::Requester => records::by_requester(&caller.user),
        Role::Delegator => records::by_delegator(&caller.user),
        Role::Approver => return awaiting(services, tenant, caller, after, limit).await,
        Role::Administrator if caller.administrator => records::all(),
        Role::Administrator => return Err(services.denied(tenant, caller, "approval.list", "all").await),
    };
    let found = listing::page(services, tenant, index, after, limit).await?;
    let his = |approval: &Approval| is_party(approval, caller);
    Ok(Listed::of(&found, |_, record| Ok(Some(as_of(record, &found)?).filter(his))))
}

async fn awaiting(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    after: Option<Cursor>,
    limit: usize,
) -> Result<Listed<Approval>, AppError> {
    let Some(me) = Me::ask(tenant, caller, true).await? else { return Ok(Listed::nothing()) };
    if !me.user.is_active() {
        return Ok(Listed::nothing());
    }
    let pages = try_join_all(principals(tenant, &me).iter().map(async |principal| {
        let page = Page { up_to: u64::MAX, after, limit };
        services.store.list(&tenant.name, records::by_approver(principal), page).await
    }))
    .await?;
    let (rows, next) = merged(&pages, limit);
    let (mut items, mut unreadable) = (Vec::with_capacity(rows.len()), 0);
    for (record, page) in rows {
        let Ok(Ok(approval)) = record.as_ref().map(|record| as_of(record, page)) else {
            unreadable += 1;
            continue;
        };
        if approval.state == State::Pending && approval.may_vote(&me.voter(caller), approval.version, page.now).is_ok()
        {
            items.push(approval);
        }
    }
    Ok(Listed { items, next, unreadable })
}

/// He, and his groups.
fn principals(tenant: &Tenant, me: &Me) -> Vec<Approver> {
    let policy = tenant.policy.now();
    let rules = &policy.rules;
    let of_rules = || rules.iter().filter_map(|rule| rule.approval.as_ref());
    let is_named = |id: &GroupId| {
        of_rules().chain(tenant.applications.templates()).flat_map(Template::groups).any(|named| named == id)
    };
    let mut groups: Vec<_> = me.groups.iter().collect();
    groups.sort_by_key(|id| !is_named(id));
    let groups = groups.into_iter().take(MOST_GROUPS).map(|id| Approver::Group(id.clone()));
    std::iter::once(Approver::User(me.user.id.clone())).chain(groups).collect()
}

type Rows<'p> = Vec<(&'p Result<Record, Unreadable>, &'p ListPage)>;

/// One page out of several, each row once. Where a page has more behind it, nothing behind its last row is known yet.
fn merged(pages: &[ListPage], limit: usize) -> (Rows<'_>, Option<Cursor>) {
    let known_to = pages.iter().filter(|page| page.more).filter_map(ListPage::end).min();
    let mut rows = BTreeMap::new();
    for page in pages {
        for (sort, key, record) in &page.rows {
            rows.entry((*sort, *key)).or_insert((record, page));
        }
    }
    rows.retain(|at, _| known_to.is_none_or(|end| *at <= end));
    let has_more = known_to.is_some() || rows.len() > limit;
    let taken: Vec<_> = rows.into_iter().take(limit).collect();
    let next = taken.last().map(|(at, _)| *at).filter(|_| has_more);
    (taken.into_iter().map(|(_, row)| row).collect(), next)
}

fn as_of(record: &Record, page: &ListPage) -> Result<Approval, StoreError> {
    Ok(all::decode::<Approval>(record)?.as_of(page.now))
}
