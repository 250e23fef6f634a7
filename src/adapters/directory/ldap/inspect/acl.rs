//! Access rules, read for one question: who may write this attribute? What isn't understood counts as "may", so that a
//! rule is rather mentioned than missed.

/// Without case and spaces around commas and signs of equality: enough to know ourselves by.
pub(super) fn normal(dn: &str) -> String {
    let part = |part: &str| part.split('=').map(|side| side.trim().to_ascii_lowercase()).collect::<Vec<_>>().join("=");
    dn.split(',').map(part).collect::<Vec<_>>().join(",")
}

/// Whether `dn` is `suffix` or below it.
pub(super) fn is_below(dn: &str, suffix: &str) -> bool {
    let (dn, suffix) = (normal(dn), normal(suffix));
    suffix.is_empty() || dn == suffix || dn.strip_suffix(&suffix).is_some_and(|rest| rest.ends_with(','))
}

/// The name above; a comma that belongs to a name makes one too few, which is found to be nobody's.
pub(super) fn parent(dn: &str) -> Option<&str> {
    dn.split_once(',').map(|(_, above)| above.trim_start()).filter(|above| !above.is_empty())
}

/// The name in `dn.exact="…"`, `dn="…"` or `dn.base="…"` of `OpenLDAP`, and in `ldap:///…` of 389.
pub(super) fn dn_of(who: &str) -> Option<&str> {
    if let Some(dn) = who.strip_prefix("ldap:///") {
        return Some(dn);
    }
    let (kind, dn) = who.split_once('=')?;
    matches!(kind, "dn" | "dn.exact" | "dn.base").then(|| dn.trim_matches('"'))
}

/// Who may write the attribute by `OpenLDAP`'s rules (slapd.access(5)), in order: the first that is about it decides.
pub(super) fn writers<'r>(rules: impl Iterator<Item = &'r str>, attribute: &str) -> Vec<String> {
    let mut found = Vec::new();
    for rule in rules {
        // `{3}to attrs=… by …`
        let rule = rule.split_once('}').filter(|(head, _)| head.starts_with('{')).map_or(rule, |(_, rest)| rest);
        let words = words(rule);
        let mut clauses = words.split(|word| word == "by");
        let about = clauses.next().unwrap_or_default();
        let attrs = about.iter().find_map(|word| word.strip_prefix("attrs=").or_else(|| word.strip_prefix("attr=")));
        if attrs.is_some_and(|attrs| !names(attrs, attribute)) {
            continue;
        }
        for clause in clauses {
            let Some((who, access)) = clause.split_first() else { continue };
            if access.iter().any(|word| writes(word)) && !found.contains(who) {
                found.push(who.clone());
            }
        }
        // Any narrower one leaves some users to the next.
        if about.iter().all(|word| word == "to" || word == "*" || word.starts_with("attr")) {
            break;
        }
    }
    found
}

/// `@class` and `!class` may mean it.
fn names(attrs: &str, attribute: &str) -> bool {
    attrs.trim_matches('"').split(',').any(|name| name.eq_ignore_ascii_case(attribute) || name.starts_with(['@', '!']))
}

fn writes(access: &str) -> bool {
    let level = access.trim_start_matches("self");
    matches!(level, "write" | "add" | "delete" | "manage")
        || level
            .strip_prefix(['=', '+'])
            .is_some_and(|rights| rights.contains(['w', 'a', 'm']) && !rights.contains("auth"))
}

/// Separated by spaces outside of quotes.
fn words(rule: &str) -> Vec<String> {
    let (mut all, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in rule.chars() {
        quoted ^= c == '"';
        if c.is_whitespace() && !quoted {
            all.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
        } else {
            word.push(c);
        }
    }
    all.extend((!word.is_empty()).then_some(word));
    all
}

/// Who may write it by a rule of 389 Directory Server: `self`, or what stands in `userdn="…"` and the like.
pub(super) fn writers_by_aci(rule: &str, attribute: &str) -> Vec<String> {
    let lower = rule.to_ascii_lowercase();
    if !aci_is_about(&lower, &attribute.to_ascii_lowercase()) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for part in lower.split(';') {
        let Some((_, allowed)) = part.split_once("allow") else { continue };
        let Some((rights, who)) = allowed.split_once(')') else { continue };
        let rights: Vec<&str> = rights.trim_start_matches([' ', '(']).split(',').map(str::trim).collect();
        if !rights.iter().any(|right| matches!(*right, "write" | "all" | "selfwrite")) {
            continue;
        }
        let quoted = who.split('"').skip(1).step_by(2);
        for who in quoted.flat_map(|who| who.split("||")).map(str::trim) {
            found.push(if who == "ldap:///self" { "self".to_owned() } else { who.to_owned() });
        }
    }
    found
}

/// Without `targetattr` a rule is about the entry and no attribute.
fn aci_is_about(rule: &str, attribute: &str) -> bool {
    let Some((_, target)) = rule.split_once("targetattr") else { return false };
    let Some(list) = target.split('"').nth(1) else { return true };
    let named = list.split("||").map(str::trim).any(|name| name == "*" || name == attribute);
    if target.trim_start().starts_with("!=") { !named } else { named }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_about_the_attribute_decides() {
        let rules = [
            "{0}to attrs=userPassword by self write by anonymous auth by * none",
            "{1}to attrs=delegatedAgents by dn.exact=\"cn=behalf, dc=example\" write by * read",
            "{2}to * by self write by * read",
        ];
        assert_eq!(writers(rules.into_iter(), "delegatedagents"), ["dn.exact=\"cn=behalf, dc=example\""]);
        assert_eq!(writers(rules.into_iter(), "mail"), ["self"]);
        assert_eq!(dn_of("dn.exact=\"cn=behalf, dc=example\"").map(normal).unwrap(), "cn=behalf,dc=example");
        // What is only about some users leaves the others to the next.
        let rules = ["to dn.subtree=\"ou=a,dc=example\" by users =rscxdw", "to * by * write"];
        assert_eq!(writers(rules.into_iter(), "delegatedAgents"), ["users", "*"]);
        assert_eq!(
            writers(["to * by * auth by users =rscd by peername.ip=10.0.0.1 manage"].into_iter(), "x"),
            ["peername.ip=10.0.0.1"]
        );
    }

    #[test]
    fn rules_of_389_are_read() {
        let rule = "(targetattr = \"delegatedAgents || objectClass\")(version 3.0; acl \"x\"; allow (read, write) userdn = \"ldap:///cn=behalf,dc=example || ldap:///self\";)";
        assert_eq!(writers_by_aci(rule, "delegatedAgents"), ["ldap:///cn=behalf,dc=example", "self"]);
        assert!(writers_by_aci(rule, "mail").is_empty());
        let all_but =
            "(targetattr!=\"userPassword\")(version 3.0;acl \"x\";allow(all)(groupdn=\"ldap:///cn=admins\");)";
        assert_eq!(writers_by_aci(all_but, "delegatedAgents"), ["ldap:///cn=admins"]);
        let readers = "(targetattr=\"*\")(version 3.0;acl \"write\";allow (read,search) userdn=\"ldap:///anyone\";)";
        assert!(writers_by_aci(readers, "delegatedAgents").is_empty());
    }

    #[test]
    fn names_are_compared_by_their_parts() {
        assert!(is_below("ou=people, DC=example,dc=test", "dc=Example,dc=test") && is_below("dc=x", "dc=x"));
        assert!(!is_below("dc=myexample,dc=test", "example,dc=test") && !is_below("dc=test", "dc=example,dc=test"));
        assert_eq!(parent("ou=people, dc=test"), Some("dc=test"));
        assert_eq!(parent("dc=test"), None);
    }
}
