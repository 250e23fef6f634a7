//! "Why may she, and why may he not?" Runs the decision dry, for administrators. Consumes nothing, writes nothing.

use std::collections::BTreeSet;

use super::{Services, Tenant, caller::Caller, error::AppError, grants::find_user, records};
use crate::{
    domain::{
        ids::{ClientId, TenantName, UserRef},
        lock::Lock,
        reason::Reason,
        user::User,
    },
    policy::{
        Pipeline, TenantPolicy,
        dry::{self, Answer, At},
    },
    ports::{directory::Directory, store::Store},
};

/// Who, for whom, through what, and when.
#[derive(Debug, Clone)]
pub struct Question {
    /// Who would act.
    pub agent: UserRef,
    /// On whose behalf.
    pub delegator: UserRef,
    /// Through which client.
    pub client: ClientId,
    /// The scopes that would be asked for.
    pub scopes: BTreeSet<String>,
    /// When.
    pub at: At,
}

/// Where the answer is looked for.
pub struct House<'a> {
    /// Locks.
    pub store: &'a dyn Store,
    /// Users and grants.
    pub directory: &'a dyn Directory,
    /// The stages.
    pub pipeline: &'a Pipeline,
    /// Whose.
    pub tenant: &'a TenantName,
    /// What it demands.
    pub policy: &'a TenantPolicy,
}

/// The answer, and the users as the directory knows them.
#[derive(Debug)]
pub struct Explanation {
    /// What was asked.
    pub question: Question,
    /// Who would act; `None`: the directory doesn't know him.
    pub agent: Option<User>,
    /// On whose behalf; `None`: the directory doesn't know him.
    pub delegator: Option<User>,
    /// What would be decided, and why.
    pub answer: Answer,
}

/// Explains to an administrator. Whom the directory doesn't know is told plainly.
pub async fn explain(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    question: Question,
) -> Result<Explanation, AppError> {
    if !caller.administrator {
        return Err(services.denied(tenant, caller, "policy.explain", question.delegator.as_str()).await);
    }
    let policy = tenant.policy.now();
    let house = House {
        store: &*services.store,
        directory: &*tenant.directory,
        pipeline: &services.pipeline,
        tenant: &tenant.name,
        policy: &policy,
    };
    house.explain(question).await
}

impl House<'_> {
    /// Asks directory and store, and runs the stages. An error: nothing can be told.
    pub async fn explain(&self, question: Question) -> Result<Explanation, AppError> {
        let (agent, delegator) =
            tokio::join!(find_user(self.directory, &question.agent), find_user(self.directory, &question.delegator));
        let (agent, delegator) = (agent?, delegator?);
        let answer = match (&agent, &delegator) {
            (None, _) => Answer::refused_by("grant", Reason::AgentUnknown),
            (_, None) => Answer::refused_by("grant", Reason::DelegatorUnknown),
            (Some(agent), Some(delegator)) => {
                let is = dry::Question {
                    policy: self.policy,
                    directory: self.directory,
                    agent: &agent.id,
                    delegator: &delegator.id,
                    client: &question.client,
                    scopes: &question.scopes,
                    locks: &self.locks([agent, delegator]).await?,
                    brought: None,
                    at: question.at,
                };
                dry::run(self.pipeline, &is).await
            }
        };
        Ok(Explanation { question, agent, delegator, answer })
    }

    async fn locks(&self, users: [&User; 2]) -> Result<Vec<Lock>, AppError> {
        let keys = users.map(|user| records::lock_key(&user.id));
        let snapshot = self.store.read(self.tenant, &keys).await?;
        let mut locks = Vec::new();
        for key in &keys {
            locks.extend(records::find::<Lock>(&snapshot, key)?.map(|(lock, _)| lock));
        }
        Ok(locks)
    }
}
