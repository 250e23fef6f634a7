//! The application: routes, middleware, state. The same for the server and for tests.

use actix_cors::Cors;
use actix_web::{
    App, Error,
    body::MessageBody,
    dev::{Service as _, ServiceFactory, ServiceRequest, ServiceResponse},
    http::{Method, header},
    middleware::{Condition, from_fn},
    web,
};
use futures_util::{TryFutureExt as _, future::Either};
use utoipa_actix_web::AppExt as _;
use utoipa_swagger_ui::SwaggerUi;

use super::{
    error::ApiError, extract::not_taken, hooks, middleware::around, once, openapi, ops_routes, replicated,
    state::AppState, tenant_routes, undocumented_tenant_routes, unknown_route::unknown_route,
};

/// Makes the application. `origins` may call the API from a browser.
pub fn app(
    state: web::Data<AppState>,
    origins: Vec<String>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<impl MessageBody>,
        Error = Error,
        InitError = (),
    >,
> {
    let show_docs = state.show_docs;
    // The scope comes first: its prefix is compared once, the bare routes one after the other.
    let (app, _) = App::new()
        .app_data(state)
        .app_data(web::PathConfig::default().error_handler(|error, _| invalid(&error).into()))
        .into_utoipa_app()
        .map(|app| app.service(web::scope("/t/{tenant}").configure(undocumented_tenant_routes)))
        .configure(tenant_routes)
        .configure(ops_routes)
        .split_for_parts();
    app.configure(|app| {
        if show_docs {
            docs(app);
        }
    })
    .default_service(web::to(unknown_route))
    .wrap(Condition::new(!origins.is_empty(), cors(origins)))
    .wrap(from_fn(around))
    .wrap_fn(|request, others| {
        if hooks::is_plain(&request) {
            return Either::Left(hooks::straight(request));
        }
        Either::Right(others.call(request).map_ok(ServiceResponse::map_into_right_body))
    })
}

/// The API document for people.
fn docs(app: &mut web::ServiceConfig) {
    // By default the pages ask swagger.io whether the document is valid.
    let offline = utoipa_swagger_ui::Config::default().validator_url("none");
    app.service(SwaggerUi::new("/docs/{_:.*}").config(offline).url("/openapi.json", openapi::document()))
        .service(web::redirect("/docs", "/docs/"));
}

fn invalid(error: &dyn std::fmt::Display) -> ApiError {
    not_taken("path", None, error)
}

fn cors(origins: Vec<String>) -> Cors {
    let cors = Cors::default()
        .allowed_methods([Method::GET, Method::POST, Method::DELETE])
        .allowed_headers([header::AUTHORIZATION, header::CONTENT_TYPE, header::HeaderName::from_static(once::KEY)])
        .expose_headers([
            "x-request-id",
            "retry-after",
            "ratelimit-limit",
            "ratelimit-remaining",
            replicated::HEADER,
            once::REPLAYED,
        ])
        .max_age(600);
    origins.into_iter().fold(cors, |cors, origin| cors.allowed_origin(&origin))
}
