//! Changes that lose nobody else's: read, change, write with `If-Match`, and again from the start if somebody was
//! quicker.
//!
//! An organisation may ignore `If-Match`, or give no ETags. So the first change is made under a lease of the store, and
//! is followed by a write that must be refused because its ETag is of the past. If it is refused, ETags are relied on;
//! else every change is made under the lease, which keeps our own processes apart, though not other administrators.

use std::{
    ops::RangeInclusive,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::SignedDuration;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use super::{
    account::Account,
    api::{Api, Said},
    read,
};
use crate::{
    adapters::directory::turns::Turns,
    domain::{
        hex::hex,
        ids::{TenantName, UserId},
    },
    ports::{
        clock::Clock,
        directory::{DirectoryError, Written},
        entropy::{self, Entropy},
        store::Store,
    },
};

/// How often a change is tried in all.
const TRIES: usize = 8;
/// Between two tries.
const PAUSE: RangeInclusive<Duration> = Duration::from_millis(20)..=Duration::from_millis(200);
/// A throttling that is over sooner is waited for.
const SHORT: Duration = Duration::from_secs(1);
/// Longer than a change may take, and its last request may be on its way after that.
const LEASE: SignedDuration = SignedDuration::from_secs(15);
/// How long a lease is waited for.
const LEASE_WAIT: Duration = Duration::from_secs(5);
/// How long a change waits for those of the same user that came before it. Then it isn't the directory that is slow.
const QUEUE: Duration = Duration::from_secs(3);

/// What is known of the organisation's `If-Match`.
mod trust {
    pub(super) const UNKNOWN: u8 = 0;
    pub(super) const HONOURED: u8 = 1;
    pub(super) const IGNORED: u8 = 2;
}

/// What a change has to do, as the user is now.
pub(super) enum Plan {
    /// Nothing.
    Already,
    /// This.
    Write { method: Method, body: Value },
}

/// What came of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Came {
    /// To this.
    To(Written),
    /// There is no such user.
    NoUser,
}

/// What a change has to do is asked of this.
type Planner<'p> = dyn Fn(&Account) -> Result<Plan, DirectoryError> + Sync + 'p;

/// A change under way.
struct Change<'c> {
    api: &'c Api,
    user: &'c UserId,
    plan: &'c Planner<'c>,
    /// One of our writes was acknowledged.
    wrote: bool,
    /// The last one had no answer.
    in_doubt: bool,
}

/// A lease, and by which name it is held.
struct Held {
    name: String,
    holder: String,
}

enum Tried {
    Came(Came),
    /// ETags aren't to be relied on after all.
    NeedsLease,
}

/// Makes changes, one at a time for each user.
pub(super) struct Writer {
    tenant: TenantName,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    /// Names this process in leases; each change adds its number, so that none is let into another's lease.
    holder: String,
    changes: AtomicU64,
    trust: AtomicU8,
    turns: Turns,
}

impl Writer {
    pub(super) fn new(tenant: TenantName, store: Arc<dyn Store>, clock: Arc<dyn Clock>, entropy: &dyn Entropy) -> Self {
        let holder = hex(&entropy::bytes::<16>(entropy));
        let (trust, changes) = (AtomicU8::new(trust::UNKNOWN), AtomicU64::new(0));
        Self { tenant, store, clock, holder, changes, trust, turns: Turns::default() }
    }

    /// Brings the user to where `plan` has nothing to do any more.
    pub(super) async fn change(&self, api: &Api, user: &UserId, plan: &Planner<'_>) -> Result<Came, DirectoryError> {
        // Our own writers would only be in each other's way.
        let _turn = timeout(QUEUE, self.turns.of(user)).await.map_err(|_| busy())?;
        let mut change = Change { api, user, plan, wrote: false, in_doubt: false };
        if self.trust.load(Ordering::Acquire) == trust::HONOURED
            && let Tried::Came(came) = self.tries(&mut change, false).await?
        {
            return Ok(came);
        }
        let lease = self.lease(api, user).await?;
        let tried = self.tries(&mut change, true).await;
        // A write that had no answer may still arrive, and would overwrite what came after it.
        if !change.in_doubt {
            self.release(&lease).await;
        }
        match tried? {
            Tried::Came(came) => Ok(came),
            Tried::NeedsLease => Err(busy()),
        }
    }

    async fn tries(&self, change: &mut Change<'_>, leased: bool) -> Result<Tried, DirectoryError> {
        for attempt in 0..TRIES {
            if attempt > 0 {
                sleep(change.api.limits.between(PAUSE)).await;
            }
            match self.attempt(change, leased).await {
                // What is so by our own earlier try wasn't so before.
                Ok(Some(Tried::Came(Came::To(Written::Already)))) if change.wrote => {
                    return Ok(Tried::Came(Came::To(Written::Changed)));
                }
                Ok(Some(tried)) => return Ok(tried),
                Ok(None) => {}
                Err(error) => self.wait_out(error).await?,
            }
        }
        Err(busy())
    }

    /// One try; `None`: somebody was quicker.
    async fn attempt(&self, change: &mut Change<'_>, leased: bool) -> Result<Option<Tried>, DirectoryError> {
        let Change { api, user, plan, .. } = *change;
        let Some(before) = read::by_id(api, user).await? else { return Ok(Some(Tried::Came(Came::NoUser))) };
        let Plan::Write { method, body } = plan(&before)? else {
            return Ok(Some(Tried::Came(Came::To(Written::Already))));
        };
        let etag = before.etag.as_deref();
        if etag.is_none() && !leased {
            self.distrust();
            return Ok(Some(Tried::NeedsLease));
        }
        let url = api.of_user(user, &[])?;
        let said = api.write(method, url, etag, &body).await;
        change.in_doubt = said.as_ref().is_err_and(DirectoryError::leaves_in_doubt);
        match said? {
            Said::Done(_) => change.wrote = true,
            Said::Refused(refusal) => {
                return match (refusal.status, refusal.code.as_str()) {
                    // Changed meanwhile; still being activated; its type is being prepared.
                    (412, _) | (409, "E0000112" | "E0000253") => Ok(None),
                    _ if refusal.is_not_found() => Ok(Some(Tried::Came(Came::NoUser))),
                    (409, _) => Err(DirectoryError::Rejected(refusal.error().to_string())),
                    _ => Err(refusal.error()),
                };
            }
        }
        let changed = Some(Tried::Came(Came::To(Written::Changed)));
        let known = self.trust.load(Ordering::Acquire);
        let after = match read::by_id(api, user).await {
            Ok(Some(after)) => after,
            Ok(None) => return Ok(Some(Tried::Came(Came::NoUser))),
            // The write is acknowledged, and nobody can have overwritten it unawares.
            Err(_) if known == trust::HONOURED => return Ok(changed),
            Err(error) => return Err(error),
        };
        let stands = matches!(plan(&after), Ok(Plan::Already));
        if stands && known != trust::UNKNOWN {
            return Ok(changed);
        }
        // Either somebody changed it again after us, or somebody who didn't know of our change overwrote it.
        match self.is_honoured(api, user, etag).await {
            // Who is listed still must not be told to be gone.
            Ok(true) if !stands => return Err(not_shown()),
            Ok(true) => return Ok(changed),
            Ok(false) => self.distrust(),
            Err(_) if stands => return Ok(changed),
            Err(error) => return Err(error),
        }
        match (stands, leased) {
            (true, _) => Ok(changed),
            (false, true) => Ok(None),
            (false, false) => Ok(Some(Tried::NeedsLease)),
        }
    }

    /// Whether a write with an ETag of the past is refused. It writes nothing.
    async fn is_honoured(&self, api: &Api, user: &UserId, old: Option<&str>) -> Result<bool, DirectoryError> {
        let Some(old) = old else { return Ok(false) };
        let said = api.write(Method::POST, api.of_user(user, &[])?, Some(old), &json!({"profile": {}})).await?;
        let honoured = matches!(said, Said::Refused(refusal) if refusal.status == 412);
        if honoured {
            self.trust.store(trust::HONOURED, Ordering::Release);
        }
        Ok(honoured)
    }

    fn distrust(&self) {
        if self.trust.swap(trust::IGNORED, Ordering::AcqRel) != trust::IGNORED {
            tracing::warn!(tenant = %self.tenant,
                "Okta doesn't keep changes of users apart (no ETags): changes are made under a lease of the store, and other administrators' changes can be lost");
        }
    }

    /// Waits until a short throttling is over; any other error is one.
    async fn wait_out(&self, error: DirectoryError) -> Result<(), DirectoryError> {
        let DirectoryError::Throttled { until: Some(until) } = error else { return Err(error) };
        let left = Duration::try_from(until.duration_since(self.clock.now())).unwrap_or_default();
        if left > SHORT {
            return Err(error);
        }
        sleep(left).await;
        Ok(())
    }

    async fn lease(&self, api: &Api, user: &UserId) -> Result<Held, DirectoryError> {
        let name = format!("okta-user:{user}");
        let holder = format!("{}-{}", self.holder, self.changes.fetch_add(1, Ordering::Relaxed));
        let until = Instant::now() + LEASE_WAIT;
        loop {
            let lease = self.store.lease(&self.tenant, &name, &holder, LEASE).await;
            match lease.map_err(|error| DirectoryError::Unavailable(format!("no lease: {error}")))? {
                Some(_) => return Ok(Held { name, holder }),
                None if Instant::now() >= until => return Err(busy()),
                None => sleep(api.limits.between(PAUSE)).await,
            }
        }
    }

    /// A lease of no length is free for the next one. If that fails, it ends by itself.
    async fn release(&self, held: &Held) {
        if let Err(error) = self.store.lease(&self.tenant, &held.name, &held.holder, SignedDuration::ZERO).await {
            tracing::debug!(%error, "a lease could not be given back");
        }
    }
}

/// It was changed again at once, or the attribute isn't Okta's own to keep.
fn not_shown() -> DirectoryError {
    DirectoryError::Rejected(
        "Okta took the change and does not show it: is `delegatedAgents` mastered elsewhere?".to_owned(),
    )
}

/// Not `Unavailable`: the directory answers, it is others who are quicker.
fn busy() -> DirectoryError {
    DirectoryError::Throttled { until: None }
}
