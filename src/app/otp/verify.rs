//! A login elsewhere: the shared account's name, and the code of whoever holds it. Everything that fails looks the same
//! from outside, takes the same steps, and counts.

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::{
    OtpError,
    records::{self, Counted},
};
use crate::{
    app::{
        Services, Tenant, application::ApplicationCaller, epoch, error::AppError, grants::find_user, records as all,
        reservations,
    },
    domain::{
        audit::{Code as EventCode, Event},
        delegation::Party,
        hex::hex,
        hook::Fingerprint,
        ids::{Login, RecordId, UserId, UserRef},
        lock::Lock,
        otp::{Attempts, Code, Enrolment, MOST_FAILURES, Secret, accepted},
        reason::Reason,
        reservation::Slot,
        shared_account::SharedAccount,
    },
    policy::shared_account,
    ports::store::{Change, Expect, Key, Put, Snapshot},
};

/// Who logged in, as which account.
#[derive(Debug, Clone)]
pub struct LoggedIn {
    /// The shared account.
    pub account: Party,
    /// Who held it.
    pub holder: Party,
}

/// Checks the code and, if it is right, uses up code and reservation, in one commit with the events. A failure is one
/// commit, too: the count and its event.
pub async fn verify(
    services: &Services,
    tenant: &Tenant,
    caller: &ApplicationCaller,
    username: &str,
    code: &str,
) -> Result<LoggedIn, AppError> {
    super::keys(tenant)?;
    let login = Login::parse(username).ok();
    let account = match &login {
        Some(login) => find_user(&*tenant.directory, &UserRef::Login(login.clone())).await?,
        None => None,
    };
    let account = account.map(|user| Party::of(&user));
    let shared = account.as_ref().and_then(|account| {
        let named = caller.application.accounts.contains(&account.id);
        tenant.shared.get(account.id.as_str()).filter(|_| named)
    });
    let counted = match shared {
        Some(shared) => Counted::Account(&shared.id),
        None => Counted::Name(login.as_ref().map_or("-", Login::as_str)),
    };
    let attempts = records::attempts_key(&caller.application.uri, counted);
    let login = Attempt { services, tenant, caller, account, shared, attempts, code: Code::parse(code) };
    // Every conflict is another attempt's doing, and each but a success counts: after so many the account is locked, and
    // nobody writes the count any more.
    let mut tries = services.tries().and(MOST_FAILURES);
    while tries.again().await {
        if let Some(done) = login.run().await? {
            return done.map_err(AppError::Otp);
        }
    }
    Err(Reason::Busy.into())
}

struct Attempt<'a> {
    services: &'a Services,
    tenant: &'a Tenant,
    caller: &'a ApplicationCaller,
    /// Whom the name means, if anybody.
    account: Option<Party>,
    /// The shared account, if the application has it.
    shared: Option<&'a SharedAccount>,
    attempts: Key,
    code: Option<Code>,
}

/// Why a login fails, for the audit trail alone.
#[derive(Debug, Clone, Copy, thiserror::Error)]
enum Why {
    #[error("otp-unknown-account")]
    UnknownAccount,
    #[error("otp-foreign-account")]
    ForeignAccount,
    #[error("otp-locked")]
    TooManyFailures,
    #[error("otp-not-enrolled")]
    NotEnrolled,
    #[error("otp-no-code")]
    NoCode,
    #[error("otp-wrong-code")]
    WrongCode,
    #[error("otp-used-code")]
    UsedCode,
    #[error("{}", .0.code())]
    Reason(Reason),
}

/// What was read first.
struct Before {
    snapshot: Snapshot,
    attempts: Attempts,
    slot: Option<(Slot, u64)>,
    epoch: u64,
    epoch_version: u64,
}

/// A code that is good, and what its use takes.
struct Good {
    holder: Party,
    enrolment: Enrolment,
    enrolment_version: u64,
    step: u64,
}

impl Attempt<'_> {
    /// `None`: somebody else changed something meanwhile; look again.
    async fn run(&self) -> Result<Option<Result<LoggedIn, OtpError>>, AppError> {
        let before = self.read().await?;
        let held = before.slot.as_ref().and_then(|(slot, _)| slot.held(before.epoch, before.snapshot.now));
        let holder = held.map(|it| it.holder.clone());
        match self.judge(&before, holder.clone()).await? {
            Ok(good) => self.succeed(&before, good).await,
            Err(why) => self.fail(&before, holder.as_ref(), why).await,
        }
    }

    fn slot_key(&self) -> Key {
        let nowhere = || RecordId::natural(&["reservation-of-nobody"]);
        all::slot_key(self.shared.map_or_else(nowhere, |shared| Slot::record_of(&shared.id)))
    }

    async fn read(&self) -> Result<Before, AppError> {
        let slot_key = self.slot_key();
        let keys = [self.attempts, slot_key, all::epoch_key()];
        let snapshot = self.services.store.read(&self.tenant.name, &keys).await?;
        let (epoch, record) = epoch::of(&snapshot)?;
        let (epoch, epoch_version) = (epoch.number, record.version);
        let attempts = all::find::<Attempts>(&snapshot, &self.attempts)?.map(|(found, _)| found).unwrap_or_default();
        let slot = all::find::<Slot>(&snapshot, &slot_key)?.map(|(slot, record)| (slot, record.version));
        Ok(Before { snapshot, attempts, slot, epoch, epoch_version })
    }

    /// Asks everything that there is to ask, also where it is clear by now that the answer is no.
    async fn judge(&self, before: &Before, holder: Option<Party>) -> Result<Result<Good, Why>, AppError> {
        let may = self.may(holder.as_ref()).await?;
        let enrolled = self.enrolled(holder.as_ref()).await?;
        let now = before.snapshot.now;
        let keys = super::keys(self.tenant)?;
        let (secret, last) = match (&holder, enrolled.enrolment.as_ref().and_then(|(it, _)| it.confirmed.as_ref())) {
            (Some(holder), Some(confirmed)) => {
                let secret = keys.open(&confirmed.sealed, &self.tenant.name, &holder.id);
                (secret.ok_or_else(super::unreadable)?, confirmed.step)
            }
            // A secret that nobody has takes as long.
            _ => (Secret::new([0; 20]), u64::MAX),
        };
        let code = self.code.unwrap_or_default();
        let fresh = accepted(&secret, code, now, Some(last));
        let ever = accepted(&secret, code, now, None);
        if self.account.is_none() {
            return Ok(Err(Why::UnknownAccount));
        }
        if self.shared.is_none() {
            return Ok(Err(Why::ForeignAccount));
        }
        if before.attempts.is_locked(now) {
            return Ok(Err(Why::TooManyFailures));
        }
        let Some(holder) = holder else { return Ok(Err(Why::Reason(Reason::ReservationMissing))) };
        if let Err(reason) = may {
            return Ok(Err(Why::Reason(reason)));
        }
        if enrolled.locked {
            return Ok(Err(Why::Reason(Reason::Locked)));
        }
        let confirmed = enrolled.enrolment.filter(|(enrolment, _)| enrolment.confirmed.is_some());
        let Some((enrolment, enrolment_version)) = confirmed else { return Ok(Err(Why::NotEnrolled)) };
        if self.code.is_none() {
            return Ok(Err(Why::NoCode));
        }
        Ok(match (fresh, ever) {
            (Some(step), _) => Ok(Good { holder, enrolment, enrolment_version, step }),
            (None, Some(_)) => Err(Why::UsedCode),
            (None, None) => Err(Why::WrongCode),
        })
    }

    /// Whether account and holder are active and he is in its group, asked live. That nothing could be asked is a
    /// failure of ours, and counts for nobody.
    async fn may(&self, holder: Option<&Party>) -> Result<Result<(), Reason>, AppError> {
        let directory = &*self.tenant.directory;
        let known = self.account.as_ref().map(|account| &account.id);
        let stand_in = UserId::parse("-").map_err(|_| Reason::Internal)?;
        let account = known.unwrap_or(&stand_in);
        let holder = holder.map_or(account, |holder| &holder.id);
        let (account, member) =
            tokio::join!(shared_account::account(directory, account), shared_account::member(directory, holder));
        let failure = [account.as_ref().err(), member.as_ref().err()].into_iter().flatten().find(|r| r.is_failure());
        if let Some(reason) = failure {
            return Err((*reason).into());
        }
        let Some(shared) = self.shared else { return Ok(Err(Reason::NotAMember)) };
        Ok(account.and(member).and_then(|member| member.may_use(shared)))
    }

    async fn enrolled(&self, holder: Option<&Party>) -> Result<Enrolled, AppError> {
        let key = holder.map_or_else(records::nobody, |holder| records::key(&holder.id));
        let locks = self.lock_keys(holder);
        let keys: Vec<Key> = locks.iter().copied().chain([key]).collect();
        let snapshot = self.services.store.read(&self.tenant.name, &keys).await?;
        let mut locked = false;
        for key in &locks {
            locked |= all::find::<Lock>(&snapshot, key)?.is_some();
        }
        let found = all::find::<Enrolment>(&snapshot, &key)?;
        Ok(Enrolled { enrolment: found.map(|(enrolment, record)| (enrolment, record.version)), locked })
    }

    fn lock_keys(&self, holder: Option<&Party>) -> Vec<Key> {
        let users = self.account.as_ref().into_iter().chain(holder);
        users.map(|user| all::lock_key(&user.id)).collect()
    }

    async fn succeed(&self, before: &Before, good: Good) -> Result<Option<Result<LoggedIn, OtpError>>, AppError> {
        let Good { holder, enrolment, enrolment_version, step } = good;
        let (Some(account), Some((slot, slot_version))) = (self.account.clone(), before.slot.clone()) else {
            return Err(Reason::Internal.into());
        };
        let (now, generation) = (before.snapshot.now, slot.generation);
        let id = self.caller.token.id.as_str();
        let by = Fingerprint { event_id: format!("otp {id}"), body: hex(&Sha256::digest(id.as_bytes())) };
        let used = slot.consume(generation, &holder.id, by, before.epoch, now)?;
        let (put_slot, consumed) = reservations::consumed(self.services, self.tenant, &used, now)?;
        let event = self.event(EventCode::OtpAccepted, Some(&holder), now);
        let mut expect = vec![
            (put_slot.key, Expect::VersionLive(slot_version)),
            (all::epoch_key(), Expect::Version(before.epoch_version)),
            (records::key(&holder.id), Expect::Version(enrolment_version)),
            (self.attempts, before.snapshot.as_seen(&self.attempts)),
        ];
        expect.extend(self.lock_keys(Some(&holder)).into_iter().map(|key| (key, Expect::Absent)));
        let witness = put_slot.key;
        let puts = vec![put_slot, records::put(&enrolment.used(step))?];
        let consumed = consumed.map(|event| event.in_request(self.caller.request.as_deref()));
        let events: Vec<Event> = [event].into_iter().chain(consumed).collect();
        let done = self.commit(before, expect, puts, &events, witness).await?;
        Ok(done.then_some(Ok(LoggedIn { account, holder })))
    }

    async fn fail(
        &self,
        before: &Before,
        holder: Option<&Party>,
        why: Why,
    ) -> Result<Option<Result<LoggedIn, OtpError>>, AppError> {
        let now = before.snapshot.now;
        let mut events = vec![self.event(EventCode::OtpRefused, holder, now).failed_with(&why.to_string())];
        let (mut expect, mut puts) = (Vec::new(), Vec::new());
        if !before.attempts.is_locked(now) {
            let after = before.attempts.clone().failed(now);
            if after.is_locked(now) {
                let until = after.end(now).to_string();
                events.push(self.event(EventCode::OtpLocked, holder, now).detail("until", until));
            }
            expect.push((self.attempts, before.snapshot.as_seen(&self.attempts)));
            puts.push(records::put_attempts(self.attempts, &after, now)?);
        }
        let done = self.commit(before, expect, puts, &events, self.attempts).await?;
        Ok(done.then_some(Err(OtpError::Refused)))
    }

    fn event(&self, code: EventCode, holder: Option<&Party>, now: Timestamp) -> Event {
        let event = self.services.event(&self.tenant.name, code, self.caller.actor(), now);
        let event = event.in_request(self.caller.request.as_deref());
        let users = self.account.as_ref().into_iter().chain(holder);
        users.fold(event, |event, user| event.on("user", &user.id))
    }

    /// False if somebody else was faster.
    async fn commit(
        &self,
        before: &Before,
        expect: Vec<(Key, Expect)>,
        puts: Vec<Put>,
        events: &[Event],
        witness: Key,
    ) -> Result<bool, AppError> {
        let (services, tenant) = (self.services, self.tenant);
        let change = Change {
            expect,
            puts,
            events: all::encode_events(events)?,
            ..Change::new(services.change_id(), services.not_after(before.snapshot.now, tenant))
        };
        Ok(services.settle(&tenant.name, change, witness).await?.stands())
    }
}

/// The holder's enrolment with its record's version, and whether he or the account is locked.
struct Enrolled {
    enrolment: Option<(Enrolment, u64)>,
    locked: bool,
}
