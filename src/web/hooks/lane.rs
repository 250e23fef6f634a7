//! Hooks at their plain paths pass by the router and what stands around the API: they are most of the traffic.

use actix_web::{
    Error, HttpRequest, HttpResponse,
    body::{BoxBody, EitherBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{Method, header},
    web,
};
use tracing::Instrument as _;

use super::{Place, Purpose, answer, empty};
use crate::web::{middleware, state::AppState};

/// True for a hook that needs no router. Whatever is spelled in another way, or comes from a browser, takes the long
/// way to the same answer.
pub fn is_plain(request: &ServiceRequest) -> bool {
    request.method() == Method::POST
        && place(request.path()).is_some()
        && !request.headers().contains_key(header::ORIGIN)
}

/// Tenant and dialect, if the path is a hook's and has no escapes.
fn place(path: &str) -> Option<Place<'_>> {
    let (tenant, path) = match path.strip_prefix("/t/") {
        Some(rest) => rest.split_at_checked(rest.find('/')?).map(|(tenant, path)| (Some(tenant), path))?,
        None => (None, path),
    };
    let dialect = match path.strip_prefix("/hooks/") {
        Some(dialect) => dialect,
        None if path == "/tokenEnrichment/agent" => "okta",
        None => return None,
    };
    let is_plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    (is_plain(dialect) && tenant.is_none_or(is_plain)).then_some(Place {
        tenant,
        dialect,
        purpose: Purpose::Delegation,
    })
}

/// Answers a plain hook with what the middleware adds to every answer.
pub async fn straight<B>(request: ServiceRequest) -> Result<ServiceResponse<EitherBody<BoxBody, B>>, Error> {
    let (request, body) = request.into_parts();
    let response = respond(&request, body).await;
    Ok(ServiceResponse::new(request, response).map_into_left_body())
}

async fn respond(request: &HttpRequest, body: actix_web::dev::Payload) -> HttpResponse {
    let (Some(place), Some(state)) = (place(request.path()), request.app_data::<web::Data<AppState>>()) else {
        return empty(actix_web::http::StatusCode::NOT_FOUND);
    };
    let id = middleware::id_for(request.headers(), Some(state));
    let span = tracing::debug_span!("request", id = %id);
    let mut response = answer(request, state, place, &id, body).instrument(span).await;
    middleware::mark(response.headers_mut(), &id);
    middleware::hang_up_if_draining(state, &mut response);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_paths_of_hooks_are_recognised() {
        let parts = |path| place(path).map(|place| (place.tenant, place.dialect));
        assert_eq!(parts("/hooks/okta"), Some((None, "okta")));
        assert_eq!(parts("/hooks/other"), Some((None, "other")));
        assert_eq!(parts("/tokenEnrichment/agent"), Some((None, "okta")));
        assert_eq!(parts("/t/acme-1/hooks/okta"), Some((Some("acme-1"), "okta")));
        assert_eq!(parts("/t/acme/tokenEnrichment/agent"), Some((Some("acme"), "okta")));
        for path in [
            "",
            "/",
            "/hooks",
            "/hooks/",
            "/hooks/okta/",
            "/hooks/%6Fkta",
            "/hooks/a/b",
            "//hooks/okta",
            "/t/hooks/okta",
            "/t//hooks/okta",
            "/t/a",
            "/t/a%2F/hooks/okta",
            "/t/a/t/b/hooks/okta",
            "/tokenEnrichment/agent/",
            "/tokenEnrichment/entity",
            "/v1/grants",
        ] {
            assert!(parts(path).is_none(), "{path}");
        }
    }
}
