//! Reviews of emergencies in which votes were skipped.

use std::num::NonZeroUsize;

use actix_web::{HttpResponse, get, post, web};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::approvals::{ApprovalParty, ApprovalPath};
use crate::{
    app::approvals::reviews::{self, Closing, Review},
    web::{
        error::ApiError,
        extract::{Json, PageQuery, Query, Reader, Then, Writer, cursor_text, free_text},
        problem::{BodyProblems, CallerProblems, Problem},
        state::AppState,
    },
};

/// The end of a review.
#[derive(Serialize, ToSchema)]
pub struct ClosingItem {
    /// Who closed it.
    by: ApprovalParty,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// What he found.
    comment: String,
}

impl From<Closing> for ClosingItem {
    fn from(closing: Closing) -> Self {
        Self { by: closing.by.into(), at: closing.at, comment: closing.comment }
    }
}

/// An emergency that is to be looked at afterwards.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"id": "apr_AZOq4Yp7kJ2cGx3eUpYc1FhT0V6a1A", "state": "OPEN",
    "requester": {"id": "00u1ann", "login": "ann@example.com"},
    "delegator": {"id": "00u1bob", "login": "bob@example.com"}, "rule": "finance directors",
    "reason": "payroll closes at noon, nobody of secops answers", "denied": null, "opened_at": "2026-11-21T10:00:00Z", "closed": null}))]
pub struct ReviewItem {
    /// The approval whose votes were skipped.
    id: String,
    /// `OPEN` or `CLOSED`.
    state: &'static str,
    /// Who skipped them.
    requester: ApprovalParty,
    /// On whose behalf.
    delegator: ApprovalParty,
    /// The rule that demanded the approval.
    rule: String,
    /// Why, in his words.
    reason: String,
    /// The approval for the same that was denied before the votes were skipped.
    denied: Option<String>,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    opened_at: Timestamp,
    /// The end of the review.
    closed: Option<ClosingItem>,
}

impl From<Review> for ReviewItem {
    fn from(review: Review) -> Self {
        Self {
            id: review.approval.to_string(),
            state: if review.closed.is_some() { "CLOSED" } else { "OPEN" },
            requester: review.requester.into(),
            delegator: review.delegator.into(),
            rule: review.rule,
            reason: review.reason,
            denied: review.denied.map(|id| id.to_string()),
            opened_at: review.opened,
            closed: review.closed.map(ClosingItem::from),
        }
    }
}

/// A page of reviews, newest first.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"items": [], "next_cursor": null}))]
pub struct ReviewPage {
    /// The items.
    items: Vec<ReviewItem>,
    /// For the next page; `null` at the end.
    next_cursor: Option<String>,
    /// Items of this page that are left out because they can't be read; absent if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>, nullable = false, minimum = 1)]
    unreadable: Option<NonZeroUsize>,
}

/// Lists reviews of emergencies in which votes were skipped.
///
/// All for an administrator, those of my own emergencies for everybody else.
#[utoipa::path(
    operation_id = "review-list", tag = "approvals", params(PageQuery),
    responses((status = 200, description = "A page.", body = ReviewPage), CallerProblems),
    security(("user_token" = []))
)]
#[get("/v1/reviews")]
pub async fn list(
    Then(Reader { door, caller }, page): Then<Reader, Query<PageQuery>>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let (after, limit) = (page.after()?, page.limit()?);
    let found = reviews::list(&state.services, &door.tenant, &caller, after, limit).await?;
    let items = found.items.into_iter().map(ReviewItem::from).collect();
    let (next_cursor, unreadable) = (found.next.map(cursor_text), NonZeroUsize::new(found.unreadable));
    Ok(HttpResponse::Ok().json(ReviewPage { items, next_cursor, unreadable }))
}

/// What was found.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"comment": "talked to Ann; the run was due"}))]
pub struct CloseRequest {
    /// What was found.
    #[schema(min_length = 1, max_length = 500)]
    comment: String,
}

/// Closes a review.
///
/// As an administrator whose emergency it wasn't.
#[utoipa::path(
    operation_id = "review-close", tag = "approvals", params(ApprovalPath), request_body = CloseRequest,
    responses(
        (status = 200, description = "Closed.", body = ReviewItem),
        CallerProblems, BodyProblems, (status = 403, description = "`administrator-only`: this takes the administrator's role. `own-review`: it was my emergency. `delegated-token` or `scope-missing`: the token may not be used for it.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`review-closed`.", body = Problem, content_type = "application/problem+json"),
        (status = 423, description = "`locked`: my account is locked.", body = Problem,
         content_type = "application/problem+json"),
    ),
    security(("user_token" = []))
)]
#[post("/v1/reviews/{id}/close")]
pub async fn close(
    Then(Writer { door, caller }, Then(path, Json(body))): Then<
        Writer,
        Then<web::Path<ApprovalPath>, Json<CloseRequest>>,
    >,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let comment = free_text("comment", Some(body.comment), 500)?.ok_or_else(|| ApiError::Invalid {
        field: Some("comment".to_owned()),
        problem: "must say something".to_owned(),
    })?;
    let review = reviews::close(&state.services, &door.tenant, &caller, path.id()?, &comment).await?;
    Ok(HttpResponse::Ok().json(ReviewItem::from(review)))
}
