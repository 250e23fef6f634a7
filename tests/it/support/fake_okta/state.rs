//! What the fake knows, and how it is to behave.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use serde_json::{Map, Value, json};

use super::{
    DELEGATED_TYPE, ENTITY_TYPE, TOKEN, USER_TYPE,
    guard::{Budget, Endpoint, Fault},
};

/// A user.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    /// `ACTIVE`, `SUSPENDED`, …
    pub(crate) status: String,
    /// Id of his type.
    pub(crate) kind: String,
    /// His profile, `login` included.
    pub(crate) profile: Map<String, Value>,
    /// Who checks his password; `null` once a full replacement left it out.
    pub(crate) provider: Value,
    /// Makes his ETag.
    pub(crate) version: u64,
}

impl Account {
    /// An ACTIVE user of the ordinary type.
    pub(crate) fn active(login: &str) -> Self {
        let first = login.split('@').next().unwrap_or(login);
        let profile = json!({"login": login, "email": login, "firstName": first, "lastName": "Fake"});
        Self {
            status: "ACTIVE".to_owned(),
            kind: USER_TYPE.to_owned(),
            profile: profile.as_object().cloned().unwrap_or_default(),
            provider: json!({"type": "OKTA", "name": "OKTA"}),
            version: 1,
        }
    }

    pub(super) fn login(&self) -> &str {
        self.profile.get("login").and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn etag(&self) -> String {
        format!("W/\"{:08x}\"", self.version)
    }
}

/// A user type: its name, and its schema's custom attributes.
#[derive(Debug, Clone)]
pub(crate) struct UserType {
    pub(crate) name: String,
    pub(crate) custom: Map<String, Value>,
}

/// A service app.
#[derive(Clone)]
pub(crate) struct OauthApp {
    /// The public half of its key.
    pub(crate) key: jsonwebtoken::DecodingKey,
    /// The key's id, which assertions must name.
    pub(crate) key_id: String,
    /// Scopes it was granted.
    pub(crate) scopes: BTreeSet<String>,
}

/// A token that was given out.
pub(crate) struct Issued {
    pub(crate) scopes: BTreeSet<String>,
    /// Seconds since 1970.
    pub(crate) until: i64,
}

/// Everything. Tests set fields directly.
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(crate) struct State {
    /// Users by id.
    pub(crate) users: BTreeMap<String, Account>,
    /// User types by id; a type's schema has the id `sch` + its own.
    pub(crate) types: BTreeMap<String, UserType>,
    /// Ids of groups, by user.
    pub(crate) groups: BTreeMap<String, Vec<String>>,
    /// Ids of groups that are there though nobody is in them.
    pub(crate) empty_groups: BTreeSet<String>,
    /// Addresses that linked objects have, by user and name.
    pub(crate) links: BTreeMap<(String, String), Vec<String>>,
    /// What searches see, if the index hangs behind.
    pub(crate) index: Option<BTreeMap<String, Account>>,
    /// The API token.
    pub(crate) token: String,
    /// Whether writes are forbidden to whoever calls.
    pub(crate) read_only: bool,
    /// Service apps by client id.
    pub(crate) apps: BTreeMap<String, OauthApp>,
    /// Tokens given out to them.
    pub(crate) issued: HashMap<String, Issued>,
    /// Assertions seen (`jti`).
    pub(crate) assertions: BTreeSet<String>,
    /// How long tokens live, in seconds.
    pub(crate) token_life: i64,
    /// Whether users have ETags.
    pub(crate) etags: bool,
    /// Whether `If-Match` is looked at; if not, the last write wins.
    pub(crate) if_match: bool,
    /// Entries on a page, at most.
    pub(crate) page: usize,
    /// The origin that `next` links have instead of ours.
    pub(crate) next_origin: Option<String>,
    /// Calls that may be under way at a time.
    pub(crate) concurrency: usize,
    /// Calls of an endpoint in a minute; those without a budget have plenty.
    pub(crate) budgets: HashMap<Endpoint, Budget>,
    /// Whether answers come without headers about limits, as from something that stands before Okta.
    pub(crate) bare_429: bool,
    /// How long every answer takes.
    pub(crate) latency: std::time::Duration,
    /// What happens to every call of an endpoint.
    pub(crate) always: HashMap<Endpoint, Fault>,
    /// What happens to the next calls of an endpoint.
    pub(crate) next: HashMap<Endpoint, VecDeque<Fault>>,
    /// Calls that came.
    pub(crate) calls: HashMap<Endpoint, usize>,
    /// What must never be sent, and was.
    pub(crate) violations: Vec<String>,
    /// Most calls that were under way at a time.
    pub(crate) most_in_flight: usize,
}

impl State {
    pub(super) fn new() -> Self {
        let agents = json!({"title": "Delegated agents", "type": "array", "items": {"type": "string"},
            "permissions": [{"principal": "SELF", "action": "READ_ONLY"}]});
        let text = json!({"title": "Text", "type": "string"});
        let kind = |name: &str, attributes: &[(&str, &Value)]| {
            let custom = attributes.iter().map(|(name, schema)| ((*name).to_owned(), (*schema).clone())).collect();
            UserType { name: name.to_owned(), custom }
        };
        let agents = [("delegatedAgents", &agents), ("costCenter", &text)];
        let entity = [("entityId", &text), ("entityName", &text)];
        Self {
            users: BTreeMap::new(),
            types: BTreeMap::from([
                (USER_TYPE.to_owned(), kind("user", &agents)),
                (DELEGATED_TYPE.to_owned(), kind("delegated", &agents)),
                (ENTITY_TYPE.to_owned(), kind("entity", &entity)),
            ]),
            groups: BTreeMap::new(),
            empty_groups: BTreeSet::new(),
            links: BTreeMap::new(),
            index: None,
            token: TOKEN.to_owned(),
            read_only: false,
            apps: BTreeMap::new(),
            issued: HashMap::new(),
            assertions: BTreeSet::new(),
            token_life: 3600,
            etags: true,
            if_match: true,
            page: 200,
            next_origin: None,
            concurrency: usize::MAX,
            budgets: HashMap::new(),
            bare_429: false,
            latency: std::time::Duration::ZERO,
            always: HashMap::new(),
            next: HashMap::new(),
            calls: HashMap::new(),
            violations: Vec::new(),
            most_in_flight: 0,
        }
    }

    /// From now on searches see what is there now, whatever changes.
    pub(crate) fn freeze_index(&mut self) {
        self.index = Some(self.users.clone());
    }

    /// The id of the user whom the text names: by id, by login in any case, or by the part of a login before the `@`
    /// if only one has it.
    pub(super) fn find(&self, text: &str) -> Option<String> {
        if self.users.contains_key(text) {
            return Some(text.to_owned());
        }
        let same = |a: &str| a.to_lowercase() == text.to_lowercase();
        if let Some((id, _)) = self.users.iter().find(|(_, account)| same(account.login())) {
            return Some(id.clone());
        }
        let short = |account: &Account| account.login().split('@').next().is_some_and(same);
        let mut found = self.users.iter().filter(|(_, account)| short(account));
        match (found.next(), found.next()) {
            (Some((id, _)), None) => Some(id.clone()),
            _ => None,
        }
    }
}
