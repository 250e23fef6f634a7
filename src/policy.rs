//! The decision: stages in a fixed order, grant and lock first. The first refusal stops, every stage leaves a line.
//!
//! A new stage is one file here, one line in [`Pipeline::standard`], and its settings in `config/rules.rs`. [`dry`] runs
//! the same stages for people who want to know what would be decided.

pub mod approval;
pub mod dry;
pub mod grant;
pub mod lock;
pub mod reservation;
pub mod rules;
pub mod shared_account;
pub mod trial;

use std::{collections::BTreeSet, sync::Arc};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use jiff::Timestamp;

use crate::{
    domain::{
        approval::Approval,
        hook::{Fingerprint, TraceLine},
        ids::{ClientId, GroupId, UserId},
        lock::Lock,
        reason::Reason,
        reservation::Slot,
        rule::Rule,
        user::User,
    },
    ports::directory::Directory,
};

/// What a tenant demands of users and tokens.
#[derive(Debug, Clone, Default)]
pub struct TenantPolicy {
    /// Rules, in order.
    pub rules: Vec<Rule>,
    /// The user type that can be delegated; `None`: any.
    pub delegatable_type: Option<String>,
}

impl TenantPolicy {
    /// True if the user is of a type that can be delegated.
    pub fn is_delegatable(&self, user: &User) -> bool {
        self.is_delegatable_type(user.user_type.as_deref())
    }

    /// True if a rule asks in which groups the delegator is.
    pub fn names_delegator_groups(&self) -> bool {
        self.rules.iter().any(|rule| !rule.when.delegator_groups.is_empty())
    }

    /// True if a rule asks in which groups the agent is. Who holds a shared account must be in its group.
    pub fn names_agent_groups(&self) -> bool {
        self.rules.iter().any(|rule| rule.reservation || !rule.when.agent_groups.is_empty())
    }

    /// True if users of that type can be delegated.
    pub fn is_delegatable_type(&self, user_type: Option<&str>) -> bool {
        self.delegatable_type.is_none() || self.delegatable_type.as_deref() == user_type
    }
}

/// The policy in force. It may be replaced at any time; who decides takes it once and keeps to it.
pub struct InForce(ArcSwap<TenantPolicy>);

impl InForce {
    /// The policy of this moment.
    pub fn now(&self) -> Arc<TenantPolicy> {
        self.0.load_full()
    }

    /// Puts other rules in force, from the next decision on. All else remains.
    pub fn replace_rules(&self, rules: &[Rule]) {
        self.0.rcu(|policy| TenantPolicy { rules: rules.to_vec(), ..TenantPolicy::clone(policy) });
    }
}

impl From<TenantPolicy> for InForce {
    fn from(policy: TenantPolicy) -> Self {
        Self(ArcSwap::from_pointee(policy))
    }
}

/// Delegator and agent, as the directory told of them just now.
#[derive(Debug, Clone)]
pub struct People {
    /// On whose behalf.
    pub delegator: User,
    /// Who acts.
    pub agent: User,
    /// The delegator's groups, if a rule names any.
    pub delegator_groups: BTreeSet<GroupId>,
    /// The agent's.
    pub agent_groups: BTreeSet<GroupId>,
}

/// What a stage may see. Stages add what later ones need.
pub struct Context<'a> {
    /// The tenant's demands.
    pub policy: &'a TenantPolicy,
    /// The directory, live.
    pub directory: &'a dyn Directory,
    /// On whose behalf.
    pub delegator: &'a UserId,
    /// Who acts.
    pub agent: &'a UserId,
    /// Through which client.
    pub client: &'a ClientId,
    /// Scopes of the token.
    pub scopes: &'a BTreeSet<String>,
    /// Scopes that the delegation was bound to.
    pub bound_scopes: &'a BTreeSet<String>,
    /// Locks found on the two accounts. What isn't found here is expected absent by the commit.
    pub locks: &'a [Lock],
    /// What the delegation was initiated with; `None` where nobody acts upon the decision.
    pub brought: Option<Brought<'a>>,
    /// Set by `grant`.
    pub people: Option<People>,
    /// Set by `rules`.
    pub rule: Option<&'a Rule>,
    /// Set by `approval` and `reservation`.
    pub spent: Spent,
}

/// What a delegation was initiated with, and the moment of its use.
#[derive(Debug, Clone, Copy)]
pub struct Brought<'a> {
    /// The store's time of what was read.
    pub now: Timestamp,
    /// The store's present epoch.
    pub epoch: u64,
    /// Which delivery of which hook.
    pub delivery: &'a Fingerprint,
    /// The approval.
    pub approval: Option<&'a Approval>,
    /// The reservation of the delegator's account.
    pub reservation: Option<Hold<'a>>,
}

/// A reservation that a delegation was initiated with.
#[derive(Debug, Clone, Copy)]
pub struct Hold<'a> {
    /// The account's slot as it is now.
    pub slot: &'a Slot,
    /// Which of its reservations.
    pub generation: u64,
    /// Whose members may reserve the account; `None`: it isn't a shared account any more.
    pub group: Option<&'a GroupId>,
}

/// What a granted hook uses up, as it is afterwards: written in the commit that grants.
#[derive(Debug, Default)]
pub struct Spent {
    /// With one use less.
    pub approval: Option<Approval>,
    /// With its reservation consumed.
    pub reservation: Option<Slot>,
}

/// One step of the decision.
#[async_trait]
pub trait Stage: Send + Sync + 'static {
    /// Its name in traces and audit.
    fn name(&self) -> &'static str;

    /// False if the rule that applies doesn't ask for it: then it neither runs nor leaves a line.
    fn is_asked_for(&self, _: &Context<'_>) -> bool {
        true
    }

    /// Lets the delegation pass, or refuses it. Unknown is no.
    async fn evaluate(&self, context: &mut Context<'_>) -> Result<(), Reason>;
}

/// How a run ended.
#[derive(Debug)]
pub struct Verdict {
    /// A line for each stage that ran.
    pub trace: Vec<TraceLine>,
    /// The people concerned, or the first refusal.
    pub result: Result<People, Reason>,
}

/// The stages, in the code's order.
#[derive(Clone)]
pub struct Pipeline(Vec<Arc<dyn Stage>>);

impl Pipeline {
    /// The order in force.
    pub fn standard() -> Self {
        Self(vec![
            Arc::new(grant::GrantStage),
            Arc::new(lock::LockStage),
            Arc::new(rules::RuleStage),
            Arc::new(approval::ApprovalStage),
            Arc::new(reservation::ReservationStage),
        ])
    }

    /// A pipeline of these stages, for tests.
    pub fn of(stages: Vec<Arc<dyn Stage>>) -> Self {
        Self(stages)
    }

    /// Runs stage after stage until one refuses.
    pub async fn run(&self, context: &mut Context<'_>) -> Verdict {
        let mut trace = Vec::with_capacity(self.0.len());
        for stage in &self.0 {
            if !stage.is_asked_for(context) {
                continue;
            }
            let said = stage.evaluate(context).await;
            let line = said.err().map_or("continue", Reason::code);
            trace.push(TraceLine { stage: stage.name().to_owned(), said: line.to_owned() });
            if let Err(reason) = said {
                return Verdict { trace, result: Err(reason) };
            }
        }
        // Without `grant` nobody was asked, and unknown is no.
        let result = context.people.take().ok_or(Reason::Internal);
        Verdict { trace, result }
    }
}

#[cfg(test)]
mod tests;
