//! Who is in a group: the users whose own groups name it, so that this says what `groups` says of each of them.

use ldap3::Scope;

use super::{
    Kind, LdapDirectory, PAGE, above,
    fault::{NO_SUCH_OBJECT, garbled, rejected},
    filter::Filter,
    id,
    line::{Line, Query},
    raw::Raw,
};
use crate::{
    domain::ids::GroupId,
    ports::directory::{DirectoryError, MOST_MEMBERS, Members},
};

/// Where groups themselves name their members.
const LISTS: [&str; 2] = ["member", "uniqueMember"];
/// Members that a group names which are looked at where no user is found.
const MOST_LOOKED_AT: usize = 8;
/// Entries with one id.
const MOST_ALIKE: usize = 2;

impl LdapDirectory {
    pub(super) async fn members(
        &self,
        line: &Line,
        group: &GroupId,
        limit: usize,
    ) -> Result<Option<Members>, DirectoryError> {
        let Some(group) = self.group(line, group).await? else { return Ok(None) };
        let in_group = match self.settings().kind {
            Kind::ActiveDirectory => self.is_in(line, &group).await?,
            Kind::OpenLdap | Kind::Ds389 => Filter::is(&self.names().groups, group.dn.as_bytes()),
        };
        let filter = Filter::configured(&self.settings().user_filter).and(&in_group);
        let (base, attributes) = (&self.settings().base, vec![self.names().id.clone()]);
        // One beyond the limit tells that there are others.
        let most = limit.min(MOST_MEMBERS).saturating_add(1);
        let query = Query { base, scope: Scope::Subtree, filter, attributes, most };
        let found = self.complete(line.search_all(query, PAGE).await?, "looking for a group's members")?;
        let ids = found.iter().map(|user| self.decoder.id(user)).collect::<Result<Vec<_>, _>>()?;
        if ids.is_empty() && self.hides_members(line, &group).await? {
            return Err(rejected(
                "a group has members who don't show it as theirs: is `memberOf` kept, and may the account read it?",
            ));
        }
        Ok(Some(Members::first(limit, ids)))
    }

    /// Whether one of the first members that the group itself names is a user: then it isn't empty.
    async fn hides_members(&self, line: &Line, group: &Raw) -> Result<bool, DirectoryError> {
        if self.settings().kind == Kind::ActiveDirectory {
            return Ok(false);
        }
        let attributes = LISTS.iter().map(|name| (*name).to_owned()).collect();
        let Some(lists) = self.named(line, &group.dn, attributes).await? else { return Ok(false) };
        let listed = LISTS.iter().flat_map(|name| lists.texts(name)).take(MOST_LOOKED_AT);
        let base = plain(&self.settings().base);
        for dn in listed.filter(|dn| plain(dn).ends_with(&base)) {
            let filter = Filter::configured(&self.settings().user_filter);
            let query = Query { base: dn, scope: Scope::Base, filter, attributes: vec!["1.1".to_owned()], most: 1 };
            let found = line.search(query).await?;
            if found.result.rc != NO_SUCH_OBJECT && !self.complete(found, "looking at a group's member")?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The entry with exactly that id, wherever it is.
    async fn group(&self, line: &Line, group: &GroupId) -> Result<Option<Raw>, DirectoryError> {
        let kind = self.settings().kind;
        let Some(id) = id::to_server(kind, group.as_str()) else { return Ok(None) };
        let found = if kind == Kind::ActiveDirectory {
            self.named(line, &format!("<GUID={group}>"), above::attributes(&self.names().id)).await?
        } else {
            let attributes = vec![self.names().id.clone()];
            let (base, filter) = (self.context(line).await?, Filter::is(&self.names().id, &id));
            let query = Query { base: &base, scope: Scope::Subtree, filter, attributes, most: MOST_ALIKE };
            let mut found = self.complete(line.search(query).await?, "looking for a group")?;
            if found.len() > 1 {
                return Err(garbled("several entries have one id"));
            }
            found.pop()
        };
        let Some(entry) = found else { return Ok(None) };
        // Servers compare loosely.
        Ok((self.decoder.group(&entry)? == *group).then_some(entry))
    }

    /// The server's tree in which the users are: groups need not be below the users' base.
    pub(super) async fn context(&self, line: &Line) -> Result<String, DirectoryError> {
        let root = self.named(line, "", vec!["namingContexts".to_owned()]).await?;
        let root = root.ok_or_else(|| garbled("it has no root entry"))?;
        let base = plain(&self.settings().base);
        let holds = |context: &&str| {
            let context = plain(context);
            base == context || base.ends_with(&format!(",{context}"))
        };
        let contexts = root.texts("namingContexts").filter(|context| !context.is_empty()).filter(holds);
        let found = contexts.max_by_key(|context| context.len()).map(str::to_owned);
        found.ok_or_else(|| rejected("groups can't be looked up: none of its naming contexts holds BEHALF_LDAP_BASE"))
    }
}

/// A name without what makes no difference: letters' case, spaces around separators.
pub(super) fn plain(dn: &str) -> String {
    let parts: Vec<String> =
        dn.split(',').map(|part| part.split('=').map(str::trim).collect::<Vec<_>>().join("=")).collect();
    parts.join(",").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn a_name_is_compared_without_case_and_spaces() {
        assert_eq!(plain("OU=People, DC = Example,dc=com"), "ou=people,dc=example,dc=com");
    }
}
