//! One call of Okta's API: its limits, its signature, and what its answer means.

use reqwest::{Method, RequestBuilder, header::IF_MATCH};
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::{
    auth::SignIn,
    limits::{Bucket, Lane, Limits},
};
use crate::{
    adapters::directory::rest::{Answer, Rest},
    domain::ids::UserId,
    ports::directory::DirectoryError,
};

/// `errorCode` of what isn't there.
pub(super) const NOT_FOUND: &str = "E0000007";

/// What Okta said.
pub(super) enum Said {
    /// It is done; the answer holds what was asked for.
    Done(Answer),
    /// It isn't, for a reason that depends on what was asked.
    Refused(Refusal),
}

/// A refusal in Okta's own form.
pub(super) struct Refusal {
    pub(super) status: u16,
    /// `E` and seven digits; empty if it wasn't Okta that spoke.
    pub(super) code: String,
    request: String,
}

impl Refusal {
    /// True if it is Okta who says that there is no such thing. A 404 of anything else in between says nothing.
    pub(super) fn is_not_found(&self) -> bool {
        self.status == 404 && self.code == NOT_FOUND
    }

    /// As the error that it is if nothing better is known.
    pub(super) fn error(&self) -> DirectoryError {
        let what = format!("Okta answered {} {}{}", self.status, self.code, self.request);
        match self.status {
            400 | 401 | 403 if !self.code.is_empty() => DirectoryError::Rejected(what),
            401 | 403 => DirectoryError::Rejected(what),
            // Somebody in between may dislike what was asked for; that is no outage.
            400..=499 => DirectoryError::Garbled(what),
            _ => DirectoryError::Unavailable(what),
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Told {
    #[serde(default)]
    error_code: String,
}

/// A way to call, for one lane and one set of rights.
#[derive(Clone)]
pub(super) struct Api {
    pub(super) rest: Rest,
    pub(super) sign_in: SignIn,
    pub(super) limits: std::sync::Arc<Limits>,
    pub(super) lane: Lane,
}

impl Api {
    /// An address below `/api/v1`.
    pub(super) fn url(&self, segments: &[&str], query: &[(&str, &str)]) -> Result<Url, DirectoryError> {
        let whole: Vec<&str> = ["api", "v1"].iter().chain(segments).copied().collect();
        self.rest.url(&whole, query)
    }

    /// The address of a user, or of what belongs to him.
    pub(super) fn of_user(&self, user: &UserId, rest: &[&str]) -> Result<Url, DirectoryError> {
        let segments: Vec<&str> = ["users", user.as_str()].iter().chain(rest).copied().collect();
        self.url(&segments, &[])
    }

    /// Reads.
    pub(super) async fn get(&self, bucket: Bucket, url: Url) -> Result<Said, DirectoryError> {
        self.send(bucket, self.rest.request(Method::GET, url)).await
    }

    /// Changes, if what is there has still that ETag.
    pub(super) async fn write(
        &self,
        method: Method,
        url: Url,
        etag: Option<&str>,
        body: &Value,
    ) -> Result<Said, DirectoryError> {
        let mut request = self.rest.with_json(method, url, "application/json", body);
        if let Some(etag) = etag {
            request = request.header(IF_MATCH, etag);
        }
        self.send(Bucket::Change, request).await
    }

    async fn send(&self, bucket: Bucket, request: RequestBuilder) -> Result<Said, DirectoryError> {
        self.limits.admit(bucket, self.lane)?;
        let answer = self.sign_in.send(request).await?;
        self.limits.learn(bucket, &answer)?;
        if matches!(answer.status.as_u16(), 200 | 204) {
            return Ok(Said::Done(answer));
        }
        let refusal = refusal(&answer);
        tracing::debug!(status = refusal.status, code = refusal.code, "Okta refuses");
        match refusal.status {
            400 | 404 | 409 | 412 => Ok(Said::Refused(refusal)),
            _ => Err(refusal.error()),
        }
    }
}

/// Okta's sentences may quote a profile; its codes and the request's id are all that is passed on.
fn refusal(answer: &Answer) -> Refusal {
    let Told { error_code } = serde_json::from_slice(&answer.body).unwrap_or_default();
    let digits = error_code.strip_prefix('E').filter(|rest| rest.len() == 7);
    let is_code = digits.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()));
    let fits = |id: &&str| id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    let request = answer.header("x-okta-request-id").filter(fits);
    let request = request.map(|id| format!(" (request {id})")).unwrap_or_default();
    Refusal { status: answer.status.as_u16(), code: if is_code { error_code } else { String::new() }, request }
}

/// Something in an answer isn't as it should be.
pub(super) fn garbled(what: &str) -> DirectoryError {
    DirectoryError::Garbled(format!("Okta says {what}"))
}
