//! Grants in the store: one record per (delegator, agent), listed under both.
//!
//! A record per pair makes concurrent changes independent of each other: adding expects the record absent, removing
//! expects the version that was read, and nothing else is rewritten.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    domain::ids::{RecordId, TenantName, UserId},
    ports::{
        directory::{DirectoryError, Written},
        entropy::{self, Entropy},
        store::{
            Change, ChangeId, Committed, Expect, Index, IndexRow, Key, Kind, Page, Put, Record, Snapshot, Store,
            StoreError,
        },
    },
};

/// The records that hold a grant.
pub const KIND: Kind = Kind(20);
/// The index of a delegator's grants, sorted by when they were made.
pub const BY_DELEGATOR: u8 = 20;
/// The index of an agent's grants, likewise.
pub const BY_AGENT: u8 = 21;
/// The most agents that a delegator may name. Checked before adding, not with it: adds that run at the same time may
/// go past it by their number.
pub const MAX_AGENTS: usize = 1000;
/// The most grants that a list shows.
pub const MAX_LISTED: usize = 10_000;

/// Rows per page; the port's greatest.
const PAGE: usize = 1000;
/// How long a commit may be under way.
const COMMIT_WITHIN: SignedDuration = SignedDuration::from_secs(2);
/// How often a removal is tried that others overtake. Each time the grant was removed and made anew in between.
const ATTEMPTS: usize = 32;
const OTHER_USERS: &str = "a grant's record tells of other users";

/// A record's body. The ids are there to be compared: the key only holds their hash.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Grant {
    delegator: UserId,
    agent: UserId,
}

impl Grant {
    fn key(&self) -> Key {
        Key { kind: KIND, id: RecordId::natural(&["grant", self.delegator.as_str(), self.agent.as_str()]) }
    }

    fn read(record: &Record) -> Result<Self, DirectoryError> {
        serde_json::from_slice(&record.body).map_err(|e| unavailable(format!("a grant's record is spoilt: {e}")))
    }

    /// Whether the record is this grant; a record of another is an error, never a yes.
    fn is_in(&self, snapshot: &Snapshot) -> Result<bool, DirectoryError> {
        match snapshot.get(&self.key()) {
            Some(record) if Self::read(record)? == *self => Ok(true),
            Some(_) => Err(unavailable(OTHER_USERS)),
            None => Ok(false),
        }
    }

    fn put(&self, now: Timestamp) -> Result<Put, DirectoryError> {
        let sort = u64::try_from(now.as_millisecond()).unwrap_or(0);
        let row = |list, owner: &UserId| IndexRow { index: index(list, owner), sort };
        Ok(Put {
            key: self.key(),
            body: serde_json::to_vec(self).map_err(|e| unavailable(format!("a grant can't be written: {e}")))?,
            live_until: None,
            drop_at: None,
            indexes: vec![row(BY_DELEGATOR, &self.delegator), row(BY_AGENT, &self.agent)],
        })
    }
}

/// A tenant's grants.
pub(super) struct Grants {
    tenant: TenantName,
    store: Arc<dyn Store>,
    entropy: Arc<dyn Entropy>,
}

impl Grants {
    pub(super) fn new(tenant: TenantName, store: Arc<dyn Store>, entropy: Arc<dyn Entropy>) -> Self {
        Self { tenant, store, entropy }
    }

    pub(super) async fn stands(&self, delegator: &UserId, agent: &UserId) -> Result<bool, DirectoryError> {
        let grant = Grant { delegator: delegator.clone(), agent: agent.clone() };
        grant.is_in(&self.read(&grant).await?)
    }

    pub(super) async fn add(&self, delegator: &UserId, agent: &UserId) -> Result<Written, DirectoryError> {
        let grant = not_oneself(delegator, agent)?;
        let snapshot = self.read(&grant).await?;
        if grant.is_in(&snapshot)? {
            return Ok(Written::Already);
        }
        self.room_for_one(delegator).await?;
        let change = Change {
            expect: vec![(grant.key(), Expect::Absent)],
            puts: vec![grant.put(snapshot.now)?],
            ..self.change(&snapshot)
        };
        if self.commit(&grant, change).await? {
            return Ok(Written::Changed);
        }
        // Another was first. What he wrote must be this grant; if it is gone again, it stood a moment ago.
        grant.is_in(&self.read(&grant).await?)?;
        Ok(Written::Already)
    }

    /// Drops the record even if its body is spoilt: to end a grant needs no proof of it.
    pub(super) async fn remove(&self, delegator: &UserId, agent: &UserId) -> Result<Written, DirectoryError> {
        let grant = Grant { delegator: delegator.clone(), agent: agent.clone() };
        for _ in 0..ATTEMPTS {
            let snapshot = self.read(&grant).await?;
            let Some(record) = snapshot.get(&grant.key()) else { return Ok(Written::Already) };
            let change = Change {
                expect: vec![(grant.key(), Expect::Version(record.version))],
                drops: vec![grant.key()],
                ..self.change(&snapshot)
            };
            if self.commit(&grant, change).await? {
                return Ok(Written::Changed);
            }
        }
        Err(unavailable("the grant changes too often, ask again"))
    }

    pub(super) async fn agents_of(&self, delegator: &UserId) -> Result<Vec<UserId>, DirectoryError> {
        let grants = self.list(BY_DELEGATOR, delegator, MAX_LISTED).await?;
        if grants.iter().any(|grant| grant.delegator != *delegator) {
            return Err(unavailable(OTHER_USERS));
        }
        Ok(grants.into_iter().map(|grant| grant.agent).collect())
    }

    pub(super) async fn delegators_of(&self, agent: &UserId) -> Result<Vec<UserId>, DirectoryError> {
        let grants = self.list(BY_AGENT, agent, MAX_LISTED).await?;
        if grants.iter().any(|grant| grant.agent != *agent) {
            return Err(unavailable(OTHER_USERS));
        }
        Ok(grants.into_iter().map(|grant| grant.delegator).collect())
    }

    async fn room_for_one(&self, delegator: &UserId) -> Result<(), DirectoryError> {
        // Those that can't be read count.
        let page = Page { up_to: u64::MAX, after: None, limit: MAX_AGENTS };
        let page = self.store.list(&self.tenant, index(BY_DELEGATOR, delegator), page).await.map_err(closed)?;
        if page.rows.len() < MAX_AGENTS {
            return Ok(());
        }
        let text = format!("there are {MAX_AGENTS} agents already, the most that one may name: remove one first");
        Err(DirectoryError::Rejected(text))
    }

    /// The first `most` grants of an index.
    async fn list(&self, list: u8, owner: &UserId, most: usize) -> Result<Vec<Grant>, DirectoryError> {
        let mut grants = Vec::new();
        let mut after = None;
        while grants.len() < most {
            let page = Page { up_to: u64::MAX, after, limit: PAGE.min(most - grants.len()) };
            let page = self.store.list(&self.tenant, index(list, owner), page).await.map_err(closed)?;
            // A list that leaves out who may act for somebody misleads: one that can't be read is an error.
            for (_, key, record) in page.whole().map_err(closed)? {
                let grant = Grant::read(record)?;
                if grant.key() != key {
                    return Err(unavailable(OTHER_USERS));
                }
                grants.push(grant);
            }
            after = page.end();
            if !page.more || after.is_none() {
                return Ok(grants);
            }
        }
        if most == MAX_LISTED {
            tracing::warn!(tenant = %self.tenant, list, most, "a list of grants is cut short");
        }
        Ok(grants)
    }

    async fn read(&self, grant: &Grant) -> Result<Snapshot, DirectoryError> {
        self.store.read(&self.tenant, &[grant.key()]).await.map_err(closed)
    }

    /// An empty change that has a little time.
    fn change(&self, snapshot: &Snapshot) -> Change {
        Change::new(
            ChangeId(entropy::bytes(&*self.entropy)),
            snapshot.now.saturating_add(COMMIT_WITHIN).unwrap_or(Timestamp::MAX),
        )
    }

    /// True if the change is applied, false if another was first.
    async fn commit(&self, grant: &Grant, change: Change) -> Result<bool, DirectoryError> {
        let first = self.store.commit(&self.tenant, change.clone()).await;
        if !matches!(first, Err(StoreError::Unknown(_))) {
            return settled(first);
        }
        if self.is_written(grant, &change).await? {
            return Ok(true);
        }
        // The same change id is never applied twice, so to send it again is to ask what became of it.
        if settled(self.store.commit(&self.tenant, change.clone()).await)? {
            return Ok(true);
        }
        self.is_written(grant, &change).await
    }

    async fn is_written(&self, grant: &Grant, change: &Change) -> Result<bool, DirectoryError> {
        let snapshot = self.read(grant).await?;
        Ok(snapshot.get(&grant.key()).is_some_and(|record| record.last_change == change.id))
    }
}

fn settled(result: Result<Committed, StoreError>) -> Result<bool, DirectoryError> {
    match result.map_err(closed)? {
        Committed::Done(_) => Ok(true),
        Committed::Conflict(_) => Ok(false),
        Committed::Late | Committed::Fenced => Err(unavailable("the store didn't take the change in time")),
    }
}

fn not_oneself(delegator: &UserId, agent: &UserId) -> Result<Grant, DirectoryError> {
    if delegator == agent {
        return Err(DirectoryError::Rejected("nobody is an agent of his own".into()));
    }
    Ok(Grant { delegator: delegator.clone(), agent: agent.clone() })
}

fn index(list: u8, owner: &UserId) -> Index {
    Index { list, owner: Sha256::digest(owner.as_str().as_bytes()).into() }
}

#[expect(clippy::needless_pass_by_value, reason = "fits map_err")]
fn closed(error: StoreError) -> DirectoryError {
    unavailable(error.to_string())
}

fn unavailable(why: impl Into<String>) -> DirectoryError {
    DirectoryError::Unavailable(why.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As they were written once; `src/app/kinds/tests.rs` has the other kinds.
    #[test]
    fn grants_that_were_written_once_are_read() {
        for line in include_str!("../../../../tests/it/fixtures/records/20.jsonl").lines() {
            let before: serde_json::Value = serde_json::from_str(line).unwrap();
            let grant: Grant = serde_json::from_str(line).unwrap();
            assert_eq!(serde_json::to_value(grant).unwrap(), before);
        }
    }
}
