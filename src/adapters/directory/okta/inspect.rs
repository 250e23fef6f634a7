//! What `check` has to say of an organisation. It changes nothing.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    OktaDirectory,
    account::{AGENTS, Account, Listed},
    api::Said,
    kinds::{self, Schema},
    limits::Bucket,
    read,
};
use crate::{adapters::finding::Finding, domain::ids::UserId, ports::directory::DirectoryError};

/// An ETag that no user ever has.
const NO_ETAG: &str = "W/\"behalf-check\"";

/// Signs in, reads one user, tries the rights that are needed, and looks who may write grants.
pub async fn inspect(okta: &OktaDirectory) -> Vec<Finding> {
    let place = okta.api.rest.base().host_str().unwrap_or_default().to_owned();
    let mut findings = match first_user(okta).await {
        Err(error) => return vec![Finding::error(error.to_string()).at(place)],
        Ok(None) => vec![Finding::warning("there is no active user to try with, so rights weren't tried")],
        Ok(Some(account)) => rights(okta, &account).await,
    };
    findings.extend(types(okta).await);
    if findings.is_empty() {
        findings.push(Finding::good("signed in, and all rights are there"));
    }
    findings.into_iter().map(|finding| finding.at(&place)).collect()
}

/// Some user, found by search as delegators are, and read by id.
async fn first_user(okta: &OktaDirectory) -> Result<Option<Account>, DirectoryError> {
    let url = okta.api.url(&["users"], &[("search", "status eq \"ACTIVE\""), ("limit", "1")])?;
    let found: Vec<Listed> = match okta.api.get(Bucket::Users, url).await? {
        Said::Done(answer) => answer.json()?,
        Said::Refused(refusal) => return Err(refusal.error()),
    };
    match found.into_iter().next() {
        Some(listed) => read::by_id(&okta.api, &listed.id).await,
        None => Ok(None),
    }
}

async fn rights(okta: &OktaDirectory, account: &Account) -> Vec<Finding> {
    let mut findings = Vec::new();
    let user = &account.entry.user.id;
    if account.etag.is_none() {
        findings.push(Finding::warning(
            "users have no ETags: other administrators' changes can be lost; ours are made under a lease of the store",
        ));
    }
    if let Err(error) = read::groups(&okta.api, user).await {
        let text = format!("groups of users can't be read, so rules that name groups refuse everybody: {error}");
        findings.push(Finding::warning(text));
    }
    findings.extend(may_write(okta, user).await);
    findings
}

/// Tries a write that names no attribute, for a state that isn't there: nothing changes, but a missing right shows.
async fn may_write(okta: &OktaDirectory, user: &UserId) -> Option<Finding> {
    let write = async {
        let url = okta.api.of_user(user, &[])?;
        okta.api.write(Method::POST, url, Some(NO_ETAG), &json!({"profile": {}})).await
    };
    match write.await {
        Ok(Said::Refused(refusal)) if refusal.status == 412 => None,
        Ok(Said::Done(_)) => Some(Finding::warning(
            "If-Match is ignored: other administrators' changes can be lost; ours are made under a lease of the store",
        )),
        Ok(Said::Refused(refusal)) => {
            Some(Finding::warning(format!("whether users can be changed isn't known: {}", refusal.error())))
        }
        Err(error @ DirectoryError::Rejected(_)) => {
            Some(Finding::error(format!("users can't be changed, so no grant can: {error}")))
        }
        Err(error) => Some(Finding::error(error.to_string())),
    }
}

/// The configured types exist, and the delegators' one lets nobody else write grants.
async fn types(okta: &OktaDirectory) -> Vec<Finding> {
    let kinds = &okta.org.kinds;
    let named = [
        ("BEHALF_USER_TYPE_ID", &kinds.user),
        ("BEHALF_DELEGATED_USER_TYPE_ID", &kinds.delegatable),
        ("BEHALF_ENTITY_TYPE_ID", &kinds.entity),
    ];
    let mut findings = Vec::new();
    let mut delegators = None;
    for (name, kind) in named {
        let Some(kind) = kind else { continue };
        match kinds::schema_of(&okta.meta, kind).await {
            Ok(Some(schema)) if name == "BEHALF_DELEGATED_USER_TYPE_ID" => delegators = Some(schema),
            Ok(Some(_)) => {}
            Ok(None) => findings.push(Finding::error(format!("{name}: there is no user type {kind}"))),
            Err(error) => findings.push(unknown(&error)),
        }
    }
    if kinds.delegatable.is_none() {
        match kinds::schema(&okta.meta, "default").await {
            Ok(schema) => delegators = Some(schema),
            Err(error) => findings.push(unknown(&error)),
        }
    }
    findings.extend(delegators.iter().flat_map(writers));
    findings
}

fn unknown(error: &DirectoryError) -> Finding {
    Finding::warning(format!(
        "user types and schemas can't be read, so who may write `{AGENTS}` isn't known: {error}; let the account read \
         them (scopes okta.userTypes.read and okta.schemas.read)"
    ))
}

/// Who may write the grants besides administrators.
fn writers(schema: &Schema) -> Vec<Finding> {
    let Some(attribute) = schema.attribute(AGENTS) else {
        let what = format!(
            "the delegators' user type has no attribute `{AGENTS}`: add it, a list of strings, read-only for SELF"
        );
        return vec![Finding::error(what)];
    };
    let mut findings = Vec::new();
    let is_list = attribute["type"] == "array" && matches!(attribute["items"]["type"].as_str(), Some("string"));
    if !is_list {
        findings.push(Finding::error(format!("the attribute `{AGENTS}` is no list of strings")));
    }
    let permissions = attribute["permissions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let writes = |permission: &&Value| permission["action"] == "READ_WRITE";
    for permission in permissions.iter().filter(writes) {
        findings.push(if permission["principal"] == "SELF" {
            Finding::warning(format!(
                "users may write their own `{AGENTS}`, round the audit trail, the cap on agents and the check for \
                 delegated tokens: make it read-only for SELF"
            ))
        } else {
            Finding::error(format!(
                "others than administrators may write `{AGENTS}`: anybody they list can act for a user"
            ))
        });
    }
    if permissions.is_empty() {
        findings.push(Finding::warning(format!("the schema doesn't say who may write `{AGENTS}`")));
    }
    if attribute["master"]["type"] == "OVERRIDE" {
        findings.push(Finding::error(format!(
            "`{AGENTS}` is written by a profile source: anybody it lists can act for a user"
        )));
    }
    findings
}
