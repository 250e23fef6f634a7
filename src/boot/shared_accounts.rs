//! Whether the directory knows the shared accounts, for `check`. While serving, one that it doesn't know can't be reserved.

use super::{directory, tenant::Parts};
use crate::{
    adapters::finding::Finding,
    config,
    domain::{ids::TenantName, reason::Reason, shared_account::SharedAccount},
    policy::shared_account,
    ports::directory::Directory,
};

/// A line for each account that isn't as it should be, or one for all.
pub(super) async fn inspect(name: &TenantName, settings: &config::Tenant, parts: &Parts<'_>) -> Vec<Finding> {
    if settings.shared.is_empty() {
        return Vec::new();
    }
    // What is wrong with the directory itself is said elsewhere.
    let Ok(directories) = directory::build(name, settings, parts) else { return Vec::new() };
    let (mut findings, mut good) = (Vec::new(), 0);
    for account in settings.shared.iter() {
        match look_at(&*directories.others, account).await {
            Some(finding) => findings.push(finding),
            None => good += 1,
        }
    }
    if good > 0 {
        findings.push(Finding::good(format!("{good} active")));
    }
    findings
}

async fn look_at(directory: &dyn Directory, account: &SharedAccount) -> Option<Finding> {
    let id = &account.id;
    match shared_account::account(directory, id).await {
        Ok(_) => None,
        Err(Reason::AccountInactive) => {
            Some(Finding::error(format!("`{id}` isn't there, or isn't active: nobody can reserve it")))
        }
        Err(reason) => Some(Finding::warning(format!("`{id}` can't be looked up: {}", reason.code()))),
    }
}
