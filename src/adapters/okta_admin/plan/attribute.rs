//! The list of agents in a user's profile.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Plan;
use crate::adapters::okta_admin::{
    change::{Change, Target},
    wish::ATTRIBUTE,
};

/// What its owner may have without being able to change it.
const HARMLESS: [&str; 2] = ["READ_ONLY", "HIDE"];

/// True if the attribute will be there once the plan is carried out.
pub(super) fn attribute(schema: &str, attributes: &BTreeMap<String, Value>, plan: &mut Plan) -> bool {
    let Some(there) = attributes.get(ATTRIBUTE) else {
        if let Some(other) = attributes.keys().find(|name| name.eq_ignore_ascii_case(ATTRIBUTE)) {
            plan.error(format!(
                "schema {schema} has an attribute `{other}`, which differs from `{ATTRIBUTE}` only in case: Okta takes \
                 them for the same; remove it in the Profile Editor"
            ));
            return false;
        }
        plan.change(Change::MakeAttribute(Target::There(schema.to_owned())));
        return true;
    };
    let there = there.as_object().cloned().unwrap_or_default();
    if let Some(why) = unusable(&there) {
        plan.error(format!(
            "`{ATTRIBUTE}` of schema {schema} {why}, where a list of free texts is needed, and Okta can't change that: \
             remove it in the Profile Editor (its values are lost) and run this again"
        ));
        return false;
    }
    if writable_by_owner(&there) {
        plan.change(Change::ProtectAttribute { schema: schema.to_owned(), attribute: there });
    } else {
        plan.good(format!("attribute `{ATTRIBUTE}` of schema {schema}, which its owner can't write"));
    }
    true
}

/// What makes it unfit.
fn unusable(attribute: &Map<String, Value>) -> Option<String> {
    let kind = text(attribute, "/type").unwrap_or("nothing known");
    if kind != "array" {
        return Some(format!("is of the type `{kind}`"));
    }
    let items = text(attribute, "/items/type").unwrap_or("nothing known");
    if items != "string" {
        return Some(format!("is a list of `{items}`"));
    }
    let limited = at(attribute, "/items/enum").or_else(|| at(attribute, "/enum")).is_some_and(Value::is_array);
    if limited {
        return Some("takes certain values only".to_owned());
    }
    let mutability = text(attribute, "/mutability").filter(|how| *how != "READ_WRITE");
    mutability.map(|how| format!("is `{how}`"))
}

/// Only what is known to be harmless counts as harmless.
fn writable_by_owner(attribute: &Map<String, Value>) -> bool {
    let permissions = attribute.get("permissions").and_then(Value::as_array);
    let mut own = permissions.into_iter().flatten().filter(|one| one["principal"] == "SELF").peekable();
    own.peek().is_none() || own.any(|one| !one["action"].as_str().is_some_and(|action| HARMLESS.contains(&action)))
}

fn at<'a>(attribute: &'a Map<String, Value>, pointer: &str) -> Option<&'a Value> {
    let mut parts = pointer.split('/').skip(1);
    let first = attribute.get(parts.next()?)?;
    parts.try_fold(first, |value, part| value.get(part))
}

fn text<'a>(attribute: &'a Map<String, Value>, pointer: &str) -> Option<&'a str> {
    at(attribute, pointer)?.as_str()
}
