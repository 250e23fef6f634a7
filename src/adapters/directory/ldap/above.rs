//! Groups of Active Directory. A user is in those that name him, in his primary group, which doesn't, and in all that
//! these are in. They may be anywhere in the domain, and a search says nothing of those that the account may not see:
//! the server's own list of them, and what each shows as its groups, must all be found.

use std::collections::{BTreeSet, HashSet};

use ldap3::Scope;

use super::{
    LdapDirectory, PAGE,
    fault::{garbled, rejected},
    filter::Filter,
    groups::{MOST_GROUPS, unseen},
    line::{Line, Query},
    members::plain,
    raw::Raw,
};
use crate::{domain::ids::GroupId, ports::directory::DirectoryError};

/// What leads to the groups that an entry is in itself, but for the primary one.
pub(super) const MEMBER_OF: &str = "memberOf";
/// Every security group that a user is in, at any depth; given for a user who is asked for by name.
const TOKENS: &str = "tokenGroups";
/// What it names groups by, and what those that were moved here were called before.
const SID: &str = "objectSid";
const FORMER_SIDS: &str = "sIDHistory";
/// Groups that are looked up at a time.
const AT_ONCE: usize = 50;
/// The first part of the SIDs that a domain gives; only such a group can be somebody's primary one.
const OF_DOMAIN: [u8; 4] = 21_u32.to_le_bytes();

/// What of a user or a group is asked for.
pub(super) fn attributes(id: &str) -> Vec<String> {
    [id, SID, FORMER_SIDS, MEMBER_OF].map(str::to_owned).to_vec()
}

/// Groups that were found, and what they say of others.
struct Above {
    ids: BTreeSet<GroupId>,
    sids: HashSet<Vec<u8>>,
    seen: HashSet<String>,
    due: Vec<String>,
}

impl Above {
    fn new(user: &Raw) -> Result<Self, DirectoryError> {
        let mut above = Self { ids: BTreeSet::new(), sids: HashSet::new(), seen: HashSet::new(), due: Vec::new() };
        above.sids.extend(user.values(FORMER_SIDS).iter().cloned());
        above.due.extend(shown(user)?);
        Ok(above)
    }

    fn take(&mut self, id: GroupId, group: &Raw) -> Result<(), DirectoryError> {
        self.ids.insert(id);
        self.sids.extend([SID, FORMER_SIDS].iter().flat_map(|name| group.values(name)).cloned());
        self.seen.insert(plain(&group.dn));
        self.due.extend(shown(group)?);
        if self.ids.len() > MOST_GROUPS { Err(too_many()) } else { Ok(()) }
    }
}

/// The groups that it shows as its own.
fn shown(entry: &Raw) -> Result<Vec<String>, DirectoryError> {
    // A list that comes in parts is far longer than any that is taken.
    if entry.range(MEMBER_OF).is_some() {
        return Err(too_many());
    }
    Ok(entry.texts(MEMBER_OF).map(str::to_owned).collect())
}

fn too_many() -> DirectoryError {
    garbled(format!("a user is in more than {MOST_GROUPS} groups"))
}

/// The last part of a domain's SID.
fn number(sid: &[u8]) -> Option<u32> {
    let of_domain = sid.len() > 16 && sid[8..12] == OF_DOMAIN;
    let last = of_domain.then(|| sid.last_chunk::<4>()).flatten()?;
    Some(u32::from_le_bytes(*last))
}

impl LdapDirectory {
    /// Those that the user is in, directly or through others.
    pub(super) async fn groups_above(&self, line: &Line, user: &Raw) -> Result<BTreeSet<GroupId>, DirectoryError> {
        let mut above = Above::new(user)?;
        let (context, tokens) = tokio::try_join!(self.context(line), self.tokens(line, &user.dn))?;
        let filter = Filter::leads_to(&self.names().groups, &user.dn);
        for group in self.groups_in(line, &context, filter).await? {
            self.take(&mut above, &group)?;
        }
        let missing: Vec<&[u8]> = tokens.iter().filter(|sid| !above.sids.contains(*sid)).map(Vec::as_slice).collect();
        for part in missing.chunks(AT_ONCE) {
            for group in self.groups_in(line, &context, Filter::one_of(SID, part)).await? {
                self.take(&mut above, &group)?;
            }
        }
        if !tokens.iter().all(|sid| above.sids.contains(sid)) {
            return Err(unseen());
        }
        while let Some(dn) = above.due.pop() {
            if above.seen.insert(plain(&dn)) {
                let group = self.named(line, &dn, attributes(&self.names().id)).await?;
                self.take(&mut above, &group.ok_or_else(unseen)?)?;
            }
        }
        Ok(above.ids)
    }

    /// Users whom one of these filters finds are in the group, or have it or one that is in it as primary group.
    pub(super) async fn is_in(&self, line: &Line, group: &Raw) -> Result<Filter, DirectoryError> {
        let leads_here = Filter::leads_to(MEMBER_OF, &group.dn);
        let within = Filter::configured("(objectCategory=group)").and(&leads_here);
        let within = self.groups_in(line, &self.context(line).await?, within).await?;
        let mut found = leads_here;
        for group in std::iter::once(group).chain(&within) {
            let sid = group.values(SID).first();
            let sid =
                sid.ok_or_else(|| rejected("a group's `objectSid` can't be read, so its members can't be told"))?;
            if let Some(number) = number(sid) {
                found = found.or(&Filter::is("primaryGroupID", number.to_string().as_bytes()));
            }
        }
        Ok(found)
    }

    async fn tokens(&self, line: &Line, user: &str) -> Result<Vec<Vec<u8>>, DirectoryError> {
        let entry = self.named(line, user, vec![TOKENS.to_owned()]).await?.ok_or(DirectoryError::NoSuchUser)?;
        // Everybody has a primary group.
        if entry.values(TOKENS).is_empty() {
            return Err(rejected(format!("`{TOKENS}` of a user can't be read: it tells which groups there are")));
        }
        Ok(entry.values(TOKENS).to_vec())
    }

    async fn groups_in(&self, line: &Line, base: &str, filter: Filter) -> Result<Vec<Raw>, DirectoryError> {
        let attributes = attributes(&self.names().id);
        let query = Query { base, scope: Scope::Subtree, filter, attributes, most: MOST_GROUPS };
        let found = self.complete(line.search_all(query, PAGE).await?, "looking for groups")?;
        if found.len() >= MOST_GROUPS { Err(too_many()) } else { Ok(found) }
    }

    fn take(&self, above: &mut Above, group: &Raw) -> Result<(), DirectoryError> {
        // An entry that may not be seen is found by name all the same, with nothing in it.
        if group.values(&self.names().id).is_empty() {
            return Err(unseen());
        }
        above.take(self.decoder.group(group)?, group)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_domains_groups_have_a_number() {
        let sid = |first: u32, last: u32| {
            let parts = [first, 1, 2, 3, last].map(u32::to_le_bytes).concat();
            [&[1, 5, 0, 0, 0, 0, 0, 5][..], &parts].concat()
        };
        assert_eq!((number(&sid(21, 513)), number(&sid(32, 545))), (Some(513), None));
        assert_eq!(number(&[1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x21, 2, 0, 0]), None);
        assert_eq!((number(&[]), number(&[1; 11])), (None, None));
    }
}
