//! Rules that are replaced while the service runs.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read as _},
    path::Path,
    sync::Arc,
};

use crate::{
    adapters::watched::{Content, Watched},
    app::Tenant,
    config::{Config, ConfigFile, Reread},
    domain::ids::TenantName,
    metrics::Metrics,
    ports::clock::Clock,
};

/// The longest configuration that is read again, bytes.
const MOST: u64 = 4 << 20;

/// The configuration's file, of which only the rules are taken.
pub(super) struct Rules {
    config: Config,
    tenants: BTreeMap<TenantName, Arc<Tenant>>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
}

/// Watches the file that the configuration was read from, if it was read from one.
pub(super) fn watched(
    config: &Config,
    tenants: &BTreeMap<TenantName, Arc<Tenant>>,
    clock: &Arc<dyn Clock>,
    metrics: &Arc<Metrics>,
) -> Arc<Watched<Rules>> {
    let (clock, metrics) = (Arc::clone(clock), Arc::clone(metrics));
    metrics.policy_loaded(clock.now());
    let (path, loaded) = match config.file().cloned() {
        Some(ConfigFile { path, sha256 }) => (Some(path), sha256),
        None => (None, [0; 32]),
    };
    let rules = Rules { config: config.clone(), tenants: tenants.clone(), clock, metrics };
    Arc::new(Watched::new(path, loaded, rules))
}

impl Content for Rules {
    type Value = Reread;
    type Wrong = String;

    const WHAT: &'static str = "rules";

    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        let mut content = Vec::new();
        let read = File::open(path).and_then(|file| file.take(MOST + 1).read_to_end(&mut content));
        let read = match read {
            Ok(length) if length as u64 > MOST => Err(io::Error::other(format!("it has more than {MOST} bytes"))),
            read => read,
        };
        read.map(|_| content).map_err(|error| format!("{} can't be read: {error}", path.display()))
    }

    fn parse(&self, content: &[u8]) -> Result<Reread, String> {
        self.config.reread(content).map_err(|mistakes| mistakes.to_string())
    }

    fn take(&self, new: Reread) {
        for (name, tenant) in &self.tenants {
            let Some(rules) = new.rules.get(name) else { continue };
            if tenant.policy.now().rules != *rules {
                tracing::info!(tenant = %name, rules = rules.len(), "other rules are in force");
                tenant.policy.replace_rules(rules);
            }
        }
        if !new.needs_restart.is_empty() {
            let keys = new.needs_restart.join(", ");
            tracing::warn!(%keys, "the configuration differs from the one in force: it needs a restart");
        }
        self.metrics.policy_loaded(self.clock.now());
    }

    fn failed(why: String) -> String {
        why
    }

    fn in_doubt(&self, is_so: bool) {
        self.metrics.policy_reload_failed(is_so);
    }
}
