//! Whether enough people could decide, as the directory knows them now.

use std::collections::BTreeSet;

use futures_util::future::try_join_all;

use super::Refused;
use crate::{
    app::{Tenant, error::AppError, grants::find_user},
    domain::{
        approval::Template,
        ids::{GroupId, UserId, UserRef},
    },
    ports::directory::{Directory, DirectoryError},
};

/// Members of a group who are looked at: one page of most directories.
const OF_A_GROUP: usize = 200;
/// People who are read at a time, at least and at most: usually the first of a group can decide, and more is waste.
const AT_ONCE: (usize, usize) = (2, 16);
/// People who are read in all.
const MOST_READ: usize = 400;

/// Refuses if fewer people than the quorum could decide: those whom the template names and the members of its groups,
/// each once, active, no shared account, and not `barred`. Groups are asked only if those named by themselves don't
/// suffice. Who can't be asked for is our failure, never somebody less.
pub async fn check(tenant: &Tenant, template: &Template, barred: &[&UserId]) -> Result<(), AppError> {
    let shared = tenant.shared.iter().map(|account| &account.id);
    let barred: BTreeSet<&UserId> = barred.iter().copied().chain(shared).collect();
    let able = able(&*tenant.directory, template, &barred).await?;
    if able < usize::from(template.quorum) {
        return Err(Refused::NoApprovers { able, quorum: template.quorum }.into());
    }
    Ok(())
}

/// How many could decide; no more are counted than it takes.
async fn able(directory: &dyn Directory, template: &Template, barred: &BTreeSet<&UserId>) -> Result<usize, AppError> {
    let named: BTreeSet<UserId> = template.users().filter(|id| !barred.contains(id)).cloned().collect();
    let able = active(directory, named.iter(), usize::from(template.quorum)).await?;
    let Some(missing) = usize::from(template.quorum).checked_sub(able).filter(|missing| *missing > 0) else {
        return Ok(able);
    };
    let asked = template.groups().map(|group| members(directory, group));
    let members: BTreeSet<UserId> = try_join_all(asked).await?.into_iter().flatten().collect();
    let others = members.difference(&named).filter(|id| !barred.contains(id));
    Ok(able + active(directory, others.take(MOST_READ), missing).await?)
}

async fn members(directory: &dyn Directory, group: &GroupId) -> Result<BTreeSet<UserId>, DirectoryError> {
    let found = directory.members_of(group, OF_A_GROUP).await?;
    if found.is_none() {
        tracing::warn!(%group, "a group whose members are to approve isn't there");
    }
    Ok(found.unwrap_or_default().ids)
}

/// How many of these are active, up to `enough`.
async fn active(
    directory: &dyn Directory,
    ids: impl Iterator<Item = &UserId>,
    enough: usize,
) -> Result<usize, AppError> {
    let ids: Vec<&UserId> = ids.collect();
    let (mut rest, mut found, mut size) = (ids.as_slice(), 0, enough.clamp(AT_ONCE.0, AT_ONCE.1));
    while found < enough && !rest.is_empty() {
        let (now, later) = rest.split_at(size.min(rest.len()));
        let asked = now.iter().map(|id| async { find_user(directory, &UserRef::Id((*id).clone())).await });
        found += try_join_all(asked).await?.iter().flatten().filter(|user| user.is_active()).count();
        (rest, size) = (later, (size * 2).min(AT_ONCE.1));
    }
    Ok(found.min(enough))
}
