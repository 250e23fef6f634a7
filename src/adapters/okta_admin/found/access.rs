//! Access policies and their rules.

use serde_json::{Map, Value};

use crate::adapters::okta_admin::wish::ALL_CLIENTS;

/// An access policy with its rules.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// As Okta tells it.
    pub raw: Map<String, Value>,
    /// Its rules, first comes first.
    pub rules: Vec<Rule>,
}

impl Policy {
    /// Its id.
    pub fn id(&self) -> &str {
        text(&self.raw, "id")
    }

    /// Its name.
    pub fn name(&self) -> &str {
        text(&self.raw, "name")
    }

    /// True if it counts.
    pub fn active(&self) -> bool {
        text(&self.raw, "status") == "ACTIVE"
    }

    /// True if requests of that client come under it.
    pub fn covers(&self, client: &str) -> bool {
        let include = self.raw.get("conditions").and_then(|at| at.pointer("/clients/include"));
        let named = include.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        named.into_iter().any(|name| name == client || name == ALL_CLIENTS)
    }

    /// Its rules that count.
    pub fn active_rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(|rule| rule.active())
    }
}

/// A rule of an access policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// As Okta tells it.
    pub raw: Map<String, Value>,
}

impl Rule {
    /// Its id.
    pub fn id(&self) -> &str {
        text(&self.raw, "id")
    }

    /// Its name.
    pub fn name(&self) -> &str {
        text(&self.raw, "name")
    }

    /// True if it counts.
    pub fn active(&self) -> bool {
        text(&self.raw, "status") == "ACTIVE"
    }

    /// The hook that it calls.
    pub fn hook(&self) -> Option<&str> {
        self.raw.get("actions")?.pointer("/token/inlineHook/id")?.as_str().filter(|id| !id.is_empty())
    }
}

/// Where a policy or a rule stands among the others.
pub fn priority(raw: &Map<String, Value>) -> i64 {
    raw.get("priority").and_then(Value::as_i64).unwrap_or(i64::MAX)
}

fn text<'r>(raw: &'r Map<String, Value>, name: &str) -> &'r str {
    raw.get(name).and_then(Value::as_str).unwrap_or_default()
}
