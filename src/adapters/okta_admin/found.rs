//! What a tenant has, as Okta tells it. What isn't needed isn't read.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

pub use access::{Policy, Rule, priority};

use super::wish::{Delegatable, TYPE_NAME};

mod access;

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
