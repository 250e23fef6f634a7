//! Errors of the API as problem documents. The private half of a failure goes to the log, here and only here.

use std::fmt;

use actix_web::{
    HttpResponse, ResponseError,
    http::{
        StatusCode,
        header::{ALLOW, HeaderValue, WWW_AUTHENTICATE},
    },
};

use super::problem::Problem;
use crate::{
    app::{
        approvals::{Refused, refused::Sort},
        caller::CallerError,
        error::AppError,
        keys::KeyRefused,
        otp::OtpError,
    },
    domain::{application::Right, approval::signature::Fault, idempotency::Repeated, ids::TenantName, reason::Public},
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
    /// No bearer token.
    NotAuthenticated,
    /// A bearer token that isn't good here. Callers are told the same as those without one, but for the challenge.
    InvalidToken,
    /// A token that is itself delegated.
    DelegatedToken,
    /// The token lacks the scope for changes.
    ScopeMissing(String),
    /// The application's registration doesn't allow this.
    RightMissing(Right),
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

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail())
    }
}

impl ApiError {
    /// The answer to a token that names nobody or may not be used; why goes to the log, with the tenant.
    pub fn of_caller(error: &CallerError, tenant: &TenantName) -> Self {
        match error {
            CallerError::NoUser => {
                let why = "it names no user in the claim that the tenant uses";
                tracing::info!(%tenant, why, "an access token was refused");
                Self::InvalidToken
            }
            CallerError::Delegated => Self::DelegatedToken,
        }
    }

    /// The answer to a token that was not verified; why goes to the log, with the tenant.
    pub fn of_token(error: VerifyError, tenant: &TenantName) -> Self {
        match error {
            VerifyError::Invalid(why) => {
                tracing::info!(%tenant, %why, "an access token was refused");
                Self::InvalidToken
            }
            VerifyError::Unavailable(why) => {
                tracing::warn!(%tenant, %why, "an access token could not be verified");
                Self::KeysUnavailable
            }
        }
    }

    /// How to authenticate (RFC 6750, 3.1: an error is named only where a token was sent).
    pub fn challenge(&self) -> Option<&'static str> {
        match self {
            Self::NotAuthenticated => Some("Bearer"),
            Self::InvalidToken => Some(r#"Bearer error="invalid_token""#),
            // RFC 9470, 3.
            Self::App(AppError::Signature(Fault::NotFresh)) => {
                Some(r#"Bearer error="insufficient_user_authentication", max_age=300"#)
            }
            _ => None,
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::App(error) => app_status(error),
            Self::Invalid { .. } => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NotAuthenticated | Self::InvalidToken => StatusCode::UNAUTHORIZED,
            Self::DelegatedToken | Self::ScopeMissing(_) | Self::RightMissing(_) => StatusCode::FORBIDDEN,
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
            Self::NotAuthenticated | Self::InvalidToken => "invalid-token",
            Self::DelegatedToken => "delegated-token",
            Self::ScopeMissing(_) => "scope-missing",
            Self::RightMissing(_) => "right-missing",
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
            Self::NotAuthenticated | Self::InvalidToken => {
                "Send a valid access token of this tenant's issuer as a bearer token.".to_owned()
            }
            Self::DelegatedToken => "A token that is itself delegated can't be used here. Use your own.".to_owned(),
            Self::ScopeMissing(scope) => format!("The access token needs the scope `{scope}`."),
            Self::RightMissing(right) => {
                format!("This application is registered without the right `{}`.", right.code())
            }
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
            Self::App(AppError::NoSuchHold { .. }) => Some("minutes".to_owned()),
            _ => None,
        }
    }

    fn state(&self) -> Option<&'static str> {
        match self {
            Self::App(AppError::Approval(refused)) => refused.state(),
            Self::App(
                AppError::NotPending(state)
                | AppError::NotHeld(state)
                | AppError::NotGivenUp(state)
                | AppError::Key(KeyRefused::Closed(state)),
            ) => Some(state),
            _ => None,
        }
    }

    /// Seconds after which another try makes sense.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::RateLimited(seconds) => Some(*seconds),
            Self::App(AppError::Approval(refused)) => refused.retry_after(),
            Self::App(
                AppError::TooManyPending { retry_after, .. }
                | AppError::TooManyHeld { retry_after, .. }
                | AppError::Reserved { retry_after, .. },
            ) => Some(*retry_after),
            Self::KeysUnavailable | Self::App(AppError::Failed { .. } | AppError::Repeated(Repeated::InProgress)) => {
                Some(1)
            }
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
        problem.state = self.state();
        if let Self::App(AppError::Reserved { until, holder, .. }) = self {
            problem.until = Some(*until);
            problem.holder = holder.as_ref().map(ToString::to_string);
        }
        let mut answer = problem.respond(self.retry_after());
        if let Some(challenge) = self.challenge() {
            answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Self::Method(allowed) = self
            && let Ok(value) = HeaderValue::from_str(allowed)
        {
            answer.headers_mut().insert(ALLOW, value);
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
        AppError::Otp(OtpError::WrongCode) => StatusCode::FORBIDDEN,
        AppError::TooManyPending { .. } | AppError::TooManyHeld { .. } => StatusCode::TOO_MANY_REQUESTS,
        AppError::AdministratorOnly | AppError::CannotDelegate | AppError::Key(KeyRefused::Inactive) => {
            StatusCode::FORBIDDEN
        }
        AppError::Repeated(Repeated::InProgress)
        | AppError::NotPending(_)
        | AppError::NotGivenUp(_)
        | AppError::NotHeld(_)
        | AppError::Reserved { .. }
        | AppError::Key(_)
        | AppError::Otp(OtpError::NotSetUp | OtpError::NothingPending) => StatusCode::CONFLICT,
        AppError::Approval(refused) => refused_status(*refused),
        AppError::Signature(Fault::NotFresh) | AppError::Otp(OtpError::Refused) => StatusCode::UNAUTHORIZED,
        AppError::Repeated(Repeated::KeyReused) | AppError::NoSuchHold { .. } | AppError::Signature(_) => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
    }
}

fn refused_status(refused: Refused) -> StatusCode {
    match refused.sort() {
        Sort::Incomplete => StatusCode::UNPROCESSABLE_ENTITY,
        Sort::Forbidden => StatusCode::FORBIDDEN,
        Sort::Conflict => StatusCode::CONFLICT,
        Sort::TooMany => StatusCode::TOO_MANY_REQUESTS,
    }
}

fn public_status(public: Public) -> StatusCode {
    match public {
        Public::NotDelegated | Public::ScopeNotAllowed | Public::NotAMember => StatusCode::FORBIDDEN,
        Public::Locked => StatusCode::LOCKED,
        Public::DelegationNotUsable
        | Public::StageMissing
        | Public::LifetimeTooShort
        | Public::ApprovalRequired
        | Public::ReservationRequired
        | Public::Reserved
        | Public::AccountNotActive => StatusCode::CONFLICT,
        Public::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn app_code(error: &AppError) -> &'static str {
    match error {
        AppError::Refused(reason) | AppError::Failed { reason, .. } => reason.public().code(),
        AppError::Invalid { .. } => "invalid-request",
        AppError::NotFound(_) => "not-found",
        AppError::Otp(OtpError::Refused) => "otp-refused",
        AppError::Otp(OtpError::WrongCode) => "otp-wrong-code",
        AppError::Otp(OtpError::NotSetUp) => "otp-not-set-up",
        AppError::Otp(OtpError::NothingPending) => "otp-nothing-pending",
        AppError::TooManyPending { .. } => "too-many-pending",
        AppError::AdministratorOnly => "administrator-only",
        AppError::CannotDelegate => "cannot-delegate",
        AppError::NotPending(_) => "not-pending",
        AppError::Repeated(Repeated::InProgress) => "idempotency-in-progress",
        AppError::Repeated(Repeated::KeyReused) => "idempotency-key-reused",
        AppError::Approval(refused) => refused.code(),
        AppError::NotHeld(_) => "not-held",
        AppError::Reserved { .. } => Public::Reserved.code(),
        AppError::TooManyHeld { .. } => "too-many-held",
        AppError::NoSuchHold { .. } => "invalid-hold",
        AppError::Signature(fault) => fault.public_code(),
        AppError::Key(refused) => refused.code(),
        AppError::NotGivenUp(_) => "not-given-up",
    }
}

fn capitalised(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", chars.as_str().trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn why_a_token_was_refused_is_logged_with_the_tenant() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let writer = Mutex::new(file.reopen().unwrap());
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(writer).finish();
        let tenant = TenantName::parse("acme").unwrap();
        tracing::subscriber::with_default(subscriber, || {
            ApiError::of_token(VerifyError::Invalid("it has expired".to_owned()), &tenant);
            ApiError::of_caller(&CallerError::NoUser, &tenant);
        });
        let said = std::fs::read_to_string(file.path()).unwrap();
        let lines: Vec<_> = said.lines().collect();
        assert_eq!(lines.len(), 2, "{said}");
        assert!(lines.iter().all(|line| line.contains("INFO") && line.contains("acme")), "{said}");
        assert!(lines[0].contains("it has expired") && lines[1].contains("names no user"), "{said}");
    }
}
