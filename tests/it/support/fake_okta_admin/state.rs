//! What an organisation has.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Map, Value, json};

/// A write that took effect.
#[derive(Debug, Clone)]
pub(crate) struct Write {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: Value,
}

/// What goes wrong with a call. All but `After` keep it from having an effect.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// An answer with this status, and a body that isn't Okta's.
    Status(u16),
    /// 429; leave to go on comes so many seconds later.
    Throttled(i64),
    /// 200 with a body that is no JSON.
    Garbage,
    /// The answer breaks off.
    Drop,
    /// It takes effect; then the answer breaks off.
    After,
}

/// An access policy and its rules.
#[derive(Debug, Clone)]
pub(crate) struct Policy {
    pub(crate) raw: Value,
    pub(crate) rules: Vec<Value>,
}

/// Everything.
pub(crate) struct State {
    pub(crate) types: Vec<Value>,
    /// Custom attributes, by schema.
    pub(crate) schemas: BTreeMap<String, Map<String, Value>>,
    pub(crate) hooks: Vec<Value>,
    /// What hooks send, by id; never told.
    pub(crate) secrets: BTreeMap<String, String>,
    pub(crate) server: Value,
    pub(crate) claims: Vec<Value>,
    pub(crate) scopes: Vec<Value>,
    pub(crate) policies: Vec<Policy>,
    pub(crate) clients: Vec<String>,
    /// Where the next page of a list is said to be, if not here.
    pub(crate) next_page_at: Option<String>,
    /// Scopes that the service app was granted.
    pub(crate) granted: Vec<String>,
    /// Scopes of tokens that were given.
    pub(super) tokens: BTreeMap<String, Vec<String>>,
    pub(super) writes: Vec<Write>,
    /// Writes that were tried.
    pub(super) attempts: usize,
    pub(super) faults: BTreeMap<usize, Fault>,
    pub(super) next: VecDeque<Fault>,
    pub(super) violations: Vec<String>,
    serial: usize,
}

impl State {
    pub(super) fn fresh(url: &str) -> Self {
        let mut state = Self {
            types: Vec::new(),
            schemas: BTreeMap::from([("osc0".to_owned(), Map::new())]),
            hooks: Vec::new(),
            secrets: BTreeMap::new(),
            server: json!({"id": "default", "name": "default", "issuer": format!("{url}/oauth2/default"),
                "audiences": ["api://default"], "issuerMode": "ORG_URL", "status": "ACTIVE"}),
            claims: vec![json!({"id": "oclsub", "name": "sub", "status": "ACTIVE", "claimType": "RESOURCE",
                "valueType": "SYSTEM", "value": "(appuser != null) ? appuser.userName : app.clientId",
                "conditions": {"scopes": []}, "system": true})],
            scopes: ["openid", "profile", "email", "offline_access", "payments.read"]
                .map(|name| json!({"id": format!("scp{name}"), "name": name, "system": true}))
                .to_vec(),
            policies: Vec::new(),
            clients: vec!["0oaapp".to_owned(), "0oaother".to_owned()],
            next_page_at: None,
            granted: Vec::new(),
            tokens: BTreeMap::new(),
            writes: Vec::new(),
            attempts: 0,
            faults: BTreeMap::new(),
            next: VecDeque::new(),
            violations: Vec::new(),
            serial: 0,
        };
        state.add_type("oty0", "user", "osc0", true, url);
        let rule = json!({"id": "0pr0", "name": "Default Policy Rule", "type": "RESOURCE_ACCESS", "status": "ACTIVE",
            "priority": 1, "system": false,
            "conditions": {"people": {"users": {"include": [], "exclude": []}, "groups": {"include": ["EVERYONE"],
                "exclude": []}}, "grantTypes": {"include": ["authorization_code"]}, "scopes": {"include": ["*"]}},
            "actions": {"token": {"accessTokenLifetimeMinutes": 60, "refreshTokenLifetimeMinutes": 0,
                "refreshTokenWindowMinutes": 10080}}, "_links": {}});
        let raw = json!({"id": "00p0", "name": "Default Policy", "type": "OAUTH_AUTHORIZATION_POLICY",
            "status": "ACTIVE", "priority": 1, "description": "Default policy description", "system": false,
            "conditions": {"clients": {"include": ["ALL_CLIENTS"]}}, "_links": {}});
        state.policies.push(Policy { raw, rules: vec![rule] });
        state
    }

    pub(super) fn add_type(&mut self, id: &str, name: &str, schema: &str, default: bool, url: &str) -> Value {
        let schema = format!("{url}/api/v1/meta/schemas/user/{schema}");
        let made = json!({"id": id, "name": name, "displayName": name, "default": default,
            "_links": {"self": {"href": schema}, "schema": {"href": schema}}});
        self.types.push(made.clone());
        made
    }

    /// A new id.
    pub(super) fn id(&mut self, kind: &str) -> String {
        self.serial += 1;
        format!("{kind}{:04}", self.serial)
    }

    pub(super) fn picture(&self) -> Value {
        let policies: Vec<_> = self.policies.iter().map(|one| json!([one.raw, one.rules])).collect();
        json!([self.types, self.schemas, self.hooks, self.secrets, self.server, self.claims, self.scopes, policies])
    }
}
