//! Answers in Okta's form.

use actix_web::{HttpResponse, body::BodyStream, http::StatusCode, web::Bytes};
use futures_util::stream;
use serde_json::{Value, json};

/// What a handler says: done, with this status and body, or refused.
pub(super) type Answered = Result<Said, Refusal>;

/// What was done.
pub(super) struct Said {
    pub(super) status: u16,
    /// `None`: no body.
    pub(super) body: Option<Value>,
    pub(super) next: Option<String>,
}

/// What was refused: status, `errorCode`, and what is wrong.
pub(super) struct Refusal(pub(super) u16, pub(super) &'static str, pub(super) String);

#[expect(clippy::unnecessary_wraps, reason = "it ends handlers, which answer so")]
pub(super) fn ok(body: Value) -> Answered {
    Ok(Said { status: 200, body: Some(body), next: None })
}

#[expect(clippy::unnecessary_wraps, reason = "it ends handlers, which answer so")]
pub(super) fn created(body: Value) -> Answered {
    Ok(Said { status: 201, body: Some(body), next: None })
}

#[expect(clippy::unnecessary_wraps, reason = "it ends handlers, which answer so")]
pub(super) fn nothing() -> Answered {
    Ok(Said { status: 204, body: None, next: None })
}

pub(super) fn invalid(why: impl Into<String>) -> Refusal {
    Refusal(400, "E0000001", format!("Api validation failed: {}", why.into()))
}

pub(super) fn not_found(what: &str) -> Refusal {
    Refusal(404, "E0000007", format!("Not found: Resource not found: {what}"))
}

pub(super) fn response(answered: Answered) -> HttpResponse {
    match answered {
        Ok(Said { status, body, next }) => {
            let mut response = HttpResponse::build(StatusCode::from_u16(status).unwrap());
            if let Some(next) = next {
                response.append_header(("link", "<https://elsewhere.example.com/x?after=wrong>; rel=\"self\""));
                response.append_header(("link", format!("<{next}>; rel=\"next\"")));
            }
            match body {
                Some(body) => response.content_type("application/json").body(body.to_string()),
                None => response.finish(),
            }
        }
        Err(Refusal(status, code, summary)) => {
            let body = json!({"errorCode": code, "errorSummary": summary, "errorLink": code, "errorId": "oae-fake",
                "errorCauses": []});
            let mut response = HttpResponse::build(StatusCode::from_u16(status).unwrap());
            response.content_type("application/json").body(body.to_string())
        }
    }
}

/// An answer that breaks off.
pub(super) fn broken() -> HttpResponse {
    let pieces = [Ok(Bytes::from_static(b"{\"id\":")), Err(std::io::Error::other("the test wants it"))];
    HttpResponse::Ok().content_type("application/json").body(BodyStream::new(stream::iter(pieces)))
}
