//! What `check` says of an organisation.

use behalf::adapters::{
    directory::okta::{self, Kinds, auth::Credentials},
    finding::Level,
};
use serde_json::{Value, json};

use super::{Rig, all_kinds};
use crate::support::fake_okta::{DELEGATED_TYPE, Endpoint, Fault, TOKEN};

async fn said(rig: &Rig, token: &str, kinds: Kinds) -> Vec<(Level, String)> {
    let okta = rig.connect_as(Credentials::ApiToken(token.into()), kinds);
    okta::inspect(&okta).await.into_iter().map(|finding| (finding.level, finding.text)).collect()
}

/// All is well but for one thing, of that level, that names this.
#[track_caller]
fn is_only(findings: &[(Level, String)], level: Level, part: &str) {
    let [(found, text)] = findings else { panic!("{findings:?}") };
    assert!(*found == level && text.contains(part), "{findings:?}");
}

fn agents(rig: &Rig, change: impl FnOnce(&mut Value)) {
    rig.okta.set(|state| {
        let custom = &mut state.types.get_mut(DELEGATED_TYPE).unwrap().custom;
        change(&mut custom["delegatedAgents"]);
    });
}

#[tokio::test]
async fn all_is_well_and_nothing_is_changed() {
    let rig = Rig::start();
    let before = rig.okta.set(|state| format!("{:?}", state.users));
    is_only(&said(&rig, TOKEN, all_kinds()).await, Level::Good, "signed in");
    is_only(&said(&rig, TOKEN, Kinds::default()).await, Level::Good, "signed in");
    assert_eq!(rig.okta.set(|state| format!("{:?}", state.users)), before);
    assert_eq!(rig.okta.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn who_may_write_grants_is_told() {
    let rig = Rig::start();
    agents(&rig, |schema| schema["permissions"] = json!([{"principal": "SELF", "action": "READ_WRITE"}]));
    is_only(&said(&rig, TOKEN, all_kinds()).await, Level::Warning, "their own `delegatedAgents`");
    agents(&rig, |schema| schema["permissions"] = json!([{"principal": "EVERYBODY", "action": "READ_WRITE"}]));
    is_only(&said(&rig, TOKEN, all_kinds()).await, Level::Error, "others than administrators");
    agents(&rig, |schema| schema["permissions"] = json!([]));
    is_only(&said(&rig, TOKEN, all_kinds()).await, Level::Warning, "doesn't say");
    agents(&rig, |schema| {
        *schema = json!({"type": "string", "permissions": [{"principal": "SELF", "action": "HIDE"}]});
    });
    is_only(&said(&rig, TOKEN, all_kinds()).await, Level::Error, "no list of strings");
    rig.okta.set(|state| state.types.get_mut(DELEGATED_TYPE).unwrap().custom.remove("delegatedAgents"));
    is_only(&said(&rig, TOKEN, all_kinds()).await, Level::Error, "no attribute `delegatedAgents`");
}

#[tokio::test]
async fn missing_rights_and_types_are_told() {
    let rig = Rig::start();
    is_only(&said(&rig, "wrong", all_kinds()).await, Level::Error, "E0000011");
    let kinds = Kinds { entity: Some("otynowhere".to_owned()), ..all_kinds() };
    is_only(&said(&rig, TOKEN, kinds).await, Level::Error, "BEHALF_ENTITY_TYPE_ID: there is no user type otynowhere");
    rig.okta.set(|state| state.always.insert(Endpoint::Groups, Fault::Error(403, "E0000006")));
    is_only(&said(&rig, TOKEN, all_kinds()).await, Level::Warning, "groups");
    rig.okta.set(|state| state.always.clear());
    rig.okta.set(|state| state.always.insert(Endpoint::Schema, Fault::Error(403, "E0000006")));
    is_only(&said(&rig, TOKEN, Kinds::default()).await, Level::Warning, "okta.schemas.read");
    rig.okta.set(|state| state.always.clear());
    rig.okta.set(|state| state.read_only = true);
    is_only(&said(&rig, TOKEN, all_kinds()).await, Level::Error, "users can't be changed");
}

#[tokio::test]
async fn what_etags_are_worth_is_told() {
    let rig = Rig::start();
    rig.okta.set(|state| state.if_match = false);
    is_only(&said(&rig, TOKEN, all_kinds()).await, Level::Warning, "If-Match is ignored");
    rig.okta.set(|state| state.users.clear());
    is_only(&said(&rig, TOKEN, all_kinds()).await, Level::Warning, "no active user");
}
