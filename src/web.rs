//! HTTP: the route table, and nothing that decides.
#![expect(unreachable_pub, reason = "the route macros wrap each handler in an item of their own")]

pub mod app;
pub mod compat;
pub mod error;
pub mod extract;
pub mod hooks;
pub mod middleware;
pub mod once;
pub mod openapi;
pub mod ops;
pub mod people;
pub mod problem;
pub mod rate_limit;
pub mod replicated;
pub mod state;
pub mod unknown_route;
pub mod v1;

use actix_web::web;
use utoipa_actix_web::service_config::ServiceConfig;

/// Largest body that any route takes, bytes.
pub const BODY_LIMIT: usize = 256 * 1024;

/// Routes that exist bare and under `/t/{tenant}`. Hooks come first: the router looks from the top.
pub fn tenant_routes(c: &mut ServiceConfig) {
    c.service(hooks::hook)
        .service(hooks::token_enrichment_agent)
        .service(hooks::token_enrichment_entity)
        .service(v1::delegations::begin)
        .service(v1::delegations::list)
        .service(v1::delegations::cancel)
        .service(v1::grants::delegators)
        .service(v1::grants::list)
        .service(v1::grants::add)
        .service(v1::grants::remove)
        .service(v1::locks::check)
        .service(v1::locks::list)
        .service(v1::locks::place)
        .service(v1::locks::lift)
        .service(v1::policy::explain)
        .service(v1::approvals::ask::ask)
        .service(v1::approvals::list)
        .service(v1::approvals::get)
        .service(v1::approvals::events::events)
        .service(v1::approvals::vote)
        .service(v1::approvals::signing::challenge)
        .service(v1::approvals::signing::evidence)
        .service(v1::approvals::withdraw)
        .service(v1::approvals::revoke)
        .service(v1::keys::list)
        .service(v1::keys::register)
        .service(v1::keys::revoke)
        .service(v1::keys::awaiting)
        .service(v1::keys::decide)
        .service(v1::keys::withdraw)
        .service(v1::keys::of_service)
        .service(v1::reviews::list)
        .service(v1::reviews::close)
        .service(v1::reservations::accounts)
        .service(v1::reservations::list)
        .service(v1::reservations::reserve)
        .service(v1::reservations::get)
        .service(v1::reservations::release)
        .service(v1::reservations::force_release)
        .service(v1::otp::standing)
        .service(v1::otp::begin)
        .service(v1::otp::confirm)
        .service(v1::otp::remove)
        .service(v1::otp::verify)
        .service(v1::audit::list)
        .service(v1::notifications::of_approval)
        .service(v1::notifications::list)
        .service(v1::notifications::retry)
        .service(compat::agent::list)
        .service(compat::agent::begin)
        .service(compat::delegator::activation)
        .service(compat::delegator::agents)
        .service(compat::delegator::add_agent)
        .service(compat::delegator::remove_agent);
}

/// The same routes once more, for the scope that names the tenant; the document has them already.
pub fn undocumented_tenant_routes(c: &mut web::ServiceConfig) {
    tenant_routes(&mut ServiceConfig::new(c));
}

/// Routes for operators; they exist bare only.
pub fn ops_routes(c: &mut ServiceConfig) {
    c.service(ops::livez)
        .service(ops::readyz)
        .service(ops::healthz)
        .service(ops::metrics)
        .service(ops::version)
        .service(ops::openapi_json);
}
