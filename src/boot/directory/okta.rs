//! Okta as a tenant's directory.

use std::{fmt::Display, fs, sync::Arc};

use crate::{
    adapters::{
        directory::okta::{
            self, OktaDirectory,
            auth::{App, AppKey, Credentials},
        },
        finding::Finding,
    },
    boot::tenant::Parts,
    config::{self, OktaCredentials, OktaSettings},
    domain::ids::TenantName,
};

/// What is to be said of it.
pub(super) async fn inspect(
    name: &TenantName,
    org: &OktaSettings,
    settings: &config::Tenant,
    parts: &Parts<'_>,
) -> Vec<Finding> {
    match directory(name, org, settings, parts) {
        Ok(directory) => okta::inspect(&directory).await,
        Err(why) => vec![Finding::error(why)],
    }
}

/// Reads the app's key, if it is one.
pub fn credentials(credentials: &OktaCredentials) -> Result<Credentials, String> {
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

/// The organisation; asks nobody yet.
pub(super) fn directory(
    name: &TenantName,
    org: &OktaSettings,
    settings: &config::Tenant,
    parts: &Parts<'_>,
) -> Result<OktaDirectory, String> {
    let credentials = credentials(&org.credentials)?;
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
