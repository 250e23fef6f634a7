//! Delegations: begin, list, cancel. The agent's own.

use std::num::NonZeroUsize;

use actix_web::{HttpRequest, HttpResponse, delete, get, http::header::LOCATION, post, web};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    app::{
        begin_delegation::{self, Outcome},
        delegations,
    },
    domain::{approval::Approval, ids::DelegationRef},
    ports::shown::ShownUser,
    web::{
        error::ApiError,
        extract::{Json, PageQuery, Query, Reader, Then, Writer, cursor_text, free_text, scope_set, user_ref},
        people::Person,
        problem::{BodyProblems, CallerProblems, Problem},
        state::AppState,
        v1::approvals::ApprovalItem,
    },
};

/// On whose behalf, and why.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"delegator": "bob@example.com", "reason": "invoice run"}))]
pub struct BeginRequest {
    /// Id or login of the delegator.
    #[schema(min_length = 1, max_length = 320)]
    delegator: String,
    /// Upper bound of the delegated token's scopes; default: those of the access token.
    #[schema(min_items = 1, max_items = 100)]
    scopes: Option<Vec<String>>,
    /// Why, in the agent's words.
    #[schema(max_length = 500)]
    reason: Option<String>,
    /// A ticket number.
    #[schema(max_length = 100)]
    ticket: Option<String>,
    /// Skip the votes of the approval that the rule asks for, in an emergency. Needs the role for it.
    break_glass: Option<BreakGlass>,
}

/// An emergency. Everybody who would have decided is told, and an administrator reviews it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BreakGlass {
    /// Why; at least 20 characters.
    #[schema(min_length = 20, max_length = 500)]
    reason: String,
}

/// A delegation that people decide about first.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "approval": {
        "id": "apr_AZOq4Yp7kJ2cGx3eUpYc1FhT0V6a1A", "state": "PENDING", "version": 1, "revision": 1,
        "requester": {"id": "00u1ann", "login": "ann@example.com"},
        "delegator": {"id": "00u1bob", "login": "bob@example.com"}, "client": "app", "scopes": ["payments.read"],
        "reason": "invoice run", "rule": "finance directors",
        "template": {"type": "approve", "approvers": ["group:00gsecops"], "signatures": [], "quorum": 1, "max_uses": 1,
            "valid_for_s": 3600, "use_within_s": 900, "reason": "required", "ticket": "optional",
            "digest": "sha256:43abdb316b4e1e8bcb49518bbbe616a4f55808350db5ba4cf012cdd6cdd3dea7"},
        "digest": "sha256:dc29c9f9faa6feb5872e5a5805bda9401a5d5a715c091e5c9e31f9269c8cf779",
        "created_at": "2026-11-21T10:00:00Z", "decide_by": "2026-11-21T11:00:00Z", "uses": 0, "votes": []},
    "wait": {
        "poll": "/v1/approvals/apr_AZOq4Yp7kJ2cGx3eUpYc1FhT0V6a1A?wait=30s&after_revision=1",
        "events": "/v1/approvals/apr_AZOq4Yp7kJ2cGx3eUpYc1FhT0V6a1A/events"}
}))]
pub struct Waiting {
    /// The approval. Once it is `APPROVED`, the same call begins the delegation.
    approval: ApprovalItem,
    /// How to learn of the decision.
    wait: Wait,
}

/// Where to wait; paths on this server.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "poll": "/v1/approvals/apr_AZOq4Yp7kJ2cGx3eUpYc1FhT0V6a1Y?wait=30s&after_revision=1",
    "events": "/v1/approvals/apr_AZOq4Yp7kJ2cGx3eUpYc1FhT0V6a1Y/events"
}))]
pub struct Wait {
    /// Answers when the approval has changed, or after 30 s.
    poll: String,
    /// Server-sent events.
    events: String,
}

/// A delegation that waits for its hook.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "delegationid": "dlg_AZOq4Yp7QkJ2cGx3eUpYc1FhT0V6a1Z0bUJ3TnJIZ0RsU2lQdUY",
    "reference": "dlr_AAABk6rhinslL0u1iP0w3CqJZ2bV5Jm8cQxkT7nYdRfEoWgLhMsUvA",
    "expires_at": "2026-11-21T10:01:00Z",
    "delegator": {"id": "00u1bob", "login": "bob@example.com", "display_name": "Bob Builder (bob@example.com)"}
}))]
pub struct Begun {
    /// The id to send along with the token refresh, once. A secret: shown this one time.
    delegationid: String,
    /// Names the delegation in lists and in the audit trail; opens nothing.
    reference: String,
    /// The first instant at which the id can't be used any more.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// On whose behalf.
    delegator: Person,
}

/// Begins a delegation.
///
/// Send the `delegationid` along with the next refresh of the user's access token, as `state` or as the query
/// parameter `delegationid` of the token URL. It works once, for this user and this client, within its life.
///
/// Where a rule asks for an approval, the answer is 202 until enough people have said yes; then the same call, with the
/// same scopes, reason and ticket, begins the delegation. Where it asks for a reservation, the delegator's account is
/// held for the caller, unless he holds it already.
#[utoipa::path(
    operation_id = "delegation-begin", tag = "delegations", request_body = BeginRequest,
    responses(
        (status = 201, description = "Begun.", body = Begun),
        (status = 202, description = "Somebody has to approve first.", body = Waiting,
         headers(("location" = String, description = "The approval."))),
        CallerProblems, BodyProblems, (status = 429, description = "`too-many-pending`: too many of my delegations wait for their hook. `too-many-open`: too many of my requests wait for a decision; `retry-after` says when one of them ends at the latest. `too-many-held`: I hold as many accounts as I may. `rate-limited`: too many requests of this user.", headers(("retry-after" = u64, description = "Seconds to wait.")), body = Problem, content_type = "application/problem+json"), (status = 403, description = "`not-delegated`: whatever the cause. `scope-not-allowed`: the rule doesn't allow a scope. `not-a-member`: I may not reserve the account. `break-glass-role`: I may not skip votes. `delegated-token` or `scope-missing`: the token may not be used for it.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`reserved`: somebody else holds the account, `until` then; `lifetime-too-short`: \
         what is left of the approval is less than a token lives at least.", body = Problem,
         content_type = "application/problem+json"),
        (status = 422, description = "`reason-required`, `ticket-required`, `no-approvers` or `break-glass-reason`.",
         body = Problem, content_type = "application/problem+json"),
        (status = 423, description = "`locked`: the delegator's or the agent's account is locked.",
         body = Problem, content_type = "application/problem+json"),
    ),
    security(("user_token" = []))
)]
#[post("/v1/delegations")]
pub async fn begin(
    Then(Writer { door, caller }, Json(body)): Then<Writer, Json<BeginRequest>>,
    state: web::Data<AppState>,
    call: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let break_glass = body.break_glass.map(|it| it.reason);
    let request = begin_delegation::Request {
        delegator: user_ref("delegator", &body.delegator)?,
        scopes: body.scopes.map(|scopes| scope_set("scopes", scopes)).transpose()?,
        reason: free_text("reason", body.reason, 500)?,
        ticket: free_text("ticket", body.ticket, 100)?,
        break_glass: free_text("break_glass.reason", break_glass, 500)?,
    };
    let begun = match begin_delegation::begin(&state.services, &door.tenant, &caller, request).await? {
        Outcome::Begun(begun) => begun,
        Outcome::Waits(approval) => return Ok(waiting(*approval, call.path())),
    };
    Ok(HttpResponse::Created().json(Begun {
        delegationid: begun.id.expose().to_owned(),
        reference: DelegationRef(begun.id.record()).to_string(),
        expires_at: begun.expires,
        delegator: Person::of(&ShownUser::from(&begun.delegator), &door),
    }))
}

fn waiting(approval: Approval, path: &str) -> HttpResponse {
    let prefix = path.strip_suffix("/v1/delegations").unwrap_or_default();
    let at = format!("{prefix}/v1/approvals/{}", approval.id);
    let wait =
        Wait { poll: format!("{at}?wait=30s&after_revision={}", approval.revision), events: format!("{at}/events") };
    let body = Waiting { approval: ApprovalItem::from(approval), wait };
    HttpResponse::Accepted().insert_header((LOCATION, at)).json(body)
}

/// A user as the delegation remembers him.
#[derive(Serialize, ToSchema)]
pub struct Remembered {
    /// Immutable id.
    id: String,
    /// Login at the time.
    login: String,
}

/// A delegation, without its secret.
#[derive(Serialize, ToSchema)]
pub struct DelegationItem {
    /// Names the delegation; opens nothing.
    reference: String,
    /// `PENDING`, `CONSUMED`, `EXPIRED` or `CANCELLED`.
    state: &'static str,
    /// On whose behalf.
    delegator: Remembered,
    /// The client that began it.
    client: String,
    /// Upper bound of the token's scopes.
    scopes: Vec<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<String>,
    /// A ticket number.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    ticket: Option<String>,
    /// The rule that matched.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    rule: Option<String>,
    /// When it was begun.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// The first instant at which it can't be used any more.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// A page of delegations, newest first.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"items": [{
    "reference": "dlr_AAABk6rhinslL0u1iP0w3CqJZ2bV5Jm8cQxkT7nYdRfEoWgLhMsUvA", "state": "CONSUMED",
    "delegator": {"id": "00u1bob", "login": "bob@example.com"}, "client": "app", "scopes": ["openid"],
    "created_at": "2026-11-21T10:00:00Z", "expires_at": "2026-11-21T10:01:00Z"}], "next_cursor": null}))]
pub struct DelegationPage {
    /// The items.
    items: Vec<DelegationItem>,
    /// For the next page; `null` at the end.
    next_cursor: Option<String>,
    /// Items of this page that are left out because they can't be read; absent if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>, nullable = false, minimum = 1)]
    unreadable: Option<NonZeroUsize>,
}

/// Lists my delegations.
///
/// Newest first. Their secret ids aren't shown again; `reference` names them.
#[utoipa::path(
    operation_id = "delegation-list", tag = "delegations", params(PageQuery),
    responses((status = 200, description = "A page.", body = DelegationPage), CallerProblems),
    security(("user_token" = []))
)]
#[get("/v1/delegations")]
pub async fn list(
    Then(Reader { door, caller }, page): Then<Reader, Query<PageQuery>>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let (after, limit) = (page.after()?, page.limit()?);
    let found = delegations::list(&state.services, &door.tenant, &caller, after, limit).await?;
    let items = found.items.into_iter().map(item).collect();
    let (next_cursor, unreadable) = (found.next.map(cursor_text), NonZeroUsize::new(found.unreadable));
    Ok(HttpResponse::Ok().json(DelegationPage { items, next_cursor, unreadable }))
}

fn item(mine: delegations::Mine) -> DelegationItem {
    let delegation = mine.delegation;
    DelegationItem {
        reference: mine.reference.to_string(),
        state: delegation.state.name(),
        delegator: Remembered { id: delegation.delegator.id.into(), login: delegation.delegator.login.into() },
        client: delegation.binding.client.into(),
        scopes: delegation.scopes.into_iter().collect(),
        reason: delegation.reason,
        ticket: delegation.ticket,
        rule: delegation.rule,
        created_at: delegation.created,
        expires_at: delegation.expires,
    }
}

/// Which delegation.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct DelegationPath {
    /// The `delegationid` or the `reference`.
    #[param(example = "dlr_AAABk6rhinslL0u1iP0w3CqJZ2bV5Jm8cQxkT7nYdRfEoWgLhMsUvA")]
    id: String,
}

/// Cancels a delegation that waits for its hook.
///
/// Mine alone. To cancel it twice is no mistake.
#[utoipa::path(
    operation_id = "delegation-cancel", tag = "delegations", params(DelegationPath),
    responses(
        (status = 204, description = "Cancelled, now or before."),
        CallerProblems,
        (status = 409, description = "`not-pending`: used or expired.", body = Problem,
         content_type = "application/problem+json"),
    ),
    security(("user_token" = []))
)]
#[delete("/v1/delegations/{id}")]
pub async fn cancel(
    Then(Writer { door, caller }, path): Then<Writer, web::Path<DelegationPath>>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    delegations::cancel(&state.services, &door.tenant, &caller, &path.id).await?;
    Ok(HttpResponse::NoContent().finish())
}
