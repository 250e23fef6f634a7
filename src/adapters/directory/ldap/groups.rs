//! Groups, by their immutable ids.

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use ldap3::Scope;

use super::{
    Kind, LdapDirectory, PAGE,
    fault::{garbled, rejected},
    filter::Filter,
    line::{Line, Query},
};
use crate::{
    domain::ids::{GroupId, UserId, UserRef},
    ports::directory::DirectoryError,
};

/// Groups that a user may be in.
const MOST_GROUPS: usize = 2000;
/// Groups that are looked up at a time.
const AT_ONCE: usize = 16;

impl LdapDirectory {
    pub(super) async fn groups(&self, line: &Line, user: &UserId) -> Result<BTreeSet<GroupId>, DirectoryError> {
        let names = self.names();
        let attributes = vec![names.id.clone(), names.groups.clone()];
        let Some((_, entry)) = self.find(line, &UserRef::Id(user.clone()), attributes).await? else {
            return Ok(BTreeSet::new());
        };
        if self.settings().kind == Kind::ActiveDirectory {
            return self.groups_above(line, &entry.dn).await;
        }
        let names: Vec<String> = entry.texts(&names.groups).map(str::to_owned).collect();
        if names.len() > MOST_GROUPS {
            return Err(garbled(format!("a user is in more than {MOST_GROUPS} groups")));
        }
        // A group that the account may not read looks as if it weren't there, and a rule for it must not be passed by.
        let unseen = || rejected("a group that a user is in isn't there, or the account may not read its id");
        let found = stream::iter(names).map(|dn| async move {
            let group = self.named(line, &dn, vec![self.names().id.clone()]).await?;
            self.decoder.group(&group.ok_or_else(unseen)?)
        });
        let ids: Vec<GroupId> = found.buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(ids.into_iter().collect())
    }

    /// Those that the user is in, directly or through others.
    async fn groups_above(&self, line: &Line, dn: &str) -> Result<BTreeSet<GroupId>, DirectoryError> {
        let filter = Filter::leads_to(&self.names().groups, dn);
        let (base, attributes) = (&self.settings().base, vec![self.names().id.clone()]);
        let query = Query { base, scope: Scope::Subtree, filter, attributes, most: MOST_GROUPS };
        let found = self.complete(line.search_all(query, PAGE).await?, "looking for a user's groups")?;
        if found.len() >= MOST_GROUPS {
            return Err(garbled(format!("a user is in {MOST_GROUPS} groups or more")));
        }
        found.iter().map(|group| self.decoder.group(group)).collect()
    }
}
