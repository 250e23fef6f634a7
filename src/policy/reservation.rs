//! Does the agent hold the delegator's shared account right now?

use async_trait::async_trait;

use super::{Context, Stage};
use crate::domain::reason::Reason;

/// The last stage: runs where the rule asks for a reservation. That both accounts are active, `grant` has asked.
pub struct ReservationStage;

#[async_trait]
impl Stage for ReservationStage {
    fn name(&self) -> &'static str {
        "reservation"
    }

    fn is_asked_for(&self, context: &Context<'_>) -> bool {
        context.rule.is_some_and(|rule| rule.reservation)
    }

    async fn evaluate(&self, context: &mut Context<'_>) -> Result<(), Reason> {
        let people = context.people.as_ref().ok_or(Reason::Internal)?;
        let brought = context.brought.ok_or(Reason::StageMissing)?;
        let hold = brought.reservation.ok_or(Reason::StageMissing)?;
        if !hold.group.is_some_and(|group| people.agent_groups.contains(group)) {
            return Err(Reason::NotAMember);
        }
        let (slot, delivery) = (hold.slot.clone(), brought.delivery.clone());
        let used = slot.consume(hold.generation, context.agent, delivery, brought.epoch, brought.now)?;
        context.spent.reservation = Some(used);
        Ok(())
    }
}
