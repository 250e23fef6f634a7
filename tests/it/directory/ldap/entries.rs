//! What is read of entries, and whose entry is nobody's.

use std::time::Duration;

use behalf::adapters::directory::ldap::Settings;
use serde_json::json;

use super::*;

#[tokio::test]
async fn a_profile_is_text_and_holds_no_password() {
    let Some(peer) = Peer::slapd().await else { return };
    let (dn, alice) = peer.put("alice").await;
    let directory = peer.direct();
    assert_eq!(json!(user(&directory, &alice).await.profile), json!({"lastName": "Surname"}));
    peer.replace(&dn, "mail", &["alice@example.test"]).await;
    peer.replace(&dn, "telephoneNumber", &["1", "2"]).await;
    peer.replace(&dn, "userPassword", &["hunter2"]).await;
    peer.replace(&dn, "employeeType", &["person"]).await;
    let mut settings = peer.settings(&[&peer.address()]);
    settings.names.profile.insert("photo".to_owned(), "jpegPhoto".to_owned());
    settings.names.profile.insert("long".to_owned(), "description".to_owned());
    let long = "x".repeat(20_000);
    peer.replace(&dn, "description", &[&long]).await;
    let change = ldap3::Mod::Replace(b"jpegPhoto".to_vec(), [vec![0xff, 0xd8, 0xff]].into());
    peer.admin().await.modify(&dn, vec![change]).await.unwrap().success().unwrap();
    let mut user = user(&Peer::connector(settings), &alice).await;
    assert_eq!(user.user_type.as_deref(), Some("person"));
    user.profile.get_mut("phones").unwrap().as_array_mut().unwrap().sort_by_key(ToString::to_string);
    let shown = json!({"email": "alice@example.test", "lastName": "Surname", "phones": ["1", "2"]});
    assert_eq!(json!(user.profile), shown);
}

#[tokio::test]
async fn a_login_that_two_have_is_nobodys() {
    let Some(peer) = Peer::slapd().await else { return };
    let (_, one) = peer.put("twin").await;
    let (_, other) = peer.put("twin").await;
    let directory = peer.direct();
    rejected(directory.entry(&by_login("twin")).await);
    for id in [&one, &other] {
        assert_eq!(user(&directory, id).await.id, *id);
    }
    // Many who only look like it.
    for n in 0..10 {
        peer.put(if n % 2 == 0 { "CROWD" } else { "crowd" }).await;
    }
    rejected(directory.entry(&by_login("Crowd")).await);
}

/// The server takes them for one; they are two.
#[tokio::test]
async fn logins_that_the_server_takes_for_the_same_are_told_apart() {
    let Some(peer) = Peer::slapd().await else { return };
    let (_, small) = peer.put("anna").await;
    let (_, large) = peer.put("ANNA").await;
    let directory = peer.direct();
    for (login, id) in [("anna", &small), ("ANNA", &large)] {
        assert_eq!(directory.entry(&by_login(login)).await.unwrap().unwrap().user.id, *id);
    }
    for login in ["Anna", " anna", "anna ", "an  na"] {
        assert_eq!(directory.entry(&by_login(login)).await, Ok(None), "{login:?}");
    }
}

/// An id that is somebody's login is the id's owner.
#[tokio::test]
async fn an_id_goes_before_a_login() {
    let Some(peer) = Peer::slapd().await else { return };
    let (_, alice) = peer.put("alice").await;
    let (_, trickster) = peer.put(alice.as_str()).await;
    let directory = peer.direct();
    let either = behalf::domain::ids::UserRef::parse(alice.as_str()).unwrap();
    assert_eq!(directory.entry(&either).await.unwrap().unwrap().user.id, alice);
    assert_eq!(directory.entry(&by_login(alice.as_str())).await.unwrap().unwrap().user.id, trickster);
}

#[tokio::test]
async fn only_users_below_the_base_are_users() {
    let Some(peer) = Peer::slapd().await else { return };
    let (_, alice) = peer.put("alice").await;
    let elsewhere = Settings { base: format!("ou=groups,{}", peer.base), ..peer.settings(&[&peer.address()]) };
    assert_eq!(Peer::connector(elsewhere).entry(&by_login("alice")).await, Ok(None));
    let filtered = Settings { user_filter: "(mail=*)".to_owned(), ..peer.settings(&[&peer.address()]) };
    assert_eq!(Peer::connector(filtered).entry(&by_id(alice.as_str())).await, Ok(None));
    let nowhere = Settings { base: format!("ou=gone,{}", peer.base), ..peer.settings(&[&peer.address()]) };
    let why = rejected(Peer::connector(nowhere).entry(&by_login("alice")).await);
    assert!(why.contains("BEHALF_LDAP_BASE"), "{why}");
    let foreign = Settings { base: "dc=other,dc=test".to_owned(), ..peer.settings(&[&peer.address()]) };
    rejected(Peer::connector(foreign).entry(&by_login("alice")).await);
}

#[tokio::test]
async fn lists_beyond_the_bound_are_no_lists() {
    let Some(peer) = Peer::slapd().await else { return };
    let (_, alice) = peer.put("alice").await;
    let agents: Vec<String> = (0..1001).map(|n| format!("agent-{n}")).collect();
    let all: Vec<&str> = agents.iter().map(String::as_str).collect();
    let directory = peer.direct();
    peer.list(&alice, &all[..1000]).await;
    assert_eq!(directory.entry(&by_id(alice.as_str())).await.unwrap().unwrap().agents.len(), 1000);
    rejected(directory.add(&alice, &id("one-more")).await);
    peer.list(&alice, &all).await;
    garbled(directory.entry(&by_id(alice.as_str())).await);
}

/// More than a server gives at once, asked for by several at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn candidates_come_in_pages() {
    let Some(peer) = Peer::slapd().await else { return };
    let mut ldap = peer.admin().await;
    for n in 0..1200 {
        let (dn, uid) = (format!("cn=d{n},ou=people,{}", peer.base), format!("d{n}"));
        let listed = if n < 700 { "both" } else { "late" };
        let attributes = [
            ("objectClass", vec!["inetOrgPerson", "delegationSubject"]),
            ("cn", vec![uid.as_str()]),
            ("uid", vec![uid.as_str()]),
            ("sn", vec!["x"]),
            ("delegatedAgents", vec!["all", listed]),
        ];
        let attributes = attributes.into_iter().map(|(name, values)| (name, values.into_iter().collect())).collect();
        ldap.add(&dn, attributes).await.unwrap().success().unwrap();
    }
    // One connection: some servers keep one paged search for each.
    let settings = peer.settings(&[&peer.address()]);
    let directory = Peer::connector(Settings { connections: 1, timeout: Duration::from_secs(20), ..settings });
    let (both, late, all) = (id("both"), id("late"), id("all"));
    let (both, late, all) =
        tokio::join!(directory.candidates(&both), directory.candidates(&late), directory.candidates(&all));
    let distinct = |list: Vec<UserId>| list.into_iter().collect::<std::collections::BTreeSet<_>>().len();
    assert_eq!((distinct(both.unwrap()), distinct(late.unwrap()), distinct(all.unwrap())), (700, 500, 1000));
    assert_eq!(directory.candidates(&id("nobody")).await, Ok(Vec::new()));
}

#[tokio::test]
async fn groups_that_are_gone_or_elsewhere_are_no_trouble() {
    let Some(peer) = Peer::slapd().await else { return };
    let (dn, alice) = peer.put("alice").await;
    let mut ids = std::collections::BTreeSet::new();
    let mut names = Vec::new();
    for _ in 0..40 {
        let (name, id) = peer.group(std::slice::from_ref(&dn)).await;
        names.push(name);
        ids.insert(behalf::domain::ids::GroupId::parse(&id).unwrap());
    }
    let directory = peer.direct();
    assert_eq!(directory.groups_of(&alice).await.unwrap(), ids);
    let below = Settings { base: format!("ou=people,{}", peer.base), ..peer.settings(&[&peer.address()]) };
    assert_eq!(Peer::connector(below).groups_of(&alice).await.unwrap(), ids, "groups needn't be where users are");
    peer.admin().await.delete(&names[0]).await.unwrap().success().unwrap();
    assert_eq!(directory.groups_of(&alice).await.unwrap().len(), 39);
}
