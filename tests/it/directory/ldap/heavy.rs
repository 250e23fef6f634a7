//! What only Active Directory (Samba's) and 389 Directory Server show; `./check --full` runs it.

use std::collections::BTreeSet;

use behalf::{
    adapters::directory::ldap::{Security, Settings},
    domain::ids::GroupId,
};

use super::{inspect::said, *};

fn group(id: &str) -> GroupId {
    GroupId::parse(id).unwrap()
}

#[tokio::test]
async fn heavy_samba_groups_are_told_through_groups() {
    let Some(peer) = Peer::samba().await else { return };
    let (dn, alice) = peer.put("nested@example.com").await;
    let (inner, inner_id) = peer.group(&[dn]).await;
    let (outer, outer_id) = peer.group(&[inner]).await;
    let (_, outermost_id) = peer.group(&[outer]).await;
    let (stranger, _) = peer.put("stranger@example.com").await;
    let (_, other) = peer.group(&[stranger]).await;
    let groups = peer.direct().groups_of(&alice).await.unwrap();
    let expected: BTreeSet<_> = [inner_id, outer_id, outermost_id].iter().map(|id| group(id)).collect();
    assert!(groups.is_superset(&expected) && !groups.contains(&group(&other)), "{groups:?}");
}

#[tokio::test]
async fn heavy_samba_accounts_expire() {
    let Some(peer) = Peer::samba().await else { return };
    let (dn, alice) = peer.put("expires@example.com").await;
    let directory = peer.direct();
    assert!(user(&directory, &alice).await.is_active());
    // A second after 1970 began, and the year 2234.
    for (ticks, active) in [("116444736010000000", false), ("200000000000000000", true)] {
        peer.replace(&dn, "accountExpires", &[ticks]).await;
        assert_eq!(user(&directory, &alice).await.is_active(), active);
    }
}

#[tokio::test]
async fn heavy_samba_candidates_come_in_pages() {
    let Some(peer) = Peer::samba().await else { return };
    for n in 0..12 {
        let (_, user) = peer.put(&format!("paged-{n}@example.com")).await;
        peer.list(&user, &["paged-agent"]).await;
    }
    let found = peer.direct().candidates(&id("paged-agent")).await.unwrap();
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>().len(), 12);
}

/// A user who is renamed keeps his id, and his grants.
#[tokio::test]
async fn heavy_samba_changes_follow_the_id() {
    let Some(peer) = Peer::samba().await else { return };
    let (dn, alice) = peer.put("renamed@example.com").await;
    let directory = peer.direct();
    directory.add(&alice, &id("bob")).await.unwrap();
    let name = format!("CN=renamed{}", std::process::id());
    peer.admin().await.modifydn(&dn, &name, true, None).await.unwrap().success().unwrap();
    directory.add(&alice, &id("carol")).await.unwrap();
    directory.remove(&alice, &id("bob")).await.unwrap();
    assert_eq!(directory.entry(&by_id(alice.as_str())).await.unwrap().unwrap().agents, [id("carol")]);
}

#[tokio::test]
async fn heavy_samba_is_inspected() {
    let Some(peer) = Peer::samba().await else { return };
    peer.put("inspected@example.com").await;
    // The domain's own accounts have no login, and any user may be the one that is looked at.
    let user_filter = "(&(objectCategory=person)(userPrincipalName=*))".to_owned();
    let text = said(&Settings { user_filter, ..peer.settings(&[&peer.address()]) }).await;
    assert!(text.contains("may write `delegatedAgents`") && text.contains("compared exactly"), "{text}");
    assert!(!text.contains("Error"), "{text}");
    // Its certificate is its own.
    let server = Peer::server(&format!("{}:{}", peer.host, peer.tls_port), Security::Tls);
    unavailable(Peer::connector(Settings { servers: vec![server], ..peer.settings(&[]) }).entry(&by_login("x")).await);
}

#[tokio::test]
async fn heavy_389ds_is_inspected() {
    let Some(peer) = Peer::ds389().await else { return };
    peer.put("inspected@example.com").await;
    let text = said(&peer.settings(&[&peer.address()])).await;
    for expected in [
        "may write `delegatedAgents`",
        "compared exactly",
        "nobody else may write",
        "the account may read `nsAccountLock`",
    ] {
        assert!(text.contains(expected), "{text}");
    }
    assert!(!text.contains("Error"), "{text}");
}

/// A lock, or a group, that the account may not see looks as if there were none.
#[tokio::test]
async fn heavy_389ds_what_is_not_shown_is_told() {
    let Some(peer) = Peer::ds389().await else { return };
    peer.put("blinded@example.com").await;
    let (blind, password) = (format!("cn=blind,{}", peer.base), "does not see locks");
    let classes: &[&str] = &["applicationProcess", "simpleSecurityObject"];
    peer.add(&blind, &[("objectClass", classes), ("cn", &["blind"]), ("userPassword", &[password])]).await;
    let sees = "objectClass || uid || cn || sn || nsUniqueId || delegatedAgents";
    let rule = format!(
        "(targetattr=\"{sees}\")(version 3.0; acl \"blind\"; allow (read, search) userdn=\"ldap:///{blind}\";)"
    );
    let add = ldap3::Mod::Add("aci", std::collections::HashSet::from([rule.as_str()]));
    peer.admin().await.modify(&peer.base, vec![add]).await.unwrap().success().unwrap();
    let text = said(&Settings { bind_dn: blind, password: password.into(), ..peer.settings(&[&peer.address()]) }).await;
    for attribute in ["nsAccountLock", "memberOf"] {
        assert!(text.contains(&format!("the account may not read `{attribute}`")), "{text}");
    }
}
