//! Lists in pages, and those that lie.

use behalf::{adapters::directory::entries::MOST_AGENTS, ports::directory::DirectoryError};
use serde_json::json;

use super::{Rig, id};
use crate::support::fake_okta::{Account, Endpoint, Fault, State};

#[tokio::test]
async fn all_pages_are_read() {
    let rig = Rig::start();
    rig.okta.set(|state| {
        state.page = 3;
        state.groups.insert("00ubob".to_owned(), (0..10).map(|n| format!("00g{n}")).collect());
    });
    for n in 0..10 {
        rig.okta.add(&format!("00udelegator{n}"), &format!("delegator{n}@example.com"));
        rig.okta.set_agents(&format!("00udelegator{n}"), &["00uann"]);
    }
    let okta = rig.entries();
    assert_eq!(okta.groups_of(&id("00ubob")).await.unwrap().len(), 10);
    assert_eq!(rig.okta.calls(Endpoint::Groups), 4);
    assert_eq!(okta.candidates(&id("00uann")).await.unwrap().len(), 10);
    assert_eq!(rig.okta.calls(Endpoint::Users), 4);
}

#[tokio::test]
async fn the_index_comes_late_and_compares_loosely() {
    let rig = Rig::start();
    rig.okta.set_agents("00ubob", &["00UANN"]);
    let okta = rig.entries();
    // A candidate, no more: whoever asks reads him again and compares.
    assert_eq!(okta.candidates(&id("00uann")).await.unwrap(), [id("00ubob")]);
    rig.okta.set(State::freeze_index);
    rig.okta.set_agents("00ubob", &[]);
    assert_eq!(okta.candidates(&id("00uann")).await.unwrap(), [id("00ubob")]);
    let entry = okta.entry(&behalf::domain::ids::UserRef::Id(id("00ubob"))).await.unwrap().unwrap();
    assert!(entry.agents.is_empty());
}

#[tokio::test]
async fn a_next_page_elsewhere_is_not_asked_for() {
    let (rig, elsewhere) = (Rig::start(), Rig::start());
    rig.okta.set(|state| {
        state.page = 1;
        state.next_origin = Some(elsewhere.okta.url.clone());
        state.groups.insert("00ubob".to_owned(), vec!["00g1".to_owned(), "00g2".to_owned()]);
    });
    let found = rig.entries().groups_of(&id("00ubob")).await;
    assert!(matches!(found, Err(DirectoryError::Garbled(_))), "{found:?}");
    assert_eq!(elsewhere.okta.all_calls(), 0);
}

#[tokio::test]
async fn a_list_that_is_too_long_is_no_list() {
    let rig = Rig::start();
    let mut delegator = Account::active("x@example.com");
    delegator.profile.insert("delegatedAgents".to_owned(), json!(["00uann"]));
    rig.okta.set(|state| {
        for n in 0..=MOST_AGENTS {
            let mut delegator = delegator.clone();
            delegator.profile.insert("login".to_owned(), json!(format!("x{n}@example.com")));
            state.users.insert(format!("00ux{n:05}"), delegator);
        }
    });
    let found = rig.entries().candidates(&id("00uann")).await;
    assert!(matches!(found, Err(DirectoryError::Garbled(_))), "{found:?}");
}

#[tokio::test]
async fn what_is_no_list_is_no_answer() {
    let rig = Rig::start();
    let okta = rig.entries();
    for garbage in ["{}", "[1]", "[{\"id\":\"\"}]", "[{\"id\":\"a\\u0000\"}]", "null", "", "[{}]"] {
        rig.okta.fail_next(Endpoint::Groups, [Fault::Garbage(garbage.to_owned())]);
        rig.okta.fail_next(Endpoint::Users, [Fault::Garbage(garbage.to_owned())]);
        let groups = okta.groups_of(&id("00ubob")).await;
        assert!(matches!(groups, Err(DirectoryError::Garbled(_))), "{garbage}: {groups:?}");
        let found = okta.candidates(&id("00ubob")).await;
        let said = matches!(found, Err(DirectoryError::Garbled(_)));
        assert!(said, "{garbage}: {found:?}");
    }
    assert_eq!(okta.groups_of(&id("00unobody")).await, Err(DirectoryError::NoSuchUser));
    // What is no id names nobody, though Okta takes logins there.
    assert_eq!(okta.groups_of(&id("bob@example.com")).await, Err(DirectoryError::NoSuchUser));
    assert_eq!(okta.groups_of(&id("me")).await, Err(DirectoryError::NoSuchUser));
    assert_eq!(rig.okta.violations(), Vec::<String>::new());
}
