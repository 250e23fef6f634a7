//! Who calls: an API token, or a service app with a token of the org's authorization server.

use std::collections::BTreeSet;

use actix_web::web::Bytes;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, Validation};
use serde_json::{Value, json};

use super::{
    World,
    answer::Say,
    guard::Endpoint,
    routes::pairs,
    state::{Issued, State},
};

const ALGORITHMS: [Algorithm; 5] =
    [Algorithm::RS256, Algorithm::RS384, Algorithm::RS512, Algorithm::ES256, Algorithm::ES384];
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Any of these scopes lets a token do it.
fn scopes_for(at: Endpoint, writes: bool) -> &'static [&'static str] {
    match (at, writes) {
        (Endpoint::Types, false) => &["okta.userTypes.read", "okta.userTypes.manage"],
        (Endpoint::Types, true) => &["okta.userTypes.manage"],
        (Endpoint::Schema, false) => &["okta.schemas.read", "okta.schemas.manage"],
        (Endpoint::Schema, true) => &["okta.schemas.manage"],
        (Endpoint::Members, false) => &["okta.groups.read", "okta.groups.manage"],
        (_, false) => &["okta.users.read", "okta.users.manage"],
        (_, true) => &["okta.users.manage"],
    }
}

/// Lets the caller in, or says why not.
pub(super) fn admit(
    world: &World,
    state: &State,
    authorization: Option<&str>,
    at: Endpoint,
    writes: bool,
) -> Result<(), Say> {
    let unknown = || Say::Error(401, "E0000011", "Invalid token provided".to_owned());
    let forbidden = || {
        let why = "You do not have permission to perform the requested action";
        Say::Error(403, "E0000006", why.to_owned())
    };
    let text = authorization.ok_or_else(unknown)?;
    if let Some(token) = text.strip_prefix("Bearer ") {
        let issued = state.issued.get(token).filter(|issued| world.clock.now().as_second() < issued.until);
        let scopes = &issued.ok_or_else(unknown)?.scopes;
        if !scopes_for(at, writes).iter().any(|scope| scopes.contains(*scope)) {
            return Err(forbidden());
        }
    } else if text.strip_prefix("SSWS ") != Some(state.token.as_str()) {
        return Err(unknown());
    }
    if writes && state.read_only { Err(forbidden()) } else { Ok(()) }
}

/// `client_credentials` with `private_key_jwt`, the only way to Okta's own scopes.
pub(super) fn issue(world: &World, state: &mut State, content_type: Option<&str>, body: &Bytes) -> Say {
    let form = std::str::from_utf8(body).ok().and_then(pairs);
    let is_form = content_type.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let Some(form) = form.filter(|_| is_form) else {
        return Say::OauthError(400, "invalid_request", "The request is no form.");
    };
    let field = |name: &str| form.get(name).map_or("", String::as_str);
    if field("grant_type") != "client_credentials" {
        return Say::OauthError(400, "unsupported_grant_type", "grant_type");
    }
    if field("client_assertion_type") != ASSERTION || form.contains_key("client_secret") {
        return Say::OauthError(401, "invalid_client", "Client must use private_key_jwt.");
    }
    let client = match assertion(world, state, field("client_assertion")) {
        Ok(client) => client,
        Err(why) => return Say::OauthError(401, "invalid_client", why),
    };
    let scopes: BTreeSet<String> = field("scope").split(' ').filter(|s| !s.is_empty()).map(str::to_owned).collect();
    let granted = state.apps.get(&client).is_some_and(|app| scopes.is_subset(&app.scopes));
    if scopes.is_empty() || !granted {
        return Say::OauthError(400, "invalid_scope", "One or more scopes are not configured for the app.");
    }
    let token = format!("at-{}-{}", client, state.issued.len());
    let until = world.clock.now().as_second() + state.token_life;
    let scope = scopes.iter().cloned().collect::<Vec<_>>().join(" ");
    state.issued.insert(token.clone(), Issued { scopes, until });
    let body = json!({"token_type": "Bearer", "expires_in": state.token_life, "access_token": token, "scope": scope});
    Say::Json(body, vec![("cache-control", "no-store".to_owned())])
}

/// The client that the assertion proves.
fn assertion(world: &World, state: &mut State, jwt: &str) -> Result<String, &'static str> {
    let header = jsonwebtoken::decode_header(jwt).map_err(|_| "The client_assertion is no JWT.")?;
    if !ALGORITHMS.contains(&header.alg) {
        return Err("The algorithm isn't allowed.");
    }
    // Whose it claims to be, to find the key; believed once the signature fits.
    let claimed = jwt.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let claimed: Value = claimed.and_then(|bytes| serde_json::from_slice(&bytes).ok()).ok_or("no claims")?;
    let client = claimed["iss"].as_str().ok_or("The issuer is missing.")?;
    let app = state.apps.get(client).ok_or("The client is unknown.")?;
    if header.kid.as_deref() != Some(app.key_id.as_str()) {
        return Err("The key is unknown.");
    }
    let mut validation = Validation::new(header.alg);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let claims =
        jsonwebtoken::decode::<Value>(jwt, &app.key, &validation).map_err(|_| "The signature is wrong.")?.claims;
    let now = world.clock.now().as_second();
    let audience = format!("{}/oauth2/v1/token", world.url);
    if claims["sub"] != claims["iss"] {
        return Err("The subject is not the issuer.");
    }
    if claims["aud"].as_str() != Some(audience.as_str()) {
        return Err("The audience is not this server.");
    }
    if claims["exp"].as_i64().is_none_or(|exp| exp <= now || exp > now + 3600) {
        return Err("It has expired, or lives for more than an hour.");
    }
    if claims["iat"].as_i64().is_some_and(|iat| iat > now) {
        return Err("It was issued in the future.");
    }
    if claims["jti"].as_str().is_some_and(|jti| !state.assertions.insert(jti.to_owned())) {
        return Err("It was used before.");
    }
    Ok(client.to_owned())
}
