//! Problem documents (RFC 9457).

pub mod codes;

use actix_web::{HttpResponse, HttpResponseBuilder, http::StatusCode};
use jiff::Timestamp;
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

/// What went wrong, for programs (`code`) and people (`detail`).
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "type": "urn:behalf:problem:not-delegated",
    "title": "Forbidden",
    "status": 403,
    "code": "not-delegated",
    "detail": "You may not act on behalf of this user."
}))]
pub struct Problem {
    /// `urn:behalf:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// Stable, for programs. Those of today are in `x-extensible-enum`; new ones may come.
    pub code: String,
    /// For people: what went wrong and what to do.
    pub detail: String,
    /// The field or parameter that is no good.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub field: Option<String>,
    /// The state that the thing has, where that is why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>)]
    pub state: Option<&'static str>,
    /// With `reserved`: the first instant at which the account is free, unless it is before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// With `reserved`, where the account shows it: the login of who holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub holder: Option<String>,
}

impl Problem {
    /// A problem with a stable code.
    pub fn new(status: StatusCode, code: &str, detail: String) -> Self {
        Self {
            kind: format!("urn:behalf:problem:{code}"),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            code: code.to_owned(),
            detail,
            field: None,
            state: None,
            until: None,
            holder: None,
        }
    }

    /// The HTTP answer, with `Retry-After` where waiting helps.
    pub fn respond(&self, retry_after: Option<u64>) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_string(self).unwrap_or_default();
        answer_to(status, retry_after).content_type("application/problem+json").body(body)
    }
}

/// An answer with what HTTP demands beside its body: how to authenticate (RFC 9110, 15.5.2), when to come again.
pub fn answer_to(status: StatusCode, retry_after: Option<u64>) -> HttpResponseBuilder {
    let mut answer = HttpResponse::build(status);
    if let Some(seconds) = retry_after {
        answer.insert_header(("Retry-After", seconds.to_string()));
    }
    if status == StatusCode::UNAUTHORIZED {
        answer.insert_header(("WWW-Authenticate", "Bearer"));
    }
    answer
}

/// The problems that every route for users can answer with. A route that has more of a kind says so after these.
#[derive(IntoResponses)]
pub enum CallerProblems {
    /// `invalid-request`: a parameter, the body or a field of it is no good; `field` names it.
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(Problem),
    /// `invalid-token`: no bearer token, or one that isn't valid here.
    #[response(status = 401, headers(("www-authenticate" = String, description = "How to authenticate.")),
               content_type = "application/problem+json")]
    NotAuthenticated(Problem),
    /// `delegated-token`: the token is itself delegated. Where something is changed, `scope-missing`: it lacks the scope
    /// for that.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(Problem),
    /// `not-found`: no such tenant, or no such thing that is yours.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(Problem),
    /// `rate-limited`: too many requests of this user.
    #[response(status = 429, headers(("retry-after" = u64, description = "Seconds to wait.")),
               content_type = "application/problem+json")]
    TooMany(Problem),
    /// `temporarily-unavailable`: store, directory or issuer could not be asked. Nothing was changed, or it is safe
    /// to repeat.
    #[response(status = 503, headers(("retry-after" = u64, description = "Seconds to wait.")),
               content_type = "application/problem+json")]
    Unavailable(Problem),
}

/// What a route for administrators says to others.
#[derive(IntoResponses)]
pub enum AdministratorProblems {
    /// `administrator-only`: this takes the administrator's role. `delegated-token`: the token is itself delegated. Where
    /// something is changed, `scope-missing`: it lacks the scope for that.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(Problem),
}

/// What a route says to whoever signed in too long ago.
#[derive(IntoResponses)]
pub enum SignInProblems {
    /// `invalid-token`: no bearer token, or one that isn't valid here. `insufficient-user-authentication`: sign in again
    /// (RFC 9470).
    #[response(status = 401, headers(("www-authenticate" = String, description = "How to authenticate.")),
               content_type = "application/problem+json")]
    NotFresh(Problem),
}

/// The problems that routes for applications alone can answer with, besides those of their tokens.
#[derive(IntoResponses)]
pub enum ApplicationProblems {
    /// `invalid-request`: a parameter, the body or a field of it is no good; `field` names it.
    #[response(status = 400, content_type = "application/problem+json")]
    Invalid(Problem),
    /// `right-missing`: the application is registered without the right that this takes.
    #[response(status = 403, content_type = "application/problem+json")]
    Forbidden(Problem),
    /// `not-found`: no such tenant.
    #[response(status = 404, content_type = "application/problem+json")]
    NotFound(Problem),
    /// `rate-limited`: too many requests of this application.
    #[response(status = 429, headers(("retry-after" = u64, description = "Seconds to wait.")),
               content_type = "application/problem+json")]
    TooMany(Problem),
    /// `temporarily-unavailable`: store or directory could not be asked. The token is used up all the same.
    #[response(status = 503, headers(("retry-after" = u64, description = "Seconds to wait.")),
               content_type = "application/problem+json")]
    Unavailable(Problem),
}

/// The problems of routes that take a body.
#[derive(IntoResponses)]
pub enum BodyProblems {
    /// `body-too-large`: more than 256 KiB.
    #[response(status = 413, content_type = "application/problem+json")]
    TooLarge(Problem),
    /// `unsupported-media-type`: the body must be `application/json`.
    #[response(status = 415, content_type = "application/problem+json")]
    MediaType(Problem),
}
