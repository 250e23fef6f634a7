//! Keys that sign decisions: the approvers' own, and the service's.

use std::num::NonZeroUsize;

use actix_web::{HttpRequest, HttpResponse, delete, get, post, web};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::approvals::ApprovalParty;
use crate::{
    app::{error::AppError, keys},
    domain::approval::{
        Choice,
        jwk::{Jwk, Kid},
        keys::{ApproverKey, KeyState},
    },
    web::{
        error::ApiError,
        extract::{Json, PageQuery, Query, Reader, Then, Writer, cursor_text, door, free_text},
        problem::{AdministratorProblems, BodyProblems, CallerProblems, Problem, SignInProblems},
        replicated,
        state::AppState,
    },
};

/// The most characters of a key's name.
const NAME: usize = 100;

/// A key that signs decisions.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "name": "laptop", "alg": "EdDSA", "state": "ACTIVE",
    "jwk": {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
    "registered_at": "2026-11-21T10:00:00Z", "active_since": "2026-11-21T10:00:00Z"}))]
pub struct KeyItem {
    /// The key's thumbprint (RFC 7638), by which signatures name it.
    kid: String,
    /// What its owner calls it.
    name: String,
    /// `EdDSA` or `ES256`.
    alg: &'static str,
    /// The public key.
    #[schema(value_type = Object)]
    jwk: Jwk,
    /// `PENDING` (somebody else must approve it first), `ACTIVE`, `DENIED` or `REVOKED`.
    state: &'static str,
    /// When it was registered.
    #[schema(value_type = String, format = DateTime)]
    registered_at: Timestamp,
    /// Once it signs: from when on. Challenges made before that aren't for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>, format = DateTime)]
    active_since: Option<Timestamp>,
}

impl From<ApproverKey> for KeyItem {
    fn from(key: ApproverKey) -> Self {
        let active_since = match &key.state {
            KeyState::Active { since, .. } => Some(*since),
            KeyState::Pending | KeyState::Denied { .. } | KeyState::Revoked { .. } => None,
        };
        Self {
            kid: key.kid.to_string(),
            name: key.name,
            alg: key.jwk.algorithm(),
            jwk: key.jwk,
            state: key.state.name(),
            registered_at: key.registered,
            active_since,
        }
    }
}

/// My keys.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"items": []}))]
pub struct KeyList {
    /// All of them that are remembered, the oldest first.
    items: Vec<KeyItem>,
}

/// Lists my keys.
///
/// Those that are out of use, too, as long as they are remembered.
#[utoipa::path(
    operation_id = "key-list", tag = "keys",
    responses((status = 200, description = "The keys.", body = KeyList), CallerProblems),
    security(("user_token" = []))
)]
#[get("/v1/me/keys")]
pub async fn list(Reader { door, caller }: Reader, state: web::Data<AppState>) -> Result<HttpResponse, ApiError> {
    let found = keys::list(&state.services, &door.tenant, &caller).await?;
    Ok(HttpResponse::Ok().json(KeyList { items: found.into_iter().map(KeyItem::from).collect() }))
}

/// A key to register.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "laptop",
    "jwk": {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}}))]
pub struct RegisterRequest {
    /// The public key: `kty` OKP with `crv` Ed25519, or `kty` EC with `crv` P-256.
    #[schema(value_type = Object)]
    jwk: Value,
    /// What you call it.
    #[schema(max_length = 100)]
    name: String,
}

/// Registers a key with which I sign decisions; at most five at a time.
///
/// Where the tenant names people for it, one of them must approve the key first (`PENDING`). Where it doesn't, my access
/// token must have an `auth_time` of the last five minutes.
#[utoipa::path(
    operation_id = "key-register", tag = "keys", request_body = RegisterRequest,
    responses(
        (status = 201, description = "Registered.", body = KeyItem),
        CallerProblems, BodyProblems, SignInProblems, (status = 403, description = "`account-inactive`: my account isn't active in the directory. `delegated-token` or `scope-missing`: the token may not be used for it.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`key-exists` or `too-many-keys`.", body = Problem,
         content_type = "application/problem+json"),
        (status = 423, description = "`locked`: my account is locked.", body = Problem,
         content_type = "application/problem+json"),
    ),
    security(("user_token" = []))
)]
#[post("/v1/me/keys")]
pub async fn register(
    Then(Writer { door, caller }, Json(body)): Then<Writer, Json<RegisterRequest>>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let invalid = |field: &str, problem: String| ApiError::Invalid { field: Some(field.to_owned()), problem };
    let jwk = Jwk::parse(&body.jwk).map_err(|error| invalid("jwk", error.to_string()))?;
    let name = free_text("name", Some(body.name), NAME)?;
    let name = name.ok_or_else(|| invalid("name", "must not be empty".to_owned()))?;
    let key = keys::register(&state.services, &door.tenant, &caller, jwk, name).await?;
    Ok(HttpResponse::Created().json(KeyItem::from(key)))
}

/// Which key.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub struct KeyPath {
    /// Its thumbprint.
    #[param(example = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k")]
    kid: String,
}

impl KeyPath {
    fn kid(&self) -> Result<Kid, ApiError> {
        Ok(self.kid.parse().map_err(|_| AppError::NotFound("key"))?)
    }
}

/// Takes a key of mine out of use.
///
/// Takes effect on the next vote. What it signed stays signed.
#[utoipa::path(
    operation_id = "key-revoke", tag = "keys", params(KeyPath),
    responses(
        (status = 204, description = "Revoked."),
        CallerProblems,
        (status = 409, description = "`key-closed`: it is out of use already.", body = Problem,
         content_type = "application/problem+json"),
    ),
    security(("user_token" = []))
)]
#[delete("/v1/me/keys/{kid}")]
pub async fn revoke(
    Then(Writer { door, caller }, path): Then<Writer, web::Path<KeyPath>>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    keys::revoke_own(&state.services, &door.tenant, &caller, &path.kid()?).await?;
    Ok(replicated::empty(HttpResponse::NoContent(), &state, &door).await)
}

/// Takes anybody's key out of use.
///
/// For administrators. Takes effect on the next vote; what it signed stays signed.
#[utoipa::path(
    operation_id = "key-withdraw", tag = "keys", params(KeyPath),
    responses(
        (status = 204, description = "Revoked."),
        CallerProblems, AdministratorProblems,
        (status = 409, description = "`key-closed`: it is out of use already.", body = Problem,
         content_type = "application/problem+json"),
    ),
    security(("user_token" = []))
)]
#[delete("/v1/keys/{kid}")]
pub async fn withdraw(
    Then(Writer { door, caller }, path): Then<Writer, web::Path<KeyPath>>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    keys::revoke_any(&state.services, &door.tenant, &caller, &path.kid()?).await?;
    Ok(replicated::empty(HttpResponse::NoContent(), &state, &door).await)
}

/// A key, and whose it is.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "owner": {"id": "00u1eve", "login": "eve@example.com"},
    "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "name": "laptop", "alg": "EdDSA", "state": "PENDING",
    "jwk": {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
    "registered_at": "2026-11-21T10:00:00Z"}))]
pub struct OwnedKey {
    /// Whose.
    owner: ApprovalParty,
    /// The key.
    #[serde(flatten)]
    key: KeyItem,
}

/// A page of keys.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"items": [], "next_cursor": null}))]
pub struct KeyPage {
    /// The items.
    items: Vec<OwnedKey>,
    /// For the next page; `null` at the end.
    next_cursor: Option<String>,
    /// Items of this page that are left out because they can't be read; absent if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>, nullable = false, minimum = 1)]
    unreadable: Option<NonZeroUsize>,
}

/// Lists keys of others that wait for my approval.
///
/// A page may be short and still have a next one.
#[utoipa::path(
    operation_id = "key-awaiting", tag = "keys", params(PageQuery),
    responses((status = 200, description = "A page.", body = KeyPage), CallerProblems),
    security(("user_token" = []))
)]
#[get("/v1/keys")]
pub async fn awaiting(
    Then(Reader { door, caller }, page): Then<Reader, Query<PageQuery>>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let (after, limit) = (page.after()?, page.limit()?);
    let found = keys::awaiting(&state.services, &door.tenant, &caller, after, limit).await?;
    let waiting = found.items.into_iter().flat_map(|ring| {
        let pending = ring.keys.into_iter().filter(|key| key.state == KeyState::Pending);
        pending.map(move |key| OwnedKey { owner: ring.owner.clone().into(), key: key.into() })
    });
    let (next_cursor, unreadable) = (found.next.map(cursor_text), NonZeroUsize::new(found.unreadable));
    Ok(HttpResponse::Ok().json(KeyPage { items: waiting.collect(), next_cursor, unreadable }))
}

/// A decision about a key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"decision": "approve"}))]
pub struct KeyVoteRequest {
    /// `approve` or `deny`.
    #[schema(value_type = String, pattern = "^(approve|deny)$", example = "approve")]
    decision: Choice,
}

/// Approves another's key, or refuses it.
///
/// Compare its `kid` with what its owner tells you.
#[utoipa::path(
    operation_id = "key-vote", tag = "keys", params(KeyPath), request_body = KeyVoteRequest,
    responses(
        (status = 200, description = "Decided.", body = OwnedKey),
        CallerProblems, BodyProblems,
        (status = 409, description = "`key-closed`: it is decided about already, or revoked.", body = Problem,
         content_type = "application/problem+json"),
        (status = 423, description = "`locked`: my account is locked.", body = Problem,
         content_type = "application/problem+json"),
    ),
    security(("user_token" = []))
)]
#[post("/v1/keys/{kid}/votes")]
pub async fn decide(
    Then(Writer { door, caller }, Then(path, Json(body))): Then<Writer, Then<web::Path<KeyPath>, Json<KeyVoteRequest>>>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, ApiError> {
    let decided = keys::decide(&state.services, &door.tenant, &caller, &path.kid()?, body.decision).await?;
    let (owner, key) = decided;
    Ok(HttpResponse::Ok().json(OwnedKey { owner: owner.into(), key: key.into() }))
}

/// The service's keys, present and past, as a JSON Web Key Set (RFC 7517).
///
/// With these, evidence and the audit trail's checkpoints are verified. Open to everybody.
#[utoipa::path(
    operation_id = "service-keys", tag = "keys", security(()),
    responses(
        (status = 200, description = "The keys.", body = Object, example = json!({"keys": [{
            "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "alg": "EdDSA", "use": "sig",
            "kid": "sha256:21fe31dfa154a261626bf854046fd2271b7bed4b6abe45aa58877ef47f9721b9"}]})),
        (status = 404, description = "No such tenant.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The store doesn't answer.", body = Problem,
         content_type = "application/problem+json"),
    ),
)]
#[get("/.well-known/behalf-keys.json")]
pub async fn of_service(request: HttpRequest, state: web::Data<AppState>) -> Result<HttpResponse, ApiError> {
    let door = door(&request, &state)?;
    let services = &state.services;
    let keys = services.signing.keys(&*services.store, &door.tenant.name).await.map_err(AppError::from)?;
    Ok(HttpResponse::Ok().json(keys))
}
