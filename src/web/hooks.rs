//! The IdP's calls: bytes in, the IdP's own form out. Never a problem document, never a 5xx.

mod lane;

use actix_web::{
    HttpMessage as _, HttpRequest, HttpResponse,
    dev::Payload,
    http::{StatusCode, header::HeaderMap},
    post,
    web::{self, Bytes, BytesMut},
};
use futures_util::StreamExt as _;
use serde::Deserialize;
use tokio::{
    task::yield_now,
    time::{Duration, Instant, timeout},
};
use utoipa::{IntoParams, ToSchema};

pub use self::lane::{is_plain, straight};
use super::{
    BODY_LIMIT,
    extract::{door_of, request_id, state},
    middleware::IsHook,
    state::{AppState, Door},
};
use crate::{
    app::answer_hook::{Answer, Desk},
    ports::dialect::{Dialect, NotAHook},
};

/// The hook's dialect.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
struct DialectPath {
    /// `okta`.
    #[param(example = "okta")]
    dialect: String,
}

/// A token inline hook as Okta sends it (`com.okta.oauth2.tokens.transform`); only the members that are read.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its schema is used; the dialect decodes the body")]
struct TokenHookRequest {
    /// The IdP's id of this call.
    #[schema(rename = "eventId")]
    event_id: Option<String>,
    /// `com.okta.oauth2.tokens.transform`.
    #[schema(rename = "eventType")]
    event_type: String,
    /// Context, and the tokens about to be minted.
    #[schema(value_type = Object)]
    data: serde_json::Value,
}

/// Answers an IdP's token inline hook.
///
/// A hook that carries the id of a delegation gets a patch that makes the token speak for the delegator, or a
/// refusal in the IdP's own form. A hook without one is answered with `204`: nothing to do.
/// The same hook delivered twice within 60 s gets the same bytes.
#[utoipa::path(
    operation_id = "hook", tag = "hooks", params(DialectPath),
    request_body(content = TokenHookRequest, content_type = "application/json", example = json!({
        "eventId": "Q3dXm1F0R0", "eventType": "com.okta.oauth2.tokens.transform",
        "data": {"context": {"request": {"url": {"value": "https://idp.example/oauth2/default/v1/token?delegationid=dlg_…"}},
                             "protocol": {"issuer": {"uri": "https://idp.example/oauth2/default"}, "client": {"id": "app"}},
                             "user": {"id": "00u1ann"}},
                 "access": {"claims": {"sub": "ann@example.com"}, "token": {"lifetime": {"expiration": 3600}},
                            "scopes": {"openid": {"id": "scp1", "action": "GRANT"}}}}
    })),
    responses(
        (status = 200, description = "A decision, in the IdP's form: `commands` to apply, or `error` to mint no token.",
         content_type = "application/json", example = json!({
            "commands": [{"type": "com.okta.access.patch", "value": [
                {"op": "add", "path": "/claims/on_behalf", "value": "True"},
                {"op": "add", "path": "/claims/on_behalf_sub", "value": "bob@example.com"},
                {"op": "replace", "path": "/claims/can_delegate", "value": "False"}]}]})),
        (status = 204, description = "Nothing to do: the token is minted as it is."),
        (status = 401, description = "The caller is not the IdP. Empty body."),
        (status = 404, description = "No such tenant or dialect. Empty body."),
    ),
    security(("hook_secret" = []), ("hook_bearer" = []))
)]
#[post("/hooks/{dialect}")]
pub async fn hook(request: HttpRequest, path: web::Path<DialectPath>, body: web::Payload) -> HttpResponse {
    routed(&request, &path.dialect, Purpose::Delegation, body).await
}

/// Answers Okta's token inline hook, under the path of Okta Managed Access.
///
/// The same as `POST /hooks/okta`.
#[utoipa::path(
    operation_id = "token-enrichment-agent", tag = "hooks",
    request_body(content = TokenHookRequest, content_type = "application/json", example = json!({
        "eventId": "Q3dXm1F0R0", "eventType": "com.okta.oauth2.tokens.transform", "data": {}})),
    responses(
        (status = 200, description = "A decision, in Okta's form.", content_type = "application/json",
         example = json!({"error": {"errorSummary": "You may not act on behalf of this user. (not-delegated)"}})),
        (status = 204, description = "Nothing to do: the token is minted as it is."),
        (status = 401, description = "The caller is not Okta. Empty body."),
        (status = 404, description = "No such tenant. Empty body."),
    ),
    security(("hook_secret" = []), ("hook_bearer" = []))
)]
#[post("/tokenEnrichment/agent")]
pub async fn token_enrichment_agent(request: HttpRequest, body: web::Payload) -> HttpResponse {
    routed(&request, "okta", Purpose::Delegation, body).await
}

/// Answers Okta's token inline hook with the user's entity, under the path of Okta Managed Access.
///
/// The entity is what the linked object `parentEntity` of the user leads to: `entity` becomes its `entityId` in the
/// access token, and its `entityName` in the ID token. Without one, or if it can't be told, the token stays as it is.
#[utoipa::path(
    operation_id = "token-enrichment-entity", tag = "hooks",
    request_body(content = TokenHookRequest, content_type = "application/json", example = json!({
        "eventId": "Q3dXm1F0R0", "eventType": "com.okta.oauth2.tokens.transform", "data": {}})),
    responses(
        (status = 200, description = "The entity, as commands in Okta's form.", content_type = "application/json",
         example = json!({"commands": [{"type": "com.okta.access.patch", "value": [
            {"op": "add", "path": "/claims/entity", "value": "4711"}]}]})),
        (status = 204, description = "No entity: the token is minted as it is."),
        (status = 401, description = "The caller is not Okta. Empty body."),
        (status = 404, description = "No such tenant. Empty body."),
    ),
    security(("hook_secret" = []), ("hook_bearer" = []))
)]
#[post("/tokenEnrichment/entity")]
pub async fn token_enrichment_entity(request: HttpRequest, body: web::Payload) -> HttpResponse {
    routed(&request, "okta", Purpose::Entity, body).await
}

/// What a hook is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Delegation,
    Entity,
}

/// Where a hook goes, as its path says.
struct Place<'p> {
    /// The default one if none is named.
    tenant: Option<&'p str>,
    dialect: &'p str,
    purpose: Purpose,
}

/// Answers a hook that came through the router.
async fn routed(request: &HttpRequest, dialect: &str, purpose: Purpose, body: web::Payload) -> HttpResponse {
    request.extensions_mut().insert(IsHook);
    let Ok(state) = state(request) else { return empty(StatusCode::NOT_FOUND) };
    let (tenant, id) = (request.match_info().get("tenant"), request_id(request).unwrap_or_default());
    answer(request, &state, Place { tenant, dialect, purpose }, &id, body.into_inner()).await
}

async fn answer(request: &HttpRequest, state: &AppState, to: Place<'_>, id: &str, body: Payload) -> HttpResponse {
    let started = Instant::now();
    let Some(door) = door_of(state, to.tenant) else { return empty(StatusCode::NOT_FOUND) };
    let Some(dialect) = door.dialects.get(to.dialect) else { return empty(StatusCode::NOT_FOUND) };
    let first = !dialect.authenticates_by_body();
    if first && !is_authentic(&**dialect, request.headers(), &[]).await {
        return stranger(state, &**dialect);
    }
    // A body that is too large, that breaks off or doesn't end is answered like garbage, while somebody still listens.
    let read = in_time(dialect.patience() / 2, whole(body)).await.flatten();
    if !first && !is_authentic(&**dialect, request.headers(), read.as_deref().unwrap_or_default()).await {
        return stranger(state, &**dialect);
    }
    let desk = state.desk(door, dialect, Some(id.to_owned()));
    let answer = match to.purpose {
        Purpose::Delegation => decide(&desk, read.as_deref(), started).await,
        Purpose::Entity => desk.answer_entity(read.as_deref(), started).await,
    };
    count(state, door, &**dialect, &answer, started);
    log(door, &answer);
    let status = StatusCode::from_u16(answer.response.status).unwrap_or(StatusCode::OK);
    if answer.response.body.is_empty() {
        return empty(status);
    }
    HttpResponse::build(status).content_type("application/json").body(answer.response.body)
}

/// Waits for a body that mostly is there at the second look, because it came with its head: that needs no timer.
async fn in_time<T>(patience: Duration, body: impl Future<Output = T>) -> Option<T> {
    yield_now().await;
    timeout(patience, body).await.ok()
}

/// The body, if it isn't too large and doesn't break off. One that comes in one piece isn't copied.
async fn whole(mut body: Payload) -> Option<Bytes> {
    let Some(first) = body.next().await else { return Some(Bytes::new()) };
    let first = first.ok().filter(|piece| piece.len() <= BODY_LIMIT)?;
    let Some(mut next) = body.next().await else { return Some(first) };
    let mut all = BytesMut::from(first);
    loop {
        let piece = next.ok().filter(|piece| all.len() + piece.len() <= BODY_LIMIT)?;
        all.extend_from_slice(&piece);
        match body.next().await {
            Some(more) => next = more,
            None => return Some(all.freeze()),
        }
    }
}

fn stranger(state: &AppState, dialect: &dyn Dialect) -> HttpResponse {
    state.metrics.hook_not_authenticated(dialect.name());
    empty(StatusCode::UNAUTHORIZED)
}

async fn decide(desk: &Desk, body: Option<&[u8]>, started: Instant) -> Answer {
    let Some(body) = body else {
        let what = format!("larger than {BODY_LIMIT} bytes, broken off, or too slow");
        return desk.answer_garbage(&NotAHook { detail: what, carries_id: true }, None, started).await;
    };
    match desk.dialect.decode(body) {
        Ok(request) => desk.answer(request, body, started).await,
        Err(what) => {
            tracing::warn!(tenant = %desk.tenant.name, detail = %what.detail, "a hook could not be read");
            desk.answer_garbage(&what, Some(body), started).await
        }
    }
}

async fn is_authentic(dialect: &dyn Dialect, headers: &HeaderMap, body: &[u8]) -> bool {
    let lookup = |name: &str| headers.get_all(name).map(actix_web::http::header::HeaderValue::as_bytes).collect();
    // A token may need its issuer's keys; whoever can't be told in time isn't let in.
    match timeout(dialect.patience(), dialect.authenticate(&lookup, body)).await {
        Ok(Ok(())) => true,
        Err(_) => {
            tracing::warn!("a hook's caller could not be told in time");
            false
        }
        Ok(Err(error)) => {
            tracing::warn!(%error, "a hook's caller was turned away");
            false
        }
    }
}

/// A self-test is no sign that the provider calls, and none of what it is answered.
fn count(state: &AppState, door: &Door, dialect: &dyn Dialect, answer: &Answer, started: Instant) {
    if answer.self_test {
        state.metrics.self_test(answer.outcome);
        return;
    }
    state.metrics.hook(dialect.name(), answer.outcome, started.elapsed(), dialect.patience());
    door.series.hook_seen(state.services.clock.now());
}

fn log(door: &Door, answer: &Answer) {
    let (tenant, outcome) = (&door.tenant.name, answer.outcome.code());
    if let Some(reason) = answer.outcome.reason() {
        tracing::info!(%tenant, outcome, reason = reason.code(), "hook");
    } else {
        tracing::debug!(%tenant, outcome, "hook");
    }
}

fn empty(status: StatusCode) -> HttpResponse {
    HttpResponse::new(status)
}
