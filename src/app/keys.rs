//! The keys with which approvers sign: registered by their owners, approved by somebody else where the tenant wants
//! that, and revoked with effect on the very next vote.

pub mod records;
pub mod service;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use self::records::{pending, pointer_key, put_pointer, put_ring, ring_key};
use super::{
    Services, Tenant,
    approvals::Me,
    caller::Caller,
    error::AppError,
    grants::find_user,
    listing::{self, Cursor, Listed},
    locks, records as all,
};
use crate::{
    domain::{
        approval::{
            Choice,
            jwk::{Jwk, Kid},
            keys::{ApproverKey, KeyRefusal, KeyRing, KeyState, MOST_KEYS, may_decide},
            signature::{Fault, is_fresh},
            template::Approver,
        },
        audit::{Actor, Code, Event},
        delegation::Party,
        ids::{UserId, UserRef},
        reason::Reason,
        user::User,
    },
    ports::store::{Change, Expect, Key, Put},
};

/// What a tenant demands of approvers' keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyPolicy {
    /// Who approves new keys; empty: nobody has to, and a fresh sign-in is asked for instead.
    pub approvers: BTreeSet<Approver>,
    /// How long a key must have been in use when a challenge is made, to sign for it.
    pub cooldown: SignedDuration,
}

/// Why nothing was done about a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefused {
    /// The same key is, or was, registered: by whoever.
    #[error("this key is registered already, or was; make a new one")]
    Exists,
    /// He has enough.
    #[error("you have {MOST_KEYS} keys; revoke one first")]
    TooMany,
    /// It is over, or decided about.
    #[error("the key is {0}")]
    Closed(&'static str),
    /// Whoever registers a key must be somebody in the directory whose account works.
    #[error("your account isn't active in the directory")]
    Inactive,
}

impl KeyRefused {
    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Exists => "key-exists",
            Self::TooMany => "too-many-keys",
            Self::Closed(_) => "key-closed",
            Self::Inactive => "account-inactive",
        }
    }
}

impl From<KeyRefusal> for AppError {
    fn from(refusal: KeyRefusal) -> Self {
        match refusal {
            // Who may not decide isn't told that there is something to decide about.
            KeyRefusal::Unknown | KeyRefusal::NotAnApprover => Self::NotFound("key"),
            KeyRefusal::TooMany => KeyRefused::TooMany.into(),
            KeyRefusal::Closed(state) => KeyRefused::Closed(state).into(),
        }
    }
}

/// The caller's own keys.
pub async fn list(services: &Services, tenant: &Tenant, caller: &Caller) -> Result<Vec<ApproverKey>, AppError> {
    let key = ring_key(&caller.user);
    let snapshot = services.store.read(&tenant.name, &[key]).await?;
    Ok(all::find::<KeyRing>(&snapshot, &key)?.map(|(ring, _)| ring.keys).unwrap_or_default())
}

/// Registers a key of the caller's.
pub async fn register(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    jwk: Jwk,
    name: String,
) -> Result<ApproverKey, AppError> {
    let must_be_approved = !tenant.keys.approvers.is_empty();
    if !must_be_approved && is_fresh(caller.auth_time, services.clock.now()).is_none() {
        return Err(Fault::NotFresh.into());
    }
    let user = find_user(&*tenant.directory, &UserRef::Id(caller.user.clone())).await?;
    let Some(user) = user.filter(User::is_active) else {
        return Err(refused(services, tenant, caller, &jwk.kid(), "register", KeyRefused::Inactive).await);
    };
    let owner = Party::of(&user);
    let (kid, ring_at) = (jwk.kid(), ring_key(&owner.id));
    let (pointer_at, lock_at) = (pointer_key(&kid), all::lock_key(&owner.id));
    let mut tries = services.tries();
    while tries.again().await {
        let snapshot = services.store.read(&tenant.name, &[ring_at, pointer_at, lock_at]).await?;
        let Ok(lock) = locks::unlocked(&snapshot, &owner.id) else {
            return Err(locked(services, tenant, caller, &kid, "register").await);
        };
        if snapshot.get(&pointer_at).is_some() {
            return Err(refused(services, tenant, caller, &kid, "register", KeyRefused::Exists).await);
        }
        let ring = all::find(&snapshot, &ring_at)?.map_or_else(|| KeyRing::of(owner.clone()), |(ring, _)| ring);
        let ring = match ring.register(jwk, name.clone(), must_be_approved, snapshot.now) {
            Ok(registered) => registered,
            Err(KeyRefusal::TooMany) => {
                return Err(refused(services, tenant, caller, &kid, "register", KeyRefused::TooMany).await);
            }
            Err(other) => return Err(other.into()),
        };
        let key = ring.key(&kid).cloned().ok_or(Reason::Internal)?;
        let event = event(services, tenant, Code::KeyRegistered, caller, &owner, &key, snapshot.now)
            .changed(None, key.state.name())
            .detail("jwk", serde_json::to_value(jwk).unwrap_or_default())
            .detail("name", key.name.as_str());
        let change = Change {
            expect: vec![(ring_at, snapshot.as_seen(&ring_at)), (pointer_at, Expect::Absent), lock],
            // A pointer stays for good, for a key that its ring forgets as well: a revoked key never comes back.
            puts: vec![put_ring(&ring)?, put_pointer(&kid, &owner.id)?],
            events: all::encode_events(&[event])?,
            ..Change::new(services.change_id(), services.not_after(snapshot.now, tenant))
        };
        if services.settle(&tenant.name, change, ring_at).await?.stands() {
            return Ok(key);
        }
    }
    Err(Reason::Busy.into())
}

/// Takes a key of the caller's out of use. What it signed before stays signed.
pub async fn revoke_own(services: &Services, tenant: &Tenant, caller: &Caller, kid: &Kid) -> Result<(), AppError> {
    revoke(services, tenant, caller, &caller.user, kid).await
}

/// The same for anybody's key, by an administrator.
pub async fn revoke_any(services: &Services, tenant: &Tenant, caller: &Caller, kid: &Kid) -> Result<(), AppError> {
    if !caller.administrator {
        return Err(services.denied(tenant, caller, "key.revoke", &kid.to_string()).await);
    }
    let owner = owner_of(services, tenant, kid).await?;
    revoke(services, tenant, caller, &owner, kid).await
}

async fn revoke(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    owner: &UserId,
    kid: &Kid,
) -> Result<(), AppError> {
    change_key(services, tenant, caller, owner, kid, Act::Revoke, |ring, now| ring.revoke(kid, now)).await?;
    Ok(())
}

/// Keys that wait for somebody's approval, as far as the caller may give it.
pub async fn awaiting(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    after: Option<Cursor>,
    limit: usize,
) -> Result<Listed<KeyRing>, AppError> {
    let Some(me) = approver(tenant, caller).await? else { return Ok(Listed::nothing()) };
    let found = listing::page(services, tenant, pending(), after, limit).await?;
    Ok(Listed::of(&found, |_, record| {
        let ring: KeyRing = all::decode(record)?;
        Ok(may_decide(&ring.owner, &me.voter(caller), &tenant.keys.approvers).then_some(ring))
    }))
}

/// Approves another's key, or refuses it.
pub async fn decide(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    kid: &Kid,
    choice: Choice,
) -> Result<(Party, ApproverKey), AppError> {
    let owner = owner_of(services, tenant, kid).await?;
    let me = approver(tenant, caller).await?.ok_or(AppError::NotFound("key"))?;
    let approvers = &tenant.keys.approvers;
    let decided = change_key(services, tenant, caller, &owner, kid, Act::Decide(choice), |ring, now| {
        ring.decide(kid, &me.voter(caller), approvers, choice, now)
    });
    decided.await
}

/// Who calls, where anybody may approve keys.
async fn approver(tenant: &Tenant, caller: &Caller) -> Result<Option<Me>, AppError> {
    if tenant.keys.approvers.is_empty() {
        return Ok(None);
    }
    Me::ask(tenant, caller, true).await
}

async fn owner_of(services: &Services, tenant: &Tenant, kid: &Kid) -> Result<UserId, AppError> {
    let key = pointer_key(kid);
    let snapshot = services.store.read(&tenant.name, &[key]).await?;
    Ok(all::find::<UserId>(&snapshot, &key)?.ok_or(AppError::NotFound("key"))?.0)
}

/// What is done about a key.
#[derive(Clone, Copy)]
enum Act {
    Decide(Choice),
    Revoke,
}

impl Act {
    fn code(self) -> Code {
        match self {
            Self::Decide(Choice::Approve) => Code::KeyApproved,
            Self::Decide(Choice::Deny) => Code::KeyDenied,
            Self::Revoke => Code::KeyRevoked,
        }
    }
}

async fn change_key(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    owner: &UserId,
    kid: &Kid,
    act: Act,
    change: impl Fn(KeyRing, Timestamp) -> Result<KeyRing, KeyRefusal>,
) -> Result<(Party, ApproverKey), AppError> {
    let at = ring_key(owner);
    let mut tries = services.tries();
    while tries.again().await {
        let snapshot = services.store.read(&tenant.name, &[at, all::lock_key(&caller.user)]).await?;
        let (before, _) = all::find::<KeyRing>(&snapshot, &at)?.ok_or(AppError::NotFound("key"))?;
        let from = before.key(kid).map(|key| key.state.name());
        let after = match change(before, snapshot.now) {
            Ok(after) => after,
            Err(KeyRefusal::NotAnApprover) => {
                refused_as(services, tenant, caller, kid, "decide", "not-an-approver").await;
                return Err(KeyRefusal::NotAnApprover.into());
            }
            Err(other) => return Err(other.into()),
        };
        let key = after.key(kid).cloned().ok_or(AppError::NotFound("key"))?;
        let mut expect = vec![(at, snapshot.as_seen(&at))];
        // A locked account still takes keys away.
        if let Act::Decide(_) = act {
            match locks::unlocked(&snapshot, &caller.user) {
                Ok(lock) => expect.push(lock),
                Err(_) => return Err(locked(services, tenant, caller, kid, "decide").await),
            }
        }
        let event = event(services, tenant, act.code(), caller, &after.owner, &key, snapshot.now)
            .changed(from, key.state.name());
        let commits = Change {
            expect,
            puts: vec![put_ring(&after)?],
            events: all::encode_events(&[event])?,
            ..Change::new(services.change_id(), services.not_after(snapshot.now, tenant))
        };
        if services.settle(&tenant.name, commits, at).await?.stands() {
            return Ok((after.owner, key));
        }
    }
    Err(Reason::Busy.into())
}

fn event(
    services: &Services,
    tenant: &Tenant,
    code: Code,
    caller: &Caller,
    owner: &Party,
    key: &ApproverKey,
    now: Timestamp,
) -> Event {
    let actor = if caller.user == owner.id {
        Actor::user(owner)
    } else if matches!(key.state, KeyState::Revoked { .. }) {
        Actor::user_id(caller.user.as_str()).as_administrator()
    } else {
        Actor::user_id(caller.user.as_str())
    };
    services
        .event(&tenant.name, code, actor, now)
        .on("user", &owner.id)
        .on("key", &key.kid)
        .in_request(caller.request.as_deref())
}

/// Writes an attempt down and gives the refusal; whether it could be written doesn't change the refusal.
async fn refused(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    kid: &Kid,
    operation: &str,
    why: KeyRefused,
) -> AppError {
    refused_as(services, tenant, caller, kid, operation, why.code()).await;
    why.into()
}

/// The same for a locked account, which decides nothing.
async fn locked(services: &Services, tenant: &Tenant, caller: &Caller, kid: &Kid, operation: &str) -> AppError {
    refused_as(services, tenant, caller, kid, operation, Reason::Locked.code()).await;
    AppError::Refused(Reason::Locked)
}

async fn refused_as(services: &Services, tenant: &Tenant, caller: &Caller, kid: &Kid, operation: &str, exact: &str) {
    services
        .record(tenant, |now| {
            services
                .event(&tenant.name, Code::KeyRefused, Actor::user_id(caller.user.as_str()), now)
                .failed_with(exact)
                .on("key", kid)
                .in_request(caller.request.as_deref())
                .detail("operation", operation)
        })
        .await;
}

/// A record without end.
fn lasting<T: serde::Serialize>(key: Key, content: &T) -> Result<Put, crate::ports::store::StoreError> {
    Ok(Put { key, body: all::encode(content)?, live_until: None, drop_at: None, indexes: Vec::new() })
}
