//! One-time codes: enrolment by the user, verification for applications.

use actix_web::{HttpResponse, delete, get, http::header::CACHE_CONTROL, post, web};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use qrcode::{EcLevel, QrCode, render::svg};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    app::otp,
    domain::{delegation::Party, reason::Reason},
    web::{
        error::ApiError,
        extract::{ByApplication, ForOtp, Json, Reader, Then, Writer},
        problem::{ApplicationProblems, BodyProblems, CallerProblems, Problem, SignInProblems},
        state::AppState,
    },
};

/// What I have enrolled.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"enrolled": true, "since": "2026-11-21T10:00:00Z", "pending_until": null}))]
pub struct OtpStanding {
    /// Whether my codes count.
    enrolled: bool,
    /// Since when.
    #[schema(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// Until when a new secret waits for its first code.
    #[schema(value_type = Option<String>, format = DateTime)]
    pending_until: Option<Timestamp>,
}

/// Tells whether I have enrolled an authenticator.
///
/// Its secret isn't shown again.
#[utoipa::path(
    operation_id = "otp-standing", tag = "one-time codes",
    responses((status = 200, description = "What is enrolled.", body = OtpStanding), CallerProblems),
    security(("user_token" = []))
)]
#[get("/v1/me/otp")]
pub async fn standing(Reader { door, caller }: Reader, state: web::Data<AppState>) -> Result<HttpResponse, ApiError> {
    let found = otp::standing(&state.services, &door.tenant, &caller).await?;
    let body =
        OtpStanding { enrolled: found.confirmed.is_some(), since: found.confirmed, pending_until: found.pending };
    Ok(HttpResponse::Ok().json(body))
}

/// A new secret, shown this once.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "uri": "otpauth://totp/behalf:bob%40example%2Ecom?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=behalf&algorithm=SHA1&digits=6&period=30",
    "qr": "data:image/svg+xml;base64,PHN2Zz48L3N2Zz4=", "confirm_until": "2026-11-21T10:10:00Z"}))]
pub struct OtpBegun {
    /// For an authenticator on the same device.
    uri: String,
    /// The same as a picture (SVG, as a `data:` URL).
    qr: String,
    /// When it must have been confirmed.
    #[schema(value_type = String, format = DateTime)]
    confirm_until: Timestamp,
}

/// Makes a new secret for my authenticator.
///
/// It counts once I have confirmed it by a code; what I had before works until then. Takes a sign-in of the last five
/// minutes.
#[utoipa::path(
    operation_id = "otp-begin", tag = "one-time codes",
    responses(
        (status = 201, description = "The secret, shown this once.", body = OtpBegun),
        (status = 423, description = "`locked`: my account is locked.", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "`otp-not-set-up`: the service has no key for such secrets.", body = Problem,
         content_type = "application/problem+json"),
        CallerProblems, SignInProblems,
    ),
    security(("user_token" = []))
)]
#[post("/v1/me/otp")]
pub async fn begin(Writer { door, caller }: Writer, state: web::Data<AppState>) -> Result<HttpResponse, ApiError> {
    let begun = otp::begin(&state.services, &door.tenant, &caller).await?;
    let qr = picture(&begun.uri).ok_or(ApiError::App(crate::app::error::AppError::from(Reason::Internal)))?;
    let body = OtpBegun { uri: begun.uri, qr, confirm_until: begun.until };
    Ok(HttpResponse::Created().insert_header((CACHE_CONTROL, "no-store")).json(body))
}

fn picture(text: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let drawn = code.render::<svg::Color<'_>>().min_dimensions(240, 240).build();
    Some(format!("data:image/svg+xml;base64,{}", STANDARD.encode(drawn)))
}

/// A code.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"code": "123456"}))]
pub struct OtpConfirmRequest {
    /// What the authenticator shows.
    #[schema(max_length = 64)]
    code: String,
}

/// Confirms the new secret by a code.
///
/// From now on codes of this authenticator count, and no others.
#[utoipa::path(
    operation_id = "otp-confirm", tag = "one-time codes", request_body = OtpConfirmRequest,
    responses(
        (status = 204, description = "Enrolled."),
        (status = 423, description = "`locked`: my account is locked.", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "`otp-nothing-pending`: no secret waits for a code. `otp-not-set-up`.",
         body = Problem, content_type = "application/problem+json"),
        CallerProblems, BodyProblems, (status = 403, description = "`otp-wrong-code`: it is not the code. `delegated-token` or `scope-missing`: the token may not be used for it.", body = Problem, content_type = "application/problem+json"),
    ),
    security(("user_token" = []))
)]
#[post("/v1/me/otp/confirm")]
pub async fn confirm(
    Then(Writer { door, caller }, Json(body)): Then<Writer, Json<OtpConfirmRequest>>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    otp::confirm(&state.services, &door.tenant, &caller, &body.code).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Removes what I have enrolled.
///
/// No code of mine counts from then on.
#[utoipa::path(
    operation_id = "otp-remove", tag = "one-time codes",
    responses((status = 204, description = "Removed."), CallerProblems),
    security(("user_token" = []))
)]
#[delete("/v1/me/otp")]
pub async fn remove(Writer { door, caller }: Writer, state: web::Data<AppState>) -> Result<HttpResponse, ApiError> {
    otp::remove(&state.services, &door.tenant, &caller).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// A login.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"username": "dba@example.com", "code": "123456"}))]
pub struct OtpVerifyRequest {
    /// Login of the shared account.
    #[schema(min_length = 1, max_length = 320)]
    username: String,
    /// What the holder's authenticator shows.
    #[schema(max_length = 64)]
    code: String,
}

/// An account.
#[derive(Serialize, ToSchema)]
pub struct OtpAccount {
    /// Its immutable id.
    id: String,
    /// Its login.
    login: String,
}

impl From<Party> for OtpAccount {
    fn from(party: Party) -> Self {
        Self { id: party.id.into(), login: party.login.into() }
    }
}

/// Who logged in as which account.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"account": {"id": "00udba", "login": "dba@example.com"},
    "holder": {"id": "00u1bob", "login": "bob@example.com"}}))]
pub struct OtpVerified {
    /// The shared account.
    account: OtpAccount,
    /// Who held it; his reservation is used up.
    holder: OtpAccount,
}

/// Logs the holder of a shared account in, by its name and his own code.
///
/// His reservation is used up by it. All that fails has one answer.
#[utoipa::path(
    operation_id = "otp-verify", tag = "one-time codes", request_body = OtpVerifyRequest,
    responses(
        (status = 200, description = "He is logged in.", body = OtpVerified),
        (status = 401, description = "`otp-refused`: it can't be used; why isn't said. `invalid-token`: the application's \
          token isn't valid here.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`otp-not-set-up`: the service has no key for such secrets.", body = Problem,
         content_type = "application/problem+json"),
        ApplicationProblems, BodyProblems,
    ),
    security(("application_token" = []))
)]
#[post("/v1/otp/verify")]
pub async fn verify(
    Then(ByApplication { door, caller, .. }, Json(body)): Then<ByApplication<ForOtp>, Json<OtpVerifyRequest>>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let found = otp::verify(&state.services, &door.tenant, &caller, &body.username, &body.code).await?;
    Ok(HttpResponse::Ok().json(OtpVerified { account: found.account.into(), holder: found.holder.into() }))
}
