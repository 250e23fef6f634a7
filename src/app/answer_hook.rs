//! One hook, answered: match the id to its delegation, ask policy, consume, and only then answer.
//!
//! Consume before answering: a lost answer costs the user one more click, the opposite order is a double spend.
//! The directory is asked before the commit, so its failure consumes nothing.

mod attempt;
mod bound;
mod direct;
mod entity;
mod events;
mod unknown_ids;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use sha2::{Digest, Sha256};
use tokio::time::Instant;

pub use self::unknown_ids::UnknownIds;
use self::{
    attempt::{Attempt, Ended},
    direct::Way,
};
use super::{Services, Tenant};
use crate::{
    domain::{
        audit::{Actor, Code},
        hex::hex,
        hook::{Decision, Effect, Fingerprint, HookRequest, Outcome},
        ids::is_deceptive,
        reason::Reason,
    },
    ports::dialect::{Dialect, HookResponse, NotAHook},
};

/// The answer, and how it came about.
#[derive(Debug)]
pub struct Answer {
    /// In the IdP's own form.
    pub response: HookResponse,
    /// For metrics and logs.
    pub outcome: Outcome,
    /// It was no provider's hook, but a self-test's.
    pub self_test: bool,
}

/// Where a hook arrives.
#[derive(Clone)]
pub struct Desk {
    /// What use cases work with.
    pub services: Arc<Services>,
    /// Whose hook.
    pub tenant: Arc<Tenant>,
    /// In which dialect.
    pub dialect: Arc<dyn Dialect>,
    /// Our id of the request, for the audit trail.
    pub request: Option<String>,
}

impl Desk {
    /// Answers a hook that arrived at `started`, always and in the IdP's form. Hooks without an id, nearly all, touch
    /// neither store nor directory; the others run as a task of their own, which a time-out or a hang-up can't cut in
    /// half. It stays on the thread that took the hook: handing it to another costs more than most of its steps.
    pub async fn answer(&self, request: HookRequest<'_>, body: &[u8], started: Instant) -> Answer {
        let self_test = request.is_self_test();
        Answer { self_test, ..self.decide(request, body, started).await }
    }

    async fn decide(&self, request: HookRequest<'_>, body: &[u8], started: Instant) -> Answer {
        let strict = self.is_strict(&request, body);
        let way = Self::way(&request, strict);
        if matches!(way, Way::Plain) {
            return self.without_id(&request, started).await;
        }
        let request = Arc::new(request.into_owned());
        let delivery = fingerprint(&request, body);
        let (desk, span) = (self.clone(), OnceLock::new());
        let attempt = Attempt { desk, request: Arc::clone(&request), delivery, strict, started, span };
        let attempt = Arc::new(attempt);
        let task = self.services.tracker.spawn(Arc::clone(&attempt).go(way));
        let ended = match task.await {
            Ok(ended) => ended,
            // A panic in a stage, or a runtime that is going down.
            Err(error) => {
                tracing::error!(%error, "answering a hook failed");
                attempt.refuse(Reason::Internal.into()).await
            }
        };
        match ended {
            Ended::Answered { body, outcome } => {
                Answer { response: HookResponse { status: 200, body }, outcome, self_test: false }
            }
            Ended::Decided(decision) => self.write(&request, &decision),
        }
    }

    /// Answers a body that is no hook; `None`: one that wasn't even read to its end. If it may hold an id, it is
    /// refused; else the token stays as it is. But what can't be read can't be cleaned either: where the token may
    /// pretend a delegation, or may be that of an account that nobody uses without a reservation, none is minted,
    /// whatever `on_refused` says.
    pub async fn answer_garbage(&self, what: &NotAHook, body: Option<&[u8]>, started: Instant) -> Answer {
        let mut decision = self.tenant.refusal.refuse(Reason::MalformedHook);
        let pretends = body.is_none_or(|body| self.tenant.claims.names.may_be_in(body));
        let strict = self.tenant.shared.may_refuse(body);
        if what.carries_id || pretends || strict {
            let (services, tenant) = (Arc::clone(&self.services), self.tenant.name.clone());
            let actor = Actor { kind: "idp".to_owned(), id: self.dialect.name().to_owned(), login: None };
            let request = self.request.clone();
            let denied = move |now| {
                let event = services.event(&tenant, Code::HookDenied, actor, now).failed(Reason::MalformedHook);
                event.in_request(request.as_deref())
            };
            let until = self.last_moment(started);
            decision.event = self.services.record_until(&self.tenant, until, |now| vec![denied(now)]).await;
        }
        if pretends || strict {
            decision.effect = Effect::Reject;
        } else if !what.carries_id {
            decision.effect = Effect::Untouched;
        }
        self.write(&HookRequest::default(), &decision)
    }

    async fn without_id(&self, request: &HookRequest<'_>, started: Instant) -> Answer {
        let Some(patch) = self.tenant.claims.stripped(request) else {
            return self.write(request, &Decision::UNTOUCHED);
        };
        let spoofed = self.spoofed(request);
        let until = self.last_moment(started);
        let event = self.services.record_until(&self.tenant, until, |now| vec![spoofed(now)]).await;
        let decision = Decision {
            outcome: Outcome::Stripped,
            effect: Effect::Patch(patch),
            event,
            trace: Vec::new(),
            sealed: None,
        };
        self.write(request, &decision)
    }

    fn write(&self, request: &HookRequest<'_>, decision: &Decision) -> Answer {
        Answer { response: self.dialect.encode(request, decision), outcome: decision.outcome, self_test: false }
    }

    /// When the decision has to be made.
    fn deadline(&self, started: Instant) -> Instant {
        self.hard_stop(started).min(started + self.tenant.budget.hook)
    }

    /// An answer that leaves later comes when nobody listens, and a refusal that nobody hears is a plain token.
    fn hard_stop(&self, started: Instant) -> Instant {
        started + self.dialect.patience().saturating_sub(Duration::from_millis(200))
    }

    /// Until when an answer waits for its event to be written.
    fn last_moment(&self, started: Instant) -> Instant {
        self.hard_stop(started).min(Instant::now() + self.tenant.budget.commit)
    }
}

fn fingerprint(request: &HookRequest<'_>, body: &[u8]) -> Fingerprint {
    Fingerprint {
        event_id: request.event_id.as_deref().unwrap_or_default().to_owned(),
        body: hex(&Sha256::digest(body)),
    }
}

/// A text from the hook as an event may hold it: short, and nothing in it that breaks a line.
fn shown(text: Option<&str>) -> String {
    let clean = |c: char| if is_deceptive(c) { '\u{fffd}' } else { c };
    text.unwrap_or("-").chars().take(256).map(clean).collect()
}
