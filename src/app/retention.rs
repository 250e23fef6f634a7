//! Drops old events: those that are sealed, older than `audit.keep`, and delivered by every durable sink, up to a
//! checkpoint. From there verification starts.
//!
//! What is dropped was verified just before, so that no evidence of tampering goes with it. One commit drops the
//! events, says where the trail begins now, and tells of it; it works under the sealer's lease.

use jiff::{SignedDuration, Timestamp};

use super::{
    Services,
    error::AppError,
    records,
    sealed::{self, Cursor, SigningKeys, cursor_key, keys_key, plain, start_key, unreadable},
    sealer::{CHECKPOINT_ENTRIES, LEASE, LEASE_TIME, blank},
};
use crate::{
    domain::{
        audit::{Actor, Code},
        chain::{Checkpoint, Entry, Keyring, SealedHead, VerifySignature},
        ids::TenantName,
    },
    ports::store::{
        Change, Committed, Expect, Fence, Key, ListPage, MOST_FORGOTTEN, Page, Seq, Snapshot, StoreError, Stored,
    },
};

/// One commit gets from one checkpoint to the next.
const _: () = assert!(CHECKPOINT_ENTRIES <= MOST_FORGOTTEN);
/// Events and checkpoints looked at in one pass.
const BATCH: usize = 1000;
/// Entries hashed before others get their turn.
const TURN: usize = 256;

/// What a pass did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Trimmed {
    /// Events that were dropped.
    pub dropped: u64,
    /// There may be more to do at once.
    pub more: bool,
}

/// How long events are kept, and who must have them before they go.
#[derive(Debug, Clone)]
pub struct Retention {
    /// Younger events stay (`audit.keep`).
    pub keep: SignedDuration,
    /// The names of the durable sinks. Without one nothing is dropped.
    pub sinks: Vec<String>,
    /// Checks the checkpoint's signature.
    pub verify: VerifySignature,
}

/// A checkpoint to begin behind, and what goes with those before it.
struct Cut {
    checkpoint: Checkpoint,
    key: Key,
    version: u64,
    drops: Vec<Key>,
}

impl Retention {
    /// One pass over one tenant. `holder` names the process as its sealer does.
    pub async fn pass(&self, services: &Services, tenant: &TenantName, holder: &str) -> Result<Trimmed, AppError> {
        if self.sinks.is_empty() {
            return Ok(Trimmed::default());
        }
        let mut keys = vec![start_key(), keys_key()];
        keys.extend(self.sinks.iter().map(|sink| cursor_key(sink)));
        let snapshot = services.store.read(tenant, &keys).await?;
        let start = sealed::start_of(&snapshot)?.map_or_else(|| SealedHead::genesis(tenant), |start| start.says.head);
        let heads = self.old(services, tenant, &snapshot, start).await?;
        let Some(last) = heads.last() else { return Ok(Trimmed::default()) };
        let page = Page { up_to: last.seq, after: None, limit: BATCH };
        let found = services.store.list(tenant, sealed::checkpoints(), page).await?;
        let Some(cut) = cut(start, &found)? else { return Ok(Trimmed::default()) };
        let keyring = self.keyring(&snapshot)?;
        attested(tenant, &cut.checkpoint, &heads, &keyring)?;
        let lease = services.store.lease(tenant, LEASE, holder, LEASE_TIME).await?;
        let Some(lease) = lease else { return Ok(Trimmed::default()) };
        let fence = Fence { lease: LEASE.to_owned(), token: lease.token };
        let dropped = cut.checkpoint.says.head.seq - start.seq;
        let change = change(services, tenant, &snapshot, (start, cut), fence)?;
        match services.store.commit(tenant, change).await? {
            Committed::Done(_) => Ok(Trimmed { dropped, more: true }),
            // Somebody else was faster.
            Committed::Conflict(_) | Committed::Fenced | Committed::Late => Ok(Trimmed::default()),
        }
    }

    /// The heads behind the events that are old and delivered, computed from where the trail begins; as many as one
    /// change may drop.
    async fn old(
        &self,
        services: &Services,
        tenant: &TenantName,
        snapshot: &Snapshot,
        start: SealedHead,
    ) -> Result<Vec<SealedHead>, AppError> {
        let Ok(young) = snapshot.now.checked_sub(self.keep) else { return Ok(Vec::new()) };
        let most = self.delivered(snapshot)?.saturating_sub(start.seq).min(MOST_FORGOTTEN);
        let (after, most) = (Seq(start.seq), usize::try_from(most).unwrap_or(BATCH));
        // Mostly the first one is too young: that is cheap to find out.
        if most == 0 || heads(start, &services.store.events(tenant, after, 1).await?, young).await?.is_empty() {
            return Ok(Vec::new());
        }
        Ok(heads(start, &services.store.events(tenant, after, most).await?, young).await?)
    }

    /// The last entry that every durable sink has. A cursor never goes back, so the commit need not expect it.
    fn delivered(&self, snapshot: &Snapshot) -> Result<u64, StoreError> {
        let mut least = u64::MAX;
        for sink in &self.sinks {
            let cursor = records::find::<Cursor>(snapshot, &cursor_key(sink))?;
            least = least.min(cursor.map_or(0, |(cursor, _)| cursor.seq));
        }
        Ok(least)
    }

    fn keyring(&self, snapshot: &Snapshot) -> Result<Keyring, StoreError> {
        let keys = records::find::<SigningKeys>(snapshot, &keys_key())?;
        let keys = keys.iter().flat_map(|(keys, _)| keys.all());
        Ok(Keyring::new(keys, self.verify))
    }
}

/// The heads behind these events, up to the first that isn't older than `young` or doesn't say when it was.
async fn heads(start: SealedHead, events: &[Stored], young: Timestamp) -> Result<Vec<SealedHead>, StoreError> {
    let (mut head, mut heads) = (start, Vec::with_capacity(events.len()));
    for stored in events {
        let event = sealed::next_event(head, stored)?;
        if event.time.is_none_or(|time| time > young) {
            break;
        }
        head = Entry::seal(head, event).head();
        heads.push(head);
        if heads.len().is_multiple_of(TURN) {
            tokio::task::yield_now().await;
        }
    }
    Ok(heads)
}

/// The last of these checkpoints, if it lies behind `start`; with it go the ones before it.
fn cut(start: SealedHead, found: &ListPage) -> Result<Option<Cut>, StoreError> {
    let rows = found.whole()?;
    let Some(((_, key, record), before)) = rows.split_last() else { return Ok(None) };
    let checkpoint: Checkpoint = records::decode(record)?;
    if checkpoint.says.head.seq <= start.seq {
        return Ok(None);
    }
    let mut drops: Vec<Key> = before.iter().map(|(_, key, _)| *key).collect();
    drops.extend(sealed::segments_dropped(start.seq, checkpoint.says.head.seq));
    Ok(Some(Cut { checkpoint, key: *key, version: record.version, drops }))
}

/// What doesn't verify is never dropped.
fn attested(
    tenant: &TenantName,
    checkpoint: &Checkpoint,
    heads: &[SealedHead],
    keyring: &Keyring,
) -> Result<(), StoreError> {
    let says = &checkpoint.says;
    let bad = |what: &str| {
        let text = format!("the checkpoint at entry {} {what}; no entries are dropped", says.head.seq);
        Err(StoreError::Unreadable(text))
    };
    if says.tenant != *tenant || !heads.contains(&says.head) {
        return bad("does not fit the entries before it");
    }
    let message = says.message().map_err(unreadable(says.head.seq))?;
    match keyring.check(&says.key, &message, &checkpoint.signature) {
        Some(true) => Ok(()),
        Some(false) => bad("is not signed by the key that it names"),
        None => bad("is signed by a key that is not known"),
    }
}

fn change(
    services: &Services,
    tenant: &TenantName,
    snapshot: &Snapshot,
    (start, cut): (SealedHead, Cut),
    fence: Fence,
) -> Result<Change, StoreError> {
    let up_to = cut.checkpoint.says.head.seq;
    let told = serde_json::to_value(&cut.checkpoint)
        .map_err(|error| StoreError::Unreadable(format!("a checkpoint can't be written: {error}")))?;
    let event = services
        .event(tenant, Code::AuditTrimmed, Actor::service("sealer"), snapshot.now)
        .detail("from", start.seq + 1)
        .detail("up_to", up_to)
        .detail("checkpoint", told);
    Ok(Change {
        fence: Some(fence),
        expect: vec![(start_key(), snapshot.as_seen(&start_key())), (cut.key, Expect::Version(cut.version))],
        puts: vec![plain(start_key(), &cut.checkpoint)?],
        drops: cut.drops,
        forget: Some(Seq(up_to)),
        events: records::encode_events(&[event])?,
        ..blank(services, snapshot.now)
    })
}
