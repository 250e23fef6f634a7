//! The way to the hook: who calls, with what, and why nothing came back.

use std::{error::Error as _, fs, io, path::Path};

use http::{HeaderName, HeaderValue};
use jiff::{SignedDuration, Timestamp, Unit};
use reqwest::Client;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::time::Instant;

use super::answer::{Answer, Case};
use crate::{
    adapters::http_client::{self, CONNECT_TIMEOUT, TOTAL_TIMEOUT, read_bounded},
    config::Tenant,
    domain::ids::TenantName,
};

/// The longest answer that is read.
const MOST: usize = 256 * 1024;

/// Where the hook is, and what opens it.
pub(super) struct Door {
    http: Client,
    base: String,
    hook: String,
    header: HeaderName,
    /// `None`: only the provider can get what it shows.
    key: Option<HeaderValue>,
}

impl Door {
    /// The tenant's door below `base`.
    pub(super) fn new(
        http: Client,
        base: &str,
        name: &TenantName,
        tenant: &Tenant,
        token_file: Option<&Path>,
    ) -> Result<Self, String> {
        let base = base.trim_end_matches('/').to_owned();
        let url = url::Url::parse(&base).map_err(|error| format!("--url {base}: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") || url.query().is_some() {
            return Err(format!("--url {base}: give one such as https://behalf.example.com, without the hook's path"));
        }
        let scope = if name.as_str() == TenantName::DEFAULT { String::new() } else { format!("/t/{name}") };
        let hook = format!("{base}{scope}/hooks/okta");
        let (header, key) = match token_file {
            Some(file) => {
                let text =
                    fs::read_to_string(file).map_err(|error| format!("--token-file {}: {error}", file.display()))?;
                ("authorization", Some(SecretString::from(format!("Bearer {}", text.trim()))))
            }
            None => (tenant.hook.header.as_str(), tenant.hook.secrets.first().cloned()),
        };
        let header = HeaderName::try_from(header).map_err(|error| error.to_string())?;
        let key = key.map(|key| secret(&key)).transpose()?;
        Ok(Self { http, base, hook, header, key })
    }

    /// The hook's address.
    pub(super) fn hook(&self) -> &str {
        &self.hook
    }

    /// Delivers a hook. `None`: there is nothing to show at the door; an error says in one line why no answer came.
    pub(super) async fn deliver(&self, case: Case, body: String) -> Option<Result<Answer, String>> {
        let key = match case {
            Case::WrongSecret => HeaderValue::from_static("behalf-selftest-wrong-on-purpose"),
            Case::Plain | Case::UnknownId => self.key.clone()?,
        };
        let request = self.http.post(&self.hook).header(self.header.clone(), key);
        let request = request.header("content-type", "application/json").header("accept", "application/json");
        let started = Instant::now();
        let response = match request.body(body).send().await {
            Ok(response) => response,
            Err(error) => return Some(Err(self.why_not(&error))),
        };
        let text = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (kind, location, ours) = (text("content-type"), text("location"), text("x-request-id").is_some());
        let status = response.status().as_u16();
        let body = match read_bounded(response, MOST).await {
            Ok(body) => String::from_utf8_lossy(&body).into_owned(),
            Err(error) => return Some(Err(format!("{} answers {status}, but {error}", self.hook))),
        };
        Some(Ok(Answer { status, body, kind, location, ours, took: started.elapsed() }))
    }

    /// What the service tells of the provider's own calls.
    pub(super) async fn last_hook(&self, tenant: &TenantName, now: Timestamp) -> String {
        let health = match self.http.get(format!("{}/healthz", self.base)).send().await {
            Ok(answer) => read_bounded(answer, MOST).await.ok(),
            Err(_) => None,
        };
        let health = health.and_then(|body| serde_json::from_slice::<Health>(&body).ok());
        let calls = health.and_then(|health| health.hooks.into_iter().find(|calls| calls.tenant == tenant.as_str()));
        match calls {
            None => "when the provider called last isn't known: /healthz doesn't answer there".to_owned(),
            Some(Calls { last_hook: None, .. }) => {
                "the provider itself has not called the replica that was asked, since that started".to_owned()
            }
            Some(Calls { last_hook: Some(at), .. }) => {
                format!("the provider itself called last at {at}, {} ago", rounded(now.duration_since(at)))
            }
        }
    }

    fn why_not(&self, error: &reqwest::Error) -> String {
        let (hook, all) = (&self.hook, http_client::explain(error));
        let tls = self.hook.starts_with("https:");
        if all.contains("dns error") || all.contains("failed to lookup") {
            return format!("the name in {hook} can't be resolved");
        }
        if all.contains("invalid peer certificate") {
            return format!(
                "TLS: the certificate of {hook} isn't trusted here ({}); the provider takes none but publicly trusted \
                 ones, BEHALF_CA_FILE adds one for this command",
                after(&all, "invalid peer certificate: ")
            );
        }
        if io_error(error) == Some(io::ErrorKind::ConnectionRefused) {
            return format!("connection refused: nothing listens at {hook}");
        }
        if error.is_timeout() && error.is_connect() {
            let seconds = CONNECT_TIMEOUT.as_secs();
            return format!("no connection to {hook} within {seconds} s: something on the way drops it");
        }
        if error.is_timeout() {
            let seconds = TOTAL_TIMEOUT.as_secs();
            return format!("too slow: no answer from {hook} within {seconds} s");
        }
        if tls && (all.contains("InvalidContentType") || all.contains("corrupt message")) {
            return format!("TLS: what listens at {hook} speaks none; is it http://, or another port?");
        }
        if !tls && error.is_request() && io_error(error).is_none() {
            return format!("what listens at {hook} doesn't speak HTTP there; is it https://? ({all})");
        }
        format!("no answer from {hook}: {all}")
    }
}

fn secret(value: &SecretString) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::try_from(value.expose_secret()).map_err(|_| "the secret fits no header".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

/// The system's error at the bottom of it.
fn io_error(error: &reqwest::Error) -> Option<io::ErrorKind> {
    let mut next = error.source();
    let mut found = None;
    while let Some(cause) = next {
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            found = Some(io.kind());
        }
        next = cause.source();
    }
    found
}

fn after<'t>(text: &'t str, mark: &str) -> &'t str {
    text.split_once(mark).map_or(text, |(_, rest)| rest)
}

/// To the second; without the zeros of the rest.
fn rounded(span: SignedDuration) -> String {
    let span = span.max(SignedDuration::ZERO);
    span.round(Unit::Second).map_or_else(|_| format!("{} s", span.as_secs()), |span| format!("{span:#}"))
}

#[derive(Deserialize)]
struct Health {
    #[serde(default)]
    hooks: Vec<Calls>,
}

#[derive(Deserialize)]
struct Calls {
    tenant: String,
    last_hook: Option<Timestamp>,
}
