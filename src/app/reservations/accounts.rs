//! Which accounts may I reserve?

use std::pin::pin;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;

use crate::{
    app::{Services, Tenant, caller::Caller, epoch, error::AppError, records},
    domain::{
        ids::{Login, UserId, UserRef},
        reservation::{Reservation, Slot},
        shared_account::SharedAccount,
        user::User,
    },
    policy::shared_account,
    ports::store::Key,
};

/// Look-ups that run at the same time.
const AT_ONCE: usize = 8;

/// Whether an account can be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Availability {
    /// Nobody has it.
    Free,
    /// Somebody has it.
    Held {
        /// The first instant at which it is free, unless it is before.
        until: Timestamp,
        /// His login, where the caller may know.
        holder: Option<Login>,
    },
    /// It isn't active, or the directory doesn't know it.
    Inactive,
    /// It is locked.
    Locked,
}

/// An account that the caller may reserve.
pub struct Offered<'a> {
    /// As configured.
    pub shared: &'a SharedAccount,
    /// Its login, if the directory knows it.
    pub login: Option<Login>,
    /// Whether it can be had.
    pub availability: Availability,
}

/// The shared accounts of the groups in which the caller is now, by id.
pub async fn accounts<'a>(
    services: &Services,
    tenant: &'a Tenant,
    caller: &Caller,
) -> Result<Vec<Offered<'a>>, AppError> {
    if tenant.shared.is_empty() {
        return Ok(Vec::new());
    }
    let member = shared_account::member(&*tenant.directory, &caller.user).await?;
    let his: Vec<&SharedAccount> = tenant.shared.iter().filter(|account| member.may_use(account).is_ok()).collect();
    let slot_key = |account: &SharedAccount| records::slot_of(&account.id);
    let of_account = |account: &&SharedAccount| [slot_key(account), records::lock_key(&account.id)];
    let keys: Vec<Key> = his.iter().flat_map(of_account).chain([records::epoch_key()]).collect();
    let snapshot = services.store.read(&tenant.name, &keys).await?;
    let (epoch, _) = epoch::of(&snapshot)?;
    let look_up = |account: &'a SharedAccount| async move {
        let found = tenant.directory.user(&UserRef::Id(account.id.clone())).await?;
        Ok::<_, AppError>((account, found.filter(|user| user.id == account.id)))
    };
    let mut answers = pin!(stream::iter(his).map(look_up).buffered(AT_ONCE));
    let mut offered = Vec::new();
    while let Some((shared, user)) = answers.try_next().await? {
        let slot = records::find::<Slot>(&snapshot, &slot_key(shared))?.map(|(slot, _)| slot);
        let held = slot.as_ref().and_then(|slot| slot.held(epoch.number, snapshot.now));
        let availability = match held {
            Some(held) => held_by(shared, held, &caller.user),
            None if !user.as_ref().is_some_and(User::is_active) => Availability::Inactive,
            None if snapshot.get(&records::lock_key(&shared.id)).is_some() => Availability::Locked,
            None => Availability::Free,
        };
        offered.push(Offered { shared, login: user.map(|user| user.login), availability });
    }
    Ok(offered)
}

fn held_by(shared: &SharedAccount, held: &Reservation, asks: &UserId) -> Availability {
    let shown = shared.show_holder || &held.holder.id == asks;
    Availability::Held { until: held.expires, holder: shown.then(|| held.holder.login.clone()) }
}
