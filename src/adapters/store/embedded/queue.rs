//! What the writer is asked to do, and how it comes to the writer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::SignedDuration;
use tokio::{
    runtime::Handle,
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    time::Instant,
};

use super::mailbox::Mailbox;

use crate::{
    domain::ids::TenantName,
    ports::store::{Change, Committed, Lease, StoreError},
};

/// The most jobs that wait; further callers wait for a place.
const PLACES: usize = 4096;

/// Where a job's result goes.
pub(super) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// What is to be done.
pub(super) enum Work {
    Commit(Box<Change>, Reply<Committed>),
    Lease { name: String, holder: String, ttl: SignedDuration, reply: Reply<Option<Lease>> },
}

/// Something to do in a tenant; holds its place in the queue until it is dropped.
pub(super) struct Job {
    pub(super) tenant: TenantName,
    pub(super) work: Work,
    /// Where its caller waits.
    pub(super) home: Option<Handle>,
    _place: OwnedSemaphorePermit,
}

impl Job {
    /// True if nobody waits for the result any more.
    pub(super) fn is_abandoned(&self) -> bool {
        match &self.work {
            Work::Commit(_, reply) => reply.is_closed(),
            Work::Lease { reply, .. } => reply.is_closed(),
        }
    }

    /// Answers with an error.
    pub(super) fn fail(self, error: StoreError) {
        match self.work {
            Work::Commit(_, reply) => drop(reply.send(Err(error))),
            Work::Lease { reply, .. } => drop(reply.send(Err(error))),
        }
    }
}

enum Message {
    Job(Job),
    /// A read of this generation of the handle met an I/O error.
    Suspect(u64),
    Stop,
}

/// The callers' end.
pub(super) struct Queue {
    mailbox: Arc<Mailbox<Message>>,
    places: Arc<Semaphore>,
    /// One more than the generation that was last called suspect.
    suspected: AtomicU64,
}

/// The writer's end.
pub(super) struct Inbox {
    mailbox: Arc<Mailbox<Message>>,
    places: Arc<Semaphore>,
    /// Wait at most this long for the expected jobs before a batch is written.
    linger: Duration,
    /// As many jobs are likely to come.
    expected: usize,
    stopping: bool,
}

/// What the writer does next.
pub(super) enum Next {
    Write(Vec<Job>),
    /// A read of this generation failed.
    Reopen(u64),
    Stop,
}

/// Both ends.
pub(super) fn queue(linger: Duration) -> (Queue, Inbox) {
    let (mailbox, places) = (Arc::new(Mailbox::default()), Arc::new(Semaphore::new(PLACES)));
    let inbox =
        Inbox { mailbox: Arc::clone(&mailbox), places: Arc::clone(&places), linger, expected: 1, stopping: false };
    (Queue { mailbox, places, suspected: AtomicU64::new(0) }, inbox)
}

fn closed() -> StoreError {
    StoreError::Unavailable("the store is closed".to_owned())
}

impl Queue {
    /// Sends the job once there is a place for it. A caller that gives up before has sent nothing.
    pub(super) async fn send(&self, tenant: &TenantName, work: Work) -> Result<(), StoreError> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| closed())?;
        let job = Job { tenant: tenant.clone(), work, home: Handle::try_current().ok(), _place: place };
        if self.mailbox.put(Message::Job(job)) { Ok(()) } else { Err(closed()) }
    }

    /// Tells the writer, once, that reads of this generation fail.
    pub(super) fn suspect(&self, generation: u64) {
        if self.suspected.swap(generation + 1, Ordering::SeqCst) == generation + 1 {
            return;
        }
        self.mailbox.put_urgent(Message::Suspect(generation));
    }

    /// No more jobs; those that were sent are still done.
    pub(super) fn stop(&self) {
        self.places.close();
        self.mailbox.put_urgent(Message::Stop);
    }
}

impl Inbox {
    /// Waits for something to do.
    pub(super) fn next(&mut self) -> Next {
        if self.stopping {
            return Next::Stop;
        }
        match self.mailbox.take() {
            Message::Job(job) => Next::Write(self.batch(job)),
            Message::Suspect(generation) => Next::Reopen(generation),
            Message::Stop => Next::Stop,
        }
    }

    /// The job and those that wait behind it. If fewer came than are likely to, the others are waited for, without
    /// waking up for each.
    fn batch(&mut self, first: Job) -> Vec<Job> {
        let mut jobs = vec![first];
        self.take_waiting(&mut jobs, 0, Duration::ZERO);
        if jobs.len() < self.expected && !self.stopping {
            let missing = self.expected - jobs.len();
            self.take_waiting(&mut jobs, missing, self.linger);
        }
        jobs
    }

    fn take_waiting(&mut self, jobs: &mut Vec<Job>, wanted: usize, linger: Duration) {
        for message in self.mailbox.take_all(wanted, linger) {
            match message {
                Message::Job(job) => jobs.push(job),
                // The batch that is about to be written meets the same error.
                Message::Suspect(_) => {}
                Message::Stop => self.stopping = true,
            }
        }
    }

    /// To be called when a batch is written, before its jobs are dropped: they and those that came meanwhile are
    /// likely to come together next time.
    pub(super) fn wrote(&mut self) {
        self.expected = PLACES - self.places.available_permits().min(PLACES);
    }

    /// Answers whatever comes with `refuse`, for this long. False: the store is being closed.
    pub(super) fn refuse(&mut self, wait: Duration, refuse: impl Fn(&Job) -> StoreError) -> bool {
        let end = Instant::now() + wait;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            self.turn_away_within(left, &refuse);
            if self.stopping {
                return false;
            }
            if Instant::now() >= end {
                return true;
            }
        }
    }

    /// Answers what is left when the store is closed.
    pub(super) fn turn_away(&mut self, refuse: impl Fn(&Job) -> StoreError) {
        self.turn_away_within(Duration::ZERO, &refuse);
    }

    fn turn_away_within(&mut self, wait: Duration, refuse: &impl Fn(&Job) -> StoreError) {
        let mut jobs = Vec::new();
        self.take_waiting(&mut jobs, 1, wait);
        for job in jobs {
            let error = refuse(&job);
            job.fail(error);
        }
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.mailbox.close();
    }
}
