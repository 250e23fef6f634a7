//! The sealed audit trail: sealing under load and after restarts, delivery, and what verification sees of tampering.

mod anchor;
mod commands;
mod delivery;
mod retention;
mod sealing;
mod tampering;

use std::{path::Path, sync::Arc};

use behalf::{
    adapters::{
        audit::signing::{self, SigningKey},
        store::embedded::{EmbeddedStore, Place, Settings as StoreSettings},
        system::OsEntropy,
    },
    app::{
        Services, sealed,
        sealer::{Pass, Sealer},
    },
    domain::{
        audit::{Actor, Code},
        chain::{Bad, Checkpoint, Entry, Keyring, Report, SealedHead, Settings, Start, Verifier},
        ids::TenantName,
    },
    ports::{
        clock::{Clock, ManualClock},
        signer::Signer,
        store::{Change, Committed, Key},
    },
};
use jiff::{SignedDuration, Timestamp};

fn acme() -> TenantName {
    TenantName::parse("acme").unwrap()
}

/// Use cases over an embedded store and a clock that stands.
struct Rig {
    clock: Arc<ManualClock>,
    store: Arc<EmbeddedStore>,
    services: Services,
}

impl Rig {
    fn new() -> Self {
        Self::at(Place::Memory)
    }

    fn in_folder(folder: &Path) -> Self {
        Self::at(Place::Folder(folder.to_owned()))
    }

    fn at(place: Place) -> Self {
        let clock = Arc::new(ManualClock::at("2026-11-21T10:00:00Z".parse().unwrap()));
        let as_clock: Arc<dyn Clock> = Arc::clone(&clock) as _;
        let store = EmbeddedStore::open(&StoreSettings::new(place), Arc::clone(&as_clock), &OsEntropy).unwrap();
        let store = Arc::new(store);
        let signer = Arc::new(SigningKey::ephemeral(&OsEntropy).unwrap());
        let services = Services::new(Arc::clone(&store) as _, as_clock, Arc::new(OsEntropy), signer, [].into());
        Self { clock, store, services }
    }

    /// Writes so many events, in one commit.
    async fn write(&self, count: u64) {
        write(&self.services, count).await;
    }

    async fn seal(&self, sealer: &Sealer) -> Pass {
        sealer.pass(&self.services, &acme()).await.unwrap()
    }

    /// Passes until there is nothing left to do.
    async fn seal_all(&self, sealer: &Sealer) {
        while self.seal(sealer).await.more {}
    }

    async fn record<T: serde::de::DeserializeOwned>(&self, key: Key) -> Option<T> {
        let snapshot = self.services.store.read(&acme(), &[key]).await.unwrap();
        snapshot.get(&key).map(|record| serde_json::from_slice(&record.body).unwrap())
    }

    async fn head(&self) -> SealedHead {
        self.record(sealed::head_key()).await.unwrap()
    }

    async fn latest(&self) -> Checkpoint {
        self.record(sealed::latest_key()).await.unwrap()
    }

    /// All sealed entries, as they lie in the store.
    async fn entries(&self) -> Vec<Entry> {
        let mut all: Vec<Entry> = Vec::new();
        loop {
            let after = all.last().map_or(0, |entry| entry.seq);
            let page = sealed::page(&*self.services.store, &acme(), after, 100).await.unwrap();
            if page.entries.is_empty() {
                return all;
            }
            all.extend(page.entries);
        }
    }
}

async fn write(services: &Services, count: u64) {
    let now = services.store.read(&acme(), &[]).await.unwrap().now;
    let event = |n: u64| {
        let event = services.event(&acme(), Code::HookGranted, Actor::user_id("00uann"), now);
        serde_json::to_vec(&event.detail("n", n).detail("text", "a\nb\u{2028}\u{1b}[31mé")).unwrap()
    };
    // Some tests let the clock run while this is on its way.
    let late = Timestamp::MAX;
    let change = Change { events: (0..count).map(event).collect(), ..Change::new(services.change_id(), late) };
    assert!(matches!(services.store.commit(&acme(), change).await.unwrap(), Committed::Done(_)));
}

fn signing_key() -> Arc<SigningKey> {
    Arc::new(SigningKey::ephemeral(&OsEntropy).unwrap())
}

fn sealer_with(key: &Arc<SigningKey>) -> Sealer {
    Sealer::new(Arc::clone(key) as _, None, &OsEntropy)
}

fn verify(entries: &[Entry], checkpoints: Vec<Checkpoint>, key: &SigningKey) -> Result<Report, Bad> {
    let keys = Keyring::new([key.public_key()], signing::verify);
    let (start, from, to) = (Start::Attested, None, None);
    let mut verifier = Verifier::new(Settings { tenant: acme(), start, from, to, repeats: false, checkpoints, keys });
    for entry in entries {
        verifier.feed(entry)?;
    }
    verifier.finish()
}
