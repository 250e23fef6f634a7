//! Configuration as an operator meets it: variables and files in, a configuration or every mistake out.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use behalf::{
    config::{Config, DirectoryKind, LogFormat, MetricsAt, Mistakes, StoreKind, Tenant},
    domain::{
        claims::MissingAttributes,
        hook::OnRefusal,
        ids::{Issuer, TenantName},
    },
};
use secrecy::ExposeSecret as _;
use tempfile::TempDir;

mod applications;
mod documents;
mod every_setting;
mod files;
mod ldap;
mod mistakes;
mod okta;
mod old_variables;
mod redis;
mod scim;
mod traces;

/// The least that runs.
const LEAST: [(&str, &str); 3] = [
    ("BEHALF_ISSUER", "https://id.example.com/oauth2/default"),
    ("BEHALF_AUDIENCE", "api://behalf"),
    ("BEHALF_HOOK_SECRET", "a-secret-of-the-hook"),
];

/// Files and variables of one case.
struct Case {
    dir: TempDir,
    vars: BTreeMap<String, String>,
}

impl Case {
    fn empty() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), vars: BTreeMap::new() }
    }

    fn least() -> Self {
        Self::empty().vars(&LEAST)
    }

    fn var(mut self, name: &str, value: &str) -> Self {
        self.vars.insert(name.to_owned(), value.to_owned());
        self
    }

    fn vars(self, vars: &[(&str, &str)]) -> Self {
        vars.iter().fold(self, |case, (name, value)| case.var(name, value))
    }

    fn without(mut self, name: &str) -> Self {
        assert!(self.vars.remove(name).is_some(), "{name} wasn't set");
        self
    }

    fn file(self, name: &str, text: &str) -> Self {
        fs::write(self.dir.path().join(name), text).unwrap();
        self
    }

    fn toml(self, text: &str) -> Self {
        self.file("behalf.toml", text)
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn load(&self) -> Result<Config, Mistakes> {
        Config::load(&self.vars, self.path())
    }

    #[track_caller]
    fn ok(&self) -> Config {
        self.load().unwrap_or_else(|mistakes| panic!("{mistakes}"))
    }

    /// The mistakes, one text each.
    #[track_caller]
    fn mistakes(&self) -> Vec<String> {
        self.load().unwrap_err().iter().map(ToString::to_string).collect()
    }

    /// The one mistake, which holds all of `parts`.
    #[track_caller]
    fn refused(&self, parts: &[&str]) {
        let mistakes = self.mistakes();
        assert_eq!(mistakes.len(), 1, "{mistakes:#?}");
        for part in parts {
            assert!(mistakes[0].contains(part), "`{part}` is not in: {}", mistakes[0]);
        }
    }
}

fn default_tenant(config: &Config) -> &behalf::config::Tenant {
    &config.tenants[&TenantName::default_tenant()]
}

fn secrets(config: &Config) -> Vec<&str> {
    default_tenant(config).hook.secrets.iter().map(secrecy::SecretString::expose_secret).collect()
}

#[test]
fn the_least_that_runs_has_the_documented_defaults() {
    let case = Case::least();
    let config = case.ok();
    assert_eq!(config.server.bind.to_string(), "127.0.0.1:8080");
    assert_eq!(config.server.shutdown_grace.as_secs(), 10);
    assert!(config.server.tls.is_none() && config.server.workers > 0);
    assert!(matches!(&config.store, StoreKind::Embedded(folder) if *folder == case.path().join("./data")));
    assert_eq!((config.log.format, config.log.filter.as_str()), (LogFormat::Json, "info,behalf=info"));
    assert!(config.metrics == MetricsAt::Main && config.ca_file.is_none());
    let tenant = default_tenant(&config);
    assert_eq!(tenant.issuer, Issuer::parse("https://id.example.com/oauth2/default").unwrap());
    assert_eq!(tenant.api_scope.as_deref(), Some("behalf"));
    assert_eq!((tenant.user_claim.as_str(), tenant.hook.header.as_str()), ("uid", "authorization"));
    assert_eq!((tenant.delegation.life.as_secs(), tenant.delegation.max_pending), (60, 10));
    assert_eq!((tenant.refusal.on_refused, tenant.refusal.on_failure), (OnRefusal::Reject, OnRefusal::Reject));
    let budgets = [tenant.budgets.hook, tenant.budgets.directory, tenant.budgets.commit];
    assert_eq!(budgets.map(|b| b.as_millis()), [2200, 1200, 500]);
    assert_eq!(tenant.claims.subject_attribute, None);
    assert_eq!(tenant.claims.missing, MissingAttributes::Remove);
    assert!(tenant.admin.is_none() && tenant.rules.is_empty());
    // Without a file of users nobody is known, which is worth a word.
    assert_eq!(users_file(tenant), None);
    assert!(config.warnings().len() == 1 && config.warnings()[0].contains("BEHALF_USERS_FILE"));
}

#[test]
fn a_configuration_shows_no_secret() {
    let config = Case::least().var("BEHALF_HOOK_SECOND_SECRET", "another-secret-of-the-hook").ok();
    assert_eq!(secrets(&config), ["a-secret-of-the-hook", "another-secret-of-the-hook"]);
    let shown = format!("{config:?} {config:#?} {:?}", config.warnings());
    assert!(!shown.contains("secret-of-the-hook"), "{shown}");
    assert!(shown.contains("id.example.com"), "{shown}");
}

/// The embedded directory's file.
fn users_file(tenant: &Tenant) -> Option<PathBuf> {
    let DirectoryKind::Embedded(settings) = &tenant.directory.kind else { panic!("{:?}", tenant.directory.kind) };
    settings.users_file.clone()
}
