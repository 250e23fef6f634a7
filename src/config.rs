//! Configuration: environment over `behalf.toml` over defaults, read once, checked as a whole.
//!
//! `settings` is the one table; everything else here reads by it. All mistakes come back in one list. Relative paths
//! begin in the working directory. `.env` is read only where `BEHALF_ENV=development` is set outside of it, so that a
//! forgotten file changes nothing in production. This is the only room that reads the environment.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
    sync::Arc,
};

use secrecy::ExposeSecret as _;
use serde_json::Value;

pub use audit::{AuditSettings, SinkKind};
pub use docs::{env_example, markdown_table};
pub use duration::spell;
pub use mistakes::{Mistake, Mistakes};
pub use okta_setup::{OktaSetup, SetUp};

pub use redis::{RedisAddress, RedisSettings, RedisTopology};
pub use reread::{ConfigFile, Reread};
pub use server::{LogFormat, LogSettings, MetricsAt, Server, StoreKind, TlsFiles};
pub use tenant::{
    Budgets, ClaimRole, DelegationSettings, DialectKind, DirectoryKind, DirectorySettings, EmailSecurity,
    EmailSettings, EmbeddedSettings, HookBearer, HookCallers, HookHeader, KeySettings, LDAP_ROLES, LdapKind,
    LdapSecurity, LdapServer, LdapSettings, NotifySettings, OktaCredentials, OktaSettings, ScimSettings, Tenant,
    UserTypes, WebhookKey, WebhookSettings, is_attribute,
};

pub use traces::TraceSettings;

use crate::domain::{ids::TenantName, otp::OtpKeys};
use audit::Writers;
use mistakes::{Findings, Read, Recorded, fault};
use reader::Reader;
use reread::Origin;
use settings::Scope;
use source::Sources;

mod applications;
mod audit;
mod docs;
mod duration;
mod key_file;
mod lines;
mod mistakes;
mod okta_setup;
mod parse;
mod reader;
mod redis;
mod reread;
mod rules;
mod server;
mod settings;
mod source;
mod table;
mod tenant;
mod traces;
mod typos;

/// The whole configuration. Its `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Config {
    /// How requests come in.
    pub server: Server,
    /// What is logged.
    pub log: LogSettings,
    /// Where traces go; `None`: nowhere.
    pub traces: Option<TraceSettings>,
    /// Where records are kept.
    pub store: StoreKind,
    /// What happens to the sealed audit trail.
    pub audit: AuditSettings,
    /// Certificates to trust besides the system's, PEM.
    pub ca_file: Option<PathBuf>,
    /// Where `/metrics` answers.
    pub metrics: MetricsAt,
    /// What applications' tokens have in `aud`; there where a tenant has applications.
    pub applications_audience: Option<String>,
    /// Seals the secrets of one-time codes.
    pub otp_keys: Option<Arc<OtpKeys>>,
    /// The tenants; at least one.
    pub tenants: BTreeMap<TenantName, Tenant>,
    warnings: Vec<String>,
    origin: Origin,
}

impl Config {
    /// Reads the process's environment and the files it names, from the working directory.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn from_process() -> Result<Self, Mistakes> {
        Self::load(std::env::vars_os(), Path::new(""))
    }

    /// Reads `vars` and the files they name; relative paths begin in `dir`.
    pub fn load<N, V>(vars: impl IntoIterator<Item = (N, V)>, dir: &Path) -> Result<Self, Mistakes>
    where
        N: Into<OsString>,
        V: Into<OsString>,
    {
        let vars: Vec<_> = vars.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self::understand(&vars, dir, None)
    }

    /// Reads all of it; `content` in place of what the file holds now.
    fn understand(vars: &[(OsString, OsString)], dir: &Path, content: Option<&[u8]>) -> Result<Self, Mistakes> {
        let mut found = Findings::default();
        let sources = Sources::gather(vars.iter().cloned(), dir, content, &mut found);
        typos::report(&sources, &mut found);
        let read = read(&sources, &mut found);
        match read {
            Ok(config) if found.mistakes.is_empty() => {
                let origin = Origin::of(vars, dir, sources);
                Ok(Self { warnings: found.warnings, origin, ..config })
            }
            _ => Err(found.mistakes),
        }
    }

    /// The store at this URL, written as in `BEHALF_STORE`, with all else that concerns stores from the process's
    /// environment and file, and the certificates to trust. `password_file` is read in place of the password's setting.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn store_at(url: &str, password_file: Option<&Path>) -> Result<(StoreKind, Option<PathBuf>), Mistakes> {
        let mut found = Findings::default();
        let mut sources = Sources::gather(std::env::vars_os(), Path::new(""), None, &mut found);
        if let Some(file) = password_file {
            let name = settings::REDIS_PASSWORD.env;
            sources.vars.remove(name);
            sources.vars.insert(format!("{name}_FILE"), file.display().to_string());
        }
        let mut reader = Reader::new(&sources, &mut found);
        let store = server::store(&mut reader, url);
        let ca_file = server::ca_file(&mut reader);
        match (store, ca_file) {
            (Ok(store), Ok(ca_file)) if found.mistakes.is_empty() => Ok((store, ca_file)),
            _ => Err(found.mistakes),
        }
    }

    /// What is allowed and yet worth a look, for `check` and the log at start.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

fn read(sources: &Sources, found: &mut Findings) -> Read<Config> {
    let mut reader = Reader::new(sources, found);
    let server = server::server(&mut reader);
    let log = server::log(&mut reader);
    let traces = traces::traces(&mut reader);
    let url = server::store_url(&mut reader);
    let writers = url.as_deref().map_or(Writers::One, redis::writers);
    let store = url.and_then(|url| server::store(&mut reader, &url));
    let audit = audit::audit(&mut reader, writers);
    let ca_file = server::ca_file(&mut reader);
    let metrics = server::metrics(&mut reader);
    let audience = server::applications_audience(&mut reader);
    let otp_keys = server::otp_keys(&mut reader);
    let tenants = tenants(sources, found);
    if let Ok(tenants) = &tenants {
        applications::check(tenants, sources, found)?;
    }
    if let (Ok(store), Ok(tenants)) = (&store, &tenants) {
        redis::warn_if_slow(store, tenants, found);
    }
    Ok(Config {
        server: server?,
        log: log?,
        traces: traces?,
        store: store?,
        audit: audit?,
        ca_file: ca_file?,
        metrics: metrics?,
        applications_audience: audience?,
        otp_keys: otp_keys?,
        tenants: tenants?,
        warnings: Vec::new(),
        origin: Origin::default(),
    })
}

fn tenants(sources: &Sources, found: &mut Findings) -> Read<BTreeMap<TenantName, Tenant>> {
    let mut tenants = BTreeMap::new();
    let mut all_well = Ok(());
    for name in tenant_names(sources, found)? {
        match tenant::tenant(&name, &mut Reader::of(name.clone(), sources, found)) {
            Ok(tenant) => {
                tenants.insert(name, tenant);
            }
            Err(recorded) => all_well = Err(recorded),
        }
    }
    distinct(&tenants, found)?;
    shared_secrets(&tenants, found);
    all_well.map(|()| tenants)
}

/// The tenants of the file, and `default` where a variable of its is set or nothing else is configured.
fn tenant_names(sources: &Sources, found: &mut Findings) -> Read<Vec<TenantName>> {
    let empty = serde_json::Map::new();
    let in_file = match sources.file.get("tenants") {
        None => &empty,
        Some(Value::Object(tables)) => tables,
        Some(_) => {
            return Err(found.mistake_at(
                "tenants",
                "key `tenants`",
                fault("is not a table", "write `[tenants.<name>]`"),
            ));
        }
    };
    let mut names = Vec::new();
    for (name, table) in in_file {
        let place = format!("key `tenants.{name}`");
        match TenantName::parse(name) {
            Ok(_) if !table.is_object() => {
                let (key, remedy) = (format!("tenants.{name}"), format!("write `[tenants.{name}]`"));
                found.mistake_at(&key, place, fault("is not a table", remedy));
            }
            Ok(name) => names.push(name),
            Err(_) => {
                let remedy = "use lower-case letters, digits and hyphens, 40 at most";
                found.mistake_at(&format!("tenants.{name}"), place, fault("is no tenant's name", remedy));
            }
        }
    }
    let by_variable = settings::all().any(|s| s.scope == Scope::Tenant && !sources.variables(s).is_empty());
    let default = TenantName::default_tenant();
    if (by_variable || in_file.is_empty()) && !names.contains(&default) {
        names.push(default);
    }
    Ok(names)
}

/// A token must name its tenant by issuer and audience.
fn distinct(tenants: &BTreeMap<TenantName, Tenant>, found: &mut Findings) -> Read<()> {
    let mut seen = BTreeMap::new();
    let mut all_well = Ok(());
    for (name, tenant) in tenants {
        if let Some(other) = seen.insert((&tenant.issuer, &tenant.audience), name) {
            let what = format!("has the issuer and the audience of tenant `{other}`");
            let key = format!("tenants.{name}");
            found.mistake_at(&key, format!("key `{key}`"), fault(what, "give one of them another audience"));
            all_well = Err(Recorded);
        }
    }
    all_well
}

/// Whoever may call the hook of one of them may then call that of the other.
fn shared_secrets(tenants: &BTreeMap<TenantName, Tenant>, found: &mut Findings) {
    let mut seen: BTreeMap<&str, &TenantName> = BTreeMap::new();
    for (name, tenant) in tenants {
        for secret in &tenant.hook.secrets {
            if let Some(other) = seen.insert(secret.expose_secret(), name) {
                found.warnings.push(format!(
                    "key `tenants.{name}`: tenant `{other}` has the same hook secret; give each its own"
                ));
            }
        }
    }
}
