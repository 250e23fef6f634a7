//! Calls to a SCIM service, and what its answers mean (RFC 7644, 3.12).

use std::sync::{Arc, Mutex, PoisonError};

use reqwest::{
    Method, RequestBuilder, StatusCode,
    header::{ACCEPT, AUTHORIZATION, HeaderValue, IF_MATCH},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::Value;

use super::quiet::{Quiet, retry_after};
use crate::{
    adapters::directory::rest::{Answer, Rest},
    ports::{clock::Clock, directory::DirectoryError},
};

/// The media type of RFC 7644, 3.1.
const MEDIA: &str = "application/scim+json";
/// Some servers have never heard of it.
const ACCEPTED: &str = "application/scim+json, application/json;q=0.9";
const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// `scimType`s of RFC 7644, table 9. Others, which may hold anything, aren't repeated.
const KINDS: &[&str] = &[
    "invalidFilter",
    "tooMany",
    "uniqueness",
    "mutability",
    "invalidSyntax",
    "invalidPath",
    "noTarget",
    "invalidValue",
    "invalidVers",
    "sensitive",
];

/// One SCIM service.
pub(super) struct Service {
    rest: Rest,
    authorization: HeaderValue,
    clock: Arc<dyn Clock>,
    quiet: Mutex<Quiet>,
}

/// An answer that is about what was asked, not about us or about the server's state.
pub(super) enum Reply {
    /// It is as asked.
    Done(Answer),
    /// It is not, and a SCIM service says so.
    Refused(Refusal),
}

/// A no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// Its `scimType`, if it is one of the RFC's.
    pub(super) kind: Option<&'static str>,
}

impl Refusal {
    /// What to do about a refusal that no rule foresees.
    pub(super) fn rejected(self, what: &str) -> DirectoryError {
        let Self { status, kind } = self;
        let kind = kind.map(|kind| format!(", {kind}")).unwrap_or_default();
        DirectoryError::Rejected(format!("{what} ({status}{kind})"))
    }
}

impl Service {
    /// Asks nobody yet. `None`: the token can't be sent in a header.
    pub(super) fn new(rest: Rest, token: &SecretString, clock: Arc<dyn Clock>) -> Option<Self> {
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret())).ok()?;
        authorization.set_sensitive(true);
        Some(Self { rest, authorization, clock, quiet: Mutex::default() })
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Reads; a `Done` has status 200.
    pub(super) async fn get(&self, segments: &[&str], query: &[(&str, &str)]) -> Result<Reply, DirectoryError> {
        let url = self.rest.url(segments, query)?;
        match self.send(self.rest.request(Method::GET, url)).await? {
            Reply::Done(answer) if answer.status != StatusCode::OK => Err(unexpected(answer.status)),
            reply => Ok(reply),
        }
    }

    /// Writes.
    pub(super) async fn write(
        &self,
        method: Method,
        segments: &[&str],
        version: Option<&str>,
        body: &Value,
    ) -> Result<Reply, DirectoryError> {
        let mut request = self.rest.with_json(method, self.rest.url(segments, &[])?, MEDIA, body);
        if let Some(version) = version {
            request = request.header(IF_MATCH, version);
        }
        self.send(request).await
    }

    async fn send(&self, request: RequestBuilder) -> Result<Reply, DirectoryError> {
        self.quiet().check(self.clock())?;
        let request = request.header(AUTHORIZATION, self.authorization.clone()).header(ACCEPT, ACCEPTED);
        self.judge(self.rest.send(request).await?)
    }

    fn judge(&self, answer: Answer) -> Result<Reply, DirectoryError> {
        let status = answer.status;
        match status.as_u16() {
            200..=299 => Ok(Reply::Done(answer)),
            300..=399 => Err(DirectoryError::Garbled(format!("it answers {status}, and is not followed elsewhere"))),
            401 => Err(DirectoryError::Rejected(format!("it does not accept the token ({status})"))),
            403 => Err(DirectoryError::Rejected(format!("the token may not do this ({status})"))),
            // Who takes `If-Match` apart may be a cache that knows nothing of SCIM.
            412 => Ok(Reply::Refused(Refusal { status, kind: None })),
            429 => Err(self.throttled(&answer)),
            400..=499 | 501 => match refusal(&answer) {
                Some(refusal) => Ok(Reply::Refused(refusal)),
                None => Err(DirectoryError::Garbled(format!("it answers {status} without a SCIM error"))),
            },
            _ => Err(unexpected(status)),
        }
    }

    fn throttled(&self, answer: &Answer) -> DirectoryError {
        let wait = retry_after(answer.header("retry-after"), answer.header("date"), self.clock().now());
        let until = wait.map(|wait| self.quiet().keep(wait, self.clock()));
        DirectoryError::Throttled { until }
    }

    fn quiet(&self) -> std::sync::MutexGuard<'_, Quiet> {
        self.quiet.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unexpected(status: StatusCode) -> DirectoryError {
    DirectoryError::Unavailable(format!("it answers {status}"))
}

/// The body as a SCIM error of this status; `None`: somebody else's words.
fn refusal(answer: &Answer) -> Option<Refusal> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Body {
        schemas: Vec<String>,
        status: Option<Value>,
        scim_type: Option<String>,
    }
    let body: Body = serde_json::from_slice(&answer.body).ok()?;
    let code = answer.status.as_u16();
    // A text by the RFC, a number by many.
    let same = |status: &Value| status.as_u64() == Some(code.into()) || status.as_str() == Some(answer.status.as_str());
    if !body.schemas.iter().any(|schema| schema == ERROR) || !body.status.as_ref().is_none_or(same) {
        return None;
    }
    let kind = body.scim_type.and_then(|kind| KINDS.iter().find(|known| **known == kind).copied());
    Some(Refusal { status: answer.status, kind })
}
