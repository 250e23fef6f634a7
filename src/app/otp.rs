//! One-time codes: a user enrols his authenticator, and logs in elsewhere as a shared account that he holds.

mod records;
mod verify;

use jiff::Timestamp;

pub use self::verify::{LoggedIn, verify};
use super::{Services, Tenant, caller::Caller, error::AppError, grants::find_user, locks};
use crate::{
    domain::{
        approval::signature::{Fault, is_fresh},
        audit::{Actor, Code as EventCode, Event},
        ids::{Login, TenantName, UserRef},
        otp::{CONFIRM_WITHIN, Code, Enrolment, MOST_WRONG, OtpKeys, Secret, Unconfirmed},
        reason::Reason,
        user::User,
    },
    ports::{
        entropy,
        store::{Change, Expect, Key, Put, Snapshot},
    },
};

/// Why nothing was done about one-time codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OtpError {
    /// The service has no key to seal secrets with.
    #[error("this service isn't set up for one-time codes")]
    NotSetUp,
    /// There is nothing to confirm.
    #[error("nothing waits for a code; begin again")]
    NothingPending,
    /// It was not the code.
    #[error("the code is wrong; after {MOST_WRONG} wrong codes you must begin again")]
    WrongCode,
    /// A login was refused. One answer for every reason.
    #[error("this user name and code can't be used")]
    Refused,
}

/// A new secret, shown this once.
pub struct Begun {
    /// What authenticators read, as a link or from a picture.
    pub uri: String,
    /// The first instant at which it can't be confirmed any more.
    pub until: Timestamp,
}

/// What the caller has enrolled; the secrets are nobody's to see.
pub struct Standing {
    /// Since when his codes count.
    pub confirmed: Option<Timestamp>,
    /// Until when a new secret waits for its first code.
    pub pending: Option<Timestamp>,
}

/// What the caller has enrolled.
pub async fn standing(services: &Services, tenant: &Tenant, caller: &Caller) -> Result<Standing, AppError> {
    let Read { enrolment, now, .. } = read(services, tenant, caller).await?;
    let pending = enrolment.as_ref().and_then(|it| it.waiting(now)).map(|it| it.until);
    Ok(Standing { confirmed: enrolment.and_then(|it| it.confirmed).map(|it| it.at), pending })
}

/// Makes a secret for the caller, who signed in just now. It counts once a code has confirmed it; what he had before
/// works until then.
pub async fn begin(services: &Services, tenant: &Tenant, caller: &Caller) -> Result<Begun, AppError> {
    let keys = keys(tenant)?;
    is_fresh(caller.auth_time, services.clock.now()).ok_or(Fault::NotFresh)?;
    let found = find_user(&*tenant.directory, &UserRef::Id(caller.user.clone())).await?;
    let me = found.filter(User::is_active).ok_or(AppError::NotFound("user"))?;
    let secret = Secret::new(entropy::bytes(&*services.entropy));
    let nonce = entropy::bytes(&*services.entropy);
    let sealed = keys.seal(&secret, nonce, &tenant.name, &caller.user).ok_or(Reason::Internal)?;
    let mut tries = services.tries();
    while tries.again().await {
        let read = read_to_enrol(services, tenant, caller).await?;
        let now = read.now;
        let enrolment = Enrolment::begin(read.enrolment.clone(), caller.user.clone(), sealed.clone(), now);
        let event = event(services, tenant, caller, EventCode::OtpBegun, now);
        if commit(services, tenant, &read, Some(records::put(&enrolment)?), event).await? {
            let until = now.saturating_add(CONFIRM_WITHIN).unwrap_or(Timestamp::MAX);
            return Ok(Begun { uri: uri(&secret, &tenant.name, &me.login), until });
        }
    }
    Err(Reason::Busy.into())
}

/// Takes the first code of the secret that waits.
pub async fn confirm(services: &Services, tenant: &Tenant, caller: &Caller, code: &str) -> Result<(), AppError> {
    let keys = keys(tenant)?;
    let mut tries = services.tries();
    while tries.again().await {
        let read = read_to_enrol(services, tenant, caller).await?;
        let now = read.now;
        let Some(before) = read.enrolment.clone() else { return Err(OtpError::NothingPending.into()) };
        let Some(waiting) = before.waiting(now) else { return Err(OtpError::NothingPending.into()) };
        let secret = keys.open(&waiting.sealed, &tenant.name, &caller.user).ok_or_else(unreadable)?;
        let (after, done) = match before.confirm(&secret, Code::parse(code), now) {
            Ok(confirmed) => (confirmed, Ok(())),
            Err(Unconfirmed::Wrong(left)) => (*left, Err(OtpError::WrongCode.into())),
            Err(Unconfirmed::NothingPending) => return Err(OtpError::NothingPending.into()),
        };
        let event = match &done {
            Ok(()) => event(services, tenant, caller, EventCode::OtpEnrolled, now),
            Err(_) => event(services, tenant, caller, EventCode::OtpUnconfirmed, now).failed_with("otp-wrong-code"),
        };
        if commit(services, tenant, &read, Some(records::put(&after)?), event).await? {
            return done;
        }
    }
    Err(Reason::Busy.into())
}

/// Forgets what the caller has enrolled, confirmed or not.
pub async fn remove(services: &Services, tenant: &Tenant, caller: &Caller) -> Result<(), AppError> {
    let mut tries = services.tries();
    while tries.again().await {
        let read = read(services, tenant, caller).await?;
        if read.enrolment.is_none() {
            return Err(AppError::NotFound("authenticator"));
        }
        let event = event(services, tenant, caller, EventCode::OtpRemoved, read.now);
        if commit(services, tenant, &read, None, event).await? {
            return Ok(());
        }
    }
    Err(Reason::Busy.into())
}

fn keys(tenant: &Tenant) -> Result<&OtpKeys, AppError> {
    tenant.otp_keys.as_deref().ok_or(AppError::Otp(OtpError::NotSetUp))
}

/// A secret that was sealed with another key, or for somebody else.
fn unreadable() -> AppError {
    let internal = "the secret of a one-time code can't be opened; its key is missing from BEHALF_OTP_KEY_FILE";
    AppError::Failed { reason: Reason::Internal, internal: internal.to_owned() }
}

/// The caller's enrolment as it was read.
struct Read {
    key: Key,
    enrolment: Option<Enrolment>,
    expect: Vec<(Key, Expect)>,
    now: Timestamp,
}

async fn read(services: &Services, tenant: &Tenant, caller: &Caller) -> Result<Read, AppError> {
    let key = records::key(&caller.user);
    let snapshot = services.store.read(&tenant.name, &[key]).await?;
    read_of(&snapshot, key)
}

/// To write another secret, or to let one count: the account must not be locked, now and in the commit, or whoever stole
/// its token would have an authenticator left when the lock is lifted.
async fn read_to_enrol(services: &Services, tenant: &Tenant, caller: &Caller) -> Result<Read, AppError> {
    let (key, lock) = (records::key(&caller.user), super::records::lock_key(&caller.user));
    let snapshot = services.store.read(&tenant.name, &[key, lock]).await?;
    let mut read = read_of(&snapshot, key)?;
    read.expect.push(locks::unlocked(&snapshot, &caller.user)?);
    Ok(read)
}

fn read_of(snapshot: &Snapshot, key: Key) -> Result<Read, AppError> {
    let enrolment = super::records::find::<Enrolment>(snapshot, &key)?.map(|(enrolment, _)| enrolment);
    Ok(Read { key, enrolment, expect: vec![(key, snapshot.as_seen(&key))], now: snapshot.now })
}

fn event(services: &Services, tenant: &Tenant, caller: &Caller, code: EventCode, now: Timestamp) -> Event {
    let actor = Actor::user_id(caller.user.as_str());
    services.event(&tenant.name, code, actor, now).in_request(caller.request.as_deref()).on("user", &caller.user)
}

/// Writes the enrolment, or drops it. True if it stands, false if somebody else was faster.
async fn commit(
    services: &Services,
    tenant: &Tenant,
    read: &Read,
    put: Option<Put>,
    event: Event,
) -> Result<bool, AppError> {
    let drops = if put.is_none() { vec![read.key] } else { Vec::new() };
    let change = Change {
        expect: read.expect.clone(),
        puts: put.into_iter().collect(),
        drops,
        events: super::records::encode_events(&[event])?,
        ..Change::new(services.change_id(), services.not_after(read.now, tenant))
    };
    Ok(services.settle(&tenant.name, change, read.key).await?.stands())
}

/// The key URI format that authenticators read. What it leaves out are their defaults: SHA-1, six digits, 30 seconds.
/// They are named all the same, because some authenticators have others.
fn uri(secret: &Secret, tenant: &TenantName, login: &Login) -> String {
    let issuer = if *tenant == TenantName::default_tenant() { "behalf".to_owned() } else { format!("behalf {tenant}") };
    let encode =
        |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    let (issuer, login) = (encode(&issuer), encode(login.as_str()));
    let secret = secret.base32();
    format!("otpauth://totp/{issuer}:{login}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits=6&period=30")
}
