//! What a delegation is bound to besides its grant: an approval, a reservation. It carries both from its initiation, so
//! that one read suffices; the commit expects the versions it carries, and only a conflict has them read again.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::Desk;
use crate::{
    app::{approvals, part::Part, records, reservations},
    domain::{
        approval::Approval,
        delegation::{Carried, Delegation},
        reservation::Slot,
        shared_account::SharedAccounts,
    },
    policy::{Hold, Spent},
    ports::store::{Expect, Key, Snapshot, StoreError},
};

/// The latest that is known of both.
pub(super) struct Bound<'a> {
    pub(super) approval: Option<Cow<'a, Carried<Approval>>>,
    pub(super) reservation: Option<Cow<'a, Carried<Slot>>>,
}

impl<'d> Bound<'d> {
    /// As the delegation carries them, or as the snapshot has them.
    pub(super) fn of(delegation: &'d Delegation, snapshot: &Snapshot) -> Result<Self, StoreError> {
        let (approval, reservation) = (delegation.approval.as_ref(), delegation.reservation.as_ref());
        Ok(Self {
            approval: latest(snapshot, approval, |it| approvals::records::key(it.id))?,
            reservation: latest(snapshot, reservation, |it| records::slot_of(&it.account.id))?,
        })
    }

    /// The reservation that the delegation was initiated with: another one of the same user is another one.
    pub(super) fn hold<'a>(&'a self, delegation: &Delegation, shared: &'a SharedAccounts) -> Option<Hold<'a>> {
        let generation = delegation.reservation.as_ref()?.body.generation;
        let slot = &self.reservation.as_ref()?.body;
        let group = shared.get(slot.account.id.as_str()).map(|account| &account.group);
        Some(Hold { slot, generation, group })
    }

    /// What using them up adds to the hook's commit: nothing for what no stage asked for.
    pub(super) fn spend(&self, desk: &Desk, spent: &Spent, now: Timestamp) -> Result<Part, StoreError> {
        let (services, tenant) = (&desk.services, &desk.tenant);
        let mut part = Part::default();
        if let (Some(seen), Some(used)) = (&self.approval, &spent.approval) {
            part.write(approvals::records::put(used)?, Expect::VersionLive(seen.version));
            part.events.extend(approvals::events::used(services, &tenant.name, &seen.body, used, now));
        }
        if let (Some(seen), Some(used)) = (&self.reservation, &spent.reservation) {
            let (put, event) = reservations::consumed(services, tenant, used, now)?;
            part.write(put, Expect::VersionLive(seen.version));
            part.events.extend(event);
        }
        Ok(part.in_request(desk.request.as_deref()))
    }
}

fn latest<'d, T: DeserializeOwned + Clone>(
    snapshot: &Snapshot,
    carried: Option<&'d Carried<T>>,
    key: impl Fn(&T) -> Key,
) -> Result<Option<Cow<'d, Carried<T>>>, StoreError> {
    let Some(carried) = carried else { return Ok(None) };
    Ok(Some(match records::find(snapshot, &key(&carried.body))? {
        Some((body, record)) => Cow::Owned(Carried { version: record.version, body }),
        None => Cow::Borrowed(carried),
    }))
}
