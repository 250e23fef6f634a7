//! User types, and entities.

use behalf::{
    adapters::directory::{
        entries::Entries as _,
        okta::{Kinds, auth::Credentials},
    },
    ports::directory::{DirectoryError, Entity, Written},
};
use serde_json::json;

use super::{Rig, all_kinds, id};
use crate::support::fake_okta::{DELEGATED_TYPE, ENTITY_TYPE, Endpoint, Fault, TOKEN, USER_TYPE};

#[tokio::test]
async fn a_user_becomes_a_delegator_and_an_ordinary_one_again_and_keeps_what_he_has() {
    let rig = Rig::start();
    rig.okta.edit("00ubob", |account| {
        account.profile.insert("costCenter".to_owned(), json!("4711"));
        account.provider = json!({"type": "ACTIVE_DIRECTORY", "name": "corp"});
    });
    let before = rig.okta.set(|state| state.users["00ubob"].clone());
    let okta = rig.entries();
    for (can, kind) in [(true, DELEGATED_TYPE), (false, USER_TYPE)] {
        assert_eq!(okta.set_delegatable(&id("00ubob"), can).await, Ok(Some(Written::Changed)));
        assert_eq!(okta.set_delegatable(&id("00ubob"), can).await, Ok(Some(Written::Already)));
        let now = rig.okta.set(|state| state.users["00ubob"].clone());
        assert_eq!(
            (now.kind.as_str(), now.profile, now.provider),
            (kind, before.profile.clone(), before.provider.clone())
        );
    }
}

#[tokio::test]
async fn somebody_quicker_is_not_overwritten() {
    let rig = Rig::start();
    let okta = rig.entries();
    rig.okta.fail_next(Endpoint::ReplaceUser, [Fault::Error(412, "E0000231"), Fault::Error(409, "E0000253")]);
    assert_eq!(okta.set_delegatable(&id("00ubob"), true).await, Ok(Some(Written::Changed)));
    assert_eq!(rig.okta.calls(Endpoint::ReplaceUser), 3);
}

#[tokio::test]
async fn an_attribute_that_would_be_lost_keeps_the_type_as_it_is() {
    let rig = Rig::start();
    rig.okta.edit("00ubob", |account| {
        account.profile.insert("costCenter".to_owned(), json!("4711"));
    });
    rig.okta.set(|state| state.types.get_mut(DELEGATED_TYPE).map(|kind| kind.custom.remove("costCenter")));
    let said = rig.entries().set_delegatable(&id("00ubob"), true).await;
    assert!(matches!(&said, Err(DirectoryError::Rejected(text)) if text.contains("costCenter")), "{said:?}");
    assert_eq!(rig.okta.calls(Endpoint::ReplaceUser), 0);
    // But agents go with the right to have them.
    rig.okta.set(|state| state.types.get_mut(USER_TYPE).map(|kind| kind.custom.remove("delegatedAgents")));
    rig.okta.edit("00uann", |account| {
        DELEGATED_TYPE.clone_into(&mut account.kind);
        account.profile.insert("delegatedAgents".to_owned(), json!(["00ubob"]));
    });
    assert_eq!(rig.entries().set_delegatable(&id("00uann"), false).await, Ok(Some(Written::Changed)));
    assert_eq!(rig.okta.agents("00uann"), Vec::<String>::new());
}

#[tokio::test]
async fn without_two_types_there_is_no_switch() {
    let rig = Rig::start();
    for kinds in [
        Kinds::default(),
        Kinds { user: None, ..all_kinds() },
        Kinds { delegatable: None, ..all_kinds() },
        Kinds { user: Some(DELEGATED_TYPE.to_owned()), ..all_kinds() },
    ] {
        let okta = rig.connect_as(Credentials::ApiToken(TOKEN.into()), kinds);
        assert_eq!(okta.set_delegatable(&id("00ubob"), true).await, Ok(None));
    }
    assert_eq!(rig.okta.all_calls(), 0);
    rig.okta.edit("00ubob", |account| ENTITY_TYPE.clone_into(&mut account.kind));
    assert_eq!(rig.entries().set_delegatable(&id("00ubob"), true).await, Ok(None));
    for nobody in ["00unobody", "me"] {
        let said = rig.entries().set_delegatable(&id(nobody), true).await;
        assert!(matches!(said, Err(DirectoryError::Rejected(_))), "{said:?}");
    }
}

/// Bob belongs to Acme, as this link says.
fn linked(rig: &Rig, href: &str) {
    let link = (("00ubob".to_owned(), "parentEntity".to_owned()), vec![href.to_owned()]);
    rig.okta.set(|state| state.links.extend([link]));
}

fn with_acme() -> Rig {
    let rig = Rig::start();
    rig.okta.add("00uacme", "acme@example.com");
    rig.okta.edit("00uacme", |account| {
        ENTITY_TYPE.clone_into(&mut account.kind);
        account.profile.insert("entityId".to_owned(), json!("4711"));
        account.profile.insert("entityName".to_owned(), json!("Acme Ltd"));
    });
    linked(&rig, &format!("{}/api/v1/users/00uacme", rig.okta.url));
    rig
}

#[tokio::test]
async fn the_entity_is_where_the_link_leads() {
    let rig = with_acme();
    let okta = rig.entries();
    let acme = Entity { id: "4711".to_owned(), name: Some("Acme Ltd".to_owned()) };
    assert_eq!(okta.entity_of(&id("00ubob")).await, Ok(Some(acme)));
    for nobody in ["00uann", "00unobody", "me", "bob@example.com"] {
        assert_eq!(okta.entity_of(&id(nobody)).await, Ok(None), "{nobody}");
    }
    rig.okta.edit("00uacme", |account| USER_TYPE.clone_into(&mut account.kind));
    assert_eq!(okta.entity_of(&id("00ubob")).await, Ok(None), "an ordinary user is no entity");
    assert_eq!(rig.okta.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_link_to_somewhere_else_is_not_followed() {
    let (rig, evil) = (with_acme(), Rig::start());
    let okta = rig.entries();
    let own = &rig.okta.url;
    let before = rig.okta.calls(Endpoint::ReadUser);
    for href in [
        format!("{}/api/v1/users/00uacme", evil.okta.url),
        format!("{own}/api/v1/groups/00uacme"),
        format!("{own}/api/v1/users/00uacme/groups"),
        format!("{own}/api/v1/users/a%2Fb"),
        "nowhere".to_owned(),
    ] {
        linked(&rig, &href);
        let said = okta.entity_of(&id("00ubob")).await;
        assert!(matches!(said, Err(DirectoryError::Garbled(_))), "{href}: {said:?}");
    }
    assert_eq!((evil.okta.all_calls(), rig.okta.calls(Endpoint::ReadUser)), (0, before));
}
