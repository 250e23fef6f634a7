//! What `check` does: builds everything as for serving, but for the store's file, and asks each dependency.

use std::{path::Path, sync::Arc};

use super::{Behalf, audit, directory, notify, shared_accounts, store as stores, tenant, trail};
use crate::{
    adapters::{
        finding::{Finding, Level},
        http_client,
        store::{
            embedded::{EmbeddedStore, OpenError, Place, Settings, admin},
            redis::inspect,
        },
    },
    app::notify::Outlets,
    config::{self, Config, StoreKind},
    domain::ids::TenantName,
    metrics::Metrics,
    ports::{clock::Clock, entropy::Entropy, store::Store},
};

mod people;

use self::people::Named;

/// What `check` found.
pub struct Preview {
    /// A line for each dependency.
    pub findings: Vec<String>,
    /// True if the service could serve.
    pub well: bool,
}

impl Preview {
    fn note(&mut self, name: &str, result: Result<String, String>) {
        match result {
            Ok(how) => self.say(Level::Good, name, &how),
            Err(why) => self.say(Level::Error, name, &why),
        }
    }

    /// Only errors keep the service from serving.
    fn say(&mut self, level: Level, name: &str, what: &str) {
        self.well &= level < Level::Error;
        let level = match level {
            Level::Good => "ok",
            Level::Warning => "warning",
            Level::Error => "error",
        };
        self.findings.push(format!("{level}: {name}: {what}"));
    }

    fn and(mut self, name: &str, result: Result<String, String>) -> Self {
        self.note(name, result);
        self
    }
}

impl Behalf {
    /// Asks everything that the configuration names. A store that a running service has open is asked through it.
    pub async fn preview(config: &Config, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Preview {
        let mut preview = Preview { findings: Vec::new(), well: true };
        for Finding { level, text } in store(config, &clock, &entropy).await {
            preview.say(level, "store", &text);
        }
        let sink = audit::sink(&config.audit);
        let kept = audit::retention(config, sink.as_deref());
        for name in config.tenants.keys() {
            let grows = trail::growth(config, name, Arc::clone(&clock), &entropy).await;
            let grows = grows.map(|growth| trail::told(growth.as_ref(), &kept));
            preview.note(&format!("audit trail of `{name}`"), grows);
        }
        let data = match &config.store {
            StoreKind::Embedded(folder) => Some(folder.as_path()),
            StoreKind::Memory | StoreKind::Redis(_) => None,
        };
        preview.note("signing key", audit::signing_key(&config.audit, data));
        preview.note("audit sink", audit::sink_is_there(&config.audit));
        if let Some(files) = &config.server.tls {
            preview.note("tls", tenant::tls(files).map(|_| files.cert.display().to_string()));
        }
        // A CA file that can't be used keeps nobody from looking at the rest.
        let trusting = http_client::build(config.ca_file.as_deref());
        if let Err(error) = &trusting {
            preview.note("outbound", Err(error.to_string()));
        }
        // Directories need a store for their grants; what is checked here is theirs, so an empty one will do.
        let memory = EmbeddedStore::open(&Settings::new(Place::Memory), Arc::clone(&clock), &*entropy);
        let (http, memory): (_, Arc<dyn Store>) = match (trusting.or_else(|_| http_client::build(None)), memory) {
            (Ok(http), Ok(store)) => (http, Arc::new(store)),
            (Err(error), _) => return preview.and("outbound", Err(error.to_string())),
            (_, Err(error)) => return preview.and("memory", Err(error.to_string())),
        };
        let metrics = Arc::new(Metrics::default());
        let parts = tenant::Parts::new(http, config, &metrics, &clock, &entropy, &memory);
        for (name, settings) in &config.tenants {
            if let Err(why) = tenant::dialect(name, settings, &parts) {
                preview.note(&format!("hook of `{name}`"), Err(why));
            }
            for Finding { level, text } in directory::inspect(name, settings, &parts).await {
                preview.say(level, &format!("directory of `{name}`"), &text);
            }
            for Finding { level, text } in shared_accounts::inspect(name, settings, &parts).await {
                preview.say(level, &format!("shared accounts of `{name}`"), &text);
            }
            // What keeps the directory from being built is told already.
            if let Ok(directories) = directory::build(name, settings, &parts) {
                for (what, places, counted) in [
                    ("rules", Named::rules(&settings.rules), ("rule", "rules")),
                    (
                        "applications",
                        Named::applications(&settings.applications),
                        ("application that asks", "applications that ask"),
                    ),
                    ("keys", Named::keys(&settings.keys), ("list of approvers", "lists of approvers")),
                ] {
                    for Finding { level, text } in people::inspect(&places, counted, &*directories.others).await {
                        preview.say(level, &format!("{what} of `{name}`"), &text);
                    }
                }
            }
            if let Some(settings) = &settings.notify {
                let ways = notify::outlets(settings, config.ca_file.as_deref()).map(|outlets| told(&outlets));
                preview.note(&format!("notifications of `{name}`"), ways);
            }
            preview.note(&format!("issuer of `{name}`"), issuer(name, settings, &parts).await);
        }
        preview
    }
}

/// By which ways people are told. Nobody is told anything for a check.
fn told(outlets: &Outlets) -> String {
    let ways: Vec<String> = outlets.all.iter().map(|outlet| outlet.channel.to_string()).collect();
    format!("by {}", ways.join(", "))
}

async fn issuer(name: &TenantName, settings: &config::Tenant, parts: &tenant::Parts<'_>) -> Result<String, String> {
    let verifier = tenant::verifier(name, &settings.issuer, &settings.audience, parts)?;
    verifier.probe().await.map_err(|error| error.to_string())?;
    Ok(settings.issuer.to_string())
}

async fn store(config: &Config, clock: &Arc<dyn Clock>, entropy: &Arc<dyn Entropy>) -> Vec<Finding> {
    match &config.store {
        StoreKind::Memory => vec![Finding::good("in memory")],
        StoreKind::Embedded(folder) => {
            let said = folder_of_data(folder, Arc::clone(clock), &**entropy).await;
            vec![said.map_or_else(Finding::error, Finding::good)]
        }
        StoreKind::Redis(settings) => {
            let tenants: Vec<TenantName> = config.tenants.keys().cloned().collect();
            match stores::servers(settings, config.ca_file.as_deref(), entropy) {
                Ok((topology, dial)) => inspect::inspect(&topology, &dial, &tenants).await,
                Err(error) => vec![Finding::error(error.to_string())],
            }
        }
    }
}

async fn folder_of_data(folder: &Path, clock: Arc<dyn Clock>, entropy: &dyn Entropy) -> Result<String, String> {
    let shown = folder.display();
    if !folder.exists() {
        return Ok(format!("{shown} will be made"));
    }
    match EmbeddedStore::open(&Settings::new(Place::Folder(folder.to_owned())), clock, entropy) {
        Ok(store) => {
            store.close();
            Ok(format!("{shown} can be opened"))
        }
        Err(OpenError::InUse(_)) => {
            let asked = admin::ask(&folder.join(admin::SOCKET), &serde_json::json!({"cmd": "status"})).await;
            asked.map(|_| format!("{shown} is served by a running process")).map_err(|error| error.to_string())
        }
        Err(error) => Err(error.to_string()),
    }
}
