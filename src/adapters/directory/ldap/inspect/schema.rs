//! Whether the server knows the attributes, and how it compares agents.

use ldap3::Scope;

use super::{Finding, Inspection, Kind, Raw, Said};
use crate::adapters::directory::ldap::{filter::Filter, line::Query};

/// Matching rules that look at every byte (or, of octets, are nothing else).
const EXACT: &[&str] = &["caseExactMatch", "caseExactIA5Match", "octetStringMatch", "2.5.13.5", "2.5.13.17"];
/// Active Directory's only string syntax that looks at case.
const EXACT_IN_AD: &str = "2.5.5.3";
/// The set of attributes ("personal information") that users may write of themselves in Active Directory by default.
const PERSONAL: [u8; 16] = *b"\x86\xb8\xb5\x77\x4a\x94\xd1\x11\xae\xbd\x00\x00\xf8\x03\x67\xc1";

impl Inspection<'_> {
    pub(super) async fn schema(&self, root: &Raw) -> Said {
        if self.directory.settings().kind == Kind::ActiveDirectory {
            return self.schema_of_ad(root).await;
        }
        let place = root.texts("subschemaSubentry").next().unwrap_or("cn=Subschema");
        let types = vec!["attributeTypes".to_owned(), "objectClasses".to_owned()];
        let Some(entry) = self.directory.named(self.line, place, types).await? else {
            return Ok(vec![Finding::warning("its schema can't be seen")]);
        };
        let names = self.directory.names();
        let definition = |name: &str| entry.texts("attributeTypes").find(|text| defines(text, name));
        let mut found = Vec::new();
        match definition(&names.agents) {
            None => found.push(missing(&names.agents)),
            Some(text) if words(text).any(|word| word == "SINGLE-VALUE") => found.push(single(&names.agents)),
            Some(text) if equality(text).is_none() && !words(text).any(|word| word == "SUP") => {
                found.push(Finding::error(format!(
                    "`{}` has no EQUALITY rule: agents could be added, and never be taken away",
                    names.agents
                )));
            }
            Some(text) => found.push(compared(&names.agents, equality(text).is_some_and(|rule| EXACT.contains(&rule)))),
        }
        found.extend(class(&entry, &names.class, &names.agents));
        for name in [&names.id, &names.login] {
            found.extend(definition(name).is_none().then(|| missing(name)));
        }
        if definition(&names.groups).is_none() {
            let text = format!(
                "its schema has no `{}`: users are in no groups, and rules about groups don't match",
                names.groups
            );
            found.push(Finding::warning(text));
        }
        Ok(found)
    }

    async fn schema_of_ad(&self, root: &Raw) -> Said {
        let name = &self.directory.names().agents;
        let Some(base) = root.texts("schemaNamingContext").next() else {
            return Ok(vec![Finding::warning("its schema can't be seen")]);
        };
        let filter = Filter::is("lDAPDisplayName", name.as_bytes());
        let wanted = ["attributeSyntax", "isSingleValued", "attributeSecurityGUID"];
        let attributes = wanted.into_iter().map(str::to_owned).collect();
        let query = Query { base, scope: Scope::OneLevel, filter, attributes, most: 1 };
        let found = self.directory.complete(self.line.search(query).await?, "reading the schema")?;
        let Some(entry) = found.first() else { return Ok(vec![missing(name)]) };
        if entry.texts("isSingleValued").any(|value| value == "TRUE") {
            return Ok(vec![single(name)]);
        }
        let mut said = vec![compared(name, entry.texts("attributeSyntax").any(|syntax| syntax == EXACT_IN_AD))];
        if entry.values("attributeSecurityGUID").iter().any(|set| set[..] == PERSONAL) {
            let text = format!(
                "`{name}` is personal information, which users may write of themselves: {}",
                super::rights::AROUND
            );
            said.push(Finding::warning(text));
        }
        Ok(said)
    }
}

/// The class is added to users who may not have agents yet.
fn class(schema: &Raw, name: &str, agents: &str) -> Option<Finding> {
    let Some(text) = schema.texts("objectClasses").find(|text| defines(text, name)) else {
        let text =
            format!("its schema has no class `{name}`: extend it, or name another one in BEHALF_LDAP_ATTRIBUTES");
        return Some(Finding::error(text));
    };
    if !words(text).any(|word| word == "AUXILIARY") {
        return Some(Finding::error(format!("`{name}` is no AUXILIARY class, so users can't be given it")));
    }
    let allows = words(text).any(|word| word.eq_ignore_ascii_case(agents));
    (!allows).then(|| Finding::error(format!("the class `{name}` doesn't allow `{agents}`")))
}

fn missing(name: &str) -> Finding {
    Finding::error(format!("its schema has no `{name}`: extend it, or name another one in BEHALF_LDAP_ATTRIBUTES"))
}

fn single(name: &str) -> Finding {
    Finding::error(format!("`{name}` has one value at most, but a user may have many agents"))
}

fn compared(name: &str, exactly: bool) -> Finding {
    if exactly {
        return Finding::good(format!("`{name}` is compared exactly"));
    }
    let so = "of two agents whose ids differ by that alone only one can be added";
    Finding::warning(format!("`{name}` is compared without looking at case, or by a rule that isn't known here: {so}"))
}

/// The words of a definition (RFC 4512, 4.1), quotes and brackets taken off.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace().map(|word| word.trim_matches(['\'', '(', ')', '$'])).filter(|word| !word.is_empty())
}

/// Whether it is the definition of that attribute: by its number, or by one of its names.
pub(super) fn defines(text: &str, name: &str) -> bool {
    let mut words = words(text);
    if words.next().is_some_and(|number| number == name) {
        return true;
    }
    let Some(names) = text.split_once("NAME ").map(|(_, rest)| rest.trim_start()) else { return false };
    let names = match names.strip_prefix('(') {
        Some(list) => list.split(')').next(),
        None => names.split_inclusive('\'').nth(1),
    };
    names.is_some_and(|names| self::words(names).any(|word| word.eq_ignore_ascii_case(name)))
}

fn equality(text: &str) -> Option<&str> {
    let mut words = words(text).skip_while(|word| *word != "EQUALITY");
    words.next()?;
    words.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_found_by_name_and_number() {
        let one = "( 1.3.6.1.4.1.99999.1.1 NAME 'delegatedAgents' DESC 'not uid' EQUALITY caseExactMatch SYNTAX 1.3 )";
        let many = "( 0.9.2342.19200300.100.1.1 NAME ( 'uid' 'userid' ) EQUALITY caseIgnoreMatch SINGLE-VALUE )";
        assert!(defines(one, "delegatedagents") && defines(one, "1.3.6.1.4.1.99999.1.1") && !defines(one, "uid"));
        assert!(defines(many, "uid") && defines(many, "USERID") && !defines(many, "caseIgnoreMatch"));
        assert_eq!((equality(one), equality(many)), (Some("caseExactMatch"), Some("caseIgnoreMatch")));
        assert_eq!(equality("( 1.2 NAME 'x' SUP name )"), None);
    }
}
