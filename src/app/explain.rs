//! "Why may she, and why may he not?" Runs the decision dry, for administrators. Consumes nothing, writes nothing.

use std::collections::BTreeSet;

use super::{
    Services, Tenant,
    approvals::outlook::{self, Matter, Outlook},
    caller::Caller,
    epoch,
    error::AppError,
    grants::find_user,
    records,
};
use crate::{
    domain::{
        ids::{ClientId, TenantName, UserRef},
        lock::Lock,
        reason::Reason,
        reservation::Slot,
        rule::Rule,
        shared_account::SharedAccounts,
        user::User,
    },
    policy::{
        Pipeline, TenantPolicy,
        dry::{self, Answer, At, Decision},
        shared_account,
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
    /// Locks, reservations, approvals.
    pub store: &'a dyn Store,
    /// Users and grants.
    pub directory: &'a dyn Directory,
    /// The stages.
    pub pipeline: &'a Pipeline,
    /// Whose.
    pub tenant: &'a TenantName,
    /// What it demands.
    pub policy: &'a TenantPolicy,
    /// Accounts that are used by reservation.
    pub shared: &'a SharedAccounts,
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
    /// What there is of the approval that the rule asks for; `None`: it asks for none, or nobody came to a rule.
    pub approval: Option<Outlook>,
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
        shared: &tenant.shared,
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
                let answer = dry::run(self.pipeline, &is).await;
                self.with_reservation(answer, agent, delegator).await?
            }
        };
        let approval = match (&agent, &delegator, &answer.rule) {
            (Some(agent), Some(delegator), Some(rule)) => self.outlook(&question, agent, delegator, rule).await?,
            _ => None,
        };
        Ok(Explanation { question, agent, delegator, answer, approval })
    }

    async fn outlook(
        &self,
        question: &Question,
        agent: &User,
        delegator: &User,
        rule: &Rule,
    ) -> Result<Option<Outlook>, AppError> {
        let Some(template) = &rule.approval else { return Ok(None) };
        // As the initiation bounds them.
        let scopes = rule.allowed_of(&question.scopes);
        let (agent, delegator, client) = (&agent.id, &delegator.id, &question.client);
        let is = Matter { agent, delegator, client, scopes: &scopes, rule: &rule.name, template };
        outlook::outlook(self.store, self.tenant, is).await.map(Some)
    }

    /// What the initiation would say of the reservation that the rule asks for. Where an approval comes first, who holds
    /// the account now is told, and is no refusal: he may be done when it is decided.
    async fn with_reservation(&self, answer: Answer, agent: &User, account: &User) -> Result<Answer, AppError> {
        let Some(rule) = answer.rule.as_ref().filter(|rule| rule.reservation) else { return Ok(answer) };
        if answer.decision != Decision::Prepares {
            return Ok(answer);
        }
        let comes_later = rule.approval.is_some();
        let said = self.reservable(agent, account).await?;
        let can_wait = comes_later && said == Err(Reason::Reserved);
        Ok(answer.and_last("reservation", said, can_wait))
    }

    async fn reservable(&self, agent: &User, account: &User) -> Result<Result<(), Reason>, AppError> {
        let Some(shared) = self.shared.get(account.id.as_str()) else { return Ok(Err(Reason::ReservationMissing)) };
        let member = shared_account::member(self.directory, &agent.id).await;
        if let Err(reason) = member.and_then(|member| member.may_use(shared)) {
            return Ok(Err(reason));
        }
        let key = records::slot_of(&account.id);
        let snapshot = self.store.read(self.tenant, &[key, records::epoch_key()]).await?;
        // Before anything was ever written there is no epoch, and nothing held.
        let Some((slot, _)) = records::find::<Slot>(&snapshot, &key)? else { return Ok(Ok(())) };
        let (epoch, _) = epoch::of(&snapshot)?;
        let by_another = slot.held(epoch.number, snapshot.now).is_some_and(|held| held.holder.id != agent.id);
        Ok(if by_another { Err(Reason::Reserved) } else { Ok(()) })
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
