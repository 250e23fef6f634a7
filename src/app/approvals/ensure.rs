//! Asking for an approval at an initiation: the same request is found again, not doubled.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{
    Found, Refused, commit, eligible, events, read,
    records::{self, Asks, Roster, RosterEntry},
    reviews, settle,
};
use crate::{
    app::{
        Services, Tenant,
        caller::Caller,
        epoch,
        error::AppError,
        locks,
        part::Part,
        records as all,
        room::{self, Limit, Line},
    },
    domain::{
        approval::{
            Approval, ApprovalId, Asked, Cause, Opening, State, Template,
            request::{Action, BindingError, Request, TemplateRef, Ticket},
            template::Demand,
        },
        audit::{Actor, Code, Event},
        delegation::Party,
        ids::{ClientId, UserId, visible},
        reason::Reason,
    },
    policy::People,
    ports::{
        entropy,
        store::{Change, Expect, Key, Record, Snapshot},
    },
    trace,
};

/// The version of the form of templates, of which the binding names the digest.
pub(super) const TEMPLATE_FORM: u64 = 1;
/// The shortest reason for skipping votes, in characters that can be seen.
const BREAK_GLASS_REASON: usize = 20;

/// What an initiation needs an approval for. Texts are checked already.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// Requester (the agent) and delegator, whose grant stands.
    pub people: &'a People,
    /// Through which client.
    pub client: &'a ClientId,
    /// Upper bound of the tokens' scopes.
    pub scopes: &'a BTreeSet<String>,
    /// The rule that demands it.
    pub rule: &'a str,
    /// What it demands.
    pub template: &'a Template,
    /// Why.
    pub reason: Option<&'a str>,
    /// A ticket number.
    pub ticket: Option<&'a str>,
    /// Skip the votes in an emergency, for this reason.
    pub break_glass: Option<&'a str>,
}

/// What there is now.
#[derive(Debug)]
pub enum Ensured {
    /// It waits for votes.
    Pending(Box<Approval>),
    /// A hook could use it. The commit that relies on it expects this version of the record.
    Usable(Box<Found>),
}

/// Finds the requester's approval for exactly this, or asks for it.
pub async fn ensure(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    wish: Wish<'_>,
) -> Result<Ensured, AppError> {
    let run = Ensure { services, tenant, caller, wish };
    let done = match run.check() {
        Ok(()) => run.find_or_open().await,
        Err(refused) => Err(refused.into()),
    };
    if let Err(AppError::Approval(refused)) = &done {
        run.write_refusal(refused.code()).await;
    }
    done
}

struct Ensure<'a> {
    services: &'a Services,
    tenant: &'a Tenant,
    caller: &'a Caller,
    wish: Wish<'a>,
}

/// What is known of the requester's open requests.
struct Known<'s> {
    roster: Roster,
    expect: Expect,
    epoch: u64,
    epoch_record: &'s Record,
}

/// What a request rests on besides the roster.
struct Basis {
    lock: (Key, Expect),
    denied: Option<ApprovalId>,
    now: Timestamp,
}

impl Ensure<'_> {
    fn requester(&self) -> &UserId {
        &self.wish.people.agent.id
    }

    fn check(&self) -> Result<(), Refused> {
        let Wish { template, reason, ticket, break_glass, .. } = self.wish;
        if template.reason == Demand::Required && reason.is_none() {
            return Err(Refused::ReasonRequired);
        }
        if template.ticket == Demand::Required && ticket.is_none() {
            return Err(Refused::TicketRequired);
        }
        if let Some(why) = break_glass {
            if !self.caller.break_glass {
                return Err(Refused::NoBreakGlass);
            }
            if visible(why) < BREAK_GLASS_REASON {
                return Err(Refused::BreakGlassReason(BREAK_GLASS_REASON));
            }
        }
        Ok(())
    }

    async fn check_approvers(&self) -> Result<(), AppError> {
        let Wish { template, people, break_glass, .. } = self.wish;
        if break_glass.is_some() {
            return Ok(());
        }
        let (agent, delegator) = (&people.agent.id, &people.delegator.id);
        let barred: &[&UserId] = if template.delegator_may_approve { &[agent] } else { &[agent, delegator] };
        eligible::check(self.tenant, template, barred).await
    }

    async fn find_or_open(&self) -> Result<Ensured, AppError> {
        let roster_key = records::roster_key(self.requester());
        let asks = self.fingerprint();
        let mut tries = self.services.tries();
        while tries.again().await {
            let keys = [all::epoch_key(), roster_key, all::lock_key(self.requester())];
            let snapshot = self.services.store.read(&self.tenant.name, &keys).await?;
            let lock = locks::unlocked(&snapshot, self.requester())?;
            let known = known(&snapshot, roster_key)?;
            let entry = known.roster.open.iter().find(|entry| entry.asks == asks && snapshot.now < entry.end);
            let standing = match entry.map(|entry| entry.id) {
                Some(id) => self.standing(id, known.epoch).await?,
                None => None,
            };
            let basis = Basis { lock, denied: self.denied_before(&known.roster).await?, now: snapshot.now };
            if let Some(found) = standing {
                if let Some(ensured) = self.take(found, basis).await? {
                    return Ok(ensured);
                }
                continue;
            }
            if let Some(id) = self.open(known, roster_key, &asks, basis).await? {
                let (found, _) = read(self.services, self.tenant, id).await?;
                return Ok(ensured(found));
            }
        }
        Err(Reason::Busy.into())
    }

    fn fingerprint(&self) -> String {
        let Wish { people, client, scopes, rule, template, reason, ticket, .. } = self.wish;
        let scopes = scopes.iter().map(String::as_str).collect();
        Asks { delegator: &people.delegator.id, client, scopes, rule, template, reason, ticket }.fingerprint()
    }

    /// The approval of the roster, unless it is over or void.
    async fn standing(&self, id: ApprovalId, epoch: u64) -> Result<Option<Found>, AppError> {
        let snapshot = self.services.store.read(&self.tenant.name, &[records::key(id)]).await?;
        let Some(found) = Found::in_snapshot(&snapshot, id)? else { return Ok(None) };
        if let State::Closed(_) = &found.approval.state {
            settle(self.services, self.tenant, &found).await;
            return Ok(None);
        }
        Ok((found.approval.epoch == epoch).then_some(found))
    }

    /// In an emergency: the last request for the same that was denied, whatever words it was asked for in. Whoever
    /// reviews the emergency has to know.
    async fn denied_before(&self, roster: &Roster) -> Result<Option<ApprovalId>, AppError> {
        if self.wish.break_glass.is_none() {
            return Ok(None);
        }
        let keys: Vec<Key> = roster.open.iter().map(|entry| records::key(entry.id)).collect();
        let snapshot = self.services.store.read(&self.tenant.name, &keys).await?;
        let mut denied = Vec::new();
        for entry in &roster.open {
            let found = Found::in_snapshot(&snapshot, entry.id)?;
            denied.extend(found.map(|found| found.approval).filter(|approval| self.was_denied(approval)));
        }
        Ok(denied.into_iter().max_by_key(|approval| approval.created).map(|approval| approval.id))
    }

    fn was_denied(&self, approval: &Approval) -> bool {
        let (asked, wish) = (&approval.asked, &self.wish);
        let same = asked.delegator.id == wish.people.delegator.id && asked.client == *wish.client;
        same && matches!(&approval.state, State::Closed(closed) if closed.cause == Cause::Denied)
    }

    /// What is there already, with its votes skipped if that is wished; `None`: somebody else was faster.
    async fn take(&self, found: Found, Basis { lock, denied, .. }: Basis) -> Result<Option<Ensured>, AppError> {
        let (Some(why), State::Pending) = (self.wish.break_glass, &found.approval.state) else {
            return Ok(Some(ensured(found)));
        };
        let broken = found.approval.clone().break_glass(why.to_owned(), found.now);
        let after = broken.map_err(Refused::Closed)?;
        let event = events::broken(self.services, &self.tenant.name, &after, denied, found.now);
        let events = vec![self.in_request(event)];
        let more = Part { events, expect: vec![lock], puts: vec![reviews::put_new(&after, denied, found.now)?] };
        if !commit(self.services, self.tenant, &found, &after, more).await?.stands() {
            return Ok(None);
        }
        let (found, _) = read(self.services, self.tenant, after.id).await?;
        Ok(Some(ensured(found)))
    }

    /// Asks for a new one. `None`: somebody else was faster.
    async fn open(
        &self,
        known: Known<'_>,
        roster_key: Key,
        asks: &str,
        Basis { lock, denied, now }: Basis,
    ) -> Result<Option<ApprovalId>, AppError> {
        self.check_approvers().await?;
        let mut roster = with_room(self.services, self.tenant, known.roster, asks, now).await?;
        let approval = self.opened(known.epoch, now)?;
        let (id, key) = (approval.id, records::key(approval.id));
        roster.open.push(RosterEntry { id, asks: asks.to_owned(), end: approval.latest_end() });
        let mut events = vec![events::requested(self.services, &self.tenant.name, &approval, now)];
        let mut puts = vec![records::put_roster(self.requester(), &roster, now)?];
        let approval = match self.wish.break_glass {
            None => approval,
            Some(why) => {
                let broken = approval.break_glass(why.to_owned(), now).map_err(Refused::Closed)?;
                events.push(events::broken(self.services, &self.tenant.name, &broken, denied, now));
                puts.push(reviews::put_new(&broken, denied, now)?);
                broken
            }
        };
        let put = records::put(&approval)?;
        if put.body.len() > records::MOST_BYTES {
            return Err(Refused::TooLong.into());
        }
        puts.push(put);
        let events: Vec<Event> = events.into_iter().map(|event| self.in_request(event)).collect();
        let change = Change {
            expect: vec![
                (key, Expect::Absent),
                (all::epoch_key(), Expect::Version(known.epoch_record.version)),
                (roster_key, known.expect),
                lock,
            ],
            puts,
            events: all::encode_events(&events)?,
            ..Change::new(self.services.change_id(), self.services.not_after(now, self.tenant))
        };
        let settled = self.services.settle(&self.tenant.name, change, key).await?;
        Ok(settled.stands().then_some(id))
    }

    fn opened(&self, epoch: u64, now: Timestamp) -> Result<Approval, AppError> {
        let Wish { people, client, scopes, rule, template, reason, ticket, .. } = self.wish;
        let id = ApprovalId::mint(now, entropy::bytes(&*self.services.entropy));
        let asked = Asked {
            requester: Party::of(&people.agent),
            delegator: Party::of(&people.delegator),
            client: client.clone(),
            issuer: self.tenant.issuer.clone(),
            scopes: scopes.clone(),
            reason: reason.map(str::to_owned),
            ticket: ticket.map(str::to_owned),
            application: None,
        };
        let request = Request {
            tenant: self.tenant.name.clone(),
            request_id: id.to_string(),
            request_version: 1,
            action: Action::Delegation,
            requester: asked.requester.clone(),
            subject: asked.delegator.clone(),
            client_id: asked.client.clone(),
            issuer: asked.issuer.clone(),
            scopes: asked.scopes.clone(),
            roles: BTreeSet::new(),
            not_before: now,
            max_duration_s: u64::try_from(template.valid_for.as_secs()).unwrap_or(0),
            uses: template.max_uses,
            justification: asked.reason.clone(),
            ticket: asked.ticket.clone().map(|id| Ticket { id, system: None }),
            template: TemplateRef { id: rule.to_owned(), version: TEMPLATE_FORM, digest: template.digest() },
            expires_at: now.saturating_add(template.decide_within).unwrap_or(Timestamp::MAX),
            application: None,
        };
        let (binding, _) = request.bind().map_err(|error| not_bound(&error))?;
        let (rule, template) = (rule.to_owned(), template.clone());
        let mut opened = Approval::open(Opening { id, asked, rule, template, binding, epoch }, now);
        opened.trace = trace::here();
        if records::has_room(&opened, false) { Ok(opened) } else { Err(Refused::TooLong.into()) }
    }

    fn in_request(&self, event: Event) -> Event {
        event.in_request(self.caller.request.as_deref())
    }

    async fn write_refusal(&self, exact: &'static str) {
        let Wish { people, client, rule, .. } = self.wish;
        let (services, tenant) = (self.services, self.tenant);
        services
            .record(tenant, |now| {
                let actor = Actor::user_id(self.caller.user.as_str());
                let mut event = services
                    .event(&tenant.name, Code::ApprovalRefused, actor, now)
                    .failed_with(exact)
                    .on_behalf_of(&Party::of(&people.delegator))
                    .through(client.as_str())
                    .detail("operation", "request");
                event.policy.rule = Some(rule.to_owned());
                self.in_request(event)
            })
            .await;
    }
}

/// The roster with room for one that asks for this.
pub(super) async fn with_room(
    services: &Services,
    tenant: &Tenant,
    roster: Roster,
    asks: &str,
    now: Timestamp,
) -> Result<Roster, AppError> {
    let others = roster.open.into_iter().filter(|entry| entry.asks != asks);
    let lines = others.map(|entry| Line { end: entry.end, key: Some(records::key(entry.id)), entry });
    let full = |limit, retry_after| Refused::TooManyOpen { limit, retry_after }.into();
    let limit = Limit { most: tenant.limits.max_open, full };
    let stands = |snapshot: &Snapshot, entry: &RosterEntry| {
        let found = Found::in_snapshot(snapshot, entry.id)?;
        Ok(found.is_some_and(|found| !matches!(found.approval.state, State::Closed(_))))
    };
    Ok(Roster { open: room::made(services, tenant, lines, limit, now, stands).await? })
}

fn known(snapshot: &Snapshot, roster_key: Key) -> Result<Known<'_>, AppError> {
    let (epoch, epoch_record) = epoch::of(snapshot)?;
    let roster = all::find::<Roster>(snapshot, &roster_key)?.map(|(roster, _)| roster).unwrap_or_default();
    Ok(Known { roster, expect: snapshot.as_seen(&roster_key), epoch: epoch.number, epoch_record })
}

fn ensured(found: Found) -> Ensured {
    match found.approval.state {
        State::Pending => Ensured::Pending(Box::new(found.approval)),
        _ => Ensured::Usable(Box::new(found)),
    }
}

pub(super) fn not_bound(error: &BindingError) -> AppError {
    let (BindingError::NotNormalized(at) | BindingError::Deceptive(at)) = error else {
        return Refused::TooLong.into();
    };
    let field = match at.as_str() {
        "justification" => "reason",
        "ticket.id" => "ticket",
        "scopes" => "scopes",
        _ => "delegator",
    };
    let problem = match error {
        BindingError::NotNormalized(_) => "must be in Unicode normalization form C, so that it can be signed",
        _ => "must not contain control, invisible or bidirectional formatting characters",
    };
    AppError::Invalid { field, problem: problem.to_owned() }
}
