//! Rules under test: the real stages over users, grants and locks that a case makes up.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;

use self::props::Props;
use super::{
    Pipeline, TenantPolicy,
    dry::{self, Answer, At},
};
use crate::{
    domain::{
        delegation::Party,
        ids::{ClientId, GroupId, UserId, UserRef},
        lock::Lock,
        user::{Status, User},
    },
    ports::directory::{Directory, DirectoryError, Members, Written},
};

mod props;
#[cfg(test)]
mod tests;

pub use props::{Approved, Reserved};

/// One of the two users of a case.
#[derive(Debug, Clone)]
pub struct Person {
    /// Who he is.
    pub party: Party,
    /// His groups.
    pub groups: BTreeSet<GroupId>,
    /// Whether his account works.
    pub active: bool,
    /// Whether his account is locked against delegation.
    pub locked: bool,
}

/// Who, for whom, through what, and how things stand.
#[derive(Debug, Clone)]
pub struct Case {
    /// Who would act.
    pub agent: Person,
    /// On whose behalf.
    pub delegator: Person,
    /// Through which client.
    pub client: ClientId,
    /// The scopes that are asked for.
    pub scopes: BTreeSet<String>,
    /// Whether the delegator lists the agent.
    pub granted: bool,
    /// When.
    pub at: At,
    /// How the approval stands, where a rule asks for one.
    pub approval: Approved,
    /// How the reservation of the delegator's account stands, where a rule asks for one.
    pub reservation: Reserved,
}

/// Decides the case. Asks no directory and no store.
pub async fn run(policy: &TenantPolicy, case: Case) -> Answer {
    let locks: Vec<Lock> = case.people().into_iter().filter_map(Person::lock).collect();
    let props = match Props::of(policy, &case) {
        Ok(props) => props,
        Err(reason) => return Answer::refused_by("rules", reason),
    };
    let people = MadeUp(case);
    let case = &people.0;
    let question = dry::Question {
        policy,
        directory: &people,
        agent: &case.agent.party.id,
        delegator: &case.delegator.party.id,
        client: &case.client,
        scopes: &case.scopes,
        locks: &locks,
        brought: Some(props.brought()),
        at: case.at,
    };
    dry::run(&Pipeline::standard(), &question).await
}

impl Person {
    fn lock(&self) -> Option<Lock> {
        self.locked.then(|| Lock { user: self.party.clone(), own: None, admin: None })
    }

    fn user(&self) -> User {
        User {
            id: self.party.id.clone(),
            login: self.party.login.clone(),
            status: if self.active { Status::Active } else { Status::Inactive },
            user_type: None,
            profile: BTreeMap::new(),
        }
    }
}

impl Case {
    fn people(&self) -> [&Person; 2] {
        [&self.agent, &self.delegator]
    }
}

/// A directory that knows the two users of a case.
struct MadeUp(Case);

fn knows_no_more() -> DirectoryError {
    DirectoryError::Rejected("a case knows its two users only".to_owned())
}

#[async_trait]
impl Directory for MadeUp {
    async fn user(&self, who: &UserRef) -> Result<Option<User>, DirectoryError> {
        let found = self.0.people().into_iter().find(|person| person.party.id.as_str() == who.as_str());
        Ok(found.map(Person::user))
    }

    async fn groups_of(&self, user: &UserId) -> Result<BTreeSet<GroupId>, DirectoryError> {
        let found = self.0.people().into_iter().find(|person| person.party.id == *user);
        let mut groups = found.ok_or(DirectoryError::NoSuchUser)?.groups.clone();
        if self.0.agent.party.id == *user && matches!(self.0.reservation, Reserved::Held | Reserved::Gone) {
            groups.extend(props::members());
        }
        Ok(groups)
    }

    async fn members_of(&self, _: &GroupId, _: usize) -> Result<Option<Members>, DirectoryError> {
        Err(knows_no_more())
    }

    async fn is_granted(&self, delegator: &UserId, agent: &UserId) -> Result<bool, DirectoryError> {
        let case = &self.0;
        Ok(case.granted && case.delegator.party.id == *delegator && case.agent.party.id == *agent)
    }

    async fn agents_of(&self, _: &UserId) -> Result<Vec<UserId>, DirectoryError> {
        Err(knows_no_more())
    }

    async fn delegators_of(&self, _: &UserId) -> Result<Vec<UserId>, DirectoryError> {
        Err(knows_no_more())
    }

    async fn add_grant(&self, _: &UserId, _: &UserId) -> Result<Written, DirectoryError> {
        Err(knows_no_more())
    }

    async fn remove_grant(&self, _: &UserId, _: &UserId) -> Result<Written, DirectoryError> {
        Err(knows_no_more())
    }
}
