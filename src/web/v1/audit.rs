//! The audit trail.

use actix_web::{HttpResponse, get, web};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    app::audit::{self, Filter},
    domain::audit::Event,
    ports::store::Seq,
    web::{
        error::ApiError,
        extract::{Query, Reader, Then, limit},
        problem::CallerProblems,
        state::AppState,
    },
};

/// Which events, and which page of them.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Id of who did it.
    #[param(nullable = false, example = "00u1ann")]
    actor: Option<String>,
    /// Id of on whose behalf.
    #[param(nullable = false, example = "00u1bob")]
    delegator: Option<String>,
    /// Code (`DA1000`) or type (`hook.decision.granted`).
    #[param(nullable = false, example = "DA1000")]
    code: Option<String>,
    /// Not before this time (RFC 3339).
    #[param(nullable = false, value_type = Option<String>, example = "2026-11-21T00:00:00Z")]
    from: Option<String>,
    /// Before this time (RFC 3339).
    #[param(nullable = false, value_type = Option<String>, example = "2026-11-22T00:00:00Z")]
    to: Option<String>,
    /// `next_cursor` of the page before.
    #[param(nullable = false)]
    cursor: Option<String>,
    /// Items on the page, 1 to 200; default 50.
    #[param(nullable = false, minimum = 1, maximum = 200, example = 50)]
    limit: Option<usize>,
}

/// An event with its number.
#[derive(Serialize, ToSchema)]
pub struct AuditItem {
    /// 1, 2, 3 … without a gap in the tenant.
    seq: u64,
    /// The event.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    event: Event,
}

/// A page of events, oldest first.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"items": [{"seq": 7, "v": 1, "id": "evt_AZOq4Yp7QkJ2cGx3eUpYcw",
    "time": "2026-11-21T10:00:30.123456Z", "code": "DA1000", "type": "hook.decision.granted", "severity": "info",
    "tenant": "default", "outcome": {"result": "success", "reason": null},
    "actor": {"type": "user", "id": "00u1ann", "login": "ann@example.com"},
    "on_behalf_of": {"type": "user", "id": "00u1bob", "login": "bob@example.com"}}], "next_cursor": null, "first_seq": 1}))]
pub struct AuditPage {
    /// The events. A page may be empty and still have a next one.
    items: Vec<AuditItem>,
    /// For the next page; `null` at the end.
    next_cursor: Option<String>,
    /// Number of the first event that is kept: greater than 1 once older ones were dropped (`audit.keep`).
    first_seq: u64,
}

/// Lists audit events.
///
/// All for an administrator, for everybody else those that concern him. Oldest first, in the order of `seq`: the last
/// page is where new events come in.
#[utoipa::path(
    operation_id = "audit-list", tag = "audit", params(AuditQuery),
    responses((status = 200, description = "A page.", body = AuditPage), CallerProblems),
    security(("user_token" = []))
)]
#[get("/v1/audit")]
pub async fn list(
    Then(Reader { door, caller }, query): Then<Reader, Query<AuditQuery>>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let query = query.0;
    let filter = Filter {
        from: time("from", query.from.as_deref())?,
        to: time("to", query.to.as_deref())?,
        actor: query.actor,
        delegator: query.delegator,
        code: query.code,
    };
    let after = Seq(number("cursor", query.cursor.as_deref())?);
    let limit = limit(query.limit)?;
    let page = audit::page(&state.services, &door.tenant, &caller, &filter, after, limit).await?;
    let items = page.events.into_iter().map(|(seq, event)| AuditItem { seq: seq.0, event }).collect();
    let next_cursor = page.next.map(|seq| seq.0.to_string());
    Ok(HttpResponse::Ok().json(AuditPage { items, next_cursor, first_seq: page.first.0 }))
}

fn time(field: &str, text: Option<&str>) -> Result<Option<Timestamp>, ApiError> {
    let bad = |_| ApiError::Invalid { field: Some(field.to_owned()), problem: "is no RFC 3339 time".to_owned() };
    text.map(|t| t.parse().map_err(bad)).transpose()
}

fn number(field: &str, text: Option<&str>) -> Result<u64, ApiError> {
    let bad =
        |_| ApiError::Invalid { field: Some(field.to_owned()), problem: "is none that this list gave".to_owned() };
    text.map_or(Ok(0), |t| t.parse().map_err(bad))
}
