//! The provider as a process, and an app that gets tokens from it.

use std::{collections::BTreeMap, path::Path, process::Command};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use behalf::adapters::{http_client, oidc::install_crypto};
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

use crate::support::{peers::installed, process::Process};

const CALLBACK: &str = "http://127.0.0.1:9/callback";
const CLIENT: (&str, &str) = ("app", "a-secret-of-the-app");
const PROOF: &str = "a-verifier-of-at-least-forty-three-characters-2";
const SCOPE: &str = "openid offline_access behalf";

/// A running provider.
pub(super) struct Provider {
    pub(super) issuer: String,
    pub(super) http: reqwest::Client,
    process: Process,
    /// Answers to commands that were read so far.
    answers: usize,
}

/// Tokens of a user.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) access: String,
    pub(super) identity: Option<String>,
    pub(super) refresh: String,
}

impl Provider {
    /// `None` where it isn't there; that was said.
    pub(super) async fn start() -> Option<Self> {
        install_crypto();
        let peers = installed("", "npm's oidc-provider")?;
        let server = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/oidc_provider/server.mjs");
        let mut command = Command::new(peers.join("node"));
        command.arg(server).arg(peers.join("oidc-provider"));
        let mut process = Process::start(&mut command);
        let issuer = process
            .line("the provider's issuer", |line| {
                serde_json::from_str::<Value>(line).ok()?["issuer"].as_str().map(str::to_owned)
            })
            .await;
        Some(Self { issuer, http: http_client::build(None).unwrap(), process, answers: 0 })
    }

    /// Names the hook, which needed the issuer first.
    pub(super) async fn set_hook(&mut self, url: &str, secret: &str) {
        self.command(&json!({"hook": {"url": url, "header": "authorization", "secret": secret}})).await;
    }

    /// The hook's calls so far: `request`, `status`, `answer`, `outcome`.
    pub(super) async fn calls(&mut self) -> Vec<Value> {
        self.command(&json!({"calls": true})).await["calls"].as_array().unwrap().clone()
    }

    async fn command(&mut self, command: &Value) -> Value {
        self.process.tell(command);
        self.answers += 1;
        let nth = self.answers;
        let text = crate::support::process::until("an answer of the provider", async || {
            // The first line is the issuer.
            self.process.out().into_iter().nth(nth)
        })
        .await;
        serde_json::from_str(&text).unwrap()
    }

    /// Authorization code flow with PKCE. The error is the token endpoint's.
    pub(super) async fn sign_in(&self, login: &str, state: &str) -> Result<Session, Value> {
        let code = self.authorize(login, state).await;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", PROOF),
        ];
        self.token("", &form).await
    }

    /// Refreshes, with a query of the token URL and a `state` in the form.
    pub(super) async fn refresh(&self, old: &Session, query: &str, state: Option<&str>) -> Result<Session, Value> {
        let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", old.refresh.as_str())];
        form.extend(state.map(|state| ("state", state)));
        self.token(query, &form).await
    }

    /// The same with less scope than was granted.
    pub(super) async fn refresh_scope(&self, old: &Session, scope: &str) -> Result<Session, Value> {
        let form = [("grant_type", "refresh_token"), ("refresh_token", old.refresh.as_str()), ("scope", scope)];
        self.token("", &form).await
    }

    async fn token(&self, query: &str, form: &[(&str, &str)]) -> Result<Session, Value> {
        let request = self.http.post(format!("{}/token{query}", self.issuer));
        let answer = request.basic_auth(CLIENT.0, Some(CLIENT.1)).form(form).send().await.unwrap();
        let status = answer.status();
        let said: Value = answer.json().await.unwrap();
        if !status.is_success() {
            return Err(said);
        }
        let text = |name: &str| said[name].as_str().map(str::to_owned);
        let (access, refresh) = (text("access_token").unwrap(), text("refresh_token").unwrap());
        Ok(Session { access, refresh, identity: text("id_token") })
    }

    /// Follows the provider's redirects like a browser, with its cookies, until it sends the app its code.
    async fn authorize(&self, login: &str, state: &str) -> String {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(PROOF));
        let query = [
            ("client_id", CLIENT.0),
            ("redirect_uri", CALLBACK),
            ("response_type", "code"),
            ("scope", SCOPE),
            ("state", state),
            ("login_hint", login),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let mut at = Url::parse_with_params(&format!("{}/auth", self.issuer), query).unwrap();
        let mut jar = BTreeMap::new();
        for _ in 0..10 {
            let cookies = jar.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
            let answer = self.http.get(at.clone()).header(COOKIE, cookies).send().await.unwrap();
            for cookie in answer.headers().get_all(SET_COOKIE) {
                let (name, value) = cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
                jar.insert(name.to_owned(), value.to_owned());
            }
            let Some(location) = answer.headers().get(LOCATION) else {
                panic!("{} instead of a redirect: {}", answer.status(), answer.text().await.unwrap());
            };
            at = at.join(location.to_str().unwrap()).unwrap();
            if at.as_str().starts_with(CALLBACK) {
                let back: BTreeMap<_, _> = at.query_pairs().into_owned().collect();
                assert_eq!(back["state"], state);
                return back["code"].clone();
            }
        }
        panic!("ten redirects and no code; the last leads to {at}");
    }
}
