//! The agent's routes of Okta Managed Access.

use std::sync::Arc;

use actix_web::{HttpResponse, get, http::StatusCode, post, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{CompatError, CompatProblems};
use crate::{
    app::{
        begin_delegation::{self, Outcome},
        error::AppError,
        grants,
    },
    ports::shown::ShownUser,
    web::{
        extract::{CompatReader, CompatWriter, JsonOrForm, Then, user_ref},
        people::display_name,
        state::AppState,
    },
};

/// Somebody for whom I may act.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Entity {
    /// Immutable id.
    id: String,
    /// For people.
    display_name: String,
}

/// Lists for whom I may act (Okta Managed Access).
///
/// `GET /v1/grants/delegators` gives the same people, with their logins.
#[utoipa::path(
    operation_id = "compat-agent-list", tag = "compatibility",
    responses(
        (status = 200, description = "For whom I may act.", body = Vec<Entity>,
         example = json!([{"id": "00u1bob", "displayName": "Bob Builder (bob@example.com)"}])),
        CompatProblems,
    ),
    security(("user_token" = []))
)]
#[get("/agent")]
pub async fn list(CompatReader(reader): CompatReader) -> Result<HttpResponse, CompatError> {
    let found = grants::delegators(&reader.door.tenant, &reader.caller.user).await?;
    let show =
        |user: &Arc<ShownUser>| Entity { id: user.id.to_string(), display_name: display_name(user, &reader.door) };
    Ok(HttpResponse::Ok().json(found.iter().map(show).collect::<Vec<_>>()))
}

/// On whose behalf.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({"entityid": "00u1bob"}))]
pub struct EntityRequest {
    /// Id or login of the delegator.
    #[schema(required = true, nullable = false)]
    entityid: Option<String>,
}

/// The delegation's id.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"id": "dlg_AZOq4Yp7QkJ2cGx3eUpYc1FhT0V6a1Z0bUJ3TnJIZ0RsU2lQdUY"}))]
pub struct EntityBegun {
    /// To be sent along with the token refresh, once.
    id: String,
}

/// Begins a delegation (Okta Managed Access).
///
/// Every refusal is the same 401, also where an approval must be waited for; `POST /v1/delegations` says more.
#[utoipa::path(
    operation_id = "compat-agent-begin", tag = "compatibility",
    request_body(content((EntityRequest = "application/json"), (EntityRequest = "application/x-www-form-urlencoded"))),
    responses((status = 200, description = "Begun.", body = EntityBegun), CompatProblems),
    security(("user_token" = []))
)]
#[post("/agent")]
pub async fn begin(
    Then(CompatWriter(writer), JsonOrForm(body)): Then<CompatWriter, JsonOrForm<EntityRequest>>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, CompatError> {
    let Some(entity) = body.entityid.filter(|e| !e.is_empty()) else {
        return Err(CompatError::new(StatusCode::BAD_REQUEST, "entityid is missing."));
    };
    // What can name nobody is not delegated, like everybody else who doesn't list the agent.
    let delegator = user_ref("entityid", &entity).map_err(|_| not_delegated())?;
    let request = begin_delegation::Request { delegator, scopes: None, reason: None, ticket: None, break_glass: None };
    match begin_delegation::begin(&state.services, &writer.door.tenant, &writer.caller, request).await {
        Ok(Outcome::Begun(begun)) => Ok(HttpResponse::Ok().json(EntityBegun { id: begun.id.expose().to_owned() })),
        // These clients can't be told to wait; the approval was asked for all the same.
        Ok(Outcome::Waits(_)) => Err(not_delegated()),
        Err(error) if error.refusal().is_some() || matches!(error, AppError::Approval(_)) => Err(not_delegated()),
        Err(other) => Err(other.into()),
    }
}

fn not_delegated() -> CompatError {
    CompatError::new(StatusCode::UNAUTHORIZED, "User is not delegated by that delegator.")
}
