//! Does the grant stand, now? Asked live at initiation and again at the hook.

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::{Context, People, Stage, TenantPolicy};
use crate::{
    domain::{
        ids::{GroupId, UserId, UserRef},
        reason::Reason,
        user::User,
    },
    ports::directory::{Delegator, Directory, DirectoryError},
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
            DirectoryError::Unavailable(_) | DirectoryError::Garbled(_) => Self::DirectoryUnavailable,
            DirectoryError::Rejected(_) => Self::DirectoryRejected,
            // The user was found, and then he wasn't.
            DirectoryError::NoSuchUser => Self::DirectoryMismatch,
            DirectoryError::Throttled { .. } => Self::DirectoryThrottled,
        }
    }
}

/// Delegator, agent, grant, and the groups that rules ask for, all at the same time.
async fn by_id(
    directory: &dyn Directory,
    policy: &TenantPolicy,
    delegator: &UserId,
    agent: &UserId,
) -> Result<People, Reason> {
    let (delegator_ref, agent_ref) = (UserRef::Id(delegator.clone()), UserRef::Id(agent.clone()));
    let (found_delegator, found_agent, delegator_groups, agent_groups) = tokio::join!(
        directory.delegator(&delegator_ref, agent),
        directory.user(&agent_ref),
        groups_if(policy.names_delegator_groups(), directory, delegator),
        groups_if(policy.names_agent_groups(), directory, agent),
    );
    let (found, agent) = judge(policy, found_delegator?, found_agent?, agent)?;
    if &found.user.id != delegator {
        return Err(Reason::DirectoryMismatch);
    }
    let people =
        People { delegator: found.user, agent, delegator_groups: delegator_groups?, agent_groups: agent_groups? };
    if found.lists_agent { Ok(people) } else { Err(Reason::GrantGone) }
}

/// The same for a delegator whom the caller named by id or login.
pub async fn by_reference(
    directory: &dyn Directory,
    policy: &TenantPolicy,
    delegator: &UserRef,
    agent: &UserId,
) -> Result<People, Reason> {
    let agent_ref = UserRef::Id(agent.clone());
    let (found_delegator, found_agent) =
        tokio::join!(directory.delegator(delegator, agent), directory.user(&agent_ref));
    let (found, agent) = judge(policy, found_delegator?, found_agent?, agent)?;
    if !is_named(&found.user, delegator) {
        return Err(Reason::DirectoryMismatch);
    }
    if !found.lists_agent {
        return Err(Reason::GrantGone);
    }
    let (delegator_groups, agent_groups) = tokio::join!(
        groups_if(policy.names_delegator_groups(), directory, &found.user.id),
        groups_if(policy.names_agent_groups(), directory, &agent.id),
    );
    Ok(People { delegator: found.user, agent, delegator_groups: delegator_groups?, agent_groups: agent_groups? })
}

/// What no rule asks for isn't asked of the directory either.
async fn groups_if(
    wanted: bool,
    directory: &dyn Directory,
    user: &UserId,
) -> Result<BTreeSet<GroupId>, DirectoryError> {
    if wanted { directory.groups_of(user).await } else { Ok(BTreeSet::new()) }
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
    delegator: Option<Delegator>,
    agent: Option<User>,
    asked: &UserId,
) -> Result<(Delegator, User), Reason> {
    let agent = agent.ok_or(Reason::AgentUnknown)?;
    if &agent.id != asked {
        return Err(Reason::DirectoryMismatch);
    }
    if !agent.is_active() {
        return Err(Reason::AgentInactive);
    }
    let delegator = delegator.ok_or(Reason::DelegatorUnknown)?;
    let user = &delegator.user;
    if user.id == agent.id {
        return Err(Reason::SelfDelegation);
    }
    if !user.is_active() {
        return Err(Reason::DelegatorInactive);
    }
    if !policy.is_delegatable(user) {
        return Err(Reason::DelegatorNotDelegatable);
    }
    Ok((delegator, agent))
}
