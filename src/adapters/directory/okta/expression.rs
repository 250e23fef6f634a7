//! What Okta is asked in its search language. Values are JSON strings, names are ours: nothing from outside can be
//! anything but a value.

use serde_json::Value;

use super::account::AGENTS;
use crate::domain::ids::{Login, UserId};

/// Users who list the agent. Okta compares without regard to case, and its index comes late.
pub fn lists(agent: &UserId) -> String {
    format!("profile.{AGENTS} eq {}", literal(agent.as_str()))
}

/// The user with that login.
pub fn has_login(login: &Login) -> String {
    format!("profile.login eq {}", literal(login.as_str()))
}

fn literal(text: &str) -> Value {
    Value::String(text.to_owned())
}
