//! LDAP servers: `OpenLDAP`, 389 Directory Server, Active Directory. A user is one entry, found by its immutable id or
//! its login; the agents he lists are the values of one attribute, added and deleted one by one.
//!
//! Servers compare loosely (by case, by spaces) and the account may be shown the same person twice: what they find is
//! compared here, byte for byte, before it is anybody's entry.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use ldap3::Scope;

use self::{
    decode::Decoder,
    fault::{NO_SUCH_OBJECT, SIZE_LIMIT, garbled, rejected, unavailable},
    filter::Filter,
    line::{Found, Line, Query},
    pool::Pool,
    raw::Raw,
};
use super::entries::{Entries, Entry, MOST_AGENTS};
use crate::{
    domain::ids::{GroupId, UserId, UserRef},
    ports::{
        clock::Clock,
        directory::{DirectoryError, Members, Written},
        entropy::Entropy,
    },
};
pub use inspect::inspect;
pub use settings::{Kind, Names, Security, Server, Settings};
pub use stream::Trust;

mod above;
mod change;
mod decode;
mod fault;
pub mod filter;
mod groups;
mod guard;
mod id;
mod inspect;
mod line;
mod members;
mod pool;
mod raw;
mod settings;
mod stream;

/// Entries in a page.
const PAGE: usize = 500;
/// Entries that a look-up of one user may find: by id, by login, and those that only look like it.
const MOST_ALIKE: usize = 5;

/// The users of LDAP servers.
pub struct LdapDirectory {
    pool: Arc<Pool>,
    decoder: Decoder,
}

impl LdapDirectory {
    /// Asks nobody yet.
    pub fn new(settings: Settings, trust: Trust, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        let decoder = Decoder::new(settings.kind, settings.names.clone(), clock);
        Self { pool: Arc::new(Pool::new(settings, trust, entropy)), decoder }
    }

    fn settings(&self) -> &Settings {
        self.pool.settings()
    }

    fn names(&self) -> &Names {
        &self.settings().names
    }

    /// The one entry with exactly that id or login, and only these attributes of it.
    async fn find(
        &self,
        line: &Line,
        who: &UserRef,
        attributes: Vec<String>,
    ) -> Result<Option<(UserId, Raw)>, DirectoryError> {
        let Some(filter) = self.filter_of(who) else { return Ok(None) };
        let filter = Filter::configured(&self.settings().user_filter).and(&filter);
        let query = Query { base: &self.settings().base, scope: Scope::Subtree, filter, attributes, most: MOST_ALIKE };
        let found = line.search(query).await?;
        if found.result.rc == SIZE_LIMIT {
            return Err(rejected("more than one entry looks like the user"));
        }
        let entries = self.complete(found, "looking for a user")?;
        self.chosen(who, entries)
    }

    /// `None` where no entry can have it.
    fn filter_of(&self, who: &UserRef) -> Option<Filter> {
        let names = self.names();
        let by_id = |text: &str| Some(Filter::is(&names.id, &id::to_server(self.settings().kind, text)?));
        let by_login = |text: &str| Filter::is(&names.login, text.as_bytes());
        match who {
            UserRef::Id(id) => by_id(id.as_str()),
            UserRef::Login(login) => Some(by_login(login.as_str())),
            UserRef::Either(text) => {
                let login = by_login(text.as_str());
                Some(by_id(text.as_str()).map_or(login.clone(), |id| id.or(&login)))
            }
        }
    }

    /// The entry that is exactly the one asked for; an id goes before a login.
    fn chosen(&self, who: &UserRef, entries: Vec<Raw>) -> Result<Option<(UserId, Raw)>, DirectoryError> {
        let (id, login) = match who {
            UserRef::Id(id) => (Some(id.as_str()), None),
            UserRef::Login(login) => (None, Some(login.as_str())),
            UserRef::Either(text) => (Some(text.as_str()), Some(text.as_str())),
        };
        let mut known = Vec::with_capacity(entries.len());
        for entry in entries {
            known.push((self.decoder.id(&entry)?, entry));
        }
        let has_login = |entry: &Raw| login.is_some_and(|login| entry.texts(&self.names().login).any(|l| l == login));
        let by_id: Vec<usize> = (0..known.len()).filter(|at| id == Some(known[*at].0.as_str())).collect();
        let by_login: Vec<usize> = (0..known.len()).filter(|at| has_login(&known[*at].1)).collect();
        match if by_id.is_empty() { by_login.as_slice() } else { by_id.as_slice() } {
            [] => Ok(None),
            [at] => Ok(Some(known.swap_remove(*at))),
            _ => Err(rejected(
                "more than one entry is the user: BEHALF_LDAP_BASE or BEHALF_LDAP_USER_FILTER is too wide",
            )),
        }
    }

    /// The entries of a search that came to its end here.
    fn complete(&self, found: Found, asked: &str) -> Result<Vec<Raw>, DirectoryError> {
        let Found { entries, result, elsewhere } = found;
        if result.rc != 0 {
            return Err(fault::of_result(result.rc, asked));
        }
        // Active Directory names its other partitions at every search of a domain; no users are there.
        if elsewhere && entries.is_empty() && self.settings().kind != Kind::ActiveDirectory {
            return Err(rejected(format!("{asked}: a part of the base is on another server, which isn't asked")));
        }
        Ok(entries)
    }

    /// All agents of an entry, the parts that the server didn't send at once included.
    async fn agents(&self, line: &Line, id: &UserId, entry: &Raw) -> Result<Vec<UserId>, DirectoryError> {
        let name = &self.names().agents;
        let Some((first, next)) = entry.range(name) else { return decode::agents(entry.values(name)) };
        let (mut values, mut next) = (first.to_vec(), next);
        while let Some(from) = next {
            if from != values.len() || from > MOST_AGENTS {
                return Err(garbled("a list of agents is too long, or comes in parts that don't fit"));
            }
            let attributes = vec![self.names().id.clone(), format!("{name};range={from}-*")];
            let found = self.find(line, &UserRef::Id(id.clone()), attributes).await?;
            let (_, entry) = found.ok_or_else(|| garbled("the user went away while he was read"))?;
            let (part, further) = entry.range(name).ok_or_else(|| garbled("a part of a list is missing"))?;
            values.extend_from_slice(part);
            next = further;
        }
        decode::agents(&values)
    }

    /// A base-scope search: the entry of that name, if there is one.
    async fn named(&self, line: &Line, dn: &str, attributes: Vec<String>) -> Result<Option<Raw>, DirectoryError> {
        let query = Query { base: dn, scope: Scope::Base, filter: Filter::any(), attributes, most: 1 };
        let found = line.search(query).await?;
        if found.result.rc == NO_SUCH_OBJECT {
            return Ok(None);
        }
        Ok(self.complete(found, "reading an entry")?.pop())
    }
}

#[async_trait]
impl Entries for LdapDirectory {
    async fn entry(&self, who: &UserRef) -> Result<Option<Entry>, DirectoryError> {
        let line = self.pool.line().await?;
        let Some((id, entry)) = self.find(&line, who, self.decoder.attributes()).await? else { return Ok(None) };
        let user = self.decoder.user(id, &entry)?;
        // A login that was asked for is the user's, and his only one.
        if let UserRef::Login(login) = who
            && *login != user.login
        {
            return Ok(None);
        }
        let agents = self.agents(&line, &user.id, &entry).await?;
        Ok(Some(Entry { user, agents }))
    }

    async fn groups_of(&self, user: &UserId) -> Result<BTreeSet<GroupId>, DirectoryError> {
        self.groups(&*self.pool.line().await?, user).await
    }

    async fn members_of(&self, group: &GroupId, limit: usize) -> Result<Option<Members>, DirectoryError> {
        self.members(&*self.pool.line().await?, group, limit).await
    }

    async fn candidates(&self, agent: &UserId) -> Result<Vec<UserId>, DirectoryError> {
        let line = self.pool.line().await?;
        let lists = Filter::is(&self.names().agents, agent.as_str().as_bytes());
        let filter = Filter::configured(&self.settings().user_filter).and(&lists);
        let attributes = vec![self.names().id.clone()];
        let base = &self.settings().base;
        let query = Query { base, scope: Scope::Subtree, filter, attributes, most: MOST_AGENTS };
        let found = line.search_all(query, PAGE).await?;
        if found.entries.len() >= MOST_AGENTS {
            tracing::warn!(most = MOST_AGENTS, "an agent is listed by more users than are shown");
        }
        let entries = self.complete(found, "looking for those who list an agent")?;
        entries.iter().map(|entry| self.decoder.id(entry)).collect()
    }

    async fn add(&self, delegator: &UserId, agent: &UserId) -> Result<Written, DirectoryError> {
        self.add_value(&*self.pool.line().await?, delegator, agent).await
    }

    async fn remove(&self, delegator: &UserId, agent: &UserId) -> Result<Written, DirectoryError> {
        self.delete_value(&*self.pool.line().await?, delegator, agent).await
    }
}
