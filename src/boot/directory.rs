//! A tenant's directory, put together.

use std::{fmt::Display, fs, num::NonZeroUsize, sync::Arc, time::Duration};

use super::tenant::Parts;
use crate::{
    adapters::{
        directory::{
            coalesced::{Coalesced, DEFAULT_MAX_CONCURRENT},
            embedded::EmbeddedDirectory,
            entries::{Entries, Lanes},
            guarded::{Deadlines, Guard, Guarded},
            okta::{
                self, OktaDirectory,
                auth::{App, AppKey, Credentials},
            },
            rest::Rest,
            scim::{Scim, filter::Attribute},
            shown::{Cached, Live},
            timed::Timed,
        },
        finding::Finding,
    },
    config::{self, DirectoryKind, EmbeddedSettings, OktaCredentials, OktaSettings, ScimSettings},
    domain::ids::TenantName,
    ports::{directory::Directory, shown::ShownGrants},
};

mod ldap;

/// How long a change of grants may take, all its calls and tries together.
const CHANGES: Duration = Duration::from_secs(8);

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
        DirectoryKind::Okta(org) => Ok(elsewhere(okta(name, org, settings, parts)?.lanes(), name, settings, parts)),
        DirectoryKind::Ldap(servers) => Ok(elsewhere(ldap::lanes(servers, settings, parts)?, name, settings, parts)),
        DirectoryKind::Scim(service) => {
            let entries: Arc<dyn Entries> = Arc::new(scim(service, parts)?);
            let lanes = Lanes { hooks: Arc::clone(&entries), others: entries };
            Ok(elsewhere(lanes, name, settings, parts))
        }
    }
}

/// What is to be said of it, for `check`.
pub(super) async fn inspect(name: &TenantName, settings: &config::Tenant, parts: &Parts<'_>) -> Vec<Finding> {
    match &settings.directory.kind {
        DirectoryKind::Embedded(file) => vec![match embedded(name, file, parts) {
            Ok(directory) => Finding::good(format!("{} users", directory.users().len())),
            Err(why) => Finding::error(why),
        }],
        DirectoryKind::Scim(service) => match scim(service, parts) {
            Ok(scim) => scim.inspect().await,
            Err(why) => vec![Finding::error(why)],
        },
        DirectoryKind::Okta(org) => match okta(name, org, settings, parts) {
            Ok(directory) => okta::inspect(&directory).await,
            Err(why) => vec![Finding::error(why)],
        },
        DirectoryKind::Ldap(servers) => ldap::inspect(servers, settings, parts).await,
    }
}

/// Reads the app's key, if it is one.
pub fn okta_credentials(credentials: &OktaCredentials) -> Result<Credentials, String> {
    Ok(match credentials {
        OktaCredentials::Token(token) => Credentials::ApiToken(token.clone()),
        OktaCredentials::App { client_id, key_file, key_id } => {
            let fault = |what: &dyn Display| format!("BEHALF_OKTA_KEY_FILE {}: {what}", key_file.display());
            let pem = fs::read(key_file).map_err(|error| fault(&error))?;
            let key = AppKey::from_pem(&pem, key_id.as_deref()).map_err(|error| fault(&error))?;
            Credentials::App(App { client_id: client_id.clone(), key })
        }
    })
}

fn okta(
    name: &TenantName,
    org: &OktaSettings,
    settings: &config::Tenant,
    parts: &Parts<'_>,
) -> Result<OktaDirectory, String> {
    let credentials = okta_credentials(&org.credentials)?;
    let config::UserTypes { user, delegatable, entity } = settings.user_types.clone();
    let tools = okta::Tools {
        http: parts.http.clone(),
        clock: Arc::clone(parts.clock),
        entropy: Arc::clone(parts.entropy),
        store: Arc::clone(parts.store),
        tenant: name.clone(),
    };
    let settings =
        okta::Settings { url: org.url.clone(), credentials, kinds: okta::Kinds { user, delegatable, entity } };
    OktaDirectory::new(settings, &tools).map_err(|error| error.to_string())
}

/// Calls nobody yet.
fn scim(service: &ScimSettings, parts: &Parts<'_>) -> Result<Scim, String> {
    let attribute = Attribute::new(&service.extension, &service.attribute)?;
    let rest = Rest::new(parts.http.clone(), service.url.clone());
    Scim::new(rest, &service.token, attribute, Arc::clone(parts.clock), Arc::clone(parts.entropy))
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
    let lane = |entries, calls: usize| {
        let guarded = Arc::new(Guarded::new(entries, Arc::clone(&guard), deadlines));
        let most = NonZeroUsize::new(calls).unwrap_or(DEFAULT_MAX_CONCURRENT);
        timed(Arc::new(Coalesced::new(guarded, most)), settings, parts)
    };
    let calls = settings.directory.concurrency;
    let (hooks, others) = (lane(lanes.hooks, calls), lane(lanes.others, calls.div_ceil(4)));
    let shown = Arc::new(Cached::new(name.clone(), Arc::clone(&others), Arc::clone(&parts.kept)));
    Directories { hooks, others, shown, file: None }
}

fn timed(inner: Arc<dyn Directory>, settings: &config::Tenant, parts: &Parts<'_>) -> Arc<dyn Directory> {
    let (budget, metrics) = (settings.budgets.directory, Arc::clone(parts.metrics));
    Arc::new(Timed { inner, budget, changes: CHANGES, metrics })
}
