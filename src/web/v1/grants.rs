//! Grants: who may act for me, and for whom may I act.

use std::sync::Arc;

use actix_web::{HttpResponse, delete, get, post, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    app::{grants, idempotency::Sender},
    domain::ids::UserId,
    ports::{
        directory::Written,
        shown::{ShownAgent, ShownUser},
    },
    web::{
        error::ApiError,
        extract::{Query, Reader, Then, Writer, user_ref},
        once::{self, KeyHeader, KeyProblems, Keyed},
        people::Person,
        problem::{BodyProblems, CallerProblems, Problem},
        replicated,
        state::{AppState, Door},
    },
};

/// An agent of mine.
#[derive(Serialize, ToSchema)]
pub struct AgentItem {
    /// Immutable id.
    id: String,
    /// `active`, `inactive`, or `deleted` if the directory has no such user any more.
    status: &'static str,
    /// Login name, if he is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    login: Option<String>,
    /// For people, if he is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    display_name: Option<String>,
}

impl AgentItem {
    fn of(agent: ShownAgent, door: &Door) -> Self {
        let user = match agent {
            ShownAgent::Known(user) => user,
            ShownAgent::Gone(id) => return Self { id: id.into(), status: "deleted", login: None, display_name: None },
        };
        let status = if user.active { "active" } else { "inactive" };
        let Person { id, login, display_name } = Person::of(&user, door);
        Self { id, status, login: Some(login), display_name: Some(display_name) }
    }
}

/// My agents.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"items": [{"id": "00u1ann", "status": "active", "login": "ann@example.com",
    "display_name": "Ann Agent (ann@example.com)"}]}))]
pub struct AgentList {
    /// At most 1000.
    items: Vec<AgentItem>,
}

/// Lists who may act for me.
///
/// Deleted users are shown by their id, so that they can be removed.
#[utoipa::path(
    operation_id = "grant-list", tag = "grants",
    responses((status = 200, description = "My agents.", body = AgentList), CallerProblems),
    security(("user_token" = []))
)]
#[get("/v1/grants")]
pub async fn list(Reader { door, caller }: Reader) -> Result<HttpResponse, ApiError> {
    let found = grants::agents(&door.tenant, &caller.user).await?;
    let items = found.into_iter().map(|agent| AgentItem::of(agent, &door)).collect();
    Ok(HttpResponse::Ok().json(AgentList { items }))
}

/// For whom I may act.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"items": [{"id": "00u1bob", "login": "bob@example.com",
    "display_name": "Bob Builder (bob@example.com)"}]}))]
pub struct DelegatorList {
    /// At most 1000.
    items: Vec<Person>,
}

/// Lists for whom I may act: each was asked for the grant and read by id.
///
/// The list is for people: with a directory that is far away it may be half a minute old. Beginning a delegation asks
/// again.
#[utoipa::path(
    operation_id = "grant-delegators", tag = "grants",
    responses((status = 200, description = "My delegators.", body = DelegatorList), CallerProblems),
    security(("user_token" = []))
)]
#[get("/v1/grants/delegators")]
pub async fn delegators(Reader { door, caller }: Reader) -> Result<HttpResponse, ApiError> {
    let found = grants::delegators(&door.tenant, &caller.user).await?;
    let items = found.iter().map(|user| Person::of(user, &door)).collect();
    Ok(HttpResponse::Ok().json(DelegatorList { items }))
}

/// Who shall act for me.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"agent": "ann@example.com"}))]
pub struct AddRequest {
    /// Id or login of the agent.
    #[schema(min_length = 1, max_length = 320)]
    agent: String,
}

/// Lets a user act for me, until I remove the grant.
///
/// The grant is kept in the directory.
#[utoipa::path(
    operation_id = "grant-add", tag = "grants", params(KeyHeader), request_body = AddRequest,
    responses(
        (status = 201, description = "Granted.", body = Person, headers(
            ("idempotent-replayed" = bool, description = "True if this is the answer of before, to the same key."))),
        (status = 200, description = "It was granted already.", body = Person),
        CallerProblems, BodyProblems, KeyProblems, (status = 403, description = "`cannot-delegate`: my account can't be delegated. `delegated-token` or `scope-missing`: the token may not be used for it.", body = Problem, content_type = "application/problem+json"),
    ),
    security(("user_token" = []))
)]
#[post("/v1/grants")]
pub async fn add(
    Then(Writer { door, caller }, Keyed { body, once }): Then<Writer, Keyed<AddRequest>>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let agent = user_ref("agent", &body.agent)?;
    let (sender, here, at) = (caller.user.clone(), state.clone(), Arc::clone(&door));
    once::answer(once, &state, &door, Sender::User(sender.as_str()), async move {
        let (user, written) = grants::add(&here.services, &at.tenant, &caller, &agent).await?;
        let mut answer = match written {
            Written::Changed => HttpResponse::Created(),
            Written::Already => HttpResponse::Ok(),
        };
        Ok(answer.json(Person::of(&ShownUser::from(&user), &at)))
    })
    .await
}

/// Which grant.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct AgentPath {
    /// Id or login of the agent.
    #[param(example = "00u1ann")]
    agent: String,
}

/// Whose grant.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct OfDelegator {
    /// Id of the delegator, for administrators; default: me.
    #[param(nullable = false, example = "00u1bob")]
    delegator: Option<String>,
}

/// Ends a grant of mine; an administrator ends anybody's.
///
/// Takes effect on the next hook.
#[utoipa::path(
    operation_id = "grant-remove", tag = "grants", params(AgentPath, OfDelegator),
    responses(
        (status = 204, description = "There is no such grant any more.", headers(
            ("behalf-replicated" = bool, description = "Whether a second server of a shared store has that already; absent where there is no second server."))),
        CallerProblems, (status = 403, description = "`administrator-only`: the grant is another's. `delegated-token` or `scope-missing`: the token may not be used for it.", body = Problem, content_type = "application/problem+json"),
    ),
    security(("user_token" = []))
)]
#[delete("/v1/grants/{agent}")]
pub async fn remove(
    Then(Then(Writer { door, caller }, path), query): Then<Then<Writer, web::Path<AgentPath>>, Query<OfDelegator>>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let agent = user_ref("agent", &path.agent)?;
    let delegator = match &query.delegator {
        None => caller.user.clone(),
        Some(id) => UserId::parse(id)
            .map_err(|error| ApiError::Invalid { field: Some("delegator".to_owned()), problem: error.to_string() })?,
    };
    grants::remove(&state.services, &door.tenant, &caller, &delegator, &agent).await?;
    Ok(replicated::empty(HttpResponse::NoContent(), &state, &door).await)
}
