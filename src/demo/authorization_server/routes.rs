//! The endpoints: discovery, keys, authorize, token.

use std::{io, net::TcpListener, sync::Arc};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    dev::{Server, Service as _},
    http::header::LOCATION,
    web::{self, Bytes, Data},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

use super::{
    DevClient, Shared, chooser,
    error::OAuthError,
    grants::{Login, PendingCode, Refresh},
    lock,
    requests::{Params, client, may_be_sent_to, scopes},
    tokens::{Asked, Occasion, mint, unique},
};

/// Serves on a listener that is bound already.
pub(super) fn serve(shared: Arc<Shared>, listener: TcpListener) -> io::Result<Server> {
    let server = HttpServer::new(move || {
        let counted = Arc::clone(&shared);
        let at = |path: &str| format!("{}{path}", shared.settings.path);
        App::new()
            .app_data(Data::from(Arc::clone(&shared)))
            .wrap_fn(move |request, service| {
                if let Some(path) = request.path().strip_prefix(&counted.settings.path) {
                    *lock(&counted.seen).entry(path.to_owned()).or_default() += 1;
                }
                service.call(request)
            })
            .route(&at("/.well-known/openid-configuration"), web::get().to(description))
            .route(&at("/.well-known/oauth-authorization-server"), web::get().to(description))
            .route(&at("/v1/keys"), web::get().to(keys))
            .route(&at("/v1/authorize"), web::get().to(authorize))
            .route(&at("/v1/token"), web::post().to(token))
    });
    Ok(server.workers(1).disable_signals().listen(listener)?.run())
}

async fn description(shared: Data<Shared>) -> HttpResponse {
    let issuer = &shared.issuer;
    let standard = ["openid", "profile", "email", "offline_access"].map(str::to_owned);
    let scopes: Vec<String> = standard.into_iter().chain(shared.settings.scopes.iter().cloned()).collect();
    HttpResponse::Ok().json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/v1/authorize"),
        "token_endpoint": format!("{issuer}/v1/token"),
        "jwks_uri": format!("{issuer}/v1/keys"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": scopes,
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "code_challenge_methods_supported": ["S256"],
    }))
}

async fn keys(shared: Data<Shared>) -> HttpResponse {
    HttpResponse::Ok().json(lock(&shared.keys).document())
}

/// Signs in whom `login_hint` names, or asks who it is. Until client and redirect URI are known to fit, errors stay here;
/// then they go to the client (RFC 6749, 4.1.2.1).
async fn authorize(shared: Data<Shared>, request: HttpRequest) -> Result<HttpResponse, OAuthError> {
    let query = Params::read(request.query_string().as_bytes())?;
    let (id, redirect) = (query.need("client_id")?, query.need("redirect_uri")?);
    let client = shared.settings.clients.iter().find(|client| client.id == id);
    let client = client.filter(|client| may_be_sent_to(client, redirect));
    let (Some(client), Ok(mut back)) = (client, Url::parse(redirect)) else {
        return Err(OAuthError::invalid_request("unknown client_id, or a redirect_uri that is not its own"));
    };
    if query.get("login_hint").is_none()
        && query.get("prompt") != Some("none")
        && let Ok(asked) = Url::parse(&asked_url(&shared, &request))
    {
        return Ok(chooser::page(&shared, &asked));
    }
    let result = sign_in(&shared, client, &request, &query);
    {
        let mut answer = back.query_pairs_mut();
        match &result {
            Ok(code) => answer.append_pair("code", code),
            Err(error) => answer.append_pair("error", error.code).append_pair("error_description", &error.description),
        };
        if let Some(state) = query.get("state") {
            answer.append_pair("state", state);
        }
    }
    Ok(HttpResponse::Found().insert_header((LOCATION, back.as_str())).finish())
}

fn sign_in(shared: &Shared, client: &DevClient, request: &HttpRequest, query: &Params) -> Result<String, OAuthError> {
    if query.need("response_type")? != "code" {
        return Err(OAuthError::new("unsupported_response_type", "only code"));
    }
    let challenge = query.get("code_challenge").map(str::to_owned);
    if challenge.is_some() && query.get("code_challenge_method") != Some("S256") {
        return Err(OAuthError::invalid_request("code_challenge_method must be S256"));
    }
    if challenge.is_none() && client.secret.is_none() {
        return Err(OAuthError::invalid_request("a public client must use PKCE"));
    }
    let hint = query.get("login_hint");
    let user = shared.settings.users.iter().find(|user| Some(user.login.as_str()) == hint);
    let login = Login {
        user: user.ok_or_else(|| OAuthError::new("login_required", "login_hint names no user"))?.clone(),
        client: client.id.clone(),
        redirect_uri: query.need("redirect_uri")?.to_owned(),
        scopes: scopes(&shared.settings, query.get("scope"))?,
        state: query.get("state").map(str::to_owned),
        nonce: query.get("nonce").map(str::to_owned),
        url: asked_url(shared, request),
        at: shared.settings.clock.now(),
    };
    let code = unique(shared);
    lock(&shared.grants).add_code(code.clone(), PendingCode { login, challenge });
    Ok(code)
}

fn asked_url(shared: &Shared, request: &HttpRequest) -> String {
    format!("{}{}", shared.origin, request.uri())
}

async fn token(shared: Data<Shared>, request: HttpRequest, body: Bytes) -> Result<HttpResponse, OAuthError> {
    let form = Params::read(&body)?;
    let client = client(&shared.settings, &request, &form)?;
    let answer = match form.need("grant_type")? {
        "authorization_code" => exchange(&shared, client, &form).await?,
        "refresh_token" => refresh(&shared, client, &request, &form).await?,
        "client_credentials" => credentials(&shared, client, &request, &form).await?,
        _ => return Err(OAuthError::new("unsupported_grant_type", "code, refresh token or client credentials")),
    };
    Ok(HttpResponse::Ok().insert_header(("Cache-Control", "no-store")).json(answer))
}

async fn exchange(shared: &Shared, client: &DevClient, form: &Params) -> Result<Value, OAuthError> {
    let pending = lock(&shared.grants).take_code(form.need("code")?, shared.settings.clock.now());
    let PendingCode { login, challenge } = pending.ok_or_else(|| OAuthError::invalid_grant("no such code"))?;
    if login.client != client.id || login.redirect_uri != form.need("redirect_uri")? {
        return Err(OAuthError::invalid_grant("the code was given to somebody else"));
    }
    let proof = form.get("code_verifier").map(|verifier| URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)));
    if proof != challenge {
        return Err(OAuthError::invalid_grant("the code_verifier is wrong"));
    }
    let refresh_id = login.scopes.contains("offline_access").then(|| format!("oar{}", unique(shared)));
    let asked = Asked {
        client: client.id.clone(),
        scopes: login.scopes.clone(),
        url: login.url.clone(),
        refresh_id: refresh_id.clone(),
        occasion: Occasion::Code(login.clone()),
    };
    let mut answer = mint(shared, &asked).await?;
    if let Some(id) = refresh_id {
        let token = unique(shared);
        lock(&shared.grants).add_refresh(token.clone(), Refresh { login, id });
        answer.insert("refresh_token".to_owned(), json!(token));
    }
    Ok(Value::Object(answer))
}

/// A refusal by the hook leaves the refresh token as it is: the client can go on without the delegation.
async fn refresh(
    shared: &Shared,
    client: &DevClient,
    request: &HttpRequest,
    form: &Params,
) -> Result<Value, OAuthError> {
    let gone = || OAuthError::invalid_grant("no such refresh token");
    let old = form.need("refresh_token")?;
    let found = lock(&shared.grants).refresh(old).filter(|refresh| refresh.login.client == client.id);
    let refresh = found.ok_or_else(gone)?;
    let scopes = match form.get("scope") {
        None => refresh.login.scopes.clone(),
        Some(text) => scopes(&shared.settings, Some(text))?,
    };
    if !scopes.is_subset(&refresh.login.scopes) {
        return Err(OAuthError::new("invalid_scope", "more than was granted"));
    }
    let asked = Asked {
        client: client.id.clone(),
        scopes,
        url: asked_url(shared, request),
        refresh_id: Some(refresh.id.clone()),
        occasion: Occasion::Refresh(refresh),
    };
    let mut answer = mint(shared, &asked).await?;
    let new = unique(shared);
    if !lock(&shared.grants).rotate(old, new.clone()) {
        return Err(gone());
    }
    answer.insert("refresh_token".to_owned(), json!(new));
    Ok(Value::Object(answer))
}

async fn credentials(
    shared: &Shared,
    client: &DevClient,
    request: &HttpRequest,
    form: &Params,
) -> Result<Value, OAuthError> {
    if client.secret.is_none() {
        return Err(OAuthError::new("unauthorized_client", "a public client has no credentials"));
    }
    let scopes = scopes(&shared.settings, form.get("scope"))?;
    if !scopes.is_subset(&shared.settings.scopes) {
        return Err(OAuthError::new("invalid_scope", "a client has no identity"));
    }
    let asked = Asked {
        occasion: Occasion::Client,
        client: client.id.clone(),
        scopes,
        url: asked_url(shared, request),
        refresh_id: None,
    };
    mint(shared, &asked).await.map(Value::Object)
}
