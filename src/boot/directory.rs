//! A tenant's directory, put together.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use super::tenant::Parts;
use crate::{
    adapters::{
        directory::{
            coalesced::Coalesced,
            embedded::EmbeddedDirectory,
            entries::Lanes,
            guarded::{Deadlines, Guard, Guarded},
            shown::{Cached, Live},
            timed::Timed,
        },
        finding::Finding,
    },
    config::{self, DirectoryKind, EmbeddedSettings},
    domain::ids::TenantName,
    ports::{directory::Directory, shown::ShownGrants},
};

mod ldap;
pub(super) mod okta;
mod scim;

/// How long a change of grants may take, all its calls and tries together.
const CHANGES: Duration = Duration::from_secs(8);
/// What everything but hooks has of the calls that hooks have.
const QUARTER: NonZeroUsize = NonZeroUsize::new(4).unwrap();

/// The same directory for all who ask it.
pub(super) struct Directories {
    pub(super) hooks: Arc<dyn Directory>,
    pub(super) others: Arc<dyn Directory>,
    pub(super) shown: Arc<dyn ShownGrants>,
    pub(super) file: Option<Watched>,
}

/// A file of users, and how often it is looked at.
pub(super) struct Watched {
    pub(super) directory: Arc<EmbeddedDirectory>,
    pub(super) period: Duration,
}

/// Connects the tenant's directory; asks nobody yet.
pub(super) fn build(name: &TenantName, settings: &config::Tenant, parts: &Parts<'_>) -> Result<Directories, String> {
    match &settings.directory.kind {
        DirectoryKind::Embedded(file) => {
            let directory = Arc::new(embedded(name, file, parts)?);
            Ok(here(Watched { directory, period: file.reload }, settings, parts))
        }
        DirectoryKind::Okta(org) => {
            Ok(elsewhere(okta::directory(name, org, settings, parts)?.lanes(), name, settings, parts))
        }
        DirectoryKind::Ldap(servers) => Ok(elsewhere(ldap::lanes(servers, settings, parts)?, name, settings, parts)),
        DirectoryKind::Scim(service) => Ok(elsewhere(scim::lanes(service, parts)?, name, settings, parts)),
    }
}

/// What is to be said of it, for `check`.
pub(super) async fn inspect(name: &TenantName, settings: &config::Tenant, parts: &Parts<'_>) -> Vec<Finding> {
    match &settings.directory.kind {
        DirectoryKind::Embedded(file) => vec![match embedded(name, file, parts) {
            Ok(directory) => Finding::good(format!("{} users", directory.users().len())),
            Err(why) => Finding::error(why),
        }],
        DirectoryKind::Okta(org) => okta::inspect(name, org, settings, parts).await,
        DirectoryKind::Ldap(servers) => ldap::inspect(servers, settings, parts).await,
        DirectoryKind::Scim(service) => scim::inspect(service, parts).await,
    }
}

/// Reads the file of users.
fn embedded(name: &TenantName, file: &EmbeddedSettings, parts: &Parts<'_>) -> Result<EmbeddedDirectory, String> {
    let users = file.users_file.clone().unwrap_or_default();
    EmbeddedDirectory::open(&users, name.clone(), Arc::clone(parts.store), Arc::clone(parts.entropy))
        .map_err(|mistakes| format!("BEHALF_USERS_FILE {}: {mistakes}", users.display()))
}

/// It answers from this process: sharing its answers costs more than asking, and keeping them only makes lists older.
fn here(file: Watched, settings: &config::Tenant, parts: &Parts<'_>) -> Directories {
    let inner = Arc::clone(&file.directory) as Arc<dyn Directory>;
    let directory = timed(inner, settings, parts);
    let shown = Arc::new(Live::new(Arc::clone(&directory)));
    Directories { hooks: Arc::clone(&directory), others: directory, shown, file: Some(file) }
}

/// A directory that calls have to travel to.
fn elsewhere(lanes: Lanes, name: &TenantName, settings: &config::Tenant, parts: &Parts<'_>) -> Directories {
    let guard = Arc::new(Guard::new(format!("directory:{name}"), Arc::clone(parts.metrics)));
    let budget = settings.budgets.directory;
    // A call ends before its caller gives up, so that it is the directory that is found slow.
    let deadlines = Deadlines { reads: budget * 9 / 10, changes: CHANGES * 9 / 10 };
    let lane = |entries, calls| {
        let guarded = Arc::new(Guarded::new(entries, Arc::clone(&guard), deadlines));
        timed(Arc::new(Coalesced::new(guarded, calls)), settings, parts)
    };
    let calls = settings.directory.concurrency;
    let (hooks, others) = (lane(lanes.hooks, calls), lane(lanes.others, calls.div_ceil(QUARTER)));
    let shown = Arc::new(Cached::new(name.clone(), Arc::clone(&others), Arc::clone(&parts.kept)));
    Directories { hooks, others, shown, file: None }
}

fn timed(inner: Arc<dyn Directory>, settings: &config::Tenant, parts: &Parts<'_>) -> Arc<dyn Directory> {
    let (budget, metrics) = (settings.budgets.directory, Arc::clone(parts.metrics));
    Arc::new(Timed { inner, budget, changes: CHANGES, metrics })
}
