//! "Give me that account for five minutes", or any of a pool.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;

use super::hold::{self, Want};
use crate::{
    app::{Services, Tenant, caller::Caller, epoch, error::AppError, grants::find_user, records},
    domain::{
        audit::{Actor, Code},
        delegation::Party,
        ids::{UserId, UserRef},
        lock::Lock,
        reason::Reason,
        reservation::{ReservationSecret, Slot},
        shared_account::SharedAccount,
    },
    policy::shared_account::{self, Member},
    ports::{
        entropy,
        store::{Change, Expect, Key, Snapshot},
    },
};

/// Which account.
pub enum Wanted {
    /// This one, by id or login.
    Account(UserRef),
    /// Any of this pool that is free.
    Pool(String),
}

/// What the caller asks for; texts are checked already.
pub struct Request {
    /// Which account.
    pub wanted: Wanted,
    /// How long; `None`: as the account has it.
    pub hold: Option<SignedDuration>,
}

/// An account that is the caller's for a while.
pub struct Reserved {
    /// The slot, with the reservation in it.
    pub slot: Slot,
    /// The bearer secret for a direct login, told this once.
    pub secret: ReservationSecret,
}

/// Reserves. One commit: the slot, the roster of what the caller holds, and the event, expecting the epoch as read and
/// both accounts unlocked. That he is in the group and that both accounts are active was asked just before.
pub async fn reserve(
    services: &Services,
    tenant: &Tenant,
    caller: &Caller,
    request: Request,
) -> Result<Reserved, AppError> {
    let run = Reserve { services, tenant, caller, request: &request };
    let done = run.run().await;
    if let Err(error) = &done
        && let Some(reason) = reason_of(error)
    {
        run.refused(reason).await;
    }
    done
}

/// The exact reason of what is a refusal; failures and bad input are none.
fn reason_of(error: &AppError) -> Option<&'static str> {
    match error {
        AppError::Refused(reason) => Some(reason.code()),
        AppError::Reserved { .. } => Some(Reason::Reserved.code()),
        AppError::TooManyHeld { .. } => Some("too-many-held"),
        _ => None,
    }
}

/// An account that might do, and for how long it would be held.
type Candidate<'a> = (&'a SharedAccount, SignedDuration);

struct Reserve<'a> {
    services: &'a Services,
    tenant: &'a Tenant,
    caller: &'a Caller,
    request: &'a Request,
}

impl<'a> Reserve<'a> {
    async fn run(&self) -> Result<Reserved, AppError> {
        let member = shared_account::member(&*self.tenant.directory, &self.caller.user).await?;
        let candidates = self.candidates(&member).await?;
        let keys = self.keys(&candidates);
        let mut inactive = BTreeSet::new();
        // Each attempt that fails finds one account more that is taken or dead, or somebody else got on.
        let mut tries = self.services.tries().and(candidates.len());
        while tries.again().await {
            let snapshot = self.services.store.read(&self.tenant.name, &keys).await?;
            let (shared, hold) = self.pick(&snapshot, &candidates, &inactive)?;
            let account = match shared_account::account(&*self.tenant.directory, &shared.id).await {
                Ok(user) => Party::of(&user),
                Err(Reason::AccountInactive) => {
                    inactive.insert(&shared.id);
                    continue;
                }
                Err(reason) => return Err(reason.into()),
            };
            let holder = Party::of(&member.user);
            if let Some(reserved) = self.commit(&snapshot, shared, &account, &holder, hold).await? {
                return Ok(reserved);
            }
        }
        Err(Reason::Busy.into())
    }

    /// The accounts that he may have. What isn't his to reserve looks like what isn't there.
    async fn candidates(&self, member: &Member) -> Result<Vec<Candidate<'a>>, AppError> {
        let shared = &self.tenant.shared;
        let asked: Vec<&SharedAccount> = match &self.request.wanted {
            Wanted::Account(named) => self.named(named).await?.into_iter().collect(),
            Wanted::Pool(pool) => shared.iter().filter(|account| account.pool.as_ref() == Some(pool)).collect(),
        };
        let mut his: Vec<_> = asked.into_iter().filter(|account| member.may_use(account).is_ok()).collect();
        if his.is_empty() {
            return Err(Reason::NotAMember.into());
        }
        let longest = his.iter().map(|account| account.max_hold).max().unwrap_or_default();
        // Those who come together for a pool don't all begin with the same account.
        let [at] = entropy::bytes::<1>(&*self.services.entropy);
        let turn = usize::from(at) % his.len();
        his.rotate_left(turn);
        let fits = |account: &'a SharedAccount| Some((account, account.hold_of(self.request.hold)?));
        let fitting: Vec<_> = his.into_iter().filter_map(fits).collect();
        if fitting.is_empty() {
            let most = longest.as_mins();
            return Err(AppError::NoSuchHold { problem: format!("`minutes` must be a whole number from 1 to {most}") });
        }
        Ok(fitting)
    }

    /// The shared account of that id, or else of the user who has that login.
    async fn named(&self, account: &UserRef) -> Result<Option<&'a SharedAccount>, AppError> {
        let shared = &self.tenant.shared;
        if let Some(account) = shared.get(account.as_str()) {
            return Ok(Some(account));
        }
        let user = find_user(&*self.tenant.directory, account).await?;
        Ok(user.and_then(|user| shared.get(user.id.as_str())))
    }

    fn keys(&self, candidates: &[Candidate<'_>]) -> Vec<Key> {
        let me = &self.caller.user;
        let mut keys = vec![records::epoch_key(), records::holder_key(me), records::lock_key(me)];
        for (account, _) in candidates {
            keys.extend([records::slot_of(&account.id), records::lock_key(&account.id)]);
        }
        keys
    }

    /// The first that is free.
    fn pick<'c>(
        &self,
        snapshot: &Snapshot,
        candidates: &'c [Candidate<'a>],
        inactive: &BTreeSet<&UserId>,
    ) -> Result<Candidate<'a>, AppError>
    where
        'a: 'c,
    {
        if is_locked(snapshot, &self.caller.user)? {
            return Err(Reason::Locked.into());
        }
        let (epoch, _) = epoch::of(snapshot)?;
        let (mut locked, mut taken) = (false, BTreeMap::new());
        for (account, hold) in candidates {
            let key = records::slot_of(&account.id);
            let slot = records::find::<Slot>(snapshot, &key)?.map(|(slot, _)| slot);
            let held = slot.as_ref().and_then(|slot| slot.held(epoch.number, snapshot.now));
            if is_locked(snapshot, &account.id)? {
                locked = true;
            } else if let Some(held) = held {
                taken.insert(held.expires, (*account, held.holder.clone()));
            } else if !inactive.contains(&account.id) {
                return Ok((account, *hold));
            }
        }
        Err(match taken.pop_first() {
            Some((until, (account, holder))) => {
                hold::reserved(account, &self.caller.user, &holder, until, snapshot.now)
            }
            None if locked => AppError::from(Reason::Locked),
            None => AppError::from(Reason::AccountInactive),
        })
    }

    /// `None` if somebody else was faster.
    async fn commit(
        &self,
        snapshot: &Snapshot,
        shared: &SharedAccount,
        account: &Party,
        holder: &Party,
        hold: SignedDuration,
    ) -> Result<Option<Reserved>, AppError> {
        let (_, epoch_record) = epoch::of(snapshot)?;
        let secret = ReservationSecret::mint(snapshot.now, entropy::bytes(&*self.services.entropy));
        let request = self.caller.request.as_deref();
        let want = Want { shared, account, holder, secret: Some(secret.hash()), hold, request };
        let made = hold::make(self.services, self.tenant, snapshot, &want).await?;
        let mut part = made.part;
        part.expect.push((records::epoch_key(), Expect::Version(epoch_record.version)));
        part.expect.extend([&account.id, &holder.id].map(|user| (records::lock_key(user), Expect::Absent)));
        let not_after = self.services.not_after(snapshot.now, self.tenant);
        let change = part.into_change(Change::new(self.services.change_id(), not_after))?;
        let settled = self.services.settle(&self.tenant.name, change, made.key).await?;
        Ok(settled.stands().then_some(Reserved { slot: made.slot, secret }))
    }

    async fn refused(&self, reason: &str) {
        let (services, tenant, caller) = (self.services, self.tenant, self.caller);
        services
            .record(tenant, |now| {
                let actor = Actor::user_id(caller.user.as_str());
                let event = services.event(&tenant.name, Code::ReservationRefused, actor, now).failed_with(reason);
                let event = event.in_request(caller.request.as_deref());
                match &self.request.wanted {
                    Wanted::Account(account) => event.on("user", &account.as_str()),
                    Wanted::Pool(pool) => event.on("pool", pool),
                }
            })
            .await;
    }
}

fn is_locked(snapshot: &Snapshot, user: &UserId) -> Result<bool, AppError> {
    Ok(records::find::<Lock>(snapshot, &records::lock_key(user))?.is_some())
}
