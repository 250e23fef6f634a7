//! A small authorization server for the demo and for tests. It treats the token hook as Okta does: one attempt, 3
//! seconds, no redirects; whatever isn't a 200 mints the plain token; a patch applies whole or not at all; `error` mints
//! none. It signs anybody in without a password and listens on loopback only.

mod chooser;
mod error;
mod grants;
mod hook;
mod keys;
pub mod patch;
mod requests;
mod routes;
mod tokens;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    net::TcpListener,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actix_web::dev::ServerHandle;
use secrecy::SecretString;
use serde_json::{Map, Value};

pub use hook::{HookCall, HookOutcome};

use crate::{
    adapters::http_client::{self, HttpClientError},
    ports::{clock::Clock, entropy::Entropy},
};

/// How long Okta waits for a token hook.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// Somebody who can sign in.
#[derive(Debug, Clone)]
pub struct DevUser {
    /// The immutable id: `uid` of access tokens, `sub` of ID tokens, `data.context.user.id` of the hook.
    pub id: String,
    /// The login: `sub` of access tokens; `login_hint` names the user by it.
    pub login: String,
    /// More claims for his access tokens, e.g. `can_delegate`.
    pub access_claims: Map<String, Value>,
    /// More claims for his ID tokens.
    pub id_claims: Map<String, Value>,
}

/// An application that asks for tokens.
#[derive(Clone)]
pub struct DevClient {
    /// The client id.
    pub id: String,
    /// A confidential client's secret; `None`: a public client, which must use PKCE.
    pub secret: Option<SecretString>,
    /// Where codes may be sent, compared exactly, but for the port of a public client's on a loopback address.
    pub redirect_uris: Vec<String>,
}

/// The token hook, and how its caller proves who he is.
#[derive(Clone)]
pub struct HookTarget {
    /// Where it is.
    pub url: String,
    /// Name of the header with the secret.
    pub header: String,
    /// The header's whole value.
    pub secret: SecretString,
    /// How long to wait for the answer; [`PATIENCE`] is Okta's.
    pub patience: Duration,
}

/// What the server serves.
#[derive(Clone)]
pub struct DevSettings {
    /// The issuer's path, e.g. `/oauth2/default`.
    pub path: String,
    /// `aud` of access tokens.
    pub audience: String,
    /// Who can sign in.
    pub users: Vec<DevUser>,
    /// Who can ask.
    pub clients: Vec<DevClient>,
    /// Scopes besides `openid`, `profile`, `email` and `offline_access`.
    pub scopes: BTreeSet<String>,
    /// The token hook; [`DevServer::set_hook`] changes it later.
    pub hook: Option<HookTarget>,
    /// Tells `iat` and `exp`, and when codes end.
    pub clock: Arc<dyn Clock>,
    /// Makes codes, refresh tokens and ids.
    pub entropy: Arc<dyn Entropy>,
}

/// Why the server doesn't start, or can't sign.
#[derive(Debug, thiserror::Error)]
pub enum DevServerError {
    /// No port.
    #[error("the development authorization server can't listen")]
    Listen(#[from] io::Error),
    /// No HTTP client for the hook.
    #[error("the development authorization server has no HTTP client")]
    Client(#[from] HttpClientError),
    /// The cryptography library refuses.
    #[error("the development authorization server can't sign")]
    Sign(#[from] aws_lc_rs::error::Unspecified),
}

/// What becomes of the present signing key when a new one comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OldKey {
    /// It stays published: tokens signed with it are still good.
    Keep,
    /// It is gone at once.
    Remove,
}

/// What all handlers share.
struct Shared {
    settings: DevSettings,
    origin: String,
    issuer: String,
    http: reqwest::Client,
    keys: Mutex<keys::KeyChain>,
    grants: Mutex<grants::Grants>,
    hook: Mutex<Option<HookTarget>>,
    calls: Mutex<Vec<HookCall>>,
    seen: Mutex<BTreeMap<String, u64>>,
}

/// A running server. It stops when it is dropped.
pub struct DevServer {
    shared: Arc<Shared>,
    handle: ServerHandle,
}

impl DevServer {
    /// Starts on a free port of 127.0.0.1. To be called within a tokio runtime.
    pub fn start(settings: DevSettings) -> Result<Self, DevServerError> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let origin = format!("http://{}", listener.local_addr()?);
        let issuer = format!("{origin}{}", settings.path);
        let shared = Arc::new(Shared {
            origin,
            issuer,
            http: http_client::build(None)?,
            keys: Mutex::new(keys::KeyChain::generate()?),
            grants: Mutex::default(),
            hook: Mutex::new(settings.hook.clone()),
            calls: Mutex::default(),
            seen: Mutex::default(),
            settings,
        });
        let server = routes::serve(Arc::clone(&shared), listener)?;
        let handle = server.handle();
        tokio::spawn(server);
        tracing::warn!(
            issuer = shared.issuer,
            "the development authorization server runs: it signs anybody in, and is for demo and tests only"
        );
        Ok(Self { shared, handle })
    }

    /// The issuer identifier.
    pub fn issuer(&self) -> &str {
        &self.shared.issuer
    }

    /// Scheme, host and port, without a path.
    pub fn url(&self) -> &str {
        &self.shared.origin
    }

    /// Names the hook, or none. The hook's owner needs the issuer first, so this comes after the start.
    pub fn set_hook(&self, hook: Option<HookTarget>) {
        *lock(&self.shared.hook) = hook;
    }

    /// All calls of the hook so far, oldest first.
    pub fn hook_log(&self) -> Vec<HookCall> {
        lock(&self.shared.calls).clone()
    }

    /// Requests so far for a path below the issuer, e.g. `/v1/keys`.
    pub fn requests(&self, path: &str) -> u64 {
        lock(&self.shared.seen).get(path).copied().unwrap_or(0)
    }

    /// Signs with a new key from now on.
    pub fn rotate_key(&self, old: OldKey) -> Result<(), DevServerError> {
        let new = keys::KeyChain::generate()?;
        lock(&self.shared.keys).rotate(new, old);
        Ok(())
    }

    /// Signs these claims as they are, header type `JWT`: for tokens that no flow gives.
    pub fn sign(&self, claims: &Map<String, Value>) -> Result<String, DevServerError> {
        Ok(lock(&self.shared.keys).sign(claims)?)
    }

    /// Stops listening, and waits until that is so.
    pub async fn stop(self) {
        self.handle.stop(false).await;
    }
}

impl Drop for DevServer {
    fn drop(&mut self) {
        // The command is sent at once; the future only waits for its end.
        drop(self.handle.stop(false));
    }
}

/// Takes a lock. Nothing under these locks can break off half way, so a panic elsewhere doesn't matter.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
