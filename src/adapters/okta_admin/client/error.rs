//! What Okta's answers mean where they aren't a success.

use std::{fmt, time::Duration};

use reqwest::StatusCode;
use serde::Deserialize;

use super::SCOPES;
use crate::{adapters::directory::rest::Answer, domain::ids::is_deceptive};

/// The most characters of what Okta says that are passed on.
pub(super) const MOST_CHARS: usize = 400;

/// Why a call came to nothing. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Wrong credentials.
    #[error(
        "Okta doesn't accept the credentials ({0}): check the token, and that its owner is an active administrator"
    )]
    Unauthorized(Said),
    /// The credentials don't reach that far.
    #[error("the credentials may not do this ({said}): they need {scope} and an administrator's role that allows it")]
    Forbidden {
        /// What Okta says.
        said: Said,
        /// The scope that such calls need.
        scope: &'static str,
    },
    /// Not there.
    #[error("Okta has none ({0})")]
    NotFound(Said),
    /// Okta won't do it.
    #[error("Okta refuses ({0})")]
    Refused(Said),
    /// It asks for more patience than there is.
    #[error("Okta asks to wait {} s before the next call: run this again then", .0.as_secs())]
    Throttled(Duration),
    /// There are no credentials to call with.
    #[error("{0} (a service app asks for {scopes})", scopes = SCOPES.join(", "))]
    SignIn(String),
    /// No answer that can be understood. What was asked for may have been done.
    #[error("{0}")]
    Unavailable(String),
}

/// What Okta says about a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    status: u16,
    text: String,
}

impl CallError {
    /// The same, should Okta quote a secret that was sent.
    pub(super) fn without(self, secret: &str) -> Self {
        let hide = |Said { status, text }: Said| {
            let text = if secret.is_empty() { text } else { text.replace(secret, "…") };
            Said { status, text }
        };
        match self {
            Self::Unauthorized(said) => Self::Unauthorized(hide(said)),
            Self::Forbidden { said, scope } => Self::Forbidden { said: hide(said), scope },
            Self::NotFound(said) => Self::NotFound(hide(said)),
            Self::Refused(said) => Self::Refused(hide(said)),
            Self::Unavailable(text) if !secret.is_empty() => Self::Unavailable(text.replace(secret, "…")),
            other @ (Self::Throttled(_) | Self::SignIn(_) | Self::Unavailable(_)) => other,
        }
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{}", self.status, if self.text.is_empty() { "" } else { ": " }, self.text)
    }
}

/// The answer, if it is a success.
pub(super) fn checked(answer: Answer, path: &[&str]) -> Result<Answer, CallError> {
    let status = answer.status;
    if status.is_success() {
        return Ok(answer);
    }
    let said = said(&answer);
    Err(match status {
        StatusCode::UNAUTHORIZED => CallError::Unauthorized(said),
        StatusCode::FORBIDDEN => CallError::Forbidden { said, scope: scope(path) },
        StatusCode::NOT_FOUND => CallError::NotFound(said),
        _ if status.is_client_error() => CallError::Refused(said),
        _ if status.is_redirection() => {
            CallError::Unavailable(format!("it answers {status}, a redirect, which isn't followed: check its address"))
        }
        _ => CallError::Unavailable(format!("it answers {said}")),
    })
}

/// The scope that changes below this path need.
fn scope(path: &[&str]) -> &'static str {
    match path {
        [_, _, "meta", "types", ..] => "okta.userTypes.manage",
        [_, _, "meta", ..] => "okta.schemas.manage",
        [_, _, "inlineHooks", ..] => "okta.inlineHooks.manage",
        _ => "okta.authorizationServers.manage",
    }
}

#[derive(Deserialize)]
struct ErrorBody {
    #[serde(rename = "errorCode")]
    code: String,
    #[serde(rename = "errorSummary", default)]
    summary: String,
    #[serde(rename = "errorCauses", default)]
    causes: Vec<Cause>,
}

#[derive(Deserialize)]
struct Cause {
    #[serde(rename = "errorSummary", default)]
    summary: String,
}

/// One line of bounded length.
pub(super) fn said(answer: &Answer) -> Said {
    let status = answer.status.as_u16();
    let Ok(body) = serde_json::from_slice::<ErrorBody>(&answer.body) else {
        return Said { status, text: String::new() };
    };
    let causes = body.causes.into_iter().map(|cause| cause.summary);
    let parts: Vec<_> = [body.code, body.summary].into_iter().chain(causes).collect();
    let all = parts.join("; ");
    let text = all.chars().map(|c| if is_deceptive(c) { '\u{fffd}' } else { c }).take(MOST_CHARS).collect();
    Said { status, text }
}
