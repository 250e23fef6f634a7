//! A user as a directory tells of him.

use std::collections::BTreeMap;

use serde_json::Value;

use super::ids::{Login, UserId};

/// Whether the account works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It does.
    Active,
    /// Suspended, deprovisioned, staged, locked out: anything else.
    Inactive,
}

/// A user as the directory answered just now.
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    /// Immutable id.
    pub id: UserId,
    /// Login name.
    pub login: Login,
    /// Whether the account works.
    pub status: Status,
    /// The directory's user type, where it has types.
    pub user_type: Option<String>,
    /// Profile attributes by the directory's names.
    pub profile: BTreeMap<String, Value>,
}

impl User {
    /// True if the account works.
    pub fn is_active(&self) -> bool {
        self.status == Status::Active
    }

    /// The attribute's value; absent, null, empty text and empty lists are all `None`.
    /// `id` and `login` name the fields of that name where the profile has none.
    pub fn attribute(&self, name: &str) -> Option<Value> {
        match self.profile.get(name) {
            Some(Value::Null) => None,
            Some(Value::String(s)) if s.is_empty() => None,
            Some(Value::Array(a)) if a.is_empty() => None,
            Some(value) => Some(value.clone()),
            None if name == "login" => Some(Value::String(self.login.as_str().to_owned())),
            None if name == "id" => Some(Value::String(self.id.as_str().to_owned())),
            None => None,
        }
    }

    /// The attribute as text, if it is one.
    pub fn text(&self, name: &str) -> Option<String> {
        self.attribute(name).and_then(|v| v.as_str().map(str::to_owned))
    }
}
