//! Who is in a group.

use std::collections::BTreeSet;

use behalf::{
    domain::ids::{GroupId, UserId},
    ports::directory::{DirectoryError, MOST_MEMBERS, Members},
};

use super::{Bench, swapped};

fn of(ids: &[UserId]) -> Members {
    Members { ids: ids.iter().cloned().collect(), more: false }
}

pub(in crate::contract) async fn members_are_told_by_id(b: Bench) {
    let [alice, bob, carol] = [b.put("alice").await, b.put("bob").await, b.put("carol").await];
    let both = b.rig.group(&[alice.clone(), bob.clone()]).await.unwrap();
    let mine = b.rig.group(std::slice::from_ref(&carol)).await.unwrap();
    assert_eq!(b.directory.members_of(&both, 10).await, Ok(Some(of(&[alice.clone(), bob.clone()]))));
    assert_eq!(b.directory.members_of(&mine, 10).await, Ok(Some(of(std::slice::from_ref(&carol)))));
    // What is said of the group is said of each of them.
    for member in [&alice, &bob] {
        assert!(b.directory.groups_of(member).await.unwrap().contains(&both));
    }
    // One who isn't active is in it still.
    b.rig.suspend(&bob).await;
    assert_eq!(b.directory.members_of(&both, 10).await, Ok(Some(of(&[alice, bob]))));
}

pub(in crate::contract) async fn an_empty_group_is_there_and_has_nobody(b: Bench) {
    let Some(empty) = b.rig.group(&[]).await else { return };
    assert_eq!(b.directory.members_of(&empty, 10).await, Ok(Some(Members::default())));
}

pub(in crate::contract) async fn a_group_that_is_not_there_is_none(b: Bench) {
    let alice = b.put("alice").await;
    let group = b.rig.group(std::slice::from_ref(&alice)).await.unwrap();
    let nobody = b.rig.nobodys_group();
    assert_eq!(b.directory.members_of(&nobody, 10).await, Ok(None), "{nobody}");
    let other_case = swapped(group.as_str());
    if other_case != group.as_str() {
        let answer = b.directory.members_of(&GroupId::parse(&other_case).unwrap(), 10).await;
        assert_eq!(answer, Ok(None), "{other_case}");
    }
}

pub(in crate::contract) async fn no_more_members_than_asked_for_and_the_others_are_mentioned(b: Bench) {
    let people = b.put_many("member", 5).await;
    let group = b.rig.group(&people).await.unwrap();
    for limit in 1..5 {
        let found = b.directory.members_of(&group, limit).await.unwrap().unwrap();
        assert!(found.more && found.ids.len() == limit, "{limit}: {found:?}");
        assert!(found.ids.iter().all(|id| people.contains(id)), "{limit}: {found:?}");
    }
    assert_eq!(b.directory.members_of(&group, 5).await, Ok(Some(of(&people))));
    assert_eq!(b.directory.members_of(&group, MOST_MEMBERS).await, Ok(Some(of(&people))));
}

pub(in crate::contract) async fn more_than_a_page_of_members(b: Bench) {
    let people = b.put_many("member", b.rig.crowd()).await;
    let group = b.rig.group(&people).await.unwrap();
    let all: BTreeSet<UserId> = people.into_iter().collect();
    for limit in [MOST_MEMBERS, usize::MAX] {
        let found = b.directory.members_of(&group, limit).await.unwrap().unwrap();
        assert_eq!(found.ids.len(), all.len().min(MOST_MEMBERS));
        assert!(found.ids.is_subset(&all) && found.more == (all.len() > MOST_MEMBERS));
    }
}

pub(in crate::contract) async fn who_leaves_or_goes_is_no_member(b: Bench) {
    let people = b.put_many("member", 3).await;
    let group = b.rig.group(&people).await.unwrap();
    assert_eq!(b.directory.members_of(&group, 10).await, Ok(Some(of(&people))));
    b.rig.delete(&people[1]).await;
    let found = b.directory.members_of(&group, 10).await.unwrap().unwrap();
    // Some servers go on listing whom they have no more; whoever asks reads each of them again.
    assert!(found.ids.contains(&people[0]) && found.ids.contains(&people[2]) && !found.more, "{found:?}");
    assert_eq!(b.directory.user(&super::by_id(&people[1])).await, Ok(None));
}

pub(in crate::contract) async fn odd_ids_name_no_group(b: Bench) {
    let alice = b.put("alice").await;
    let group = b.rig.group(std::slice::from_ref(&alice)).await.unwrap();
    let longer = format!("{group}/users");
    let tricks = [
        "*",
        "*)(objectClass=*",
        "../users",
        "..",
        "%2e%2e",
        "me",
        "?limit=200",
        "\" or id pr or id eq \"",
        "gr oup",
        "cn=admin,dc=example,dc=test",
        "<GUID=00000000-0000-0000-0000-000000000000>",
        "é",
        &longer,
    ];
    for trick in tricks {
        let Ok(id) = GroupId::parse(trick) else { continue };
        let found = b.directory.members_of(&id, 10).await;
        assert!(matches!(found, Ok(None) | Err(DirectoryError::Rejected(_))), "{trick}: {found:?}");
    }
    assert_eq!(b.directory.members_of(&group, 10).await, Ok(Some(of(&[alice]))));
}
