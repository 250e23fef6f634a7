//! Ends of reservations but their use: the holder's, an administrator's, and those that nobody asks for.

use jiff::Timestamp;

use super::{event_of, is_named};
use crate::{
    app::{Services, Tenant, caller::Caller, epoch, error::AppError, grants::party_of, locks, records},
    domain::{
        audit::{Actor, Event},
        ids::TenantName,
        reason::Reason,
        reservation::{ReservationRef, Slot, State},
    },
    ports::store::{Change, Expect, Put, StoreError},
};

/// Gives back what the caller holds. What he gave back before is no error.
pub async fn release(services: &Services, tenant: &Tenant, caller: &Caller, id: &str) -> Result<(), AppError> {
    let reference = ReservationRef::parse(id).ok_or(AppError::NotFound("reservation"))?;
    let mine = |slot: &Slot| slot.current.as_ref().is_some_and(|it| it.holder.id == caller.user);
    let end = |slot: Slot, epoch, now| slot.release(reference.generation, &caller.user, epoch, now);
    let actor = |slot: &Slot| slot.current.as_ref().map(|it| Actor::user(&it.holder));
    let give_back = Ending { reference, decides: false };
    let done = change(services, tenant, caller, give_back, mine, end, actor).await;
    match done {
        Err(AppError::NotHeld("RELEASED")) => Ok(()),
        other => other,
    }
}

/// Takes it from whoever holds it.
pub async fn force_release(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    id: &str,
    reason: String,
) -> Result<(), AppError> {
    let reference = ReservationRef::parse(id);
    if !caller.administrator {
        let named = reference.map_or_else(|| "-".to_owned(), |it| it.to_string());
        return Err(services.denied(tenant, caller, "reservation.force_release", &named).await);
    }
    let reference = reference.ok_or(AppError::NotFound("reservation"))?;
    let by = party_of(tenant, caller).await?;
    let actor = Actor::user(&by).as_administrator();
    let end = |slot: Slot, epoch, now| slot.force_release(reference.generation, by.clone(), reason.clone(), epoch, now);
    let release = Ending { reference, decides: true };
    change(services, tenant, caller, release, |_| true, end, |_| Some(actor.clone())).await
}

/// Which reservation is to end.
#[derive(Clone, Copy)]
struct Ending {
    reference: ReservationRef,
    /// It is somebody else's: then the caller's own account must not be locked.
    decides: bool,
}

/// Ends the reservation of that generation. One that is not `known` to the caller isn't there.
async fn change(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    Ending { reference, decides }: Ending,
    known: impl Fn(&Slot) -> bool,
    end: impl Fn(Slot, u64, Timestamp) -> Result<Slot, Reason>,
    actor: impl Fn(&Slot) -> Option<Actor>,
) -> Result<(), AppError> {
    let key = records::slot_key(reference.slot);
    let keys = [key, records::epoch_key(), records::lock_key(&caller.user)];
    let mut tries = services.tries();
    while tries.again().await {
        let snapshot = services.store.read(&tenant.name, &keys).await?;
        let lock = decides.then(|| locks::unlocked(&snapshot, &caller.user)).transpose()?;
        let (epoch, epoch_record) = epoch::of(&snapshot)?;
        let found =
            records::find::<Slot>(&snapshot, &key)?.filter(|(slot, _)| is_named(slot, reference) && known(slot));
        let Some((slot, record)) = found else { return Err(AppError::NotFound("reservation")) };
        let stands = slot.lapse(epoch.number, snapshot.now).unwrap_or_else(|| slot.clone());
        let Ok(ended) = end(slot, epoch.number, snapshot.now) else {
            return Err(AppError::NotHeld(stands.current.map_or("AVAILABLE", |it| it.state.name())));
        };
        let event = actor(&ended).and_then(|who| event_of(services, &tenant.name, &ended, who, snapshot.now));
        let event = event.map(|event| event.in_request(caller.request.as_deref()));
        let change = Change {
            expect: [
                (key, Expect::VersionLive(record.version)),
                (records::epoch_key(), Expect::Version(epoch_record.version)),
            ]
            .into_iter()
            .chain(lock)
            .collect(),
            puts: vec![records::put_slot(&ended)?],
            events: records::encode_events(event.as_slice())?,
            ..Change::new(services.change_id(), services.not_after(snapshot.now, tenant))
        };
        if services.settle(&tenant.name, change, key).await?.stands() {
            return Ok(());
        }
    }
    Err(Reason::Busy.into())
}

/// Ends a reservation that has lost what it rests on. For hooks, which refuse because of it: true if this wrote it.
/// Where somebody else changed the slot meanwhile, or the store fails, the next one to look will see the same.
pub async fn invalidate(services: &Services, tenant: &Tenant, reference: ReservationRef, why: Reason) -> bool {
    match try_invalidate(services, tenant, reference, why).await {
        Ok(written) => written,
        Err(error) => {
            tracing::warn!(tenant = %tenant.name, %error, "a reservation could not be made void");
            false
        }
    }
}

async fn try_invalidate(
    services: &Services,
    tenant: &Tenant,
    reference: ReservationRef,
    why: Reason,
) -> Result<bool, AppError> {
    let key = records::slot_key(reference.slot);
    let mut tries = services.tries();
    while tries.again().await {
        let snapshot = services.store.read(&tenant.name, &[key, records::epoch_key()]).await?;
        let (epoch, _) = epoch::of(&snapshot)?;
        let Some((slot, record)) = records::find::<Slot>(&snapshot, &key)? else { return Ok(false) };
        let Ok(void) = slot.invalidate(reference.generation, why, epoch.number, snapshot.now) else { return Ok(false) };
        let event = event_of(services, &tenant.name, &void, Actor::service("hook"), snapshot.now);
        let change = Change {
            expect: vec![(key, Expect::Version(record.version))],
            puts: vec![records::put_slot(&void)?],
            events: records::encode_events(event.as_slice())?,
            ..Change::new(services.change_id(), services.not_after(snapshot.now, tenant))
        };
        if services.settle(&tenant.name, change, key).await?.stands() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What becomes of a slot without anybody's doing, for the reaper: its record and its event. `None`: nothing yet.
pub fn lapse(
    services: &Services,
    tenant: &TenantName,
    slot: &Slot,
    epoch: u64,
    now: Timestamp,
) -> Result<Option<(Put, Event)>, AppError> {
    let Some(ended) = slot.lapse(epoch, now) else { return Ok(None) };
    let event = event_of(services, tenant, &ended, Actor::service("reaper"), now);
    Ok(event.map(|event| records::put_slot(&ended).map(|put| (put, event))).transpose()?)
}

/// The event and the record of a reservation that a hook used.
pub fn consumed(
    services: &Services,
    tenant: &Tenant,
    slot: &Slot,
    now: Timestamp,
) -> Result<(Put, Option<Event>), StoreError> {
    let used = slot.current.as_ref().filter(|it| matches!(it.state, State::Consumed(_)));
    let event = used.and_then(|it| event_of(services, &tenant.name, slot, Actor::user(&it.holder), now));
    Ok((records::put_slot(slot)?, event))
}
