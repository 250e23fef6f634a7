//! The binary as an operator meets it: a process with variables, files, signals and exit codes.

mod check;
mod commands;
mod crash;
mod demo;
mod drain;
mod ldap;
mod metrics;
mod newer_records;
mod old_variables;
mod pod;
mod policy;
mod redis;
mod reload;
mod selftest;
mod serve;
mod setup_okta;
mod tls;
mod traces;

use std::{collections::BTreeMap, fs, path::Path, process::Command, sync::Arc};

use behalf::{
    adapters::{
        http_client,
        oidc::install_crypto,
        system::{OsEntropy, SystemClock},
    },
    demo::authorization_server::{DevServer, DevSettings},
    ports::clock::Clock as _,
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    process::{Service, behalf},
    test_app::{ISSUER, refresh_hook},
};

const SECRET: &str = "Hook of-the-binary-tests";
const USERS: &str = "
users:
  - {id: 00uann, login: ann@example.test, status: active}
  - {id: 00ubob, login: bob@example.test, status: active, profile: {costCenter: '4711'}}
";

/// An issuer, and a folder to run the binary in.
struct World {
    dir: TempDir,
    issuer: DevServer,
    http: reqwest::Client,
}

impl World {
    fn new() -> Self {
        install_crypto();
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("users.yaml"), USERS).unwrap();
        let issuer = DevServer::start(DevSettings {
            path: "/oauth2/default".to_owned(),
            audience: "api://default".to_owned(),
            users: Vec::new(),
            clients: Vec::new(),
            scopes: ["behalf".to_owned()].into(),
            hook: None,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(OsEntropy),
        });
        Self { dir, issuer: issuer.unwrap(), http: http_client::build(None).unwrap() }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    /// What it takes to serve.
    fn variables(&self) -> BTreeMap<&'static str, String> {
        BTreeMap::from([
            ("BEHALF_BIND", "127.0.0.1:0".to_owned()),
            ("BEHALF_ISSUER", self.issuer.issuer().to_owned()),
            ("BEHALF_AUDIENCE", "api://default".to_owned()),
            ("BEHALF_HOOK_SECRET", SECRET.to_owned()),
            ("BEHALF_DRAIN_DELAY", "0s".to_owned()),
        ])
    }

    /// Our binary in the folder, with what it takes to serve and these changes; an empty value counts as not set.
    fn command(&self, arguments: &[&str], change: &[(&'static str, &str)]) -> Command {
        let mut variables = self.variables();
        variables.extend(change.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let mut command = behalf(self.path(), arguments);
        command.envs(variables);
        command
    }

    async fn serve(&self, change: &[(&'static str, &str)]) -> Service {
        Service::start(&mut self.command(&["serve"], change)).await
    }

    /// An access token of the issuer for `ann` or `bob`.
    fn token(&self, who: &str) -> String {
        let now = SystemClock.now().as_second();
        let claims = json!({
            "iss": self.issuer.issuer(), "aud": "api://default", "iat": now, "exp": now + 3600, "jti": "AT.1",
            "cid": "app", "uid": format!("00u{who}"), "sub": format!("{who}@example.test"), "scp": ["openid", "behalf"],
        });
        self.issuer.sign(claims.as_object().unwrap()).unwrap()
    }

    async fn call(&self, method: Method, url: &str, who: &str, body: &Value) -> (StatusCode, Value) {
        let request = self.http.request(method, url).bearer_auth(self.token(who)).json(body);
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap_or(Value::Null))
    }

    /// Lets Bob list Ann.
    async fn grant(&self, service: &Service) {
        let body = json!({"agent": "ann@example.test"});
        let (status, said) = self.call(Method::POST, &service.url("/v1/grants"), "bob", &body).await;
        assert_eq!(status, StatusCode::CREATED, "{said}");
    }

    /// Begins Ann's delegation for Bob.
    async fn begin(&self, service: &Service) -> String {
        let body = json!({"delegator": "bob@example.test"});
        let (status, begun) = self.call(Method::POST, &service.url("/v1/delegations"), "ann", &body).await;
        assert_eq!(status, StatusCode::CREATED, "{begun}");
        begun["delegationid"].as_str().unwrap().to_owned()
    }

    /// The bytes of a hook for a refresh of Ann's.
    fn hook(&self, event: &str, id: Option<&str>) -> String {
        refresh_hook(event, id).to_string().replace(ISSUER, self.issuer.issuer())
    }

    /// Delivers a hook: status and body.
    async fn deliver(&self, url: &str, hook: &str) -> (u16, String) {
        let request = self.http.post(url).header("authorization", SECRET).header("content-type", "application/json");
        let answer = request.body(hook.to_owned()).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// The status of a page that needs no token, and its JSON, if it is any. `None`: nobody listens.
    async fn page(&self, url: &str) -> Option<(u16, Value)> {
        let answer = self.http.get(url).send().await.ok()?;
        Some((answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null)))
    }
}

/// Demands that a hook's answer makes the token Bob's.
fn assert_delegates(answer: &(u16, String)) {
    let (status, body) = answer;
    assert_eq!(*status, 200, "{body}");
    let answer: Value = serde_json::from_str(body).unwrap();
    let commands = answer["commands"].as_array().unwrap_or_else(|| panic!("no patch: {body}"));
    let access = commands.iter().find(|command| command["type"] == "com.okta.access.patch").unwrap();
    let operations = access["value"].as_array().unwrap();
    let subject = operations.iter().find(|operation| operation["path"] == "/claims/on_behalf_sub").unwrap();
    assert_eq!(subject["value"], "bob@example.test");
}

/// Demands that a hook's answer refuses with this public code.
fn assert_refuses(answer: &(u16, String), code: &str) {
    let (status, body) = answer;
    assert_eq!(*status, 200, "{body}");
    let answer: Value = serde_json::from_str(body).unwrap();
    let told = answer["error"]["errorSummary"].as_str().unwrap_or_else(|| panic!("no refusal: {body}"));
    assert!(told.contains(&format!("({code})")), "{told}");
}
