//! Rules and users: what a delegation takes is told by the delegator's group.

use std::fs;

use serde_json::{Value, json};

use crate::durability::rig::{BOB, World};

pub(super) const AGENTS: usize = 16;
/// How often an approval may be used.
pub(super) const USES: usize = 2;
/// Who decides.
pub(super) const APPROVERS: [&str; 3] = ["ada", "ben", "cleo"];

/// Whom one acts for: each has a rule of his own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum For {
    /// One approver decides.
    One,
    /// Two must agree.
    Two,
    /// One decides, and the account must be reserved: each agent has an account of his own.
    Account(usize),
}

impl For {
    pub(super) fn id(self) -> String {
        match self {
            Self::One => "00uone".to_owned(),
            Self::Two => "00utwo".to_owned(),
            Self::Account(agent) => format!("00udba{agent}"),
        }
    }

    pub(super) fn login(self) -> String {
        format!("{}@example.test", &self.id()[3..])
    }

    pub(super) fn all() -> impl Iterator<Item = Self> {
        [Self::One, Self::Two].into_iter().chain((0..AGENTS).map(Self::Account))
    }
}

/// Writes the files of the world.
pub(super) fn rules(world: &World) {
    let person =
        |id: &str, login: &str, group: &str| json!({"id": id, "login": login, "status": "active", "groups": [group]});
    let mut users: Vec<Value> =
        (0..AGENTS).map(|n| person(&format!("00uann{n}"), &format!("ann{n}@example.test"), "dbas")).collect();
    users.extend(APPROVERS.map(|name| person(&format!("00u{name}"), &format!("{name}@example.test"), "deciders")));
    users.push(person("00ubob", BOB, "bosses"));
    for whom in For::all() {
        let group = match whom {
            For::One => "one",
            For::Two => "two",
            For::Account(_) => "account",
        };
        users.push(person(&whom.id(), &whom.login(), group));
    }
    fs::write(world.path("users.yaml"), json!({ "users": users }).to_string()).unwrap();
    let mut text = "[tenants.default.roles.admin]\nclaim = \"uid\"\nvalue = \"00ubob\"\n".to_owned();
    for (group, quorum, more) in [("one", 1, ""), ("two", 2, ""), ("account", 1, ", \"reservation\"")] {
        let approvers: Vec<String> = APPROVERS.iter().map(|name| format!("\"user:00u{name}\"")).collect();
        text += &format!(
            "[[tenants.default.rules]]\nname = \"{group}\"\nwhen = {{ delegator_groups = [\"{group}\"] }}\n\
             stages = [\"approval\"{more}]\n\
             approval = {{ type = \"approve\", approvers = [{}], quorum = {quorum}, max_uses = {USES} }}\n",
            approvers.join(", ")
        );
    }
    for agent in 0..AGENTS {
        let id = For::Account(agent).id();
        text += &format!("[[tenants.default.shared_accounts]]\nid = \"{id}\"\ngroup = \"dbas\"\n");
    }
    fs::write(world.path("behalf.toml"), text).unwrap();
}
