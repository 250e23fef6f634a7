//! The sealed trail, read from the file or, while a process has it open, through that process; or from Redis.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{
    adapters::{
        store::{
            embedded::{
                EmbeddedStore, Place, Settings,
                admin::{self, AskError},
                status::{self, Status},
            },
            redis::RedisStore,
        },
        system::{OsEntropy, SystemClock},
    },
    app::{
        sealed::{self, Export, Marks},
        trail::{Fault, Trail},
    },
    cli::store::Located,
    domain::{chain::SealedHead, ids::TenantName},
    ports::store::Store,
};
/// Entries read together.
const PAGE: usize = 1000;

enum From {
    File(Box<EmbeddedStore>),
    Process(PathBuf),
    Redis(Box<RedisStore>),
}

impl From {
    /// The store, where this process reads it itself.
    fn store(&self) -> Result<&dyn Store, &Path> {
        match self {
            Self::File(store) => Ok(&**store),
            Self::Redis(store) => Ok(&**store),
            Self::Process(socket) => Err(socket),
        }
    }
}

/// Where the trail is read.
pub(super) struct Source {
    from: From,
    tenants: Vec<TenantName>,
}

impl Source {
    /// Opens what is there. Makes nothing.
    pub(super) async fn open(located: Located) -> Result<Self, String> {
        match located {
            Located::Folder(folder) => Self::folder(&folder).await,
            Located::Redis(shared) => Self::redis(shared.store, shared.tenants).await,
        }
    }

    /// Asks the process that serves the folder; without one, opens the data.
    async fn folder(folder: &Path) -> Result<Self, String> {
        let socket = folder.join(admin::SOCKET);
        let (from, status) = match admin::ask(&socket, &json!({"cmd": "status"})).await {
            Ok(answer) => (From::Process(socket), read::<Status>(answer)?),
            Err(AskError::NotRunning(_)) => {
                let status = status::status_offline(folder, &SystemClock).map_err(|e| e.to_string())?;
                let settings = Settings::new(Place::Folder(folder.to_owned()));
                let store = EmbeddedStore::open(&settings, std::sync::Arc::new(SystemClock), &OsEntropy);
                (From::File(Box::new(store.map_err(|e| e.to_string())?)), status)
            }
            Err(error) => return Err(error.to_string()),
        };
        Ok(Self { from, tenants: status.tenants.into_iter().map(|found| found.tenant).collect() })
    }

    /// Those of the tenants that are there.
    async fn redis(store: RedisStore, tenants: Vec<TenantName>) -> Result<Self, String> {
        let mut found = Vec::new();
        for tenant in tenants {
            if store.counters(&tenant).await.map_err(|e| e.to_string())?.is_some() {
                found.push(tenant);
            }
        }
        Ok(Self { from: From::Redis(Box::new(store)), tenants: found })
    }

    /// The tenants that are there, or the one that is asked for.
    pub(super) fn tenants<'a>(&'a self, only: Option<&'a TenantName>) -> impl Iterator<Item = Tenant> + 'a {
        let tenant = |name: &TenantName| Tenant { name: name.clone() };
        self.tenants.iter().map(tenant).filter(move |tenant| only.is_none_or(|name| *name == tenant.name))
    }

    /// The number of a tenant's last event at this moment, sealed or not.
    pub(super) async fn last(&self, tenant: &TenantName) -> Result<u64, String> {
        let status: Status = match &self.from {
            From::Redis(store) => {
                let counters = store.counters(tenant).await.map_err(|e| e.to_string())?;
                return Ok(counters.map_or(0, |counters| counters.last_seq));
            }
            From::File(store) => store.status().map_err(|e| e.to_string())?,
            From::Process(path) => ask(path, &json!({"cmd": "status"})).await?,
        };
        Ok(status.tenants.iter().find(|found| found.tenant == *tenant).map_or(0, |found| found.last_seq))
    }

    /// Lines behind `after`.
    pub(super) async fn export(&self, tenant: &TenantName, after: u64) -> Result<Export, String> {
        match self.from.store() {
            Ok(store) => sealed::export(store, tenant, after).await.map_err(|e| e.to_string()),
            Err(path) => ask(path, &json!({"cmd": "audit", "tenant": tenant, "after": after})).await,
        }
    }

    /// Has the entries behind `after` verified, as many as fit a page.
    pub(super) async fn feed(&self, trail: &mut Trail, tenant: &TenantName, after: u64) -> Result<Fed, String> {
        let Ok(store) = self.from.store() else {
            let Export { lines, dropped, head } = self.export(tenant, after).await?;
            let verified = lines.iter().try_for_each(|(_, line)| trail.line(line));
            return Ok(Fed { last: lines.last().map(|(seq, _)| *seq), dropped, head, verified });
        };
        let page = sealed::page(store, tenant, after, PAGE).await.map_err(|e| e.to_string())?;
        let verified = page.entries.iter().try_for_each(|entry| trail.entry(entry));
        Ok(Fed { last: page.entries.last().map(|entry| entry.seq), dropped: page.dropped, head: page.head, verified })
    }

    /// Checkpoints behind `after`, and the keys.
    pub(super) async fn marks(&self, tenant: &TenantName, after: Option<u64>) -> Result<Marks, String> {
        match self.from.store() {
            Ok(store) => sealed::marks(store, tenant, after).await.map_err(|e| e.to_string()),
            Err(path) => ask(path, &json!({"cmd": "audit-marks", "tenant": tenant, "after": after})).await,
        }
    }
}

/// What was verified of a page.
pub(super) struct Fed {
    /// The last entry; `None` means the end.
    pub(super) last: Option<u64>,
    /// The last entry that was dropped from the store.
    pub(super) dropped: u64,
    /// How far the trail is sealed.
    pub(super) head: SealedHead,
    /// The first thing that is bad, if anything is.
    pub(super) verified: Result<(), Fault>,
}

/// A tenant in the store.
pub(super) struct Tenant {
    pub(super) name: TenantName,
}

async fn ask<T: DeserializeOwned>(socket: &Path, request: &Value) -> Result<T, String> {
    read(admin::ask(socket, request).await.map_err(|e| e.to_string())?)
}

fn read<T: DeserializeOwned>(answer: Value) -> Result<T, String> {
    serde_json::from_value(answer).map_err(|error| format!("the running process gave no sensible answer: {error}"))
}
