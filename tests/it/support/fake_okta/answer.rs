//! Answers in Okta's form.

use actix_web::{HttpResponse, http::StatusCode};
use serde_json::{Value, json};

/// What a handler says.
pub(super) enum Say {
    /// JSON, with these headers.
    Json(Value, Vec<(&'static str, String)>),
    /// An error: status, `errorCode`, and what is wrong.
    Error(u16, &'static str, String),
    /// An error of the token endpoint: status, `error`, `error_description`.
    OauthError(u16, &'static str, &'static str),
}

impl Say {
    pub(super) fn not_found(what: &str) -> Self {
        Self::Error(404, "E0000007", format!("Not found: Resource not found: {what}"))
    }

    pub(super) fn invalid(why: &str) -> Self {
        Self::Error(400, "E0000001", format!("Api validation failed: {why}"))
    }

    pub(super) fn response(self) -> HttpResponse {
        match self {
            Self::Json(body, headers) => {
                let mut response = HttpResponse::Ok();
                for header in headers {
                    response.append_header(header);
                }
                response.content_type("application/json").body(body.to_string())
            }
            Self::Error(status, code, summary) => {
                let cause = json!([{"errorSummary": summary}]);
                let body = json!({"errorCode": code, "errorSummary": summary, "errorLink": code,
                    "errorId": "oae-fake", "errorCauses": cause});
                HttpResponse::build(code_of(status)).content_type("application/json").body(body.to_string())
            }
            Self::OauthError(status, error, why) => {
                let body = json!({"error": error, "error_description": why});
                HttpResponse::build(code_of(status)).content_type("application/json").body(body.to_string())
            }
        }
    }
}

pub(super) fn code_of(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
