//! May somebody use a shared account, now? Asked live when he reserves it and again when he uses it. Unknown is no.

use std::collections::BTreeSet;

use crate::{
    domain::{
        ids::{GroupId, UserId, UserRef},
        reason::Reason,
        shared_account::SharedAccount,
        user::User,
    },
    ports::directory::{Directory, DirectoryError},
};

/// Who wants to use shared accounts, as the directory told of him just now. His account is active.
pub struct Member {
    /// He himself.
    pub user: User,
    groups: BTreeSet<GroupId>,
}

impl Member {
    /// Whether he is in the group whose account it is.
    pub fn may_use(&self, account: &SharedAccount) -> Result<(), Reason> {
        if self.groups.contains(&account.group) { Ok(()) } else { Err(Reason::NotAMember) }
    }
}

/// A holder and the account he uses, both active, and he is in its group.
pub struct Standing {
    /// The shared account.
    pub account: User,
    /// Who uses it.
    pub holder: User,
}

/// Asks for somebody and his groups.
pub async fn member(directory: &dyn Directory, who: &UserId) -> Result<Member, Reason> {
    let reference = UserRef::Id(who.clone());
    let (user, groups) = tokio::join!(directory.user(&reference), directory.groups_of(who));
    Ok(Member { user: active(user, who, Reason::HolderInactive)?, groups: groups? })
}

/// Asks for a shared account.
pub async fn account(directory: &dyn Directory, id: &UserId) -> Result<User, Reason> {
    active(directory.user(&UserRef::Id(id.clone())).await, id, Reason::AccountInactive)
}

/// Asks for both, and his groups, at the same time.
pub async fn standing(directory: &dyn Directory, of: &SharedAccount, holder: &UserId) -> Result<Standing, Reason> {
    let (account, member) = tokio::join!(account(directory, &of.id), member(directory, holder));
    // What can't be asked is told first: it voids nothing.
    let failure = [account.as_ref().err(), member.as_ref().err()].into_iter().flatten().find(|r| r.is_failure());
    if let Some(failure) = failure {
        return Err(*failure);
    }
    let (account, member) = (account?, member?);
    member.may_use(of)?;
    Ok(Standing { account, holder: member.user })
}

fn active(found: Result<Option<User>, DirectoryError>, id: &UserId, otherwise: Reason) -> Result<User, Reason> {
    let user = found?.ok_or(otherwise)?;
    if &user.id != id {
        return Err(Reason::DirectoryMismatch);
    }
    if user.is_active() { Ok(user) } else { Err(otherwise) }
}
