//! `[tenants.<name>.notify]`: who is told of what happens, and how.

mod email;
mod webhook;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use url::Url;

pub use email::{EmailSecurity, EmailSettings};
pub use webhook::{WebhookKey, WebhookSettings};

use crate::{
    config::{
        mistakes::{Fault, Findings, Read, fault},
        parse,
        reader::warn_if_open,
        table::Table,
    },
    domain::notice::TOPICS,
};

/// How people are told. Its `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct NotifySettings {
    /// Below this they look things up.
    pub base_url: Url,
    /// Receivers of all that happens, or of some of it.
    pub webhooks: Vec<WebhookSettings>,
    /// The mail server.
    pub email: Option<EmailSettings>,
}

/// What a file's content is read against.
pub(super) struct Place<'p> {
    /// Relative paths begin there.
    pub(super) dir: &'p Path,
    /// `BEHALF_ENV=development`.
    pub(super) development: bool,
}

/// Reads the table under the key `at`.
pub(in crate::config) fn notify(
    at: &str,
    value: Option<&Value>,
    (dir, development): (&Path, bool),
    found: &mut Findings,
) -> Read<Option<NotifySettings>> {
    let Some(value) = value else { return Ok(None) };
    let place = Place { dir, development };
    let mut table = Table::new(at.to_owned(), value, found)?;
    let base_url = table.text("base_url", |text| base_url(text, &place));
    let base_url = table.required("base_url", base_url);
    let webhooks = webhook::webhooks(&mut table, &place);
    let email = match table.inner("email") {
        Ok(Some(table)) => email::email(table, &place).map(Some),
        Ok(None) => Ok(None),
        Err(recorded) => Err(recorded),
    };
    if let (Ok(webhooks), Ok(None)) = (&webhooks, &email)
        && webhooks.is_empty()
    {
        let remedy = "add `email` or one of `webhooks`, or remove the table";
        return Err(table.wrong("email", fault("is missing, and so are webhooks: nobody would be told", remedy)));
    }
    table.finish()?;
    Ok(Some(NotifySettings { base_url: base_url?, webhooks: webhooks?, email: email? }))
}

fn base_url(text: &str, place: &Place<'_>) -> Result<Url, Fault> {
    let no_url = || fault("is no address to look things up at", "give an https URL without query and fragment");
    let url = bare_url(text).ok_or_else(no_url)?;
    let clear = url.scheme() == "http" && (place.development || url.host_str().is_some_and(parse::is_loopback));
    if clear || url.scheme() == "https" { Ok(url) } else { Err(no_url()) }
}

/// A URL that holds no password, no query and no fragment.
fn bare_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let bare =
        url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    (bare && url.host_str().is_some_and(|host| !host.is_empty())).then_some(url)
}

/// Types of events under `events`; all of them if it isn't there.
fn events(table: &mut Table<'_, '_>) -> Read<BTreeSet<String>> {
    let known = || TOPICS.iter().map(|topic| topic.kind);
    let named = table.texts("events", |text| {
        if known().any(|kind| kind == text) {
            return Ok(text.to_owned());
        }
        let all: Vec<&str> = known().collect();
        Err(fault(format!("nobody is ever told of `{text}`"), format!("known are {}", all.join(", "))))
    })?;
    match named {
        None => Ok(known().map(str::to_owned).collect()),
        Some(named) if named.is_empty() => {
            Err(table.wrong("events", fault("names no event", "name some, or leave it out to have all")))
        }
        Some(named) => Ok(named.into_iter().collect()),
    }
}

/// The secret in the file that `key` names.
fn secret_file(table: &mut Table<'_, '_>, key: &'static str, place: &Place<'_>) -> Read<Option<String>> {
    let Some(name) = table.text(key, parse::text)? else { return Ok(None) };
    let path: PathBuf = place.dir.join(name);
    match fs::read_to_string(&path) {
        Ok(text) => {
            let at = table.place_of(key);
            warn_if_open(&at, &path, table.findings());
            Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
        }
        Err(error) => {
            let what = format!("`{}` can't be read ({error})", path.display());
            Err(table.wrong(key, fault(what, "name a text file that is there and readable")))
        }
    }
}

#[cfg(test)]
mod tests;
