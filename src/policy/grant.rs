//! Does the grant stand, now? Asked live at initiation and again at the hook.

use async_trait::async_trait;

use super::{Context, People, Stage, TenantPolicy};
use crate::{
    domain::{
        ids::{UserId, UserRef},
        reason::Reason,
        user::User,
    },
    ports::directory::{Directory, DirectoryError},
};

/// The first stage, always.
pub struct GrantStage;

#[async_trait]
impl Stage for GrantStage {
    fn name(&self) -> &'static str {
        "grant"
    }

    async fn evaluate(&self, context: &mut Context<'_>) -> Result<(), Reason> {
        let people = by_id(context.directory, context.policy, context.delegator, context.agent).await?;
        context.people = Some(people);
        Ok(())
    }
}

impl From<DirectoryError> for Reason {
    fn from(error: DirectoryError) -> Self {
        match error {
            DirectoryError::Unavailable(_) => Self::DirectoryUnavailable,
            DirectoryError::Rejected(_) => Self::DirectoryRejected,
            DirectoryError::Throttled { .. } => Self::DirectoryThrottled,
        }
    }
}

/// Delegator, agent and grant, asked at the same time.
async fn by_id(
    directory: &dyn Directory,
    policy: &TenantPolicy,
    delegator: &UserId,
    agent: &UserId,
) -> Result<People, Reason> {
    let (delegator_ref, agent_ref) = (UserRef::Id(delegator.clone()), UserRef::Id(agent.clone()));
    let (found_delegator, found_agent, granted) = tokio::join!(
        directory.user(&delegator_ref),
        directory.user(&agent_ref),
        directory.is_granted(delegator, agent),
    );
    let people = judge(policy, found_delegator?, found_agent?, agent)?;
    if &people.delegator.id != delegator {
        return Err(Reason::DirectoryMismatch);
    }
    if granted? { Ok(people) } else { Err(Reason::GrantGone) }
}

/// The same for a delegator whom the caller named by id or login.
pub async fn by_reference(
    directory: &dyn Directory,
    policy: &TenantPolicy,
    delegator: &UserRef,
    agent: &UserId,
) -> Result<People, Reason> {
    let agent_ref = UserRef::Id(agent.clone());
    let (found_delegator, found_agent) = tokio::join!(directory.user(delegator), directory.user(&agent_ref));
    let people = judge(policy, found_delegator?, found_agent?, agent)?;
    if !is_named(&people.delegator, delegator) {
        return Err(Reason::DirectoryMismatch);
    }
    let granted = directory.is_granted(&people.delegator.id, agent).await?;
    if granted { Ok(people) } else { Err(Reason::GrantGone) }
}

/// A directory that compares loosely must not decide for us: the answer has to be the one asked for, exactly.
pub fn is_named(user: &User, by: &UserRef) -> bool {
    match by {
        UserRef::Id(id) => &user.id == id,
        UserRef::Login(login) => &user.login == login,
        UserRef::Either(text) => user.id.as_str() == text.as_str() || &user.login == text,
    }
}

fn judge(
    policy: &TenantPolicy,
    delegator: Option<User>,
    agent: Option<User>,
    asked: &UserId,
) -> Result<People, Reason> {
    let agent = agent.ok_or(Reason::AgentUnknown)?;
    if &agent.id != asked {
        return Err(Reason::DirectoryMismatch);
    }
    if !agent.is_active() {
        return Err(Reason::AgentInactive);
    }
    let delegator = delegator.ok_or(Reason::DelegatorUnknown)?;
    if delegator.id == agent.id {
        return Err(Reason::SelfDelegation);
    }
    if !delegator.is_active() {
        return Err(Reason::DelegatorInactive);
    }
    if !policy.is_delegatable(&delegator) {
        return Err(Reason::DelegatorNotDelegatable);
    }
    Ok(People { delegator, agent })
}
