//! A decision that nobody acts upon: the same stages, and what can be said about them.

use std::collections::BTreeSet;

use super::{Brought, Context, People, Pipeline, Spent, TenantPolicy};
use crate::{
    domain::{
        hook::TraceLine,
        ids::{ClientId, UserId},
        lock::Lock,
        reason::Reason,
        rule::{Explained, Rule, Situation, explain},
    },
    ports::directory::Directory,
};

/// When it would be decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// When the client asks for a delegation: stages that need preparation begin then.
    Initiation,
    /// When the token is minted: stages must be done.
    Hook,
}

/// Who, for whom, through what.
pub struct Question<'a> {
    /// What the tenant demands.
    pub policy: &'a TenantPolicy,
    /// Who the users are.
    pub directory: &'a dyn Directory,
    /// Who would act.
    pub agent: &'a UserId,
    /// On whose behalf.
    pub delegator: &'a UserId,
    /// Through which client.
    pub client: &'a ClientId,
    /// The scopes that are asked for, to which the delegation is bound.
    pub scopes: &'a BTreeSet<String>,
    /// Locks on the two accounts.
    pub locks: &'a [Lock],
    /// What the delegation would bring along for the rule's stages; `None`: nothing.
    pub brought: Option<Brought<'a>>,
    /// When.
    pub at: At,
}

/// What would be decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Yes.
    Granted,
    /// At the initiation: yes, once the rule's stages are done.
    Prepares,
    /// No.
    Refused(Reason),
}

impl Decision {
    /// `granted`, `prepare` or `refused`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Prepares => "prepare",
            Self::Refused(_) => "refused",
        }
    }

    /// Why not.
    pub fn reason(self) -> Option<Reason> {
        match self {
            Self::Refused(reason) => Some(reason),
            Self::Granted | Self::Prepares => None,
        }
    }
}

/// The decision, and how it came about.
#[derive(Debug, Clone)]
pub struct Answer {
    /// What would be decided.
    pub decision: Decision,
    /// A line for each stage that ran.
    pub trace: Vec<TraceLine>,
    /// A word about every rule; empty if it never came to the rules, because the users or the grant aren't there.
    pub rules: Vec<Explained>,
    /// The rule that applies.
    pub rule: Option<Rule>,
}

impl Answer {
    /// A refusal by one stage, before any other could run.
    pub fn refused_by(stage: &str, reason: Reason) -> Self {
        let trace = vec![TraceLine { stage: stage.to_owned(), said: reason.code().to_owned() }];
        Self { decision: Decision::Refused(reason), trace, rules: Vec::new(), rule: None }
    }

    /// The same with the word of a further stage of the initiation, the last one that ran or one after it. With
    /// `can_wait` its refusal is told, and refuses nothing yet.
    #[must_use]
    pub fn and_last(mut self, stage: &str, said: Result<(), Reason>, can_wait: bool) -> Self {
        self.trace.retain(|line| line.stage != stage);
        let word = said.map_or_else(Reason::code, |()| Decision::Prepares.code());
        self.trace.push(TraceLine { stage: stage.to_owned(), said: word.to_owned() });
        if let Err(reason) = said
            && !can_wait
        {
            self.decision = Decision::Refused(reason);
        }
        self
    }
}

/// Runs the stages.
pub async fn run(pipeline: &Pipeline, is: &Question<'_>) -> Answer {
    let mut context = Context {
        policy: is.policy,
        directory: is.directory,
        delegator: is.delegator,
        agent: is.agent,
        client: is.client,
        scopes: is.scopes,
        bound_scopes: is.scopes,
        locks: is.locks,
        brought: is.brought,
        people: None,
        rule: None,
        spent: Spent::default(),
    };
    let verdict = pipeline.run(&mut context).await;
    let mut trace = verdict.trace;
    // A lock refuses before the rules are looked at; to say which one would apply is all the same of use.
    let people = verdict.result.as_ref().ok().or(context.people.as_ref());
    let rules = people.map(|people| explain(&is.policy.rules, &situation(is, people))).unwrap_or_default();
    let rule =
        people.and_then(|people| super::rules::matching(&is.policy.rules, people, is.client, is.scopes)).cloned();
    let decision = match verdict.result {
        Ok(_) => Decision::Granted,
        Err(Reason::StageMissing | Reason::ApprovalPending) if is.at == At::Initiation => {
            if let Some(last) = trace.last_mut() {
                Decision::Prepares.code().clone_into(&mut last.said);
            }
            Decision::Prepares
        }
        Err(reason) => Decision::Refused(reason),
    };
    Answer { decision, trace, rules, rule }
}

fn situation<'a>(is: &Question<'a>, people: &'a People) -> Situation<'a> {
    Situation {
        delegator_groups: &people.delegator_groups,
        agent_groups: &people.agent_groups,
        client: is.client,
        scopes: is.scopes,
    }
}
