//! Grants come and go as single values of an attribute, so that nobody's change is lost to another's.

use ldap3::{
    Mod,
    controls::{Assertion, RawControl},
};

use super::{
    Kind, LdapDirectory,
    fault::{
        self, ASSERTION_FAILED, CLASS_VIOLATION, ENTRY_EXISTS, NO_SUCH_ATTRIBUTE, NO_SUCH_OBJECT, UNWILLING,
        VALUE_EXISTS, rejected, unavailable,
    },
    filter::Filter,
    id,
    line::{Changes, Line, one},
    raw::Raw,
};
use crate::{
    adapters::directory::entries::MOST_AGENTS,
    domain::ids::{UserId, UserRef},
    ports::directory::{DirectoryError, Written},
};

const OBJECT_CLASS: &str = "objectClass";
/// Others may add the class, or the value, between two steps; nobody does so again and again.
const TRIES: usize = 4;

/// The delegator as he was a moment ago.
struct Delegator {
    id: UserId,
    entry: Raw,
    agents: Vec<UserId>,
}

impl LdapDirectory {
    pub(super) async fn add_value(
        &self,
        line: &Line,
        delegator: &UserId,
        agent: &UserId,
    ) -> Result<Written, DirectoryError> {
        let mut with_class = false;
        for _ in 0..TRIES {
            let found = self.delegator(line, delegator).await?;
            let found = found.ok_or_else(|| rejected("no such user"))?;
            if found.agents.contains(agent) {
                return Ok(Written::Already);
            }
            if found.agents.len() >= MOST_AGENTS {
                return Err(rejected(format!("the user lists {MOST_AGENTS} agents already")));
            }
            let has_class =
                found.entry.texts(OBJECT_CLASS).any(|class| class.eq_ignore_ascii_case(&self.names().class));
            let adds_class = with_class && !has_class;
            match self.added(line, &found, agent, adds_class).await? {
                0 => return self.verified(line, delegator, agent).await,
                // Somebody added the class, or the value, at the same time.
                VALUE_EXISTS | ENTRY_EXISTS if adds_class => {}
                VALUE_EXISTS | ENTRY_EXISTS => return self.alike(line, delegator, agent).await,
                CLASS_VIOLATION if !with_class && !has_class => with_class = true,
                NO_SUCH_OBJECT | ASSERTION_FAILED => return Err(rejected("the user was moved or deleted meanwhile")),
                code => return Err(fault::of_result(code, "adding an agent")),
            }
        }
        Err(unavailable("the user is being changed by others all the time"))
    }

    pub(super) async fn delete_value(
        &self,
        line: &Line,
        delegator: &UserId,
        agent: &UserId,
    ) -> Result<Written, DirectoryError> {
        let Some(found) = self.delegator(line, delegator).await? else { return Ok(Written::Already) };
        // Where the server compares loosely, deleting what isn't there would delete what looks like it.
        if !found.agents.contains(agent) {
            return Ok(Written::Already);
        }
        let changes = vec![Mod::Delete(self.names().agents.as_bytes(), one(agent.as_str().as_bytes()))];
        match self.changed(line, &found, changes).await? {
            0 => Ok(Written::Changed),
            NO_SUCH_ATTRIBUTE | NO_SUCH_OBJECT => Ok(Written::Already),
            ASSERTION_FAILED => Err(unavailable("the user was moved meanwhile")),
            // Said for a value that is gone, too.
            UNWILLING if !self.lists(line, delegator, agent).await? => Ok(Written::Already),
            code => Err(fault::of_result(code, "removing an agent")),
        }
    }

    async fn delegator(&self, line: &Line, id: &UserId) -> Result<Option<Delegator>, DirectoryError> {
        let attributes = vec![self.names().id.clone(), self.names().agents.clone(), OBJECT_CLASS.to_owned()];
        let Some((id, entry)) = self.find(line, &UserRef::Id(id.clone()), attributes).await? else { return Ok(None) };
        let agents = self.agents(line, &id, &entry).await?;
        Ok(Some(Delegator { id, entry, agents }))
    }

    async fn lists(&self, line: &Line, delegator: &UserId, agent: &UserId) -> Result<bool, DirectoryError> {
        Ok(self.delegator(line, delegator).await?.is_some_and(|found| found.agents.contains(agent)))
    }

    /// The server has it already, or takes something else for it.
    async fn alike(&self, line: &Line, delegator: &UserId, agent: &UserId) -> Result<Written, DirectoryError> {
        if self.lists(line, delegator, agent).await? {
            return Ok(Written::Already);
        }
        let name = &self.names().agents;
        Err(rejected(format!("the server takes another agent's id for the same: give `{name}` an exact matching rule")))
    }

    /// A name may lead to somebody else by the time it is used. Where the server can't be told whom it must lead to,
    /// he is read again.
    async fn verified(&self, line: &Line, delegator: &UserId, agent: &UserId) -> Result<Written, DirectoryError> {
        let sure = self.settings().kind != Kind::Ds389;
        if sure || self.lists(line, delegator, agent).await? {
            return Ok(Written::Changed);
        }
        Err(unavailable("the user was moved or changed while an agent was added: look at his list"))
    }

    async fn added(
        &self,
        line: &Line,
        to: &Delegator,
        agent: &UserId,
        with_class: bool,
    ) -> Result<u32, DirectoryError> {
        let value = Mod::Add(self.names().agents.as_bytes(), one(agent.as_str().as_bytes()));
        if !with_class {
            return self.changed(line, to, vec![value]).await;
        }
        let class = Mod::Add(OBJECT_CLASS.as_bytes(), one(self.names().class.as_bytes()));
        if self.settings().kind != Kind::ActiveDirectory {
            return self.changed(line, to, vec![class, value]).await;
        }
        // It doesn't look at the one for the other.
        match self.changed(line, to, vec![class]).await? {
            0 => self.changed(line, to, vec![value]).await,
            code => Ok(code),
        }
    }

    async fn changed(&self, line: &Line, of: &Delegator, changes: Changes<'_>) -> Result<u32, DirectoryError> {
        match self.settings().kind {
            // A name that follows the entry.
            Kind::ActiveDirectory => line.modify(&format!("<GUID={}>", of.id), changes, None).await,
            Kind::Ds389 => line.modify(&of.entry.dn, changes, None).await,
            Kind::OpenLdap => line.modify(&of.entry.dn, changes, self.only_of(&of.id)).await,
        }
    }

    /// "Only if the entry has that id" (RFC 4528).
    fn only_of(&self, id: &UserId) -> Option<RawControl> {
        let id = id::to_server(self.settings().kind, id.as_str())?;
        let control: RawControl = Assertion::new(Filter::is(&self.names().id, &id).as_str());
        Some(RawControl { crit: true, ..control })
    }
}
