//! The other hook of Okta Managed Access: the token is told which entity its user belongs to. It delegates nothing, and
//! whatever goes wrong leaves the token as it is.

use tokio::time::{Instant, timeout_at};

use super::{Answer, Desk};
use crate::{
    domain::{
        claims::ClaimPatch,
        hook::{Decision, Effect, HookRequest, Outcome},
        ids::UserId,
    },
    ports::directory::Entity,
};

/// The claim, in both tokens.
const CLAIM: &str = "entity";

impl Desk {
    /// Answers a hook that arrived at `started`; `None`: it could not be read.
    pub async fn answer_entity(&self, request: Option<HookRequest<'_>>, started: Instant) -> Answer {
        let request = request.unwrap_or_default();
        let patch = match self.entity(&request, started).await {
            Some(entity) => patch(&request, &entity),
            None => ClaimPatch::default(),
        };
        if patch == ClaimPatch::default() {
            return self.write(&request, &Decision::UNTOUCHED);
        }
        let decision = Decision { outcome: Outcome::Enriched, effect: Effect::Patch(patch), ..Decision::UNTOUCHED };
        self.write(&request, &decision)
    }

    async fn entity(&self, request: &HookRequest<'_>, started: Instant) -> Option<Entity> {
        let user = match (request.agent.as_deref(), request.session_user.as_deref()) {
            (Some(user), Some(session)) if user != session => {
                let event = self.ambiguous_entity(request);
                let until = self.last_moment(started);
                self.services.record_until(&self.tenant, until, |now| vec![event(now)]).await;
                return None;
            }
            (user, session) => UserId::parse(user.or(session)?).ok()?,
        };
        let asked = timeout_at(self.deadline(started), self.tenant.directory_of_hooks.entity_of(&user)).await;
        match asked {
            Ok(Ok(entity)) => entity,
            Ok(Err(error)) => {
                tracing::warn!(tenant = %self.tenant.name, %error, "a user's entity can't be told");
                None
            }
            Err(_) => {
                tracing::warn!(tenant = %self.tenant.name, "a user's entity can't be told in time");
                None
            }
        }
    }
}

/// The entity's id for whoever takes access tokens, its name for people.
fn patch(request: &HookRequest<'_>, entity: &Entity) -> ClaimPatch {
    let mut patch = ClaimPatch::default();
    if request.access.is_some() {
        patch.access.set.insert(CLAIM.to_owned(), entity.id.clone().into());
    }
    if let (Some(_), Some(name)) = (&request.identity, &entity.name) {
        patch.identity.set.insert(CLAIM.to_owned(), name.clone().into());
    }
    patch
}
