//! Approvals that nobody can decide any more, because too few of those whom their rule names are left.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    app::{Services, Tenant, error::AppError, grants::find_user, readings, records::decode},
    domain::{
        approval::{Approval, State, Voter},
        ids::{UserId, UserRef},
        user::User,
    },
};

/// Users who are asked for in one look: some directories count each call.
const MOST_ASKED: usize = 50;

/// Counts them. Where a rule names groups nobody can tell, and approvals whose people weren't asked for because there
/// are too many don't count either.
pub async fn undecidable(services: &Services, tenant: &Tenant) -> Result<u64, AppError> {
    let open = readings::open_approvals(services, &tenant.name, decode::<Approval>).await?;
    let now = services.store.read(&tenant.name, &[]).await?.now;
    let waits = |it: &Approval| it.state == State::Pending && now < it.decide_by;
    let by_users = |it: &Approval| it.template.groups().next().is_none();
    let (mut known, mut count) = (BTreeMap::new(), 0);
    for approval in open.into_iter().filter(|it| waits(it) && by_users(it)) {
        if learn(tenant, &approval, &mut known).await? && !can_be_decided(&approval, &known) {
            count += 1;
        }
    }
    Ok(count)
}

/// Asks the directory for those whom the approval names. False: that would be too many.
async fn learn(
    tenant: &Tenant,
    approval: &Approval,
    known: &mut BTreeMap<UserId, Option<User>>,
) -> Result<bool, AppError> {
    for id in approval.template.users() {
        if known.contains_key(id) {
            continue;
        }
        if known.len() == MOST_ASKED {
            return Ok(false);
        }
        let user = find_user(&*tenant.directory, &UserRef::Id(id.clone())).await?;
        known.insert(id.clone(), user);
    }
    Ok(true)
}

fn can_be_decided(approval: &Approval, known: &BTreeMap<UserId, Option<User>>) -> bool {
    let groups = BTreeSet::new();
    let left = approval.template.users().filter(|id| !approval.has_voted(id)).filter(|id| {
        let Some(Some(user)) = known.get(*id) else { return false };
        approval.eligible(&Voter { caller: id, user, groups: &groups }).is_ok()
    });
    approval.votes.len() + left.count() >= usize::from(approval.template.quorum)
}
