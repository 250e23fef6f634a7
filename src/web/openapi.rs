//! The API document, collected from the routes themselves. `openapi/openapi.json` is this, checked in.

use actix_web::App;
use utoipa::{
    Modify, OpenApi,
    openapi::{
        OpenApi as Document, RefOr, Schema, Server,
        extensions::ExtensionsBuilder,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_actix_web::AppExt as _;

use super::{
    compat::CompatErrorBody,
    ops_routes,
    problem::{Problem, codes::CODES},
    tenant_routes,
};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "behalf",
        description = "Delegated access: one user acts on behalf of another inside the tokens that an identity provider mints.",
        contact(name = "The maintainers of behalf"),
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    servers(
        (url = "/", description = "The default tenant"),
        (url = "/t/{tenant}", description = "A named tenant",
         variables(("tenant" = (default = "default", description = "The tenant's name")))),
    ),
    tags(
        (name = "hooks", description = "Called by the identity provider"),
        (name = "delegations", description = "The agent's: act on behalf of somebody"),
        (name = "keys", description = "Keys that sign decisions: the approvers' and the service's"),
        (name = "approvals", description = "Delegations that people decide about first"),
        (name = "grants", description = "The delegator's: who may act for me"),
        (name = "locks", description = "Accounts that are locked against delegation"),
        (name = "reservations", description = "Shared accounts, one user at a time"),
        (name = "notifications", description = "Who was told of what"),
        (name = "one-time codes", description = "A user's own codes, with which he logs in elsewhere as a shared account"),
        (name = "policy", description = "What would be decided, and why"),
        (name = "audit", description = "What happened"),
        (name = "compatibility", description = "The routes of Okta Managed Access"),
        (name = "operations", description = "For operators; under the bare path only"),
    ),
    components(schemas(CompatErrorBody, Problem)),
    modifiers(&Security)
)]
struct Base;

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_with(Default::default);
        let bearer = |text: &str| {
            HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").description(Some(text)).build()
        };
        let user = bearer("The user's own access token of the tenant's issuer");
        components.add_security_scheme("user_token", SecurityScheme::Http(user));
        let application =
            bearer("An application's own token: HS256 by its key, also in the header `x-nl3-authorization-token`");
        components.add_security_scheme("application_token", SecurityScheme::Http(application));
        let hook = bearer("The IdP's client-credentials token, where the hook is set up with OAuth 2.0");
        components.add_security_scheme("hook_bearer", SecurityScheme::Http(hook));
        let header =
            ApiKeyValue::with_description("authorization", "The hook's shared secret; the header is configurable");
        components.add_security_scheme("hook_secret", SecurityScheme::ApiKey(ApiKey::Header(header)));
    }
}

/// The document, without starting a server.
pub fn document() -> Document {
    let (_, mut document) = App::new()
        .into_utoipa_app()
        .openapi(Base::openapi())
        .configure(tenant_routes)
        .configure(ops_routes)
        .split_for_parts();
    bare_only(&mut document);
    list_codes(&mut document);
    document
}

/// Operators' routes don't exist under `/t/{tenant}`.
fn bare_only(document: &mut Document) {
    for item in document.paths.paths.values_mut() {
        for operation in [&mut item.get, &mut item.post, &mut item.delete, &mut item.put].into_iter().flatten() {
            if operation.tags.iter().flatten().any(|tag| tag == "operations") {
                operation.servers = Some(vec![Server::new("/")]);
            }
        }
    }
}

/// The codes of problems, as a list that may grow. With `enum`, a code of tomorrow would break a client of today.
fn list_codes(document: &mut Document) {
    let problem = document.components.as_mut().and_then(|components| components.schemas.get_mut("Problem"));
    let Some(RefOr::T(Schema::Object(problem))) = problem else { return };
    if let Some(RefOr::T(Schema::Object(code))) = problem.properties.get_mut("code") {
        code.extensions = Some(ExtensionsBuilder::new().add("x-extensible-enum", CODES).build());
    }
}

/// The document as it is served and checked in.
pub fn json() -> String {
    document().to_pretty_json().unwrap_or_default() + "\n"
}
