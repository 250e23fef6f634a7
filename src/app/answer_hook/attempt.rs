//! The part of a hook that decides and consumes.

use std::{
    collections::BTreeSet,
    sync::{Arc, OnceLock},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, timeout_at};
use tracing::{Instrument as _, Span, field::Empty};

use super::{Desk, bound::Bound, events::answer_withheld};
use crate::{
    app::{epoch, error::reason_of, records, sealed, tries::Tries},
    domain::{
        audit::Code,
        chain::SealedHead,
        claims::{self, ClaimPatch},
        delegation::{Delegation, Match, Shown},
        hook::{Candidate, Decision, Effect, Fingerprint, HookRequest, Outcome, TraceLine},
        ids::{ClientId, DelegationId, UserId, plain_text},
        lock::Lock,
        reason::Reason,
        rule::Rule,
        user::User,
    },
    policy::{Brought, Context, Spent},
    ports::store::{Change, Committed, Expect, Key, Snapshot, StoreError},
    trace,
};

/// How often others' changes are answered with another look. The pauses between them are an eighth of a second in all.
const MOST_TRIES: usize = 6;
/// What is left of the budget for the answer itself.
const RESERVE: SignedDuration = SignedDuration::from_millis(300);

/// The longest answer, in bytes: it is kept in a record.
pub(super) const MOST_ANSWER: usize = 48 * 1024;

/// The longest event id of an IdP that is taken, in characters.
pub(super) const MOST_EVENT_ID: usize = 256;

/// How an attempt ended.
pub(super) enum Ended {
    /// Granted or replayed: the answer's bytes, as they are stored.
    Answered { body: String, outcome: Outcome },
    /// To be written in the dialect.
    Decided(Box<Decision>),
}

impl Ended {
    fn outcome(&self) -> Outcome {
        match self {
            Self::Answered { outcome, .. } => *outcome,
            Self::Decided(decision) => decision.outcome,
        }
    }
}

/// A refusal on its way out, with what is known for the event.
pub(super) struct Refusal {
    pub(super) reason: Reason,
    pub(super) trace: Vec<TraceLine>,
    /// Known only to a hook that showed the right binding.
    pub(super) delegation: Option<Box<Delegation>>,
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { reason, trace: Vec::new(), delegation: None }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::RolledBack) {
            return Self::from(Reason::EpochChanged);
        }
        tracing::warn!(%error, "the store failed a hook");
        Self::from(reason_of(&error))
    }
}

/// Who and what, parsed.
struct Facts {
    agent: UserId,
    client: ClientId,
    issuer: String,
    scopes: BTreeSet<String>,
    id: DelegationId,
}

/// A granted decision, ready to be committed.
pub(super) struct Ready {
    pub(super) change: Change,
    pub(super) key: Key,
    pub(super) answer: String,
    pub(super) event: String,
}

pub(super) struct Attempt {
    pub(super) desk: Desk,
    pub(super) request: Arc<HookRequest<'static>>,
    pub(super) delivery: Fingerprint,
    /// Whether a refusal mints no token, whatever the tenant's form of refusals says.
    pub(super) strict: bool,
    pub(super) started: Instant,
    /// What is exported of it. It begins when the delegation is known, whose trace it goes on with.
    pub(super) span: OnceLock<Span>,
}

impl Attempt {
    pub(super) async fn run(self: Arc<Self>) -> Ended {
        let refusal = match self.decide().await {
            Ok(ended) => {
                self.traced(ended.outcome());
                return ended;
            }
            Err(refusal) => refusal,
        };
        self.traced(Outcome::Refused(refusal.reason));
        let held = refusal.delegation.as_ref().and_then(|it| it.reservation.as_ref()).map(|it| it.body.reference());
        if let Some(reference) = held {
            self.void(reference, refusal.reason).await;
        }
        self.refuse(refusal).await
    }

    /// How others' changes are answered with another look: while there is time to commit.
    pub(super) fn tries(&self) -> Tries {
        Tries::until(&self.desk.services, MOST_TRIES, self.deadline())
    }

    pub(super) fn deadline(&self) -> Instant {
        self.desk.deadline(self.started)
    }

    async fn decide(self: &Arc<Self>) -> Result<Ended, Refusal> {
        let facts = self.facts()?;
        let key = records::delegation_key(facts.id.record());
        let mut keys = vec![key, records::epoch_key(), sealed::head_key()];
        let mut tries = self.tries();
        while tries.again().await {
            let prepared = timeout_at(self.deadline(), self.prepare(&facts, key, &keys)).await;
            let ready = match prepared.map_err(|_| Refusal::from(Reason::Deadline))?? {
                Prepared::Replay(body) => return Ok(self.replayed(&facts.id, body).await),
                Prepared::Ready(ready) => ready,
            };
            if let Some(body) = self.grant(*ready, &mut keys).await? {
                return Ok(Ended::Answered { body, outcome: Outcome::Granted });
            }
        }
        Err(Reason::Busy.into())
    }

    /// Commits, and gives the answer. `None`: somebody else was faster; what he changed is read the next time.
    pub(super) async fn grant(&self, ready: Ready, keys: &mut Vec<Key>) -> Result<Option<String>, Refusal> {
        let Ready { change, key, answer, event } = ready;
        match self.commit(change, key, event).instrument(self.span()).await? {
            Committed::Done(_) => Ok(Some(answer)),
            Committed::Conflict(other) => {
                if !keys.contains(&other) {
                    keys.push(other);
                }
                Ok(None)
            }
            Committed::Late => Err(Reason::Deadline.into()),
            Committed::Fenced => Err(Reason::StoreUnavailable.into()),
        }
    }

    /// What a decision needs; a hook without it is refused before the store is asked.
    fn facts(&self) -> Result<Facts, Refusal> {
        let request = &self.request;
        let id = match &request.candidate {
            Candidate::Ambiguous => return Err(Reason::AmbiguousId.into()),
            Candidate::None | Candidate::Reservation(_) => return Err(Reason::Internal.into()),
            Candidate::One(text) => DelegationId::parse(text),
        };
        if request.hybrid {
            return Err(Reason::HybridFlow.into());
        }
        // Without an event id, two hooks for one id could not be told from one that was delivered twice.
        if request.event_id.as_deref().is_none_or(|event| plain_text(event, MOST_EVENT_ID).is_err()) {
            return Err(Reason::MalformedHook.into());
        }
        let agent = request.agent.as_deref().and_then(|a| UserId::parse(a).ok());
        let client = request.client.as_deref().and_then(|c| ClientId::parse(c).ok());
        let (Some(agent), Some(client), Some(issuer)) = (agent, client, request.issuer.as_deref()) else {
            return Err(Reason::MalformedHook.into());
        };
        if request.access.is_none() {
            return Err(Reason::NoAccessToken.into());
        }
        let id = id.ok_or(Reason::UnknownId)?;
        let scopes = request.scopes.as_ref().ok_or(Reason::ScopesUnknown)?;
        let scopes = scopes.iter().map(|s| s.clone().into_owned()).collect();
        Ok(Facts { agent, client, issuer: issuer.to_owned(), scopes, id })
    }

    async fn prepare(&self, facts: &Facts, key: Key, keys: &[Key]) -> Result<Prepared, Refusal> {
        let snapshot = self.desk.services.store.read(&self.desk.tenant.name, keys).await?;
        let read_at = Instant::now();
        let (delegation, record) = records::find::<Delegation>(&snapshot, &key)?.ok_or(Reason::UnknownId)?;
        let (epoch, epoch_record) = epoch::of(&snapshot)?;
        let shown = Shown {
            issuer: &facts.issuer,
            agent: facts.agent.as_str(),
            client: facts.client.as_str(),
            delivery: &self.delivery,
        };
        match delegation.matches(&shown, snapshot.now, epoch.number) {
            Ok(Match::Replay(at)) => return self.stored_answer(records::answer_key(key, at)).await,
            Ok(Match::Fresh) => {}
            Err(reason) => {
                let foreign = matches!(reason, Reason::ForeignAgent | Reason::ForeignClient | Reason::ForeignIssuer);
                if !foreign {
                    self.go_on_with(&delegation);
                }
                return Err(Refusal {
                    reason,
                    trace: Vec::new(),
                    delegation: (!foreign).then(|| Box::new(delegation)),
                });
            }
        }
        self.go_on_with(&delegation);
        let bound = Bound::of(&delegation, &snapshot)?;
        let policy = self.ask_policy(facts, &delegation, &bound, epoch.number, &snapshot);
        let said = policy.instrument(self.span()).await?;
        let spent = bound.spend(&self.desk, &said.spent, snapshot.now)?;
        let [lock_one, lock_two] = [&delegation.delegator.id, &delegation.binding.agent.id].map(records::lock_key);
        let mut ready = self.ready(key, delegation, said, snapshot.now)?;
        let change = &mut ready.change;
        change.not_after = self.not_after(&snapshot, read_at);
        change.expect = vec![
            (key, Expect::VersionLive(record.version)),
            (records::epoch_key(), Expect::Version(epoch_record.version)),
            (lock_one, Expect::Absent),
            (lock_two, Expect::Absent),
        ];
        spent.join(change)?;
        Ok(Prepared::Ready(Box::new(ready)))
    }

    /// Goes on with the trace in which the delegation was begun.
    fn go_on_with(&self, delegation: &Delegation) {
        self.span.get_or_init(|| {
            let (tenant, before) = (&self.desk.tenant.name, self.started.elapsed().as_secs_f64());
            let span = tracing::trace_span!(
                target: trace::TARGET, "hook", otel.kind = "server", %tenant, dialect = self.desk.dialect.name(),
                seconds_before = before, outcome = Empty, reason = Empty
            );
            trace::continued(span, delegation.trace.as_ref())
        });
    }

    fn span(&self) -> Span {
        self.span.get().cloned().unwrap_or_else(Span::none)
    }

    fn traced(&self, outcome: Outcome) {
        let Some(span) = self.span.get() else { return };
        span.record("outcome", outcome.code());
        if let Some(reason) = outcome.reason() {
            span.record("reason", reason.code());
        }
    }

    /// The bytes that the same hook was given before.
    pub(super) async fn stored_answer(&self, key: Key) -> Result<Prepared, Refusal> {
        let snapshot = self.desk.services.store.read(&self.desk.tenant.name, &[key]).await?;
        let answer = snapshot.get(&key).map(|record| String::from_utf8(record.body.clone()));
        match answer {
            Some(Ok(body)) => Ok(Prepared::Replay(body)),
            // Its time ran out between the two reads.
            None => Err(Reason::AlreadyUsed.into()),
            Some(Err(_)) => Err(StoreError::Unreadable("a stored answer is no text".to_owned()).into()),
        }
    }

    /// The stages, then the claims. Locks were read only if an earlier commit ran into one.
    async fn ask_policy(
        &self,
        facts: &Facts,
        delegation: &Delegation,
        bound: &Bound<'_>,
        epoch: u64,
        snapshot: &Snapshot,
    ) -> Result<Said, Refusal> {
        let tenant = &self.desk.tenant;
        let mut locks: Vec<Lock> = Vec::new();
        for user in [&delegation.delegator.id, &facts.agent] {
            locks.extend(records::find::<Lock>(snapshot, &records::lock_key(user))?.map(|(lock, _)| lock));
        }
        let policy = tenant.policy.now();
        let mut context = Context {
            policy: &policy,
            directory: &*tenant.directory_of_hooks,
            delegator: &delegation.delegator.id,
            agent: &facts.agent,
            client: &facts.client,
            scopes: &facts.scopes,
            bound_scopes: &delegation.scopes,
            locks: &locks,
            brought: Some(Brought {
                now: snapshot.now,
                epoch,
                delivery: &self.delivery,
                approval: bound.approval.as_ref().map(|it| &it.body),
                reservation: bound.hold(delegation, &tenant.shared),
            }),
            people: None,
            rule: None,
            spent: Spent::default(),
        };
        let verdict = self.desk.services.pipeline.run(&mut context).await;
        let refuse =
            |reason| Refusal { reason, trace: verdict.trace.clone(), delegation: Some(Box::new(delegation.clone())) };
        let people = verdict.result.map_err(refuse)?;
        let (rule, spent) = (context.rule, context.spent);
        let left = spent.approval.as_ref().and(bound.approval.as_ref()).map(|it| it.body.remaining(snapshot.now));
        let patch = self.patch(&people.delegator, rule, left.map(whole_seconds)).map_err(refuse)?;
        // Only an anchor for auditors: one that can't be read must not stop anybody.
        let sealed = records::find(snapshot, &sealed::head_key()).ok().flatten().map(|(head, _)| head);
        Ok(Said { patch, trace: verdict.trace, rule: rule.map(|r| r.name.clone()), sealed, spent })
    }

    /// The claims; the token lives no longer than the rule and what is left of an approval allow.
    fn patch(&self, delegator: &User, rule: Option<&Rule>, left: Option<u64>) -> Result<ClaimPatch, Reason> {
        let mut patch = self.desk.tenant.claims.delegated(&self.request, delegator)?;
        let Some(bounds) = self.desk.dialect.lifetime_bounds() else { return Ok(patch) };
        let limit = [rule.and_then(|r| r.max_token_lifetime), left].into_iter().flatten().min();
        if let Some(limit) = limit {
            let overrun = rule.is_some_and(|r| r.allow_overrun);
            claims::limit_lifetime(&mut patch, &self.request, limit, bounds, overrun)?;
        }
        Ok(patch)
    }

    fn ready(&self, key: Key, delegation: Delegation, said: Said, now: Timestamp) -> Result<Ready, Refusal> {
        let services = &self.desk.services;
        let mut event = self.event(Code::HookGranted, &delegation, now).changed(Some("PENDING"), "CONSUMED");
        event.policy.rule = said.rule;
        event.policy.trace.clone_from(&said.trace);
        let event_id = event.id.as_str().to_owned();
        let decision = Decision {
            outcome: Outcome::Granted,
            effect: Effect::Patch(said.patch),
            event: Some(event_id.clone()),
            trace: said.trace.clone(),
            sealed: said.sealed,
        };
        let trace = said.trace;
        let answer = self.desk.dialect.encode(&self.request, &decision).body;
        if answer.len() > MOST_ANSWER {
            return Err(Refusal { reason: Reason::AnswerTooLarge, trace, delegation: Some(Box::new(delegation)) });
        }
        let consumed = delegation.consume(self.delivery.clone(), now)?;
        let change = Change {
            puts: vec![records::put_delegation(key, &consumed)?, records::put_answer(key, now, &answer)],
            events: records::encode_events(&[event])?,
            ..Change::new(services.change_id(), now)
        };
        Ok(Ready { change, key, answer, event: event_id })
    }

    /// The commit's own last instant, in the store's time: within its budget, and early enough to answer after it.
    pub(super) fn not_after(&self, snapshot: &Snapshot, read_at: Instant) -> Timestamp {
        let signed = |d: Duration| SignedDuration::try_from(d).unwrap_or(SignedDuration::ZERO);
        let gone = signed(Instant::now().saturating_duration_since(read_at));
        let left = signed(self.deadline().saturating_duration_since(Instant::now())) - RESERVE;
        let budget = signed(self.desk.tenant.budget.commit).min(left);
        snapshot.now.saturating_add(gone + budget).unwrap_or(snapshot.now)
    }

    /// Commits. If its outcome isn't known when the answer is due, the hook is refused, and a task that outlives it
    /// writes `hook.answer_withheld` should the commit turn out to stand.
    async fn commit(&self, change: Change, key: Key, event: String) -> Result<Committed, Refusal> {
        let (services, tenant) = (Arc::clone(&self.desk.services), Arc::clone(&self.desk.tenant));
        let mut work = Box::pin(async move { services.commit_to_the_end(&tenant.name, change, key).await });
        if let Ok(outcome) = timeout_at(self.deadline(), &mut work).await {
            return Ok(outcome?);
        }
        let desk = self.desk.clone();
        let rest = async move {
            if let Ok(Committed::Done(_)) = work.await {
                answer_withheld(&desk, &event).await;
            }
        };
        self.desk.services.tracker.spawn_on(rest, &self.desk.services.runtime);
        Err(Reason::OutcomeUnknown.into())
    }
}

/// What policy let through.
struct Said {
    patch: ClaimPatch,
    trace: Vec<TraceLine>,
    rule: Option<String>,
    sealed: Option<SealedHead>,
    spent: Spent,
}

pub(super) enum Prepared {
    Ready(Box<Ready>),
    Replay(String),
}

/// What is left, rounded down.
fn whole_seconds(left: SignedDuration) -> u64 {
    u64::try_from(left.as_secs()).unwrap_or(0)
}
