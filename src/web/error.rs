//! Errors of the API as problem documents. The private half of a failure goes to the log, here and only here.

use std::fmt;

use actix_web::{HttpResponse, ResponseError, http::StatusCode};

use super::problem::Problem;
use crate::{
    app::{caller::CallerError, error::AppError},
    domain::reason::Public,
    ports::token_verifier::VerifyError,
};

/// Every way in which an API request can fail.
#[derive(Debug)]
pub enum ApiError {
    /// A use case said no, or failed.
    App(AppError),
    /// A parameter, the body or a field of it is no good.
    Invalid {
        /// Which one.
        field: Option<String>,
        /// What is wrong with it.
        problem: String,
    },
    /// Larger than [`super::BODY_LIMIT`].
    TooLarge,
    /// Not JSON.
    MediaType,
    /// No bearer token, or a wrong one.
    NotAuthenticated,
    /// A token that is itself delegated.
    DelegatedToken,
    /// The token lacks the scope for changes.
    ScopeMissing(String),
    /// The issuer's keys can't be had.
    KeysUnavailable,
    /// No such route or tenant.
    NoSuchRoute,
    /// The route has other methods.
    Method(String),
    /// Too many requests; seconds to wait.
    RateLimited(u64),
}

impl From<AppError> for ApiError {
    fn from(error: AppError) -> Self {
        Self::App(error)
    }
}

impl From<CallerError> for ApiError {
    fn from(error: CallerError) -> Self {
        match error {
            CallerError::NoUser => Self::NotAuthenticated,
            CallerError::Delegated => Self::DelegatedToken,
        }
    }
}

impl From<VerifyError> for ApiError {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Invalid(why) => {
                tracing::debug!(%why, "a token was refused");
                Self::NotAuthenticated
            }
            VerifyError::Unavailable(why) => {
                tracing::warn!(%why, "a token could not be verified");
                Self::KeysUnavailable
            }
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail())
    }
}

impl ApiError {
    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::App(error) => app_status(error),
            Self::Invalid { .. } => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NotAuthenticated => StatusCode::UNAUTHORIZED,
            Self::DelegatedToken | Self::ScopeMissing(_) => StatusCode::FORBIDDEN,
            Self::KeysUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::NoSuchRoute => StatusCode::NOT_FOUND,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::RateLimited(_) => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::App(error) => app_code(error),
            Self::Invalid { .. } => "invalid-request",
            Self::TooLarge => "body-too-large",
            Self::MediaType => "unsupported-media-type",
            Self::NotAuthenticated => "invalid-token",
            Self::DelegatedToken => "delegated-token",
            Self::ScopeMissing(_) => "scope-missing",
            Self::KeysUnavailable => Public::TemporarilyUnavailable.code(),
            Self::NoSuchRoute => "not-found",
            Self::Method(_) => "method-not-allowed",
            Self::RateLimited(_) => "rate-limited",
        }
    }

    /// What went wrong and what to do, for people.
    pub fn detail(&self) -> String {
        match self {
            Self::App(error) => match error.public() {
                Some(public) => public.text().to_owned(),
                None => capitalised(&error.to_string()),
            },
            Self::Invalid { field: Some(field), problem } => format!("`{field}` {problem}."),
            Self::Invalid { field: None, problem } => capitalised(problem),
            Self::TooLarge => "The body is larger than 256 KiB.".to_owned(),
            Self::MediaType => "Send the body as application/json.".to_owned(),
            Self::NotAuthenticated => "Send a valid access token of this tenant's issuer as a bearer token.".to_owned(),
            Self::DelegatedToken => "A token that is itself delegated can't be used here. Use your own.".to_owned(),
            Self::ScopeMissing(scope) => format!("The access token needs the scope `{scope}`."),
            Self::KeysUnavailable => "The access token could not be verified. Try again in a moment.".to_owned(),
            Self::NoSuchRoute => "There is nothing at this path.".to_owned(),
            Self::Method(allowed) => format!("This path takes {allowed}."),
            Self::RateLimited(seconds) => format!("Too many requests. Try again in {seconds} s."),
        }
    }

    fn field(&self) -> Option<String> {
        match self {
            Self::Invalid { field, .. } => field.clone(),
            Self::App(AppError::Invalid { field, .. }) => Some((*field).to_owned()),
            _ => None,
        }
    }

    /// Seconds after which another try makes sense.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::RateLimited(seconds) => Some(*seconds),
            Self::App(AppError::TooManyPending { retry_after, .. }) => Some(*retry_after),
            Self::KeysUnavailable | Self::App(AppError::Failed { .. }) => Some(1),
            _ => None,
        }
    }

    /// Logs what the caller isn't told.
    pub fn log(&self) {
        if let Self::App(AppError::Failed { reason, internal }) = self {
            tracing::warn!(reason = reason.code(), %internal, "a request failed");
        }
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status()
    }

    fn error_response(&self) -> HttpResponse {
        self.log();
        let mut problem = Problem::new(self.status(), self.code(), self.detail());
        problem.field = self.field();
        let mut answer = problem.respond(self.retry_after());
        if let Self::Method(allowed) = self
            && let Ok(value) = actix_web::http::header::HeaderValue::from_str(allowed)
        {
            answer.headers_mut().insert(actix_web::http::header::ALLOW, value);
        }
        answer
    }
}

fn app_status(error: &AppError) -> StatusCode {
    match error {
        AppError::Refused(reason) => public_status(reason.public()),
        AppError::Failed { .. } => StatusCode::SERVICE_UNAVAILABLE,
        AppError::Invalid { .. } => StatusCode::BAD_REQUEST,
        AppError::NotFound(_) => StatusCode::NOT_FOUND,
        AppError::TooManyPending { .. } => StatusCode::TOO_MANY_REQUESTS,
        AppError::AdministratorOnly | AppError::CannotDelegate => StatusCode::FORBIDDEN,
        AppError::NotPending(_) => StatusCode::CONFLICT,
    }
}

fn public_status(public: Public) -> StatusCode {
    match public {
        Public::NotDelegated | Public::ScopeNotAllowed => StatusCode::FORBIDDEN,
        Public::Locked => StatusCode::LOCKED,
        Public::DelegationNotUsable | Public::StageMissing | Public::LifetimeTooShort => StatusCode::CONFLICT,
        Public::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn app_code(error: &AppError) -> &'static str {
    match error {
        AppError::Refused(reason) | AppError::Failed { reason, .. } => reason.public().code(),
        AppError::Invalid { .. } => "invalid-request",
        AppError::NotFound(_) => "not-found",
        AppError::TooManyPending { .. } => "too-many-pending",
        AppError::AdministratorOnly => "administrator-only",
        AppError::CannotDelegate => "cannot-delegate",
        AppError::NotPending(_) => "not-pending",
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", chars.as_str().trim_end_matches('.'))
}
