//! Locks: an account that is locked acts for nobody, and nobody acts for it.

use std::{num::NonZeroUsize, sync::Arc};

use actix_web::{HttpResponse, delete, get, post, web};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    app::{caller::Caller, grants::find_user, idempotency::Sender, locks},
    domain::{
        ids::UserId,
        lock::{Lock, Placed},
    },
    web::{
        error::ApiError,
        extract::{
            ByApplication, ByEither, ForLockCheck, Json, PageQuery, Query, Reader, Then, Writer, cursor_text,
            free_text, user_ref,
        },
        once::{self, KeyHeader, KeyProblems, Keyed},
        problem::{AdministratorProblems, BodyProblems, CallerProblems, Problem},
        replicated,
        state::{AppState, Door},
    },
};

/// One side's lock.
#[derive(Serialize, ToSchema)]
pub struct PlacedItem {
    /// Id of who placed it.
    by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<String>,
}

impl From<Placed> for PlacedItem {
    fn from(placed: Placed) -> Self {
        Self { by: placed.by.id.into(), at: placed.at, reason: placed.reason }
    }
}

/// The locks of one account.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"user": "00u1bob", "login": "bob@example.com",
    "own": {"by": "00u1bob", "at": "2026-11-21T10:00:00Z", "reason": "on holiday"}, "administrator": null}))]
pub struct LockItem {
    /// Id of the locked account.
    user: String,
    /// Its login when it was locked.
    login: String,
    /// Placed by the owner.
    own: Option<PlacedItem>,
    /// Placed by an administrator.
    administrator: Option<PlacedItem>,
}

impl From<Lock> for LockItem {
    fn from(lock: Lock) -> Self {
        Self {
            user: lock.user.id.into(),
            login: lock.user.login.into(),
            own: lock.own.map(PlacedItem::from),
            administrator: lock.admin.map(PlacedItem::from),
        }
    }
}

/// A lock that was placed.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"user": "00u1bob", "login": "bob@example.com",
    "own": {"by": "00u1bob", "at": "2026-11-21T10:00:00Z", "reason": "on holiday"}, "administrator": null,
    "replicated": true}))]
pub struct Locked {
    /// The account's locks.
    #[serde(flatten)]
    lock: LockItem,
    /// Whether a second server of a shared store has it already; absent where there is no second server. If `false`, a
    /// failover within the next moments could forget it: place it again to be sure.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    replicated: Option<bool>,
}

/// A page of locks.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"items": [], "next_cursor": null}))]
pub struct LockPage {
    /// The items.
    items: Vec<LockItem>,
    /// For the next page; `null` at the end.
    next_cursor: Option<String>,
    /// Items of this page that are left out because they can't be read; absent if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>, nullable = false, minimum = 1)]
    unreadable: Option<NonZeroUsize>,
}

/// Lists the lock of my account; for an administrator, all locks.
///
/// One item for each account, whichever side locked it.
#[utoipa::path(
    operation_id = "lock-list", tag = "locks", params(PageQuery),
    responses((status = 200, description = "A page.", body = LockPage), CallerProblems),
    security(("user_token" = []))
)]
#[get("/v1/locks")]
pub async fn list(
    Then(Reader { door, caller }, page): Then<Reader, Query<PageQuery>>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let (after, limit) = (page.after()?, page.limit()?);
    let found = locks::list(&state.services, &door.tenant, &caller, after, limit).await?;
    let items = found.items.into_iter().map(LockItem::from).collect();
    let (next_cursor, unreadable) = (found.next.map(cursor_text), NonZeroUsize::new(found.unreadable));
    Ok(HttpResponse::Ok().json(LockPage { items, next_cursor, unreadable }))
}

/// What to lock.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "on holiday"}))]
pub struct PlaceRequest {
    /// Id or login, for administrators; default: my account.
    #[schema(min_length = 1, max_length = 320)]
    user: Option<String>,
    /// Why.
    #[schema(max_length = 500)]
    reason: Option<String>,
}

/// Locks an account against delegation, as delegator and as agent.
///
/// My own; an administrator locks any. Takes effect on the next hook.
#[utoipa::path(
    operation_id = "lock-place", tag = "locks", params(KeyHeader), request_body = PlaceRequest,
    responses(
        (status = 201, description = "Locked.", body = Locked, headers(
            ("idempotent-replayed" = bool, description = "True if this is the answer of before, to the same key."))),
        (status = 200, description = "It was locked by this side already.", body = Locked),
        (status = 423, description = "`locked`: another's account, while mine is locked.", body = Problem,
            content_type = "application/problem+json"),
        CallerProblems, BodyProblems, KeyProblems, AdministratorProblems,
    ),
    security(("user_token" = []))
)]
#[post("/v1/locks")]
pub async fn place(
    Then(Writer { door, caller }, Keyed { body, once }): Then<Writer, Keyed<PlaceRequest>>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let user = body.user.map(|text| user_ref("user", &text)).transpose()?;
    let reason = free_text("reason", body.reason, 500)?;
    let (sender, here, at) = (caller.user.clone(), state.clone(), Arc::clone(&door));
    once::answer(once, &state, &door, Sender::User(sender.as_str()), async move {
        let (lock, new) = locks::place(&here.services, &at.tenant, &caller, user.as_ref(), reason).await?;
        let mut answer = if new { HttpResponse::Created() } else { HttpResponse::Ok() };
        let replicated = replicated::wait(&here, &at).await;
        replicated::say(&mut answer, replicated);
        Ok(answer.json(Locked { lock: LockItem::from(lock), replicated }))
    })
    .await
}

/// Which account.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct UserPath {
    /// Id of the account, or its login.
    #[param(example = "00u1bob")]
    user: String,
}

/// Lifts my own lock; an administrator lifts any of another's account.
///
/// A lock that an administrator placed is lifted by an administrator, and by another one than its owner.
#[utoipa::path(
    operation_id = "lock-lift", tag = "locks", params(UserPath),
    responses(
        (status = 204, description = "Lifted."),
        (status = 423, description = "`locked`: another's account, while mine is locked.", body = Problem,
            content_type = "application/problem+json"),
        CallerProblems, AdministratorProblems,
    ),
    security(("user_token" = []))
)]
#[delete("/v1/locks/{user}")]
pub async fn lift(
    Then(Writer { door, caller }, path): Then<Writer, web::Path<UserPath>>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let user = account(&door, &caller, &path.user).await?;
    locks::lift(&state.services, &door.tenant, &caller, &user).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The account that `text` names: by its login where the caller may know, else by the text as an id. The directory may
/// have forgotten an account whose lock still stands.
async fn account(door: &Door, caller: &Caller, text: &str) -> Result<UserId, ApiError> {
    let id = UserId::parse(text);
    if let Ok(id) = &id
        && *id == caller.user
    {
        return Ok(id.clone());
    }
    let found = find_user(&*door.tenant.directory, &user_ref("user", text)?).await?;
    // To whom another's account is no business, it isn't said whether there is one.
    match found.filter(|user| caller.administrator || user.id == caller.user) {
        Some(user) => Ok(user.id),
        None => id.map_err(|error| ApiError::Invalid { field: Some("user".to_owned()), problem: error.to_string() }),
    }
}

/// Whose lock.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"user": "00u1bob"}))]
pub struct CheckRequest {
    /// Id or login.
    #[schema(min_length = 1, max_length = 320)]
    user: String,
}

/// Whether an account is locked.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"locked": true, "message": "This account is locked against delegation."}))]
pub struct Checked {
    /// True if it is.
    locked: bool,
    /// For the person in front of the application.
    message: String,
}

/// Tells whether an account is locked.
///
/// My own; for an administrator, and an application with the right `lock_check`, any.
#[utoipa::path(
    operation_id = "lock-check", tag = "locks", request_body = CheckRequest,
    responses((status = 200, description = "Checked.", body = Checked), CallerProblems, BodyProblems, (status = 403, description = "`administrator-only`: the account is another's. `right-missing`: the application is registered without the right `lock_check`. `delegated-token`: the token is itself delegated.", body = Problem, content_type = "application/problem+json")),
    security(("user_token" = []), ("application_token" = []))
)]
#[post("/v1/locks/check")]
pub async fn check(
    Then(by, Json(body)): Then<ByEither<ForLockCheck>, Json<CheckRequest>>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let who = user_ref("user", &body.user)?;
    let locked = match by {
        ByEither::User(Reader { door, caller }) => locks::check(&state.services, &door.tenant, &caller, &who).await?,
        ByEither::Application(ByApplication { door, .. }) => {
            locks::is_locked(&state.services, &door.tenant, &who).await?
        }
    };
    let message = if locked { "This account is locked against delegation." } else { "This account is not locked." };
    Ok(HttpResponse::Ok().json(Checked { locked, message: message.to_owned() }))
}
