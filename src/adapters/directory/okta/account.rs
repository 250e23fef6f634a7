//! A user as Okta writes him down.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::api::garbled;
use crate::{
    adapters::directory::{
        entries::{Entry, MOST_AGENTS, each_once},
        rest::Answer,
    },
    domain::{
        ids::{Login, UserId},
        user::{Status, User},
    },
    ports::directory::DirectoryError,
};

/// The attribute that holds the grants.
pub(super) const AGENTS: &str = "delegatedAgents";

#[derive(Deserialize)]
struct Wire {
    id: UserId,
    status: String,
    #[serde(rename = "type")]
    kind: Option<Kind>,
    profile: Map<String, Value>,
    #[serde(default)]
    credentials: Credentials,
}

#[derive(Deserialize)]
struct Kind {
    id: String,
}

#[derive(Deserialize, Default)]
struct Credentials {
    provider: Option<Value>,
}

/// A user's id, which is all that is taken from a list.
#[derive(Deserialize)]
pub(super) struct Listed {
    pub(super) id: UserId,
}

/// A user, and what it takes to change him.
pub(super) struct Account {
    pub(super) entry: Entry,
    /// Names this state of him, if Okta gives it a name.
    pub(super) etag: Option<String>,
    /// Who checks his password.
    pub(super) provider: Option<Value>,
}

impl Account {
    pub(super) fn read(answer: &Answer) -> Result<Self, DirectoryError> {
        let wire: Wire = answer.json()?;
        let login =
            wire.profile.get("login").and_then(Value::as_str).ok_or_else(|| garbled("a user without a login"))?;
        let login = Login::parse(login).map_err(|_| garbled("a login"))?;
        let agents = agents(wire.profile.get(AGENTS))?;
        // RECOVERY, PASSWORD_EXPIRED, LOCKED_OUT and all the others can't sign in as they are.
        let status = if wire.status == "ACTIVE" { Status::Active } else { Status::Inactive };
        let profile: BTreeMap<String, Value> = wire.profile.into_iter().collect();
        let user = User { id: wire.id, login, status, user_type: wire.kind.map(|kind| kind.id), profile };
        let etag = answer.header("etag").map(str::to_owned);
        Ok(Self { entry: Entry { user, agents }, etag, provider: wire.credentials.provider })
    }
}

/// The agents listed, each once. A list that isn't one is nobody's grant.
fn agents(value: Option<&Value>) -> Result<Vec<UserId>, DirectoryError> {
    let items = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(garbled("delegatedAgents is no list")),
    };
    if items.len() > MOST_AGENTS {
        return Err(garbled("delegatedAgents is too long"));
    }
    let ids = items.iter().map(|item| UserId::parse(item.as_str()?).ok()).collect::<Option<Vec<_>>>();
    ids.map(each_once).ok_or_else(|| garbled("delegatedAgents lists what is no id"))
}
