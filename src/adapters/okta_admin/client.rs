//! Calls of the management API, one at a time.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use reqwest::{Method, StatusCode, header::HeaderMap};
use serde::de::DeserializeOwned;
use serde_json::Value;

use self::error::checked;
pub use self::error::{CallError, Said};
use super::change::Call;
use crate::{
    adapters::directory::{
        okta::auth::SignIn,
        rest::{Answer, Rest},
    },
    ports::{clock::Clock, directory::DirectoryError},
};

mod error;
#[cfg(test)]
mod tests;

/// What the calls need of a service app. An API token has what its owner has.
pub const SCOPES: &[&str] = &[
    "okta.userTypes.read",
    "okta.userTypes.manage",
    "okta.schemas.read",
    "okta.schemas.manage",
    "okta.inlineHooks.read",
    "okta.inlineHooks.manage",
    "okta.authorizationServers.read",
    "okta.authorizationServers.manage",
];
/// How long a call may take: changes of types and schemas take seconds.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest that is waited for leave to go on.
const LONGEST_WAIT: Duration = Duration::from_secs(90);
/// How often one call waits for it.
const MOST_WAITS: usize = 3;
/// Waited where Okta doesn't say until when.
const UNTOLD_WAIT: Duration = Duration::from_secs(30);
/// The most pages of a list.
const MOST_PAGES: usize = 25;

/// Told about what takes time.
pub type Tell = Arc<dyn Fn(&str) + Send + Sync>;

/// The management API of one organisation.
pub struct Client {
    rest: Rest,
    sign_in: SignIn,
    clock: Arc<dyn Clock>,
    tell: Tell,
}

impl Client {
    /// The organisation is `rest`'s base address.
    pub fn new(rest: Rest, sign_in: SignIn, clock: Arc<dyn Clock>, tell: Tell) -> Self {
        Self { rest, sign_in, clock, tell }
    }

    /// Reads one thing.
    pub async fn get<T: DeserializeOwned>(&self, path: &[&str]) -> Result<T, CallError> {
        understood(&self.send(&Method::GET, path, &[], None).await?)
    }

    /// Reads a list to its end.
    pub async fn list<T: DeserializeOwned>(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Vec<T>, CallError> {
        let mut all = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let mut asked = query.to_vec();
            asked.extend(after.as_deref().map(|cursor| ("after", cursor)));
            let answer = self.send(&Method::GET, path, &asked, None).await?;
            all.extend(understood::<Vec<T>>(&answer)?);
            after = next_page(&answer.headers);
            if after.is_none() {
                return Ok(all);
            }
        }
        Err(CallError::Unavailable(format!("{} has more than {MOST_PAGES} pages", path.join("/"))))
    }

    /// Makes a change, and gives what Okta answers: `null` where that is nothing.
    pub async fn change(&self, call: &Call) -> Result<Value, CallError> {
        let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
        let sent = self.send(&call.method, &path, &[], call.body.as_ref()).await;
        let secret = call.body.as_ref().and_then(|body| body.pointer("/channel/config/authScheme/value")?.as_str());
        let answer = sent.map_err(|error| error.without(secret.unwrap_or_default()))?;
        if answer.body.is_empty() { Ok(Value::Null) } else { understood(&answer) }
    }

    async fn send(
        &self,
        method: &Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, CallError> {
        let mut waits = 0;
        loop {
            let url = self.rest.url(path, query).map_err(|error| self.failed(error))?;
            let request = match body {
                Some(body) => self.rest.with_json(method.clone(), url, "application/json", body),
                None => self.rest.request(method.clone(), url),
            };
            let answer = self.sign_in.send(request.timeout(PATIENCE)).await.map_err(|error| self.failed(error))?;
            if answer.status != StatusCode::TOO_MANY_REQUESTS {
                return checked(answer, path);
            }
            // It wasn't done, so it can be asked for again.
            let wait = wait(&answer, self.clock.now());
            if waits == MOST_WAITS || wait > LONGEST_WAIT {
                return Err(CallError::Throttled(wait));
            }
            waits += 1;
            (self.tell)(&format!("Okta limits our rate: waiting {} s", wait.as_secs()));
            tokio::time::sleep(wait).await;
        }
    }

    fn failed(&self, error: DirectoryError) -> CallError {
        match error {
            DirectoryError::Unavailable(why) | DirectoryError::Garbled(why) => CallError::Unavailable(why),
            DirectoryError::Rejected(why) => CallError::SignIn(why),
            DirectoryError::Throttled { until } => {
                let wait = until.map(|until| until.duration_since(self.clock.now()));
                CallError::Throttled(wait.and_then(|wait| wait.try_into().ok()).unwrap_or(UNTOLD_WAIT))
            }
        }
    }
}

fn understood<T: DeserializeOwned>(answer: &Answer) -> Result<T, CallError> {
    answer.json().map_err(|error| CallError::Unavailable(error.to_string()))
}

/// The cursor of the next page. The address is never followed: it could be another host's.
fn next_page(headers: &HeaderMap) -> Option<String> {
    let links = headers.get_all("link").into_iter().filter_map(|value| value.to_str().ok());
    let mut links = links.flat_map(|value| value.split(','));
    let next = links.find(|link| link.contains("rel=\"next\""))?;
    let address = next.trim().strip_prefix('<')?.split('>').next()?;
    let address = url::Url::parse(address).ok()?;
    address.query_pairs().find(|(name, _)| name == "after").map(|(_, value)| value.into_owned())
}

/// How long Okta asks us to wait: by its own clock, and one second longer.
fn wait(answer: &Answer, now: Timestamp) -> Duration {
    let reset = answer.header("x-rate-limit-reset").and_then(|text| text.parse::<i64>().ok());
    let date = answer.header("date").and_then(|text| jiff::fmt::rfc2822::parse(text).ok());
    let now = date.map_or(now, |date| date.timestamp()).as_second();
    let seconds = reset.map(|reset| reset.saturating_sub(now).saturating_add(1).max(1));
    seconds.and_then(|seconds| u64::try_from(seconds).ok()).map_or(UNTOLD_WAIT, Duration::from_secs)
}
