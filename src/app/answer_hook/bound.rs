//! What a delegation is bound to besides its grant: an approval, a reservation. It carries both from its initiation, so
//! that one read suffices; the commit expects the versions it carries, and only a conflict has them read again.

use serde::de::DeserializeOwned;

use crate::{
    app::records,
    domain::{
        approval::Approval,
        delegation::{Carried, Delegation},
        reservation::Slot,
    },
    policy::Spent,
    ports::store::{Expect, Key, Put, Snapshot, StoreError},
};

/// The latest that is known of both.
pub(super) struct Bound {
    pub(super) approval: Option<Carried<Approval>>,
    pub(super) reservation: Option<Carried<Slot>>,
}

impl Bound {
    /// As the delegation carries them, or as the snapshot has them.
    pub(super) fn of(delegation: &Delegation, snapshot: &Snapshot) -> Result<Self, StoreError> {
        Ok(Self {
            approval: latest(snapshot, delegation.approval.as_ref(), |a| records::approval_key(&a.id))?,
            reservation: latest(snapshot, delegation.reservation.as_ref(), |s| records::slot_key(&s.account.id))?,
        })
    }

    /// What the commit must find, and what it writes: nothing for what no stage asked for.
    pub(super) fn spend(&self, spent: &Spent) -> Result<Vec<(Key, Expect, Put)>, StoreError> {
        let mut all = Vec::with_capacity(2);
        if let (Some(seen), Some(used)) = (&self.approval, &spent.approval) {
            all.push((records::approval_key(&used.id), Expect::VersionLive(seen.version), records::put_approval(used)?));
        }
        if let (Some(seen), Some(used)) = (&self.reservation, &spent.reservation) {
            let put = records::put_slot(used)?;
            all.push((put.key, Expect::VersionLive(seen.version), put));
        }
        Ok(all)
    }
}

fn latest<T: DeserializeOwned + Clone>(
    snapshot: &Snapshot,
    carried: Option<&Carried<T>>,
    key: impl Fn(&T) -> Key,
) -> Result<Option<Carried<T>>, StoreError> {
    let Some(carried) = carried else { return Ok(None) };
    let Some((body, record)) = records::find(snapshot, &key(&carried.body))? else { return Ok(Some(carried.clone())) };
    Ok(Some(Carried { version: record.version, body }))
}
