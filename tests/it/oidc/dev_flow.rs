//! The development authorization server as a client sees it.

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use behalf::{
    adapters::{http_client, oidc::OidcVerifier},
    demo::authorization_server::DevServer,
    metrics::Metrics,
    ports::{
        clock::ManualClock,
        token_verifier::{TokenVerifier as _, VerifyError},
    },
};
use jiff::SignedDuration;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

use super::{CALLBACK, clock, settings, start, verifier};

pub(super) const SCOPE: &str = "openid behalf offline_access";
const SECRET: &str = "a-verifier-of-at-least-forty-three-characters-1";

/// A public client.
pub(super) struct App<'a> {
    pub(super) server: &'a DevServer,
    http: reqwest::Client,
}

impl<'a> App<'a> {
    pub(super) fn of(server: &'a DevServer) -> Self {
        Self { server, http: http_client::build(None).unwrap() }
    }

    fn authorize_url(&self, change: &[(&str, &str)]) -> Url {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(SECRET));
        let mut query = BTreeMap::from([
            ("client_id", "app"),
            ("redirect_uri", CALLBACK),
            ("response_type", "code"),
            ("scope", SCOPE),
            ("state", "state-1"),
            ("nonce", "nonce-1"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("login_hint", "agent@example.test"),
        ]);
        for (name, value) in change {
            query.insert(name, value);
        }
        query.retain(|_, value| !value.is_empty());
        Url::parse_with_params(&format!("{}/v1/authorize", self.server.issuer()), query).unwrap()
    }

    /// The query that the browser is sent back with.
    pub(super) async fn authorize(&self, change: &[(&str, &str)]) -> BTreeMap<String, String> {
        let response = self.http.get(self.authorize_url(change)).send().await.unwrap();
        assert_eq!(response.status(), 302);
        let back = Url::parse(response.headers()["location"].to_str().unwrap()).unwrap();
        assert!(back.as_str().starts_with(CALLBACK));
        back.query_pairs().into_owned().collect()
    }

    pub(super) async fn token(&self, query: &str, form: &[(&str, &str)]) -> (u16, Value) {
        let url = format!("{}/v1/token{query}", self.server.issuer());
        let response = self.http.post(url).form(form).send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    pub(super) async fn exchange(&self, code: &str) -> (u16, Value) {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", "app"),
            ("redirect_uri", CALLBACK),
            ("code", code),
            ("code_verifier", SECRET),
        ];
        self.token("", &form).await
    }

    pub(super) async fn sign_in(&self, state: &str) -> (u16, Value) {
        let code = self.authorize(&[("state", state)]).await.remove("code").unwrap();
        self.exchange(&code).await
    }

    pub(super) async fn refresh(&self, query: &str, token: &str) -> (u16, Value) {
        let form = [("grant_type", "refresh_token"), ("client_id", "app"), ("refresh_token", token)];
        self.token(query, &form).await
    }
}

/// A token's claims, unverified.
pub(super) fn claims(token: &Value) -> Value {
    let body = token.as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).unwrap()).unwrap()
}

#[tokio::test]
async fn a_login_gives_tokens_like_oktas() {
    let clock = clock();
    let server = start(&clock);
    let app = App::of(&server);
    let back = app.authorize(&[]).await;
    assert_eq!(back["state"], "state-1");
    let (status, answer) = app.exchange(&back["code"]).await;
    assert_eq!(status, 200);
    assert_eq!(answer["expires_in"], 3600);
    assert_eq!(answer["token_type"], "Bearer");

    let token = verifier(server.issuer(), &clock).verify(answer["access_token"].as_str().unwrap()).await.unwrap();
    let mut access = Value::Object(token.claims.clone());
    assert!(access["jti"].as_str().unwrap().starts_with("AT."));
    access["jti"] = json!(null);
    assert_eq!(
        access,
        json!({
            "ver": 1, "jti": null, "iss": server.issuer(), "aud": "api://default", "cid": "app", "uid": "00uagent",
            "sub": "agent@example.test", "can_delegate": "True", "scp": ["behalf", "offline_access", "openid"],
            "auth_time": 1_800_000_000, "iat": 1_800_000_000, "exp": 1_800_003_600,
        })
    );

    let mut for_client = settings(server.issuer(), "default");
    for_client.audience = "app".to_owned();
    let http = http_client::build(None).unwrap();
    let verifier = OidcVerifier::new(for_client, http, Arc::<ManualClock>::clone(&clock), Arc::new(Metrics::default()));
    let identity = answer["id_token"].as_str().unwrap();
    let refused = verifier.unwrap().verify(identity).await.err();
    assert_eq!(refused, Some(VerifyError::Invalid("it is an ID token".to_owned())));
    let body = URL_SAFE_NO_PAD.decode(identity.split('.').nth(1).unwrap()).unwrap();
    let identity: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(identity["sub"], "00uagent");
    assert_eq!(identity["nonce"], "nonce-1");
    assert_eq!(identity["email"], "agent@example.test");
}

#[tokio::test]
async fn an_id_token_is_no_access_token() {
    let clock = clock();
    let server = start(&clock);
    let (_, answer) = App::of(&server).sign_in("s").await;
    assert!(verifier(server.issuer(), &clock).verify(answer["id_token"].as_str().unwrap()).await.is_err());
}

#[tokio::test]
async fn a_code_is_good_once_for_a_minute_for_who_has_its_secret() {
    let clock = clock();
    let server = start(&clock);
    let app = App::of(&server);
    let code = || async { app.authorize(&[]).await.remove("code").unwrap() };
    let used = code().await;
    assert_eq!(app.exchange(&used).await.0, 200);
    assert_eq!(app.exchange(&used).await.1["error"], "invalid_grant");

    let late = code().await;
    clock.advance(SignedDuration::from_secs(60));
    assert_eq!(app.exchange(&late).await.1["error"], "invalid_grant");

    for (name, value) in [("code_verifier", "another"), ("redirect_uri", "http://127.0.0.1:9/x")] {
        let code = code().await;
        let mut form = BTreeMap::from([
            ("grant_type", "authorization_code"),
            ("client_id", "app"),
            ("redirect_uri", CALLBACK),
            ("code", &code),
            ("code_verifier", SECRET),
        ]);
        form.insert(name, value);
        let (status, answer) = app.token("", &form.into_iter().collect::<Vec<_>>()).await;
        assert_eq!((status, &answer["error"]), (400, &json!("invalid_grant")), "{name}");
    }
}

#[tokio::test]
async fn authorize_says_what_is_wrong() {
    let clock = clock();
    let server = start(&clock);
    let app = App::of(&server);
    for (change, error) in [
        (("login_hint", "nobody"), "login_required"),
        (("response_type", "code id_token"), "unsupported_response_type"),
        (("scope", "openid nonsense"), "invalid_scope"),
        (("scope", ""), "invalid_scope"),
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
    ] {
        let back = app.authorize(&[change]).await;
        assert_eq!(back["error"], error, "{change:?}");
        assert_eq!(back["state"], "state-1");
        assert!(!back.contains_key("code"));
    }
    for change in [("client_id", "nobody"), ("redirect_uri", "http://evil.test/"), ("redirect_uri", "")] {
        let response = app.http.get(app.authorize_url(&[change])).send().await.unwrap();
        assert_eq!(response.status(), 400, "{change:?} must not be redirected");
    }
}

/// A browser comes without a `login_hint`.
#[tokio::test]
async fn authorize_asks_who_it_is() {
    let clock = clock();
    let server = start(&clock);
    let app = App::of(&server);
    let unnamed = app.authorize_url(&[("login_hint", ""), ("state", "a\"b<i>&c")]);
    let page = app.http.get(unnamed).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let page = page.text().await.unwrap();
    assert!(!page.contains("<i>"), "{page}");
    let link = page.split("<a href=\"").nth(1).unwrap().split('"').next().unwrap().replace("&amp;", "&");
    let response = app.http.get(link).send().await.unwrap();
    let back = Url::parse(response.headers()["location"].to_str().unwrap()).unwrap();
    let back: BTreeMap<_, _> = back.query_pairs().into_owned().collect();
    assert_eq!(back["state"], "a\"b<i>&c");
    assert_eq!(app.exchange(&back["code"]).await.0, 200);

    let back = app.authorize(&[("login_hint", ""), ("prompt", "none")]).await;
    assert_eq!(back["error"], "login_required");
}

#[tokio::test]
async fn refresh_tokens_are_rotated_and_a_stolen_one_ends_the_family() {
    let clock = clock();
    let server = start(&clock);
    let app = App::of(&server);
    let (_, login) = app.sign_in("s").await;
    let first = login["refresh_token"].as_str().unwrap();
    let (status, second) = app.refresh("", first).await;
    assert_eq!(status, 200);
    assert_ne!(second["refresh_token"], login["refresh_token"]);
    assert_ne!(claims(&second["access_token"])["jti"], claims(&login["access_token"])["jti"]);
    assert_eq!(app.refresh("", first).await.1["error"], "invalid_grant");
    assert_eq!(app.refresh("", second["refresh_token"].as_str().unwrap()).await.1["error"], "invalid_grant");

    let (_, login) = app.sign_in("s").await;
    let token = login["refresh_token"].as_str().unwrap();
    let form = [("grant_type", "refresh_token"), ("client_id", "app"), ("refresh_token", token), ("scope", "email")];
    assert_eq!(app.token("", &form).await.1["error"], "invalid_scope");
    let form = [("grant_type", "refresh_token"), ("client_id", "app"), ("refresh_token", token), ("scope", "behalf")];
    let (_, narrowed) = app.token("", &form).await;
    assert_eq!(claims(&narrowed["access_token"])["scp"], json!(["behalf"]));
    assert!(narrowed.get("id_token").is_none());
}

#[tokio::test]
async fn a_client_gets_tokens_of_its_own() {
    let clock = clock();
    let server = start(&clock);
    let app = App::of(&server);
    let ask = |id: &'static str, secret: &'static str, scope: &'static str| {
        let form =
            [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret), ("scope", scope)];
        let app = &app;
        async move { app.token("", &form).await }
    };
    let (status, answer) = ask("service", "s3cret", "behalf").await;
    assert_eq!(status, 200);
    let access = claims(&answer["access_token"]);
    assert_eq!((&access["cid"], &access["sub"]), (&json!("service"), &json!("service")));
    assert!(access.get("uid").is_none() && answer.get("id_token").is_none() && answer.get("refresh_token").is_none());
    assert_eq!(ask("service", "wrong", "behalf").await.0, 401);
    assert_eq!(ask("app", "", "behalf").await.0, 401);
    assert_eq!(ask("service", "s3cret", "openid").await.1["error"], "invalid_scope");
    let twice = [("grant_type", "password"), ("client_id", "app")];
    assert_eq!(app.token("", &twice).await.1["error"], "unsupported_grant_type");
}

#[tokio::test]
async fn both_descriptions_are_one() {
    let clock = clock();
    let server = start(&clock);
    let app = App::of(&server);
    let get = |name: &str| {
        let request = app.http.get(format!("{}/.well-known/{name}", server.issuer()));
        async { request.send().await.unwrap().json::<Value>().await.unwrap() }
    };
    let description = get("openid-configuration").await;
    assert_eq!(description["issuer"], server.issuer());
    assert_eq!(description, get("oauth-authorization-server").await);
    assert!(server.issuer().starts_with(server.url()) && server.url().starts_with("http://127.0.0.1:"));
}
