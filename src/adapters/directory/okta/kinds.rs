//! User types: whether a user can be a delegator is his type, where two types are configured for it.

use std::collections::BTreeMap;

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    OktaDirectory,
    account::{AGENTS, Account},
    api::{Api, Said, garbled},
    change::{Came, Plan},
    limits::Bucket,
    links, read,
};
use crate::{
    domain::ids::UserId,
    ports::directory::{DirectoryError, Written},
};

/// A user type's attributes.
#[derive(Deserialize)]
pub(super) struct Schema {
    definitions: Definitions,
}

#[derive(Deserialize)]
struct Definitions {
    base: Option<Part>,
    custom: Option<Part>,
}

#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    properties: BTreeMap<String, Value>,
}

impl Schema {
    /// What is said of an attribute.
    pub(super) fn attribute(&self, name: &str) -> Option<&Value> {
        let parts = [&self.definitions.custom, &self.definitions.base];
        parts.into_iter().flatten().find_map(|part| part.properties.get(name))
    }
}

/// The schema of a user type; `None`: there is no such type.
pub(super) async fn schema_of(api: &Api, kind: &str) -> Result<Option<Schema>, DirectoryError> {
    #[derive(Deserialize)]
    struct Kind {
        id: String,
        #[serde(rename = "_links")]
        links: KindLinks,
    }
    #[derive(Deserialize)]
    struct KindLinks {
        schema: super::Link,
    }
    let url = api.url(&["meta", "types", "user", kind], &[])?;
    let found: Kind = match api.get(Bucket::Meta, url).await? {
        Said::Done(answer) => answer.json()?,
        Said::Refused(refusal) if refusal.is_not_found() => return Ok(None),
        Said::Refused(refusal) => return Err(refusal.error()),
    };
    if found.id != kind {
        return Err(garbled("another user type than was asked for"));
    }
    let path = ["api", "v1", "meta", "schemas", "user"];
    let id = links::id_in(api.rest.base(), &found.links.schema.href, &path);
    let id = id.ok_or_else(|| garbled("a schema that isn't one of its own"))?;
    schema(api, &id).await.map(Some)
}

/// The schema of that id; `default` is that of the default user type.
pub(super) async fn schema(api: &Api, id: &str) -> Result<Schema, DirectoryError> {
    match api.get(Bucket::Meta, api.url(&["meta", "schemas", "user", id], &[])?).await? {
        Said::Done(answer) => answer.json(),
        Said::Refused(refusal) => Err(refusal.error()),
    }
}

impl OktaDirectory {
    /// Changes the user's type between that of ordinary users and that of delegators. `Ok(None)`: there aren't two, or
    /// he has neither.
    pub(super) async fn switch_kind(&self, user: &UserId, can: bool) -> Result<Option<Written>, DirectoryError> {
        let kinds = &self.org.kinds;
        let (Some(ordinary), Some(delegator)) = (&kinds.user, &kinds.delegatable) else { return Ok(None) };
        let (from, to) = if can { (ordinary, delegator) } else { (delegator, ordinary) };
        if from == to {
            return Ok(None);
        }
        let Some(now) = read::by_id(&self.api, user).await? else {
            return Err(DirectoryError::Rejected("there is no such user".to_owned()));
        };
        match now.entry.user.user_type.as_ref() {
            Some(kind) if kind == to => return Ok(Some(Written::Already)),
            Some(kind) if kind == from => {}
            _ => return Ok(None),
        }
        let schema = schema_of(&self.meta, to).await?;
        let schema = schema.ok_or_else(|| DirectoryError::Rejected(format!("there is no user type {to}")))?;
        let plan = |account: &Account| plan(account, from, to, &schema);
        match self.org.writer.change(&self.api, user, &plan).await? {
            Came::To(written) => Ok(Some(written)),
            Came::NoUser => Err(DirectoryError::Rejected("there is no such user".to_owned())),
        }
    }
}

/// A full replacement deletes what it leaves out, so everything goes along, and a type that can't hold it all is
/// refused. Only the agents may be lost: who can't be a delegator has none.
fn plan(account: &Account, from: &str, to: &str, schema: &Schema) -> Result<Plan, DirectoryError> {
    let user = &account.entry.user;
    match user.user_type.as_deref() {
        Some(kind) if kind == to => return Ok(Plan::Already),
        Some(kind) if kind == from => {}
        _ => return Err(DirectoryError::Rejected("his type is another one by now".to_owned())),
    }
    let mut profile = Map::new();
    for (name, value) in user.profile.iter().filter(|(_, value)| !value.is_null()) {
        if schema.attribute(name).is_some() {
            profile.insert(name.clone(), value.clone());
        } else if name != AGENTS {
            let why = format!("the user type {to} has no attribute `{name}`, so he would lose it; add it there");
            return Err(DirectoryError::Rejected(why));
        }
    }
    let mut body = json!({"type": {"id": to}, "profile": profile});
    if let (Some(provider), Some(body)) = (&account.provider, body.as_object_mut()) {
        body.insert("credentials".to_owned(), json!({"provider": provider}));
    }
    Ok(Plan::Write { method: Method::PUT, body })
}
