//! The reservation that an initiation needs: the one that the caller holds, or one that is made for it.

use super::hold::{self, Hold, Want, no};
use crate::{
    app::{Services, Tenant, caller::Caller, epoch, error::AppError, records},
    domain::{
        delegation::{Carried, Party},
        ids::UserId,
        lock::Lock,
        reason::Reason,
        reservation::Slot,
    },
    policy::People,
    ports::store::{Change, Committed, Expect, Key, Snapshot},
};

/// Holds the delegator's account for the caller, who acts. That both are active was asked just before, and so were the
/// caller's groups. A commit of its own: what it gives can be expected by its version.
pub async fn ensure(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    people: &People,
) -> Result<Carried<Slot>, AppError> {
    let shared =
        tenant.shared.get(people.delegator.id.as_str()).ok_or(AppError::Refused(Reason::ReservationMissing))?;
    if !people.agent_groups.contains(&shared.group) {
        return Err(AppError::Refused(Reason::NotAMember));
    }
    let (account, holder) = (Party::of(&people.delegator), Party::of(&people.agent));
    let request = caller.request.as_deref();
    let want = Want { shared, account: &account, holder: &holder, secret: None, hold: shared.hold, request };
    let locks = locks([&account.id, &holder.id]);
    let keys: Vec<Key> = hold::keys(&account.id, &holder.id).into_iter().chain(locks).collect();
    let mut tries = services.tries().and(1);
    while tries.again().await {
        let snapshot = services.store.read(&tenant.name, &[&keys[..], &[records::epoch_key()]].concat()).await?;
        for key in locks {
            if records::find::<Lock>(&snapshot, &key)?.is_some() {
                return Err(no(Reason::Locked));
            }
        }
        let hold = hold::hold_for(services, tenant, &snapshot, &want).await?;
        if let Some(version) = hold.version {
            return Ok(Carried { version, body: hold.slot });
        }
        make(services, tenant, &snapshot, hold, locks).await?;
    }
    Err(no(Reason::Busy))
}

fn locks(users: [&UserId; 2]) -> [Key; 2] {
    users.map(records::lock_key)
}

/// Whatever comes of it, the next look tells.
async fn make(
    services: &Services,
    tenant: &Tenant,
    snapshot: &Snapshot,
    hold: Hold,
    locks: [Key; 2],
) -> Result<(), AppError> {
    let (_, epoch) = epoch::of(snapshot).map_err(no)?;
    let mut part = hold.part;
    part.expect.push((records::epoch_key(), Expect::Version(epoch.version)));
    part.expect.extend(locks.map(|key| (key, Expect::Absent)));
    let change = part.into_change(Change::new(services.change_id(), services.not_after(snapshot.now, tenant)))?;
    match services.commit_and_settle(&tenant.name, change, hold.key).await? {
        Committed::Done(_) | Committed::Conflict(_) => Ok(()),
        Committed::Late | Committed::Fenced => Err(no(Reason::StoreUnavailable)),
    }
}
