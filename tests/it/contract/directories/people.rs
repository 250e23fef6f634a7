//! Who is there, exactly.

use behalf::{
    domain::ids::{UserId, UserRef},
    ports::directory::DirectoryError,
};

use super::{Bench, by_id, by_login, fresh, swapped};

pub(in crate::contract) async fn a_user_is_found_by_id_and_by_login(b: Bench) {
    let login = fresh("alice");
    let id = b.rig.put(&login).await;
    for who in [by_id(&id), by_login(&login), UserRef::parse(id.as_str()).unwrap(), UserRef::parse(&login).unwrap()] {
        let user = b.directory.user(&who).await.unwrap().unwrap_or_else(|| panic!("{who:?} isn't found"));
        assert_eq!((user.id.as_str(), user.login.as_str(), user.is_active()), (id.as_str(), login.as_str(), true));
    }
    // What is a login is no id, and the other way round.
    assert_eq!(b.directory.user(&UserRef::Id(UserId::parse(&login).unwrap())).await, Ok(None));
    assert_eq!(b.directory.user(&by_login(id.as_str())).await, Ok(None));
}

pub(in crate::contract) async fn nobody_is_nobody(b: Bench) {
    let alice = b.put("alice").await;
    let gone = b.put("gone").await;
    b.rig.delete(&gone).await;
    for who in [by_id(&gone), by_login(&fresh("nobody"))] {
        assert_eq!(b.directory.user(&who).await, Ok(None), "{who:?}");
        assert_eq!(b.directory.delegator(&who, &alice).await, Ok(None), "{who:?}");
    }
    assert_eq!(b.directory.agents_of(&gone).await, Ok(Vec::new()));
    assert_eq!(b.directory.groups_of(&gone).await, Err(DirectoryError::NoSuchUser));
    assert_eq!(b.directory.groups_of(&alice).await.map(|_| ()), Ok(()));
    assert_eq!(b.directory.delegators_of(&gone).await, Ok(Vec::new()));
    assert!(!b.granted(&alice, &gone).await && !b.granted(&gone, &alice).await);
}

pub(in crate::contract) async fn what_differs_by_case_alone_is_another(b: Bench) {
    let login = fresh("Alice");
    let (alice, agent) = (b.rig.put(&login).await, b.put("agent").await);
    assert_eq!(b.directory.user(&by_login(&swapped(&login))).await, Ok(None));
    b.rig.list(&alice, std::slice::from_ref(&agent)).await;
    assert!(b.granted(&alice, &agent).await);
    for (one, other) in [(&alice, &agent), (&agent, &alice)] {
        let other_case = swapped(one.as_str());
        if other_case == one.as_str() {
            continue;
        }
        let other_case = UserId::parse(&other_case).unwrap();
        assert_eq!(b.directory.user(&by_id(&other_case)).await, Ok(None), "{other_case}");
        assert!(!b.granted(&other_case, other).await && !b.granted(other, &other_case).await, "{other_case}");
        assert_eq!(b.directory.agents_of(&other_case).await, Ok(Vec::new()));
    }
}

pub(in crate::contract) async fn a_suspended_user_is_not_active(b: Bench) {
    let (alice, agent) = (b.put("alice").await, b.put("agent").await);
    b.rig.list(&alice, std::slice::from_ref(&agent)).await;
    b.rig.suspend(&alice).await;
    b.rig.suspend(&agent).await;
    let found = b.directory.delegator(&by_id(&alice), &agent).await.unwrap().unwrap();
    assert!(!found.user.is_active());
    assert!(!b.directory.user(&by_id(&agent)).await.unwrap().unwrap().is_active());
}

pub(in crate::contract) async fn a_deleted_user_is_gone(b: Bench) {
    let login = fresh("alice");
    let alice = b.rig.put(&login).await;
    assert!(b.directory.user(&by_id(&alice)).await.unwrap().is_some());
    b.rig.delete(&alice).await;
    for who in [by_id(&alice), by_login(&login)] {
        assert_eq!(b.directory.user(&who).await, Ok(None), "{who:?}");
    }
    // His login, given to somebody else, is not he.
    let heir = b.rig.put(&login).await;
    assert_ne!(heir, alice);
    assert_eq!(b.directory.user(&by_id(&alice)).await, Ok(None));
    assert_eq!(b.directory.user(&by_login(&login)).await.unwrap().unwrap().id, heir);
}

pub(in crate::contract) async fn groups_are_told_by_id(b: Bench) {
    let [alice, bob, carol] = [b.put("alice").await, b.put("bob").await, b.put("carol").await];
    let Some(both) = b.rig.group(&[alice.clone(), bob.clone()]).await else { return };
    let mine = b.rig.group(std::slice::from_ref(&alice)).await.unwrap();
    assert_ne!(both, mine);
    let of_alice = b.directory.groups_of(&alice).await.unwrap();
    assert!(of_alice.contains(&both) && of_alice.contains(&mine), "{of_alice:?}");
    let of_bob = b.directory.groups_of(&bob).await.unwrap();
    assert!(of_bob.contains(&both) && !of_bob.contains(&mine), "{of_bob:?}");
    let of_carol = b.directory.groups_of(&carol).await.unwrap();
    assert!(!of_carol.contains(&both) && !of_carol.contains(&mine), "{of_carol:?}");
}
