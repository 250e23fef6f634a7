//! What is written down of a hook, besides what goes with its commit.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{
    Desk,
    attempt::{Attempt, Ended, Refusal},
    shown,
};
use crate::domain::{
    audit::{Actor, Code, Event, Policy},
    delegation::Delegation,
    hook::{Candidate, Decision, Effect, HookRequest, Outcome},
    ids::{DelegationId, DelegationRef},
    reason::Reason,
};

/// Between two tries to write that an answer was withheld.
const TRY_EVERY: Duration = Duration::from_secs(1);

impl Desk {
    /// What a refusal comes to. A token that is minted all the same must not pretend a delegation.
    fn refusal(&self, request: &HookRequest<'_>, strict: bool, reason: Reason) -> Decision {
        let mut decision = self.tenant.refusal.refuse(reason);
        if strict {
            decision.effect = Effect::Reject;
        }
        if decision.effect == Effect::Untouched
            && let Some(patch) = self.tenant.claims.stripped(request)
        {
            decision.effect = Effect::Patch(patch);
        }
        decision
    }

    /// Makes the event of a token that pretended a delegation.
    pub(super) fn spoofed(
        &self,
        request: &HookRequest<'_>,
    ) -> impl FnOnce(Timestamp) -> Event + Send + use<> + 'static {
        let (desk, who) = (self.clone(), Who::of(request));
        move |now| who.event(&desk, Code::ClaimsSpoofed, now)
    }
}

impl Desk {
    /// Makes the event of a hook whose user isn't the one of its session.
    pub(super) fn ambiguous_entity(
        &self,
        request: &HookRequest<'_>,
        session: &str,
    ) -> impl FnOnce(Timestamp) -> Event + Send + use<> + 'static {
        let (desk, who, session) = (self.clone(), Who::of(request), shown(Some(session)));
        move |now| who.event(&desk, Code::EntityAmbiguous, now).detail("session_user", session)
    }
}

/// Who calls through what, as an event may hold it.
struct Who {
    agent: String,
    client: String,
    event: Option<String>,
}

impl Who {
    fn of(request: &HookRequest<'_>) -> Self {
        Self {
            agent: shown(request.agent.as_deref()),
            client: shown(request.client.as_deref()),
            event: request.event_id.as_deref().map(|id| shown(Some(id))),
        }
    }

    fn event(self, desk: &Desk, code: Code, now: Timestamp) -> Event {
        let actor = Actor::user_id(&self.agent);
        let event = desk.services.event(&desk.tenant.name, code, actor, now).through(&self.client);
        let mut event = event.in_request(desk.request.as_deref());
        event.request.hook_event_id = self.event;
        event
    }
}

impl Attempt {
    pub(super) async fn replayed(self: &Arc<Self>, id: &DelegationId, body: String) -> Ended {
        let (me, reference) = (Arc::clone(self), DelegationRef(id.record()));
        let event = move |now| me.bare_event(Code::HookReplayed, now).on("delegation", &reference);
        let until = self.desk.last_moment(self.started);
        self.desk.services.record_until(&self.desk.tenant, until, move |now| vec![event(now)]).await;
        Ended::Answered { body, outcome: Outcome::Replayed }
    }

    pub(super) async fn refuse(self: &Arc<Self>, refusal: Refusal) -> Ended {
        let mut decision = self.desk.refusal(&self.request, self.strict, refusal.reason);
        decision.trace.clone_from(&refusal.trace);
        let spoofed = matches!(decision.effect, Effect::Patch(_));
        decision.event = self.write_refusal(refusal, spoofed).await;
        Ended::Decided(Box::new(decision))
    }

    async fn write_refusal(self: &Arc<Self>, refusal: Refusal, spoofed: bool) -> Option<String> {
        let (services, tenant) = (&self.desk.services, &self.desk.tenant);
        let agent = shown(self.request.agent.as_deref());
        let told = refusal.reason != Reason::UnknownId
            || services.unknown_ids.is_first(&tenant.name, &agent, services.clock.now());
        if !told && !spoofed {
            return None;
        }
        let me = Arc::clone(self);
        let events = move |now| {
            let denied = told.then(|| me.denied(refusal, now));
            let spoofed = spoofed.then(|| me.bare_event(Code::ClaimsSpoofed, now));
            denied.into_iter().chain(spoofed).collect()
        };
        services.record_until(tenant, self.desk.last_moment(self.started), events).await
    }

    fn denied(&self, refusal: Refusal, now: Timestamp) -> Event {
        let Refusal { reason, trace, delegation } = refusal;
        let code = if reason == Reason::ReplayConflict { Code::HookReplayConflict } else { Code::HookDenied };
        let mut event = match &delegation {
            Some(delegation) => self.event(code, delegation, now),
            None => self.on_delegation(self.bare_event(code, now)),
        };
        event.policy = Policy { rule: None, trace };
        event.failed(reason)
    }

    /// An event about a delegation that this hook may know of.
    pub(super) fn event(&self, code: Code, delegation: &Delegation, now: Timestamp) -> Event {
        let mut event = self.on_delegation(self.bare_event(code, now)).on_behalf_of(&delegation.delegator);
        event.actor = Actor::user(&delegation.binding.agent);
        event
    }

    fn on_delegation(&self, event: Event) -> Event {
        let Candidate::One(text) = &self.request.candidate else { return event };
        match DelegationId::parse(text) {
            Some(id) => event.on("delegation", &DelegationRef(id.record())),
            None => event,
        }
    }

    pub(super) fn bare_event(&self, code: Code, now: Timestamp) -> Event {
        let event = Who::of(&self.request).event(&self.desk, code, now);
        if self.request.is_self_test() { event.detail("self_test", true) } else { event }
    }
}

/// Tells that a commit stands whose answer was never given. At least once: a try whose reply is lost is repeated.
pub(super) async fn answer_withheld(desk: &Desk, granted: &str) {
    let mut tries = tokio::time::interval(TRY_EVERY);
    loop {
        tries.tick().await;
        let written = desk.services.record(&desk.tenant, |now| {
            let event = desk.services.event(&desk.tenant.name, Code::AnswerWithheld, Actor::service("hook"), now);
            event.failed(Reason::OutcomeUnknown).detail("event", granted)
        });
        if written.await.is_some() {
            return;
        }
    }
}
