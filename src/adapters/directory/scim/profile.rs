//! A user's attributes as claims know them: one flat name each.
//!
//! * simple attributes of the core schema under their own names (`displayName`, `title`, `locale`);
//! * `name.givenName` and its siblings, the first two also as `firstName` and `lastName`;
//! * of `emails`, `phoneNumbers` and the like the values as a list, and the primary e-mail address (or the first) as
//!   `email`;
//! * attributes of the enterprise extension (`department`, `costCenter`, `organization`, `manager.value`) and of ours
//!   under their own names, unless the core schema has that name; those of other extensions as `urn:…:attribute`.
//!
//! Passwords, groups and grants are no attributes. A text longer than [`LONGEST`] is left out as if it weren't there: no
//! token has room for it.

use std::collections::{BTreeMap, btree_map::Entry};

use serde_json::{Map, Value};

use super::{filter::Attribute, list::garbled};
use crate::ports::directory::DirectoryError;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
/// Attributes of one user.
const MOST: usize = 500;
/// Bytes of one text.
const LONGEST: usize = 4096;
/// Not for claims: what the directory keeps for itself, secrets, and what is read elsewhere.
const OTHERS: &[&str] = &["schemas", "meta", "password", "groups", "x509Certificates", "photos"];

type Profile = BTreeMap<String, Value>;

pub(super) fn profile(raw: &Map<String, Value>, grants: &Attribute) -> Result<Profile, DirectoryError> {
    let mut out = Profile::new();
    let (extensions, core): (Vec<_>, Vec<_>) = raw.iter().partition(|(name, _)| name.contains(':'));
    for (name, value) in core.into_iter().filter(|(name, _)| !OTHERS.contains(&name.as_str())) {
        put(&mut out, name, value);
    }
    alias(&mut out, "firstName", "name.givenName");
    alias(&mut out, "lastName", "name.familyName");
    if let Some(email) = raw.get("emails").and_then(primary) {
        put(&mut out, "email", email);
    }
    for (urn, extension) in extensions {
        let Value::Object(extension) = extension else { continue };
        let ours = urn == grants.extension();
        for (name, value) in extension.iter().filter(|(name, _)| !(ours && name.as_str() == grants.name())) {
            let name = if ours || urn == ENTERPRISE { name.clone() } else { format!("{urn}:{name}") };
            put(&mut out, &name, value);
        }
    }
    if out.len() > MOST {
        return Err(garbled(&format!("a user with more than {MOST} attributes")));
    }
    Ok(out)
}

fn put(out: &mut Profile, name: &str, value: &Value) {
    match value {
        Value::Object(parts) => {
            for (part, value) in parts.iter().filter(|(_, value)| is_simple(value)) {
                insert(out, format!("{name}.{part}"), value.clone());
            }
        }
        Value::Array(items) => {
            let items: Vec<Value> = items.iter().filter_map(item).cloned().collect();
            if !items.is_empty() {
                insert(out, name.to_owned(), items.into());
            }
        }
        simple if is_simple(simple) => insert(out, name.to_owned(), simple.clone()),
        _ => {}
    }
}

/// Who comes first stays: an extension doesn't speak over the core schema. `id` and `login` are the user's own, and no
/// attribute speaks over them.
fn insert(out: &mut Profile, name: String, value: Value) {
    if !matches!(name.as_str(), "id" | "login")
        && let Entry::Vacant(free) = out.entry(name)
    {
        free.insert(value);
    }
}

fn alias(out: &mut Profile, name: &str, of: &str) {
    if let Some(value) = out.get(of).cloned() {
        insert(out, name.to_owned(), value);
    }
}

fn item(item: &Value) -> Option<&Value> {
    let value = if item.is_object() { item.get("value")? } else { item };
    is_simple(value).then_some(value)
}

fn primary(list: &Value) -> Option<&Value> {
    let list = list.as_array()?;
    let primary = list.iter().find(|entry| entry.get("primary") == Some(&Value::Bool(true)));
    primary.or(list.first())?.get("value")
}

fn is_simple(value: &Value) -> bool {
    match value {
        Value::String(text) => text.len() <= LONGEST,
        Value::Bool(_) | Value::Number(_) => true,
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const OURS: &str = "urn:behalf:params:scim:schemas:extension:delegation:2.0:User";

    #[test]
    fn flat_names() {
        let attribute = Attribute::new(OURS, "delegations.value").unwrap();
        let raw = json!({
            "schemas": ["x"], "id": "7", "meta": {"version": "1"}, "password": "hunter2", "groups": [{"value": "g"}],
            "userName": "ann@example.com", "displayName": "Ann", "active": true, "title": null,
            "name": {"givenName": "Ann", "familyName": "Bee", "formatted": "Ann Bee"},
            "emails": [{"value": "first@example.com"}, {"value": "primary@example.com", "primary": true}],
            "nickName": "x".repeat(LONGEST + 1),
            ENTERPRISE: {"department": "Eng", "displayName": "not this", "manager": {"value": "m", "deep": {"a": 1}}},
            OURS: {"delegations": [{"value": "agent"}], "entityName": "Acme", "login": "ceo@example.com", "id": "8"},
            "urn:other:schema:User": {"badge": 17, "tags": ["a", "b"]},
        });
        let profile = profile(raw.as_object().unwrap(), &attribute).unwrap();
        let expected = json!({
            "userName": "ann@example.com", "displayName": "Ann", "active": true,
            "name.givenName": "Ann", "name.familyName": "Bee", "name.formatted": "Ann Bee",
            "firstName": "Ann", "lastName": "Bee",
            "emails": ["first@example.com", "primary@example.com"], "email": "primary@example.com",
            "department": "Eng", "manager.value": "m", "entityName": "Acme",
            "urn:other:schema:User:badge": 17, "urn:other:schema:User:tags": ["a", "b"],
        });
        assert_eq!(json!(profile), expected);
    }

    #[test]
    fn more_than_anybody_has_is_not_understood() {
        let attribute = Attribute::new(OURS, "delegations.value").unwrap();
        let raw: Map<String, Value> = (0..=MOST).map(|n| (format!("a{n}"), json!(n))).collect();
        assert!(matches!(profile(&raw, &attribute), Err(DirectoryError::Garbled(_))));
    }
}
