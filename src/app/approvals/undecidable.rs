//! Approvals that nobody can decide any more, because too few of those whom their rule names are left.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    app::{Services, Tenant, error::AppError, grants::find_user, readings, records::decode},
    domain::{
        approval::{Approval, State, Voter},
        ids::{GroupId, UserId, UserRef},
        shared_account::SharedAccounts,
        user::User,
    },
    ports::directory::{Directory, DirectoryError, Members},
};

/// Users who are asked for in one look: some directories count each call.
const MOST_ASKED: usize = 50;

/// Counts them. Those whose people weren't all asked for, because there are too many, don't count.
pub async fn undecidable(services: &Services, tenant: &Tenant) -> Result<u64, AppError> {
    let open = readings::open_approvals(services, &tenant.name, decode::<Approval>).await?;
    let now = services.store.read(&tenant.name, &[]).await?.now;
    let waits = |it: &Approval| it.state == State::Pending && now < it.decide_by;
    let (directory, shared) = (&*tenant.directory, &tenant.shared);
    let mut known = Known { directory, shared, users: BTreeMap::new(), groups: BTreeMap::new() };
    let mut count = 0;
    for approval in open.into_iter().filter(waits) {
        if known.can_be_decided(&approval).await? == Some(false) {
            count += 1;
        }
    }
    Ok(count)
}

/// What the directory told in this look.
struct Known<'a> {
    directory: &'a dyn Directory,
    shared: &'a SharedAccounts,
    users: BTreeMap<UserId, Option<User>>,
    groups: BTreeMap<GroupId, Option<Members>>,
}

impl Known<'_> {
    /// Whether enough people are left. `None`: to tell, too many would have to be asked for.
    async fn can_be_decided(&mut self, approval: &Approval) -> Result<Option<bool>, AppError> {
        let (mut votes, mut all) = (approval.votes.len(), true);
        let needed = usize::from(approval.template.quorum);
        // Those named by themselves first: usually they suffice, and no group has to be asked for.
        let mut seen: BTreeSet<UserId> = approval.votes.iter().map(|vote| vote.by.id.clone()).collect();
        for id in approval.template.users().filter(|id| seen.insert((*id).clone())) {
            match self.may_vote(approval, id, &BTreeSet::new()).await? {
                Some(may) => votes += usize::from(may),
                None => all = false,
            }
        }
        for group in approval.template.groups() {
            if votes >= needed {
                break;
            }
            let Some(Members { ids, more }) = self.members(group).await? else {
                all = false;
                continue;
            };
            all &= !more;
            for id in ids.iter().filter(|id| seen.insert((*id).clone())) {
                match self.may_vote(approval, id, &BTreeSet::from([group.clone()])).await? {
                    Some(may) => votes += usize::from(may),
                    None => all = false,
                }
                if votes >= needed {
                    break;
                }
            }
        }
        Ok(if votes >= needed { Some(true) } else { all.then_some(false) })
    }

    /// `None`: so many were asked for already that he wasn't.
    async fn may_vote(
        &mut self,
        approval: &Approval,
        id: &UserId,
        groups: &BTreeSet<GroupId>,
    ) -> Result<Option<bool>, AppError> {
        if !self.users.contains_key(id) {
            if self.users.len() == MOST_ASKED {
                return Ok(None);
            }
            let user = find_user(self.directory, &UserRef::Id(id.clone())).await?;
            self.users.insert(id.clone(), user);
        }
        let Some(user) = self.users.get(id).and_then(Option::as_ref) else { return Ok(Some(false)) };
        let is_shared = self.shared.get(id.as_str()).is_some();
        Ok(Some(approval.eligible(&Voter { caller: id, user, groups, is_shared }).is_ok()))
    }

    /// `None`: this directory doesn't tell.
    async fn members(&mut self, group: &GroupId) -> Result<Option<Members>, AppError> {
        if let Some(known) = self.groups.get(group) {
            return Ok(known.clone());
        }
        let members = match self.directory.members_of(group, MOST_ASKED).await {
            Ok(found) => Some(found.unwrap_or_default()),
            Err(DirectoryError::Rejected(_)) => None,
            Err(error) => return Err(error.into()),
        };
        self.groups.insert(group.clone(), members.clone());
        Ok(members)
    }
}
