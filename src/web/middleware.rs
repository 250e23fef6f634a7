//! Around every request: an id, a span, the answer's headers, and the count.

use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::{
    Error, HttpMessage, HttpResponse,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{
        ConnectionType,
        header::{
            CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY,
            X_CONTENT_TYPE_OPTIONS,
        },
    },
    middleware::Next,
    web,
};
use tokio::time::Instant;
use tracing::{Instrument as _, Level, Span, field::Empty};

use super::{rate_limit::Budget, state::AppState};
use crate::{
    domain::{hex::hex, ids::plain_text},
    trace,
};

/// Longest request id that is taken over from the caller.
const MOST: usize = 128;

/// What a browser may do with an answer of the API, should it show one.
const NO_PAGE: &str = "default-src 'none'; frame-ancestors 'none'";
/// What the pages for people may do: everything from here, nothing from elsewhere.
const PAGES: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; \
                     base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");

/// The request's id, for who writes of it.
#[derive(Clone)]
pub struct RequestId(pub String);

/// Marks the request of a hook: those have metrics of their own.
pub struct IsHook;

/// Makes ids for requests that bring none. They name a request and are no secret, so counting is enough.
pub struct RequestIds {
    process: u64,
    next: AtomicU64,
}

impl RequestIds {
    /// `process` is random, and tells this process's ids from those of others.
    pub fn new(process: u64) -> Self {
        Self { process, next: AtomicU64::new(0) }
    }

    fn next(&self) -> String {
        let (process, next) = (self.process.to_be_bytes(), self.next.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        hex([process, next].as_flattened())
    }
}

/// The middleware, for `actix_web::middleware::from_fn`.
pub async fn around<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let started = Instant::now();
    let state = request.app_data::<web::Data<AppState>>().cloned();
    let id = id_for(request.headers(), state.as_ref().map(web::Data::get_ref));
    request.extensions_mut().insert(RequestId(id.clone()));
    let (span, exported) = (tracing::debug_span!("request", id = %id), exported(&request, &id));
    let mut response = next.call(request).instrument(exported.clone()).instrument(span).await?;
    if let Some(state) = &state {
        hang_up_if_draining(state, response.response_mut());
    }
    if is_hook(&response) {
        mark(response.headers_mut(), &id);
        return Ok(response);
    }
    let budget = response.request().extensions().get::<Budget>().copied();
    let policy = if response.request().path().starts_with("/docs/") { PAGES } else { NO_PAGE };
    headers(response.headers_mut(), &id, policy, budget);
    if let Some(state) = state {
        count(&state, &response, started, &id, &exported);
    }
    Ok(response)
}

/// The span of an API call, which goes on with the caller's trace. None for what operators and browsers ask for.
fn exported(request: &ServiceRequest, id: &str) -> Span {
    const NOT: &[&str] =
        &["/livez", "/readyz", "/healthz", "/metrics", "/version", "/openapi.json", "/docs", "/hooks", "/token"];
    let path = request.path();
    if !tracing::enabled!(target: trace::TARGET, Level::TRACE) || NOT.iter().any(|begin| path.starts_with(begin)) {
        return Span::none();
    }
    let parent = request.headers().get(TRACEPARENT).and_then(|value| value.to_str().ok()?.parse().ok());
    let span = tracing::trace_span!(
        target: trace::TARGET, "request", otel.kind = "server", id, status = Empty
    );
    trace::continued(span, parent.as_ref())
}

/// The id that the caller gave, if it can be taken, or a new one.
pub fn id_for(headers: &HeaderMap, state: Option<&AppState>) -> String {
    let given = headers.get(REQUEST_ID).and_then(|v| v.to_str().ok());
    if let Some(id) = given.and_then(|id| plain_text(id, MOST).ok()) {
        return id.to_owned();
    }
    state.map(|state| state.request_ids.next()).unwrap_or_default()
}

fn is_hook<B>(response: &ServiceResponse<B>) -> bool {
    response.request().extensions().get::<IsHook>().is_some()
}

/// What every answer has. One to a hook has no more: no browser reads it.
pub fn mark(headers: &mut HeaderMap, id: &str) {
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// Has the callers of a process that ends connect anew, which takes them to another one. A balancer of connections leaves
/// those that are there where they are, and a hook that is sent on one while it is closed gets no answer.
pub fn hang_up_if_draining<B>(state: &AppState, response: &mut HttpResponse<B>) {
    if state.readiness.is_draining() {
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
}

fn headers(headers: &mut HeaderMap, id: &str, policy: &'static str, budget: Option<Budget>) {
    mark(headers, id);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    if let Some(budget) = budget {
        headers.insert(LIMIT, HeaderValue::from(budget.limit));
        headers.insert(REMAINING, HeaderValue::from(budget.remaining));
    }
}

/// Paths hold ids and secrets, so only the route's pattern is named. Finding that takes another walk over all routes,
/// which hooks are spared.
fn count<B>(state: &AppState, response: &ServiceResponse<B>, started: Instant, id: &str, exported: &Span) {
    let pattern = response.request().match_pattern();
    let route = pattern.as_deref().unwrap_or("unknown");
    let (method, status) = (response.request().method().as_str(), response.status().as_u16());
    state.metrics.api(route, method, status, started.elapsed());
    tracing::info!(request = %id, %method, route, status, "request");
    if !exported.is_disabled() {
        trace::rename(exported, format!("{method} {route}"));
        exported.record("status", status);
    }
}
