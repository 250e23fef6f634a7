//! What `simulate` does: a decision of the present directory, store and rules, without a service.

use std::{path::Path, sync::Arc};

use super::{Behalf, directory, store as stores, tenant};
use crate::{
    adapters::{
        http_client,
        store::embedded::{
            EmbeddedStore, Place, Settings,
            admin::{self, AskError},
            media::DATA_FILE,
            through_process::ThroughProcess,
        },
    },
    app::explain::{Explanation, House, Question},
    config::{Config, StoreKind},
    domain::ids::TenantName,
    metrics::Metrics,
    policy::{Pipeline, TenantPolicy},
    ports::{clock::Clock, entropy::Entropy, store::Store},
};

impl Behalf {
    /// Answers the question as the service would now; an error says why that can't be told. Changes nothing.
    pub async fn simulate(
        config: &Config,
        name: &TenantName,
        question: Question,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Explanation, String> {
        let settings = config.tenants.get(name).ok_or_else(|| format!("there is no tenant `{name}`"))?;
        let store = present(config, &clock, &entropy).await?;
        let http = http_client::build(config.ca_file.as_deref()).map_err(|error| error.to_string())?;
        let metrics = Arc::new(Metrics::default());
        let parts = tenant::Parts::new(http, config, &metrics, &clock, &entropy, &store);
        let directories = directory::build(name, settings, &parts)?;
        let policy = TenantPolicy::from(settings);
        let house = House {
            store: &*store,
            directory: &*directories.others,
            pipeline: &Pipeline::standard(),
            tenant: name,
            policy: &policy,
            shared: &settings.shared,
        };
        house.explain(question).await.map_err(|error| error.to_string())
    }
}

/// The store as it is: through the process that has it open, or opened. None is made.
async fn present(
    config: &Config,
    clock: &Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> Result<Arc<dyn Store>, String> {
    match &config.store {
        StoreKind::Memory => {
            Err("BEHALF_STORE is `memory`: locks are known to the running process alone; ask its /v1/policy/explain"
                .to_owned())
        }
        StoreKind::Embedded(folder) => folder_of_data(folder, clock, &**entropy).await,
        StoreKind::Redis(settings) => {
            let store = stores::redis(settings, config.ca_file.as_deref(), entropy);
            Ok(Arc::new(store.map_err(|error| error.to_string())?))
        }
    }
}

async fn folder_of_data(
    folder: &Path,
    clock: &Arc<dyn Clock>,
    entropy: &dyn Entropy,
) -> Result<Arc<dyn Store>, String> {
    let socket = folder.join(admin::SOCKET);
    match admin::ask(&socket, &serde_json::json!({"cmd": "status"})).await {
        Ok(_) => return Ok(Arc::new(ThroughProcess::new(socket))),
        Err(AskError::NotRunning(_)) => {}
        Err(error) => return Err(error.to_string()),
    }
    // Where nothing was written yet nobody is locked.
    let there = folder.join(DATA_FILE).exists();
    let place = if there { Place::Folder(folder.to_owned()) } else { Place::Memory };
    let store = EmbeddedStore::open(&Settings::new(place), Arc::clone(clock), entropy);
    Ok(Arc::new(store.map_err(|error| error.to_string())?))
}
