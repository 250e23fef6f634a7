//! "Let me act for Bob": the agent's client begins a delegation and gets its id.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{
    Services, Tenant,
    caller::Caller,
    epoch,
    error::AppError,
    records::{self, Roster, RosterEntry},
};
use crate::{
    domain::{
        audit::{Actor, Code, Event},
        delegation::{Binding, Delegation, Party, State},
        ids::{ClientId, DelegationId, DelegationRef, UserRef},
        lock::Lock,
        reason::Reason,
        user::User,
    },
    policy::{self, People, TenantPolicy},
    ports::{
        entropy,
        store::{Change, Committed, Expect, Key, Snapshot},
    },
};

/// How often a commit is tried against others' changes.
const ATTEMPTS: usize = 3;

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

/// Begins a delegation. One commit: the delegation, the agent's roster and the event, expecting the epoch as read
/// and both accounts unlocked. Everything that hides whether a user or a grant exists is the same refusal.
pub async fn begin(services: &Services, tenant: &Tenant, caller: &Caller, request: Request) -> Result<Begun, AppError> {
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
    match run.commit().await {
        Err(AppError::Refused(reason)) => {
            Err(refused(services, tenant, caller, &client, &request, Some(&people), reason).await)
        }
        other => other,
    }
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

impl Begin<'_> {
    async fn commit(&self) -> Result<Begun, AppError> {
        for _ in 0..ATTEMPTS {
            let snapshot = self.read().await?;
            self.check_locks(&snapshot)?;
            let (begun, change) = self.prepare(&snapshot).await?;
            let witness = records::delegation_key(begun.id.record());
            match self.services.commit_and_settle(&self.tenant.name, change, witness).await? {
                Committed::Done(_) => return Ok(begun),
                Committed::Conflict(_) => {}
                Committed::Fenced | Committed::Late => return Err(AppError::from_reason(Reason::StoreUnavailable)),
            }
        }
        Err(AppError::from_reason(Reason::Busy))
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
                return Err(AppError::Refused(Reason::Locked));
            }
        }
        Ok(())
    }

    async fn prepare(&self, snapshot: &Snapshot) -> Result<(Begun, Change), AppError> {
        let (now, limits) = (snapshot.now, self.tenant.limits);
        let (epoch, epoch_record) = epoch::of(snapshot).map_err(AppError::from_reason)?;
        let id = DelegationId::mint(now, entropy::bytes(&*self.services.entropy));
        let expires = now.saturating_add(limits.life).unwrap_or(Timestamp::MAX);
        let delegation = self.delegation(now, expires, epoch.number)?;
        let roster_key = records::roster_key(&self.caller.user);
        let found = records::find::<Roster>(snapshot, &roster_key)?;
        let expect_roster = found.as_ref().map_or(Expect::Absent, |(_, r)| Expect::Version(r.version));
        let mut roster = self.with_room(found.map(|(r, _)| r).unwrap_or_default(), now).await?;
        let reference = DelegationRef(id.record()).to_string();
        roster.pending.push(RosterEntry { reference: reference.clone(), end: expires });
        let event = self
            .services
            .event(&self.tenant.name, Code::DelegationInitiated, Actor::user(&delegation.binding.agent), now)
            .on_behalf_of(&delegation.delegator)
            .on("delegation", &reference)
            .through(self.client.as_str())
            .in_request(self.caller.request.as_deref())
            .changed(None, "PENDING");
        let event = with_words(event, self.request, delegation.rule.as_deref());
        let [lock_one, lock_two] = self.lock_keys();
        let key = records::delegation_key(id.record());
        let change = Change {
            expect: vec![
                (key, Expect::Absent),
                (records::epoch_key(), Expect::Version(epoch_record.version)),
                (roster_key, expect_roster),
                (lock_one, Expect::Absent),
                (lock_two, Expect::Absent),
            ],
            puts: vec![
                records::put_delegation(key, &delegation)?,
                records::put_roster(&self.caller.user, &roster, now)?,
            ],
            events: records::encode_events(&[event])?,
            ..Change::new(self.services.change_id(), self.services.not_after(now, self.tenant))
        };
        Ok((Begun { id, expires, delegator: self.people.delegator.clone() }, change))
    }

    fn delegation(&self, now: Timestamp, expires: Timestamp, epoch: u64) -> Result<Delegation, AppError> {
        let asked = self.request.scopes.as_ref().unwrap_or(&self.caller.scopes);
        let rule = policy::rules::matching(&self.demands.rules, self.people, self.client, asked);
        let scopes = match rule.and_then(|r| r.scopes_allowed.as_ref()) {
            // Scopes that the client named must fit; those taken from its token are cut down to fit.
            Some(allowed) if self.request.scopes.is_some() && !asked.is_subset(allowed) => {
                return Err(AppError::Refused(Reason::ScopeNotAllowed));
            }
            Some(allowed) => asked.intersection(allowed).cloned().collect(),
            None => asked.clone(),
        };
        let agent = Party { id: self.people.agent.id.clone(), login: self.people.agent.login.clone() };
        let delegator = Party { id: self.people.delegator.id.clone(), login: self.people.delegator.login.clone() };
        Ok(Delegation {
            binding: Binding { issuer: self.tenant.issuer.clone(), agent, client: self.client.clone() },
            delegator,
            scopes,
            reason: self.request.reason.clone(),
            ticket: self.request.ticket.clone(),
            rule: rule.map(|r| r.name.clone()),
            epoch,
            created: now,
            expires,
            state: State::Pending,
        })
    }

    /// The roster without entries that have ended. Only when it is full are the delegations themselves looked at:
    /// a hook that consumes one needn't write the roster.
    async fn with_room(&self, mut roster: Roster, now: Timestamp) -> Result<Roster, AppError> {
        let limit = self.tenant.limits.max_pending;
        roster.pending.retain(|entry| now < entry.end);
        if roster.pending.len() < limit {
            return Ok(roster);
        }
        let key_of = |e: &RosterEntry| DelegationRef::parse(&e.reference).map(|r| records::delegation_key(r.0));
        let keys: Vec<Key> = roster.pending.iter().filter_map(key_of).collect();
        let snapshot = self.services.store.read(&self.tenant.name, &keys).await?;
        let mut kept = Vec::new();
        for entry in roster.pending {
            let Some(key) = key_of(&entry) else { continue };
            let found = records::find::<Delegation>(&snapshot, &key)?;
            if found.is_some_and(|(d, _)| d.is_pending(snapshot.now)) {
                kept.push(entry);
            }
        }
        if kept.len() < limit {
            return Ok(Roster { pending: kept });
        }
        let soonest = kept.iter().map(|e| e.end).min().unwrap_or(now);
        let wait = soonest.duration_since(now).as_secs().max(0);
        Err(AppError::TooManyPending { limit, retry_after: u64::try_from(wait).unwrap_or(0) + 1 })
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

/// Writes the refusal down, exactly; the caller gets the coarse one. Whether the event could be written doesn't
/// change the refusal.
async fn refused(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    client: &ClientId,
    request: &Request,
    people: Option<&People>,
    reason: Reason,
) -> AppError {
    let asked = match &request.delegator {
        UserRef::Id(id) => id.to_string(),
        UserRef::Login(login) | UserRef::Either(login) => login.to_string(),
    };
    services
        .record(tenant, |now| {
            let event = services
                .event(&tenant.name, Code::DelegationRefused, Actor::user_id(caller.user.as_str()), now)
                .failed(reason)
                .through(client.as_str())
                .in_request(caller.request.as_deref())
                .on("user", &asked);
            match people {
                None => event,
                Some(p) => event.on_behalf_of(&Party { id: p.delegator.id.clone(), login: p.delegator.login.clone() }),
            }
        })
        .await;
    AppError::from_reason(reason)
}
