//! The user behind a bearer token, and the tenant he calls.

use std::{future::Future, pin::Pin, sync::Arc};

use actix_web::{FromRequest, HttpMessage, HttpRequest, dev::Payload, http::header, web};

use crate::{
    app::caller::Caller,
    domain::{ids::TenantName, reason::Reason},
    web::{
        compat::CompatError,
        error::ApiError,
        middleware::RequestId,
        rate_limit::Who,
        state::{AppState, Door},
    },
};

type Local<T, E> = Pin<Box<dyn Future<Output = Result<T, E>>>>;

/// A user with a valid token. May look.
pub struct Reader {
    /// His tenant.
    pub door: Arc<Door>,
    /// Who he is.
    pub caller: Caller,
}

/// A user whose token also has the scope for changes.
pub struct Writer {
    /// His tenant.
    pub door: Arc<Door>,
    /// Who he is.
    pub caller: Caller,
}

/// [`Reader`] on the compatibility routes, which have their own form of errors.
pub struct CompatReader(pub Reader);

/// [`Writer`] on the compatibility routes.
pub struct CompatWriter(pub Writer);

/// The tenant that the path names, or the default one.
pub fn door(request: &HttpRequest, state: &AppState) -> Result<Arc<Door>, ApiError> {
    door_of(state, request.match_info().get("tenant")).cloned().ok_or(ApiError::NoSuchRoute)
}

/// This tenant's door, or the default one's. The name is as the path has it, percent-encoded: whatever isn't a plain
/// name names no tenant.
pub fn door_of<'s>(state: &'s AppState, tenant: Option<&str>) -> Option<&'s Arc<Door>> {
    state.doors.get(tenant.unwrap_or(TenantName::DEFAULT))
}

/// The application's state; missing it is a defect of the set-up, answered as a failure.
pub fn state(request: &HttpRequest) -> Result<web::Data<AppState>, ApiError> {
    request.app_data::<web::Data<AppState>>().cloned().ok_or(ApiError::App(Reason::Internal.into()))
}

/// Our id of the request.
pub fn request_id(request: &HttpRequest) -> Option<String> {
    request.extensions().get::<RequestId>().map(|RequestId(id)| id.clone())
}

pub(super) async fn read(request: HttpRequest) -> Result<Reader, ApiError> {
    let state = state(&request)?;
    let door = door(&request, &state)?;
    let token = bearer(&request).ok_or(ApiError::NotAuthenticated)?;
    let name = &door.tenant.name;
    let verified = door.verifier.verify(token).await.map_err(|error| ApiError::of_token(error, name))?;
    let mut caller = Caller::from_token(&verified, &door.tenant.identity).map_err(|e| ApiError::of_caller(&e, name))?;
    caller.request = request_id(&request);
    brake(&request, &state, name, Who::User(caller.user.clone()))?;
    Ok(Reader { door, caller })
}

/// Counts the request.
pub(super) fn brake(request: &HttpRequest, state: &AppState, tenant: &TenantName, who: Who) -> Result<(), ApiError> {
    let budget = state.rate_limit.check(tenant, who);
    request.extensions_mut().insert(budget);
    budget.wait.map_or(Ok(()), |seconds| Err(ApiError::RateLimited(seconds)))
}

async fn write(request: HttpRequest) -> Result<Writer, ApiError> {
    let Reader { door, caller } = read(request).await?;
    if !caller.may_change {
        let scope = door.tenant.identity.scope.clone().unwrap_or_default();
        return Err(ApiError::ScopeMissing(scope));
    }
    Ok(Writer { door, caller })
}

/// The one bearer token of the request (RFC 6750 2.1); two `Authorization` headers are none.
pub(super) fn bearer(request: &HttpRequest) -> Option<&str> {
    let mut values = request.headers().get_all(header::AUTHORIZATION);
    let only = values.next().filter(|_| values.next().is_none())?.to_str().ok()?;
    let (scheme, token) = only.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

impl FromRequest for Reader {
    type Error = ApiError;
    type Future = Local<Self, ApiError>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        Box::pin(read(request.clone()))
    }
}

impl FromRequest for Writer {
    type Error = ApiError;
    type Future = Local<Self, ApiError>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        Box::pin(write(request.clone()))
    }
}

impl FromRequest for CompatReader {
    type Error = CompatError;
    type Future = Local<Self, CompatError>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async { Ok(Self(read(request).await?)) })
    }
}

impl FromRequest for CompatWriter {
    type Error = CompatError;
    type Future = Local<Self, CompatError>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async { Ok(Self(write(request).await?)) })
    }
}
