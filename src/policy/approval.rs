//! Has somebody else approved this, and does it still hold?

use async_trait::async_trait;

use super::{Context, Stage};
use crate::domain::reason::Reason;

/// After the rules: runs where the rule asks for an approval.
pub struct ApprovalStage;

#[async_trait]
impl Stage for ApprovalStage {
    fn name(&self) -> &'static str {
        "approval"
    }

    async fn evaluate(&self, context: &mut Context<'_>) -> Result<(), Reason> {
        let Some(template) = context.rule.and_then(|rule| rule.approval.as_ref()) else { return Ok(()) };
        let approval = context.approval.ok_or(Reason::StageMissing)?;
        approval.usable(&context.use_of(template), context.epoch, context.now)?;
        context.spent.approval = Some(approval.clone().used(context.now)?);
        Ok(())
    }
}
