//! Which rule applies, and does the token keep within its bounds?

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::{Context, People, Stage};
use crate::domain::{
    reason::Reason,
    rule::{self, Rule, Situation},
};

/// Matches the rule with the hook's real client, scopes and groups; that match decides.
pub struct RuleStage;

#[async_trait]
impl Stage for RuleStage {
    fn name(&self) -> &'static str {
        "rules"
    }

    async fn evaluate(&self, context: &mut Context<'_>) -> Result<(), Reason> {
        let people = context.people.as_ref().ok_or(Reason::Internal)?;
        let rule = matching(&context.policy.rules, people, context.client, context.scopes);
        context.rule = rule;
        // Upper bounds: a hook never edits scopes, so one scope more is a refusal.
        if !context.scopes.is_subset(context.bound_scopes) {
            return Err(Reason::ScopeNotAllowed);
        }
        if rule.is_some_and(|rule| !rule.allows(context.scopes)) {
            return Err(Reason::ScopeNotAllowed);
        }
        Ok(())
    }
}

/// The first rule that fits these people, client and scopes.
pub fn matching<'r>(
    rules: &'r [Rule],
    people: &People,
    client: &crate::domain::ids::ClientId,
    scopes: &BTreeSet<String>,
) -> Option<&'r Rule> {
    let is =
        Situation { delegator_groups: &people.delegator_groups, agent_groups: &people.agent_groups, client, scopes };
    rule::first_match(rules, &is)
}
