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
    /// Answers a hook that arrived at `started`; `None`: it could not be read to its end.
    pub async fn answer_entity(&self, body: Option<&[u8]>, started: Instant) -> Answer {
        let read = body.and_then(|body| Some((self.dialect.decode(body).ok()?, self.dialect.session_user(body).ok()?)));
        let Some((request, session)) = read else { return self.write(&HookRequest::default(), &Decision::UNTOUCHED) };
        let patch = match self.entity(&request, session.as_deref(), started).await {
            Some(entity) => patch(&request, &entity),
            None => ClaimPatch::default(),
        };
        if patch == ClaimPatch::default() {
            return self.write(&request, &Decision::UNTOUCHED);
        }
        let decision = Decision { outcome: Outcome::Enriched, effect: Effect::Patch(patch), ..Decision::UNTOUCHED };
        self.write(&request, &decision)
    }

    async fn entity(&self, request: &HookRequest<'_>, session: Option<&str>, started: Instant) -> Option<Entity> {
        let user = match (request.agent.as_deref(), session) {
            (Some(user), Some(session)) if user != session => {
                let event = self.ambiguous_entity(request, session);
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
