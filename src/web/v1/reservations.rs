//! Reservations of shared accounts: which may I, reserve, look, give back.

use std::num::NonZeroUsize;

use actix_web::{HttpResponse, delete, get, post, web};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Number;
use utoipa::{IntoParams, ToSchema};

use crate::{
    app::{
        error::AppError,
        reservations::{self, Availability, Offered, Request, Wanted},
    },
    domain::{
        delegation::Party,
        reservation::{Slot, State},
    },
    web::{
        error::ApiError,
        extract::{Json, PageQuery, Query, Reader, Then, Writer, cursor_text, free_text, user_ref},
        problem::{AdministratorProblems, BodyProblems, CallerProblems, Problem},
        state::AppState,
    },
};

/// A shared account that I may reserve.
#[derive(Serialize, ToSchema)]
pub struct AccountItem {
    /// Its immutable id: `account` of a reservation.
    id: String,
    /// Its login; absent if the directory doesn't know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    login: Option<String>,
    /// `AVAILABLE`, `HELD`, `LOCKED` or `INACTIVE`.
    state: &'static str,
    /// The accounts of which any will do: `pool` of a reservation.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pool: Option<String>,
    /// How long a reservation lasts that doesn't say, in whole minutes.
    minutes: i64,
    /// How long one may last, in whole minutes.
    max_minutes: i64,
    /// If it is held: the first instant at which it is free, unless it is before.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// If it is held: the holder's login, where the account shows it or it is me.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    holder: Option<String>,
}

impl From<Offered<'_>> for AccountItem {
    fn from(offered: Offered<'_>) -> Self {
        let (state, until, holder) = match offered.availability {
            Availability::Free => ("AVAILABLE", None, None),
            Availability::Held { until, holder } => ("HELD", Some(until), holder.map(String::from)),
            Availability::Locked => ("LOCKED", None, None),
            Availability::Inactive => ("INACTIVE", None, None),
        };
        Self {
            id: offered.shared.id.to_string(),
            login: offered.login.map(String::from),
            state,
            pool: offered.shared.pool.clone(),
            minutes: offered.shared.hold.as_mins(),
            max_minutes: offered.shared.max_hold.as_mins(),
            until,
            holder,
        }
    }
}

/// The shared accounts that I may reserve.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"items": [{"id": "00u1dba", "login": "dba@example.com", "state": "AVAILABLE", "pool": "dba",
    "minutes": 5, "max_minutes": 30}]}))]
pub struct Accounts {
    /// The items, by id.
    items: Vec<AccountItem>,
}

/// Lists the shared accounts of the groups in which I am now.
///
/// Each with its state, and until when it is held.
#[utoipa::path(
    operation_id = "reservation-accounts", tag = "reservations",
    responses((status = 200, description = "The accounts.", body = Accounts), CallerProblems),
    security(("user_token" = []))
)]
#[get("/v1/reservations/accounts")]
pub async fn accounts(Reader { door, caller }: Reader, state: web::Data<AppState>) -> Result<HttpResponse, ApiError> {
    let found = reservations::accounts(&state.services, &door.tenant, &caller).await?;
    Ok(HttpResponse::Ok().json(Accounts { items: found.into_iter().map(AccountItem::from).collect() }))
}

/// A user or an account, as the reservation remembers it.
#[derive(Serialize, ToSchema)]
pub struct PartyItem {
    /// Immutable id.
    id: String,
    /// Login at the time.
    login: String,
}

impl From<Party> for PartyItem {
    fn from(party: Party) -> Self {
        Self { id: party.id.into(), login: party.login.into() }
    }
}

/// A reservation, without its secret.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"id": "rvn_wN3xS1s0u0mN5m3l8Q1r9mJ3b2V5ZkE0Y2hRb1pXTmgAAAGqLMo7gA", "state": "HELD",
    "account": {"id": "00u1dba", "login": "dba@example.com"}, "holder": {"id": "00u1ann", "login": "ann@example.com"},
    "created_at": "2026-11-21T10:00:00Z", "expires_at": "2026-11-21T10:05:00Z"}))]
pub struct ReservationItem {
    /// Names the reservation; opens nothing.
    id: String,
    /// `HELD`, `CONSUMED`, `EXPIRED`, `RELEASED`, `FORCE_RELEASED` or `INVALIDATED`.
    state: &'static str,
    /// The shared account.
    account: PartyItem,
    /// Who holds it, or held it.
    holder: PartyItem,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// The first instant at which it can't be used any more.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// When it ended, if it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
    /// Why an administrator took it away.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<String>,
}

/// `None` for an empty slot, which nobody can name.
fn item(slot: Slot) -> Option<ReservationItem> {
    let id = slot.reference().to_string();
    let current = slot.current?;
    let state = current.state.name();
    let (ended_at, reason) = match current.state {
        State::Held => (None, None),
        State::Consumed(used) => (Some(used.at), None),
        State::Expired { at } | State::Released { at } | State::Invalidated { at, .. } => (Some(at), None),
        State::ForceReleased { at, reason, .. } => (Some(at), Some(reason)),
    };
    Some(ReservationItem {
        id,
        state,
        account: slot.account.into(),
        holder: current.holder.into(),
        created_at: current.created,
        expires_at: current.expires,
        ended_at,
        reason,
    })
}

/// Which account, and for how long.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"account": "00u1dba", "minutes": 5}))]
pub struct ReserveRequest {
    /// Id or login of the account; this or `pool`.
    #[schema(min_length = 1, max_length = 320)]
    account: Option<String>,
    /// Any free account of this pool.
    #[schema(max_length = 64)]
    pool: Option<String>,
    /// How long, from 1 to what the account allows; default: as the account has it.
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1440)]
    minutes: Option<Number>,
}

impl ReserveRequest {
    fn wanted(&self) -> Result<Wanted, ApiError> {
        let wrong = |field: &str, problem: String| ApiError::Invalid { field: Some(field.to_owned()), problem };
        match (&self.account, &self.pool) {
            (Some(account), None) => user_ref("account", account).map(Wanted::Account),
            (None, Some(pool)) => {
                let pool = free_text("pool", Some(pool.clone()), 64)?;
                pool.map(Wanted::Pool).ok_or_else(|| wrong("pool", "must not be empty".to_owned()))
            }
            _ => Err(wrong("account", "or `pool` must be given, and not both".to_owned())),
        }
    }

    /// A number that is no span of whole minutes at all is refused before anybody is asked.
    fn hold(&self) -> Result<Option<SignedDuration>, ApiError> {
        let Some(minutes) = &self.minutes else { return Ok(None) };
        let whole = minutes.as_u64().and_then(|minutes| i64::try_from(minutes).ok());
        let within = whole.filter(|minutes| (1..=24 * 60).contains(minutes));
        let no = || AppError::NoSuchHold { problem: "`minutes` must be a whole number from 1 to 1440".to_owned() };
        Ok(Some(SignedDuration::from_mins(within.ok_or_else(no)?)))
    }
}

/// An account that is mine for a while.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"secret": "rsv_AZOq4Yp7QkJ2cGx3eUpYc1FhT0V6a1Z0bUJ3TnJIZ0RsU2lQdUY",
    "id": "rvn_wN3xS1s0u0mN5m3l8Q1r9mJ3b2V5ZkE0Y2hRb1pXTmgAAAGqLMo7gA", "state": "HELD",
    "account": {"id": "00u1dba", "login": "dba@example.com"}, "holder": {"id": "00u1ann", "login": "ann@example.com"},
    "created_at": "2026-11-21T10:00:00Z", "expires_at": "2026-11-21T10:05:00Z"}))]
pub struct ReservedItem {
    /// To send along with the login as this account, as `state`, once. A secret: shown this one time.
    secret: String,
    /// The reservation.
    #[serde(flatten)]
    reservation: ReservationItem,
}

/// Reserves a shared account.
///
/// It is mine alone until it is used, given back, or `expires_at` comes. It is good for one token: either by a
/// delegation for this account, or by a login as this account that carries the `secret` as `state`.
#[utoipa::path(
    operation_id = "reservation-make", tag = "reservations", request_body = ReserveRequest,
    responses(
        (status = 201, description = "Reserved.", body = ReservedItem),
        CallerProblems, BodyProblems, (status = 429, description = "`too-many-held`: I hold as many as I may. `rate-limited`: too many requests of this user.", headers(("retry-after" = u64, description = "Seconds to wait.")), body = Problem, content_type = "application/problem+json"), (status = 403, description = "`not-a-member`: there is no such shared account that I may use. `delegated-token` or `scope-missing`: the token may not be used for it.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`reserved`: somebody holds it, `until` then; `account-not-active`: it can't be used.",
         body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`invalid-hold`: it can't be reserved for that long.",
         body = Problem, content_type = "application/problem+json"),
        (status = 423, description = "`locked`: the account or mine is locked.",
         body = Problem, content_type = "application/problem+json"),
    ),
    security(("user_token" = []))
)]
#[post("/v1/reservations")]
pub async fn reserve(
    Then(Writer { door, caller }, Json(body)): Then<Writer, Json<ReserveRequest>>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let request = Request { wanted: body.wanted()?, hold: body.hold()? };
    let reserved = reservations::reserve(&state.services, &door.tenant, &caller, request).await?;
    let reservation = item(reserved.slot).ok_or(AppError::NotFound("reservation"))?;
    Ok(HttpResponse::Created().json(ReservedItem { secret: reserved.secret.expose().to_owned(), reservation }))
}

/// A page of reservations, newest first.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"items": [], "next_cursor": null}))]
pub struct ReservationPage {
    /// The items.
    items: Vec<ReservationItem>,
    /// For the next page; `null` at the end.
    next_cursor: Option<String>,
    /// Items of this page that are left out because they can't be read; absent if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>, nullable = false, minimum = 1)]
    unreadable: Option<NonZeroUsize>,
}

/// Lists what I hold or held last.
///
/// Newest first; of each account only its last reservation.
#[utoipa::path(
    operation_id = "reservation-list", tag = "reservations", params(PageQuery),
    responses((status = 200, description = "A page.", body = ReservationPage), CallerProblems),
    security(("user_token" = []))
)]
#[get("/v1/reservations")]
pub async fn list(
    Then(Reader { door, caller }, page): Then<Reader, Query<PageQuery>>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let (after, limit) = (page.after()?, page.limit()?);
    let found = reservations::list(&state.services, &door.tenant, &caller, after, limit).await?;
    let items = found.items.into_iter().filter_map(item).collect();
    let (next_cursor, unreadable) = (found.next.map(cursor_text), NonZeroUsize::new(found.unreadable));
    Ok(HttpResponse::Ok().json(ReservationPage { items, next_cursor, unreadable }))
}

/// Which reservation.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct ReservationPath {
    /// Its `id`.
    #[param(example = "rvn_wN3xS1s0u0mN5m3l8Q1r9mJ3b2V5ZkE0Y2hRb1pXTmgAAAGqLMo7gA")]
    id: String,
}

/// Shows a reservation: my own; for an administrator, any.
///
/// Until its account is reserved again.
#[utoipa::path(
    operation_id = "reservation-get", tag = "reservations", params(ReservationPath),
    responses((status = 200, description = "The reservation.", body = ReservationItem), CallerProblems),
    security(("user_token" = []))
)]
#[get("/v1/reservations/{id}")]
pub async fn get(
    Then(Reader { door, caller }, path): Then<Reader, web::Path<ReservationPath>>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let slot = reservations::find(&state.services, &door.tenant, &caller, &path.id).await?;
    let item = item(slot).ok_or(AppError::NotFound("reservation"))?;
    Ok(HttpResponse::Ok().json(item))
}

/// Gives back what I hold.
///
/// To give it back twice is no mistake.
#[utoipa::path(
    operation_id = "reservation-release", tag = "reservations", params(ReservationPath),
    responses(
        (status = 204, description = "Given back, now or before."),
        CallerProblems,
        (status = 409, description = "`not-held`: it was used or ended otherwise.", body = Problem,
         content_type = "application/problem+json"),
    ),
    security(("user_token" = []))
)]
#[delete("/v1/reservations/{id}")]
pub async fn release(
    Then(Writer { door, caller }, path): Then<Writer, web::Path<ReservationPath>>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    reservations::release(&state.services, &door.tenant, &caller, &path.id).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Why it is taken away.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "needed for incident 4711"}))]
pub struct ForceRequest {
    /// Why; the holder is shown it.
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
}

/// Takes a reservation from whoever holds it.
///
/// For administrators. The holder is shown the reason.
#[utoipa::path(
    operation_id = "reservation-force-release", tag = "reservations", params(ReservationPath),
    request_body = ForceRequest,
    responses(
        (status = 204, description = "The account is free."),
        CallerProblems, BodyProblems, AdministratorProblems,
        (status = 423, description = "`locked`: my account is locked.", body = Problem,
         content_type = "application/problem+json"),
        (status = 409, description = "`not-held`: it has ended already.", body = Problem,
         content_type = "application/problem+json"),
    ),
    security(("user_token" = []))
)]
#[post("/v1/reservations/{id}/force-release")]
pub async fn force_release(
    Then(Writer { door, caller }, Then(path, Json(body))): Then<
        Writer,
        Then<web::Path<ReservationPath>, Json<ForceRequest>>,
    >,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let reason = free_text("reason", Some(body.reason), 500)?;
    let empty = || ApiError::Invalid { field: Some("reason".to_owned()), problem: "must not be empty".to_owned() };
    let reason = reason.ok_or_else(empty)?;
    reservations::force_release(&state.services, &door.tenant, &caller, &path.id, reason).await?;
    Ok(HttpResponse::NoContent().finish())
}
