//! "Let me act for Bob": the agent's client begins a delegation and gets its id, or is told whose approval it waits for.

mod refused;

use std::collections::BTreeSet;

use jiff::Timestamp;
use tracing::Instrument as _;

use self::refused::refused;
use super::{
    Services, Tenant,
    approvals::{self, Ensured, Found, Wish},
    caller::Caller,
    epoch,
    error::AppError,
    records::{self, Roster, RosterEntry},
    reservations,
    room::{self, Limit, Line},
};
use crate::{
    domain::{
        approval::{Approval, Template},
        audit::{Actor, Code, Event},
        delegation::{Binding, Carried, Delegation, Party, State},
        ids::{ClientId, DelegationId, DelegationRef, UserRef},
        lock::Lock,
        reason::Reason,
        reservation::Slot,
        rule::Rule,
        trace::TraceParent,
        user::User,
    },
    policy::{self, People, TenantPolicy},
    ports::{
        entropy,
        store::{Change, Expect, Key, Snapshot},
    },
    trace,
};

/// What the client asks for; texts are checked already.
pub struct Request {
    /// On whose behalf.
    pub delegator: UserRef,
    /// Upper bound of the token's scopes; `None`: those of the caller's token.
    pub scopes: Option<BTreeSet<String>>,
    /// Why.
    pub reason: Option<String>,
    /// A ticket number.
    pub ticket: Option<String>,
    /// Skip the votes of an approval in an emergency, for this reason.
    pub break_glass: Option<String>,
}

/// What became of it.
pub enum Outcome {
    /// It waits for its hook.
    Begun(Begun),
    /// Somebody has to approve first; then the same call again begins it.
    Waits(Box<Approval>),
}

/// A delegation that waits for its hook.
pub struct Begun {
    /// The bearer secret, told this once.
    pub id: DelegationId,
    /// The first instant at which it can't be used any more.
    pub expires: Timestamp,
    /// The delegator as the directory knows him.
    pub delegator: User,
}

/// Begins a delegation. Where the rule asks for an approval, that comes first; the reservation, if it asks for one,
/// begins when nothing is waited for any more. Then one commit: the delegation, the agent's roster and the event,
/// expecting the epoch as read, both accounts unlocked, and what it carries unchanged. Everything that hides whether a
/// user or a grant exists is the same refusal.
pub async fn begin(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    request: Request,
) -> Result<Outcome, AppError> {
    let client = caller.client.clone().ok_or(AppError::Invalid {
        field: "token",
        problem: "names no client (`cid`, `azp` or `client_id`), so the delegation could be bound to none".to_owned(),
    })?;
    let demands = tenant.policy.now();
    let grant = policy::grant::by_reference(&*tenant.directory, &demands, &request.delegator, &caller.user);
    let people = match grant.await {
        Ok(people) => people,
        Err(reason) => return Err(refused(services, tenant, caller, &client, &request, None, reason).await),
    };
    let run =
        Begin { services, tenant, demands: &demands, caller, client: &client, people: &people, request: &request };
    let done = run.to_the_end().await;
    let Some(reason) = done.as_ref().err().and_then(AppError::refusal) else { return done };
    refused(services, tenant, caller, &client, &request, Some(&people), reason).await;
    done
}

struct Begin<'a> {
    services: &'a Services,
    tenant: &'a Tenant,
    /// One and the same from the first question to the commit.
    demands: &'a TenantPolicy,
    caller: &'a Caller,
    client: &'a ClientId,
    people: &'a People,
    request: &'a Request,
}

/// What the rule says of this delegation.
struct Terms<'a> {
    rule: Option<&'a Rule>,
    scopes: BTreeSet<String>,
}

/// Whether the rule's stages have what they need.
enum Prepared {
    Ready(Box<Carries>),
    /// Not yet: on this approval they wait.
    Waits(Box<Approval>),
}

/// What the delegation is bound to besides its grant.
struct Carries {
    approval: Option<Carried<Approval>>,
    reservation: Option<Carried<Slot>>,
}

impl Begin<'_> {
    async fn to_the_end(&self) -> Result<Outcome, AppError> {
        let terms = self.terms()?;
        let mut tries = self.services.tries();
        while tries.again().await {
            let snapshot = self.read().await?;
            self.check_locks(&snapshot)?;
            let carries = match self.prepare(&terms).await? {
                Prepared::Ready(carries) => *carries,
                Prepared::Waits(approval) => return Ok(Outcome::Waits(approval)),
            };
            // The stages may have taken their time.
            let snapshot = if terms.has_stages() { self.read().await? } else { snapshot };
            let goes_on = carries.trace();
            let (begun, change) = self.change(&terms, carries, &snapshot).await?;
            let witness = records::delegation_key(begun.id.record());
            let span = tracing::trace_span!(target: trace::TARGET, "delegation.begin", tenant = %self.tenant.name);
            let commit = self.services.settle(&self.tenant.name, change, witness);
            if commit.instrument(trace::continued(span, goes_on.as_ref())).await?.stands() {
                return Ok(Outcome::Begun(begun));
            }
        }
        Err(Reason::Busy.into())
    }

    fn lock_keys(&self) -> [Key; 2] {
        [records::lock_key(&self.people.delegator.id), records::lock_key(&self.people.agent.id)]
    }

    async fn read(&self) -> Result<Snapshot, AppError> {
        let [one, two] = self.lock_keys();
        let keys = [records::epoch_key(), records::roster_key(&self.caller.user), one, two];
        Ok(self.services.store.read(&self.tenant.name, &keys).await?)
    }

    fn check_locks(&self, snapshot: &Snapshot) -> Result<(), AppError> {
        for key in self.lock_keys() {
            if records::find::<Lock>(snapshot, &key)?.is_some() {
                return Err(Reason::Locked.into());
            }
        }
        Ok(())
    }

    fn terms(&self) -> Result<Terms<'_>, AppError> {
        let asked = self.request.scopes.as_ref().unwrap_or(&self.caller.scopes);
        let rule = policy::rules::matching(&self.demands.rules, self.people, self.client, asked);
        // Scopes that the client named must fit; those taken from its token are cut down to fit.
        if self.request.scopes.is_some() && rule.is_some_and(|rule| !rule.allows(asked)) {
            return Err(Reason::ScopeNotAllowed.into());
        }
        let scopes = rule.map_or_else(|| asked.clone(), |rule| rule.allowed_of(asked));
        Ok(Terms { rule, scopes })
    }

    /// What the rule's stages need: an approval that can be used, then the account held.
    async fn prepare(&self, terms: &Terms<'_>) -> Result<Prepared, AppError> {
        let mut carries = Box::new(Carries { approval: None, reservation: None });
        let Some(rule) = terms.rule else { return Ok(Prepared::Ready(carries)) };
        if let Some(template) = &rule.approval {
            self.foresee(rule).await?;
            match approvals::ensure(self.services, self.tenant, self.caller, self.wish(rule, template, terms)).await? {
                Ensured::Pending(approval) => return Ok(Prepared::Waits(approval)),
                Ensured::Usable(found) => {
                    self.check_rest(rule, &found)?;
                    carries.approval = Some(Carried { version: found.version, body: found.approval });
                }
            }
        }
        if rule.reservation {
            let (services, tenant, caller) = (self.services, self.tenant, self.caller);
            carries.reservation = Some(reservations::ensure(services, tenant, caller, self.people).await?);
        }
        Ok(Prepared::Ready(carries))
    }

    /// The last minutes of an approval may be too few for a token: that is told now, and not only by the hook.
    fn check_rest(&self, rule: &Rule, found: &Found) -> Result<(), AppError> {
        let left = u64::try_from(found.remaining().as_secs()).unwrap_or(0);
        let is_enough = rule.allow_overrun || self.tenant.limits.least_lifetime.is_none_or(|least| left >= least);
        if is_enough { Ok(()) } else { Err(Reason::LifetimeTooShort.into()) }
    }

    /// Nobody is asked, and no glass is broken, for what the next stage refuses anyway. Who holds the account now is no
    /// reason not to ask: he may be done when it is decided. An emergency is decided at once.
    async fn foresee(&self, rule: &Rule) -> Result<(), AppError> {
        if !rule.reservation {
            return Ok(());
        }
        let (services, tenant, caller) = (self.services, self.tenant, self.caller);
        if self.request.break_glass.is_some() && caller.break_glass {
            return reservations::possible_now(services, tenant, caller, self.people).await;
        }
        reservations::allowed(services, tenant, caller, self.people)
    }

    fn wish<'a>(&'a self, rule: &'a Rule, template: &'a Template, terms: &'a Terms<'_>) -> Wish<'a> {
        Wish {
            people: self.people,
            client: self.client,
            scopes: &terms.scopes,
            rule: &rule.name,
            template,
            reason: self.request.reason.as_deref(),
            ticket: self.request.ticket.as_deref(),
            break_glass: self.request.break_glass.as_deref(),
        }
    }

    async fn change(
        &self,
        terms: &Terms<'_>,
        carries: Carries,
        snapshot: &Snapshot,
    ) -> Result<(Begun, Change), AppError> {
        let (now, limits) = (snapshot.now, self.tenant.limits);
        let (epoch, epoch_record) = epoch::of(snapshot)?;
        let id = DelegationId::mint(now, entropy::bytes(&*self.services.entropy));
        let expires = carries.ends(now.saturating_add(limits.life).unwrap_or(Timestamp::MAX));
        let expected = carries.expectations();
        let delegation = self.delegation(terms, carries, now, expires, epoch.number);
        let roster_key = records::roster_key(&self.caller.user);
        let roster = records::find::<Roster>(snapshot, &roster_key)?.map(|(roster, _)| roster).unwrap_or_default();
        let mut roster = self.with_room(roster, now).await?;
        let reference = DelegationRef(id.record()).to_string();
        roster.pending.push(RosterEntry { reference: reference.clone(), end: expires });
        let event = self.event(&delegation, &reference, now);
        let [lock_one, lock_two] = self.lock_keys();
        let key = records::delegation_key(id.record());
        let mut expect = vec![
            (key, Expect::Absent),
            (records::epoch_key(), Expect::Version(epoch_record.version)),
            (roster_key, snapshot.as_seen(&roster_key)),
            (lock_one, Expect::Absent),
            (lock_two, Expect::Absent),
        ];
        expect.extend(expected);
        let change = Change {
            expect,
            puts: vec![
                records::put_delegation(key, &delegation)?,
                records::put_roster(&self.caller.user, &roster, now)?,
            ],
            events: records::encode_events(&[event])?,
            ..Change::new(self.services.change_id(), self.services.not_after(now, self.tenant))
        };
        Ok((Begun { id, expires, delegator: self.people.delegator.clone() }, change))
    }

    /// The roster with room for one more: a hook that consumes a delegation needn't write it.
    async fn with_room(&self, roster: Roster, now: Timestamp) -> Result<Roster, AppError> {
        let key_of = |entry: &RosterEntry| {
            DelegationRef::parse(&entry.reference).map(|reference| records::delegation_key(reference.0))
        };
        let lines = roster.pending.into_iter().map(|entry| Line { end: entry.end, key: key_of(&entry), entry });
        let full = |limit, retry_after| AppError::TooManyPending { limit, retry_after };
        let limit = Limit { most: self.tenant.limits.max_pending, full };
        let stands = |snapshot: &Snapshot, entry: &RosterEntry| {
            let Some(key) = key_of(entry) else { return Ok(false) };
            let found = records::find::<Delegation>(snapshot, &key)?;
            Ok(found.is_some_and(|(delegation, _)| delegation.is_pending(snapshot.now)))
        };
        Ok(Roster { pending: room::made(self.services, self.tenant, lines, limit, now, stands).await? })
    }

    fn event(&self, delegation: &Delegation, reference: &str, now: Timestamp) -> Event {
        let mut event = self
            .services
            .event(&self.tenant.name, Code::DelegationInitiated, Actor::user(&delegation.binding.agent), now)
            .on_behalf_of(&delegation.delegator)
            .on("delegation", &reference)
            .through(self.client.as_str())
            .in_request(self.caller.request.as_deref())
            .changed(None, "PENDING");
        if let Some(approval) = &delegation.approval {
            event = event.on("approval", &approval.body.id);
        }
        if let Some(reservation) = &delegation.reservation {
            event = event.on("reservation", &reservation.body.reference());
        }
        with_words(event, self.request, delegation.rule.as_deref())
    }

    fn delegation(
        &self,
        terms: &Terms<'_>,
        carries: Carries,
        now: Timestamp,
        expires: Timestamp,
        epoch: u64,
    ) -> Delegation {
        let (agent, delegator) = (Party::of(&self.people.agent), Party::of(&self.people.delegator));
        Delegation {
            binding: Binding { issuer: self.tenant.issuer.clone(), agent, client: self.client.clone() },
            delegator,
            scopes: terms.scopes.clone(),
            reason: self.request.reason.clone(),
            ticket: self.request.ticket.clone(),
            rule: terms.rule.map(|r| r.name.clone()),
            trace: carries.trace(),
            approval: carries.approval,
            reservation: carries.reservation,
            epoch,
            created: now,
            expires,
            state: State::Pending,
        }
    }
}

impl Terms<'_> {
    fn has_stages(&self) -> bool {
        self.rule.is_some_and(|rule| rule.approval.is_some() || rule.reservation)
    }
}

impl Carries {
    /// That of the approval's request, so that asking, deciding and using are one; else where we are.
    fn trace(&self) -> Option<TraceParent> {
        self.approval.as_ref().and_then(|it| it.body.trace).or_else(trace::here)
    }

    /// A delegation can't outlive what it rests on.
    fn ends(&self, at: Timestamp) -> Timestamp {
        let approval = self.approval.as_ref().and_then(|it| it.body.deadline());
        let held = self.reservation.as_ref().and_then(|it| it.body.current.as_ref()).map(|it| it.expires);
        [approval, held].into_iter().flatten().fold(at, Timestamp::min)
    }

    fn expectations(&self) -> Vec<(Key, Expect)> {
        let approval = self.approval.as_ref();
        let approval = approval.map(|it| (approvals::records::key(it.body.id), Expect::VersionLive(it.version)));
        let slot = self.reservation.as_ref();
        let slot = slot.map(|it| (records::slot_of(&it.body.account.id), Expect::VersionLive(it.version)));
        approval.into_iter().chain(slot).collect()
    }
}

fn with_words(mut event: Event, request: &Request, rule: Option<&str>) -> Event {
    event.policy.rule = rule.map(str::to_owned);
    for (name, text) in [("reason", &request.reason), ("ticket", &request.ticket)] {
        if let Some(text) = text {
            event = event.detail(name, text.as_str());
        }
    }
    event
}
