//! One change of a tenant, in words (here) and as a request (`call`).

use std::fmt;

use serde_json::{Map, Value};

pub(super) use call::written_rule;
pub use call::{Call, Missing, Targets};

use super::wish::{ATTRIBUTE, CLAIM_VALUE, TYPE_DISPLAY, TYPE_NAME};

mod call;

/// What a change is about: something that is there, or something that a change before it makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// It is there, and has this id.
    There(String),
    /// It comes about on the way.
    Made,
}

/// What is written about a hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookDraft {
    /// Its name.
    pub name: String,
    /// Where it calls.
    pub address: String,
    /// The header that carries the secret.
    pub header: String,
    /// Other headers that it sends.
    pub headers: Vec<Value>,
}

/// A change. Each is one request.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// Make the user type.
    MakeType,
    /// Add the attribute to this schema.
    MakeAttribute(Target),
    /// Take the right to write the attribute from its owner.
    ProtectAttribute {
        /// The schema.
        schema: String,
        /// The attribute as it is.
        attribute: Map<String, Value>,
    },
    /// Make the scope of that name.
    MakeScope(String),
    /// Make the claim of that name.
    MakeClaim(String),
    /// Give the claim our value.
    WriteClaim {
        /// Its id.
        id: String,
        /// Its name.
        name: String,
    },
    /// Make the hook.
    MakeHook(HookDraft),
    /// Give the hook our address, header and secret.
    WriteHook {
        /// Its id.
        id: String,
        /// All that is written.
        draft: HookDraft,
    },
    /// Let the hook call again.
    ActivateHook {
        /// Its id.
        id: String,
        /// Its name.
        name: String,
    },
    /// Make the access policy of a client, behind all others.
    MakePolicy {
        /// The client.
        client: String,
        /// Its name.
        name: String,
        /// Where it stands.
        priority: i64,
    },
    /// Add a rule that calls the hook.
    MakeRule {
        /// The client whose policy it is.
        client: String,
        /// The policy.
        policy: Target,
        /// The rule but for the hook.
        rule: Map<String, Value>,
        /// The hook.
        hook: Target,
    },
    /// Let a rule of ours call the hook.
    HookOnRule {
        /// The policy.
        policy: String,
        /// The rule as it is.
        rule: Map<String, Value>,
        /// The hook.
        hook: Target,
    },
    /// Let the policy of a client decide first.
    MovePolicy {
        /// The client whose policy it is.
        client: String,
        /// The policy.
        policy: Target,
        /// Its name.
        name: String,
        /// The policy as it is, if it is there.
        raw: Option<Map<String, Value>>,
    },
    /// Let the policy count again.
    ActivatePolicy {
        /// Its id.
        id: String,
        /// Its name.
        name: String,
    },
}

/// What is to be done, as an order.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |rule: &Map<String, Value>| rule.get("name").and_then(Value::as_str).unwrap_or("?").to_owned();
        match self {
            Self::MakeType => write!(f, "make the user type `{TYPE_NAME}` ({TYPE_DISPLAY})"),
            Self::MakeAttribute(schema) => {
                let whose = match schema {
                    Target::There(id) => format!("schema {id}"),
                    Target::Made => "that type".to_owned(),
                };
                write!(f, "add the attribute `{ATTRIBUTE}` to {whose}: list of texts, read-only for its owner")
            }
            Self::ProtectAttribute { schema, .. } => {
                write!(f, "make `{ATTRIBUTE}` of schema {schema} read-only for its owner")
            }
            Self::MakeScope(name) => write!(f, "make the scope `{name}`"),
            Self::MakeClaim(name) => write!(f, "make the claim `{name}` of the access token: {CLAIM_VALUE}"),
            Self::WriteClaim { id, name } => write!(f, "replace the claim `{name}` ({id}): {CLAIM_VALUE}"),
            Self::MakeHook(HookDraft { name, address, header, .. }) => {
                write!(f, "make the inline hook `{name}`: {address}, secret in the header `{header}`")
            }
            Self::WriteHook { id, draft: HookDraft { name, address, header, .. } } => {
                write!(f, "write the inline hook `{name}` ({id}): {address}, secret in the header `{header}`")
            }
            Self::ActivateHook { id, name } => write!(f, "activate the inline hook `{name}` ({id})"),
            Self::MakePolicy { client, name, .. } => {
                write!(f, "make the access policy `{name}` for the app {client}, behind all others for now")
            }
            Self::MakeRule { client, rule, .. } => {
                write!(
                    f,
                    "add the rule `{}` to the policy of {client}, with the hook: {}",
                    named(rule),
                    conditions(rule)
                )
            }
            Self::HookOnRule { rule, .. } => write!(f, "let the rule `{}` call the hook", named(rule)),
            Self::MovePolicy { client, name, .. } => {
                write!(f, "put the access policy `{name}` first, so that it decides about {client}")
            }
            Self::ActivatePolicy { id, name } => write!(f, "activate the access policy `{name}` ({id})"),
        }
    }
}

/// Who gets what under a rule.
fn conditions(rule: &Map<String, Value>) -> String {
    let list = |pointer: &str| {
        let include = rule.get("conditions").and_then(|at| at.pointer(pointer)).and_then(Value::as_array);
        let names: Vec<_> = include.into_iter().flatten().filter_map(Value::as_str).collect();
        names.join(" ")
    };
    let (groups, users) = (list("/people/groups/include"), list("/people/users/include"));
    let (grants, scopes) = (list("/grantTypes/include"), list("/scopes/include"));
    let people = [groups, users].into_iter().filter(|names| !names.is_empty()).collect::<Vec<_>>().join(" ");
    format!("people {people}; grants {grants}; scopes {scopes}")
}
