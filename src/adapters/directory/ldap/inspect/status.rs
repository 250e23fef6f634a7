//! Whether the account sees what looks like "all is well" where it isn't shown: locks, and groups.

use ldap3::{Scope, controls::RawControl};

use super::{Finding, Inspection, Kind, Raw, Said, schema::defines};
use crate::{
    adapters::directory::ldap::{decode, filter::Filter, line::Query},
    ports::directory::DirectoryError,
};

/// "Which rights has he there?", of 389 Directory Server.
const EFFECTIVE_RIGHTS: &str = "1.3.6.1.4.1.42.2.27.9.5.2";
const RIGHTS: &str = "attributeLevelRights";

/// What becomes of it where it isn't seen.
const LOCKED: &str = "a user who is locked looks active";
const GROUPED: &str = "users look as if they were in no group, and rules that name groups are passed by";

impl Inspection<'_> {
    /// `user` is some user.
    pub(super) async fn seen(&self, root: &Raw, user: &Raw) -> Said {
        let locks = match self.directory.settings().kind {
            Kind::OpenLdap => self.locks_of_openldap(root, user).await?,
            Kind::Ds389 => self.locks_of_389(user).await?,
            // What isn't seen there is an error at every user.
            Kind::ActiveDirectory => return Ok(Vec::new()),
        };
        let groups = self.directory.names().groups.as_str();
        let hidden = !self.may_search(user, groups).await? && self.knows(root, groups).await?;
        Ok(std::iter::once(locks).chain(hidden.then(|| hides(groups, GROUPED))).collect())
    }

    /// Whether a user's groups are all seen.
    pub(super) async fn groups(&self, user: &Raw) -> Option<Finding> {
        let id = self.directory.decoder.id(user).ok()?;
        let error = self.directory.groups(self.line, &id).await.err()?;
        Some(Finding::warning(format!("a user's groups can't be told, so rules that name groups refuse him: {error}")))
    }

    /// A lock that is seen shows that they are. That nobody is seen to be locked doesn't.
    async fn locks_of_openldap(&self, root: &Raw, user: &Raw) -> Result<Finding, DirectoryError> {
        let name = decode::LOCK_OF_OPENLDAP;
        if !self.knows(root, name).await? {
            return Ok(Finding::good(format!("its schema has no `{name}` (overlay ppolicy): nobody is locked")));
        }
        let filter = Filter::configured(&self.directory.settings().user_filter).and(&Filter::has(name));
        let (base, attributes) = (&self.directory.settings().base, vec![name.to_owned()]);
        let query = Query { base, scope: Scope::Subtree, filter, attributes, most: 1 };
        // There may be more of them than the one that is asked for.
        let locked = self.line.search(query).await?.entries.pop();
        Ok(match locked {
            Some(locked) if locked.values(name).is_empty() => hides(name, LOCKED),
            Some(_) => reads(name),
            None if self.may_search(user, name).await? => Finding::warning(format!(
                "whether the account may read `{name}` can't be told, because nobody is locked: where it may not, {LOCKED}"
            )),
            None => hides(name, LOCKED),
        })
    }

    async fn knows(&self, root: &Raw, name: &str) -> Result<bool, DirectoryError> {
        let place = root.texts("subschemaSubentry").next().unwrap_or("cn=Subschema");
        let schema = self.directory.named(self.line, place, vec!["attributeTypes".to_owned()]).await?;
        // A schema that isn't seen may have it.
        Ok(schema.is_none_or(|schema| schema.texts("attributeTypes").any(|text| defines(text, name))))
    }

    /// An attribute that may not be searched is neither there nor not there.
    async fn may_search(&self, user: &Raw, name: &str) -> Result<bool, DirectoryError> {
        let either = Filter::has(name).or(&Filter::has(name).negated());
        let attributes = vec!["1.1".to_owned()];
        let query = Query { base: &user.dn, scope: Scope::Base, filter: either, attributes, most: 1 };
        let found = self.line.search(query).await?;
        Ok(!self.directory.complete(found, "looking whether an attribute can be searched")?.is_empty())
    }

    /// The server says which rights the account has.
    async fn locks_of_389(&self, user: &Raw) -> Result<Finding, DirectoryError> {
        let (name, who) = (decode::LOCK_OF_389, format!("dn:{}", self.directory.settings().bind_dn));
        let control = RawControl { ctype: EFFECTIVE_RIGHTS.to_owned(), crit: true, val: Some(who.into_bytes()) };
        let (filter, attributes) = (Filter::any(), vec![name.to_owned()]);
        let query = Query { base: &user.dn, scope: Scope::Base, filter, attributes, most: 1 };
        let found = self.line.search_with(query, control).await?;
        let entry = if found.result.rc == 0 { found.entries.first() } else { None };
        let told = entry.and_then(|entry| entry.texts(RIGHTS).next()).and_then(|told| rights(told, name));
        Ok(match told {
            Some(rights) if rights.contains('r') => reads(name),
            Some(_) => hides(name, LOCKED),
            None => Finding::warning(format!(
                "whether the account may read `{name}` can't be told: where it may not, {LOCKED}"
            )),
        })
    }
}

fn reads(name: &str) -> Finding {
    Finding::good(format!("the account may read `{name}`"))
}

fn hides(name: &str, so: &str) -> Finding {
    Finding::error(format!("the account may not read `{name}`: {so}"))
}

/// Those of one attribute in `uid:rsc, mail:none`.
fn rights<'t>(told: &'t str, attribute: &str) -> Option<&'t str> {
    let mut each = told.split(',').filter_map(|part| part.trim().split_once(':'));
    let (_, rights) = each.find(|(name, _)| name.eq_ignore_ascii_case(attribute))?;
    Some(if rights == "none" { "" } else { rights })
}

#[cfg(test)]
mod tests {
    use super::rights;

    #[test]
    fn rights_are_told_by_attribute() {
        let told = "uid:rsc, nsAccountLock:none, memberOf:rscwo";
        assert_eq!((rights(told, "nsaccountlock"), rights(told, "memberOf")), (Some(""), Some("rscwo")));
        assert_eq!(rights(told, "member"), None);
    }
}
