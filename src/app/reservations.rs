//! Reservations of shared accounts: who may, who does, and how it ends.

mod accounts;
mod end;
mod ensure;
mod hold;
mod reserve;

pub use self::{
    accounts::{Availability, Offered, accounts},
    end::{consumed, force_release, invalidate, lapse, release},
    ensure::{allowed, ensure, possible_now},
    hold::{Hold, Want, hold_for, keys},
    reserve::{Request, Reserved, Wanted, reserve},
};
use super::{
    Services, Tenant,
    caller::Caller,
    epoch,
    error::AppError,
    listing::{self, Cursor, Listed},
    records,
};
use crate::domain::{
    audit::{Actor, Code, Event},
    ids::TenantName,
    reservation::{Reservation, ReservationRef, Slot, State},
};
use jiff::Timestamp;

/// What the caller holds or held last, newest first. Of each account only the last reservation is kept here; those
/// before it stand in the audit trail.
pub async fn list(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    after: Option<Cursor>,
    limit: usize,
) -> Result<Listed<Slot>, AppError> {
    let epoch = number(services, &tenant.name).await?;
    let found = listing::page(services, tenant, records::by_holder(&caller.user), after, limit).await?;
    Ok(Listed::of(&found, |_, record| {
        let slot: Slot = records::decode(record)?;
        let is_his = slot.current.as_ref().is_some_and(|it| it.holder.id == caller.user);
        Ok(is_his.then(|| slot.lapse(epoch, found.now).unwrap_or(slot)))
    }))
}

/// One reservation: the caller's own; for an administrator, any. One whose account was reserved again isn't there.
pub async fn find(services: &Services, tenant: &Tenant, caller: &Caller, id: &str) -> Result<Slot, AppError> {
    let reference = ReservationRef::parse(id).ok_or(AppError::NotFound("reservation"))?;
    let keys = [records::slot_key(reference.slot), records::epoch_key()];
    let snapshot = services.store.read(&tenant.name, &keys).await?;
    let (epoch, _) = epoch::of(&snapshot)?;
    let found = records::find::<Slot>(&snapshot, &keys[0])?.map(|(slot, _)| slot);
    let named = found.filter(|slot| is_named(slot, reference));
    let his = |it: &Reservation| caller.administrator || it.holder.id == caller.user;
    let slot = named.filter(|slot| slot.current.as_ref().is_some_and(his));
    let slot = slot.ok_or(AppError::NotFound("reservation"))?;
    Ok(slot.lapse(epoch.number, snapshot.now).unwrap_or(slot))
}

fn is_named(slot: &Slot, reference: ReservationRef) -> bool {
    slot.current.as_ref().is_some_and(|it| it.generation == reference.generation)
}

async fn number(services: &Services, tenant: &TenantName) -> Result<u64, AppError> {
    let snapshot = services.store.read(tenant, &[records::epoch_key()]).await?;
    Ok(epoch::of(&snapshot)?.0.number)
}

/// The event of a reservation's present state. `None` for an empty slot.
pub fn event_of(services: &Services, tenant: &TenantName, slot: &Slot, actor: Actor, now: Timestamp) -> Option<Event> {
    let current = slot.current.as_ref()?;
    let code = match &current.state {
        State::Held => Code::ReservationMade,
        State::Consumed(_) => Code::ReservationConsumed,
        State::Expired { .. } => Code::ReservationExpired,
        State::Released { .. } => Code::ReservationReleased,
        State::ForceReleased { .. } => Code::ReservationForceReleased,
        State::Invalidated { .. } => Code::ReservationInvalidated,
    };
    let before = (current.state != State::Held).then_some(State::Held.name());
    let event = services
        .event(tenant, code, actor, now)
        .on("reservation", &ReservationRef { generation: current.generation, ..slot.reference() })
        .on("user", &slot.account.id)
        .on("user", &current.holder.id)
        .changed(before, current.state.name());
    Some(match &current.state {
        State::Held => event.detail("until", current.expires.to_string()),
        State::ForceReleased { reason, .. } => event.detail("reason", reason.as_str()),
        State::Invalidated { why, .. } => event.detail("why", why.code()),
        _ => event,
    })
}
