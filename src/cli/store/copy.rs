//! `behalf store copy`: from one store to another, offline.

use std::{path::PathBuf, sync::Arc};

use clap::Args;
use serde_json::{Value, json};

use super::{Located, Shared, audit, redis_store};
use crate::{
    adapters::{
        store::{
            embedded::moving::{FolderSink, FolderSource},
            moving::{self, Counters, Sink, Source},
            redis::moving::RedisSide,
        },
        system::OsEntropy,
    },
    boot::redis_servers,
    config::{Config, RedisSettings, StoreKind},
    ports::entropy::{self, Entropy},
};

#[derive(Debug, Args)]
pub(in crate::cli) struct CopyArgs {
    /// The store with the records, written as `BEHALF_STORE` is
    #[arg(long, value_name = "URL")]
    from: String,
    /// The store that gets them
    #[arg(long, value_name = "URL")]
    to: String,
    /// A file with the password of the one Redis; default: `BEHALF_REDIS_PASSWORD`
    #[arg(long, value_name = "FILE")]
    from_password_file: Option<PathBuf>,
    /// A file with the password of the other Redis
    #[arg(long, value_name = "FILE")]
    to_password_file: Option<PathBuf>,
    /// Copy even if somebody seems to serve from a Redis
    #[arg(long)]
    force: bool,
}

/// A store that may be the one or the other side.
enum Side {
    Folder(PathBuf),
    Redis(Box<RedisSettings>, Option<PathBuf>),
}

impl Side {
    fn at(option: &str, url: &str, password_file: Option<&PathBuf>) -> Result<Self, String> {
        let read = Config::store_at(url, password_file.map(PathBuf::as_path));
        let (kind, ca_file) = read.map_err(|mistakes| format!("{option}: {mistakes}"))?;
        match kind {
            StoreKind::Embedded(folder) => Ok(Self::Folder(folder)),
            StoreKind::Redis(settings) => Ok(Self::Redis(settings, ca_file)),
            StoreKind::Memory => Err(format!("{option}: `memory` can't be looked at from outside")),
        }
    }

    async fn redis(settings: &RedisSettings, ca_file: Option<&PathBuf>, force: bool) -> Result<RedisSide, String> {
        let entropy: Arc<dyn Entropy> = Arc::new(OsEntropy);
        let servers = redis_servers(settings, ca_file.map(PathBuf::as_path), &entropy);
        let (topology, dial) = servers.map_err(|error| error.to_string())?;
        let mut side = RedisSide::find(&topology, &dial).await.map_err(|error| error.to_string())?;
        if !force {
            side.nobody_serves().await.map_err(|error| error.to_string())?;
        }
        Ok(side)
    }

    async fn source(&self, force: bool) -> Result<Box<dyn Source>, String> {
        match self {
            Self::Folder(folder) => Ok(Box::new(FolderSource::open(folder).map_err(|error| error.to_string())?)),
            Self::Redis(settings, ca_file) => Ok(Box::new(Self::redis(settings, ca_file.as_ref(), force).await?)),
        }
    }

    async fn sink(&self, force: bool) -> Result<Box<dyn Sink>, String> {
        match self {
            Self::Folder(folder) => Ok(Box::new(FolderSink::new(folder, entropy::bytes(&OsEntropy)))),
            Self::Redis(settings, ca_file) => Ok(Box::new(Self::redis(settings, ca_file.as_ref(), force).await?)),
        }
    }

    /// As the commands that read see it.
    fn located(self, copied: &[Counters]) -> Result<Located, String> {
        let (settings, ca_file) = match self {
            Self::Folder(folder) => return Ok(Located::Folder(folder)),
            Self::Redis(settings, ca_file) => (settings, ca_file),
        };
        let entropy: Arc<dyn Entropy> = Arc::new(OsEntropy);
        let store = redis_store(&settings, ca_file.as_deref(), &entropy).map_err(|error| error.to_string())?;
        let tenants = copied.iter().map(|counters| counters.tenant.clone()).collect();
        Ok(Located::Redis(Box::new(Shared { store, tenants })))
    }
}

/// Copies, and verifies the trail of what is there then.
pub(super) async fn run(args: CopyArgs) -> Result<Value, String> {
    let from = Side::at("--from", &args.from, args.from_password_file.as_ref())?;
    let to = Side::at("--to", &args.to, args.to_password_file.as_ref())?;
    let mut source = from.source(args.force).await.map_err(|why| format!("--from: {why}"))?;
    let mut sink = to.sink(args.force).await.map_err(|why| format!("--to: {why}"))?;
    let copied = moving::copy(&mut *source, &mut *sink).await.map_err(|error| error.to_string())?;
    drop((source, sink));
    let bad = |why| format!("everything was copied, but what is there now is not good: {why}");
    let trails = audit::whole(to.located(&copied)?).await.map_err(bad)?;
    let told = copied.iter().map(|counters| {
        let Counters { tenant, records, events, seq, .. } = counters;
        let verified = trails.get(tenant).map(|trail| trail.lines().map(str::trim).collect::<Vec<_>>());
        json!({"tenant": tenant, "records": records, "events": events, "last_seq": seq, "verified": verified})
    });
    Ok(json!({ "tenants": told.collect::<Vec<_>>() }))
}
