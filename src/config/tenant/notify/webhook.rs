//! Webhooks.

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret, SecretSlice};
use url::Url;

use super::{Place, events, secret_file};
use crate::config::{
    mistakes::{Fault, Read, fault},
    parse,
    table::Table,
};

/// Webhooks of one tenant.
const MOST: usize = 8;

/// The key that signs (Standard Webhooks: 24 to 64 bytes).
pub type WebhookKey = SecretSlice<u8>;

/// A receiver. Its `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct WebhookSettings {
    /// Names it in logs, events and the API.
    pub name: String,
    /// Where it is.
    pub url: Url,
    /// One key, or two while they are rotated.
    pub keys: Vec<WebhookKey>,
    /// Types of events that it is told of.
    pub events: BTreeSet<String>,
    /// It may be anywhere, with or without TLS.
    pub allow_private: bool,
}

pub(super) fn webhooks(table: &mut Table<'_, '_>, place: &Place<'_>) -> Read<Vec<WebhookSettings>> {
    let mut names = BTreeSet::new();
    let read = table.each("webhooks", |table| {
        let mut table = table;
        let webhook = webhook(&mut table, place);
        let finished = table.unknown();
        let webhook = webhook?;
        finished?;
        if names.insert(webhook.name.clone()) {
            return Ok(webhook);
        }
        let what = format!("another webhook is called `{}` too", webhook.name);
        Err(table.wrong("name", fault(what, "give every webhook a name of its own")))
    });
    let read = read?.unwrap_or_default();
    if read.len() > MOST {
        return Err(table.wrong("webhooks", fault("are too many", format!("{MOST} can be had"))));
    }
    Ok(read)
}

fn webhook(table: &mut Table<'_, '_>, place: &Place<'_>) -> Read<WebhookSettings> {
    let named = table.text("name", name);
    let name = table.required("name", named);
    let allow_private = table.flag("allow_private").map(|flag| flag.unwrap_or(false));
    let anywhere = allow_private == Ok(true);
    let url = table.text("url", |text| receiver(text, anywhere));
    let url = table.required("url", url);
    let first = secret_file(table, "secret_file", place);
    let first = table.required("secret_file", first);
    let second = secret_file(table, "secret_file_2", place);
    let events = events(table);
    let keys = match (first, second) {
        (Ok(first), Ok(second)) => keys(table, &first, second.as_deref()),
        (Err(recorded), _) | (_, Err(recorded)) => Err(recorded),
    };
    Ok(WebhookSettings { name: name?, url: url?, keys: keys?, events: events?, allow_private: allow_private? })
}

fn name(text: &str) -> Result<String, Fault> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if (1..=40).contains(&text.len()) && text.bytes().all(fits) {
        return Ok(text.to_owned());
    }
    Err(fault("is no webhook's name", "use lower-case letters, digits and hyphens, 40 at most"))
}

/// Never the value itself: some receivers have a secret in their address.
fn receiver(text: &str, anywhere: bool) -> Result<Url, Fault> {
    let url = Url::parse(text).ok().filter(|url| url.username().is_empty() && url.password().is_none());
    let Some(url) = url.filter(|url| url.fragment().is_none() && matches!(url.scheme(), "http" | "https")) else {
        return Err(fault("is no address of a webhook", "give an https URL without user, password and fragment"));
    };
    if anywhere {
        return Ok(url);
    }
    if url.scheme() == "http" {
        return Err(fault(
            "would be told in the clear",
            "use https, or set `allow_private = true` where it can't harm",
        ));
    }
    if url.host_str().is_some_and(parse::is_loopback) {
        return Err(fault("leads to this machine", "set `allow_private = true` if that is wanted"));
    }
    Ok(url)
}

fn keys(table: &mut Table<'_, '_>, first: &str, second: Option<&str>) -> Read<Vec<WebhookKey>> {
    let first = key(first).map_err(|fault| table.wrong("secret_file", fault));
    let second = second.map(|text| key(text).map_err(|fault| table.wrong("secret_file_2", fault))).transpose();
    let (first, second) = (first?, second?);
    if second.as_ref().is_some_and(|second| second.expose_secret() == first.expose_secret()) {
        let remedy = "give the new one there, or leave it out";
        return Err(table.wrong("secret_file_2", fault("holds the same secret as the first", remedy)));
    }
    Ok([Some(first), second].into_iter().flatten().collect())
}

fn key(text: &str) -> Result<WebhookKey, Fault> {
    let bytes = text.strip_prefix("whsec_").and_then(|rest| STANDARD.decode(rest).ok());
    match bytes.filter(|bytes| (24..=64).contains(&bytes.len())) {
        Some(bytes) => Ok(bytes.into()),
        None => {
            Err(fault("holds no secret of a webhook", "put `whsec_` and the base64 of 24 to 64 random bytes there"))
        }
    }
}
