//! Bodies, bounded and strict.

use std::{future::Future, pin::Pin, time::Duration};

use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload, web};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::time::timeout;

use super::{fields, text::brief};
use crate::web::{BODY_LIMIT, compat::CompatError, error::ApiError};

/// How long a body may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

type Local<T, E> = Pin<Box<dyn Future<Output = Result<T, E>>>>;

/// A JSON body of this type; anything else is a problem that names the place.
pub struct Json<T>(pub T);

/// A JSON or form body, as the compatibility routes take it.
pub struct JsonOrForm<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Json<T> {
    type Error = ApiError;
    type Future = Local<Self, ApiError>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let read = json_bytes(request, payload);
        Box::pin(async move { read.await.map(|(_, body)| Self(body)) })
    }
}

/// A JSON body of this type, and the bytes that it came as.
pub fn json_bytes<T: DeserializeOwned + 'static>(
    request: &HttpRequest,
    payload: &mut Payload,
) -> Local<(web::Bytes, T), ApiError> {
    let is_json = request.content_type().eq_ignore_ascii_case("application/json");
    let body = web::Payload::from_request(request, payload);
    Box::pin(async move {
        if !is_json {
            return Err(ApiError::MediaType);
        }
        let bytes = read(body.into_inner()).await?;
        let body = parse_json(&bytes)?;
        Ok((bytes, body))
    })
}

impl<T: DeserializeOwned + 'static> FromRequest for JsonOrForm<T> {
    type Error = CompatError;
    type Future = Local<Self, CompatError>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_form = request.content_type().eq_ignore_ascii_case("application/x-www-form-urlencoded");
        let body = web::Payload::from_request(request, payload);
        Box::pin(async move {
            let body = read(body.into_inner()).await?;
            Ok(Self(if is_form { parse_form(&body)? } else { parse_json(&body)? }))
        })
    }
}

async fn read(payload: Result<web::Payload, actix_web::Error>) -> Result<web::Bytes, ApiError> {
    let unreadable = |_| ApiError::Invalid { field: None, problem: "the body could not be read".to_owned() };
    let payload = payload.map_err(unreadable)?;
    let slow = |_| ApiError::Invalid { field: None, problem: "the body did not arrive in time".to_owned() };
    let all = timeout(PATIENCE, payload.to_bytes_limited(BODY_LIMIT)).await.map_err(slow)?;
    all.map_err(|_| ApiError::TooLarge)?.map_err(unreadable)
}

fn parse_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let read = fields::read("body", &mut json)?;
    // Nothing may follow.
    json.end().map(|()| read).map_err(|error| fields::not_taken("body", None, &error))
}

fn parse_form<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let mut fields = Map::new();
    for (name, value) in url::form_urlencoded::parse(body) {
        if fields.insert(name.to_string(), Value::String(value.into_owned())).is_some() {
            return Err(ApiError::Invalid { field: Some(brief(&name)), problem: "is there twice".to_owned() });
        }
    }
    fields::read("form", Value::Object(fields))
}
