//! What `check` says about the audit trail: how fast it grows, and whether anything is dropped.

use std::sync::Arc;

use serde_json::json;

use super::store;
use crate::{
    adapters::store::embedded::{EmbeddedStore, OpenError, Place, Settings, admin},
    app::{
        growth::{self, Growth},
        retention::Retention,
    },
    config::{Config, StoreKind, spell},
    domain::ids::TenantName,
    ports::{clock::Clock, entropy::Entropy},
};

/// Asks the store, through the process that has it open if there is one. `None`: there is no data yet.
pub(super) async fn growth(
    config: &Config,
    tenant: &TenantName,
    clock: Arc<dyn Clock>,
    entropy: &Arc<dyn Entropy>,
) -> Result<Option<Growth>, String> {
    let folder = match &config.store {
        StoreKind::Embedded(folder) => folder,
        StoreKind::Memory => return Ok(None),
        StoreKind::Redis(settings) => {
            let store = store::redis(settings, config.ca_file.as_deref(), entropy).map_err(|e| e.to_string())?;
            return growth::growth(&store, tenant).await.map(Some).map_err(|e| e.to_string());
        }
    };
    if !folder.exists() {
        return Ok(None);
    }
    let growth = match EmbeddedStore::open(&Settings::new(Place::Folder(folder.clone())), clock, &**entropy) {
        Ok(store) => growth::growth(&store, tenant).await.map_err(|error| error.to_string())?,
        Err(OpenError::InUse(_)) => {
            let request = json!({"cmd": "audit-growth", "tenant": tenant});
            let answer = admin::ask(&folder.join(admin::SOCKET), &request).await.map_err(|error| error.to_string())?;
            serde_json::from_value(answer).map_err(|error| error.to_string())?
        }
        Err(error) => return Err(error.to_string()),
    };
    Ok(Some(growth))
}

/// Says it.
pub(super) fn told(growth: Option<&Growth>, kept: &Retention) -> String {
    let grows = match growth {
        None | Some(Growth { events: 0, since: Some(_), .. }) => "no events yet".to_owned(),
        Some(Growth { events, bytes, since }) => {
            let when = match since {
                None => "in the last day".to_owned(),
                Some(seconds) => format!("since the first, {} ago", ago(*seconds)),
            };
            format!("{events} events, {} KiB, {when}", bytes.div_ceil(1024))
        }
    };
    let keep = std::time::Duration::try_from(kept.keep).unwrap_or(std::time::Duration::MAX);
    match kept.sinks.as_slice() {
        [] => {
            format!(
                "{grows}; nothing is ever dropped, because BEHALF_AUDIT_SINK names nothing that has them for good (a file; \
                 with Redis, `stdout` that is collected)"
            )
        }
        sinks => format!("{grows}; dropped after {}, once {} has them", spell(keep), sinks.join(" and ")),
    }
}

/// The greatest whole unit.
fn ago(seconds: i64) -> String {
    match seconds {
        3600.. => format!("{} h", seconds / 3600),
        60.. => format!("{} min", seconds / 60),
        _ => format!("{} s", seconds.max(0)),
    }
}
