//! Who was told of what, and whether it reached him.

use std::num::NonZeroUsize;

use actix_web::{HttpResponse, get, post, web};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    app::notify::deliveries,
    domain::notice::{Notification, Role, State},
    web::{
        error::ApiError,
        extract::{PageQuery, Query, Reader, Then, Writer, cursor_text},
        problem::{AdministratorProblems, CallerProblems, Problem},
        state::AppState,
    },
};

/// One recipient's delivery, as the requester may know it.
#[derive(Serialize, ToSchema)]
pub struct DeliveryItem {
    /// Type of the event.
    #[serde(rename = "type")]
    kind: String,
    /// Why he is told; absent for webhooks.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = String, example = "approver")]
    role: Option<Role>,
    /// `webhook`, `email`, or `nobody` if nobody could be found whom to tell.
    channel: &'static str,
    /// `waiting`, `sent`, `dead` (given up) or `unreachable` (no address).
    state: &'static str,
    /// Tries that failed.
    failures: usize,
    /// When it was tried last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = String, format = DateTime)]
    tried_at: Option<Timestamp>,
    /// What went wrong then, as a code.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    problem: Option<String>,
    /// The e-mail address that took it, most of it hidden.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    address: Option<String>,
    /// The next try, while it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = String, format = DateTime)]
    next_try_at: Option<Timestamp>,
}

impl From<&Notification> for DeliveryItem {
    fn from(notification: &Notification) -> Self {
        let last = notification.last.as_ref();
        Self {
            kind: notification.facts.kind.clone(),
            role: notification.recipient.as_ref().map(|recipient| recipient.role),
            channel: notification.channel.sort(),
            state: notification.state.name(),
            failures: notification.failures,
            tried_at: last.map(|last| last.at),
            problem: last.and_then(|last| last.why.clone()),
            address: last.and_then(|last| last.address.as_ref()).map(|mask| mask.as_str().to_owned()),
            next_try_at: match notification.state {
                State::Waiting { next } => Some(next),
                State::Sent { .. } | State::Dead { .. } | State::Unreachable { .. } => None,
            },
        }
    }
}

/// Deliveries of an approval's notifications, in the order of what happened.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"items": [{"type": "approval.requested", "role": "approver", "channel": "email",
    "state": "sent", "failures": 0, "tried_at": "2026-11-21T10:00:01Z", "address": "d***@example.com"}]}))]
pub struct Deliveries {
    /// At most 200.
    items: Vec<DeliveryItem>,
    /// Deliveries that are left out because they can't be read; absent if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>, nullable = false, minimum = 1)]
    unreadable: Option<NonZeroUsize>,
}

/// Which approval.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct ApprovalPath {
    /// The approval's id.
    #[param(example = "apr_AZOq4Yp7QkJ2cGx3eUpYcw0Zr3F8u1")]
    id: String,
}

/// Lists who was told of an approval.
///
/// For its requester and for administrators.
#[utoipa::path(
    operation_id = "approval-deliveries", tag = "notifications", params(ApprovalPath),
    responses((status = 200, description = "States; people aren't named.", body = Deliveries), CallerProblems),
    security(("user_token" = []))
)]
#[get("/v1/approvals/{id}/deliveries")]
pub async fn of_approval(
    Then(Reader { door, caller }, path): Then<Reader, web::Path<ApprovalPath>>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let found = deliveries::of_approval(&state.services, &door.tenant, &caller, &path.id).await?;
    let items = found.items.iter().map(DeliveryItem::from).collect();
    Ok(HttpResponse::Ok().json(Deliveries { items, unreadable: NonZeroUsize::new(found.unreadable) }))
}

/// A notification, as an administrator sees it.
#[derive(Serialize, ToSchema)]
pub struct NotificationItem {
    /// Its id; a webhook's receiver knows it as `webhook-id`.
    id: String,
    /// The audit event's id.
    event: String,
    /// The webhook's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    webhook: Option<String>,
    /// Id of the user who is told by e-mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    user: Option<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    made_at: Timestamp,
    /// How it went.
    delivery: DeliveryItem,
}

impl From<&Notification> for NotificationItem {
    fn from(notification: &Notification) -> Self {
        Self {
            id: notification.id().to_string(),
            event: notification.facts.event.as_str().to_owned(),
            webhook: notification.channel.webhook().map(str::to_owned),
            user: notification.recipient.as_ref().map(|recipient| recipient.user.as_str().to_owned()),
            made_at: notification.made,
            delivery: notification.into(),
        }
    }
}

/// A page of notifications, newest first.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"items": [{"id": "ntf_AAABnGqt2gDNPvvbTtnJQvKkUgT9pXzGmQJvK4bXGFqv0GvZQ9cVkw",
    "event": "evt_AZOq4Yp7QkJ2cGx3eUpYcw", "webhook": "ops", "made_at": "2026-11-21T10:00:00Z", "delivery": {
    "type": "approval.requested", "channel": "webhook", "state": "dead", "failures": 8,
    "tried_at": "2026-11-22T17:13:00Z", "problem": "http-500"}}], "next_cursor": null}))]
pub struct NotificationPage {
    /// The items.
    items: Vec<NotificationItem>,
    /// For the next page; `null` at the end.
    next_cursor: Option<String>,
    /// Items of this page that are left out because they can't be read; absent if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>, nullable = false, minimum = 1)]
    unreadable: Option<NonZeroUsize>,
}

/// In which state, and which page of them.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct NotificationQuery {
    /// `waiting`, `sent`, `dead` or `unreachable`; default `dead`.
    #[param(nullable = false, pattern = "^(waiting|sent|dead|unreachable)$", example = "dead")]
    state: Option<String>,
    /// Items on the page, 1 to 200; default 50.
    #[param(nullable = false, minimum = 1, maximum = 200, example = 50)]
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    #[param(nullable = false)]
    cursor: Option<String>,
}

/// Lists notifications by their state.
///
/// For administrators.
#[utoipa::path(
    operation_id = "notification-list", tag = "notifications", params(NotificationQuery),
    responses((status = 200, description = "A page.", body = NotificationPage), CallerProblems, AdministratorProblems),
    security(("user_token" = []))
)]
#[get("/v1/notifications")]
pub async fn list(
    Then(Reader { door, caller }, query): Then<Reader, Query<NotificationQuery>>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let NotificationQuery { state: asked, limit, cursor } = query.0;
    let page = PageQuery { limit, cursor };
    let position = (page.after()?, page.limit()?);
    let name = state_name(asked.as_deref())?;
    let found = deliveries::in_state(&state.services, &door.tenant, &caller, name, position).await?;
    let items = found.items.iter().map(NotificationItem::from).collect();
    let (next_cursor, unreadable) = (found.next.map(cursor_text), NonZeroUsize::new(found.unreadable));
    Ok(HttpResponse::Ok().json(NotificationPage { items, next_cursor, unreadable }))
}

fn state_name(asked: Option<&str>) -> Result<&'static str, ApiError> {
    let asked = asked.unwrap_or("dead");
    State::NAMES.into_iter().find(|name| *name == asked).ok_or_else(|| ApiError::Invalid {
        field: Some("state".to_owned()),
        problem: format!("must be one of {}", State::NAMES.join(", ")),
    })
}

/// Which notification.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct NotificationPath {
    /// The notification's id.
    #[param(example = "ntf_AAABnGqt2gDNPvvbTtnJQvKkUgT9pXzGmQJvK4bXGFqv0GvZQ9cVkw")]
    id: String,
}

/// Has a notification that was given up tried again.
///
/// For administrators.
#[utoipa::path(
    operation_id = "notification-retry", tag = "notifications", params(NotificationPath),
    responses(
        (status = 202, description = "It will be tried again.", body = NotificationItem,
         example = json!({"id": "ntf_AAABnGqt2gDNPvvbTtnJQvKkUgT9pXzGmQJvK4bXGFqv0GvZQ9cVkw",
            "event": "evt_AZOq4Yp7QkJ2cGx3eUpYcw", "webhook": "ops", "made_at": "2026-11-21T10:00:00Z",
            "delivery": {"type": "approval.requested", "channel": "webhook", "state": "waiting", "failures": 0,
                "next_try_at": "2026-11-23T08:00:00Z"}})),
        CallerProblems, AdministratorProblems,
        (status = 409, description = "`not-given-up`: it waits, or was sent.", body = Problem,
         content_type = "application/problem+json"),
    ),
    security(("user_token" = []))
)]
#[post("/v1/notifications/{id}/retry")]
pub async fn retry(
    Then(Writer { door, caller }, path): Then<Writer, web::Path<NotificationPath>>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let again = deliveries::retry(&state.services, &door.tenant, &caller, &path.id).await?;
    Ok(HttpResponse::Accepted().json(NotificationItem::from(&again)))
}
