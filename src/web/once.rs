//! `Idempotency-Key`: a request that may be sent again without harm.

use std::{future::Future, pin::Pin, sync::Arc};

use actix_web::{
    FromRequest, HttpRequest, HttpResponse,
    body::to_bytes,
    dev::Payload,
    http::{
        StatusCode,
        header::{HeaderName, HeaderValue},
    },
    web,
};
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};
use tracing::Instrument as _;
use utoipa::{IntoParams, IntoResponses};

use super::{
    error::ApiError,
    extract::json_bytes,
    problem::Problem,
    state::{AppState, Door},
};
use crate::{
    app::{
        error::AppError,
        idempotency::{self, Begun, Sender},
    },
    domain::{
        chain::Digest,
        idempotency::{Answer, IdempotencyKey},
        reason::Reason,
    },
};

/// The request's header.
pub const KEY: &str = "idempotency-key";
/// Says that an answer was given before.
pub const REPLAYED: &str = "idempotent-replayed";

/// The header, as the document describes it.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it is read by `Keyed`; this describes it")]
pub struct KeyHeader {
    /// A name of your own for this request, 1 to 64 visible ASCII characters, such as a UUID: sent again with the same
    /// key within 24 hours, it is answered as the first time and changes nothing. Only successes are kept.
    #[param(
        rename = "Idempotency-Key",
        nullable = false,
        min_length = 1,
        max_length = 64,
        example = "8e03978e-40d5-43e8"
    )]
    key: Option<String>,
}

/// What the key may be refused for.
#[derive(IntoResponses)]
pub enum KeyProblems {
    /// `idempotency-in-progress`: the first request with this `Idempotency-Key` hasn't ended; try again after
    /// `Retry-After` seconds.
    #[response(status = 409, headers(("retry-after" = u64, description = "Seconds to wait.")),
               content_type = "application/problem+json")]
    InProgress(Problem),
    /// `idempotency-key-reused`: this `Idempotency-Key` was used for another request.
    #[response(status = 422, content_type = "application/problem+json")]
    Reused(Problem),
}

/// A key, and what makes the request the one that it names.
pub struct Once {
    key: IdempotencyKey,
    request: Sha256,
}

impl Once {
    /// Something else that makes the request this one.
    pub fn also(&mut self, what: &str) {
        self.request.update((what.len() as u64).to_be_bytes());
        self.request.update(what);
    }
}

/// A JSON body, and the key if there is one.
pub struct Keyed<T> {
    /// The body.
    pub body: T,
    /// The key.
    pub once: Option<Once>,
}

impl<T: DeserializeOwned + 'static> FromRequest for Keyed<T> {
    type Error = ApiError;
    type Future = Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (key, bytes) = (key_of(request), json_bytes(request, payload));
        let (method, path) = (request.method().to_string(), path_in_tenant(request.path()).to_owned());
        Box::pin(async move {
            let key = key?;
            let (bytes, body) = bytes.await?;
            let once = key.map(|key| {
                let mut request = Sha256::new();
                for part in [method.as_bytes(), path.as_bytes(), &bytes] {
                    request.update((part.len() as u64).to_be_bytes());
                    request.update(part);
                }
                Once { key, request }
            });
            Ok(Self { body, once })
        })
    }
}

fn key_of(request: &HttpRequest) -> Result<Option<IdempotencyKey>, ApiError> {
    let wrong = |problem: String| ApiError::Invalid { field: Some("Idempotency-Key".to_owned()), problem };
    let mut values = request.headers().get_all(KEY);
    let Some(first) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(wrong("is there twice".to_owned()));
    }
    let key = first.to_str().map(IdempotencyKey::parse);
    match key {
        Ok(Ok(key)) => Ok(Some(key)),
        Ok(Err(no)) => Err(wrong(no.to_string())),
        Err(_) => Err(wrong("is no text".to_owned())),
    }
}

/// The tenant `default` has its routes twice.
fn path_in_tenant(path: &str) -> &str {
    path.strip_prefix("/t/").and_then(|rest| rest.find('/').map(|at| &rest[at..])).unwrap_or(path)
}

/// The answer of `work`, or the one that it had before. With a key, it is worked on to its end though the caller may
/// have gone.
pub async fn answer<W>(
    once: Option<Once>,
    state: &web::Data<AppState>,
    door: &Arc<Door>,
    sender: Sender<'_>,
    work: W,
) -> Result<HttpResponse, ApiError>
where
    W: Future<Output = Result<HttpResponse, ApiError>> + 'static,
{
    let Some(Once { key, request }) = once else { return work.await };
    let request = Digest(request.finalize().into());
    let reserved = match idempotency::begin(&state.services, &door.tenant, sender, &key, request).await? {
        Begun::Again(answer) => return Ok(again(answer)),
        Begun::Go(reserved) => reserved,
    };
    let (state, door) = (state.clone(), Arc::clone(door));
    let done = async move {
        let worked = kept(work.await).await;
        let answer = worked.as_ref().ok().and_then(|(_, answer)| answer.clone());
        idempotency::settle(&state.services, &door.tenant, reserved, answer).await;
        worked.map(|(response, _)| response)
    };
    let done = actix_web::rt::spawn(done.in_current_span()).await;
    done.unwrap_or_else(|_| Err(internal()))
}

/// The answer, and what can be kept of it.
async fn kept(worked: Result<HttpResponse, ApiError>) -> Result<(HttpResponse, Option<Answer>), ApiError> {
    let response = worked?;
    let status = response.status();
    if !Answer::is_kept(status.as_u16()) {
        return Ok((response, None));
    }
    let (head, body) = response.into_parts();
    let bytes = to_bytes(body).await.map_err(|_| internal())?;
    let answer = String::from_utf8(bytes.to_vec()).ok().map(|body| Answer { status: status.as_u16(), body });
    Ok((head.set_body(bytes).map_into_boxed_body(), answer))
}

fn internal() -> ApiError {
    AppError::from(Reason::Internal).into()
}

fn again(Answer { status, body }: Answer) -> HttpResponse {
    let mut answer = HttpResponse::build(StatusCode::from_u16(status).unwrap_or(StatusCode::OK));
    answer.insert_header((HeaderName::from_static(REPLAYED), HeaderValue::from_static("true")));
    answer.content_type("application/json").body(body)
}

#[cfg(test)]
mod tests {
    use super::path_in_tenant;

    #[test]
    fn a_path_is_the_same_under_its_tenant() {
        for (path, bare) in [("/v1/locks", "/v1/locks"), ("/t/acme/v1/locks", "/v1/locks"), ("/t/acme", "/t/acme")] {
            assert_eq!(path_in_tenant(path), bare);
        }
    }
}
