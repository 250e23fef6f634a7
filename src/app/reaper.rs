//! Ends what nobody touched in time, and drops what ended long ago. One bounded pass: no input, safe to repeat,
//! harmless in many processes at once, because every step is a compare-and-set.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::{
    Services, approvals, epoch,
    error::AppError,
    past::{Look, Place, Seen, Unread},
    records, reservations,
};
use crate::{
    domain::{
        audit::{Actor, Code, Event},
        delegation::{Delegation, State},
        ids::{DelegationRef, TenantName},
        reservation::Slot,
    },
    ports::store::{Change, Committed, Expect, Index, Key, Page, Put, Record},
};

/// Records looked at in one pass, of each list.
const BATCH: usize = 200;
/// Reads of each list in one pass, where it holds records that can't be read.
const READS: usize = 25;
/// Records in one commit: few enough that no hook waits long behind it.
const TOGETHER: usize = 50;
/// How long a commit may be on its way.
const PATIENCE: SignedDuration = SignedDuration::from_secs(10);

/// What a pass did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pass {
    /// Delegations, approvals and reservations that were ended.
    pub expired: usize,
    /// Used delegations that were taken off the list of what is due.
    pub retired: usize,
    /// Records that were dropped.
    pub dropped: usize,
    /// Records that can't be read, as far as it came upon them.
    pub unread: Unread,
    /// True if there is more to do at once.
    pub more: bool,
}

impl Pass {
    /// True if it changed anything.
    pub fn got_on(&self) -> bool {
        self.expired + self.retired + self.dropped > 0
    }
}

/// Where the next pass begins in each list: at its beginning, unless there was too much that can't be read.
#[derive(Debug, Default)]
pub struct Places {
    due: Place,
    gone: Place,
    held: Place,
    approvals: Place,
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
pub async fn pass(services: &Services, tenant: &TenantName, places: &mut Places) -> Result<Pass, AppError> {
    let snapshot = services.store.read(tenant, &[records::epoch_key()]).await?;
    let now = records::millis(snapshot.now);
    let (mut pass, mut plan, mut keys) = (Pass::default(), Vec::new(), BTreeSet::new());
    let mut take = |seen: Seen<Planned>, counts: bool| {
        pass.more |= counts && seen.more;
        pass.unread = std::mem::take(&mut pass.unread).and(seen.unread);
        // No change may name a record twice: one that two lists have is done by the first.
        plan.extend(seen.items.into_iter().filter(|it: &Planned| keys.insert(it.key)));
    };
    let look = |index: Index, up_to: u64| Look { index, up_to, rows: BATCH, enough: BATCH, reads: READS };
    if let Ok((epoch, _)) = epoch::of(&snapshot) {
        // Of all ends: those of an older epoch are void before their time. They are no more than a tenant has accounts.
        let lapsed =
            |key, record: &Record, now| planned(key, record, now, lapse(services, tenant, record, epoch.number, now));
        take(look(records::held(), u64::MAX).past(services, tenant, &mut places.held, lapsed).await?, false);
    }
    let ended = |key, record: &Record, now| {
        if !records::is_delegation(&key) {
            return Ok(None);
        }
        planned(key, record, now, end(services, tenant, key, record, now))
    };
    take(look(records::due(), now).past(services, tenant, &mut places.due, ended).await?, true);
    let decided = |key, record: &Record, now| {
        let ended = approvals::lapse(services, tenant, record, now);
        let step = ended.map(|ended| ended.map(|(put, events)| Step::Expire(Box::new(put), events)));
        planned(key, record, now, step.map_err(AppError::from))
    };
    take(look(approvals::records::due(), now).past(services, tenant, &mut places.approvals, decided).await?, true);
    let dropped = |key, record: &Record, now| planned(key, record, now, Ok(may_go(record, now).then_some(Step::Drop)));
    take(look(records::droppable(), now).past(services, tenant, &mut places.gone, dropped).await?, true);
    for part in plan.chunks(TOGETHER) {
        carry_out(services, tenant, part, snapshot.now, &mut pass).await?;
    }
    Ok(pass)
}

fn may_go(record: &Record, now: Timestamp) -> bool {
    record.drop_at.is_some_and(|at| at <= now)
}

/// The step with its record. One whose content can't be read, and that may be dropped by what stands before it, is: it
/// is over by its kind's own reckoning, and nobody can use what can't be read. Only that it ended is never told. One
/// of which not even that can be read stays, because what it is listed under can't be taken away with it.
fn planned(
    key: Key,
    record: &Record,
    now: Timestamp,
    step: Result<Option<Step>, AppError>,
) -> Result<Option<Planned>, AppError> {
    let step = match step {
        Err(_) if may_go(record, now) => Some(Step::Drop),
        other => other?,
    };
    Ok(step.map(|step| Planned { key, version: record.version, step }))
}

/// What becomes of a delegation that is due; `None`: nothing yet.
fn end(
    services: &Services,
    tenant: &TenantName,
    key: Key,
    record: &Record,
    now: Timestamp,
) -> Result<Option<Step>, AppError> {
    let delegation: Delegation = records::decode(record)?;
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
    let slot: Slot = records::decode(record)?;
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
/// Of one that can't be read nobody knows whether it waits: another gauge counts these.
pub async fn pending(services: &Services, tenant: &TenantName) -> Result<u64, AppError> {
    const PAGES: usize = 10;
    let (mut count, mut after) = (0, None);
    for _ in 0..PAGES {
        let page = Page { up_to: u64::MAX, after, limit: 1000 };
        let found = services.store.list(tenant, records::due(), page).await?;
        let waits =
            |record: &Record| records::decode::<Standing>(record).is_ok_and(|it| it.state.is == State::Pending.name());
        count += found.readable().filter(|(_, _, record)| waits(record)).count() as u64;
        after = found.end();
        if !found.more {
            break;
        }
    }
    Ok(count)
}
