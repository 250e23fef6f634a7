//! Who may write agents, as far as the server tells.

use ldap3::{Mod, Scope};

use super::{Finding, Inspection, Kind, Level, Raw, Said, acl};
use crate::{
    adapters::directory::ldap::{
        fault::{self, NO_SUCH_ATTRIBUTE, NO_SUCH_OBJECT},
        filter::Filter,
        line::{Query, one},
    },
    ports::entropy,
};

/// What it means if somebody else than the service writes agents.
pub(super) const AROUND: &str = "it goes round the audit trail, the bound and the rule about delegated tokens";

const NO_RIGHT: u32 = 50;

impl Inspection<'_> {
    /// `user` is some user.
    pub(super) async fn rights(&self, user: &Raw) -> Said {
        let mut found = self.own(user).await?;
        found.extend(match self.directory.settings().kind {
            Kind::OpenLdap => self.rules_of_openldap().await?,
            Kind::Ds389 => self.rules_of_389().await?,
            Kind::ActiveDirectory => vec![unknown("Active Directory's security descriptors aren't read here")],
        });
        Ok(found)
    }

    /// Asks to take away an agent whom nobody lists: it changes nothing, and the answer tells whether we may. The same
    /// together with the class: all or nothing, so that nothing happens to that either.
    async fn own(&self, user: &Raw) -> Said {
        let nobody = entropy::bytes::<16>(&**self.entropy).map(|byte| format!("{byte:02x}")).concat();
        let name = &self.directory.names().agents;
        let take = || Mod::Delete(name.as_bytes(), one(nobody.as_bytes()));
        let agents = match self.line.modify(&user.dn, vec![take()], None).await? {
            0 | NO_SUCH_ATTRIBUTE => Finding::good(format!("the account may write `{name}`")),
            NO_RIGHT => Finding::error(format!("the account may not write `{name}`")),
            fault::REFERRAL => {
                Finding::error("it takes no changes: name the server that does first in BEHALF_LDAP_URL")
            }
            code @ (18 | 21) => Finding::error(format!(
                "values of `{name}` can't be compared, so none can be taken away (LDAP result {code})"
            )),
            code => {
                Finding::warning(format!("whether the account may write `{name}` can't be told (LDAP result {code})"))
            }
        };
        if agents.level > Level::Good || self.directory.settings().kind == Kind::ActiveDirectory {
            return Ok(vec![agents]);
        }
        let class = &self.directory.names().class;
        let both = vec![take(), Mod::Delete(b"objectClass".as_slice(), one(class.as_bytes()))];
        let refused = self.line.modify(&user.dn, both, None).await? == NO_RIGHT;
        let text =
            format!("the account may not write `objectClass`: users without the class `{class}` can't be given agents");
        Ok(std::iter::once(agents).chain(refused.then(|| Finding::warning(text))).collect())
    }

    /// The configuration, which few accounts may read.
    async fn rules_of_openldap(&self) -> Said {
        let settings = self.directory.settings();
        let attributes = vec!["olcAccess".to_owned(), "olcSuffix".to_owned(), "olcRootDN".to_owned()];
        let filter = Filter::configured("(olcSuffix=*)");
        let query = Query { base: "cn=config", scope: Scope::Subtree, filter, attributes, most: 100 };
        let found = self.line.search(query).await?;
        if found.result.rc == NO_SUCH_OBJECT || found.result.rc == NO_RIGHT {
            return Ok(vec![unknown("the account may not read `cn=config`")]);
        }
        let entries = self.directory.complete(found, "reading `cn=config`")?;
        let holds = |entry: &&Raw| entry.texts("olcSuffix").any(|suffix| acl::is_below(&settings.base, suffix));
        let Some(database) = entries.iter().find(holds) else {
            return Ok(vec![unknown("the account may not read the database's entry in `cn=config`")]);
        };
        if database.values("olcAccess").is_empty() {
            return Ok(vec![unknown("the account may not read `olcAccess` in `cn=config`")]);
        }
        let writers = acl::writers(database.texts("olcAccess"), &self.directory.names().agents);
        Ok(self.judged(writers))
    }

    fn judged(&self, writers: Vec<String>) -> Vec<Finding> {
        let ours = acl::normal(&self.directory.settings().bind_dn);
        let name = &self.directory.names().agents;
        let mut found = Vec::new();
        for who in writers {
            match who.as_str() {
                "self" => found.push(Finding::warning(format!("users may write `{name}` of themselves: {AROUND}"))),
                dn if acl::dn_of(dn).is_some_and(|dn| acl::normal(dn) == ours) => {}
                other => found.push(Finding::error(format!("`{other}` may write `{name}`, too: {AROUND}"))),
            }
        }
        if found.is_empty() {
            found.push(Finding::good(format!(
                "by its rules nobody else may write `{name}` (but its own administrators)"
            )));
        }
        found
    }

    /// The rules that lie in the entry of the base and those above and below it; what isn't shown isn't judged.
    async fn rules_of_389(&self) -> Said {
        let settings = self.directory.settings();
        let (filter, attributes) = (Filter::configured("(aci=*)"), vec!["aci".to_owned()]);
        let query = Query { base: &settings.base, scope: Scope::Subtree, filter, attributes, most: 100 };
        let found = self.directory.complete(self.line.search(query).await?, "reading access rules")?;
        let mut rules: Vec<String> = found.iter().flat_map(|entry| entry.texts("aci")).map(str::to_owned).collect();
        let mut above = acl::parent(&settings.base);
        while let Some(dn) = above {
            let entry = self.directory.named(self.line, dn, vec!["aci".to_owned()]).await?;
            rules.extend(entry.iter().flat_map(|entry| entry.texts("aci")).map(str::to_owned));
            above = acl::parent(dn);
        }
        if rules.is_empty() {
            return Ok(vec![unknown("the account may not read `aci`")]);
        }
        let name = &self.directory.names().agents;
        Ok(self.judged(rules.iter().flat_map(|rule| acl::writers_by_aci(rule, name)).collect()))
    }
}

fn unknown(why: &str) -> Finding {
    Finding::good(format!("who else may write agents can't be told ({why}); nobody should"))
}
