//! Ends what nobody touched in time, and drops what ended long ago. One bounded pass: no input, safe to repeat,
//! harmless in many processes at once, because every step is a compare-and-set.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::{Services, approvals, epoch, error::AppError, records, reservations};
use crate::{
    domain::{
        audit::{Actor, Code, Event},
        delegation::{Delegation, State},
        ids::{DelegationRef, TenantName},
        reservation::Slot,
    },
    ports::store::{Change, Committed, Expect, Index, Key, ListPage, Page, Put, Record},
};

/// Records looked at in one pass, of each list.
const BATCH: usize = 200;
/// Records in one commit: few enough that no hook waits long behind it.
const TOGETHER: usize = 50;
/// How long a commit may be on its way.
const PATIENCE: SignedDuration = SignedDuration::from_secs(10);

/// What a pass did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pass {
    /// Delegations, approvals and reservations that were ended.
    pub expired: usize,
    /// Used delegations that were taken off the list of what is due.
    pub retired: usize,
    /// Records that were dropped.
    pub dropped: usize,
    /// True if there is more to do at once.
    pub more: bool,
}

impl Pass {
    /// True if it changed anything.
    pub fn got_on(&self) -> bool {
        self.expired + self.retired + self.dropped > 0
    }
}

/// What is done to one record.
enum Step {
    Expire(Box<Put>, Vec<Event>),
    Retire(Put),
    Drop,
}

/// A step, and the version of the record that it is for.
struct Planned {
    key: Key,
    version: u64,
    step: Step,
}

/// One pass over one tenant.
pub async fn pass(services: &Services, tenant: &TenantName) -> Result<Pass, AppError> {
    let snapshot = services.store.read(tenant, &[records::epoch_key()]).await?;
    let now = records::millis(snapshot.now);
    let due = list(services, tenant, records::due(), now).await?;
    let gone = list(services, tenant, records::droppable(), now).await?;
    // Of all ends: those of an older epoch are void before their time. They are no more than a tenant has accounts.
    let held = list(services, tenant, records::held(), u64::MAX).await?;
    let mut pass = Pass { more: due.more || gone.more, ..Pass::default() };
    let mut plan: Vec<Planned> = Vec::new();
    if let Ok((epoch, _)) = epoch::of(&snapshot) {
        for (_, key, record) in &held.rows {
            let step = lapse(services, tenant, record, epoch.number, held.now)?;
            plan.extend(step.map(|step| Planned { key: *key, version: record.version, step }));
        }
    }
    for (_, key, record) in due.rows.iter().filter(|(_, key, _)| records::is_delegation(key)) {
        let step = end(services, tenant, *key, record, due.now)?;
        plan.extend(step.map(|step| Planned { key: *key, version: record.version, step }));
    }
    let approvals = list(services, tenant, approvals::records::due(), now).await?;
    pass.more |= approvals.more;
    for (_, key, record) in &approvals.rows {
        match approvals::lapse(services, tenant, record, approvals.now) {
            Ok(None) => {}
            Ok(Some((put, events))) => {
                let step = Step::Expire(Box::new(put), events);
                plan.push(Planned { key: *key, version: record.version, step });
            }
            // One record that can't be read must not keep the others from ending.
            Err(error) => tracing::error!(%tenant, %error, "an approval can't be ended"),
        }
    }
    let dropped = gone.rows.iter().filter(|(_, _, record)| record.drop_at.is_some_and(|at| at <= gone.now));
    plan.extend(dropped.map(|(_, key, record)| Planned { key: *key, version: record.version, step: Step::Drop }));
    for part in plan.chunks(TOGETHER) {
        carry_out(services, tenant, part, due.now, &mut pass).await?;
    }
    Ok(pass)
}

async fn list(services: &Services, tenant: &TenantName, index: Index, up_to: u64) -> Result<ListPage, AppError> {
    Ok(services.store.list(tenant, index, Page { up_to, after: None, limit: BATCH }).await?)
}

/// What becomes of a delegation that is due; `None`: nothing yet.
fn end(
    services: &Services,
    tenant: &TenantName,
    key: Key,
    record: &Record,
    now: Timestamp,
) -> Result<Option<Step>, AppError> {
    let delegation: Delegation = match records::decode(record) {
        Ok(delegation) => delegation,
        // One record that can't be read must not keep the others from ending.
        Err(error) => {
            tracing::error!(%tenant, %error, "a delegation can't be ended");
            return Ok(None);
        }
    };
    if delegation.state != State::Pending {
        return Ok(Some(Step::Retire(records::put_ended(key, &delegation)?)));
    }
    let Some(expired) = delegation.expire(now) else { return Ok(None) };
    let event = services
        .event(tenant, Code::DelegationExpired, Actor::service("reaper"), now)
        .on_behalf_of(&expired.delegator)
        .on("delegation", &DelegationRef(key.id))
        .on("agent", &expired.binding.agent.id)
        .through(expired.binding.client.as_str())
        .changed(Some("PENDING"), expired.state.name());
    Ok(Some(Step::Expire(Box::new(records::put_ended(key, &expired)?), vec![event])))
}

/// What becomes of a shared account's slot; `None`: nothing yet.
fn lapse(
    services: &Services,
    tenant: &TenantName,
    record: &Record,
    epoch: u64,
    now: Timestamp,
) -> Result<Option<Step>, AppError> {
    let slot: Slot = match records::decode(record) {
        Ok(slot) => slot,
        Err(error) => {
            tracing::error!(%tenant, %error, "a reservation can't be ended");
            return Ok(None);
        }
    };
    let ended = reservations::lapse(services, tenant, &slot, epoch, now)?;
    Ok(ended.map(|(put, event)| Step::Expire(Box::new(put), vec![event])))
}

/// Does these in one commit, without those that somebody else changed meanwhile.
async fn carry_out(
    services: &Services,
    tenant: &TenantName,
    plan: &[Planned],
    now: Timestamp,
    pass: &mut Pass,
) -> Result<(), AppError> {
    let mut plan: Vec<&Planned> = plan.iter().collect();
    while !plan.is_empty() {
        match services.store.commit(tenant, change(services, &plan, now)?).await? {
            Committed::Done(_) => break,
            Committed::Conflict(key) => plan.retain(|planned| planned.key != key),
            Committed::Fenced | Committed::Late => return Ok(()),
        }
    }
    for planned in plan {
        match planned.step {
            Step::Expire(..) => pass.expired += 1,
            Step::Retire(_) => pass.retired += 1,
            Step::Drop => pass.dropped += 1,
        }
    }
    Ok(())
}

fn change(services: &Services, plan: &[&Planned], now: Timestamp) -> Result<Change, AppError> {
    let mut change = Change {
        expect: Vec::with_capacity(plan.len()),
        ..Change::new(services.change_id(), now.saturating_add(PATIENCE).unwrap_or(now))
    };
    for planned in plan {
        change.expect.push((planned.key, Expect::Version(planned.version)));
        match &planned.step {
            Step::Expire(put, events) => {
                change.puts.push((**put).clone());
                change.events.extend(records::encode_events(events)?);
            }
            Step::Retire(put) => change.puts.push(put.clone()),
            Step::Drop => change.drops.push(planned.key),
        }
    }
    Ok(change)
}

/// A delegation of which only its state is read: they are counted by the thousand.
#[derive(Deserialize)]
struct Standing {
    state: StateName,
}

#[derive(Deserialize)]
struct StateName {
    is: String,
}

/// Delegations that still wait, counted up to a bound that no dashboard needs to tell from "very many".
pub async fn pending(services: &Services, tenant: &TenantName) -> Result<u64, AppError> {
    const PAGES: usize = 10;
    let (mut count, mut after) = (0, None);
    for _ in 0..PAGES {
        let page = Page { up_to: u64::MAX, after, limit: 1000 };
        let found = services.store.list(tenant, records::due(), page).await?;
        let waits =
            |record: &Record| records::decode::<Standing>(record).is_ok_and(|it| it.state.is == State::Pending.name());
        count += found.rows.iter().filter(|(_, _, record)| waits(record)).count() as u64;
        after = found.rows.last().map(|(sort, key, _)| (*sort, *key));
        if !found.more {
            break;
        }
    }
    Ok(count)
}
