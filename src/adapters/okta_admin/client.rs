//! Calls of the management API, one at a time.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use self::error::checked;
pub use self::error::{CallError, Said};
use super::change::Call;
use crate::{
    adapters::directory::{
        okta::{
            auth::SignIn,
            limits,
            links::{self, Next},
        },
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
        understood(&checked(self.send(&Method::GET, &self.url(path, &[])?, None).await?, path)?)
    }

    /// Reads a list to its end.
    pub async fn list<T: DeserializeOwned>(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Vec<T>, CallError> {
        let mut all = Vec::new();
        let mut here = self.url(path, query)?;
        for _ in 0..MOST_PAGES {
            let answer = checked(self.send(&Method::GET, &here, None).await?, path)?;
            all.extend(understood::<Vec<T>>(&answer)?);
            match links::next(&answer.headers, &here) {
                Next::End => return Ok(all),
                Next::At(next) => here = next,
                Next::Elsewhere => {
                    let why = format!("the next page of {} is somewhere else", path.join("/"));
                    return Err(CallError::Unavailable(why));
                }
            }
        }
        Err(CallError::Unavailable(format!("{} has more than {MOST_PAGES} pages", path.join("/"))))
    }

    /// Makes a change, and gives what Okta answers: `null` where that is nothing.
    pub async fn change(&self, call: &Call) -> Result<Value, CallError> {
        let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
        let sent = self.send(&call.method, &self.url(&path, &[])?, call.body.as_ref()).await;
        let sent = sent.and_then(|answer| checked(answer, &path));
        let secret = call.body.as_ref().and_then(|body| body.pointer("/channel/config/authScheme/value")?.as_str());
        let answer = sent.map_err(|error| error.without(secret.unwrap_or_default()))?;
        if answer.body.is_empty() { Ok(Value::Null) } else { understood(&answer) }
    }

    fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Url, CallError> {
        self.rest.url(path, query).map_err(|error| self.failed(error))
    }

    /// The answer, whatever it is, once it isn't that our rate is limited.
    async fn send(&self, method: &Method, url: &Url, body: Option<&Value>) -> Result<Answer, CallError> {
        let mut waits = 0;
        loop {
            let request = match body {
                Some(body) => self.rest.with_json(method.clone(), url.clone(), "application/json", body),
                None => self.rest.request(method.clone(), url.clone()),
            };
            let answer = self.sign_in.send(request.timeout(PATIENCE)).await.map_err(|error| self.failed(error))?;
            if answer.status != StatusCode::TOO_MANY_REQUESTS {
                return Ok(answer);
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
            DirectoryError::NoSuchUser => CallError::SignIn(error.to_string()),
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

/// How long Okta asks us to wait, and one second longer.
fn wait(answer: &Answer, now: Timestamp) -> Duration {
    limits::left(answer, now).map_or(UNTOLD_WAIT, |left| left + Duration::from_secs(1))
}
