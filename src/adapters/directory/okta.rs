//! Okta: a user's grants are the attribute `delegatedAgents` of his profile.
//!
//! `api` makes one call, `read` finds users, `change` changes them without losing what others change, `kinds` knows user
//! types, `limits` keeps Okta's rate limits, `inspect` speaks for `check`.

mod account;
mod api;
pub mod auth;
mod change;
pub mod expression;
mod inspect;
mod kinds;
pub mod limits;
pub(in crate::adapters) mod links;
mod read;

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use url::Url;

pub use self::inspect::inspect;
use self::{
    account::{AGENTS, Account},
    api::{Api, Said, garbled},
    auth::{Credentials, SignIn},
    change::{Came, Plan, Writer},
    limits::{Bucket, Lane, Limits},
};
use super::{
    entries::{Entries, Entry, Lanes, MOST_AGENTS},
    rest::Rest,
};
use crate::{
    domain::ids::{GroupId, TenantName, UserId, UserRef},
    ports::{
        clock::Clock,
        directory::{DirectoryError, Entity, Members, Written},
        entropy::Entropy,
        store::Store,
    },
};

/// What a service app needs to read and change users.
const USER_SCOPES: [&str; 2] = ["okta.users.read", "okta.users.manage"];
/// What it needs besides to tell who is in a group.
const GROUP_SCOPES: [&str; 1] = ["okta.groups.read"];
/// What it needs besides to look at user types: to change a user's type, and for `check`.
const META_SCOPES: [&str; 2] = ["okta.userTypes.read", "okta.schemas.read"];
/// The linked object whose primary is a user's entity.
const PARENT: &str = "parentEntity";

/// User types, by Okta's ids.
#[derive(Debug, Clone, Default)]
pub struct Kinds {
    /// Ordinary users.
    pub user: Option<String>,
    /// Users who can be delegators.
    pub delegatable: Option<String>,
    /// Entities.
    pub entity: Option<String>,
}

/// One organisation.
pub struct Settings {
    /// `https://` and its host.
    pub url: Url,
    /// How we sign in.
    pub credentials: Credentials,
    /// Its user types.
    pub kinds: Kinds,
}

/// What a connector works with.
pub struct Tools {
    /// The only outbound client.
    pub http: reqwest::Client,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance, for pauses and assertions.
    pub entropy: Arc<dyn Entropy>,
    /// Where leases are.
    pub store: Arc<dyn Store>,
    /// Whose leases.
    pub tenant: TenantName,
}

struct Org {
    kinds: Kinds,
    writer: Writer,
}

/// An organisation's users, for one lane.
#[derive(Clone)]
pub struct OktaDirectory {
    org: Arc<Org>,
    api: Api,
    /// With the right for groups' members.
    groups: Api,
    /// With the rights for types and schemas.
    meta: Api,
}

impl OktaDirectory {
    /// Connects; asks nobody yet.
    pub fn new(settings: Settings, tools: &Tools) -> Result<Self, DirectoryError> {
        let rest = Rest::new(tools.http.clone(), settings.url);
        let limits = Arc::new(Limits::new(Arc::clone(&tools.clock), Arc::clone(&tools.entropy)));
        // An app that lacks a scope gets no token at all, so what most calls don't need is asked for apart.
        let api = |scopes: &[&str]| {
            let credentials = settings.credentials.clone();
            let sign_in = SignIn::new(credentials, scopes, &rest, &limits, &tools.clock, &tools.entropy)?;
            Ok::<_, DirectoryError>(Api {
                rest: rest.clone(),
                sign_in,
                limits: Arc::clone(&limits),
                lane: Lane::Others,
            })
        };
        let (api, groups, meta) = (api(&USER_SCOPES)?, api(&GROUP_SCOPES)?, api(&META_SCOPES)?);
        let (store, clock) = (Arc::clone(&tools.store), Arc::clone(&tools.clock));
        let writer = Writer::new(tools.tenant.clone(), store, clock, &*tools.entropy);
        Ok(Self { org: Arc::new(Org { kinds: settings.kinds, writer }), api, groups, meta })
    }

    /// Both lanes of it. They share their tokens and what is known of the limits.
    pub fn lanes(self) -> Lanes {
        let hooks = |api: &Api| Api { lane: Lane::Hooks, ..api.clone() };
        let hooks = Self { api: hooks(&self.api), groups: hooks(&self.groups), ..self.clone() };
        Lanes { hooks: Arc::new(hooks), others: Arc::new(self) }
    }

    async fn list(
        &self,
        delegator: &UserId,
        plan: impl Fn(&Account) -> Result<Plan, DirectoryError> + Sync,
    ) -> Result<Came, DirectoryError> {
        if !read::is_id(delegator.as_str()) {
            return Ok(Came::NoUser);
        }
        self.org.writer.change(&self.api, delegator, &plan).await
    }
}

/// The whole array is written: the server replaces it whole.
fn write_agents(agents: &[UserId]) -> Plan {
    let agents: Vec<&str> = agents.iter().map(UserId::as_str).collect();
    Plan::Write { method: Method::POST, body: json!({"profile": {AGENTS: agents}}) }
}

#[async_trait]
impl Entries for OktaDirectory {
    async fn entry(&self, who: &UserRef) -> Result<Option<Entry>, DirectoryError> {
        let found = match who {
            UserRef::Id(id) => read::by_id(&self.api, id).await?,
            UserRef::Login(login) => read::by_login(&self.api, login).await?,
            UserRef::Either(text) => read::by_either(&self.api, text).await?,
        };
        Ok(found.map(|account| account.entry))
    }

    async fn groups_of(&self, user: &UserId) -> Result<BTreeSet<GroupId>, DirectoryError> {
        read::groups(&self.api, user).await
    }

    async fn members_of(&self, group: &GroupId, limit: usize) -> Result<Option<Members>, DirectoryError> {
        read::members(&self.groups, group, limit).await
    }

    async fn candidates(&self, agent: &UserId) -> Result<Vec<UserId>, DirectoryError> {
        read::candidates(&self.api, agent).await
    }

    async fn add(&self, delegator: &UserId, agent: &UserId) -> Result<Written, DirectoryError> {
        if !read::is_id(agent.as_str()) {
            return Err(DirectoryError::Rejected("this agent can't be listed there".to_owned()));
        }
        let plan = |account: &Account| {
            let agents = &account.entry.agents;
            if agents.contains(agent) {
                return Ok(Plan::Already);
            }
            if agents.len() >= MOST_AGENTS {
                return Err(DirectoryError::Rejected(format!("he lists {MOST_AGENTS} agents, and no more fit")));
            }
            Ok(write_agents(&[agents.as_slice(), std::slice::from_ref(agent)].concat()))
        };
        match self.list(delegator, plan).await? {
            Came::To(written) => Ok(written),
            Came::NoUser => Err(DirectoryError::Rejected("there is no such delegator".to_owned())),
        }
    }

    async fn remove(&self, delegator: &UserId, agent: &UserId) -> Result<Written, DirectoryError> {
        let plan = |account: &Account| {
            let agents = &account.entry.agents;
            let rest: Vec<UserId> = agents.iter().filter(|listed| *listed != agent).cloned().collect();
            Ok(if rest.len() == agents.len() { Plan::Already } else { write_agents(&rest) })
        };
        match self.list(delegator, plan).await? {
            Came::To(written) => Ok(written),
            Came::NoUser => Ok(Written::Already),
        }
    }

    async fn set_delegatable(&self, user: &UserId, can: bool) -> Result<Option<Written>, DirectoryError> {
        self.switch_kind(user, can).await
    }

    async fn entity_of(&self, user: &UserId) -> Result<Option<Entity>, DirectoryError> {
        if !read::is_id(user.as_str()) {
            return Ok(None);
        }
        let url = self.api.of_user(user, &["linkedObjects", PARENT])?;
        let links: Vec<Linked> = match self.api.get(Bucket::Links, url).await? {
            Said::Done(answer) => answer.json()?,
            Said::Refused(refusal) if refusal.is_not_found() => return Ok(None),
            Said::Refused(refusal) => return Err(refusal.error()),
        };
        let href = match links.as_slice() {
            [] => return Ok(None),
            [link] => &link.links.this.href,
            _ => return Err(garbled("a user with several parents")),
        };
        let id = links::id_in(self.api.rest.base(), href, &["api", "v1", "users"]);
        let id =
            id.and_then(|id| UserId::parse(&id).ok()).ok_or_else(|| garbled("a parent that isn't one of its users"))?;
        let found = read::by_id(&self.api, &id).await?;
        Ok(found.and_then(|account| self.entity(&account)))
    }
}

impl OktaDirectory {
    fn entity(&self, account: &Account) -> Option<Entity> {
        let user = &account.entry.user;
        let wanted = self.org.kinds.entity.as_deref();
        if wanted.is_some() && wanted != user.user_type.as_deref() {
            return None;
        }
        Some(Entity { id: user.text("entityId")?, name: user.text("entityName") })
    }
}

#[derive(Deserialize)]
struct Linked {
    #[serde(rename = "_links")]
    links: Links,
}

#[derive(Deserialize)]
struct Links {
    #[serde(rename = "self")]
    this: Link,
}

#[derive(Deserialize)]
struct Link {
    href: String,
}
