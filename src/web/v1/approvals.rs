//! Approvals: what waits for a decision, and the decisions.

pub mod ask;
pub mod events;
pub mod signing;
mod view;

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use actix_web::{HttpResponse, get, post, web};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use utoipa::{IntoParams, ToSchema};

pub use self::view::{ApprovalItem, ApprovalParty};
use crate::{
    app::{
        approvals::{self, Cast, Role, Viewer, watching},
        error::AppError,
        idempotency::Sender,
    },
    domain::approval::{Approval, ApprovalId, Choice},
    web::{
        error::ApiError,
        extract::{
            ByEither, ForApprovals, Json, Query, Reader, Then, Writer, cursor_text, free_text, limit, parse_cursor,
        },
        once::{self, KeyHeader, Keyed},
        problem::{AdministratorProblems, BodyProblems, CallerProblems, Problem, SignInProblems},
        replicated,
        state::AppState,
    },
};

/// The most characters of a comment.
const COMMENT: usize = 500;

/// As whom, and which page.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// `requester` (the default): what I asked for. `delegator`: what was asked for on my behalf. `approver`: what
    /// awaits my vote; a page may be short and still have a next one. `administrator`: all.
    #[param(nullable = false, value_type = Option<String>, pattern = "^(requester|delegator|approver|administrator)$",
            example = "approver")]
    role: Option<RoleName>,
    /// Items on the page, 1 to 200; default 50.
    #[param(nullable = false, minimum = 1, maximum = 200, example = 50)]
    limit: Option<usize>,
    /// `next_cursor` of the page before.
    #[param(nullable = false)]
    cursor: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RoleName {
    Requester,
    Delegator,
    Approver,
    Administrator,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Requester => Self::Requester,
            RoleName::Delegator => Self::Delegator,
            RoleName::Approver => Self::Approver,
            RoleName::Administrator => Self::Administrator,
        }
    }
}

/// A page of approvals, newest first.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"items": [], "next_cursor": null}))]
pub struct ApprovalPage {
    /// The items.
    items: Vec<ApprovalItem>,
    /// For the next page; `null` at the end.
    next_cursor: Option<String>,
    /// Items of this page that are left out because they can't be read; absent if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>, nullable = false, minimum = 1)]
    unreadable: Option<NonZeroUsize>,
}

/// Lists approvals: mine, those on my behalf, those that await my vote, or all.
///
/// Newest first; `role` says which.
#[utoipa::path(
    operation_id = "approval-list", tag = "approvals", params(ListQuery),
    responses((status = 200, description = "A page.", body = ApprovalPage), CallerProblems, AdministratorProblems),
    security(("user_token" = []))
)]
#[get("/v1/approvals")]
pub async fn list(
    Then(Reader { door, caller }, query): Then<Reader, Query<ListQuery>>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let (limit, after) = (limit(query.limit)?, query.cursor.as_deref().map(parse_cursor).transpose()?);
    let role = query.role.map_or(Role::Requester, Role::from);
    let found = approvals::list(&state.services, &door.tenant, &caller, role, after, limit).await?;
    let items = found.items.into_iter().map(ApprovalItem::from).collect();
    let (next_cursor, unreadable) = (found.next.map(cursor_text), NonZeroUsize::new(found.unreadable));
    Ok(HttpResponse::Ok().json(ApprovalPage { items, next_cursor, unreadable }))
}

/// Which approval.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct ApprovalPath {
    /// Its id.
    #[param(example = "apr_AZOq4Yp7kJ2cGx3eUpYc1FhT0V6a1A")]
    id: String,
}

impl ApprovalPath {
    /// The id; what is none names no approval.
    pub fn id(&self) -> Result<ApprovalId, ApiError> {
        Ok(ApprovalId::parse(&self.id).ok_or(AppError::NotFound("approval"))?)
    }
}

/// Whether to wait for a change.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WaitQuery {
    /// Answer only when the revision is another than `after_revision`, or after this time: 1s to 60s.
    #[param(nullable = false, example = "30s")]
    wait: Option<String>,
    /// The revision that is known already.
    #[param(nullable = false, minimum = 0, example = 1)]
    after_revision: Option<u64>,
}

impl WaitQuery {
    fn until(&self) -> Result<Option<(Instant, u64)>, ApiError> {
        let Some(text) = &self.wait else { return Ok(None) };
        let seconds = text.strip_suffix('s').unwrap_or(text);
        let is_number = (1..=2).contains(&seconds.len()) && seconds.bytes().all(|b| b.is_ascii_digit());
        let wait = seconds.parse().ok().filter(|_| is_number).map(Duration::from_secs);
        let wait = wait.filter(|wait| (Duration::from_secs(1)..=watching::LONGEST_WAIT).contains(wait));
        let wait = wait.ok_or_else(|| ApiError::Invalid {
            field: Some("wait".to_owned()),
            problem: "must be 1s to 60s".to_owned(),
        })?;
        Ok(Some((Instant::now() + wait, self.after_revision.unwrap_or(0))))
    }
}

/// Shows an approval, at once or when it has changed.
///
/// Whoever asked for it, on whose behalf, who may decide or has decided, and administrators see it, and the application that
/// asked for it on its own; to everybody else it isn't there. With `wait` the answer comes when the revision is greater than `after_revision`, and otherwise at
/// the end of that time, or when this process stops, with the approval as it is.
#[utoipa::path(
    operation_id = "approval-get", tag = "approvals", params(ApprovalPath, WaitQuery),
    responses((status = 200, description = "The approval.", body = ApprovalItem), CallerProblems, (status = 429, description = "`too-many-watchers`: too many wait for changes already. `rate-limited`: too many requests of this caller.", headers(("retry-after" = u64, description = "Seconds to wait.")), body = Problem, content_type = "application/problem+json"), (status = 403, description = "`right-missing`: the application is registered without the right `approvals`. `delegated-token`: the token is itself delegated.", body = Problem, content_type = "application/problem+json")),
    security(("user_token" = []), ("application_token" = []))
)]
#[get("/v1/approvals/{id}")]
pub async fn get(
    Then(by, Then(path, query)): Then<ByEither<ForApprovals>, Then<web::Path<ApprovalPath>, Query<WaitQuery>>>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let (id, until) = (path.id()?, query.until()?);
    let services = &state.services;
    let Some((until, after)) = until else {
        let approval = viewer(&by).find(services, &by.door().tenant, id).await?;
        return Ok(shown(approval));
    };
    let mut watch = watching::watch(services, &by.door().tenant, viewer(&by), id).await?;
    // Whoever knows of more than there is saw what a restore took back: he is told at once.
    while watch.last().revision == after && watch.next(until).await.is_some() {}
    viewer(&by).may_see(&by.door().tenant, watch.last()).await?;
    Ok(shown(watch.last().clone()))
}

/// Who looks.
fn viewer<R>(by: &ByEither<R>) -> Viewer<'_> {
    match by {
        ByEither::User(user) => Viewer::User(&user.caller),
        ByEither::Application(application) => Viewer::Application(&application.caller),
    }
}

fn shown(approval: Approval) -> HttpResponse {
    HttpResponse::Ok().json(ApprovalItem::from(approval))
}

/// A decision.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"decision": "approve", "version": 1, "comment": "as agreed"}))]
pub struct VoteRequest {
    /// `approve` or `deny`.
    #[schema(value_type = String, pattern = "^(approve|deny)$", example = "approve")]
    decision: Choice,
    /// The version of the request that you saw.
    #[schema(minimum = 1)]
    version: u32,
    /// Why.
    #[schema(max_length = 500)]
    comment: Option<String>,
    /// Where the rule asks for one: the answer to a challenge.
    signature: Option<signing::SignatureRequest>,
}

/// Decides about a request.
///
/// The first denial wins; one person counts once; nobody decides about his own request.
#[utoipa::path(
    operation_id = "approval-vote", tag = "approvals", params(ApprovalPath, KeyHeader), request_body = VoteRequest,
    responses(
        (status = 200, description = "The vote counts.", body = ApprovalItem, headers(
            ("idempotent-replayed" = bool, description = "True if this is the answer of before, to the same key."))),
        CallerProblems, BodyProblems, SignInProblems, (status = 403, description = "`not-an-approver`: the rule doesn't name me, or I asked for it. `delegated-token` or `scope-missing`: the token may not be used for it.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`approval-closed` (with its `state`), `already-voted`, `version-changed`, \
         `epoch-changed` or `signature-spent`; `idempotency-in-progress`: the first request with this \
         `Idempotency-Key` hasn't ended.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`signature-required`, `signature-level`, `no-room` or `idempotency-key-reused`; or why the signature doesn't \
         count, such as `challenge-used`, `key-unknown`, `signature-wrong`, `name-differs`: the challenge is spent then.", body = Problem,
         content_type = "application/problem+json"),
        (status = 423, description = "`locked`: my account is locked.", body = Problem,
         content_type = "application/problem+json"),
    ),
    security(("user_token" = []))
)]
#[post("/v1/approvals/{id}/votes")]
pub async fn vote(
    Then(Writer { door, caller }, Then(path, Keyed { body, once })): Then<
        Writer,
        Then<web::Path<ApprovalPath>, Keyed<VoteRequest>>,
    >,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let VoteRequest { decision, version, comment, signature } = body;
    let cast = Cast { choice: decision, version, comment: free_text("comment", comment, COMMENT)? };
    let (id, signature) = (path.id()?, signature.map(signing::signature).transpose()?);
    let (sender, here, at) = (caller.user.clone(), state.clone(), Arc::clone(&door));
    // In a box: it is large, and lies in two others.
    let work = Box::pin(async move {
        let (services, tenant) = (&here.services, &at.tenant);
        let proof = match signature {
            Some(given) => Some(approvals::prove(services, tenant, &caller, id, decision, &given).await?),
            None => None,
        };
        let approval = approvals::vote(services, tenant, &caller, id, cast, proof).await?;
        let mut answer = HttpResponse::Ok();
        if decision == Choice::Deny {
            replicated::say(&mut answer, replicated::wait(&here, &at).await);
        }
        Ok(answer.json(ApprovalItem::from(approval)))
    });
    once::answer(once, &state, &door, Sender::User(sender.as_str()), work).await
}

/// Takes back my request while it waits.
///
/// What is decided already is taken back by `POST /v1/approvals/{id}/revoke`.
#[utoipa::path(
    operation_id = "approval-withdraw", tag = "approvals", params(ApprovalPath),
    responses(
        (status = 200, description = "Withdrawn.", body = ApprovalItem),
        CallerProblems, (status = 403, description = "`not-yours`: only who asked for it may. `delegated-token` or `scope-missing`: the token may not be used for it.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`approval-closed` (with its `state`).", body = Problem,
         content_type = "application/problem+json"),
    ),
    security(("user_token" = []))
)]
#[post("/v1/approvals/{id}/withdraw")]
pub async fn withdraw(
    Then(Writer { door, caller }, path): Then<Writer, web::Path<ApprovalPath>>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let approval = approvals::withdraw(&state.services, &door.tenant, &caller, path.id()?).await?;
    Ok(shown(approval))
}

/// Why it is taken back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "no longer needed"}))]
pub struct RevokeRequest {
    /// Why.
    #[schema(max_length = 500)]
    reason: Option<String>,
}

/// Takes back a decision.
///
/// Whoever asked for it, whoever voted, or an administrator may. Takes effect on the next hook.
#[utoipa::path(
    operation_id = "approval-revoke", tag = "approvals", params(ApprovalPath), request_body = RevokeRequest,
    responses(
        (status = 200, description = "Revoked.", body = ApprovalItem),
        CallerProblems, BodyProblems, (status = 403, description = "`not-yours`: only who asked for it, who voted, or an administrator may. `delegated-token` or `scope-missing`: the token may not be used for it.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`approval-closed` or `approval-pending` (with its `state`).", body = Problem,
         content_type = "application/problem+json"),
    ),
    security(("user_token" = []))
)]
#[post("/v1/approvals/{id}/revoke")]
pub async fn revoke(
    Then(Writer { door, caller }, Then(path, Json(body))): Then<
        Writer,
        Then<web::Path<ApprovalPath>, Json<RevokeRequest>>,
    >,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let why = free_text("reason", body.reason, COMMENT)?;
    let approval = approvals::revoke(&state.services, &door.tenant, &caller, path.id()?, why.as_deref()).await?;
    let mut answer = HttpResponse::Ok();
    replicated::say(&mut answer, replicated::wait(&state, &door).await);
    Ok(answer.json(ApprovalItem::from(approval)))
}
