//! Seals events: a bounded pass that links what the outbox has behind the sealed head, and signs checkpoints.
//!
//! Safe to repeat and to run in many processes at once: it works under a lease, and every commit expects the head,
//! the segments and the checkpoint it read, so that the one who comes second changes nothing.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{
    Services,
    error::AppError,
    records,
    sealed::{self, SigningKeys, head_key, keys_key, latest_key, plain, unreadable},
};
use crate::{
    domain::{
        audit::{Actor, Code},
        chain::{Checkpoint, Digest, Entry, Rotation, SealedHead, Unsigned},
        ids::TenantName,
    },
    ports::{
        entropy,
        signer::Signer,
        store::{Change, Committed, Fence, Put, Seq, Snapshot, StoreError, Stored},
    },
};

/// A checkpoint is signed when so many entries were sealed since the last one …
pub const CHECKPOINT_ENTRIES: u64 = 1000;
/// … or so much time went by, even if nothing was sealed.
pub const CHECKPOINT_EVERY: SignedDuration = SignedDuration::from_secs(60);

/// Entries sealed in one pass: hashing them keeps a thread for about a millisecond.
const BATCH: u64 = 256;
pub(super) const LEASE: &str = "sealer";
/// How long a process seals alone after each pass; one that dies is followed after that.
pub const LEASE_TIME: SignedDuration = SignedDuration::from_secs(10);
/// How long a commit may be on its way.
const PATIENCE: SignedDuration = SignedDuration::from_secs(5);

/// What a pass did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pass {
    /// Events that were sealed.
    pub sealed: u64,
    /// A checkpoint was signed.
    pub checkpoint: bool,
    /// There is more to do at once.
    pub more: bool,
}

/// Seals for this process.
pub struct Sealer {
    signer: Arc<dyn Signer>,
    former: Option<Arc<dyn Signer>>,
    holder: String,
}

/// What a pass begins with.
struct Work {
    snapshot: Snapshot,
    head: SealedHead,
    latest: Option<Checkpoint>,
    events: Vec<Stored>,
}

impl Sealer {
    /// Signs with `signer`; `former` is the key before it, as long as its owner keeps it at hand.
    pub fn new(signer: Arc<dyn Signer>, former: Option<Arc<dyn Signer>>, entropy: &dyn entropy::Entropy) -> Self {
        let holder = u128::from_be_bytes(entropy::bytes(entropy));
        Self { signer, former, holder: format!("{holder:032x}") }
    }

    /// Under this name instead of a random one. For a store that only one process can have open: the next one takes up
    /// its leases at once, instead of waiting until they run out.
    #[must_use]
    pub fn named(self, holder: &str) -> Self {
        Self { holder: holder.to_owned(), ..self }
    }

    /// Names this process where it takes a lease.
    pub fn holder(&self) -> &str {
        &self.holder
    }

    /// One pass over one tenant.
    pub async fn pass(&self, services: &Services, tenant: &TenantName) -> Result<Pass, AppError> {
        let Some(work) = look(services, tenant).await? else { return Ok(Pass::default()) };
        if work.events.is_empty() && !checkpoint_due(&work, work.head) {
            return Ok(Pass::default());
        }
        let lease = services.store.lease(tenant, LEASE, &self.holder, LEASE_TIME).await?;
        let Some(lease) = lease else { return Ok(Pass::default()) };
        let fence = Fence { lease: LEASE.to_owned(), token: lease.token };
        let (change, pass) = self.seal(services, tenant, &work, fence)?;
        match services.store.commit(tenant, change).await? {
            Committed::Done(_) => Ok(pass),
            // Somebody else was faster.
            Committed::Conflict(_) | Committed::Fenced | Committed::Late => Ok(Pass::default()),
        }
    }

    fn seal(
        &self,
        services: &Services,
        tenant: &TenantName,
        work: &Work,
        fence: Fence,
    ) -> Result<(Change, Pass), StoreError> {
        let (snapshot, old) = (&work.snapshot, work.head);
        let (hashes, head) = link(old, &work.events)?;
        let mut change = Change { fence: Some(fence), ..blank(services, snapshot.now) };
        change.expect = [head_key(), latest_key()].map(|key| (key, snapshot.as_seen(&key))).to_vec();
        let mut pass = Pass { sealed: head.seq - old.seq, checkpoint: false, more: false };
        pass.more = pass.sealed == room(old, work.latest.as_ref());
        if head != old {
            change.puts.push(plain(head_key(), &head)?);
            for put in extend_segments(snapshot, old.seq + 1, &hashes)? {
                change.expect.push((put.key, snapshot.as_seen(&put.key)));
                change.puts.push(put);
            }
        }
        if checkpoint_due(work, head) {
            let says =
                Unsigned { tenant: tenant.clone(), head, time: snapshot.now, key: self.signer.public_key().id() };
            let message = says.message().map_err(unreadable(head.seq))?;
            let checkpoint = Checkpoint { says, signature: self.signer.sign(&message) };
            change.puts.extend(sealed::put_checkpoint(&checkpoint)?);
            pass.checkpoint = true;
        }
        Ok((change, pass))
    }

    /// Writes down which key signs, and an event if it isn't the one that signed before. To be called at start only:
    /// two processes with different keys would otherwise take turns for ever.
    pub async fn announce(&self, services: &Services, tenant: &TenantName) -> Result<(), AppError> {
        let snapshot = services.store.read(tenant, &[keys_key()]).await?;
        let current = self.signer.public_key();
        let known = records::find::<SigningKeys>(&snapshot, &keys_key())?.map(|(keys, _)| keys);
        let mut change = blank(services, snapshot.now);
        let keys = match known {
            Some(keys) if keys.current == current => return Ok(()),
            None => SigningKeys { current, former: Vec::new() },
            Some(mut keys) => {
                let rotation = self.rotation(tenant, &keys)?;
                let event = services
                    .event(tenant, Code::SigningKeyRotated, Actor::service("sealer"), snapshot.now)
                    .changed(Some(&keys.current.id().to_string()), &current.id().to_string())
                    .detail("rotation", serde_json::to_value(rotation).map_err(|e| unwritable(&e))?);
                change.events = records::encode_events(&[event])?;
                keys.former.retain(|key| *key != current && *key != keys.current);
                keys.former.push(keys.current);
                SigningKeys { current, ..keys }
            }
        };
        change.expect = vec![(keys_key(), snapshot.as_seen(&keys_key()))];
        change.puts = vec![plain(keys_key(), &keys)?];
        services.store.commit(tenant, change).await?;
        Ok(())
    }

    /// For a running process: writes the key down if the store has lost it. Gives whether this process's key is the one
    /// in force; if not, another process signs with another key, which is a mistake in its settings or in ours.
    pub async fn stay_announced(&self, services: &Services, tenant: &TenantName) -> Result<bool, AppError> {
        let snapshot = services.store.read(tenant, &[keys_key()]).await?;
        match records::find::<SigningKeys>(&snapshot, &keys_key())? {
            Some((keys, _)) => Ok(keys.current == self.signer.public_key()),
            None => self.announce(services, tenant).await.map(|()| true),
        }
    }

    fn rotation(&self, tenant: &TenantName, keys: &SigningKeys) -> Result<Rotation, StoreError> {
        let (old_key, new_key) = (keys.current, self.signer.public_key());
        let message = Rotation::message(tenant, &old_key, &new_key).map_err(|e| unwritable(&e))?;
        let former = self.former.as_ref().filter(|former| former.public_key() == old_key);
        Ok(Rotation {
            tenant: tenant.clone(),
            old_key,
            new_key,
            old_signature: former.map(|former| former.sign(&message)),
            new_signature: self.signer.sign(&message),
        })
    }
}

fn unwritable(error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Unreadable(format!("a change of key can't be written: {error}"))
}

/// Reads the head, and what lies behind it up to the next checkpoint. `None`: somebody else sealed meanwhile.
async fn look(services: &Services, tenant: &TenantName) -> Result<Option<Work>, StoreError> {
    let first = services.store.read(tenant, &[head_key(), latest_key()]).await?;
    let head = sealed::head_of(tenant, &first)?;
    let latest = records::find::<Checkpoint>(&first, &latest_key())?.map(|(checkpoint, _)| checkpoint);
    let limit = usize::try_from(room(head, latest.as_ref())).unwrap_or(1);
    let events = services.store.events(tenant, Seq(head.seq), limit).await?;
    let Some(last) = events.last() else { return Ok(Some(Work { snapshot: first, head, latest, events })) };
    let mut keys = sealed::segments(head.seq + 1, last.seq.0.min(head.seq + BATCH));
    keys.extend([head_key(), latest_key()]);
    let snapshot = services.store.read(tenant, &keys).await?;
    let version = |snapshot: &Snapshot, key| snapshot.get(&key).map(|record| record.version);
    if [head_key(), latest_key()].iter().any(|key| version(&first, *key) != version(&snapshot, *key)) {
        return Ok(None);
    }
    Ok(Some(Work { snapshot, head, latest, events }))
}

/// Entries that this pass may seal: not beyond the next checkpoint.
fn room(head: SealedHead, latest: Option<&Checkpoint>) -> u64 {
    let since = head.seq.saturating_sub(latest.map_or(0, |checkpoint| checkpoint.says.head.seq));
    CHECKPOINT_ENTRIES.saturating_sub(since).clamp(1, BATCH)
}

fn checkpoint_due(work: &Work, head: SealedHead) -> bool {
    let Some(latest) = &work.latest else { return true };
    let says = &latest.says;
    head.seq.saturating_sub(says.head.seq) >= CHECKPOINT_ENTRIES
        || work.snapshot.now.duration_since(says.time) >= CHECKPOINT_EVERY
}

/// The hashes of these events, and the head behind them. An event that is missing ends it: nothing is sealed over a
/// gap.
fn link(mut head: SealedHead, events: &[Stored]) -> Result<(Vec<Digest>, SealedHead), StoreError> {
    let mut hashes = Vec::with_capacity(events.len());
    for stored in events {
        head = Entry::seal(head, sealed::next_event(head, stored)?).head();
        hashes.push(head.hash);
    }
    Ok((hashes, head))
}

fn extend_segments(snapshot: &Snapshot, first: u64, hashes: &[Digest]) -> Result<Vec<Put>, StoreError> {
    let mut puts: Vec<Put> = Vec::new();
    for (seq, hash) in (first..).zip(hashes) {
        let (key, place) = sealed::place(seq);
        if puts.last().is_none_or(|put| put.key != key) {
            let body = snapshot.get(&key).map(|record| record.body.clone()).unwrap_or_default();
            puts.push(Put { key, body, live_until: None, drop_at: None, indexes: Vec::new() });
        }
        let Some(put) = puts.last_mut() else { continue };
        if put.body.len() != place * hash.0.len() {
            return Err(StoreError::Unreadable(format!("the hashes before event {seq} are not complete")));
        }
        sealed::push_hash(&mut put.body, *hash);
    }
    Ok(puts)
}

pub(super) fn blank(services: &Services, now: Timestamp) -> Change {
    Change::new(services.change_id(), now.saturating_add(PATIENCE).unwrap_or(now))
}
