//! A sealer that is held up between taking its lease and its commit, while another one seals. Stopping a process hardly
//! ever hits that moment, so it is brought about here: in one process, over a real Redis.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use behalf::{
    adapters::{audit::signing::SigningKey, store::redis::RedisStore, system::OsEntropy},
    app::{
        Services, sealed,
        sealer::{LEASE_TIME, Pass, Sealer},
    },
    domain::{
        audit::{Actor, Code},
        ids::TenantName,
    },
    ports::{
        clock::{Clock, ManualClock},
        store::{
            Change, Committed, Hints, Index, Key, Lease, ListPage, Page, Seq, Snapshot, Store, StoreError, Stored,
        },
    },
};
use jiff::{SignedDuration, Timestamp};

use crate::{
    contract::{
        redis::over_with,
        stores::{start, tenant},
    },
    support::redis::Redis,
};

/// A store on whose way commits under a lease are held up until the lease is over and another sealer has done its work.
struct Slow {
    redis: Arc<Redis>,
    inner: Arc<RedisStore>,
    clock: Arc<ManualClock>,
    other: Sealer,
    /// Commits may be as late as they like.
    patient: bool,
    seen: Mutex<Vec<Committed>>,
}

fn services(store: Arc<dyn Store>, clock: &Arc<ManualClock>) -> Services {
    let signer = Arc::new(SigningKey::ephemeral(&OsEntropy).unwrap());
    Services::new(store, Arc::clone(clock) as Arc<dyn Clock>, Arc::new(OsEntropy), signer, [].into())
}

#[async_trait]
impl Store for Slow {
    async fn read(&self, tenant: &TenantName, keys: &[Key]) -> Result<Snapshot, StoreError> {
        self.inner.read(tenant, keys).await
    }

    async fn commit(&self, tenant: &TenantName, mut change: Change) -> Result<Committed, StoreError> {
        assert!(change.fence.is_some(), "a sealer's commit has a fence");
        self.clock.advance(LEASE_TIME);
        let theirs = services(Arc::clone(&self.inner) as _, &self.clock);
        let pass = self.other.pass(&theirs, tenant).await.unwrap();
        assert!(pass.sealed > 0, "the other one seals as soon as the lease is over");
        let before = self.redis.content();
        if self.patient {
            change.not_after = Timestamp::MAX;
        }
        let committed = self.inner.commit(tenant, change).await?;
        assert_eq!(self.redis.content(), before, "nothing was written");
        self.seen.lock().unwrap().push(committed.clone());
        Ok(committed)
    }

    async fn list(&self, tenant: &TenantName, index: Index, page: Page) -> Result<ListPage, StoreError> {
        self.inner.list(tenant, index, page).await
    }

    async fn events(&self, tenant: &TenantName, after: Seq, limit: usize) -> Result<Vec<Stored>, StoreError> {
        self.inner.events(tenant, after, limit).await
    }

    async fn lease(
        &self,
        tenant: &TenantName,
        name: &str,
        holder: &str,
        ttl: SignedDuration,
    ) -> Result<Option<Lease>, StoreError> {
        self.inner.lease(tenant, name, holder, ttl).await
    }

    fn changed(&self, tenant: &TenantName) -> Hints {
        self.inner.changed(tenant)
    }

    async fn incarnation(&self, tenant: &TenantName) -> Result<String, StoreError> {
        self.inner.incarnation(tenant).await
    }
}

/// What the commit of the one who was held up was answered.
async fn held_up(patient: bool) -> Vec<Committed> {
    let (acme, clock) = (tenant("acme"), Arc::new(ManualClock::at(start())));
    let redis = Arc::new(Redis::start(&[]).await);
    let inner = Arc::new(over_with(&redis, &clock));
    let plain = services(Arc::clone(&inner) as _, &clock);
    let event = plain.event(&acme, Code::HookGranted, Actor::user_id("00uann"), start());
    let events = vec![serde_json::to_vec(&event).unwrap(); 30];
    let written = Change { events, ..Change::new(plain.change_id(), Timestamp::MAX) };
    assert!(matches!(inner.commit(&acme, written).await.unwrap(), Committed::Done(_)));

    let key = Arc::new(SigningKey::ephemeral(&OsEntropy).unwrap());
    let sealer = || Sealer::new(Arc::clone(&key) as _, None, &OsEntropy);
    let slow = Slow {
        redis,
        inner: Arc::clone(&inner),
        clock: Arc::clone(&clock),
        other: sealer(),
        patient,
        seen: Mutex::default(),
    };
    let slow = Arc::new(slow);
    let pass = sealer().pass(&services(Arc::clone(&slow) as _, &clock), &acme).await.unwrap();
    assert_eq!(pass, Pass::default());
    assert_eq!(sealed::page(&*inner, &acme, 0, 1).await.unwrap().head.seq, 30);
    slow.seen.lock().unwrap().clone()
}

#[tokio::test]
async fn what_comes_after_the_lease_is_late() {
    assert_eq!(held_up(false).await, [Committed::Late]);
}

#[tokio::test]
async fn what_might_come_at_any_time_is_fenced_off() {
    assert_eq!(held_up(true).await, [Committed::Fenced]);
}
