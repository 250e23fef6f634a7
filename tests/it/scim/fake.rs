//! A small SCIM service that a test can spoil. It is strict: what isn't asked as RFC 7644 says is noted, and the test
//! fails when it ends.

use std::{
    collections::BTreeMap,
    net::TcpListener,
    sync::{Arc, Mutex, MutexGuard},
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    dev::ServerHandle,
    http::{Method, StatusCode},
    web::{self, Bytes, Data},
};
use behalf::{adapters::directory::scim::Scim, ports::clock::ManualClock};
use serde_json::{Value, json};

use super::{URN, grammar};
use crate::support::scim::{EXTENSION, TOKEN, connector};

/// What a test puts in the place of an answer: status, headers, body.
pub(super) type Reply = (u16, Vec<(&'static str, String)>, String);
type Instead = Box<dyn FnMut(&Asked) -> Option<Reply> + Send>;

/// A question.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) method: Method,
    /// Decoded segments below the base.
    pub(super) path: Vec<String>,
    pub(super) query: BTreeMap<String, String>,
    pub(super) if_match: Option<String>,
    pub(super) body: Value,
}

impl Asked {
    /// Such as `GET Users`.
    pub(super) fn is(&self, method: &str, endpoint: &str) -> bool {
        self.method == method && self.path.first().is_some_and(|first| first == endpoint)
    }
}

/// What the service does.
#[expect(clippy::struct_excessive_bools, reason = "each is a habit of its own")]
pub(super) struct Habits {
    pub(super) patch: bool,
    pub(super) etag: bool,
    /// What it says of filters.
    pub(super) filter: bool,
    /// Whether it looks at them.
    pub(super) filters: bool,
    /// Compares texts without regard to case.
    pub(super) loose: bool,
    /// Resources on a page at most.
    pub(super) page: usize,
    /// Takes writes, and keeps nothing of the extension.
    pub(super) forgetful: bool,
}

struct State {
    users: BTreeMap<String, Value>,
    groups: BTreeMap<String, Value>,
    versions: u64,
    habits: Habits,
    instead: Instead,
    log: Vec<Asked>,
    violations: Vec<String>,
}

pub(super) struct Fake {
    pub(super) scim: Scim,
    pub(super) clock: Arc<ManualClock>,
    state: Arc<Mutex<State>>,
    handle: ServerHandle,
}

impl Fake {
    pub(super) fn start() -> Self {
        let habits =
            Habits { patch: true, etag: true, filter: true, filters: true, loose: false, page: 100, forgetful: false };
        let state = State {
            users: BTreeMap::new(),
            groups: BTreeMap::new(),
            versions: 0,
            habits,
            instead: Box::new(|_| None),
            log: Vec::new(),
            violations: Vec::new(),
        };
        let state = Arc::new(Mutex::new(state));
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}/scim/v2/", listener.local_addr().unwrap());
        let data = Data::from(Arc::clone(&state));
        let app = move || {
            let limit = web::PayloadConfig::new(16 << 20);
            App::new().app_data(data.clone()).app_data(limit).default_service(web::to(answer))
        };
        let server = HttpServer::new(app).workers(1).disable_signals().listen(listener).unwrap().run();
        let handle = server.handle();
        tokio::spawn(server);
        let clock = Arc::new(ManualClock::at("2026-11-20T12:00:00Z".parse().unwrap()));
        Self { scim: connector(&url, Arc::clone(&clock) as _), clock, state, handle }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(super) fn habits(&self, change: impl FnOnce(&mut Habits)) {
        change(&mut self.state().habits);
    }

    /// From now on, what this gives is answered in place of the truth.
    pub(super) fn instead(&self, reply: impl FnMut(&Asked) -> Option<Reply> + Send + 'static) {
        self.state().instead = Box::new(reply);
    }

    /// An active user of this id, whose login is the same with a domain, with these agents.
    pub(super) fn put(&self, id: &str, agents: &[&str]) {
        let agents: Vec<Value> = agents.iter().map(|agent| json!({"value": agent})).collect();
        let user = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", URN], "id": id, "active": true,
            "userName": format!("{id}@example.com"), URN: {"delegations": agents},
        });
        self.state().write(id, user);
    }

    pub(super) fn put_group(&self, id: &str, members: &[&str]) {
        let members: Vec<Value> = members.iter().map(|member| json!({"value": member})).collect();
        self.state().groups.insert(id.to_owned(), json!({"id": id, "members": members}));
    }

    pub(super) fn change(&self, id: &str, change: impl FnOnce(&mut Value)) {
        let mut user = self.state().users[id].clone();
        change(&mut user);
        self.state().write(id, user);
    }

    pub(super) fn agents(&self, id: &str) -> Vec<String> {
        let state = self.state();
        let items = state.users[id][URN]["delegations"].as_array().cloned().unwrap_or_default();
        items.iter().map(|item| item["value"].as_str().unwrap().to_owned()).collect()
    }

    /// What was asked since the last time.
    pub(super) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.state().log)
    }

    /// How often something like this was asked since the last time.
    pub(super) fn count(&self, method: &str, endpoint: &str) -> usize {
        self.asked().iter().filter(|asked| asked.is(method, endpoint)).count()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
        if !std::thread::panicking() {
            assert_eq!(self.state().violations, Vec::<String>::new());
        }
    }
}

pub(super) fn error(status: u16, kind: Option<&str>) -> Reply {
    let mut body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": status.to_string()});
    if let Some(kind) = kind {
        body["scimType"] = kind.into();
    }
    (status, vec![("content-type", "application/scim+json".to_owned())], body.to_string())
}

pub(super) fn plain(status: u16, body: &str) -> Reply {
    (status, Vec::new(), body.to_owned())
}

fn ok(body: &Value, version: Option<&str>) -> Reply {
    let mut headers = vec![("content-type", "application/scim+json".to_owned())];
    headers.extend(version.map(|version| ("etag", version.to_owned())));
    (200, headers, body.to_string())
}

async fn answer(request: HttpRequest, body: Bytes, state: Data<Mutex<State>>) -> HttpResponse {
    let mut state = state.lock().unwrap();
    let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let url = url::Url::parse(&format!("http://x{}", request.uri())).unwrap();
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned();
    let path: Vec<String> = url.path_segments().unwrap().map(decoded).collect();
    let asked = Asked {
        method: request.method().clone(),
        path: path[2.min(path.len())..].to_vec(),
        query: url.query_pairs().into_owned().collect(),
        if_match: header("if-match"),
        body: if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap_or("no JSON".into()) },
    };
    let mut violations = Vec::new();
    if path.get(..2) != Some(&["scim".to_owned(), "v2".to_owned()]) {
        violations.push("it is not below the base");
    }
    if !header("accept").is_some_and(|accept| accept.contains("application/scim+json")) {
        violations.push("Accept does not name SCIM");
    }
    if body.is_empty() == (asked.method != Method::GET) {
        violations.push("a body where none belongs, or none where one belongs");
    }
    if !body.is_empty() && header("content-type").as_deref() != Some("application/scim+json") {
        violations.push("Content-Type is not SCIM");
    }
    let authorized = header("authorization") == Some(format!("Bearer {TOKEN}"));
    for violation in violations {
        state.violations.push(format!("{violation}: {asked:?}"));
    }
    state.log.push(asked.clone());
    let spoiled = (state.instead)(&asked);
    let (status, headers, body) = match spoiled {
        Some(reply) => reply,
        None if !authorized => error(401, None),
        None => state.answer(&asked),
    };
    let mut response = HttpResponse::build(StatusCode::from_u16(status).unwrap());
    for (name, value) in headers {
        response.insert_header((name, value));
    }
    response.body(body)
}

impl State {
    fn write(&mut self, id: &str, mut user: Value) {
        self.versions += 1;
        user["meta"] = json!({"resourceType": "User", "version": format!("W/\"{}\"", self.versions)});
        self.users.insert(id.to_owned(), user);
    }

    fn version(&self, id: &str) -> Option<String> {
        let version = self.users.get(id)?["meta"]["version"].as_str().map(str::to_owned);
        version.filter(|_| self.habits.etag)
    }

    fn answer(&mut self, asked: &Asked) -> Reply {
        let path: Vec<&str> = asked.path.iter().map(String::as_str).collect();
        match (asked.method.as_str(), path.as_slice()) {
            ("GET", ["ServiceProviderConfig"]) => ok(&self.config(), None),
            ("GET", ["Schemas", URN]) => ok(&serde_json::from_str(EXTENSION).unwrap(), None),
            ("GET", ["Users"]) => self.list(asked, &self.users),
            ("GET", ["Groups"]) => self.list(asked, &self.groups),
            ("GET", ["Users", id]) => match self.users.get(*id) {
                Some(user) => ok(user, self.version(id).as_deref()),
                None => error(404, None),
            },
            ("PATCH" | "PUT", ["Users", id]) if self.users.contains_key(*id) => self.change(asked, id),
            _ => error(404, None),
        }
    }

    fn config(&self) -> Value {
        let Habits { patch, etag, filter, page, .. } = self.habits;
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
            "patch": {"supported": patch}, "etag": {"supported": etag},
            "filter": {"supported": filter, "maxResults": page},
        })
    }

    fn list(&self, asked: &Asked, all: &BTreeMap<String, Value>) -> Reply {
        let read = match asked.query.get("filter") {
            Some(text) => match grammar::filter(text) {
                Some(filter) => Some(filter),
                None => return error(400, Some("invalidFilter")),
            },
            None => None,
        };
        let read = read.filter(|_| self.habits.filters);
        let matches = |resource: &&Value| read.as_ref().is_none_or(|f| f.matches(resource, self.habits.loose).unwrap());
        let hits: Vec<&Value> = all.values().filter(matches).collect();
        let number = |name: &str| asked.query.get(name).map_or(1, |text| text.parse::<usize>().unwrap());
        let page = number("count").min(self.habits.page);
        let resources: Vec<&Value> = hits.iter().skip(number("startIndex") - 1).take(page).copied().collect();
        let schemas = ["urn:ietf:params:scim:api:messages:2.0:ListResponse"];
        ok(&json!({"schemas": schemas, "totalResults": hits.len(), "Resources": resources}), None)
    }

    fn change(&mut self, asked: &Asked, id: &str) -> Reply {
        if self.habits.etag && asked.if_match.is_some() && asked.if_match != self.version(id) {
            return error(412, None);
        }
        let mut user = if asked.method == Method::PUT {
            if asked.if_match.is_none() {
                self.violations.push("PUT without If-Match".to_owned());
            }
            if asked.body["id"] != id || asked.body["userName"] != self.users[id]["userName"] {
                return error(400, Some("mutability"));
            }
            asked.body.clone()
        } else {
            if !self.habits.patch {
                return error(501, None);
            }
            match self.patched(&asked.body, &self.users[id]) {
                Ok(user) => user,
                Err(reply) => return reply,
            }
        };
        if self.habits.forgetful {
            user.as_object_mut().unwrap().remove(URN);
        }
        self.write(id, user);
        (204, self.version(id).map(|version| ("etag", version)).into_iter().collect(), String::new())
    }

    fn patched(&self, body: &Value, user: &Value) -> Result<Value, Reply> {
        let bad = |kind| error(400, Some(kind));
        let operations = body["Operations"].as_array().filter(|operations| operations.len() == 1);
        let operation = &operations.ok_or_else(|| bad("invalidSyntax"))?[0];
        let target = operation["path"].as_str().and_then(grammar::target).ok_or_else(|| bad("invalidPath"))?;
        if target.path.urn.as_deref() != Some(URN) || target.path.name != "delegations" {
            return Err(bad("invalidPath"));
        }
        let mut user = user.clone();
        let mut items = user[URN]["delegations"].as_array().cloned().unwrap_or_default();
        let same = |a: &Value, b: &Value| {
            let text = |value: &Value| value["value"].as_str().unwrap().to_owned();
            text(a) == text(b) || (self.habits.loose && text(a).to_lowercase() == text(b).to_lowercase())
        };
        match (operation["op"].as_str(), target.filter) {
            (Some("add"), None) => {
                for new in operation["value"].as_array().ok_or_else(|| bad("invalidValue"))? {
                    if !items.iter().any(|item| same(item, new)) {
                        items.push(new.clone());
                    }
                }
            }
            (Some("remove"), Some(filter)) => {
                let before = items.len();
                items.retain(|item| !filter.matches(item, self.habits.loose).unwrap());
                if items.len() == before {
                    return Err(bad("noTarget"));
                }
            }
            _ => return Err(bad("invalidSyntax")),
        }
        user[URN]["delegations"] = items.into();
        Ok(user)
    }
}
