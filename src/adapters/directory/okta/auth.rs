//! Signing in at Okta: an API token (`SSWS`), or a service app that proves itself with its key (`private_key_jwt`,
//! RFC 7523) and gets tokens that live for an hour.
//!
//! [`SignIn::send`] is all that others need: it adds the header, and asks for another token once if Okta says 401.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::{
    Method, RequestBuilder, StatusCode,
    header::{ACCEPT, AUTHORIZATION, HeaderValue},
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::limits::{Bucket, Lane, Limits};
use crate::{
    adapters::directory::rest::{Answer, Rest},
    ports::{
        clock::Clock,
        directory::DirectoryError,
        entropy::{self, Entropy},
    },
};

/// How long an assertion is good for. Okta takes an hour at most; both clocks may be wrong by minutes.
const ASSERTION_LIFE: Duration = Duration::from_mins(10);
/// A token is renewed this long before its end, or when a quarter of its life is left.
const AHEAD: Duration = Duration::from_mins(5);
/// After a failure no token is asked for during this time; all who want one get that failure.
const BRAKE: Duration = Duration::from_secs(1);
/// The same while the old token is still good.
const PATIENT_BRAKE: Duration = Duration::from_secs(30);
/// A token that is refused within this time of its making isn't replaced.
const NEW: Duration = Duration::from_secs(2);
/// What an answer's token may live at most, whatever it says.
const LONGEST_LIFE: u64 = 86_400;

/// How we prove who we are.
#[derive(Clone)]
pub enum Credentials {
    /// An API token, which acts as the administrator who made it.
    ApiToken(SecretString),
    /// A service app with a key.
    App(App),
}

/// A service app of the organisation.
#[derive(Clone)]
pub struct App {
    /// Its client id.
    pub client_id: String,
    /// Its key.
    pub key: AppKey,
}

/// A service app's private key.
#[derive(Clone)]
pub struct AppKey(Arc<Signer>);

struct Signer {
    key: EncodingKey,
    header: Header,
}

/// Why a key can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it holds no private key that can be used: PEM, PKCS#8, RSA of at least 2048 bits or EC P-256")]
pub struct KeyError;

impl AppKey {
    /// Takes a key (PEM, PKCS#8, RSA or EC P-256); `id` is its `kid` at Okta.
    pub fn from_pem(pem: &[u8], id: Option<&str>) -> Result<Self, KeyError> {
        let rsa = EncodingKey::from_rsa_pem(pem).map(|key| (key, Algorithm::RS256));
        let either = rsa.or_else(|_| EncodingKey::from_ec_pem(pem).map(|key| (key, Algorithm::ES256)));
        let (key, algorithm) = either.map_err(|_| KeyError)?;
        let header = Header { kid: id.map(str::to_owned), ..Header::new(algorithm) };
        // A key of another curve is noticed only when it signs.
        jsonwebtoken::encode(&header, &(), &key).map_err(|_| KeyError)?;
        Ok(Self(Arc::new(Signer { key, header })))
    }
}

#[derive(Serialize)]
struct Assertion<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    exp: i64,
    jti: String,
}

#[derive(Deserialize)]
struct Granted {
    token_type: String,
    expires_in: u64,
    access_token: String,
}

#[derive(Deserialize, Default)]
struct Refused {
    #[serde(default)]
    error: String,
}

/// A token in use.
#[derive(Clone)]
struct Held {
    header: HeaderValue,
    /// Which one it is.
    number: u64,
    /// By the monotonic clock, as the other times.
    since: Duration,
    renew_at: Duration,
    ends: Duration,
}

/// What went wrong last, and until when nobody tries again.
struct Failure {
    error: DirectoryError,
    at: Duration,
}

struct Tokens {
    app: App,
    scopes: String,
    rest: Rest,
    limits: Arc<Limits>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    held: Mutex<Option<Held>>,
    /// Held by whoever asks for a token.
    gate: tokio::sync::Mutex<Option<Failure>>,
    renewing: AtomicBool,
    /// Numbers the tokens.
    given: AtomicU64,
}

#[derive(Clone)]
enum How {
    Fixed(HeaderValue),
    Tokens(Arc<Tokens>),
}

/// Signs requests to one organisation. Clones share their token.
#[derive(Clone)]
pub struct SignIn {
    how: How,
    rest: Rest,
}

impl SignIn {
    /// Asks nobody yet. `scopes` are what a service app's tokens are asked for; an API token has what its owner has.
    pub fn new(
        credentials: Credentials,
        scopes: &[&str],
        rest: &Rest,
        limits: &Arc<Limits>,
        clock: &Arc<dyn Clock>,
        entropy: &Arc<dyn Entropy>,
    ) -> Result<Self, DirectoryError> {
        let how = match credentials {
            Credentials::ApiToken(token) => How::Fixed(sensitive("SSWS", token.expose_secret())?),
            Credentials::App(app) => How::Tokens(Arc::new(Tokens {
                app,
                scopes: scopes.join(" "),
                rest: rest.clone(),
                limits: Arc::clone(limits),
                clock: Arc::clone(clock),
                entropy: Arc::clone(entropy),
                held: Mutex::default(),
                gate: tokio::sync::Mutex::default(),
                renewing: AtomicBool::new(false),
                given: AtomicU64::new(0),
            })),
        };
        Ok(Self { how, rest: rest.clone() })
    }

    /// Signs the request, sends it, and reads the answer to its end. On a 401 a service app gets another token and
    /// tries once more: what was refused had no effect.
    pub async fn send(&self, request: RequestBuilder) -> Result<Answer, DirectoryError> {
        let request = request.header(ACCEPT, "application/json");
        let tokens = match &self.how {
            How::Fixed(header) => return self.rest.send(request.header(AUTHORIZATION, header)).await,
            How::Tokens(tokens) => tokens,
        };
        let again = request.try_clone();
        let first = tokens.current().await?;
        let answer = self.rest.send(request.header(AUTHORIZATION, &first.header)).await?;
        match again {
            Some(again) if answer.status == StatusCode::UNAUTHORIZED && tokens.forget(&first) => {
                let second = tokens.current().await?;
                self.rest.send(again.header(AUTHORIZATION, &second.header)).await
            }
            _ => Ok(answer),
        }
    }
}

impl Tokens {
    /// A token that is good now. One that will end soon is renewed while it still serves.
    async fn current(self: &Arc<Self>) -> Result<Held, DirectoryError> {
        let now = self.clock.monotonic();
        let Some(held) = self.held().clone().filter(|held| now < held.ends) else {
            return self.renew(None, BRAKE).await;
        };
        if held.renew_at <= now && !self.renewing.swap(true, Ordering::AcqRel) {
            let (tokens, number) = (Arc::clone(self), held.number);
            tokio::spawn(async move {
                // A failure is logged where it happens, and the old token serves on.
                drop(tokens.renew(Some(number), PATIENT_BRAKE).await);
                tokens.renewing.store(false, Ordering::Release);
            });
        }
        Ok(held)
    }

    /// Okta doesn't take it any more. False if it is so new that another one wouldn't fare better.
    fn forget(&self, refused: &Held) -> bool {
        if self.clock.monotonic() < refused.since + NEW {
            return false;
        }
        let mut held = self.held();
        if held.as_ref().is_some_and(|held| held.number == refused.number) {
            *held = None;
        }
        true
    }

    /// Gets a token in place of that one, or waits for whoever is getting it. It runs in a task of its own: a caller
    /// who gives up doesn't make the next one start over.
    async fn renew(self: &Arc<Self>, old: Option<u64>, brake: Duration) -> Result<Held, DirectoryError> {
        let tokens = Arc::clone(self);
        let task = tokio::spawn(async move {
            let mut failed = tokens.gate.lock().await;
            let now = tokens.clock.monotonic();
            let newer = tokens.held().clone().filter(|held| Some(held.number) != old && now < held.ends);
            if let Some(held) = newer {
                return Ok(held);
            }
            if let Some(failure) = failed.as_ref().filter(|failure| now < failure.at + brake) {
                return Err(failure.error.clone());
            }
            match tokens.ask().await {
                Ok(granted) => {
                    *failed = None;
                    Ok(tokens.take_in(&granted))
                }
                Err(error) => {
                    tracing::warn!(%error, "Okta gives us no token");
                    *failed = Some(Failure { error: error.clone(), at: tokens.clock.monotonic() });
                    Err(error)
                }
            }
        });
        task.await.unwrap_or_else(|_| Err(DirectoryError::Unavailable("signing in was stopped".to_owned())))
    }

    fn take_in(&self, (header, life): &(HeaderValue, Duration)) -> Held {
        let (now, life) = (self.clock.monotonic(), *life);
        let mut held = self.held();
        let number = self.given.fetch_add(1, Ordering::Relaxed);
        let renew_at = now + life.saturating_sub(AHEAD.min(life / 4));
        let ends = now + life.saturating_sub(life / 20);
        let new = Held { header: header.clone(), number, since: now, renew_at, ends };
        *held = Some(new.clone());
        new
    }

    async fn ask(&self) -> Result<(HeaderValue, Duration), DirectoryError> {
        self.limits.admit(Bucket::Token, Lane::Hooks)?;
        let url = self.rest.url(&["oauth2", "v1", "token"], &[])?;
        let assertion = self.assertion(url.as_str())?;
        let form = [
            ("grant_type", "client_credentials"),
            ("scope", self.scopes.as_str()),
            ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
            ("client_assertion", assertion.as_str()),
        ];
        let request = self.rest.with_form(Method::POST, url, &form).header(ACCEPT, "application/json");
        let answer = self.rest.send(request).await?;
        self.limits.learn(Bucket::Token, &answer)?;
        match answer.status.as_u16() {
            200 => granted(&answer),
            400 | 401 | 403 => Err(refused(&answer)),
            status => Err(DirectoryError::Unavailable(format!("its token endpoint answered {status}"))),
        }
    }

    fn assertion(&self, audience: &str) -> Result<String, DirectoryError> {
        let life = i64::try_from(ASSERTION_LIFE.as_secs()).unwrap_or(0);
        let claims = Assertion {
            iss: &self.app.client_id,
            sub: &self.app.client_id,
            aud: audience,
            exp: self.clock.now().as_second() + life,
            jti: URL_SAFE_NO_PAD.encode(entropy::bytes::<16>(&*self.entropy)),
        };
        let Signer { key, header } = &*self.app.key.0;
        jsonwebtoken::encode(header, &claims, key)
            .map_err(|_| DirectoryError::Rejected("the app's key doesn't sign".to_owned()))
    }

    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn granted(answer: &Answer) -> Result<(HeaderValue, Duration), DirectoryError> {
    let granted: Granted = answer.json()?;
    if !granted.token_type.eq_ignore_ascii_case("bearer") {
        let why = "the app's tokens are no bearer tokens; switch off `Require DPoP` at the app";
        return Err(DirectoryError::Rejected(why.to_owned()));
    }
    let life = granted.expires_in.min(LONGEST_LIFE);
    Ok((sensitive("Bearer", &granted.access_token)?, Duration::from_secs(life)))
}

/// Okta's code for it; its sentences may quote what we sent.
fn refused(answer: &Answer) -> DirectoryError {
    let Refused { error } = serde_json::from_slice(&answer.body).unwrap_or_default();
    let known = error.len() <= 40 && error.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let error = if known { error } else { String::new() };
    let hint = match error.as_str() {
        "invalid_client" => ": check the client id, the key and its id, and this machine's clock",
        "invalid_scope" => ": grant the app the scopes that are asked for",
        "invalid_dpop_proof" => ": switch off `Require DPoP` at the app",
        _ => "",
    };
    DirectoryError::Rejected(format!("signing in: {} {error}{hint}", answer.status.as_u16()))
}

fn sensitive(scheme: &str, token: &str) -> Result<HeaderValue, DirectoryError> {
    let fits = !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic());
    let value = if fits { HeaderValue::from_str(&format!("{scheme} {token}")).ok() } else { None };
    let mut value = value.ok_or_else(|| DirectoryError::Rejected("the token isn't one".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}
