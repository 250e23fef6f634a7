//! The one thread that writes: many jobs in one transaction, one sync, then the answers.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::runtime::Handle;

use super::{
    Shared,
    apply::Batch,
    attempts::Attempts,
    fault::{Fault, guarded},
    layout::Header,
    queue::{Inbox, Job, Next, Work},
};
use crate::{
    domain::ids::TenantName,
    ports::store::{ChangeId, Committed, Lease, StoreError},
};

/// The first pause before the database is opened again; doubled up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// A job's result, to be sent once the transaction is durable.
enum Outcome {
    Commit(Result<Committed, StoreError>),
    Lease(Result<Option<Lease>, StoreError>),
    /// Nobody waits.
    Skipped,
}

type Answer = (Job, Outcome);

/// A transaction that came to nothing, or perhaps not.
struct Failure {
    cause: Fault,
    /// The results, if the commit itself failed: then it may be durable.
    sent: Option<Vec<Outcome>>,
}

impl From<Fault> for Failure {
    fn from(cause: Fault) -> Self {
        Self { cause, sent: None }
    }
}

/// Attempts of which nobody knows for the moment whether they are durable.
pub(super) type Doubtful = Mutex<Vec<ChangeId>>;

fn doubted(doubtful: &Doubtful, id: ChangeId) -> bool {
    doubtful.lock().unwrap_or_else(PoisonError::into_inner).contains(&id)
}

const REOPENING: &str = "the database is being opened again";

/// The answer to what changes nothing while the database is away.
pub(super) fn reopening() -> StoreError {
    StoreError::Unavailable(REOPENING.to_owned())
}

/// The answer to a commit while the database is away.
pub(super) fn away(doubtful: &Doubtful, id: ChangeId) -> StoreError {
    if doubted(doubtful, id) {
        return StoreError::Unknown(REOPENING.to_owned());
    }
    reopening()
}

/// The writing thread's state.
pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) inbox: Inbox,
    pub(super) attempts: Attempts,
    /// As the last durable transaction left it.
    pub(super) header: Header,
}

impl Writer {
    /// Works until the store is closed.
    pub(super) fn run(mut self) {
        loop {
            let broken = match self.inbox.next() {
                Next::Write(jobs) => self.write(jobs),
                Next::Reopen(generation) if generation == self.shared.handle.generation() => Some(Vec::new()),
                Next::Reopen(_) => None,
                Next::Stop => break,
            };
            if let Some(open) = broken
                && !self.reopen(open)
            {
                break;
            }
        }
        self.finish();
    }

    /// `Some`: the database must be opened again, and these jobs' outcome is open until then.
    fn write(&mut self, jobs: Vec<Job>) -> Option<Vec<Job>> {
        self.attempts.expire(self.shared.tenants.own_time());
        let mut fresh = Vec::with_capacity(jobs.len());
        let result = self.transact(&jobs, &mut fresh);
        self.inbox.wrote();
        match result {
            Ok(outcomes) => {
                self.answer_all(jobs, outcomes);
                None
            }
            Err(failure) => {
                tracing::error!(error = %failure.cause, "the store can't write; its database will be opened again");
                Some(self.fail(jobs, failure, fresh))
            }
        }
    }

    /// Does all jobs in one transaction. `fresh` gets the attempts that were remembered.
    fn transact(&mut self, jobs: &[Job], fresh: &mut Vec<ChangeId>) -> Result<Vec<Outcome>, Failure> {
        let next = Header { batch: self.header.batch + 1, ..self.header };
        let (txn, outcomes, changed) = guarded(|| {
            let txn = self.shared.handle.begin_write()?;
            let mut batch = Batch::begin(&txn)?;
            let mut outcomes = Vec::with_capacity(jobs.len());
            for job in jobs {
                outcomes.push(self.apply(&mut batch, job, fresh)?);
            }
            let changed = batch.finish(next)?;
            Ok((txn, outcomes, changed))
        })?;
        if !changed {
            guarded(|| Ok(txn.abort()?))?;
            return Ok(outcomes);
        }
        match guarded(|| Ok(txn.commit()?)) {
            Ok(()) => self.header = next,
            Err(cause) => return Err(Failure { cause, sent: Some(outcomes) }),
        }
        Ok(outcomes)
    }

    fn apply(&mut self, batch: &mut Batch<'_>, job: &Job, fresh: &mut Vec<ChangeId>) -> Result<Outcome, Fault> {
        if job.is_abandoned() {
            return Ok(Outcome::Skipped);
        }
        let now = self.shared.tenants.now(&job.tenant);
        match &job.work {
            Work::Commit(change, _) => {
                if let Some(first) = self.attempts.get(change.id) {
                    return Ok(Outcome::Commit(Ok(first)));
                }
                let result = kept_apart(batch.commit(&job.tenant, change, now))?;
                if let Ok(result) = &result {
                    self.attempts.insert(change.id, result, self.shared.tenants.own_time());
                    fresh.push(change.id);
                }
                Ok(Outcome::Commit(result))
            }
            Work::Lease { name, holder, ttl, .. } => {
                Ok(Outcome::Lease(kept_apart(batch.lease(&job.tenant, (name, holder), *ttl, now))?))
            }
        }
    }

    /// Answers the jobs, and wakes each runtime in which callers wait once, not once for each of them.
    fn answer_all(&self, jobs: Vec<Job>, outcomes: Vec<Outcome>) {
        let mut homes: Vec<(Option<Handle>, Vec<Answer>)> = Vec::new();
        let mut tenants: Vec<TenantName> = Vec::new();
        for (job, outcome) in jobs.into_iter().zip(outcomes) {
            if is_done(&outcome) && !tenants.contains(&job.tenant) {
                tenants.push(job.tenant.clone());
            }
            let home = job.home.clone();
            match homes.iter_mut().find(|(at, _)| at.as_ref().map(Handle::id) == home.as_ref().map(Handle::id)) {
                Some((_, group)) => group.push((job, outcome)),
                None => homes.push((home, vec![(job, outcome)])),
            }
        }
        for tenant in tenants {
            self.shared.tenants.hint(&tenant);
        }
        for (home, group) in homes {
            let tell = move || {
                for (job, outcome) in group {
                    reply(job, outcome);
                }
            };
            match home {
                Some(home) => drop(home.spawn(async move { tell() })),
                None => tell(),
            }
        }
    }

    /// Answers the jobs of a failed transaction, but for those that it would have changed something for if it
    /// stands after all.
    fn fail(&mut self, jobs: Vec<Job>, failure: Failure, fresh: Vec<ChangeId>) -> Vec<Job> {
        let Failure { cause, sent } = failure;
        let text = cause.to_string();
        let Some(outcomes) = sent else {
            self.attempts.forget(&fresh);
            for job in jobs {
                job.fail(StoreError::Unavailable(text.clone()));
            }
            return Vec::new();
        };
        let mut open = Vec::new();
        *self.shared.doubtful.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
        for (job, outcome) in jobs.into_iter().zip(outcomes) {
            match outcome {
                Outcome::Commit(Ok(Committed::Done(_))) | Outcome::Lease(Ok(Some(_))) => open.push(job),
                // Nothing of it was applied, but what it collided with may be gone.
                Outcome::Commit(Ok(Committed::Conflict(_) | Committed::Fenced)) | Outcome::Lease(Ok(None)) => {
                    job.fail(StoreError::Unavailable(text.clone()));
                }
                Outcome::Skipped => {}
                certain => reply(job, certain),
            }
        }
        open
    }

    /// Opens the database again, however long it takes. If that works at once, the outcome of the jobs that are
    /// `open` is known from what is there; else it is unknown. False: the store is being closed.
    fn reopen(&mut self, mut open: Vec<Job>) -> bool {
        let shared = Arc::clone(&self.shared);
        shared.handle.close();
        let mut pause = Duration::ZERO;
        loop {
            let refuse = |job: &Job| match &job.work {
                Work::Commit(change, _) => away(&shared.doubtful, change.id),
                Work::Lease { .. } => reopening(),
            };
            if !self.inbox.refuse(pause, refuse) {
                tell_unknown(&mut open);
                return false;
            }
            match shared.opener.open(None) {
                Ok((database, header)) if header.incarnation == self.header.incarnation => {
                    let stands = self.resolve(header);
                    shared.handle.put(database);
                    if stands {
                        tell_unknown(&mut open);
                    }
                    for job in open {
                        job.fail(StoreError::Unavailable("the store could not write it".to_owned()));
                    }
                    // A commit that was answered `Unknown` may be there.
                    shared.tenants.hint_all();
                    tracing::info!("the store's database is open again");
                    return true;
                }
                Ok(_) => tracing::error!("another database lies where the store's was: put it back, or restart"),
                Err(error) => tracing::warn!(%error, "the store's database can't be opened again yet"),
            }
            tell_unknown(&mut open);
            pause = (pause * 2).clamp(FIRST_PAUSE, LAST_PAUSE);
        }
    }

    /// Whether the transaction whose commit failed is there after all.
    fn resolve(&mut self, header: Header) -> bool {
        let doubtful = std::mem::take(&mut *self.shared.doubtful.lock().unwrap_or_else(PoisonError::into_inner));
        let stands = header.batch != self.header.batch;
        if !stands {
            self.attempts.forget(&doubtful);
        }
        self.header = header;
        stands
    }

    /// Notes the times that were shown, answers who still waits, and closes the database.
    fn finish(&mut self) {
        if let Err(fault) = guarded(|| self.note_times()) {
            tracing::warn!(error = %fault, "the store's time could not be noted");
        }
        let closed = |_: &Job| StoreError::Unavailable("the store is closed".to_owned());
        self.inbox.turn_away(closed);
        self.shared.handle.close();
    }

    fn note_times(&self) -> Result<(), Fault> {
        let txn = self.shared.handle.begin_write()?;
        let mut batch = Batch::begin(&txn)?;
        for (tenant, high) in self.shared.tenants.highest() {
            batch.note_time(&tenant, high)?;
        }
        let next = Header { batch: self.header.batch + 1, ..self.header };
        if batch.finish(next)? {
            txn.commit()?;
        } else {
            txn.abort()?;
        }
        Ok(())
    }
}

fn is_done(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Commit(Ok(Committed::Done(_))))
}

fn reply(job: Job, outcome: Outcome) {
    match (job.work, outcome) {
        (Work::Commit(_, reply), Outcome::Commit(result)) => drop(reply.send(result)),
        (Work::Lease { reply, .. }, Outcome::Lease(result)) => drop(reply.send(result)),
        (_, _) => {}
    }
}

/// Whoever asked has to look for himself.
fn tell_unknown(open: &mut Vec<Job>) {
    for job in open.drain(..) {
        job.fail(StoreError::Unknown("the commit failed, and may stand all the same".to_owned()));
    }
}

/// An unreadable record, or a change that no store takes, is its own trouble (nothing was written yet); anything else
/// is the batch's.
fn kept_apart<T>(result: Result<T, Fault>) -> Result<Result<T, StoreError>, Fault> {
    match result {
        Err(fault @ (Fault::Unreadable(_) | Fault::Refused(_))) => Ok(Err(fault.into())),
        Err(fault) => Err(fault),
        Ok(value) => Ok(Ok(value)),
    }
}
