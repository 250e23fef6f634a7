//! Waiting for changes of approvals. One reader per tenant and process looks at the store for all who wait, when a
//! commit is hinted at and once a second: what a deadline ends is no commit.

mod reader;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

use super::{Found, Refused, Viewer, read};
use crate::{
    app::{Services, Tenant, error::AppError},
    domain::{
        approval::{Approval, ApprovalId},
        ids::{ApplicationUri, TenantName, UserId},
    },
};

/// The longest that one request waits.
pub const LONGEST_WAIT: Duration = Duration::from_mins(1);
/// Those of one caller who wait at a time.
pub const MOST_OF_ONE: usize = 16;
/// Those of one application, which waits for many users.
pub const MOST_OF_APPLICATION: usize = 512;
/// Those of a process.
pub const MOST: usize = 4096;

/// Who waits.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Who {
    User(UserId),
    Application(ApplicationUri),
}

impl Who {
    fn most(&self) -> usize {
        match self {
            Self::User(_) => MOST_OF_ONE,
            Self::Application(_) => MOST_OF_APPLICATION,
        }
    }
}

impl From<Viewer<'_>> for Who {
    fn from(viewer: Viewer<'_>) -> Self {
        match viewer {
            Viewer::User(caller) => Self::User(caller.user.clone()),
            Viewer::Application(caller) => Self::Application(caller.application.uri.clone()),
        }
    }
}

type Seen = Option<Arc<Approval>>;

/// Who waits in this process.
#[derive(Default)]
pub struct Watchers {
    waiting: Arc<Mutex<Waiting>>,
    closed: watch::Sender<bool>,
}

#[derive(Default)]
struct Waiting {
    tenants: HashMap<TenantName, Tenanted>,
    of_callers: HashMap<(TenantName, Who), usize>,
    all: usize,
}

/// What is watched in one tenant.
#[derive(Default)]
struct Tenanted {
    approvals: HashMap<ApprovalId, Watched>,
    /// Whether a reader is at work.
    is_read: bool,
}

struct Watched {
    seen: watch::Sender<Seen>,
    by: usize,
}

/// Nothing under this lock can break off half way.
fn lock(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Watchers {
    /// Lets everybody go who waits, now and from now on: the process is about to stop.
    pub fn close(&self) {
        self.closed.send_replace(true);
    }

    /// How many wait.
    pub fn count(&self) -> usize {
        lock(&self.waiting).all
    }

    fn enter(&self, tenant: &TenantName, who: Who, id: ApprovalId) -> Result<Entered, Refused> {
        let mut waiting = lock(&self.waiting);
        if waiting.all >= MOST {
            return Err(Refused::TooManyWatchers { limit: MOST });
        }
        let most = who.most();
        let who = (tenant.clone(), who);
        let his = waiting.of_callers.entry(who.clone()).or_default();
        if *his >= most {
            return Err(Refused::TooManyWatchers { limit: most });
        }
        *his += 1;
        waiting.all += 1;
        let of_tenant = waiting.tenants.entry(tenant.clone()).or_default();
        let watched =
            of_tenant.approvals.entry(id).or_insert_with(|| Watched { seen: watch::Sender::new(None), by: 0 });
        watched.by += 1;
        let seen = watched.seen.subscribe();
        let needs_reader = !std::mem::replace(&mut of_tenant.is_read, true);
        let place = Place { waiting: Arc::clone(&self.waiting), who, id };
        Ok(Entered { seen, needs_reader, place })
    }
}

struct Entered {
    seen: watch::Receiver<Seen>,
    needs_reader: bool,
    place: Place,
}

/// One who waits; given back when it is dropped.
struct Place {
    waiting: Arc<Mutex<Waiting>>,
    who: (TenantName, Who),
    id: ApprovalId,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut waiting = lock(&self.waiting);
        waiting.all = waiting.all.saturating_sub(1);
        if let Some(his) = waiting.of_callers.get_mut(&self.who) {
            *his = his.saturating_sub(1);
            if *his == 0 {
                waiting.of_callers.remove(&self.who);
            }
        }
        let Some(of_tenant) = waiting.tenants.get_mut(&self.who.0) else { return };
        let Some(watched) = of_tenant.approvals.get_mut(&self.id) else { return };
        watched.by = watched.by.saturating_sub(1);
        if watched.by == 0 {
            of_tenant.approvals.remove(&self.id);
        }
    }
}

/// An approval that is being watched.
pub struct Watch {
    seen: watch::Receiver<Seen>,
    closed: watch::Receiver<bool>,
    /// As it was told last.
    last: Approval,
    _place: Place,
}

/// Begins to watch an approval that the viewer may see.
pub async fn watch(
    services: &Arc<Services>,
    tenant: &Tenant,
    viewer: Viewer<'_>,
    id: ApprovalId,
) -> Result<Watch, AppError> {
    // Whether he may see it comes first, so that nobody holds places for what isn't his.
    viewer.find(services, tenant, id).await?;
    let Entered { seen, needs_reader, place } = services.watchers.enter(&tenant.name, viewer.into(), id)?;
    if needs_reader {
        let (services, tenant) = (Arc::clone(services), tenant.name.clone());
        services.runtime.clone().spawn(reader::read(services, tenant));
    }
    // Read again behind the entry: every change after this one is told.
    let (Found { approval: last, .. }, _) = read(services, tenant, id).await?;
    Ok(Watch { seen, closed: services.watchers.closed.subscribe(), last, _place: place })
}

impl Watch {
    /// As it was told last.
    pub fn last(&self) -> &Approval {
        &self.last
    }

    /// Waits for a revision greater than the last one; `None` if none came before `until`, or the process stops.
    pub async fn next(&mut self, until: Instant) -> Option<&Approval> {
        let (seen, closed, known) = (&mut self.seen, &mut self.closed, self.last.revision);
        let newer = seen.wait_for(|seen| seen.as_ref().is_some_and(|approval| approval.revision > known));
        let newer = tokio::select! {
            biased;
            newer = timeout_at(until, newer) => newer.ok()?.ok()?.as_deref().cloned(),
            _ = closed.wait_for(|closed| *closed) => None,
        };
        self.last = newer?;
        Some(&self.last)
    }

    /// Whether the process stops.
    pub fn is_closed(&self) -> bool {
        *self.closed.borrow()
    }
}
