//! A SCIM 2.0 service (RFC 7643, 7644) as directory: grants are values of a multi-valued attribute in an extension of
//! the user's resource.
//!
//! * A user is read by id: `GET /Users/{id}`, one call, which is all that a hook makes. By login, a filter on `userName`
//!   finds the id, which is then read. Both are compared byte for byte.
//! * A filter is used only where the server says that it has filters, and where one that nothing can match is answered
//!   with nothing. Some servers ignore filters and answer with everybody.
//! * "Not there" is a 404 with a SCIM error from a server that is known to serve `/Users` there. A proxy's 404 is not.
//! * A grant is added and removed by `PATCH` of its one value, so that changes of others stay. Where that can't be, the
//!   whole user is written under `If-Match`; where that can't be either, nothing is written.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::{Map, Value};

use self::{
    filter::Attribute,
    known::{Known, LookUp},
    list::{Found, Page, Question, garbled, id_of},
    resource::{MOST_GROUPS, Resource, may_list},
    service::{Refusal, Reply, Service},
};
use super::{
    entries::{Entries, Entry, MOST_AGENTS},
    rest::Rest,
    turns::Turns,
};
use crate::{
    domain::ids::{GroupId, Login, UserId, UserRef},
    ports::{
        clock::Clock,
        directory::{DirectoryError, Members, Written},
        entropy::{self, Entropy},
    },
};

mod change;
pub mod filter;
mod inspect;
mod known;
mod list;
mod members;
mod profile;
mod quiet;
mod resource;
mod service;

/// For how long it is believed that the server serves `/Users`, in seconds.
const SERVES_USERS_FOR: u64 = 300;
/// Users whose logins differ by case only, of one login.
const NAMESAKES: usize = 10;

/// One SCIM service.
pub struct Scim {
    service: Service,
    attribute: Attribute,
    known: Known,
    entropy: Arc<dyn Entropy>,
    /// When it was last seen that users are served, by the monotonic clock in seconds and one more; 0: never.
    users_seen: AtomicU64,
    /// Of changes under `If-Match`.
    turns: Turns,
}

/// What is found under an id.
enum Lookup {
    Found(Box<Resource>),
    Missing,
    /// The server says that this is no id.
    NoId(Refusal),
}

impl Scim {
    /// Asks nobody yet. The error says that the token can't be sent.
    pub fn new(
        rest: Rest,
        token: &SecretString,
        attribute: Attribute,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, String> {
        let service = Service::new(rest, token, clock).ok_or("the token can't be sent in an HTTP header")?;
        let (known, users_seen, turns) = (Known::default(), AtomicU64::new(0), Turns::default());
        Ok(Self { service, attribute, known, entropy, users_seen, turns })
    }

    /// Reads `/Users/{id}`.
    async fn lookup(&self, id: &UserId, query: &[(&str, &str)]) -> Result<Lookup, DirectoryError> {
        match self.service.get(&["Users", id.as_str()], query).await? {
            Reply::Done(answer) => {
                let resource = Resource::read(&answer, &self.attribute)?;
                self.users_are_served();
                if resource.id == *id {
                    return Ok(Lookup::Found(Box::new(resource)));
                }
                let same = |text: &str| text.to_lowercase() == id.as_str().to_lowercase();
                if same(resource.id.as_str()) || same(resource.login.as_str()) {
                    // It compares loosely, or takes logins for ids: nobody has exactly this one.
                    return Ok(Lookup::Missing);
                }
                Err(garbled("another user than the one asked for"))
            }
            Reply::Refused(refusal) => match refusal.status.as_u16() {
                404 => self.missing().await.map(|()| Lookup::Missing),
                400 => Ok(Lookup::NoId(refusal)),
                _ => Err(refusal.rejected("it does not give the user")),
            },
        }
    }

    async fn resource(&self, id: &UserId) -> Result<Option<Resource>, DirectoryError> {
        match self.lookup(id, &[]).await? {
            Lookup::Found(resource) => Ok(Some(*resource)),
            Lookup::Missing => Ok(None),
            Lookup::NoId(refusal) => Err(refusal.rejected("it does not take this for a user's id")),
        }
    }

    /// A SCIM error 404 for a user says that he isn't there only if users are served there at all.
    async fn missing(&self) -> Result<(), DirectoryError> {
        let now = self.service.clock().monotonic().as_secs();
        let seen = self.users_seen.load(Ordering::Relaxed);
        if seen > 0 && (now + 1).saturating_sub(seen) < SERVES_USERS_FOR {
            return Ok(());
        }
        match self.service.get(&["Users"], &[("attributes", "id"), ("startIndex", "1"), ("count", "1")]).await? {
            Reply::Done(answer) => {
                Page::read(&answer)?;
                self.users_are_served();
                Ok(())
            }
            Reply::Refused(refusal) => Err(refusal.rejected("it has no Users; is BEHALF_SCIM_URL right?")),
        }
    }

    fn users_are_served(&self) {
        self.users_seen.store(self.service.clock().monotonic().as_secs() + 1, Ordering::Relaxed);
    }

    async fn by_login(&self, login: &Login) -> Result<Option<Resource>, DirectoryError> {
        let found = self.look_up(LookUp::Logins, login.as_str(), "userName", NAMESAKES).await?;
        let Found { resources, complete } = found;
        let loose = login.as_str().to_lowercase();
        let (mut exact, mut stranger) = (Vec::new(), false);
        for resource in &resources {
            let name =
                resource.get("userName").and_then(Value::as_str).ok_or_else(|| garbled("a user without userName"))?;
            stranger |= name.to_lowercase() != loose;
            if name == login.as_str() {
                exact.push(UserId::parse(id_of(resource)?).map_err(|_| garbled("a user whose id can't be one"))?);
            }
        }
        if stranger {
            self.known.forget().await;
            return Err(LookUp::Logins.impossible("it answered with users of other names"));
        }
        match exact.as_slice() {
            [] if complete => Ok(None),
            [id] if complete => Ok(self.resource(id).await?.filter(|user| user.login == *login)),
            _ => Err(garbled("several users of one userName")),
        }
    }

    /// What a filter finds, where filters work.
    async fn look_up(
        &self,
        look_up: LookUp,
        value: &str,
        attributes: &str,
        most: usize,
    ) -> Result<Found, DirectoryError> {
        let page = self.known.page_for(look_up, &self.attribute, &self.service, &*self.entropy).await?;
        let filter = look_up.filter(&self.attribute, value);
        let question =
            Question { endpoint: look_up.endpoint(), filter: &filter, attributes, page: page.min(most), most };
        if let Some(found) = list::all(&self.service, &question).await? {
            return Ok(found);
        }
        self.known.forget().await;
        Err(look_up.impossible("it refuses the filter"))
    }

    /// The user's groups by what groups say of their members. A group that doesn't show him is not believed to have him.
    async fn groups_by_members(&self, user: &UserId) -> Result<BTreeSet<GroupId>, DirectoryError> {
        let found = self.look_up(LookUp::Groups, user.as_str(), "members", MOST_GROUPS).await?;
        if !found.complete {
            return Err(garbled(&format!("more than {MOST_GROUPS} groups of one user")));
        }
        if !found.resources.iter().all(|group| has_member(group, user)) {
            self.known.forget().await;
            return Err(LookUp::Groups.impossible("it answered with groups that don't show the user"));
        }
        let id = |group: &Map<String, Value>| {
            GroupId::parse(id_of(group)?).map_err(|_| garbled("a group whose id can't be one"))
        };
        found.resources.iter().map(id).collect()
    }

    /// A pause before the try of that number, none before the first: up to twice as long each time.
    async fn pause(&self, tries: u32) {
        if tries > 0 {
            let most = Duration::from_millis(20) * 2_u32.pow(tries.min(5));
            tokio::time::sleep(entropy::between(&*self.entropy, Duration::ZERO..=most)).await;
        }
    }
}

fn has_member(group: &Map<String, Value>, user: &UserId) -> bool {
    let members = group.get("members").and_then(Value::as_array);
    members.is_some_and(|members| members.iter().any(|member| member["value"] == user.as_str()))
}

#[async_trait]
impl Entries for Scim {
    async fn entry(&self, who: &UserRef) -> Result<Option<Entry>, DirectoryError> {
        let found = match who {
            UserRef::Id(id) => self.resource(id).await?,
            UserRef::Login(login) => self.by_login(login).await?,
            UserRef::Either(text) => self.either(text).await?,
        };
        found.map(|resource| resource.into_entry(&self.attribute)).transpose()
    }

    async fn groups_of(&self, user: &UserId) -> Result<BTreeSet<GroupId>, DirectoryError> {
        let found = match self.lookup(user, &[("attributes", "userName,groups")]).await? {
            Lookup::Found(resource) => resource.groups()?,
            Lookup::Missing => return Err(DirectoryError::NoSuchUser),
            Lookup::NoId(refusal) => return Err(refusal.rejected("it does not take this for a user's id")),
        };
        match found {
            Some(groups) => Ok(groups),
            None => self.groups_by_members(user).await,
        }
    }

    async fn members_of(&self, group: &GroupId, limit: usize) -> Result<Option<Members>, DirectoryError> {
        self.members(group, limit).await
    }

    async fn candidates(&self, agent: &UserId) -> Result<Vec<UserId>, DirectoryError> {
        let attributes = self.attribute.path();
        let found = self.look_up(LookUp::Delegators, agent.as_str(), &attributes, MOST_AGENTS).await?;
        let listing = found.resources.iter().filter(|user| may_list(user, agent, &self.attribute));
        let id = |user: &Map<String, Value>| {
            UserId::parse(id_of(user)?).map_err(|_| garbled("a user whose id can't be one"))
        };
        listing.take(MOST_AGENTS).map(id).collect()
    }

    async fn add(&self, delegator: &UserId, agent: &UserId) -> Result<Written, DirectoryError> {
        self.set(delegator, agent, true).await
    }

    async fn remove(&self, delegator: &UserId, agent: &UserId) -> Result<Written, DirectoryError> {
        self.set(delegator, agent, false).await
    }
}

impl Scim {
    /// By id first.
    async fn either(&self, text: &Login) -> Result<Option<Resource>, DirectoryError> {
        let Ok(id) = UserId::parse(text.as_str()) else { return self.by_login(text).await };
        match self.lookup(&id, &[]).await? {
            Lookup::Found(resource) => Ok(Some(*resource)),
            Lookup::Missing => self.by_login(text).await,
            Lookup::NoId(refusal) => match self.by_login(text).await? {
                Some(resource) => Ok(Some(resource)),
                None => Err(refusal.rejected("it does not take this for a user's id, and nobody has it as userName")),
            },
        }
    }
}
