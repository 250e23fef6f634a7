//! PyPI's scim2-server and canaille as processes of their own, and connectors to SCIM services.

use std::{
    io::{self, Write as _},
    ops::Deref,
    path::Path,
    process::Command,
    sync::Arc,
};

use behalf::{
    adapters::{
        directory::{
            rest::Rest,
            scim::{Scim, filter::Attribute},
        },
        http_client,
        oidc::install_crypto,
        system::OsEntropy,
    },
    ports::clock::Clock,
};
use reqwest::{Method, StatusCode};
use secrecy::SecretString;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{peers::installed, ports, process::Process};

/// The extension that our documentation gives.
pub(crate) const EXTENSION: &str = include_str!("scim/extension.json");
pub(crate) const URN: &str = "urn:behalf:params:scim:schemas:extension:delegation:2.0:User";
pub(crate) const TOKEN: &str = "a-token-of-the-scim-tests";

/// A connector to the service at that address, as it is configured by default.
pub(crate) fn connector(url: &str, clock: Arc<dyn Clock>) -> Scim {
    connector_of(url, TOKEN, "delegations.value", clock)
}

pub(crate) fn connector_of(url: &str, token: &str, attribute: &str, clock: Arc<dyn Clock>) -> Scim {
    install_crypto();
    let rest = Rest::new(http_client::build(None).unwrap(), url.parse().unwrap());
    let attribute = Attribute::new(URN, attribute).unwrap();
    Scim::new(rest, &SecretString::from(token), attribute, clock, Arc::new(OsEntropy)).unwrap()
}

/// A running scim2-server. It ends with the test process, or when it is dropped.
pub(crate) struct Scim2Server {
    /// The address below which `/Users` lies.
    pub(crate) url: String,
    /// `127.0.0.1:port`.
    pub(crate) address: String,
    admin: Admin,
    _process: Process,
    _folder: TempDir,
}

impl Scim2Server {
    /// All of SCIM. `None` where it isn't there; that was said.
    pub(crate) async fn start() -> Option<Self> {
        Self::start_with(&json!({})).await
    }

    /// With other values of `supported` in its configuration, such as `{"patch": false}`.
    pub(crate) async fn start_with(supported: &Value) -> Option<Self> {
        install_crypto();
        let peer = installed("scim2-server", "PyPI's scim2-server")?;
        let folder = tempfile::tempdir().unwrap();
        let port = ports::free();
        let mut extension: Value = serde_json::from_str(EXTENSION).unwrap();
        // The same in the simple form.
        extension["attributes"].as_array_mut().unwrap().push(json!({
            "name": "delegatedAgents", "type": "string", "multiValued": true, "required": false, "caseExact": true,
            "description": "", "mutability": "readWrite", "returned": "default", "uniqueness": "none",
        }));
        let settings = json!({
            "port": port, "folder": folder.path(), "token": TOKEN, "extension": extension, "supported": supported,
        });
        let process = run(&peer, "start_scim2_server.py", &settings).await;
        let address = format!("127.0.0.1:{port}");
        let url = format!("http://{address}/v2");
        let admin = Admin::of(&url);
        Some(Self { url, address, admin, _process: process, _folder: folder })
    }

    /// Another of these, with connections of its own: those of one end with its runtime.
    pub(crate) fn admin(&self) -> Admin {
        Admin::of(&self.url)
    }
}

/// A running canaille with one user. It ends with the test process, or when it is dropped.
pub(crate) struct Canaille {
    /// The address below which `/Users` lies.
    pub(crate) url: String,
    admin: Admin,
    _process: Process,
    _folder: TempDir,
}

impl Canaille {
    /// `None` where it isn't installed, which was said: `./check --full` does that, where there is a Python for it.
    pub(crate) async fn start(login: &str) -> Option<Self> {
        install_crypto();
        let peer = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/canaille");
        if !peer.join("installed").exists() {
            let text = "\nSKIPPED: a test with PyPI's canaille, which tests/peers.sh canaille installs\n";
            io::stderr().write_all(text.as_bytes()).unwrap();
            return None;
        }
        let (folder, port) = (tempfile::tempdir().unwrap(), ports::free());
        let settings = json!({"port": port, "folder": folder.path(), "token": TOKEN, "login": login});
        let process = run(&peer, "start_canaille.py", &settings).await;
        let url = format!("http://127.0.0.1:{port}/scim/v2");
        let admin = Admin::of(&url);
        Some(Self { url, admin, _process: process, _folder: folder })
    }
}

impl Deref for Canaille {
    type Target = Admin;

    fn deref(&self) -> &Admin {
        &self.admin
    }
}

/// Runs one of our scripts with the peer's Python and packages until it serves.
async fn run(peer: &Path, script: &str, settings: &Value) -> Process {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/scim").join(script);
    let mut command = Command::new(peer.join("python"));
    command.env_clear().env("PYTHONPATH", peer.join("packages")).env("PYTHONUNBUFFERED", "1");
    command.env("PYTHONDONTWRITEBYTECODE", "1").arg(script).arg(settings.to_string());
    let mut process = Process::start(&mut command);
    process.line("the SCIM server", |line| line.starts_with("Serving SCIM").then_some(())).await;
    process
}

impl Deref for Scim2Server {
    type Target = Admin;

    fn deref(&self) -> &Admin {
        &self.admin
    }
}

/// The way past the connector.
pub(crate) struct Admin {
    url: String,
    http: reqwest::Client,
}

impl Admin {
    fn of(url: &str) -> Self {
        Self { url: url.to_owned(), http: http_client::build(None).unwrap() }
    }

    /// Makes a user and gives the id that the server chose.
    pub(crate) async fn create(&self, login: &str) -> String {
        self.create_as(&json!({"userName": login, "active": true})).await
    }

    pub(crate) async fn create_as(&self, user: &Value) -> String {
        let mut user = user.clone();
        user["schemas"] = json!(["urn:ietf:params:scim:schemas:core:2.0:User"]);
        for urn in [URN, "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"] {
            if user.get(urn).is_some() {
                user["schemas"].as_array_mut().unwrap().push(json!(urn));
            }
        }
        self.make("Users", &user).await
    }

    pub(crate) async fn create_group(&self, name: &str, members: &[&str]) -> String {
        let members: Vec<Value> = members.iter().map(|id| json!({"value": id})).collect();
        let schemas = ["urn:ietf:params:scim:schemas:core:2.0:Group"];
        self.make("Groups", &json!({"schemas": schemas, "displayName": name, "members": members})).await
    }

    async fn make(&self, endpoint: &str, resource: &Value) -> String {
        let (status, made) = self.admin(Method::POST, endpoint, resource).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        made["id"].as_str().unwrap().to_owned()
    }

    /// Reads him, changes him and writes him.
    pub(crate) async fn change(&self, id: &str, change: impl FnOnce(&mut Value)) {
        let mut user = self.get(id).await;
        change(&mut user);
        let (status, said) = self.admin(Method::PUT, &format!("Users/{id}"), &user).await;
        assert!(status.is_success(), "{said}");
    }

    pub(crate) async fn delete(&self, id: &str) {
        let (status, said) = self.admin(Method::DELETE, &format!("Users/{id}"), &Value::Null).await;
        assert_eq!(status, StatusCode::NO_CONTENT, "{said}");
    }

    /// Ids of all users, or of the first of them.
    pub(crate) async fn ids(&self) -> Vec<String> {
        let (status, list) = self.admin(Method::GET, "Users", &Value::Null).await;
        assert_eq!(status, StatusCode::OK, "{list}");
        let ids = list["Resources"].as_array().unwrap().iter().map(|user| user["id"].as_str().unwrap().to_owned());
        ids.collect()
    }

    /// The user as he is.
    pub(crate) async fn get(&self, id: &str) -> Value {
        let (status, user) = self.admin(Method::GET, &format!("Users/{id}"), &Value::Null).await;
        assert_eq!(status, StatusCode::OK, "{user}");
        user
    }

    async fn admin(&self, method: Method, path: &str, body: &Value) -> (StatusCode, Value) {
        let mut request = self.http.request(method, format!("{}/{path}", self.url)).bearer_auth(TOKEN);
        if !body.is_null() {
            request = request.header("content-type", "application/scim+json").body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or(Value::Null))
    }
}
