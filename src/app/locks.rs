//! Locks: an account that is locked acts for nobody, and nobody acts for it, from the next hook on.

use super::{
    Services, Tenant,
    caller::Caller,
    error::AppError,
    grants::{find_user, party_of},
    listing::{self, Cursor, Listed},
    records,
};
use crate::{
    domain::{
        audit::{Actor, Code, Event},
        delegation::Party,
        ids::{UserId, UserRef},
        lock::{Lifted, Lock, Placed, Side},
        reason::Reason,
    },
    ports::store::{Change, Expect, Key, Put, Snapshot},
};

/// The caller's side towards this account. Only an administrator may touch another's.
fn side_of(caller: &Caller, user: &UserId) -> Result<Side, AppError> {
    if &caller.user == user {
        return Ok(Side::Owner);
    }
    if caller.administrator { Ok(Side::Administrator) } else { Err(AppError::AdministratorOnly) }
}

/// Locks the caller's account, or another's as an administrator. Gives the lock and whether it is new.
pub async fn place(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    user: Option<&UserRef>,
    reason: Option<String>,
) -> Result<(Lock, bool), AppError> {
    let own = UserRef::Id(caller.user.clone());
    let asked = user.unwrap_or(&own);
    if user.is_some_and(|u| !names_self(caller, u)) && !caller.administrator {
        // Without the role the answer must not tell whether there is such a user.
        let mine = find_user(&*tenant.directory, &own).await?;
        if mine.is_none_or(|me| !crate::policy::grant::is_named(&me, asked)) {
            return Err(services.denied(tenant, caller, "lock.place", asked.as_str()).await);
        }
    }
    let found = find_user(&*tenant.directory, asked).await?.ok_or(AppError::NotFound("user"))?;
    let target = Party::of(&found);
    let side = side_of(caller, &target.id)?;
    let by = party_of(tenant, caller).await?;
    let key = records::lock_key(&target.id);
    let mut tries = services.tries();
    while tries.again().await {
        let (snapshot, own) = read(services, tenant, caller, side, key).await?;
        let present = records::find::<Lock>(&snapshot, &key)?.map(|(lock, _)| lock);
        let placed = Placed { by: by.clone(), at: snapshot.now, reason: reason.clone() };
        let Some(lock) = Lock::place(present.clone(), target.clone(), side, placed) else {
            // `place` refuses only what stands already.
            return Ok((present.ok_or(Reason::Internal)?, false));
        };
        let event = event(services, tenant, Code::LockPlaced, &by, side, &target, &snapshot)
            .in_request(caller.request.as_deref());
        let event = reason.iter().fold(event, |e, text| e.detail("reason", text.as_str()));
        let put = records::put_lock(&lock)?;
        if commit(services, tenant, key, own, Some(put), event, &snapshot).await? {
            return Ok((lock, true));
        }
    }
    Err(Reason::Busy.into())
}

/// Lifts what the caller may lift: the owner his own lock, an administrator both of somebody else's account. Who has
/// taken over an administrator's account doesn't free it from the lock that another placed on it.
pub async fn lift(services: &Services, tenant: &Tenant, caller: &Caller, user: &UserId) -> Result<(), AppError> {
    let Ok(side) = side_of(caller, user) else {
        return Err(services.denied(tenant, caller, "lock.lift", user.as_str()).await);
    };
    let by = party_of(tenant, caller).await?;
    let key = records::lock_key(user);
    let mut tries = services.tries();
    while tries.again().await {
        let (snapshot, own) = read(services, tenant, caller, side, key).await?;
        let Some((lock, _)) = records::find::<Lock>(&snapshot, &key)? else {
            return Err(AppError::NotFound("lock"));
        };
        let target = lock.user.clone();
        let put = match lock.lift(side) {
            Lifted::NotYours => return Err(services.denied(tenant, caller, "lock.lift", user.as_str()).await),
            Lifted::Gone => None,
            Lifted::Remains(rest) => Some(records::put_lock(&rest)?),
        };
        let event = event(services, tenant, Code::LockLifted, &by, side, &target, &snapshot)
            .in_request(caller.request.as_deref());
        if commit(services, tenant, key, own, put, event, &snapshot).await? {
            return Ok(());
        }
    }
    Err(Reason::Busy.into())
}

/// The lock of one account: one's own, or any for an administrator.
async fn find(services: &Services, tenant: &Tenant, caller: &Caller, user: &UserId) -> Result<Option<Lock>, AppError> {
    side_of(caller, user)?;
    let key = records::lock_key(user);
    let snapshot = services.store.read(&tenant.name, &[key]).await?;
    Ok(records::find::<Lock>(&snapshot, &key)?.map(|(lock, _)| lock))
}

/// What must hold in the commit of whoever decides something: his account isn't locked. The snapshot holds the record
/// under [`records::lock_key`], if there is one.
pub(super) fn unlocked(snapshot: &Snapshot, user: &UserId) -> Result<(Key, Expect), AppError> {
    let key = records::lock_key(user);
    if snapshot.get(&key).is_some() { Err(Reason::Locked.into()) } else { Ok((key, Expect::Absent)) }
}

/// Whether the account that `who` names is locked: one's own, or any for an administrator.
pub async fn check(services: &Services, tenant: &Tenant, caller: &Caller, who: &UserRef) -> Result<bool, AppError> {
    let user = match find_user(&*tenant.directory, who).await? {
        Some(user) if caller.administrator || user.id == caller.user => user,
        None if caller.administrator => return Err(AppError::NotFound("user")),
        // The same whether there is such a user or not.
        _ => return Err(services.denied(tenant, caller, "lock.check", who.as_str()).await),
    };
    Ok(find(services, tenant, caller, &user.id).await?.is_some())
}

/// The lock under `key`, for who is about to change it; and what must hold of an administrator's own account: a locked one
/// locks and frees nobody else. Otherwise who has taken it over could lock out those who locked it.
async fn read(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    side: Side,
    key: Key,
) -> Result<(Snapshot, Option<(Key, Expect)>), AppError> {
    let snapshot = services.store.read(&tenant.name, &[key, records::lock_key(&caller.user)]).await?;
    let own = (side == Side::Administrator).then(|| unlocked(&snapshot, &caller.user)).transpose()?;
    Ok((snapshot, own))
}

/// Whether the account that `who` names is locked; for who may know of every account.
pub async fn is_locked(services: &Services, tenant: &Tenant, who: &UserRef) -> Result<bool, AppError> {
    let user = find_user(&*tenant.directory, who).await?.ok_or(AppError::NotFound("user"))?;
    let key = records::lock_key(&user.id);
    Ok(services.store.read(&tenant.name, &[key]).await?.get(&key).is_some())
}

/// Locks that the caller may see: his own account's, or all of them for an administrator.
pub async fn list(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    after: Option<Cursor>,
    limit: usize,
) -> Result<Listed<Lock>, AppError> {
    if !caller.administrator {
        let mine = find(services, tenant, caller, &caller.user).await?;
        return Ok(Listed { items: mine.into_iter().collect(), next: None, unreadable: 0 });
    }
    let found = listing::page(services, tenant, records::locks(), after, limit).await?;
    Ok(Listed::of(&found, |_, record| records::decode(record).map(Some)))
}

fn names_self(caller: &Caller, user: &UserRef) -> bool {
    match user {
        UserRef::Id(id) => id == &caller.user,
        UserRef::Login(text) | UserRef::Either(text) => text.as_str() == caller.user.as_str(),
    }
}

fn event(
    services: &Services,
    tenant: &Tenant,
    code: Code,
    by: &Party,
    side: Side,
    target: &Party,
    snapshot: &Snapshot,
) -> Event {
    let actor = match side {
        Side::Administrator => Actor::user(by).as_administrator(),
        Side::Owner => Actor::user(by),
    };
    services.event(&tenant.name, code, actor, snapshot.now).on("user", &target.id)
}

/// True if it stands, false if somebody else was faster.
async fn commit(
    services: &Services,
    tenant: &Tenant,
    key: Key,
    own: Option<(Key, Expect)>,
    put: Option<Put>,
    event: Event,
    snapshot: &Snapshot,
) -> Result<bool, AppError> {
    let drops = if put.is_none() { vec![key] } else { Vec::new() };
    let change = Change {
        expect: [(key, snapshot.as_seen(&key))].into_iter().chain(own).collect(),
        puts: put.into_iter().collect(),
        drops,
        events: records::encode_events(&[event])?,
        ..Change::new(services.change_id(), services.not_after(snapshot.now, tenant))
    };
    Ok(services.settle(&tenant.name, change, key).await?.stands())
}
