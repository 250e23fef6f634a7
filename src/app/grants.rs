//! Grants: who may act for whom. They live in the directory; this is the delegator's and the agent's view of them.

use futures_util::{StreamExt, TryStreamExt, stream};

use super::{Services, Tenant, caller::Caller, error::AppError};
use crate::{
    domain::{
        audit::{Actor, Code},
        ids::{UserId, UserRef},
        reason::Reason,
        user::User,
    },
    policy::grant::is_named,
    ports::directory::{Directory, DirectoryError, Written},
};

/// Look-ups of one list that run at the same time.
const AT_ONCE: usize = 8;
/// A list is cut here. The embedded directory takes no more agents than that, so nobody hides behind the end.
const MOST: usize = 1000;

/// One of a delegator's agents.
#[derive(Debug, Clone)]
pub enum Agent {
    /// The directory knows him.
    Known(Box<User>),
    /// The directory doesn't know this id any more; the entry can be removed.
    Gone(UserId),
}

/// The agents whom `delegator` lists. Deleted ones don't break the list.
pub async fn agents(tenant: &Tenant, delegator: &UserId) -> Result<Vec<Agent>, AppError> {
    let ids = tenant.directory.agents_of(delegator).await?;
    let look_up = |id: UserId| async move {
        let found = tenant.directory.user(&UserRef::Id(id.clone())).await?;
        Ok::<_, DirectoryError>(match found.filter(|user| user.id == id) {
            Some(user) => Agent::Known(Box::new(user)),
            None => Agent::Gone(id),
        })
    };
    let found: Vec<_> = stream::iter(ids.into_iter().take(MOST)).map(look_up).buffered(AT_ONCE).try_collect().await?;
    Ok(found)
}

/// The users for whom `agent` may act now. The directory's hits are candidates only: each is read again by id and
/// asked for the grant.
pub async fn delegators(tenant: &Tenant, agent: &UserId) -> Result<Vec<User>, AppError> {
    let candidates = tenant.directory.delegators_of(agent).await?;
    let look_up = |id: UserId| async move {
        let by_id = UserRef::Id(id.clone());
        let (user, granted) = tokio::join!(tenant.directory.user(&by_id), tenant.directory.is_granted(&id, agent));
        let user = user?.filter(|u| u.id == id && u.is_active() && tenant.policy.is_delegatable(u) && &u.id != agent);
        Ok::<_, DirectoryError>(if granted? { user } else { None })
    };
    let found: Vec<Option<User>> =
        stream::iter(candidates.into_iter().take(MOST)).map(look_up).buffered(AT_ONCE).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
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
    let written = change.make(Code::GrantAdded).await?;
    Ok((user, written))
}

/// An account that can't be a delegator gets no agents: the grant would wait, and nobody would see why.
pub async fn must_be_delegatable(tenant: &Tenant, caller: &Caller) -> Result<(), AppError> {
    let me = find_user(&*tenant.directory, &UserRef::Id(caller.user.clone())).await?;
    let can = me.is_some_and(|me| me.is_active() && tenant.policy.is_delegatable(&me));
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
    let Some(agent) = listed(tenant, delegator, agent).await? else {
        // Nobody of that name acts for the delegator. Of an id that is certain; a login may have changed hands, and
        // whoever had it may act still: so it must not be answered with "done".
        let found = find_user(&*tenant.directory, agent).await?;
        return match found.filter(|user| user.id.as_str() == text_of(agent)) {
            Some(_) => Ok(Written::Already),
            None => Err(AppError::NotFound("agent")),
        };
    };
    GrantChange { services, tenant, caller, delegator, agent: &agent }.make(Code::GrantRemoved).await
}

/// Ends all grants of the caller.
pub async fn remove_all(services: &Services, tenant: &Tenant, caller: &Caller) -> Result<(), AppError> {
    for agent in tenant.directory.agents_of(&caller.user).await? {
        let change = GrantChange { services, tenant, caller, delegator: &caller.user, agent: &agent };
        change.make(Code::GrantRemoved).await?;
    }
    Ok(())
}

/// The user whom the reference names, exactly.
pub async fn find_user(directory: &dyn Directory, who: &UserRef) -> Result<Option<User>, AppError> {
    Ok(directory.user(who).await?.filter(|user| is_named(user, who)))
}

/// The agent of the delegator's list whom the text names: by his id, which counts first, or else by the login that he
/// has now. Whoever isn't on the list isn't looked at.
async fn listed(tenant: &Tenant, delegator: &UserId, agent: &UserRef) -> Result<Option<UserId>, AppError> {
    let text = text_of(agent);
    let ids = tenant.directory.agents_of(delegator).await?;
    if let Some(id) = ids.iter().find(|id| id.as_str() == text) {
        return Ok(Some(id.clone()));
    }
    let known = agents(tenant, delegator).await?;
    Ok(known.into_iter().find_map(|agent| match agent {
        Agent::Known(user) if user.login.as_str() == text => Some(user.id),
        _ => None,
    }))
}

fn text_of(user: &UserRef) -> &str {
    match user {
        UserRef::Id(id) => id.as_str(),
        UserRef::Login(login) | UserRef::Either(login) => login.as_str(),
    }
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
    async fn make(&self, code: Code) -> Result<Written, AppError> {
        let verb = if code == Code::GrantAdded { "add" } else { "remove" };
        if self.tell(Code::GrantRequested, verb, None).await.is_none() {
            return Err(AppError::from_reason(Reason::StoreUnavailable));
        }
        let directory = &self.tenant.directory;
        let done = match code {
            Code::GrantAdded => directory.add_grant(self.delegator, self.agent).await,
            _ => directory.remove_grant(self.delegator, self.agent).await,
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
                let mut actor = Actor::user_id(self.caller.user.as_str());
                if self.delegator != &self.caller.user {
                    "administrator".clone_into(&mut actor.kind);
                }
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
