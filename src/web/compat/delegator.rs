//! The delegator's routes of Okta Managed Access.

use actix_web::{HttpResponse, get, http::StatusCode, post, web};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{CompatError, CompatProblems};
use crate::{
    app::grants,
    ports::shown::{ShownAgent, ShownUser},
    web::{
        extract::{CompatReader, CompatWriter, JsonOrForm, Then, user_ref},
        replicated,
        state::AppState,
    },
};

/// Whether I can be delegated.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({"op": "ACTIVATE"}))]
pub struct ActivationRequest {
    /// `ACTIVATE` or `DEACTIVATE`, in any case.
    #[schema(required = true, nullable = false)]
    op: Option<String>,
}

/// Makes my account delegatable, or not (Okta Managed Access).
///
/// `ACTIVATE` gives my account the user type of those who can be delegated, `DEACTIVATE` ends all grants of mine and
/// takes it back. Where the tenant's directory has no such type, every account is delegatable: `ACTIVATE` changes
/// nothing then. Where it has one but no switch, an account that isn't of that type can't be activated.
#[utoipa::path(
    operation_id = "compat-delegator-activation", tag = "compatibility",
    request_body(content(
        (ActivationRequest = "application/json"), (ActivationRequest = "application/x-www-form-urlencoded"))),
    responses((status = 200, description = "Done. Empty body."), CompatProblems),
    security(("user_token" = []))
)]
#[post("/delegator/delegation")]
pub async fn activation(
    Then(CompatWriter(writer), JsonOrForm(body)): Then<CompatWriter, JsonOrForm<ActivationRequest>>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, CompatError> {
    let op = body.op.unwrap_or_default();
    if op.eq_ignore_ascii_case("activate") {
        grants::activate(&state.services, &writer.door.tenant, &writer.caller).await?;
        return Ok(HttpResponse::Ok().finish());
    }
    if !op.eq_ignore_ascii_case("deactivate") {
        return Err(CompatError::new(StatusCode::BAD_REQUEST, "op must be ACTIVATE or DEACTIVATE."));
    }
    grants::deactivate(&state.services, &writer.door.tenant, &writer.caller).await?;
    Ok(replicated::empty(HttpResponse::Ok(), &state, &writer.door).await)
}

/// My agents.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"agents": [{"id": "00u1ann", "firstName": "Ann", "secondName": "Agent",
    "login": "ann@example.com", "email": "ann@example.com", "organization": "Example Ltd"}]}))]
pub struct Agents {
    /// Those whom the directory knows.
    agents: Vec<AgentView>,
}

/// An agent of mine.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentView {
    /// Immutable id.
    id: String,
    /// `firstName`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    first_name: Option<String>,
    /// `lastName`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    second_name: Option<String>,
    /// Login name.
    login: String,
    /// `email`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    email: Option<String>,
    /// `organization`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    organization: Option<String>,
}

impl AgentView {
    fn of(user: &ShownUser) -> Self {
        Self {
            id: user.id.to_string(),
            first_name: user.first_name.clone(),
            second_name: user.last_name.clone(),
            login: user.login.to_string(),
            email: user.email.clone(),
            organization: user.organization.clone(),
        }
    }
}

/// Lists who may act for me (Okta Managed Access).
///
/// Deleted users are left out; `GET /v1/grants` shows them.
#[utoipa::path(
    operation_id = "compat-delegator-agents", tag = "compatibility",
    responses((status = 200, description = "My agents.", body = Agents), CompatProblems),
    security(("user_token" = []))
)]
#[get("/delegator/agents")]
pub async fn agents(CompatReader(reader): CompatReader) -> Result<HttpResponse, CompatError> {
    let found = grants::agents(&reader.door.tenant, &reader.caller.user).await?;
    let known = found.iter().filter_map(|agent| match agent {
        ShownAgent::Known(user) => Some(AgentView::of(user)),
        ShownAgent::Gone(_) => None,
    });
    Ok(HttpResponse::Ok().json(Agents { agents: known.collect() }))
}

/// Which agent.
#[derive(Deserialize, ToSchema)]
#[schema(example = json!({"agentid": "ann@example.com"}))]
pub struct AgentRequest {
    /// Id or login.
    #[schema(required = true, nullable = false)]
    agentid: Option<String>,
}

impl AgentRequest {
    fn named(&self) -> Result<crate::domain::ids::UserRef, CompatError> {
        match self.agentid.as_deref().filter(|a| !a.is_empty()) {
            None => Err(CompatError::new(StatusCode::BAD_REQUEST, "agentid is missing.")),
            Some(text) => user_ref("agentid", text).map_err(|_| no_such_agent()),
        }
    }
}

fn no_such_agent() -> CompatError {
    CompatError::new(StatusCode::NOT_FOUND, "There is no such agent.")
}

/// Lets a user act for me (Okta Managed Access).
///
/// As `POST /v1/grants`, with an empty answer.
#[utoipa::path(
    operation_id = "compat-delegator-add", tag = "compatibility",
    request_body(content((AgentRequest = "application/json"), (AgentRequest = "application/x-www-form-urlencoded"))),
    responses((status = 200, description = "Done, now or before. Empty body."), CompatProblems),
    security(("user_token" = []))
)]
#[post("/delegator/agents/add")]
pub async fn add_agent(
    Then(CompatWriter(writer), JsonOrForm(body)): Then<CompatWriter, JsonOrForm<AgentRequest>>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, CompatError> {
    let agent = body.named()?;
    grants::add(&state.services, &writer.door.tenant, &writer.caller, &agent).await?;
    Ok(HttpResponse::Ok().finish())
}

/// Ends a grant of mine (Okta Managed Access).
///
/// As `DELETE /v1/grants/{agent}`, with an empty answer. Takes effect on the next hook.
#[utoipa::path(
    operation_id = "compat-delegator-remove", tag = "compatibility",
    request_body(content((AgentRequest = "application/json"), (AgentRequest = "application/x-www-form-urlencoded"))),
    responses((status = 200, description = "There is no such grant any more. Empty body."), CompatProblems),
    security(("user_token" = []))
)]
#[post("/delegator/agents/remove")]
pub async fn remove_agent(
    Then(CompatWriter(writer), JsonOrForm(body)): Then<CompatWriter, JsonOrForm<AgentRequest>>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, CompatError> {
    let agent = body.named()?;
    let (caller, me) = (&writer.caller, &writer.caller.user);
    grants::remove(&state.services, &writer.door.tenant, caller, me, &agent).await?;
    Ok(replicated::empty(HttpResponse::Ok(), &state, &writer.door).await)
}
