//! For operators: is it alive, is it ready, is it healthy, and what does it count?

use std::{sync::Arc, time::Duration};

use actix_web::{HttpResponse, get, http::StatusCode, web};
use futures_util::future::join_all;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::state::{AppState, Door};
use crate::{
    domain::ids::{TenantName, UserId, UserRef},
    ports::directory::DirectoryError,
};

/// A dependency that hasn't answered by then is down, for the health page.
const PROBE: Duration = Duration::from_secs(2);

/// Whether the process runs at all.
///
/// It asks nothing and nobody; `/readyz` and `/healthz` say more.
#[utoipa::path(operation_id = "livez", tag = "operations", security(()),
    responses((status = 200, description = "It does.", body = String, content_type = "text/plain", example = json!("ok"))))]
#[get("/livez")]
pub async fn livez() -> HttpResponse {
    text(StatusCode::OK, "ok")
}

/// Whether hooks should be sent here.
///
/// They should once it has started, and until it drains. It asks no dependency.
#[utoipa::path(operation_id = "readyz", tag = "operations", security(()), responses(
    (status = 200, description = "They should.", body = String, content_type = "text/plain", example = json!("ready")),
    (status = 503, description = "Starting or draining.", body = String, content_type = "text/plain",
     example = json!("not ready"))))]
#[get("/readyz")]
pub async fn readyz(state: web::Data<AppState>) -> HttpResponse {
    if state.readiness.is_ready() {
        text(StatusCode::OK, "ready")
    } else {
        text(StatusCode::SERVICE_UNAVAILABLE, "not ready")
    }
}

fn text(status: StatusCode, words: &'static str) -> HttpResponse {
    HttpResponse::build(status).content_type("text/plain; charset=utf-8").body(words)
}

/// One thing that behalf needs.
#[derive(Serialize, ToSchema)]
pub struct Dependency {
    /// `store`, `rules` (the configuration's file), or `directory:`, `issuer:` or `users:` (its file) and the tenant.
    name: String,
    /// Whether it answered just now.
    up: bool,
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    detail: Option<String>,
}

/// Whether a tenant's identity provider calls.
#[derive(Serialize, ToSchema)]
pub struct Calls {
    /// The tenant.
    tenant: String,
    /// When its provider called this process last, to the second; not there: not since it started. Self-tests don't count.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
    last_hook: Option<Timestamp>,
}

/// All that behalf needs.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"status": "degraded", "dependencies": [
    {"name": "store", "up": true}, {"name": "directory:default", "up": true},
    {"name": "issuer:default", "up": false, "detail": "the issuer's keys are unavailable"}],
    "hooks": [{"tenant": "default", "last_hook": "2026-11-22T10:00:00Z"}]}))]
pub struct Health {
    /// `ok` or `degraded`.
    status: &'static str,
    /// Each with its state.
    dependencies: Vec<Dependency>,
    /// Whether the identity providers call, by tenant. It has no part in `status`.
    hooks: Vec<Calls>,
}

/// Asks every dependency and names those that are down.
///
/// For people and alerts, not for load balancers: a replica that leaves for a dependency's sake leaves hooks
/// unanswered.
#[utoipa::path(operation_id = "healthz", tag = "operations", security(()), responses(
    (status = 200, description = "All answered.", body = Health),
    (status = 503, description = "Some didn't.", body = Health)))]
#[get("/healthz")]
pub async fn healthz(state: web::Data<AppState>) -> HttpResponse {
    let mut dependencies = vec![ask_store(&state).await];
    for (name, door) in &state.doors {
        let directory = probe(format!("directory:{name}"), ask_directory(door));
        let issuer = probe(format!("issuer:{name}"), async { door.verifier.probe().await.map_err(|_| ISSUER) });
        let (directory, issuer) = tokio::join!(directory, issuer);
        dependencies.extend([directory, issuer]);
        if let Some(in_doubt) = &door.users_in_doubt {
            let detail = in_doubt().then(|| USERS.to_owned());
            dependencies.push(Dependency { name: format!("users:{name}"), up: detail.is_none(), detail });
        }
    }
    if let Some(in_doubt) = &state.rules_in_doubt {
        let detail = in_doubt().then(|| RULES.to_owned());
        dependencies.push(Dependency { name: "rules".to_owned(), up: detail.is_none(), detail });
    }
    for dependency in &dependencies {
        state.metrics.dependency_up(&dependency.name, dependency.up);
    }
    let all_up = dependencies.iter().all(|d| d.up);
    let status = if all_up { "ok" } else { "degraded" };
    let mut answer = if all_up { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    let calls = |(name, door): (&TenantName, &Arc<Door>)| Calls {
        tenant: name.to_string(),
        last_hook: door.series.last_hook(),
    };
    answer.json(Health { status, dependencies, hooks: state.doors.iter().map(calls).collect() })
}

const USERS: &str = "the users file is wrong or gone, and the users from before are in use; the log says more";
const RULES: &str =
    "the configuration's file is wrong or gone, and the rules from before are in force; the log says more";
const STORE: &str = "the store does not answer, or takes no writes";
const DIRECTORY: &str = "the directory does not answer";
const REFUSES: &str = "the directory rejects what behalf asks; the log says why, and `behalf check` more";
const THROTTLES: &str = "the directory asks to slow down";
const ISSUER: &str = "the issuer's keys are unavailable";

/// Of every tenant, because each may lie on a server of its own. One entry; where there are several tenants it says
/// whose part is down.
async fn ask_store(state: &AppState) -> Dependency {
    let parts = state.doors.keys().map(|name| async move {
        let asked = async {
            state.services.store.incarnation(name).await.map_err(|_| STORE)?;
            state.services.store.read(name, &[]).await.map(|_| ()).map_err(|_| STORE)
        };
        probe(name.to_string(), asked).await
    });
    let down: Vec<_> = join_all(parts).await.into_iter().filter(|part| !part.up).collect();
    let detail = down.first().map(|first| {
        let why = first.detail.clone().unwrap_or_default();
        let names: Vec<_> = down.iter().map(|part| part.name.as_str()).collect();
        if state.doors.len() == 1 { why } else { format!("{why} (tenants: {})", names.join(", ")) }
    });
    Dependency { name: "store".to_owned(), up: detail.is_none(), detail }
}

async fn ask_directory(door: &Door) -> Result<(), &'static str> {
    let nobody = UserId::parse("behalf-health-probe").map_err(|_| DIRECTORY)?;
    let asked = door.tenant.directory.user(&UserRef::Id(nobody)).await;
    asked.map(|_| ()).map_err(|error| {
        tracing::warn!(tenant = %door.tenant.name, %error, "the directory was asked for its health");
        match error {
            DirectoryError::Unavailable(_) | DirectoryError::Garbled(_) => DIRECTORY,
            DirectoryError::Rejected(_) | DirectoryError::NoSuchUser => REFUSES,
            DirectoryError::Throttled { .. } => THROTTLES,
        }
    })
}

async fn probe(name: String, ask: impl Future<Output = Result<(), &'static str>>) -> Dependency {
    let answered = tokio::time::timeout(PROBE, ask).await.unwrap_or(Err("no answer in time"));
    Dependency { name, up: answered.is_ok(), detail: answered.err().map(str::to_owned) }
}

/// Metrics in OpenMetrics text form.
///
/// What this process counted since it started.
#[utoipa::path(operation_id = "metrics", tag = "operations", security(()), responses(
    (status = 200, description = "The metrics.", body = String, content_type = "application/openmetrics-text",
     example = json!("# EOF")),
    (status = 404, description = "They are switched off, or at an address of their own. Empty body.")))]
#[get("/metrics")]
pub async fn metrics(state: web::Data<AppState>) -> HttpResponse {
    if !state.show_metrics {
        return HttpResponse::NotFound().finish();
    }
    rendered(&state)
}

/// The same page at an address of its own, where it isn't in question.
#[get("/metrics")]
pub async fn metrics_alone(state: web::Data<AppState>) -> HttpResponse {
    rendered(&state)
}

fn rendered(state: &AppState) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
        .body(state.metrics.render())
}

/// Which version runs.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"name": "behalf", "version": "0.1.0"}))]
pub struct Version {
    /// `behalf`.
    name: &'static str,
    /// The version.
    version: &'static str,
}

/// Which version runs.
///
/// That of the process that answers: replicas may differ for a while.
#[utoipa::path(operation_id = "version", tag = "operations", security(()),
    responses((status = 200, description = "This one.", body = Version)))]
#[get("/version")]
pub async fn version() -> HttpResponse {
    HttpResponse::Ok().json(Version { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") })
}

/// This document.
///
/// It is the same for every tenant. The pages at `/docs/`, where they are switched on, show it to people.
#[utoipa::path(operation_id = "openapi", tag = "operations", security(()), responses((status = 200, description = "The document.",
    body = Object, content_type = "application/json", example = json!({"openapi": "3.1.0"}))))]
#[get("/openapi.json")]
pub async fn openapi_json(state: web::Data<AppState>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(state.openapi.clone())
}
