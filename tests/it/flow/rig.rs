//! Users, shared accounts and rules, and the binary over either store.

use std::{fs, path::PathBuf, sync::Arc};

use behalf::{domain::audit::Event, ports::store::Seq};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::driver::USES;
use crate::{
    contract::redis::over,
    durability::{
        ledger,
        rig::{BOB, Caller, PATIENT, Process, World},
    },
    support::redis::Redis,
};

/// Users who act, each for an account of his own.
pub(super) const FLOWS: usize = 4;
/// Users who leave off somewhere. Their approvals and reservations end soon.
pub(super) const LEFT: usize = 9;
/// Who wants the accounts afterwards.
pub(super) const RIVAL: usize = FLOWS + LEFT;
/// Who decides about approvals, and may see everything.
pub(super) const BOSS: usize = RIVAL + 1;

/// Where the data lie while no process runs.
enum Place {
    Folder(PathBuf),
    Shared(Redis),
}

pub(super) struct Rig {
    world: World,
    place: Place,
}

pub(super) fn account(n: usize) -> String {
    format!("00udba{n}")
}

fn login(n: usize) -> String {
    format!("dba{n}@example.test")
}

impl Rig {
    pub(super) fn embedded() -> Self {
        let world = world();
        Self { place: Place::Folder(world.path("data")), world }
    }

    pub(super) async fn redis() -> Self {
        Self { world: world(), place: Place::Shared(Redis::start(&[]).await) }
    }

    /// Starts the binary, and waits until it is ready.
    pub(super) async fn start(&self) -> Process {
        let store = match &self.place {
            Place::Folder(data) => format!("embedded:{}", data.display()),
            Place::Shared(redis) => format!("redis://{}/0", redis.address()),
        };
        self.world.launch(self.world.command(&store).envs(PATIENT)).ready().await
    }

    /// Callers with good tokens: the users', the boss's, the accounts'.
    pub(super) fn caller(&self, process: &Process) -> Caller {
        let caller = self.world.caller(process);
        let mut tokens = caller.tokens.to_vec();
        tokens.extend((0..RIVAL).map(|n| self.world.token(&account(n), &login(n))));
        Caller { tokens: Arc::new(tokens), ..caller }
    }

    /// Every account lets its user act for it.
    pub(super) async fn grant(&self, caller: &Caller) {
        for n in 0..RIVAL {
            let body = json!({"agent": format!("00uann{n}")});
            let (status, said) = caller.call(Method::POST, "/v1/grants", BOSS + 1 + n, Some(body)).await.unwrap();
            assert_eq!(status, StatusCode::CREATED, "{said}");
        }
    }

    /// Every event. No process may run on the data.
    pub(super) async fn trail(&self) -> Vec<(Seq, Event)> {
        match &self.place {
            Place::Folder(data) => ledger::trail(data).await,
            Place::Shared(redis) => ledger::events_of(&over(redis)).await,
        }
    }
}

/// All users may reserve all accounts; those of the users who leave off have rules and holds of their own.
fn world() -> World {
    let world = World::new(RIVAL + 1);
    let person = |id: String, login: String, groups: &[&str]| json!({"id": id, "login": login, "status": "active", "groups": groups});
    let group = |n: usize| if n < FLOWS { "kept" } else { "left" };
    let agents = (0..=RIVAL).map(|n| person(format!("00uann{n}"), format!("ann{n}@example.test"), &["dbas"]));
    let accounts = (0..RIVAL).map(|n| person(account(n), login(n), &[group(n)]));
    let boss = person("00ubob".to_owned(), BOB.to_owned(), &[]);
    let users: Vec<Value> = agents.chain(accounts).chain([boss]).collect();
    fs::write(world.path("users.yaml"), json!({ "users": users }).to_string()).unwrap();
    fs::write(world.path("behalf.toml"), configuration()).unwrap();
    world
}

fn configuration() -> String {
    let mut text = "[tenants.default.roles.admin]\nclaim = \"uid\"\nvalue = \"00ubob\"\n".to_owned();
    let soon = ", decide_within = \"45s\", use_within = \"45s\", valid_for = \"45s\"";
    // Less than Okta lets a token live.
    let overrun = "max_token_lifetime = \"10m\"\nallow_overrun = true\n";
    for (group, deadlines, lifetime) in [("kept", "", ""), ("left", soon, overrun)] {
        text += &format!(
            "[[tenants.default.rules]]\nname = \"{group}\"\nwhen = {{ delegator_groups = [\"{group}\"] }}\n\
             stages = [\"approval\", \"reservation\"]\n\
             approval = {{ type = \"approve\", approvers = [\"user:00ubob\"], max_uses = {USES}{deadlines} }}\n{lifetime}"
        );
    }
    for n in 0..RIVAL {
        let (id, hold) = (account(n), if n < FLOWS { "10m" } else { "1m" });
        text += &format!("[[tenants.default.shared_accounts]]\nid = \"{id}\"\ngroup = \"dbas\"\nhold = \"{hold}\"\n");
    }
    text
}
