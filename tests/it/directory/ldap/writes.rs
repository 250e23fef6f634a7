//! Grants as values of an attribute.

use behalf::ports::directory::Written;

use super::*;

#[tokio::test]
async fn the_class_is_added_where_it_is_missing() {
    let Some(peer) = Peer::slapd().await else { return };
    let (_, alice) = peer.put("alice").await;
    let directory = peer.direct();
    assert_eq!(directory.add(&alice, &id("bob")).await, Ok(Written::Changed));
    assert_eq!(directory.add(&alice, &id("bob")).await, Ok(Written::Already));
    assert_eq!(directory.add(&alice, &id("BOB")).await, Ok(Written::Changed), "another agent");
    assert_eq!(directory.remove(&alice, &id("Bob")).await, Ok(Written::Already));
    let listed = directory.entry(&by_id(alice.as_str())).await.unwrap().unwrap().agents;
    assert_eq!(listed, [id("bob"), id("BOB")]);
}

/// With a rule that doesn't look at case the server can't keep two agents apart: that is said, and nobody gets or
/// loses what is another's.
#[tokio::test]
async fn a_loose_matching_rule_is_no_yes() {
    let Some(peer) = Peer::slapd().await else { return };
    let (_, alice) = peer.put("alice").await;
    let mut settings = peer.settings(&[&peer.address()]);
    "looseAgents".clone_into(&mut settings.names.agents);
    let directory = Peer::connector(settings);
    assert_eq!(directory.add(&alice, &id("bob")).await, Ok(Written::Changed));
    let why = rejected(directory.add(&alice, &id("BOB")).await);
    assert!(why.contains("matching rule"), "{why}");
    assert_eq!(directory.remove(&alice, &id("BOB")).await, Ok(Written::Already));
    let listed = directory.entry(&by_id(alice.as_str())).await.unwrap().unwrap().agents;
    assert_eq!(listed, [id("bob")]);
    assert_eq!(directory.candidates(&id("BOB")).await, Ok(vec![alice]), "candidates are only that");
}

#[tokio::test]
async fn who_may_not_write_is_told_so() {
    let Some(peer) = Peer::slapd_with("", "").await else { return };
    let (_, alice) = peer.put("alice").await;
    peer.list(&alice, &["bob"]).await;
    let directory = peer.direct();
    let why = rejected(directory.add(&alice, &id("carol")).await);
    assert!(why.contains("may not"), "{why}");
    rejected(directory.remove(&alice, &id("bob")).await);
    let listed = directory.entry(&by_id(alice.as_str())).await.unwrap().unwrap().agents;
    assert_eq!(listed, [id("bob")]);
}

#[tokio::test]
async fn a_schema_without_the_attribute_is_told() {
    let Some(peer) = Peer::slapd().await else { return };
    let (_, alice) = peer.put("alice").await;
    for (agents, class) in [("noSuchAttribute", "delegationSubject"), ("delegatedAgents", "noSuchClass")] {
        let mut settings = peer.settings(&[&peer.address()]);
        (settings.names.agents, settings.names.class) = (agents.to_owned(), class.to_owned());
        let why = rejected(Peer::connector(settings).add(&alice, &id("bob")).await);
        assert!(why.contains("schema"), "{why}");
    }
}
