//! `behalf store`: the embedded store, through the running process or, without one, at the file; Redis itself.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{Value, json};

use super::{audit, fail, print};
use crate::{
    adapters::{
        store::{
            embedded::{
                admin::{self, AskError},
                maintenance, status,
            },
            redis::RedisStore,
        },
        system::{OsEntropy, SystemClock},
    },
    app::records::{self, Epoch},
    boot::redis_store,
    config::{Config, StoreKind},
    domain::ids::TenantName,
    ports::{
        entropy,
        store::{Store as _, StoreError},
    },
};

mod copy;
mod streamed;

#[derive(Debug, Args)]
pub(super) struct Data {
    /// The data folder; default: that of the configuration
    #[arg(long)]
    data: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum StoreCommand {
    /// Show what is in it, running or not
    Status(Data),
    /// Copy it into a new file, running or not
    Backup {
        /// The file to make; `-` is standard output
        file: PathBuf,
        #[command(flatten)]
        data: Data,
    },
    /// Put a backup in its place; ids and answers from before are refused then. The service must be stopped
    Restore {
        /// The backup
        file: PathBuf,
        /// Replace data that is there; it is kept as `behalf.redb.before-restore`
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        data: Data,
    },
    /// Give unused space back to the disk. The service must be stopped
    Compact(Data),
    /// Copy all of one store into another, which has nothing of it yet. All services must be stopped
    Copy(copy::CopyArgs),
}

/// Does it, and prints what came of it as JSON.
pub(super) async fn run(what: StoreCommand) -> ExitCode {
    let streamed = matches!(&what, StoreCommand::Backup { file, .. } if streamed::is_wanted(file));
    match attempt(what).await {
        // Standard output is the backup's alone.
        Ok(value) if streamed => {
            eprintln!("{value:#}");
            ExitCode::SUCCESS
        }
        Ok(value) => print(&format!("{value:#}\n")),
        Err(why) => fail(&why),
    }
}

async fn attempt(what: StoreCommand) -> Result<Value, String> {
    match what {
        StoreCommand::Status(data) => {
            let folder = match located(data.data)? {
                Located::Folder(folder) => folder,
                Located::Redis(shared) => return shared_status(&shared).await,
            };
            match admin::ask(&folder.join(admin::SOCKET), &json!({"cmd": "status"})).await {
                Err(AskError::NotRunning(_)) => offline(move || status::status_offline(&folder, &SystemClock)).await,
                answered => answered.map_err(|error| error.to_string()),
            }
        }
        StoreCommand::Backup { file, data } if streamed::is_wanted(&file) => streamed::backup(folder(data)?).await,
        StoreCommand::Backup { file, data } => backup(folder(data)?, &file).await,
        StoreCommand::Restore { file, force, data } => {
            let folder = stopped(folder(data)?).await?;
            let incarnation = entropy::bytes(&OsEntropy);
            offline(move || maintenance::restore(&folder, &file, force, incarnation)).await
        }
        StoreCommand::Compact(data) => {
            let folder = stopped(folder(data)?).await?;
            offline(move || maintenance::compact(&folder)).await
        }
        StoreCommand::Copy(args) => copy::run(args).await,
    }
}

async fn backup(folder: PathBuf, file: &Path) -> Result<Value, String> {
    // The running process has a working directory of its own.
    let file = std::path::absolute(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let text = file.to_str().ok_or_else(|| format!("{} is not UTF-8", file.display()))?;
    match admin::ask_patiently(&folder.join(admin::SOCKET), &json!({"cmd": "backup", "file": text})).await {
        Err(AskError::NotRunning(_)) => offline(move || maintenance::backup_offline(&folder, &file)).await,
        answered => answered.map_err(|error| error.to_string()),
    }
}

/// The folder, if no process answers for it. One that is only about to start holds the data's lock.
async fn stopped(folder: PathBuf) -> Result<PathBuf, String> {
    match admin::ask(&folder.join(admin::SOCKET), &json!({"cmd": "status"})).await {
        Err(AskError::NotRunning(_)) => Ok(folder),
        _ => Err(format!("the data in {} is in use by a running process: stop that one first", folder.display())),
    }
}

fn folder(data: Data) -> Result<PathBuf, String> {
    named_folder(data.data)
}

/// The folder that is named, or else the configuration's.
pub(super) fn named_folder(data: Option<PathBuf>) -> Result<PathBuf, String> {
    if let Some(folder) = data {
        return Ok(folder);
    }
    match located(None)? {
        Located::Folder(folder) => Ok(folder),
        Located::Redis(_) => {
            Err("BEHALF_STORE is Redis: its own means back it up and make it smaller (BGSAVE, the RDB \
                                  and AOF files, replicas; see \"Backup on Redis\" in the documentation); \
                                  `behalf store copy` copies it into a folder"
                .to_owned())
        }
    }
}

/// Where the data is.
pub(super) enum Located {
    /// On this machine.
    Folder(PathBuf),
    /// Shared.
    Redis(Box<Shared>),
}

/// A store on Redis, and whose records are looked for there.
pub(super) struct Shared {
    pub(super) store: RedisStore,
    pub(super) tenants: Vec<TenantName>,
}

/// The folder that is named, or else the configuration's store.
pub(super) fn located(data: Option<PathBuf>) -> Result<Located, String> {
    if let Some(folder) = data {
        return Ok(Located::Folder(folder));
    }
    let config = Config::from_process().map_err(|mistakes| mistakes.to_string())?;
    match config.store {
        StoreKind::Embedded(folder) => Ok(Located::Folder(folder)),
        StoreKind::Memory => Err("BEHALF_STORE is `memory`: there is nothing to look at from outside".to_owned()),
        StoreKind::Redis(settings) => {
            let entropy: Arc<dyn entropy::Entropy> = Arc::new(OsEntropy);
            let store = redis_store(&settings, config.ca_file.as_deref(), &entropy).map_err(|e| e.to_string())?;
            Ok(Located::Redis(Box::new(Shared { store, tenants: config.tenants.into_keys().collect() })))
        }
    }
}

async fn shared_status(shared: &Shared) -> Result<Value, String> {
    let mut tenants = Vec::new();
    for tenant in &shared.tenants {
        let failed = |error: StoreError| error.to_string();
        let Some(counters) = shared.store.counters(tenant).await.map_err(failed)? else {
            tenants.push(json!({"tenant": tenant, "records": 0, "events": 0, "last_seq": 0}));
            continue;
        };
        let snapshot = shared.store.read(tenant, &[records::epoch_key()]).await.map_err(failed)?;
        let epoch = records::find::<Epoch>(&snapshot, &records::epoch_key()).map_err(failed)?;
        let mut told = serde_json::to_value(counters).map_err(|error| error.to_string())?;
        told["tenant"] = json!(tenant);
        told["epoch"] = json!(epoch.map(|(epoch, _)| epoch.number));
        told["server"] = json!(shared.store.incarnation(tenant).await.map_err(failed)?);
        told["time"] = json!(snapshot.now);
        tenants.push(told);
    }
    Ok(json!({ "tenants": tenants }))
}

/// Works on the file, off the async threads.
async fn offline<T, E>(work: impl FnOnce() -> Result<T, E> + Send + 'static) -> Result<Value, String>
where
    T: Serialize + Send + 'static,
    E: std::fmt::Display + Send + 'static,
{
    let done = tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string())?;
    serde_json::to_value(done.map_err(|error| error.to_string())?).map_err(|error| error.to_string())
}
