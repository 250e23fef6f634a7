//! Has somebody else approved this, and does it still hold?

use async_trait::async_trait;

use super::{Context, Stage};
use crate::domain::{approval::Use, reason::Reason};

/// After the rules: runs where the rule asks for an approval.
pub struct ApprovalStage;

#[async_trait]
impl Stage for ApprovalStage {
    fn name(&self) -> &'static str {
        "approval"
    }

    fn is_asked_for(&self, context: &Context<'_>) -> bool {
        context.rule.is_some_and(|rule| rule.approval.is_some())
    }

    /// The rule's present template counts: an approval on other terms is none.
    async fn evaluate(&self, context: &mut Context<'_>) -> Result<(), Reason> {
        let rule = context.rule.ok_or(Reason::Internal)?;
        let template = rule.approval.as_ref().ok_or(Reason::Internal)?;
        let brought = context.brought.ok_or(Reason::StageMissing)?;
        let approval = brought.approval.ok_or(Reason::StageMissing)?;
        let by = Use {
            rule: &rule.name,
            template,
            delegator: context.delegator,
            agent: context.agent,
            client: context.client,
            scopes: context.scopes,
            epoch: brought.epoch,
        };
        context.spent.approval = Some(approval.clone().used(&by, brought.now)?);
        Ok(())
    }
}
