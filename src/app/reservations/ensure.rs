//! The reservation that an initiation needs: the one that the caller holds, or one that is made for it.

use super::hold::{self, Hold, Want};
use crate::{
    app::{Services, Tenant, caller::Caller, epoch, error::AppError, records},
    domain::{
        delegation::{Carried, Party},
        lock::Lock,
        reason::Reason,
        reservation::Slot,
        shared_account::SharedAccount,
    },
    policy::People,
    ports::store::{Change, Expect, Key, Snapshot},
};

/// Holds the delegator's account for the caller, who acts. That both are active was asked just before, and so were the
/// caller's groups. A commit of its own: what it gives can be expected by its version.
pub async fn ensure(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    people: &People,
) -> Result<Carried<Slot>, AppError> {
    let wish = Wish::of(services, tenant, caller, people)?;
    let mut tries = services.tries().and(1);
    while tries.again().await {
        let (snapshot, hold) = wish.look().await?;
        if let Some(version) = hold.version {
            return Ok(Carried { version, body: hold.slot });
        }
        wish.make(&snapshot, hold).await?;
    }
    Err(Reason::Busy.into())
}

/// What would keep [`ensure`] from ever succeeding for these people, before anybody is asked to decide for them.
pub fn allowed(services: &Services, tenant: &Tenant, caller: &Caller, people: &People) -> Result<(), AppError> {
    Wish::of(services, tenant, caller, people).map(drop)
}

/// What would keep [`ensure`] from succeeding now: all of it, the account's present holder too. Writes nothing.
pub async fn possible_now(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    people: &People,
) -> Result<(), AppError> {
    Wish::of(services, tenant, caller, people)?.look().await.map(drop)
}

/// A shared account, and somebody of its group who wants it.
struct Wish<'a> {
    services: &'a Services,
    tenant: &'a Tenant,
    shared: &'a SharedAccount,
    account: Party,
    holder: Party,
    request: Option<&'a str>,
}

impl<'a> Wish<'a> {
    fn of(services: &'a Services, tenant: &'a Tenant, caller: &'a Caller, people: &People) -> Result<Self, AppError> {
        let shared = tenant.shared.get(people.delegator.id.as_str()).ok_or(Reason::ReservationMissing)?;
        if !people.agent_groups.contains(&shared.group) {
            return Err(Reason::NotAMember.into());
        }
        let (account, holder) = (Party::of(&people.delegator), Party::of(&people.agent));
        Ok(Self { services, tenant, shared, account, holder, request: caller.request.as_deref() })
    }

    fn locks(&self) -> [Key; 2] {
        [&self.account.id, &self.holder.id].map(records::lock_key)
    }

    /// The hold that stands, or what would make one.
    async fn look(&self) -> Result<(Snapshot, Hold), AppError> {
        let Self { services, tenant, shared, account, holder, request } = self;
        let keys = [&hold::keys(&account.id, &holder.id)[..], &self.locks(), &[records::epoch_key()]].concat();
        let snapshot = services.store.read(&tenant.name, &keys).await?;
        for key in self.locks() {
            if records::find::<Lock>(&snapshot, &key)?.is_some() {
                return Err(Reason::Locked.into());
            }
        }
        let want = Want { shared, account, holder, secret: None, hold: shared.hold, request: *request };
        let hold = hold::hold_for(services, tenant, &snapshot, &want).await?;
        Ok((snapshot, hold))
    }

    /// Whatever comes of it, the next look tells.
    async fn make(&self, snapshot: &Snapshot, hold: Hold) -> Result<(), AppError> {
        let (services, tenant) = (self.services, self.tenant);
        let (_, epoch) = epoch::of(snapshot)?;
        let mut part = hold.part;
        part.expect.push((records::epoch_key(), Expect::Version(epoch.version)));
        part.expect.extend(self.locks().map(|key| (key, Expect::Absent)));
        let change = part.into_change(Change::new(services.change_id(), services.not_after(snapshot.now, tenant)))?;
        services.settle(&tenant.name, change, hold.key).await?;
        Ok(())
    }
}
