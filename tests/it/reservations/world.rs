//! Processes of the binary with shared accounts.

use std::{fmt::Write as _, fs};

use serde_json::json;

use crate::durability::rig::{BOB, Caller, World};

/// The id of the `n`th account.
pub(crate) fn account(n: usize) -> String {
    format!("00udba{n}")
}

/// Writes the files of a world in which every agent may reserve every account, and Bob is the administrator.
pub(crate) fn share(world: &World, agents: usize, accounts: usize) {
    let person = |id: String, login: String| json!({"id": id, "login": login, "status": "active", "groups": ["dbas"]});
    let agents = (0..agents).map(|n| person(format!("00uann{n}"), format!("ann{n}@example.test")));
    let shared = (0..accounts).map(|n| person(account(n), format!("dba{n}@example.test")));
    let users: Vec<_> = agents.chain(shared).chain([person("00ubob".to_owned(), BOB.to_owned())]).collect();
    fs::write(world.path("users.yaml"), json!({ "users": users }).to_string()).unwrap();
    let mut config = "[tenants.default.roles.admin]\nclaim = \"uid\"\nvalue = \"00ubob\"\n".to_owned();
    for n in 0..accounts {
        let id = account(n);
        writeln!(config, "[[tenants.default.shared_accounts]]\nid = \"{id}\"\ngroup = \"dbas\"").unwrap();
    }
    fs::write(world.path("behalf.toml"), config).unwrap();
}

/// A hook's body: a login as the `n`th account, with this secret as its `state`.
pub(crate) fn login(caller: &Caller, n: usize, event: &str, secret: &str) -> String {
    let id = account(n);
    json!({
        "source": caller.issuer, "eventId": event, "eventTypeVersion": "1.0", "cloudEventVersion": "0.1",
        "eventType": "com.okta.oauth2.tokens.transform", "contentType": "application/json",
        "data": {
            "context": {
                "protocol": {
                    "type": "OAUTH2.0",
                    "request": {"grant_type": "authorization_code", "response_type": "code", "state": secret},
                    "issuer": {"uri": caller.issuer}, "client": {"id": "app", "name": "App", "type": "PUBLIC"}},
                "user": {"id": id}},
            "access": {"claims": {"sub": id, "uid": id}, "token": {"lifetime": {"expiration": 3600}},
                       "scopes": {"openid": {"id": "s1", "action": "GRANT"}}}}
    })
    .to_string()
}
