//! Minting: the drafts, the hook, the signatures.

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    Shared,
    error::OAuthError,
    grants::{Login, Refresh},
    hook, lock,
    patch::{Draft, Drafts},
};
use crate::ports::entropy;

/// Seconds a token lives unless the hook says otherwise: Okta's default.
const LIFETIME: u64 = 3600;

/// Why tokens are minted.
pub(super) enum Occasion {
    /// A code was exchanged.
    Code(Login),
    /// A refresh token was used.
    Refresh(Refresh),
    /// A client asked for itself.
    Client,
}

/// One request for tokens.
pub(super) struct Asked {
    pub(super) occasion: Occasion,
    pub(super) client: String,
    pub(super) scopes: BTreeSet<String>,
    /// The URL that the hook is told.
    pub(super) url: String,
    /// Id of the refresh token that goes with the tokens.
    pub(super) refresh_id: Option<String>,
}

impl Asked {
    pub(super) fn login(&self) -> Option<&Login> {
        match &self.occasion {
            Occasion::Code(login) => Some(login),
            Occasion::Refresh(refresh) => Some(&refresh.login),
            Occasion::Client => None,
        }
    }

    pub(super) fn scope_text(&self) -> String {
        self.scopes.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
    }
}

/// 18 random bytes as text.
pub(super) fn unique(shared: &Shared) -> String {
    URL_SAFE_NO_PAD.encode(entropy::bytes::<18>(&*shared.settings.entropy))
}

/// The answer's tokens. The refresh token, if any, is the caller's to add.
pub(super) async fn mint(shared: &Shared, asked: &Asked) -> Result<Map<String, Value>, OAuthError> {
    let drafts = Drafts {
        access: Some(Draft { claims: access_claims(shared, asked), lifetime: LIFETIME }),
        identity: identity_claims(shared, asked).map(|claims| Draft { claims, lifetime: LIFETIME }),
    };
    let refused = |why: String| OAuthError { code: "server_error", description: why };
    let drafts = hook::ask(shared, asked, drafts).await.map_err(refused)?;
    let now = shared.settings.clock.now();
    let mut answer = Map::new();
    answer.insert("token_type".to_owned(), json!("Bearer"));
    answer.insert("scope".to_owned(), json!(asked.scope_text()));
    if let Some(mut access) = drafts.access {
        access.claims.insert("scp".to_owned(), json!(asked.scopes));
        answer.insert("expires_in".to_owned(), json!(access.lifetime));
        answer.insert("access_token".to_owned(), json!(signed(shared, access, now)?));
    }
    if let Some(identity) = drafts.identity {
        answer.insert("id_token".to_owned(), json!(signed(shared, identity, now)?));
    }
    Ok(answer)
}

fn signed(shared: &Shared, draft: Draft, now: Timestamp) -> Result<String, OAuthError> {
    let Draft { mut claims, lifetime } = draft;
    claims.insert("iat".to_owned(), json!(now.as_second()));
    claims.insert("exp".to_owned(), json!(now.as_second().saturating_add_unsigned(lifetime)));
    Ok(lock(&shared.keys).sign(&claims)?)
}

fn access_claims(shared: &Shared, asked: &Asked) -> Map<String, Value> {
    let mut claims = Map::new();
    let mut set = |name: &str, value: Value| drop(claims.insert(name.to_owned(), value));
    set("ver", json!(1));
    set("jti", json!(format!("AT.{}", unique(shared))));
    set("iss", json!(shared.issuer));
    set("aud", json!(shared.settings.audience));
    set("cid", json!(asked.client));
    let Some(login) = asked.login() else {
        set("sub", json!(asked.client));
        return claims;
    };
    set("uid", json!(login.user.id));
    set("sub", json!(login.user.login));
    set("auth_time", json!(login.at.as_second()));
    claims.extend(login.user.access_claims.clone());
    claims
}

fn identity_claims(shared: &Shared, asked: &Asked) -> Option<Map<String, Value>> {
    let login = asked.login().filter(|_| asked.scopes.contains("openid"))?;
    let mut claims = Map::new();
    let mut set = |name: &str, value: Value| drop(claims.insert(name.to_owned(), value));
    set("ver", json!(1));
    set("jti", json!(format!("ID.{}", unique(shared))));
    set("iss", json!(shared.issuer));
    set("aud", json!(asked.client));
    set("sub", json!(login.user.id));
    set("amr", json!(["pwd"]));
    set("auth_time", json!(login.at.as_second()));
    set("preferred_username", json!(login.user.login));
    if let Some(nonce) = &login.nonce {
        set("nonce", json!(nonce));
    }
    claims.extend(login.user.id_claims.clone());
    Some(claims)
}
