//! The routes of Okta Managed Access, in its shapes, without its defects.

pub mod agent;
pub mod delegator;

use std::fmt;

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use serde::Serialize;
use utoipa::{IntoResponses, ToSchema};

use super::{error::ApiError, problem::answer_to};
use crate::app::error::AppError;

/// An error in the old form: a status and a sentence.
#[derive(Debug)]
pub struct CompatError {
    status: StatusCode,
    text: String,
    retry_after: Option<u64>,
    challenge: Option<&'static str>,
}

/// What went wrong, in a sentence.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"error": "User is not delegated by that delegator."}))]
pub struct CompatErrorBody {
    /// The sentence.
    error: String,
}

/// The errors of the compatibility routes.
#[derive(IntoResponses)]
pub enum CompatProblems {
    /// A field is missing or no good.
    #[response(status = 400)]
    Invalid(CompatErrorBody),
    /// No token, a bad token, or (beginning a delegation) any refusal.
    #[response(status = 401, headers(("www-authenticate" = String, description = "How to authenticate.")))]
    NotAuthenticated(CompatErrorBody),
    /// The token lacks the scope for changes, or is itself delegated.
    #[response(status = 403)]
    Forbidden(CompatErrorBody),
    /// No such user, or no such tenant.
    #[response(status = 404)]
    NotFound(CompatErrorBody),
    /// The body is larger than 256 KiB.
    #[response(status = 413)]
    TooLarge(CompatErrorBody),
    /// Too many requests.
    #[response(status = 429, headers(("retry-after" = u64, description = "Seconds to wait.")))]
    TooMany(CompatErrorBody),
    /// Store, directory or issuer could not be asked.
    #[response(status = 503, headers(("retry-after" = u64, description = "Seconds to wait.")))]
    Unavailable(CompatErrorBody),
}

impl CompatError {
    /// A sentence with its status.
    pub fn new(status: StatusCode, text: &str) -> Self {
        Self { status, text: text.to_owned(), retry_after: None, challenge: None }
    }
}

impl From<ApiError> for CompatError {
    fn from(error: ApiError) -> Self {
        error.log();
        Self {
            status: error.status(),
            text: error.detail(),
            retry_after: error.retry_after(),
            challenge: error.challenge(),
        }
    }
}

impl From<AppError> for CompatError {
    fn from(error: AppError) -> Self {
        ApiError::from(error).into()
    }
}

impl fmt::Display for CompatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl ResponseError for CompatError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut answer = answer_to(self.status, self.retry_after);
        if let Some(challenge) = self.challenge {
            answer.insert_header(("WWW-Authenticate", challenge));
        }
        answer.json(CompatErrorBody { error: self.text.clone() })
    }
}
