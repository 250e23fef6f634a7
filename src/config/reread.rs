//! The file read again while the service runs: rules are taken, and all else that changed is named.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde_json::{Map, Value};

use super::{Config, DialectKind, Mistakes, mistakes::Findings, rules, settings, source::Sources, tenant_names};
use crate::domain::{ids::TenantName, rule::Rule};

/// The configuration's file, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFile {
    /// Where it is.
    pub path: PathBuf,
    /// SHA-256 of what it held.
    pub sha256: [u8; 32],
}

/// What a configuration was read from. Holds secrets, and shows none.
#[derive(Clone, Default)]
pub(super) struct Origin(Arc<Material>);

#[derive(Default)]
struct Material {
    vars: Vec<(OsString, OsString)>,
    dir: PathBuf,
    table: Map<String, Value>,
    file: Option<ConfigFile>,
}

impl Origin {
    pub(super) fn of(vars: &[(OsString, OsString)], dir: &Path, sources: Sources) -> Self {
        let (table, file) = (sources.file, sources.read);
        Self(Arc::new(Material { vars: vars.to_vec(), dir: dir.to_owned(), table, file }))
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Origin({:?})", self.0.file)
    }
}

/// What a file read again comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reread {
    /// The rules of the tenants that run.
    pub rules: BTreeMap<TenantName, Vec<Rule>>,
    /// Keys whose values differ from those in force, which only a restart brings into force.
    pub needs_restart: Vec<String>,
}

impl Config {
    /// The file that it was read from; `None`: there was none.
    pub fn file(&self) -> Option<&ConfigFile> {
        self.origin.0.file.as_ref()
    }

    /// Checks `content` as a start with it would, and takes the rules out of it. Blocks.
    pub fn reread(&self, content: &[u8]) -> Result<Reread, Mistakes> {
        let Material { vars, dir, table, .. } = &*self.origin.0;
        let mut new = Self::understand(vars, dir, Some(content))?;
        let mut needs_restart = BTreeSet::new();
        let mut tables = [table.clone(), new.origin.0.table.clone()];
        let mut rules = BTreeMap::new();
        for name in self.tenants.keys() {
            // A tenant that is missing keeps its rules: until the restart it runs.
            if let Some(tenant) = new.tenants.remove(name) {
                rules.insert(name.clone(), tenant.rules);
                for table in &mut tables {
                    without_rules(table, name);
                }
            }
        }
        let [old, new] = tables;
        differences("", &old, &new, &mut needs_restart);
        Ok(Reread { rules, needs_restart: needs_restart.into_iter().collect() })
    }
}

impl Config {
    /// The rules of every tenant of `file` (else of the process's configuration), and of them alone: what else it takes
    /// to serve may be missing.
    #[expect(clippy::disallowed_methods, reason = "the one room that reads the environment")]
    pub fn rules(file: Option<&Path>) -> Result<BTreeMap<TenantName, Vec<Rule>>, Mistakes> {
        let mut vars: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
        if let Some(file) = file {
            vars.insert(settings::CONFIG.env.into(), file.into());
        }
        let mut found = Findings::default();
        let sources = Sources::gather(vars.into_iter(), Path::new(""), None, &mut found);
        let mut rules = BTreeMap::new();
        for name in tenant_names(&sources, &mut found).unwrap_or_default() {
            let at = format!("tenants.{name}.rules");
            // There is one dialect, so nobody has to ask which.
            let bounds = DialectKind::Okta.lifetime_bounds();
            if let Ok(read) = rules::rules(&at, sources.in_file(&at), bounds, &mut found) {
                rules.insert(name, read);
            }
        }
        if found.mistakes.is_empty() { Ok(rules) } else { Err(found.mistakes) }
    }
}

fn without_rules(table: &mut Map<String, Value>, tenant: &TenantName) {
    let tenant = table.get_mut("tenants").and_then(|tenants| tenants.get_mut(tenant.as_str()));
    if let Some(Value::Object(tenant)) = tenant {
        tenant.remove("rules");
    }
}

fn differences(prefix: &str, old: &Map<String, Value>, new: &Map<String, Value>, found: &mut BTreeSet<String>) {
    let empty = Map::new();
    for key in old.keys().chain(new.keys()) {
        let path = format!("{prefix}{key}");
        // A table without a setting says as much as none.
        match (old.get(key), new.get(key)) {
            (Some(Value::Object(old)), Some(Value::Object(new))) => differences(&format!("{path}."), old, new, found),
            (Some(Value::Object(old)), None) => differences(&format!("{path}."), old, &empty, found),
            (None, Some(Value::Object(new))) => differences(&format!("{path}."), &empty, new, found),
            (old, new) if old != new => {
                found.insert(path);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
