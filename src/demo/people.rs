//! Who is in the story: in the directory's file, and at the authorization server.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::authorization_server::{DevClient, DevServer, DevServerError, DevSettings, DevUser};
use crate::adapters::system::{OsEntropy, SystemClock};

/// The app's client id.
pub(super) const CLIENT: &str = "demo-app";
/// Where its codes go: on this machine, on whatever port. In the story nothing listens there, the app reads the redirect
/// itself.
pub(super) const REDIRECT: &str = "http://127.0.0.1/callback";
/// Where `examples/client` is served, unless it is told otherwise.
pub(super) const EXAMPLE: &str = "http://127.0.0.1:3000";

pub(super) const ANN: &str = "ann@example.test";
pub(super) const BOB: &str = "bob@example.test";
pub(super) const EVE: &str = "eve@example.test";
pub(super) const CAROL: &str = "carol@example.test";
pub(super) const DORA: &str = "dora@example.test";
pub(super) const BEN: &str = "ben@example.test";
/// An account that several people share.
pub(super) const TILL: &str = "till@example.test";

/// Somebody in the story.
#[derive(Clone, Copy)]
struct Person {
    id: &'static str,
    login: &'static str,
    first: &'static str,
    last: &'static str,
    cost_center: Option<&'static str>,
    group: Option<&'static str>,
    administrator: bool,
}

const fn person(id: &'static str, login: &'static str, first: &'static str, last: &'static str) -> Person {
    Person { id, login, first, last, cost_center: None, group: None, administrator: false }
}

/// The groups are those of the rules in [`super::pair`] and [`super::set`].
const PEOPLE: [Person; 7] = [
    Person { cost_center: Some("1000"), group: Some("00g2clerks"), ..person("00u1ann", ANN, "Ann", "Agent") },
    Person { cost_center: Some("4711"), group: Some("00g1directors"), ..person("00u2bob", BOB, "Bob", "Builder") },
    person("00u3eve", EVE, "Eve", "Other"),
    Person { administrator: true, ..person("00u4carol", CAROL, "Carol", "Admin") },
    person("00u5dora", DORA, "Dora", "Decider"),
    Person { group: Some("00g2clerks"), ..person("00u6ben", BEN, "Ben", "Busy") },
    Person { group: Some("00g3shared"), ..person("00u7till", TILL, "The", "Till") },
];

/// The directory's file. JSON is YAML, too.
pub(super) fn users() -> String {
    let user = |who: Person| {
        let mut profile = json!({"firstName": who.first, "lastName": who.last, "email": who.login});
        if let Some(cost) = who.cost_center {
            profile["costCenter"] = json!(cost);
        }
        let groups: Vec<_> = who.group.into_iter().collect();
        json!({"id": who.id, "login": who.login, "status": "active", "groups": groups, "profile": profile})
    };
    json!({"users": PEOPLE.map(user)}).to_string()
}

/// Starts the authorization server at which they sign in.
pub(super) fn issuer() -> Result<DevServer, DevServerError> {
    DevServer::start(DevSettings {
        path: "/oauth2/default".to_owned(),
        audience: "api://default".to_owned(),
        users: PEOPLE.map(signs_in).to_vec(),
        clients: vec![DevClient { id: CLIENT.to_owned(), secret: None, redirect_uris: vec![REDIRECT.to_owned()] }],
        scopes: ["behalf".to_owned()].into(),
        hook: None,
        clock: Arc::new(SystemClock),
        entropy: Arc::new(OsEntropy),
    })
}

fn signs_in(who: Person) -> DevUser {
    let mut claims = Map::new();
    claims.insert("can_delegate".to_owned(), json!("True"));
    if let Some(cost) = who.cost_center {
        claims.insert("costCenter".to_owned(), json!(cost));
    }
    if who.administrator {
        claims.insert("groups".to_owned(), json!(["behalf-admins"]));
    }
    let names: Value = json!({"name": format!("{} {}", who.first, who.last)});
    DevUser {
        id: who.id.to_owned(),
        login: who.login.to_owned(),
        access_claims: claims,
        id_claims: names.as_object().cloned().unwrap_or_default(),
    }
}
