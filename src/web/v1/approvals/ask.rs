//! An application asks for an approval on its own.

use std::sync::Arc;

use actix_web::{HttpResponse, post, web};
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};
use utoipa::ToSchema;

use super::ApprovalItem;
use crate::{
    app::{
        approvals::{self, Wanted},
        idempotency::Sender,
    },
    domain::approval::application::{DataFault, FromApplication, TITLE, check_text, object},
    web::{
        error::ApiError,
        extract::{ByApplication, ForApprovals, Then, free_text, user_ref},
        once::{self, KeyHeader, Keyed},
        problem::{ApplicationProblems, BodyProblems, Problem},
        state::AppState,
    },
};

/// The most characters of a reason.
const REASON: usize = 500;
/// The most characters of a ticket's number.
const TICKET: usize = 100;
/// The most characters of the name in a token.
const SUBJECT: usize = 320;

/// What the application asks for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"user": "bob@example.com", "title": "Release payment run 4711",
    "context": {"amount": 125_000, "currency": "EUR"}, "reason": "end of month"}))]
pub struct AskRequest {
    /// About whom: id or login. Default: the `sub` of the token. He can't decide about it.
    #[schema(min_length = 1, max_length = 320)]
    user: Option<String>,
    /// What it is about.
    #[schema(max_length = 200)]
    title: String,
    /// What approvers should know, beside the token's own claims: shown to them as data from the application. At most
    /// 8 KiB with the claims, four deep; no name twice in one place, and only numbers that are exact in JSON.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    context: Option<Box<RawValue>>,
    /// Why.
    #[schema(max_length = 500)]
    reason: Option<String>,
    /// A ticket number.
    #[schema(max_length = 100)]
    ticket: Option<String>,
}

/// Asks for an approval, as an application with the right `approvals`.
///
/// Who decides is set by its registration. No delegation is ever granted by it: what follows from it is the
/// application's business.
#[utoipa::path(
    operation_id = "approval-ask", tag = "approvals", params(KeyHeader), request_body = AskRequest,
    responses(
        (status = 201, description = "It waits for votes.", body = ApprovalItem, headers(
            ("idempotent-replayed" = bool, description = "True if this is the answer of before, to the same key."))),
        (status = 200, description = "The same request waits, or stands, already.", body = ApprovalItem),
        (status = 401, description = "`invalid-token`: the application's token isn't valid here, or was used before.",
         body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`idempotency-in-progress`: the first request with this `Idempotency-Key` hasn't \
         ended.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`reason-required`, `ticket-required`, `no-approvers`, `request-too-long` or \
         `idempotency-key-reused`.",
         body = Problem, content_type = "application/problem+json"),
        ApplicationProblems, BodyProblems, (status = 429, description = "`too-many-open`: too many requests of this application wait; `retry-after` says when one of them ends at the latest. `rate-limited`: too many requests of this application.", headers(("retry-after" = u64, description = "Seconds to wait.")), body = Problem, content_type = "application/problem+json"),
    ),
    security(("application_token" = []))
)]
#[post("/v1/approvals")]
pub async fn ask(
    Then(ByApplication { door, caller, .. }, Keyed { body, mut once }): Then<
        ByApplication<ForApprovals>,
        Keyed<AskRequest>,
    >,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let subject = caller.token.subject.clone();
    let named = body.user.as_ref().or(subject.as_ref()).ok_or_else(|| ApiError::Invalid {
        field: Some("user".to_owned()),
        problem: "is missing, and the token has no `sub`".to_owned(),
    })?;
    let user = user_ref("user", named)?;
    check_text(&body.title, TITLE).map_err(|_| ApiError::Invalid {
        field: Some("title".to_owned()),
        problem: format!(
            "must have 1 to {TITLE} characters, some to be seen, in Unicode normalization form C and without \
             invisible or formatting characters"
        ),
    })?;
    let context = body.context.map_or(Ok(Map::new()), |text| object(text.get()));
    let context = context.map_err(|fault| invalid("context", fault))?;
    let claims = caller.token.custom.clone().map_err(|fault| invalid("claims of the token", fault))?;
    subject.as_ref().map_or(Ok(()), |text| check_text(text, SUBJECT)).map_err(|fault| invalid("sub", fault))?;
    let (reason, ticket) = (free_text("reason", body.reason, REASON)?, free_text("ticket", body.ticket, TICKET)?);
    let uri = caller.application.uri.clone();
    let said = FromApplication { uri, title: body.title, subject, context, claims };
    said.data().map_err(|fault| invalid("context", fault))?;
    // The token says a part of what is asked.
    if let Some(once) = &mut once {
        once.also(said.subject.as_deref().unwrap_or_default());
        once.also(&Value::from(said.claims.clone()).to_string());
    }
    let (sender, here, at) = (said.uri.clone(), state.clone(), Arc::clone(&door));
    once::answer(once, &state, &door, Sender::Application(sender.as_str()), async move {
        let wanted = Wanted { user: &user, said, reason, ticket };
        let (approval, is_new) = approvals::ask(&here.services, &at.tenant, &caller, wanted).await?;
        let mut answer = if is_new { HttpResponse::Created() } else { HttpResponse::Ok() };
        Ok(answer.json(ApprovalItem::from(approval)))
    })
    .await
}

fn invalid(field: &str, fault: DataFault) -> ApiError {
    ApiError::Invalid { field: Some(field.to_owned()), problem: fault.to_string() }
}
