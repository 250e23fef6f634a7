//! The application behind a token of its own.

use std::{future::Future, marker::PhantomData, pin::Pin, sync::Arc};

use actix_web::{FromRequest, HttpRequest, dev::Payload, http::Method};

use super::caller::{Reader, bearer, brake, door, read, request_id, state};
use jiff::Timestamp;

use crate::{
    app::application::{ApplicationCaller, NotAuthenticated, Purpose, prove},
    domain::application::Right,
    web::{error::ApiError, rate_limit::Who, state::Door},
};

type Local<T> = Pin<Box<dyn Future<Output = Result<T, ApiError>>>>;

/// Next Level3's header for such tokens.
const NL3: &str = "x-nl3-authorization-token";

/// A route that takes a right.
pub trait Needs: 'static {
    /// The right.
    const RIGHT: Right;
}

/// Needs [`Right::Approvals`].
pub struct ForApprovals;

/// Needs [`Right::LockCheck`].
pub struct ForLockCheck;

/// Needs [`Right::Otp`].
pub struct ForOtp;

impl Needs for ForApprovals {
    const RIGHT: Right = Right::Approvals;
}

impl Needs for ForLockCheck {
    const RIGHT: Right = Right::LockCheck;
}

impl Needs for ForOtp {
    const RIGHT: Right = Right::Otp;
}

/// An application that has the right. Unless the request only looks, its token is used up by now.
pub struct ByApplication<R> {
    /// Its tenant.
    pub door: Arc<Door>,
    /// Which one it is, and what its token says.
    pub caller: ApplicationCaller,
    right: PhantomData<R>,
}

/// A user, or an application that has the right.
pub enum ByEither<R> {
    /// A user.
    User(Reader),
    /// An application.
    Application(ByApplication<R>),
}

impl<R> ByEither<R> {
    /// Whose tenant.
    pub fn door(&self) -> &Arc<Door> {
        match self {
            Self::User(user) => &user.door,
            Self::Application(application) => &application.door,
        }
    }

    /// From when on its token is refused.
    pub fn expires(&self) -> Timestamp {
        match self {
            Self::User(user) => user.caller.expires,
            Self::Application(application) => application.caller.token.over,
        }
    }
}

/// The one token that can be an application's. With both headers it isn't said which one counts.
fn token(request: &HttpRequest) -> Result<(&str, bool), ApiError> {
    let mut values = request.headers().get_all(NL3);
    let Some(first) = values.next() else {
        return bearer(request).map(|token| (token, false)).ok_or(ApiError::NotAuthenticated);
    };
    if values.next().is_some() || request.headers().contains_key(actix_web::http::header::AUTHORIZATION) {
        return Err(ApiError::NotAuthenticated);
    }
    match first.to_str().map(str::trim) {
        Ok(token) if !token.is_empty() => Ok((token, true)),
        _ => Err(ApiError::NotAuthenticated),
    }
}

async fn application<R: Needs>(request: HttpRequest) -> Result<ByApplication<R>, ApiError> {
    let state = state(&request)?;
    let door = door(&request, &state)?;
    let (token, _) = token(&request)?;
    let tenant = &door.tenant;
    let purpose = match *request.method() {
        Method::GET | Method::HEAD => Purpose::Look,
        _ => Purpose::Change,
    };
    let proven = prove(&state.services, tenant, token, request_id(&request)).await.map_err(not_authenticated)?;
    // Counted once it is proven, or anybody could use up another's budget; and before its token is used up, which costs
    // a commit.
    brake(&request, &state, &tenant.name, Who::Application(proven.uri().clone()))?;
    let caller = proven.admit(&state.services, tenant, purpose).await.map_err(not_authenticated)?;
    if !caller.application.may.contains(&R::RIGHT) {
        return Err(ApiError::RightMissing(R::RIGHT));
    }
    Ok(ByApplication { door, caller, right: PhantomData })
}

fn not_authenticated(error: NotAuthenticated) -> ApiError {
    match error {
        NotAuthenticated::Refused(_) => ApiError::InvalidToken,
        NotAuthenticated::Failed(error) => ApiError::App(error),
    }
}

async fn either<R: Needs>(request: HttpRequest) -> Result<ByEither<R>, ApiError> {
    let (state, (token, is_applications)) = (state(&request)?, token(&request)?);
    // A tenant's issuer is no application's name: `iss` tells whose token it is.
    if is_applications || door(&request, &state)?.tenant.applications.named_by(token).is_some() {
        return application(request).await.map(ByEither::Application);
    }
    read(request).await.map(ByEither::User)
}

impl<R: Needs> FromRequest for ByApplication<R> {
    type Error = ApiError;
    type Future = Local<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        Box::pin(application(request.clone()))
    }
}

impl<R: Needs> FromRequest for ByEither<R> {
    type Error = ApiError;
    type Future = Local<Self>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        Box::pin(either(request.clone()))
    }
}
