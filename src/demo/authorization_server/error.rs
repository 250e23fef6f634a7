//! Errors of the token endpoint (RFC 6749, 5.2).

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use serde_json::json;

/// An OAuth error: code and description.
#[derive(Debug, thiserror::Error)]
#[error("{code}: {description}")]
pub(super) struct OAuthError {
    pub(super) code: &'static str,
    pub(super) description: String,
}

impl OAuthError {
    pub(super) fn new(code: &'static str, description: &str) -> Self {
        Self { code, description: description.to_owned() }
    }

    pub(super) fn invalid_request(description: &str) -> Self {
        Self::new("invalid_request", description)
    }

    pub(super) fn invalid_grant(description: &str) -> Self {
        Self::new("invalid_grant", description)
    }
}

impl From<aws_lc_rs::error::Unspecified> for OAuthError {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self::new("server_error", "the token can't be signed")
    }
}

impl ResponseError for OAuthError {
    fn status_code(&self) -> StatusCode {
        if self.code == "invalid_client" { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST }
    }

    fn error_response(&self) -> HttpResponse {
        HttpResponse::build(self.status_code())
            .insert_header(("Cache-Control", "no-store"))
            .json(json!({ "error": self.code, "error_description": self.description }))
    }
}
