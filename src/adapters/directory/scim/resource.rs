//! A user as SCIM represents him (RFC 7643, 4.1), read strictly.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{
    filter::Attribute,
    list::{garbled, id_of},
    profile::profile,
};
use crate::{
    adapters::directory::{
        entries::{Entry, MOST_AGENTS, each_once},
        rest::Answer,
    },
    domain::{
        ids::{GroupId, Login, UserId},
        user::{Status, User},
    },
    ports::directory::DirectoryError,
};

/// Groups of one user.
pub(super) const MOST_GROUPS: usize = 1000;

/// A user's resource.
pub(super) struct Resource {
    raw: Map<String, Value>,
    pub(super) id: UserId,
    pub(super) login: Login,
    /// Whom he lists, each once; any number.
    pub(super) agents: Vec<UserId>,
    /// His version, as `If-Match` takes it.
    pub(super) version: Option<String>,
}

impl Resource {
    pub(super) fn read(answer: &Answer, attribute: &Attribute) -> Result<Self, DirectoryError> {
        let raw: Map<String, Value> = answer.json()?;
        let id = UserId::parse(id_of(&raw)?).map_err(|_| garbled("a user whose id can't be one"))?;
        let login = raw.get("userName").and_then(Value::as_str);
        let login = login.and_then(|login| Login::parse(login).ok());
        let login = login.ok_or_else(|| garbled("a user without a usable userName"))?;
        let agents = agents(&raw, attribute)?;
        let version = version_of(answer).or_else(|| Some(raw.get("meta")?.get("version")?.as_str()?.to_owned()));
        Ok(Self { raw, id, login, agents, version })
    }

    pub(super) fn lists(&self, agent: &UserId) -> bool {
        self.agents.contains(agent)
    }

    /// True if a server that compares loosely could take another value for this one.
    pub(super) fn has_twin_of(&self, agent: &UserId) -> bool {
        let loose = agent.as_str().to_lowercase();
        self.agents.iter().any(|other| other != agent && other.as_str().to_lowercase() == loose)
    }

    /// What the rest of the program sees. Only `active: true` is active.
    pub(super) fn into_entry(self, attribute: &Attribute) -> Result<Entry, DirectoryError> {
        if self.agents.len() > MOST_AGENTS {
            return Err(garbled(&format!("a user who lists more than {MOST_AGENTS} agents")));
        }
        let status = match self.raw.get("active") {
            Some(Value::Bool(true)) => Status::Active,
            None | Some(Value::Bool(false) | Value::Null) => Status::Inactive,
            Some(_) => return Err(garbled("a user whose `active` is neither true nor false")),
        };
        let user_type = match self.raw.get("userType") {
            Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
            None | Some(Value::Null | Value::String(_)) => None,
            Some(_) => return Err(garbled("a user whose `userType` is no text")),
        };
        let profile = profile(&self.raw, attribute)?;
        let user = User { id: self.id, login: self.login, status, user_type, profile };
        Ok(Entry { user, agents: self.agents })
    }

    /// Ids of his groups; `None`: the server doesn't say.
    pub(super) fn groups(&self) -> Result<Option<BTreeSet<GroupId>>, DirectoryError> {
        let groups = match self.raw.get("groups") {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Array(groups)) if groups.len() <= MOST_GROUPS => groups,
            Some(_) => return Err(garbled("a user whose groups are no list, or too many")),
        };
        let id = |group: &Value| GroupId::parse(group.get("value")?.as_str()?).ok();
        let ids: Option<BTreeSet<GroupId>> = groups.iter().map(id).collect();
        ids.map(Some).ok_or_else(|| garbled("a user with a group without a usable id"))
    }

    /// The whole resource as it should be, for a `PUT`: all that was read, with or without this agent.
    pub(super) fn with(&self, agent: &UserId, listed: bool, attribute: &Attribute) -> Value {
        let mut raw = self.raw.clone();
        raw.remove("meta");
        let urn = attribute.extension();
        let mut extension = match raw.remove(urn) {
            Some(Value::Object(extension)) => extension,
            _ => Map::new(),
        };
        let mut items = match extension.remove(attribute.name()) {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        };
        items.retain(|item| text_of(item, attribute) != Some(agent.as_str()));
        if listed {
            items.push(attribute.item(agent.as_str()));
        }
        if !items.is_empty() {
            extension.insert(attribute.name().to_owned(), items.into());
        }
        if let Some(Value::Array(schemas)) = raw.get_mut("schemas") {
            schemas.retain(|schema| schema != urn);
            if !extension.is_empty() {
                schemas.push(urn.into());
            }
        }
        if !extension.is_empty() {
            raw.insert(urn.to_owned(), extension.into());
        }
        raw.into()
    }
}

/// The `ETag` of an answer.
pub(super) fn version_of(answer: &Answer) -> Option<String> {
    answer.header("etag").map(str::to_owned)
}

fn agents(raw: &Map<String, Value>, attribute: &Attribute) -> Result<Vec<UserId>, DirectoryError> {
    let extension = match raw.get(attribute.extension()) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Object(extension)) => extension,
        Some(_) => return Err(garbled("a user whose extension is no object")),
    };
    let items = match extension.get(attribute.name()) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(garbled("a user whose agents are no list")),
    };
    let ids = items.iter().map(|item| UserId::parse(text_of(item, attribute)?).ok()).collect::<Option<Vec<_>>>();
    ids.map(each_once).ok_or_else(|| garbled("a user with an agent that can't be an id"))
}

fn text_of<'i>(item: &'i Value, attribute: &Attribute) -> Option<&'i str> {
    if attribute.is_complex() { item.get("value")?.as_str() } else { item.as_str() }
}

/// True if this resource of a list shows the agent, or doesn't show the attribute at all.
pub(super) fn may_list(raw: &Map<String, Value>, agent: &UserId, attribute: &Attribute) -> bool {
    let shown = raw.get(attribute.extension()).is_some();
    !shown || agents(raw, attribute).is_ok_and(|agents| agents.contains(agent))
}
