//! The world around the binary: an issuer, users, a folder, and the process itself.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output},
    sync::Arc,
    time::Duration,
};

use behalf::{
    adapters::{
        http_client,
        oidc::install_crypto,
        system::{OsEntropy, SystemClock},
    },
    demo::authorization_server::{DevServer, DevSettings},
    ports::clock::Clock as _,
};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(super) const BOB: &str = "bob@example.test";
pub(super) const SECRET: &str = "Secret of-the-durability-tests";
const CLIENT: &str = "app";
/// Nothing here takes longer, not even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// What outlives the process.
pub(super) struct World {
    pub(super) folder: TempDir,
    pub(super) http: Client,
    issuer: DevServer,
    agents: usize,
}

/// One run of the binary; killed when it is dropped.
pub(super) struct Process {
    child: Child,
    log: PathBuf,
    /// Where it listens.
    pub(super) url: String,
}

/// What a hook was told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    Granted(String),
    Refused(String),
    Untouched,
    /// No answer came.
    Lost,
}

/// Tokens, addresses and one HTTP client: everything a caller needs.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) http: Client,
    pub(super) url: String,
    pub(super) issuer: String,
    pub(super) tokens: Arc<Vec<String>>,
}

impl World {
    /// Bob, and as many agents.
    pub(super) fn new(agents: usize) -> Self {
        install_crypto();
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
        let folder = tempfile::tempdir().unwrap();
        let person = |id: &str, login: &str| json!({"id": id, "login": login, "status": "active", "profile": {}});
        let mut users: Vec<_> = (0..agents).map(|n| person(&format!("00uann{n}"), &login(n))).collect();
        users.push(person("00ubob", BOB));
        fs::write(folder.path().join("users.yaml"), json!({ "users": users }).to_string()).unwrap();
        Self { folder, http: http_client::build(None).unwrap(), issuer: issuer.unwrap(), agents }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The binary with this configuration: the data in `data`, any free port.
    pub(super) fn command(&self, data: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_behalf"));
        command.current_dir(self.folder.path()).env_clear().envs([
            ("BEHALF_BIND", "127.0.0.1:0"),
            ("BEHALF_WORKERS", "2"),
            ("BEHALF_ISSUER", self.issuer.issuer()),
            ("BEHALF_AUDIENCE", "api://default"),
            ("BEHALF_HOOK_SECRET", SECRET),
            ("BEHALF_USERS_FILE", "users.yaml"),
            ("BEHALF_RATE_LIMIT", "1000000"),
            ("BEHALF_MAX_PENDING", "100"),
            ("BEHALF_DELEGATION_LIFE", "120s"),
            ("BEHALF_DRAIN_DELAY", "0s"),
        ]);
        command.env("BEHALF_STORE", format!("embedded:{}", data.display()));
        command
    }

    /// Runs a command of the binary to its end.
    pub(super) async fn run(&self, data: &Path, args: &[&str]) -> Output {
        let mut command = self.command(data);
        command.args(args);
        tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap()
    }

    /// Starts the service without waiting for it.
    pub(super) fn spawn(&self, data: &Path) -> Process {
        let log = self.path("log");
        let (out, err) = (File::create(&log).unwrap(), File::create(self.path("err")).unwrap());
        let child = self.command(data).arg("serve").stdout(out).stderr(err).spawn().unwrap();
        Process { child, log, url: String::new() }
    }

    /// Starts the service, and waits until it is ready.
    pub(super) async fn start(&self, data: &Path) -> Process {
        self.spawn(data).ready(self).await
    }

    /// What it said on standard error.
    pub(super) fn errors(&self) -> String {
        fs::read_to_string(self.path("err")).unwrap()
    }

    /// Callers with good tokens: the agents', then Bob's.
    pub(super) fn caller(&self, process: &Process) -> Caller {
        let mut tokens: Vec<_> = (0..self.agents).map(|n| self.token(&format!("00uann{n}"), &login(n))).collect();
        tokens.push(self.token("00ubob", BOB));
        let issuer = self.issuer.issuer().to_owned();
        Caller { http: self.http.clone(), url: process.url.clone(), issuer, tokens: Arc::new(tokens) }
    }

    fn token(&self, id: &str, login: &str) -> String {
        let now = SystemClock.now().as_second();
        let claims = json!({
            "iss": self.issuer.issuer(), "aud": "api://default", "iat": now, "exp": now + 3600, "cid": CLIENT,
            "uid": id, "sub": login, "scp": ["openid", "behalf"],
        });
        self.issuer.sign(claims.as_object().unwrap()).unwrap()
    }

    /// Bob lets every agent act for him.
    pub(super) async fn grant_all(&self, caller: &Caller) {
        for n in 0..self.agents {
            let answer = caller.call(Method::POST, "/v1/grants", self.agents, Some(json!({"agent": login(n)}))).await;
            assert_eq!(answer.unwrap().0, StatusCode::CREATED);
        }
    }
}

fn login(agent: usize) -> String {
    format!("ann{agent}@example.test")
}

impl Process {
    async fn ready(mut self, world: &World) -> Self {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            if let Some(address) = self.ready_line().and_then(|line| line["address"].as_str().map(str::to_owned)) {
                self.url = format!("http://{address}");
                return self;
            }
            let ended = self.child.try_wait().unwrap();
            assert_eq!(ended, None, "it ended instead of serving: {}{}", self.log(), world.errors());
            assert!(tokio::time::Instant::now() < deadline, "not ready in time: {}", self.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn ready_line(&self) -> Option<Value> {
        let log = self.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.into_iter().find(|line| line["message"] == "ready")
    }

    pub(super) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// SIGKILL.
    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for it to be over by itself; `None`: it has become ready instead.
    pub(super) async fn ended(&mut self) -> Option<ExitStatus> {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return Some(status);
            }
            if self.ready_line().is_some() {
                return None;
            }
            assert!(tokio::time::Instant::now() < deadline, "neither ready nor over: {}", self.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Caller {
    /// An API call with the token of this place; `None`: no answer came.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        who: usize,
        body: Option<Value>,
    ) -> Option<(StatusCode, Value)> {
        let mut request = self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.tokens[who]);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.ok()?;
        let status = answer.status();
        let bytes = answer.bytes().await.ok()?;
        Some((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
    }

    /// Begins an agent's delegation for Bob: its id, or the refusal's status; `None`: no answer came.
    pub(super) async fn begin(&self, agent: usize) -> Option<Result<String, StatusCode>> {
        let (status, body) = self.call(Method::POST, "/v1/delegations", agent, Some(json!({"delegator": BOB}))).await?;
        let id = body["delegationid"].as_str().map(str::to_owned);
        Some(if status == StatusCode::CREATED { Ok(id.unwrap()) } else { Err(status) })
    }

    /// Delivers a hook.
    pub(super) async fn deliver(&self, body: &str) -> Told {
        let request = self.http.post(format!("{}/hooks/okta", self.url)).header("authorization", SECRET);
        let sent = request.header("content-type", "application/json").body(body.to_owned()).send().await;
        let Ok(answer) = sent else { return Told::Lost };
        let status = answer.status();
        let Ok(text) = answer.text().await else { return Told::Lost };
        if status == StatusCode::NO_CONTENT && text.is_empty() {
            return Told::Untouched;
        }
        assert_eq!(status, StatusCode::OK, "{text}");
        let said: Value = serde_json::from_str(&text).unwrap();
        match (said["error"]["errorSummary"].as_str(), said["commands"].as_array()) {
            (Some(why), _) => Told::Refused(why.to_owned()),
            (None, Some(commands)) if !commands.is_empty() => Told::Granted(text),
            _ => panic!("neither granted nor refused: {text}"),
        }
    }

    /// A refresh hook's body.
    pub(super) fn hook(&self, agent: usize, event: &str, id: Option<&str>) -> String {
        let query = id.map(|id| format!("?delegationid={id}")).unwrap_or_default();
        let url = format!("{}/v1/token{query}", self.issuer);
        json!({
            "source": url, "eventId": event, "eventTypeVersion": "1.0", "cloudEventVersion": "0.1",
            "eventType": "com.okta.oauth2.tokens.transform", "contentType": "application/json",
            "data": {
                "context": {
                    "request": {"id": "r", "method": "POST", "url": {"value": url}, "ipAddress": "127.0.0.1"},
                    "protocol": {
                        "type": "OAUTH2.0", "request": {"grant_type": "refresh_token", "scope": "openid behalf"},
                        "issuer": {"uri": self.issuer}, "client": {"id": CLIENT, "name": "App", "type": "PUBLIC"}},
                    "user": {"id": format!("00uann{agent}"), "profile": {"login": login(agent)}}},
                "access": {
                    "claims": {"sub": login(agent), "uid": format!("00uann{agent}")},
                    "token": {"lifetime": {"expiration": 3600}},
                    "scopes": {"openid": {"id": "s1", "action": "GRANT"}, "behalf": {"id": "s2", "action": "GRANT"}}}}
        })
        .to_string()
    }
}
