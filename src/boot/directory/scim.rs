//! A SCIM service as a tenant's directory.

use std::sync::Arc;

use crate::{
    adapters::{
        directory::{
            entries::{Entries, Lanes},
            rest::Rest,
            scim::{Scim, filter::Attribute},
        },
        finding::Finding,
    },
    boot::tenant::Parts,
    config::ScimSettings,
};

/// Both lanes of it. The service counts no calls, so they are the same.
pub(super) fn lanes(service: &ScimSettings, parts: &Parts<'_>) -> Result<Lanes, String> {
    let entries: Arc<dyn Entries> = Arc::new(scim(service, parts)?);
    Ok(Lanes { hooks: Arc::clone(&entries), others: entries })
}

/// What is to be said of it.
pub(super) async fn inspect(service: &ScimSettings, parts: &Parts<'_>) -> Vec<Finding> {
    match scim(service, parts) {
        Ok(scim) => scim.inspect().await,
        Err(why) => vec![Finding::error(why)],
    }
}

/// Calls nobody yet.
fn scim(service: &ScimSettings, parts: &Parts<'_>) -> Result<Scim, String> {
    let attribute = Attribute::new(&service.extension, &service.attribute)?;
    let rest = Rest::new(parts.http.clone(), service.url.clone());
    Scim::new(rest, &service.token, attribute, Arc::clone(parts.clock), Arc::clone(parts.entropy))
}
