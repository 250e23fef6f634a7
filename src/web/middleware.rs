//! Around every request: an id, a span, the answer's headers, and the count.

use actix_web::{
    Error, HttpMessage,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header::{HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    web,
};
use tokio::time::Instant;
use tracing::Instrument as _;

use super::{rate_limit::Budget, state::AppState};
use crate::{domain::ids::plain_text, ports::entropy};

/// Longest request id that is taken over from the caller.
const MOST: usize = 128;

/// What a browser may do with an answer of the API, should it show one.
const NO_PAGE: &str = "default-src 'none'; frame-ancestors 'none'";
/// What the pages for people may do: everything from here, nothing from elsewhere.
const PAGES: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; \
                     base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// The request's id, for who writes of it.
#[derive(Clone)]
pub struct RequestId(pub String);

/// The middleware, for `actix_web::middleware::from_fn`.
pub async fn around<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let started = Instant::now();
    let state = request.app_data::<web::Data<AppState>>().cloned();
    let id = request_id(&request, state.as_ref().map(web::Data::get_ref));
    request.extensions_mut().insert(RequestId(id.clone()));
    let span = tracing::debug_span!("request", id = %id);
    let mut response = next.call(request).instrument(span).await?;
    let budget = response.request().extensions().get::<Budget>().copied();
    let policy = if response.request().path().starts_with("/docs/") { PAGES } else { NO_PAGE };
    headers(response.headers_mut(), &id, policy, budget);
    if let Some(state) = state {
        count(&state, &response, started, &id);
    }
    Ok(response)
}

fn request_id(request: &ServiceRequest, state: Option<&AppState>) -> String {
    let given = request.headers().get("x-request-id").and_then(|v| v.to_str().ok());
    if let Some(id) = given.and_then(|id| plain_text(id, MOST).ok()) {
        return id.to_owned();
    }
    let random: [u8; 16] = state.map_or([0; 16], |state| entropy::bytes(&*state.services.entropy));
    format!("{:032x}", u128::from_be_bytes(random))
}

fn headers(headers: &mut HeaderMap, id: &str, policy: &'static str, budget: Option<Budget>) {
    let mut set = |name: &'static str, value: HeaderValue| {
        headers.insert(HeaderName::from_static(name), value);
    };
    if let Ok(id) = HeaderValue::from_str(id) {
        set("x-request-id", id);
    }
    set("x-content-type-options", HeaderValue::from_static("nosniff"));
    set("cache-control", HeaderValue::from_static("no-store"));
    set("referrer-policy", HeaderValue::from_static("no-referrer"));
    set("content-security-policy", HeaderValue::from_static(policy));
    if let Some(budget) = budget {
        set("ratelimit-limit", HeaderValue::from(budget.limit));
        set("ratelimit-remaining", HeaderValue::from(budget.remaining));
    }
}

/// Hooks have metrics of their own. Paths hold ids and secrets, so only the route's pattern is named.
fn count<B>(state: &AppState, response: &ServiceResponse<B>, started: Instant, id: &str) {
    let pattern = response.request().match_pattern();
    let route = pattern.as_deref().unwrap_or("unknown");
    if route.contains("/hooks/") || route.ends_with("/tokenEnrichment/agent") {
        return;
    }
    let (method, status) = (response.request().method().as_str(), response.status().as_u16());
    state.metrics.api(route, method, status, started.elapsed());
    tracing::info!(request = %id, %method, route, status, "request");
}
