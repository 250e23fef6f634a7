//! Requests with a key: the first is worked on, and whoever sends it again gets its answer.
//!
//! A key is reserved before the work and settled after it. What the work does isn't in the same commit (a grant lies in
//! the directory): who dies between the two leaves a reservation, which holds for a minute. Then the same request is
//! worked on again, which is harmless, because every operation that takes a key finds what it did before.

use jiff::{SignedDuration, Timestamp};

use super::{Services, Tenant, error::AppError, records};
use crate::{
    domain::{
        chain::Digest,
        idempotency::{Answer, IdempotencyKey, Kept, Progress, Verdict, judge},
        ids::RecordId,
        reason::Reason,
    },
    ports::store::{Change, ChangeId, Expect, IndexRow, Key, Kind, Put, StoreError},
};

const KEPT: Kind = Kind(19);

/// How long an answer is given again.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(24);
/// How long a reservation holds: longer than any request is worked on.
const RESERVED_FOR: SignedDuration = SignedDuration::from_secs(60);
/// Longer answers are not kept: with its quotes escaped, one has to fit into a record.
const LONGEST_ANSWER: usize = 24 << 10;

/// Who sends requests; keys of different senders have nothing to do with each other.
#[derive(Debug, Clone, Copy)]
pub enum Sender<'a> {
    /// A user, by his id.
    User(&'a str),
    /// An application, by its URI.
    Application(&'a str),
}

/// A key that is ours to settle.
#[derive(Debug)]
pub struct Reserved {
    key: Key,
    request: Digest,
    by: ChangeId,
}

/// What to do with a request.
#[derive(Debug)]
pub enum Begun {
    /// Work on it, and [`settle`] it whatever comes of it.
    Go(Reserved),
    /// Give that answer.
    Again(Answer),
}

fn key_of(sender: Sender<'_>, key: &IdempotencyKey) -> Key {
    let (kind, id) = match sender {
        Sender::User(id) => ("user", id),
        Sender::Application(uri) => ("application", uri),
    };
    Key { kind: KEPT, id: RecordId::natural(&["idempotency", kind, id, key.as_str()]) }
}

fn put(key: Key, kept: &Kept, now: Timestamp) -> Result<Put, StoreError> {
    let holds = match kept.progress {
        Progress::Pending => RESERVED_FOR,
        Progress::Done(_) => KEPT_FOR,
    };
    let (live_until, drop_at) = (later(now, holds), later(now, KEPT_FOR));
    Ok(Put {
        key,
        body: records::encode(kept)?,
        live_until: Some(live_until),
        drop_at: Some(drop_at),
        indexes: vec![IndexRow { index: records::droppable(), sort: records::millis(drop_at) }],
    })
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// Reserves the key for this request, or tells what became of it before.
pub async fn begin(
    services: &Services,
    tenant: &Tenant,
    sender: Sender<'_>,
    key: &IdempotencyKey,
    request: Digest,
) -> Result<Begun, AppError> {
    let key = key_of(sender, key);
    let mut tries = services.tries();
    while tries.again().await {
        let snapshot = services.store.read(&tenant.name, &[key]).await?;
        let found = records::find::<Kept>(&snapshot, &key)?;
        let counts = |until: Option<Timestamp>| until.is_none_or(|until| snapshot.now < until);
        let kept = found.as_ref().filter(|(_, record)| counts(record.live_until)).map(|(kept, _)| kept);
        if let Verdict::Again(answer) = judge(kept, &request)? {
            return Ok(Begun::Again(answer));
        }
        let by = services.change_id();
        let change = Change {
            expect: vec![(key, snapshot.as_seen(&key))],
            puts: vec![put(key, &Kept { request, progress: Progress::Pending }, snapshot.now)?],
            ..Change::new(by, services.not_after(snapshot.now, tenant))
        };
        if services.settle(&tenant.name, change, key).await?.stands() {
            return Ok(Begun::Go(Reserved { key, request, by }));
        }
    }
    Err(Reason::Busy.into())
}

/// Keeps the answer under the key, or lets the key go where none is kept. What fails here is logged: the work is done,
/// and the reservation ends by itself.
pub async fn settle(services: &Services, tenant: &Tenant, reserved: Reserved, answer: Option<Answer>) {
    let answer = answer.filter(|answer| Answer::is_kept(answer.status) && answer.body.len() <= LONGEST_ANSWER);
    if let Err(error) = try_settle(services, tenant, reserved, answer).await {
        tracing::warn!(tenant = %tenant.name, %error, "the answer to a request with a key could not be kept");
    }
}

async fn try_settle(
    services: &Services,
    tenant: &Tenant,
    Reserved { key, request, by }: Reserved,
    answer: Option<Answer>,
) -> Result<(), AppError> {
    let snapshot = services.store.read(&tenant.name, &[key]).await?;
    // It took longer than a reservation holds, and somebody else has the key now.
    let Some(record) = snapshot.get(&key).filter(|record| record.last_change == by) else { return Ok(()) };
    let done = answer.map(|answer| put(key, &Kept { request, progress: Progress::Done(answer) }, snapshot.now));
    let puts: Vec<Put> = done.transpose()?.into_iter().collect();
    let change = Change {
        expect: vec![(key, Expect::Version(record.version))],
        drops: if puts.is_empty() { vec![key] } else { Vec::new() },
        puts,
        ..Change::new(services.change_id(), services.not_after(snapshot.now, tenant))
    };
    services.settle(&tenant.name, change, key).await?;
    Ok(())
}
