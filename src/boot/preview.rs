//! What `check` does: builds everything as for serving, but for the store's file, and asks each dependency.

use std::sync::Arc;

use super::{Behalf, BootError, tenant};
use crate::{
    adapters::{
        http_client,
        store::embedded::{EmbeddedStore, OpenError, Place, Settings, admin},
    },
    config::{Config, StoreKind},
    metrics::Metrics,
    ports::{clock::Clock, entropy::Entropy, store::Store},
};

/// What `check` found.
pub struct Preview {
    /// A line for each dependency.
    pub findings: Vec<String>,
    /// True if the service could serve.
    pub well: bool,
}

impl Preview {
    fn note(&mut self, name: &str, result: Result<String, String>) {
        self.well &= result.is_ok();
        self.findings.push(match result {
            Ok(how) => format!("ok: {name}: {how}"),
            Err(why) => format!("error: {name}: {why}"),
        });
    }
}

impl Behalf {
    /// Asks everything that the configuration names. A store that a running service has open is asked through it.
    pub async fn preview(config: &Config, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Preview {
        let mut preview = Preview { findings: Vec::new(), well: true };
        preview.note("store", store(&config.store, Arc::clone(&clock), &*entropy).await);
        if let Some(files) = &config.server.tls {
            preview.note("tls", tenant::tls(files).map(|_| files.cert.display().to_string()));
        }
        let http = match http_client::build(config.ca_file.as_deref()) {
            Ok(http) => http,
            Err(error) => {
                preview.note("outbound", Err(error.to_string()));
                return preview;
            }
        };
        // Directories need a store for their grants; what is checked here is theirs, so an empty one will do.
        let memory = EmbeddedStore::open(&Settings::new(Place::Memory), Arc::clone(&clock), &*entropy);
        let memory: Arc<dyn Store> = match memory {
            Ok(store) => Arc::new(store),
            Err(error) => {
                preview.note("memory", Err(error.to_string()));
                return preview;
            }
        };
        let metrics = Arc::new(Metrics::default());
        let parts = tenant::Parts { http, metrics: &metrics, clock: &clock, entropy: &entropy, store: &memory };
        for (name, settings) in &config.tenants {
            match tenant::build(name, settings, &parts) {
                Err(BootError::Tenant(_, why)) => preview.note(&format!("tenant `{name}`"), Err(why)),
                Err(error) => preview.note(&format!("tenant `{name}`"), Err(error.to_string())),
                Ok((door, directory)) => {
                    let users = format!("{} users", directory.users().len());
                    preview.note(&format!("directory of `{name}`"), Ok(users));
                    let keys = door.verifier.probe().await;
                    let issuer = settings.issuer.to_string();
                    preview.note(&format!("issuer of `{name}`"), keys.map(|()| issuer).map_err(|e| e.to_string()));
                }
            }
        }
        preview
    }
}

async fn store(kind: &StoreKind, clock: Arc<dyn Clock>, entropy: &dyn Entropy) -> Result<String, String> {
    let StoreKind::Embedded(folder) = kind else { return Ok("in memory".to_owned()) };
    let shown = folder.display();
    if !folder.exists() {
        return Ok(format!("{shown} will be made"));
    }
    let opened = EmbeddedStore::open(&Settings::new(Place::Folder(folder.clone())), clock, entropy);
    match opened {
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
