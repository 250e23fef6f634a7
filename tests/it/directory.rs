//! The directories each for itself, and the decorators around any directory.

mod coalesced;
mod grants;
mod guarded;
mod ldap;
mod okta;
mod reload;
mod shown;
mod timed;
mod users;

use std::{path::Path, sync::Arc};

use behalf::{
    adapters::{
        directory::embedded::{EmbeddedDirectory, file::Mistakes},
        system::OsEntropy,
    },
    domain::ids::TenantName,
    ports::{clock::ManualClock, store::Store},
};

use crate::support::{
    model_store::ModelStore,
    names::{by_id, by_login, id},
};

fn store() -> Arc<ModelStore> {
    let now = "2026-11-20T12:00:00Z".parse().unwrap();
    Arc::new(ModelStore::new(Arc::new(ManualClock::at(now))))
}

fn open(path: &Path, store: Arc<dyn Store>) -> Result<EmbeddedDirectory, Mistakes> {
    EmbeddedDirectory::open(path, TenantName::default_tenant(), store, Arc::new(OsEntropy))
}

/// A file with these lines of users.
fn file(users: &[&str]) -> String {
    format!("users:\n  - {}\n", users.join("\n  - "))
}

/// A directory whose users are `u-0`, `u-1`, …
fn with_users(count: usize, store: Arc<dyn Store>) -> EmbeddedDirectory {
    let users: Vec<_> =
        (0..count).map(|n| format!("{{ id: u-{n}, login: user{n}@example.com, status: active }}")).collect();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("users.yaml");
    std::fs::write(&path, file(&users.iter().map(String::as_str).collect::<Vec<_>>())).unwrap();
    open(&path, store).unwrap()
}
