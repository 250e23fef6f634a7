//! What holding an account comes to in a commit. Whoever commits it adds what else must hold: epoch, locks, and his own.

use jiff::{SignedDuration, Timestamp};

use super::event_of;
use crate::{
    app::{
        Services, Tenant, epoch,
        error::AppError,
        part::Part,
        records::{self, Roster, RosterEntry},
        room::{self, Limit, Line, seconds},
    },
    domain::{
        audit::Actor,
        delegation::Party,
        ids::UserId,
        reservation::{Made, ReservationRef, SecretHash, Slot, Wish},
        shared_account::SharedAccount,
    },
    ports::store::{Expect, Key, Snapshot},
};

/// Who wants which account. That he may have it was asked already.
pub struct Want<'a> {
    /// The account as configured.
    pub shared: &'a SharedAccount,
    /// The account as the directory knows it now.
    pub account: &'a Party,
    /// Who wants it.
    pub holder: &'a Party,
    /// Hash of the secret of a reservation that is good for a direct login.
    pub secret: Option<SecretHash>,
    /// How long.
    pub hold: SignedDuration,
    /// The request that asks for it, for the audit trail.
    pub request: Option<&'a str>,
}

/// A slot that is held, and what that adds to the commit.
pub struct Hold {
    /// Where the slot is.
    pub key: Key,
    /// The slot, with the reservation in it.
    pub slot: Slot,
    /// Its version, if it stood already; one that is made here gets its version by the commit.
    pub version: Option<u64>,
    /// What the commit needs for it.
    pub part: Part,
}

/// What [`hold_for`] wants to find in the snapshot, besides the epoch: the account's slot and what the holder holds.
pub fn keys(account: &UserId, holder: &UserId) -> [Key; 2] {
    [records::slot_of(account), records::holder_key(holder)]
}

/// The holder's reservation that stands, or one that is made now.
pub async fn hold_for(
    services: &Services,
    tenant: &Tenant,
    snapshot: &Snapshot,
    want: &Want<'_>,
) -> Result<Hold, AppError> {
    let [key, _] = keys(&want.account.id, &want.holder.id);
    let (epoch, _) = epoch::of(snapshot)?;
    let found = records::find::<Slot>(snapshot, &key)?;
    if let Some((slot, record)) = found
        && slot.held(epoch.number, snapshot.now).is_some_and(|it| it.holder.id == want.holder.id)
    {
        let part = Part { expect: vec![(key, Expect::VersionLive(record.version))], ..Part::default() };
        return Ok(Hold { key, slot, version: Some(record.version), part });
    }
    make(services, tenant, snapshot, want).await
}

/// A new reservation.
pub(super) async fn make(
    services: &Services,
    tenant: &Tenant,
    snapshot: &Snapshot,
    want: &Want<'_>,
) -> Result<Hold, AppError> {
    let ([key, roster_key], now) = (keys(&want.account.id, &want.holder.id), snapshot.now);
    let (epoch, _) = epoch::of(snapshot)?;
    let before =
        records::find::<Slot>(snapshot, &key)?.map_or_else(|| Slot::empty(want.account.clone()), |(slot, _)| slot);
    let expires = now.saturating_add(want.hold).unwrap_or(Timestamp::MAX);
    let wish = Wish { holder: want.holder.clone(), secret: want.secret.clone(), expires };
    if let Some(taken) = before.held(epoch.number, now) {
        return Err(reserved(want.shared, &want.holder.id, &taken.holder, taken.expires, now));
    }
    let Made { slot, ended } = before.reserve(wish, epoch.number, now)?;
    let slot = Slot { account: want.account.clone(), ..slot };
    let roster = records::find::<Roster>(snapshot, &roster_key)?.map(|(roster, _)| roster).unwrap_or_default();
    let mut roster = with_room(services, tenant, roster, epoch.number, now).await?;
    roster.pending.push(RosterEntry { reference: slot.reference().to_string(), end: expires });
    let ended = ended.map(|ended| Slot { current: Some(ended), ..slot.clone() });
    let ended = ended.and_then(|slot| event_of(services, &tenant.name, &slot, Actor::service("reservations"), now));
    let made = event_of(services, &tenant.name, &slot, Actor::user(want.holder), now);
    let mut part = Part { events: ended.into_iter().chain(made).collect(), ..Part::default() };
    part.write(records::put_slot(&slot)?, snapshot.as_seen(&key));
    part.write(records::put_holder(&want.holder.id, &roster, now)?, snapshot.as_seen(&roster_key));
    Ok(Hold { key, version: None, part: part.in_request(want.request), slot })
}

/// The refusal for an account that is taken. Who has it is told only where the account shows it, and to himself.
pub(super) fn reserved(
    shared: &SharedAccount,
    asks: &UserId,
    holder: &Party,
    until: Timestamp,
    now: Timestamp,
) -> AppError {
    let shown = shared.show_holder || asks == &holder.id;
    AppError::Reserved { until, holder: shown.then(|| holder.login.clone()), retry_after: seconds(now, until) }
}

/// The roster with room for one more: a hook that consumes a reservation needn't write it.
async fn with_room(
    services: &Services,
    tenant: &Tenant,
    roster: Roster,
    epoch: u64,
    now: Timestamp,
) -> Result<Roster, AppError> {
    let named = |entry: &RosterEntry| ReservationRef::parse(&entry.reference);
    let lines = roster.pending.into_iter().map(|entry| {
        let key = named(&entry).map(|it| records::slot_key(it.slot));
        Line { end: entry.end, key, entry }
    });
    let full = |limit, retry_after| AppError::TooManyHeld { limit, retry_after };
    let limit = Limit { most: tenant.shared.max_held, full };
    let stands = |snapshot: &Snapshot, entry: &RosterEntry| {
        let Some(it) = named(entry) else { return Ok(false) };
        let found = records::find::<Slot>(snapshot, &records::slot_key(it.slot))?;
        let held = found.as_ref().and_then(|(slot, _)| slot.held(epoch, snapshot.now));
        Ok(held.is_some_and(|held| held.generation == it.generation))
    };
    Ok(Roster { pending: room::made(services, tenant, lines, limit, now, stands).await? })
}
