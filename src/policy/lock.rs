//! Is one of the two accounts locked against delegation?

use async_trait::async_trait;

use super::{Context, Stage};
use crate::domain::reason::Reason;

/// The second stage, always. Only an agent whose grant stands learns of a lock.
pub struct LockStage;

#[async_trait]
impl Stage for LockStage {
    fn name(&self) -> &'static str {
        "lock"
    }

    async fn evaluate(&self, context: &mut Context<'_>) -> Result<(), Reason> {
        let covers = |id| context.locks.iter().any(|lock| &lock.user.id == id);
        if covers(context.delegator) || covers(context.agent) {
            return Err(Reason::Locked);
        }
        Ok(())
    }
}
