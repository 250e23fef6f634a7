//! Does the agent hold the delegator's shared account right now?

use async_trait::async_trait;

use super::{Context, Stage};
use crate::domain::reason::Reason;

/// The last stage: runs where the rule asks for a reservation.
pub struct ReservationStage;

#[async_trait]
impl Stage for ReservationStage {
    fn name(&self) -> &'static str {
        "reservation"
    }

    async fn evaluate(&self, context: &mut Context<'_>) -> Result<(), Reason> {
        if !context.rule.is_some_and(|rule| rule.reservation) {
            return Ok(());
        }
        let people = context.people.as_ref().ok_or(Reason::Internal)?;
        let account = context.policy.shared_account(context.delegator).ok_or(Reason::ReservationMissing)?;
        if !people.agent_groups.contains(&account.group) {
            return Err(Reason::NotAMember);
        }
        let slot = context.reservation.ok_or(Reason::StageMissing)?;
        context.spent.reservation = Some(slot.clone().consume(context.agent, context.delivery.clone(), context.epoch, context.now)?);
        Ok(())
    }
}
