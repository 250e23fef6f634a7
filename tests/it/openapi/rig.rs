//! The binary with people of every kind: who acts, who decides, and an administrator.

use std::fs;

use reqwest::Method;
use serde_json::{Value, json};

use crate::durability::rig::{Caller, Process, World};

const USERS: [(&str, &str, &[&str]); 4] = [
    ("00uann", "ann@example.test", &["dbas"]),
    ("00ubob", "bob@example.test", &[]),
    ("00ueve", "eve@example.test", &["secops"]),
    ("00udba", "dba@example.test", &[]),
];

/// The user, who acts for Bob.
pub(super) const ANN: usize = 0;
/// The administrator, on whose behalf Ann acts.
pub(super) const BOB: usize = 1;
/// The approver.
pub(super) const EVE: usize = 2;

const CONFIGURATION: &str = r#"
[tenants.default.roles]
admin = { claim = "uid", value = "00ubob" }
break_glass = { claim = "uid", value = "00uann" }
[[tenants.default.rules]]
name = "asks"
when = { delegator_groups = [] }
stages = ["approval"]
approval = { type = "approve", approvers = ["group:secops"] }
[[tenants.default.shared_accounts]]
id = "00udba"
group = "dbas"
"#;

pub(super) struct Rig {
    /// Its folder and its issuer go with it.
    _world: World,
    process: Process,
    pub(super) caller: Caller,
}

impl Rig {
    pub(super) async fn start() -> Self {
        let world = World::new(0);
        let person = |(id, login, groups): &(&str, &str, &[&str])| json!({"id": id, "login": login, "status": "active", "groups": groups});
        let users: Vec<_> = USERS.iter().map(person).collect();
        fs::write(world.path("users.yaml"), json!({ "users": users }).to_string()).unwrap();
        fs::write(world.path("behalf.toml"), CONFIGURATION).unwrap();
        let process = world.start(&world.path("data")).await;
        let tokens = USERS.iter().map(|(id, login, _)| world.token(id, login)).collect::<Vec<_>>();
        let caller = Caller { tokens: tokens.into(), ..world.caller(&process) };
        Self { _world: world, process, caller }
    }

    pub(super) fn url(&self) -> &str {
        &self.process.url
    }

    pub(super) fn token(&self, who: usize) -> &str {
        &self.caller.tokens[who]
    }

    /// The answer to a call that succeeds.
    pub(super) async fn done(&self, method: Method, path: &str, who: usize, body: Value) -> Value {
        let (status, said) = self.caller.call(method, path, who, Some(body)).await.unwrap();
        assert!(status.is_success(), "{path}: {status} {said}");
        said
    }
}
