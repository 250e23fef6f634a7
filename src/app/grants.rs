//! Grants: who may act for whom. They live in the directory; this is the delegator's and the agent's view of them.

use std::{pin::pin, sync::Arc};

use futures_util::{StreamExt, TryStreamExt, stream};

use super::{Services, Tenant, caller::Caller, error::AppError};
use crate::{
    domain::{
        audit::{Actor, Code},
        delegation::Party,
        ids::{Login, UserId, UserRef},
        reason::Reason,
        user::User,
    },
    policy::grant::is_named,
    ports::{
        directory::{Directory, DirectoryError, Written},
        shown::{ShownAgent, ShownGrants, ShownUser},
    },
};

/// Look-ups of one list that run at the same time.
const AT_ONCE: usize = 8;

/// The agents whom `delegator` lists, to be shown to him.
pub async fn agents(tenant: &Tenant, delegator: &UserId) -> Result<Vec<ShownAgent>, AppError> {
    Ok(tenant.shown.agents(delegator).await?)
}

/// The users for whom `agent` may act, to be shown to him.
pub async fn delegators(tenant: &Tenant, agent: &UserId) -> Result<Vec<Arc<ShownUser>>, AppError> {
    let policy = tenant.policy.now();
    let is_one = |user: &Arc<ShownUser>| {
        user.active && user.id != *agent && policy.is_delegatable_type(user.user_type.as_deref())
    };
    Ok(tenant.shown.delegators(agent).await?.into_iter().filter(is_one).collect())
}

/// Lets the agent act for the caller. Telling of it comes first: a grant that can't be audited isn't made.
pub async fn add(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    agent: &UserRef,
) -> Result<(User, Written), AppError> {
    let found = find_user(&*tenant.directory, agent).await?;
    let Some(user) = found.filter(User::is_active) else { return Err(AppError::NotFound("agent")) };
    if user.id == caller.user {
        return Err(AppError::Invalid { field: "agent", problem: "is yourself".to_owned() });
    }
    must_be_delegatable(tenant, caller).await?;
    let change = GrantChange { services, tenant, caller, delegator: &caller.user, agent: &user.id };
    let written = change.make(Act::Add).await?;
    Ok((user, written))
}

/// An account that can't be a delegator gets no agents: the grant would wait, and nobody would see why.
pub async fn must_be_delegatable(tenant: &Tenant, caller: &Caller) -> Result<(), AppError> {
    let me = find_user(&*tenant.directory, &UserRef::Id(caller.user.clone())).await?;
    let can = me.is_some_and(|me| me.is_active() && tenant.policy.now().is_delegatable(&me));
    if can { Ok(()) } else { Err(AppError::CannotDelegate) }
}

/// Ends the grant of an agent, who may be gone from the directory already. `delegator` is the caller himself, or,
/// for an administrator, anybody.
pub async fn remove(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    delegator: &UserId,
    agent: &UserRef,
) -> Result<Written, AppError> {
    if delegator != &caller.user && !caller.administrator {
        return Err(services.denied(tenant, caller, "grant.remove", delegator.as_str()).await);
    }
    let end = async |agent: &UserId| GrantChange { services, tenant, caller, delegator, agent }.make(Act::Remove).await;
    let by_id = named_by_id(tenant, delegator, agent).await?;
    if let Some(id) = &by_id
        && end(id).await? == Written::Changed
    {
        return Ok(Written::Changed);
    }
    match (listed_login(tenant, delegator, agent).await?, by_id) {
        (Some(id), _) => end(&id).await,
        (None, Some(_)) => Ok(Written::Already),
        // A login that no agent has may have changed hands, and whoever had it may act still: so it must not be
        // answered with "done".
        (None, None) => Err(AppError::NotFound("agent")),
    }
}

/// Ends all grants of the caller.
async fn remove_all(services: &Services, tenant: &Tenant, caller: &Caller) -> Result<(), AppError> {
    for agent in tenant.directory.agents_of(&caller.user).await? {
        let change = GrantChange { services, tenant, caller, delegator: &caller.user, agent: &agent };
        change.make(Act::Remove).await?;
    }
    Ok(())
}

/// Makes the caller one who can be a delegator, where that takes a change in the directory.
pub async fn activate(services: &Services, tenant: &Tenant, caller: &Caller) -> Result<(), AppError> {
    let me = find_user(&*tenant.directory, &UserRef::Id(caller.user.clone())).await?;
    let Some(me) = me.filter(User::is_active) else { return Err(AppError::CannotDelegate) };
    if tenant.policy.now().is_delegatable(&me) {
        return Ok(());
    }
    match switch(services, tenant, caller, true).await? {
        Some(_) => Ok(()),
        None => Err(AppError::CannotDelegate),
    }
}

/// Ends all grants of the caller, and makes him one who can't be a delegator where that takes a change in the directory.
pub async fn deactivate(services: &Services, tenant: &Tenant, caller: &Caller) -> Result<(), AppError> {
    remove_all(services, tenant, caller).await?;
    if tenant.policy.now().delegatable_type.is_none() {
        return Ok(());
    }
    let me = find_user(&*tenant.directory, &UserRef::Id(caller.user.clone())).await?;
    if me.is_some_and(|me| tenant.policy.now().is_delegatable(&me)) {
        switch(services, tenant, caller, false).await?;
    }
    Ok(())
}

/// Asks the directory for it, between two events: what was intended, and what came of it.
async fn switch(services: &Services, tenant: &Tenant, caller: &Caller, can: bool) -> Result<Option<Written>, AppError> {
    let (verb, code) =
        if can { ("activate", Code::DelegatorActivated) } else { ("deactivate", Code::DelegatorDeactivated) };
    let tell = async |code: Code, failed: Option<&str>| {
        let event = |now| {
            let event = services.event(&tenant.name, code, Actor::user_id(caller.user.as_str()), now);
            let event = event.in_request(caller.request.as_deref()).on("delegator", &caller.user);
            let event = event.detail("operation", verb);
            failed.map_or(event.clone(), |reason| event.failed_with(reason))
        };
        services.record(tenant, event).await
    };
    if tell(Code::DelegatorRequested, None).await.is_none() {
        return Err(Reason::StoreUnavailable.into());
    }
    let done = tenant.directory.set_delegatable(&caller.user, can).await;
    match &done {
        Ok(Some(Written::Changed)) => tell(code, None).await,
        Ok(Some(Written::Already)) => None,
        Ok(None) => tell(Code::DelegatorFailed, Some("no-switch")).await,
        Err(error) => tell(Code::DelegatorFailed, Some(Reason::from(error.clone()).code())).await,
    };
    Ok(done?)
}

/// The user whom the reference names, exactly.
pub async fn find_user(directory: &dyn Directory, who: &UserRef) -> Result<Option<User>, AppError> {
    Ok(directory.user(who).await?.filter(|user| is_named(user, who)))
}

/// The caller as records and events name him; an administrator may be unknown to the tenant's directory.
pub async fn party_of(tenant: &Tenant, caller: &Caller) -> Result<Party, AppError> {
    if let Some(user) = find_user(&*tenant.directory, &UserRef::Id(caller.user.clone())).await? {
        return Ok(Party::of(&user));
    }
    let login = Login::parse(caller.user.as_str()).map_err(|_| AppError::NotFound("user"))?;
    Ok(Party { id: caller.user.clone(), login })
}

/// The id that the text is: a user's, or that of an agent whom the directory doesn't know any more. No list is asked:
/// it may not show yet what was granted elsewhere a moment ago.
async fn named_by_id(tenant: &Tenant, delegator: &UserId, agent: &UserRef) -> Result<Option<UserId>, AppError> {
    let id = match agent {
        UserRef::Id(id) => Some(id.clone()),
        UserRef::Either(text) => UserId::parse(text.as_str()).ok(),
        UserRef::Login(_) => None,
    };
    let Some(id) = id else { return Ok(None) };
    let is_user = find_user(&*tenant.directory, &UserRef::Id(id.clone())).await?.is_some();
    Ok((is_user || tenant.directory.is_granted(delegator, &id).await?).then_some(id))
}

/// The agent of the delegator's list who has that login now. Whoever isn't on the list isn't looked at.
async fn listed_login(tenant: &Tenant, delegator: &UserId, agent: &UserRef) -> Result<Option<UserId>, AppError> {
    let (UserRef::Login(login) | UserRef::Either(login)) = agent else { return Ok(None) };
    let ids = tenant.directory.agents_of(delegator).await?;
    let look_up = |id: UserId| async move {
        let found = tenant.directory.user(&UserRef::Id(id.clone())).await?;
        Ok::<_, DirectoryError>(found.filter(|user| user.id == id && user.login == *login).map(|user| user.id))
    };
    let mut answers = pin!(stream::iter(ids).map(look_up).buffered(AT_ONCE));
    while let Some(found) = answers.try_next().await? {
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

#[derive(Clone, Copy)]
enum Act {
    Add,
    Remove,
}

struct GrantChange<'a> {
    services: &'a Services,
    tenant: &'a Tenant,
    caller: &'a Caller,
    delegator: &'a UserId,
    agent: &'a UserId,
}

impl GrantChange<'_> {
    /// Asks the directory for it, between two events: what was intended, and what came of it.
    async fn make(&self, act: Act) -> Result<Written, AppError> {
        let (verb, code) = match act {
            Act::Add => ("add", Code::GrantAdded),
            Act::Remove => ("remove", Code::GrantRemoved),
        };
        if self.tell(Code::GrantRequested, verb, None).await.is_none() {
            return Err(Reason::StoreUnavailable.into());
        }
        let directory = &self.tenant.directory;
        let _changed = Changed { shown: &*self.tenant.shown, delegator: self.delegator, agent: self.agent };
        let done = match act {
            Act::Add => directory.add_grant(self.delegator, self.agent).await,
            Act::Remove => directory.remove_grant(self.delegator, self.agent).await,
        };
        match done {
            Ok(Written::Changed) => self.tell(code, verb, None).await,
            Ok(Written::Already) => None,
            Err(error) => {
                self.tell(Code::GrantFailed, verb, Some(Reason::from(error.clone()))).await;
                return Err(error.into());
            }
        };
        Ok(done?)
    }

    async fn tell(&self, code: Code, verb: &str, failed: Option<Reason>) -> Option<String> {
        self.services
            .record(self.tenant, |now| {
                let caller = Actor::user_id(self.caller.user.as_str());
                let actor = if self.delegator == &self.caller.user { caller } else { caller.as_administrator() };
                let event = self
                    .services
                    .event(&self.tenant.name, code, actor, now)
                    .in_request(self.caller.request.as_deref())
                    .on("delegator", self.delegator)
                    .on("agent", self.agent)
                    .detail("operation", verb);
                failed.map_or(event.clone(), |reason| event.failed(reason))
            })
            .await
    }
}

/// Makes lists forget the grant, however the attempt to change it ends: one that was given up may have been made.
struct Changed<'a> {
    shown: &'a dyn ShownGrants,
    delegator: &'a UserId,
    agent: &'a UserId,
}

impl Drop for Changed<'_> {
    fn drop(&mut self) {
        self.shown.forget(self.delegator, self.agent);
    }
}
