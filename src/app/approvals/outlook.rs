//! What an initiation would find of the approval that a rule asks for. Looks, and settles nothing.

use std::collections::BTreeSet;

use super::{
    Found,
    records::{self, Roster},
};
use crate::{
    app::{epoch, error::AppError, records as all},
    domain::{
        approval::{Approval, ApprovalId, State, Template},
        ids::{ClientId, TenantName, UserId},
    },
    ports::store::Store,
};

/// What is asked about.
#[derive(Debug, Clone, Copy)]
pub struct Matter<'a> {
    /// Who would act.
    pub agent: &'a UserId,
    /// On whose behalf.
    pub delegator: &'a UserId,
    /// Through which client.
    pub client: &'a ClientId,
    /// With which scopes.
    pub scopes: &'a BTreeSet<String>,
    /// By which rule.
    pub rule: &'a str,
    /// What it demands.
    pub template: &'a Template,
}

/// What there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outlook {
    /// One that would be used, if it is asked with the reason and the ticket that it was asked with.
    Uses {
        /// Which.
        id: ApprovalId,
        /// How often it can be used still.
        left: u32,
    },
    /// One that waits for votes, likewise.
    Waits(ApprovalId),
    /// None: one would be asked for.
    Needs,
}

/// Looks for a standing approval of exactly this: the one that could be used before one that waits.
pub async fn outlook(store: &dyn Store, tenant: &TenantName, is: Matter<'_>) -> Result<Outlook, AppError> {
    let roster_key = records::roster_key(is.agent);
    let snapshot = store.read(tenant, &[all::epoch_key(), roster_key]).await?;
    let Some((roster, _)) = all::find::<Roster>(&snapshot, &roster_key)? else { return Ok(Outlook::Needs) };
    let (epoch, _) = epoch::of(&snapshot)?;
    let mut found = Outlook::Needs;
    for entry in roster.open.iter().filter(|entry| snapshot.now < entry.end) {
        // One by one: a store that is asked through a process takes few keys at once.
        let one = store.read(tenant, &[records::key(entry.id)]).await?;
        let Some(Found { approval, .. }) = Found::in_snapshot(&one, entry.id)? else { continue };
        if approval.epoch != epoch.number || !is.is_of(&approval) {
            continue;
        }
        match approval.state {
            State::Pending => found = Outlook::Waits(approval.id),
            State::Closed(_) => {}
            State::Approved { .. } | State::Active { .. } => {
                let left = approval.template.max_uses.saturating_sub(approval.state.uses());
                return Ok(Outlook::Uses { id: approval.id, left });
            }
        }
    }
    Ok(found)
}

impl Matter<'_> {
    fn is_of(&self, approval: &Approval) -> bool {
        let asked = &approval.asked;
        asked.application.is_none()
            && asked.requester.id == *self.agent
            && asked.delegator.id == *self.delegator
            && asked.client == *self.client
            && asked.scopes == *self.scopes
            && approval.rule == self.rule
            && approval.template.digest() == self.template.digest()
    }
}
