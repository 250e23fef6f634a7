//! Groups, by their immutable ids.

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::{
    Kind, LdapDirectory, above,
    fault::{garbled, rejected},
    line::Line,
};
use crate::{
    domain::ids::{GroupId, UserId, UserRef},
    ports::directory::DirectoryError,
};

/// Groups that a user may be in.
pub(super) const MOST_GROUPS: usize = 2000;
/// Groups that are looked up at a time.
const AT_ONCE: usize = 16;

/// A group that the account may not read looks as if it weren't there, and a rule for it must not be passed by.
pub(super) fn unseen() -> DirectoryError {
    rejected("a group that a user is in isn't there, or the account may not read it or its id")
}

impl LdapDirectory {
    pub(super) async fn groups(&self, line: &Line, user: &UserId) -> Result<BTreeSet<GroupId>, DirectoryError> {
        let (names, in_ad) = (self.names(), self.settings().kind == Kind::ActiveDirectory);
        let attributes =
            if in_ad { above::attributes(&names.id) } else { vec![names.id.clone(), names.groups.clone()] };
        let found = self.find(line, &UserRef::Id(user.clone()), attributes).await?;
        let (_, entry) = found.ok_or(DirectoryError::NoSuchUser)?;
        if in_ad {
            return self.groups_above(line, &entry).await;
        }
        let names: Vec<String> = entry.texts(&names.groups).map(str::to_owned).collect();
        if names.len() > MOST_GROUPS {
            return Err(garbled(format!("a user is in more than {MOST_GROUPS} groups")));
        }
        let found = stream::iter(names).map(|dn| async move {
            let group = self.named(line, &dn, vec![self.names().id.clone()]).await?;
            self.decoder.group(&group.ok_or_else(unseen)?)
        });
        let ids: Vec<GroupId> = found.buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(ids.into_iter().collect())
    }
}
