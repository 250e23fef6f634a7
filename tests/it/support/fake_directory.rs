//! A directory that does what a test tells it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use behalf::{
    adapters::directory::entries::{Entries, Entry},
    domain::{
        ids::{GroupId, Login, UserId, UserRef},
        user::{Status, User},
    },
    ports::directory::{Directory, DirectoryError, Entity, Members, Written},
};
use tokio::sync::{Notify, watch};

/// The operations of the port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Op {
    User,
    Entry,
    IsGranted,
    GroupsOf,
    MembersOf,
    AgentsOf,
    DelegatorsOf,
    AddGrant,
    RemoveGrant,
    SetDelegatable,
    EntityOf,
}

/// What happens to a call instead of its plain answer.
pub(crate) enum Act {
    /// It fails, and changes nothing.
    Fail(DirectoryError),
    /// It takes effect and its answer is settled as soon as it comes; the answer is delivered when the gate opens.
    Hang(Arc<Notify>),
    /// It panics.
    Panic,
}

#[derive(Default)]
struct State {
    users: Vec<User>,
    instead: HashMap<String, User>,
    groups: HashMap<UserId, BTreeSet<GroupId>>,
    /// Those that are there though nobody is in them.
    empty_groups: BTreeSet<GroupId>,
    grants: BTreeSet<(UserId, UserId)>,
    entities: HashMap<UserId, Entity>,
    /// Types of ordinary users and of delegators.
    kinds: Option<[String; 2]>,
    old_lists: Option<BTreeSet<(UserId, UserId)>>,
    script: HashMap<Op, VecDeque<Act>>,
    dropped: HashMap<Op, usize>,
    failing: Option<DirectoryError>,
    latency: Duration,
}

impl State {
    /// The grants that lists are made of.
    fn listed(&self) -> &BTreeSet<(UserId, UserId)> {
        self.old_lists.as_ref().unwrap_or(&self.grants)
    }
}

/// Users and grants in memory, with acts that are used up one per call.
#[derive(Default)]
pub(crate) struct FakeDirectory {
    state: Mutex<State>,
    calls: watch::Sender<HashMap<Op, usize>>,
}

impl FakeDirectory {
    /// Sets the user of that id.
    pub(crate) fn put(&self, user: User) {
        let mut state = self.state.lock().unwrap();
        state.users.retain(|u| u.id != user.id);
        state.users.push(user);
    }

    /// Forgets the user of that id.
    pub(crate) fn take(&self, id: &str) {
        self.state.lock().unwrap().users.retain(|u| u.id.as_str() != id);
    }

    /// Makes the account of that id one that doesn't work.
    pub(crate) fn suspend(&self, id: &str) {
        let users = &mut self.state.lock().unwrap().users;
        users.iter_mut().filter(|u| u.id.as_str() == id).for_each(|u| u.status = Status::Inactive);
    }

    /// Sets the groups that the user is in.
    pub(crate) fn set_groups(&self, user: &UserId, groups: &[&str]) {
        let groups = groups.iter().map(|group| GroupId::parse(group).unwrap()).collect();
        self.state.lock().unwrap().groups.insert(user.clone(), groups);
    }

    /// Takes in a group that nobody needs to be in.
    pub(crate) fn put_group(&self, group: &str) {
        self.state.lock().unwrap().empty_groups.insert(GroupId::parse(group).unwrap());
    }

    /// Takes the user into the group, beside those that he is in.
    pub(crate) fn join(&self, user: &UserId, group: &GroupId) {
        self.state.lock().unwrap().groups.entry(user.clone()).or_default().insert(group.clone());
    }

    /// From now on every call takes that long.
    pub(crate) fn take_time(&self, latency: Duration) {
        self.state.lock().unwrap().latency = latency;
    }

    /// From now on every call fails like that, or none does.
    pub(crate) fn fail_all(&self, with: Option<DirectoryError>) {
        self.state.lock().unwrap().failing = with;
    }

    /// Answers questions for this id with that user, as a directory that compares loosely does.
    pub(crate) fn answer_for(&self, id: &str, user: User) {
        self.state.lock().unwrap().instead.insert(id.to_owned(), user);
    }

    /// Sets which entity a user belongs to.
    pub(crate) fn set_entity(&self, user: &UserId, entity: Option<Entity>) {
        let entities = &mut self.state.lock().unwrap().entities;
        match entity {
            Some(entity) => entities.insert(user.clone(), entity),
            None => entities.remove(user),
        };
    }

    /// From now on users change between these two types.
    pub(crate) fn switch_kinds(&self, ordinary: &str, delegator: &str) {
        self.state.lock().unwrap().kinds = Some([ordinary.to_owned(), delegator.to_owned()]);
    }

    /// The next question about a user fails.
    pub(crate) fn fail_next(&self) {
        self.next(Op::User, Act::Fail(DirectoryError::Unavailable("the test says so".to_owned())));
    }

    /// Sets whether a grant stands, without a call.
    pub(crate) fn set_grant(&self, delegator: &UserId, agent: &UserId, stands: bool) {
        let pair = (delegator.clone(), agent.clone());
        let grants = &mut self.state.lock().unwrap().grants;
        if stands {
            grants.insert(pair)
        } else {
            grants.remove(&pair)
        };
    }

    /// From now on lists tell of the grants of now, whatever changes: as those of a directory whose index comes late.
    pub(crate) fn freeze_lists(&self) {
        let mut state = self.state.lock().unwrap();
        state.old_lists = Some(state.grants.clone());
    }

    /// What the next call of `op` that has no act yet does.
    pub(crate) fn next(&self, op: Op, act: Act) {
        self.state.lock().unwrap().script.entry(op).or_default().push_back(act);
    }

    /// Makes the next call of `op` hang, until the gate is opened (`notify_one`).
    pub(crate) fn hang(&self, op: Op) -> Arc<Notify> {
        let gate = Arc::new(Notify::new());
        self.next(op, Act::Hang(Arc::clone(&gate)));
        gate
    }

    /// How many calls of `op` came.
    pub(crate) fn calls(&self, op: Op) -> usize {
        self.calls.borrow().get(&op).copied().unwrap_or(0)
    }

    /// How many calls of `op` were given up while they hung.
    pub(crate) fn dropped(&self, op: Op) -> usize {
        self.state.lock().unwrap().dropped.get(&op).copied().unwrap_or(0)
    }

    /// Waits until the `n`th call of `op` has come.
    pub(crate) async fn called(&self, op: Op, n: usize) {
        let mut calls = self.calls.subscribe();
        calls.wait_for(|calls| calls.get(&op).is_some_and(|c| *c >= n)).await.unwrap();
    }

    async fn answer<T>(&self, op: Op, plain: impl FnOnce(&mut State) -> T) -> Result<T, DirectoryError> {
        self.calls.send_modify(|calls| *calls.entry(op).or_default() += 1);
        let latency = self.state.lock().unwrap().latency;
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        let (answer, gate) = {
            let mut state = self.state.lock().unwrap();
            if let Some(error) = &state.failing {
                return Err(error.clone());
            }
            match state.script.get_mut(&op).and_then(VecDeque::pop_front) {
                None => return Ok(plain(&mut state)),
                Some(Act::Fail(error)) => return Err(error),
                Some(Act::Hang(gate)) => (plain(&mut state), gate),
                Some(Act::Panic) => {
                    drop(state);
                    panic!("the test wants a panic");
                }
            }
        };
        let hanging = Hanging { fake: self, op, delivered: false };
        gate.notified().await;
        hanging.deliver();
        Ok(answer)
    }
}

/// Counts a call that is dropped while it hangs.
struct Hanging<'a> {
    fake: &'a FakeDirectory,
    op: Op,
    delivered: bool,
}

impl Hanging<'_> {
    fn deliver(mut self) {
        self.delivered = true;
    }
}

impl Drop for Hanging<'_> {
    fn drop(&mut self) {
        if !self.delivered {
            *self.fake.state.lock().unwrap().dropped.entry(self.op).or_default() += 1;
        }
    }
}

fn written(changed: bool) -> Written {
    if changed { Written::Changed } else { Written::Already }
}

impl State {
    fn find(&self, who: &UserRef) -> Option<User> {
        let by_id =
            |id: &str| self.instead.get(id).or_else(|| self.users.iter().find(|u| u.id.as_str() == id)).cloned();
        let by_login = |login: &Login| self.users.iter().find(|u| u.login == *login).cloned();
        match who {
            UserRef::Id(id) => by_id(id.as_str()),
            UserRef::Login(login) => by_login(login),
            UserRef::Either(text) => by_id(text.as_str()).or_else(|| by_login(text)),
        }
    }

    fn groups_of(&self, user: &UserId) -> Result<BTreeSet<GroupId>, DirectoryError> {
        self.find(&UserRef::Id(user.clone())).ok_or(DirectoryError::NoSuchUser)?;
        Ok(self.groups.get(user).cloned().unwrap_or_default())
    }

    fn members_of(&self, group: &GroupId, limit: usize) -> Option<Members> {
        let is_in = |id: &UserId| self.groups.get(id).is_some_and(|groups| groups.contains(group));
        let there = self.empty_groups.contains(group) || self.groups.keys().any(is_in);
        let members = self.users.iter().map(|user| user.id.clone()).filter(is_in);
        there.then(|| Members::first(limit, members))
    }

    fn switch(&mut self, user: &UserId, can: bool) -> Option<Written> {
        let kind = self.kinds.as_ref().map(|kinds| kinds[usize::from(can)].clone())?;
        let user = self.users.iter_mut().find(|u| u.id == *user)?;
        let changes = user.user_type.as_ref() != Some(&kind);
        user.user_type = Some(kind);
        Some(written(changes))
    }

    fn agents_of(&self, delegator: &UserId) -> Vec<UserId> {
        self.listed().iter().filter(|(d, _)| d == delegator).map(|(_, a)| a.clone()).collect()
    }

    fn delegators_of(&self, agent: &UserId) -> Vec<UserId> {
        self.listed().iter().filter(|(_, a)| a == agent).map(|(d, _)| d.clone()).collect()
    }
}

#[async_trait]
impl Directory for FakeDirectory {
    async fn user(&self, who: &UserRef) -> Result<Option<User>, DirectoryError> {
        self.answer(Op::User, |s| s.find(who)).await
    }

    async fn groups_of(&self, user: &UserId) -> Result<BTreeSet<GroupId>, DirectoryError> {
        self.answer(Op::GroupsOf, |s| s.groups_of(user)).await?
    }

    async fn members_of(&self, group: &GroupId, limit: usize) -> Result<Option<Members>, DirectoryError> {
        self.answer(Op::MembersOf, |s| s.members_of(group, limit)).await
    }

    async fn is_granted(&self, delegator: &UserId, agent: &UserId) -> Result<bool, DirectoryError> {
        self.answer(Op::IsGranted, |s| s.grants.contains(&(delegator.clone(), agent.clone()))).await
    }

    async fn agents_of(&self, delegator: &UserId) -> Result<Vec<UserId>, DirectoryError> {
        self.answer(Op::AgentsOf, |s| s.agents_of(delegator)).await
    }

    async fn delegators_of(&self, agent: &UserId) -> Result<Vec<UserId>, DirectoryError> {
        self.answer(Op::DelegatorsOf, |s| s.delegators_of(agent)).await
    }

    async fn add_grant(&self, delegator: &UserId, agent: &UserId) -> Result<Written, DirectoryError> {
        self.answer(Op::AddGrant, |s| written(s.grants.insert((delegator.clone(), agent.clone())))).await
    }

    async fn remove_grant(&self, delegator: &UserId, agent: &UserId) -> Result<Written, DirectoryError> {
        self.answer(Op::RemoveGrant, |s| written(s.grants.remove(&(delegator.clone(), agent.clone())))).await
    }

    async fn set_delegatable(&self, user: &UserId, can: bool) -> Result<Option<Written>, DirectoryError> {
        self.answer(Op::SetDelegatable, |s| s.switch(user, can)).await
    }

    async fn entity_of(&self, user: &UserId) -> Result<Option<Entity>, DirectoryError> {
        self.answer(Op::EntityOf, |s| s.entities.get(user).cloned()).await
    }
}

#[async_trait]
impl Entries for FakeDirectory {
    async fn entry(&self, who: &UserRef) -> Result<Option<Entry>, DirectoryError> {
        let find = |s: &mut State| s.find(who).map(|user| Entry { agents: s.agents_of(&user.id), user });
        self.answer(Op::Entry, find).await
    }

    async fn groups_of(&self, user: &UserId) -> Result<BTreeSet<GroupId>, DirectoryError> {
        Directory::groups_of(self, user).await
    }

    async fn members_of(&self, group: &GroupId, limit: usize) -> Result<Option<Members>, DirectoryError> {
        Directory::members_of(self, group, limit).await
    }

    async fn candidates(&self, agent: &UserId) -> Result<Vec<UserId>, DirectoryError> {
        self.delegators_of(agent).await
    }

    async fn add(&self, delegator: &UserId, agent: &UserId) -> Result<Written, DirectoryError> {
        if self.state.lock().unwrap().find(&UserRef::Id(delegator.clone())).is_none() {
            return Err(DirectoryError::Rejected("no such user".into()));
        }
        self.add_grant(delegator, agent).await
    }

    async fn remove(&self, delegator: &UserId, agent: &UserId) -> Result<Written, DirectoryError> {
        self.remove_grant(delegator, agent).await
    }
}

/// A user with an id and a login.
pub(crate) fn user(id: &str, login: &str, status: Status) -> User {
    User {
        id: UserId::parse(id).unwrap(),
        login: Login::parse(login).unwrap(),
        status,
        user_type: None,
        profile: BTreeMap::new(),
    }
}
