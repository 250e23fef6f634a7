//! `[[tenants.<name>.applications]]`: applications without OIDC, and what each may do.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use serde_json::Value;

use crate::{
    config::{
        key_file,
        mistakes::{Fault, Findings, Read, fault},
        parse,
        reader::Reader,
        rules::approval,
        table::Table,
    },
    domain::{
        application::{Application, ApplicationKey, LEAST_KEY, MOST_KEY, Right},
        ids::{ApplicationUri, TenantName, UserId},
        shared_account::SharedAccounts,
    },
};

/// The key below the tenant.
pub(in crate::config) const KEY: &str = "applications";
/// The most applications of one tenant.
const MOST: usize = 200;
const RIGHTS: &[(&str, Right)] =
    &[("approvals", Right::Approvals), ("lock_check", Right::LockCheck), ("otp", Right::Otp)];

/// Reads them. `shared` are the accounts that they may name; `None`: these can't be read.
pub(super) fn applications(
    name: &TenantName,
    r: &mut Reader<'_>,
    shared: Option<&SharedAccounts>,
) -> Read<Vec<Arc<Application>>> {
    let at = format!("tenants.{name}.{KEY}");
    let sources = r.sources;
    let Some(value) = sources.in_file(&at) else { return Ok(Vec::new()) };
    let all = Applications { dir: &sources.dir, shared };
    all.read(&at, value, r.found)
}

struct Applications<'a> {
    /// Where relative paths begin.
    dir: &'a Path,
    shared: Option<&'a SharedAccounts>,
}

impl Applications<'_> {
    fn read(&self, at: &str, value: &Value, found: &mut Findings) -> Read<Vec<Arc<Application>>> {
        let Value::Array(items) = value else {
            let fault = fault("is not a list of tables", format!("write `[[{at}]]`"));
            return Err(found.mistake_at(at, format!("key `{at}`"), fault));
        };
        if items.len() > MOST {
            let fault = fault(format!("has {} applications", items.len()), format!("give at most {MOST}"));
            return Err(found.mistake_at(at, format!("key `{at}`"), fault));
        }
        let mut uris = BTreeSet::new();
        let read: Vec<Read<_>> = items
            .iter()
            .enumerate()
            .map(|(index, item)| {
                let at = format!("{at}[{index}]");
                let application = self.application(&at, item, found)?;
                if uris.insert(application.uri.clone()) {
                    return Ok(Arc::new(application));
                }
                let what = format!("the application `{}` is there already", application.uri);
                Err(found.mistake_at(&at, at.clone(), fault(what, "name every application once")))
            })
            .collect();
        read.into_iter().collect()
    }

    fn application(&self, at: &str, value: &Value, found: &mut Findings) -> Read<Application> {
        let (application, warning) = self.table(at, value, found)?;
        found.warnings.extend(warning.map(|warning| format!("{at} (\"{}\"): {warning}", application.uri)));
        Ok(application)
    }

    fn table(&self, at: &str, value: &Value, found: &mut Findings) -> Read<(Application, Option<String>)> {
        let mut table = Table::new(at.to_owned(), value, found)?;
        let uri = table.text("uri", uri);
        let uri = table.required("uri", uri);
        if let Ok(uri) = &uri {
            table.rename(format!("{at} (\"{uri}\")"));
        }
        let keys = table.text("keys_file", |path| self.keys(path));
        let keys = table.required("keys_file", keys);
        let may = may(&mut table);
        let accounts = self.accounts(&mut table);
        let template = match table.inner("approval") {
            Ok(Some(inner)) => approval::template(inner).map(Some),
            other => other.map(|_| None),
        };
        let fits = may.as_ref().map_or(Ok(()), |may| fits(&mut table, may));
        table.finish()?;
        fits?;
        let (keys, warning) = keys?;
        let (accounts, approval) = (accounts?, template?);
        Ok((Application { uri: uri?, keys, may: may?, accounts, approval }, warning))
    }

    fn keys(&self, path: &str) -> Result<(Vec<ApplicationKey>, Option<String>), Fault> {
        let path = self.dir.join(parse::text(path)?);
        let size = format!("{LEAST_KEY} to {MOST_KEY} bytes");
        Ok((key_file::keys(&path, &size, ApplicationKey::new)?, key_file::open_to_others(&path)))
    }

    fn accounts(&self, table: &mut Table<'_, '_>) -> Read<BTreeSet<UserId>> {
        let account = |text: &str| {
            let id = UserId::parse(text).map_err(|e| fault(format!("an id {e}"), "give the account's immutable id"))?;
            match self.shared {
                Some(shared) if shared.get(id.as_str()).is_none() => {
                    Err(fault(format!("`{id}` is no shared account"), "name accounts of `shared_accounts`"))
                }
                _ => Ok(id),
            }
        };
        Ok(table.texts("accounts", account)?.unwrap_or_default().into_iter().collect())
    }
}

fn uri(text: &str) -> Result<ApplicationUri, Fault> {
    let remedy = "give what the application's tokens have in `iss`";
    ApplicationUri::parse(&parse::word(text)?).map_err(|e| fault(e.to_string(), remedy))
}

fn may(table: &mut Table<'_, '_>) -> Read<BTreeSet<Right>> {
    let listed = table.texts("may", parse::choice(RIGHTS));
    let listed = table.required("may", listed)?;
    if listed.is_empty() {
        return Err(table.wrong("may", fault("allows nothing", "name what it may do, or remove the application")));
    }
    Ok(listed.into_iter().collect())
}

/// What a right needs is there, and nothing that needs a right which isn't.
fn fits(table: &mut Table<'_, '_>, may: &BTreeSet<Right>) -> Read<()> {
    let mut all_well = Ok(());
    for (key, right) in [("accounts", Right::Otp), ("approval", Right::Approvals)] {
        let fault = match (may.contains(&right), table.has(key)) {
            (true, false) => fault(format!("is missing beside `{}` in `may`", right.code()), "give both or none"),
            (false, true) => fault(format!("means nothing without `{}` in `may`", right.code()), "give both or none"),
            _ => continue,
        };
        all_well = Err(table.wrong(key, fault));
    }
    all_well
}

#[cfg(test)]
mod tests;
