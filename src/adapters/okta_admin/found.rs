//! What a tenant has, as Okta tells it. What isn't needed isn't read.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::wish::{ALL_CLIENTS, Delegatable, TYPE_NAME};

/// All of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// All user types.
    pub types: Vec<UserType>,
    /// Custom attributes of the type that is wanted, if that is there.
    pub attributes: BTreeMap<String, Value>,
    /// The hooks that patch tokens.
    pub hooks: Vec<Hook>,
    /// The authorization server.
    pub server: Server,
    /// Its claims.
    pub claims: Vec<Claim>,
    /// Names of its scopes.
    pub scopes: Vec<String>,
    /// Its access policies, first comes first.
    pub policies: Vec<Policy>,
}

/// A user type.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct UserType {
    /// Its id (`oty…`).
    pub id: String,
    /// Its name in the API.
    pub name: String,
    /// True of the one that every organisation has.
    #[serde(default)]
    pub default: bool,
    #[serde(rename = "_links", default)]
    links: TypeLinks,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
struct TypeLinks {
    schema: Option<Link>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Link {
    href: String,
}

impl UserType {
    /// A type whose schema has this id.
    pub fn new(id: &str, name: &str, default: bool, schema: &str) -> Self {
        let schema = Some(Link { href: format!("/api/v1/meta/schemas/user/{schema}") });
        Self { id: id.to_owned(), name: name.to_owned(), default, links: TypeLinks { schema } }
    }

    /// The id of its schema: the end of the link. The link's host isn't looked at, and never asked.
    pub fn schema(&self) -> Option<&str> {
        if self.default {
            return Some("default");
        }
        let (_, id) = self.links.schema.as_ref()?.href.rsplit_once("/api/v1/meta/schemas/user/")?;
        (!id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric())).then_some(id)
    }
}

/// The type that is wanted, as far as it is there. `Err`: one that must be there isn't.
pub fn wanted_type<'t>(wish: &Delegatable, types: &'t [UserType]) -> Result<Option<&'t UserType>, String> {
    let there = |is: &dyn Fn(&UserType) -> bool| types.iter().find(|found| is(found));
    match wish {
        Delegatable::Ours => Ok(there(&|found| found.name == TYPE_NAME)),
        Delegatable::Everybody => {
            there(&|found| found.default).map(Some).ok_or_else(|| "Okta names no default user type".to_owned())
        }
        Delegatable::Type(id) => there(&|found| found.id == *id).map(Some).ok_or_else(|| {
            let all: Vec<_> = types.iter().map(|found| format!("{} ({})", found.id, found.name)).collect();
            format!("there is no user type `{id}`; there are {}", all.join(", "))
        }),
    }
}

/// An inline hook.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Hook {
    /// Its id (`cal…`).
    pub id: String,
    /// Its name.
    pub name: String,
    /// `ACTIVE` or `INACTIVE`.
    pub status: String,
    /// How it calls.
    pub channel: Channel,
}

/// How a hook calls.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Channel {
    /// `HTTP` or `OAUTH`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whom.
    pub config: ChannelConfig,
}

/// Whom a hook calls.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ChannelConfig {
    /// The address.
    pub uri: String,
    /// The header with the secret; the secret itself is never told.
    #[serde(rename = "authScheme")]
    pub auth: Option<AuthScheme>,
    /// Other headers that it sends.
    #[serde(default)]
    pub headers: Option<Vec<Value>>,
}

/// The header of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AuthScheme {
    /// Its name.
    pub key: String,
}

/// A custom authorization server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Server {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `iss` of its tokens.
    pub issuer: String,
    /// `aud` of its tokens.
    #[serde(default)]
    pub audiences: Vec<String>,
    /// `ACTIVE` or `INACTIVE`.
    pub status: String,
}

/// A claim of an authorization server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Claim {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `ACTIVE` or `INACTIVE`.
    pub status: String,
    /// `RESOURCE` (access token) or `IDENTITY`.
    #[serde(rename = "claimType")]
    pub kind: String,
    /// `EXPRESSION`, `GROUPS` or `SYSTEM`.
    #[serde(rename = "valueType")]
    pub value_type: String,
    /// The expression.
    #[serde(default)]
    pub value: Option<String>,
    /// For which scopes it is there.
    #[serde(default)]
    pub conditions: Option<ClaimConditions>,
}

/// For which scopes a claim is there; none: for all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct ClaimConditions {
    /// Names of scopes.
    #[serde(default)]
    pub scopes: Option<Vec<String>>,
}

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
