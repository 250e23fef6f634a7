//! What an operator ought to know of the servers: asked once, told in sentences. Nothing is changed, and what can't be
//! told is said, never guessed.

use std::sync::Arc;

use ldap3::Scope;

use super::{
    Kind, LdapDirectory, Security, Settings, Trust,
    fault::SIZE_LIMIT,
    filter::Filter,
    line::{Line, Query},
    raw::Raw,
};
use crate::{
    adapters::finding::{Finding, Level},
    ports::{clock::Clock, directory::DirectoryError, entropy::Entropy},
};

mod acl;
mod rights;
mod schema;
mod status;

/// The controls without which lists, and changes bound to an id, can't be had.
const PAGED: &str = "1.2.840.113556.1.4.319";
const ASSERTION: &str = "1.3.6.1.1.12";

/// Asks every server. One that can't be reached beside one that can is a warning.
pub async fn inspect(
    settings: &Settings,
    trust: &Trust,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> Vec<Finding> {
    let mut found = Vec::new();
    let (mut reached, mut missed) = (0, Vec::new());
    for server in &settings.servers {
        let alone = Settings { servers: vec![server.clone()], connections: 1, ..settings.clone() };
        let directory = LdapDirectory::new(alone, trust.clone(), Arc::clone(clock), Arc::clone(entropy));
        match directory.pool.line().await {
            Ok(line) => {
                reached += 1;
                found.push(signed_in(settings, server.security).at(server));
                let said = Inspection { directory: &directory, line: &line, entropy }.all().await;
                found.extend(said.into_iter().map(|finding| finding.at(server)));
            }
            // The error names the server.
            Err(error @ DirectoryError::Rejected(_)) => found.push(Finding::error(error.to_string())),
            Err(error) => missed.push(error.to_string()),
        }
    }
    let level = if reached == 0 { Level::Error } else { Level::Warning };
    found.extend(missed.into_iter().map(|text| Finding { level, text }));
    found
}

fn signed_in(settings: &Settings, security: Security) -> Finding {
    let who = &settings.bind_dn;
    match security {
        Security::Tls | Security::StartTls => Finding::good(format!("signed in as `{who}`, over TLS")),
        Security::Clear => Finding::warning(format!("signed in as `{who}`, in the clear: anybody between can read it")),
    }
}

/// One server, signed in.
struct Inspection<'i> {
    directory: &'i LdapDirectory,
    line: &'i Line,
    entropy: &'i Arc<dyn Entropy>,
}

/// What is said, or why the rest can't be.
type Said = Result<Vec<Finding>, DirectoryError>;

impl Inspection<'_> {
    async fn all(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        let root = match self.root().await {
            Ok(root) => root,
            Err(error) => return vec![Finding::error(format!("its root entry can't be read: {error}"))],
        };
        found.extend(self.vendor(&root));
        found.extend(self.controls(&root));
        let schema = self.schema(&root).await;
        found.extend(
            schema.unwrap_or_else(|error| vec![Finding::warning(format!("its schema can't be read: {error}"))]),
        );
        match self.user().await {
            Ok((said, user)) => {
                found.extend(said);
                if let Some(user) = user {
                    let rights = self.rights(&user).await;
                    let unknown = |error| vec![Finding::warning(format!("rights can't be told: {error}"))];
                    found.extend(rights.unwrap_or_else(unknown));
                    found.extend(self.seen(&root, &user).await.unwrap_or_else(unknown));
                    found.extend(self.groups(&user).await);
                }
            }
            Err(error) => found.push(Finding::error(error.to_string())),
        }
        found
    }

    async fn root(&self) -> Result<Raw, DirectoryError> {
        let wanted =
            ["objectClass", "structuralObjectClass", "vendorName", "supportedCapabilities", "supportedControl"];
        let places = ["subschemaSubentry", "schemaNamingContext"];
        let attributes = wanted.iter().chain(&places).map(|name| (*name).to_owned()).collect();
        let root = self.directory.named(self.line, "", attributes).await?;
        root.ok_or_else(|| super::unavailable("it isn't there"))
    }

    fn vendor(&self, root: &Raw) -> Option<Finding> {
        let has = |name: &str, wanted: &str| root.texts(name).any(|value| value.eq_ignore_ascii_case(wanted));
        let told = if has("supportedCapabilities", "1.2.840.113556.1.4.800") {
            Kind::ActiveDirectory
        } else if has("objectClass", "OpenLDAProotDSE") || has("structuralObjectClass", "OpenLDAProotDSE") {
            Kind::OpenLdap
        } else if root.texts("vendorName").any(|name| name.contains("389") || name.contains("Red Hat")) {
            Kind::Ds389
        } else {
            return Some(Finding::warning("it doesn't say whose server it is: is BEHALF_LDAP_KIND right?"));
        };
        let spelled = match told {
            Kind::OpenLdap => "openldap",
            Kind::Ds389 => "389ds",
            Kind::ActiveDirectory => "ad",
        };
        let wrong = told != self.directory.settings().kind;
        wrong.then(|| Finding::error(format!("BEHALF_LDAP_KIND is wrong: by what it says of itself it is `{spelled}`")))
    }

    fn controls(&self, root: &Raw) -> Vec<Finding> {
        let mut needed = vec![(PAGED, "paged results", "lists can't be read")];
        if self.directory.settings().kind == Kind::OpenLdap {
            needed.push((ASSERTION, "assertions", "agents can't be added or removed"));
        }
        let missing = needed.into_iter().filter(|(oid, ..)| !root.texts("supportedControl").any(|value| value == *oid));
        missing.map(|(oid, name, so)| Finding::error(format!("it offers no {name} ({oid}): {so}"))).collect()
    }

    /// Some user below the base.
    async fn user(&self) -> Result<(Vec<Finding>, Option<Raw>), DirectoryError> {
        let settings = self.directory.settings();
        if self.directory.named(self.line, &settings.base, vec!["1.1".to_owned()]).await?.is_none() {
            let text = format!("BEHALF_LDAP_BASE `{}` isn't there, or the account may not see it", settings.base);
            return Ok((vec![Finding::error(text)], None));
        }
        let filter = Filter::configured(&settings.user_filter);
        let attributes = self.directory.decoder.attributes();
        let query = Query { base: &settings.base, scope: Scope::Subtree, filter, attributes, most: 1 };
        let mut found = self.line.search(query).await?;
        if found.result.rc == SIZE_LIMIT {
            found.result.rc = 0;
        }
        let Some(user) = self.directory.complete(found, "looking for a user")?.pop() else {
            let text = format!(
                "below `{}` no user is seen; BEHALF_LDAP_USER_FILTER is {}",
                settings.base, settings.user_filter
            );
            return Ok((vec![Finding::warning(text)], None));
        };
        let read = self.directory.decoder.id(&user).and_then(|id| self.directory.decoder.user(id, &user));
        let said = match read {
            Ok(_) => Finding::good(format!("users are found below `{}`, and one can be read", settings.base)),
            Err(error) => Finding::error(format!("a user is found and can't be read: {error}")),
        };
        Ok((vec![said], Some(user)))
    }
}
