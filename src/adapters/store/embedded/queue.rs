//! What the writer is asked to do, and how it comes to the writer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel},
    },
    time::Duration,
};

use jiff::SignedDuration;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    time::Instant,
};

use crate::{
    domain::ids::TenantName,
    ports::store::{Change, Committed, Lease, StoreError},
};

/// The most jobs that wait; further callers wait for a place.
const PLACES: usize = 4096;
/// Room for messages that need no place.
const SPARE: usize = 64;

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
    sender: SyncSender<Message>,
    places: Arc<Semaphore>,
    /// One more than the generation that was last called suspect.
    suspected: AtomicU64,
}

/// The writer's end.
pub(super) struct Inbox {
    receiver: Receiver<Message>,
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
    let (sender, receiver) = sync_channel(PLACES + SPARE);
    let places = Arc::new(Semaphore::new(PLACES));
    let inbox = Inbox { receiver, places: Arc::clone(&places), linger, expected: 1, stopping: false };
    (Queue { sender, places, suspected: AtomicU64::new(0) }, inbox)
}

fn closed() -> StoreError {
    StoreError::Unavailable("the store is closed".to_owned())
}

impl Queue {
    /// Sends the job once there is a place for it. A caller that gives up before has sent nothing.
    pub(super) async fn send(&self, tenant: &TenantName, work: Work) -> Result<(), StoreError> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| closed())?;
        let job = Job { tenant: tenant.clone(), work, _place: place };
        self.sender.try_send(Message::Job(job)).map_err(|_| closed())
    }

    /// Tells the writer, once, that reads of this generation fail.
    pub(super) fn suspect(&self, generation: u64) {
        if self.suspected.swap(generation + 1, Ordering::SeqCst) == generation + 1 {
            return;
        }
        drop(self.sender.try_send(Message::Suspect(generation)));
    }

    /// No more jobs; those that were sent are still done.
    pub(super) fn stop(&self) {
        self.places.close();
        // Fails only if the writer is gone already.
        drop(self.sender.send(Message::Stop));
    }
}

impl Inbox {
    /// Waits for something to do.
    pub(super) fn next(&mut self) -> Next {
        if self.stopping {
            return Next::Stop;
        }
        match self.receiver.recv() {
            Ok(Message::Job(job)) => Next::Write(self.batch(job)),
            Ok(Message::Suspect(generation)) => Next::Reopen(generation),
            Ok(Message::Stop) | Err(_) => Next::Stop,
        }
    }

    fn batch(&mut self, first: Job) -> Vec<Job> {
        let mut jobs = vec![first];
        self.take_waiting(&mut jobs);
        let end = Instant::now() + self.linger;
        while jobs.len() < self.expected && !self.stopping {
            match self.receiver.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(message) => self.keep(message, &mut jobs),
                Err(_) => break,
            }
        }
        jobs
    }

    /// To be called when a batch is written, before its jobs are dropped: they and those that came meanwhile are
    /// likely to come together next time.
    pub(super) fn wrote(&mut self) {
        self.expected = PLACES - self.places.available_permits().min(PLACES);
    }

    fn take_waiting(&mut self, jobs: &mut Vec<Job>) {
        while jobs.len() < PLACES && !self.stopping {
            match self.receiver.try_recv() {
                Ok(message) => self.keep(message, jobs),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return,
            }
        }
    }

    fn keep(&mut self, message: Message, jobs: &mut Vec<Job>) {
        match message {
            Message::Job(job) => jobs.push(job),
            // The batch that is about to be written meets the same error.
            Message::Suspect(_) => {}
            Message::Stop => self.stopping = true,
        }
    }

    /// Answers whatever comes with `refuse`, for this long. False: the store is being closed.
    pub(super) fn refuse(&mut self, wait: Duration, refuse: impl Fn(&Job) -> StoreError) -> bool {
        let end = Instant::now() + wait;
        while !self.stopping {
            match self.receiver.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(Message::Job(job)) => {
                    let error = refuse(&job);
                    job.fail(error);
                }
                Ok(Message::Suspect(_)) => {}
                Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => self.stopping = true,
                Err(RecvTimeoutError::Timeout) => return true,
            }
        }
        false
    }

    /// Answers what is left when the store is closed.
    pub(super) fn turn_away(&mut self, refuse: impl Fn(&Job) -> StoreError) {
        while let Ok(message) = self.receiver.try_recv() {
            if let Message::Job(job) = message {
                let error = refuse(&job);
                job.fail(error);
            }
        }
    }
}
