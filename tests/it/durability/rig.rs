//! The world around the binary: an issuer, users, a folder, and the process itself.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use behalf::{
    adapters::{
        audit::signing::{KEY_FILE, SigningKey},
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

use crate::support::process::until;

pub(crate) const BOB: &str = "bob@example.test";
pub(crate) const SECRET: &str = "Secret of-the-durability-tests";
const CLIENT: &str = "app";
/// Budgets for a machine on which many tests run at once: what is asked there is who wins, not how fast.
pub(crate) const PATIENT: [(&str, &str); 4] = [
    ("BEHALF_BUDGET_HOOK", "2900ms"),
    ("BEHALF_BUDGET_DIRECTORY", "800ms"),
    ("BEHALF_BUDGET_COMMIT", "1900ms"),
    ("BEHALF_REDIS_RESPONSE_TIMEOUT", "1900ms"),
];
/// Nothing here takes longer, not even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// What outlives the process.
pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) http: Client,
    issuer: DevServer,
    agents: usize,
    starts: AtomicUsize,
}

/// One run of the binary; killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
    errors: PathBuf,
    /// Where it listens.
    pub(crate) url: String,
}

/// What a hook was told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Granted(String),
    Refused(String),
    Untouched,
    /// No answer came.
    Lost,
}

/// Nothing was said about the id, for want of time.
pub(crate) fn disturbed(told: &Told) -> bool {
    match told {
        Told::Lost => true,
        Told::Refused(why) => why.ends_with("(temporarily-unavailable)"),
        Told::Granted(_) | Told::Untouched => false,
    }
}

/// Tokens, addresses and one HTTP client: everything a caller needs.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) http: Client,
    pub(crate) url: String,
    pub(crate) issuer: String,
    pub(crate) tokens: Arc<Vec<String>>,
}

impl World {
    /// Bob, and as many agents.
    pub(crate) fn new(agents: usize) -> Self {
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
        // Processes that share a store share the key that signs its trail.
        SigningKey::load_or_make(folder.path(), &OsEntropy).unwrap();
        let http = http_client::build(None).unwrap();
        Self { folder, http, issuer: issuer.unwrap(), agents, starts: AtomicUsize::new(0) }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The issuer of its tokens.
    pub(crate) fn issuer(&self) -> &str {
        self.issuer.issuer()
    }

    /// The key that signs the trail of a shared store.
    pub(crate) fn signing_key(&self) -> PathBuf {
        self.path(KEY_FILE)
    }

    /// The binary with this configuration: this store, any free port.
    pub(crate) fn command(&self, store: &str) -> Command {
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
        command.env("BEHALF_STORE", store);
        // On one machine the data have a key of their own beside them.
        if !store.starts_with("embedded:") {
            command.env("BEHALF_SIGNING_KEY_FILE", self.signing_key());
        }
        command
    }

    /// Runs a command of the binary to its end.
    pub(crate) async fn run(&self, data: &Path, args: &[&str]) -> Output {
        let mut command = self.command(&embedded(data));
        command.args(args);
        tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap()
    }

    /// Starts the service without waiting for it.
    pub(crate) fn spawn(&self, data: &Path) -> Process {
        self.launch(&mut self.command(&embedded(data)))
    }

    /// Starts the service, and waits until it is ready.
    pub(crate) async fn start(&self, data: &Path) -> Process {
        self.spawn(data).ready().await
    }

    /// Starts `serve` of a command without waiting for it. Each run has a log of its own.
    pub(crate) fn launch(&self, command: &mut Command) -> Process {
        let nth = self.starts.fetch_add(1, Ordering::SeqCst);
        let (log, errors) = (self.path(&format!("log-{nth}")), self.path(&format!("err-{nth}")));
        let (out, err) = (File::create(&log).unwrap(), File::create(&errors).unwrap());
        let child = command.arg("serve").stdout(out).stderr(err).spawn().unwrap();
        Process { child, log, errors, url: String::new() }
    }

    /// Callers with good tokens: the agents', then Bob's.
    pub(crate) fn caller(&self, process: &Process) -> Caller {
        let mut tokens: Vec<_> = (0..self.agents).map(|n| self.token(&format!("00uann{n}"), &login(n))).collect();
        tokens.push(self.token("00ubob", BOB));
        let issuer = self.issuer.issuer().to_owned();
        Caller { http: self.http.clone(), url: process.url.clone(), issuer, tokens: Arc::new(tokens) }
    }

    /// A good token of this user.
    pub(crate) fn token(&self, id: &str, login: &str) -> String {
        let now = SystemClock.now().as_second();
        let claims = json!({
            "iss": self.issuer.issuer(), "aud": "api://default", "iat": now, "exp": now + 3600, "cid": CLIENT,
            "uid": id, "sub": login, "scp": ["openid", "behalf"],
        });
        self.issuer.sign(claims.as_object().unwrap()).unwrap()
    }

    /// Bob lets every agent act for him.
    pub(crate) async fn grant_all(&self, caller: &Caller) {
        for n in 0..self.agents {
            let answer = caller.call(Method::POST, "/v1/grants", self.agents, Some(json!({"agent": login(n)}))).await;
            assert_eq!(answer.unwrap().0, StatusCode::CREATED);
        }
    }
}

/// The setting for data in a folder.
fn embedded(data: &Path) -> String {
    format!("embedded:{}", data.display())
}

fn login(agent: usize) -> String {
    format!("ann{agent}@example.test")
}

impl Process {
    /// Waits until it is ready.
    pub(crate) async fn ready(mut self) -> Self {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            if let Some(address) = self.ready_line().and_then(|line| line["address"].as_str().map(str::to_owned)) {
                self.url = format!("http://{address}");
                return self;
            }
            let ended = self.child.try_wait().unwrap();
            assert_eq!(ended, None, "it ended instead of serving: {}{}", self.log(), self.errors());
            assert!(tokio::time::Instant::now() < deadline, "not ready in time: {}", self.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn ready_line(&self) -> Option<Value> {
        let log = self.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.into_iter().find(|line| line["message"] == "ready")
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// What it said on standard error.
    pub(crate) fn errors(&self) -> String {
        fs::read_to_string(&self.errors).unwrap()
    }

    /// The system's number for it.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, e.g. `STOP`. (The shell's `kill`: a bare machine needn't have another.)
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.child.id())]).status();
        assert!(status.unwrap().success(), "no process to send SIG{name} to");
    }

    /// Waits for its end.
    pub(crate) async fn stopped(&mut self) -> ExitStatus {
        until("the end of the service", async || self.child.try_wait().unwrap()).await
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for it to be over by itself; `None`: it has become ready instead.
    pub(crate) async fn ended(&mut self) -> Option<ExitStatus> {
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
    pub(crate) async fn call(
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
    pub(crate) async fn begin(&self, agent: usize) -> Option<Result<String, StatusCode>> {
        let (status, body) = self.call(Method::POST, "/v1/delegations", agent, Some(json!({"delegator": BOB}))).await?;
        let id = body["delegationid"].as_str().map(str::to_owned);
        Some(if status == StatusCode::CREATED { Ok(id.unwrap()) } else { Err(status) })
    }

    /// Delivers a hook.
    pub(crate) async fn deliver(&self, body: &str) -> Told {
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
    pub(crate) fn hook(&self, agent: usize, event: &str, id: Option<&str>) -> String {
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
