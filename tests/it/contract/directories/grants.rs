//! Grants of one at a time.

use behalf::ports::directory::{DirectoryError, Written};

use super::Bench;
use crate::support::process::until;

pub(in crate::contract) async fn a_grant_comes_and_goes(b: Bench) {
    let [alice, bob, carol] = [b.put("alice").await, b.put("bob").await, b.put("carol").await];
    assert!(!b.granted(&alice, &bob).await);
    assert_eq!(b.directory.agents_of(&alice).await, Ok(Vec::new()));
    for agent in [&bob, &carol] {
        assert_eq!(b.directory.add_grant(&alice, agent).await, Ok(Written::Changed));
        assert_eq!(b.directory.add_grant(&alice, agent).await, Ok(Written::Already));
        assert!(b.granted(&alice, agent).await);
    }
    let mut agents = b.directory.agents_of(&alice).await.unwrap();
    agents.sort();
    let mut both = vec![bob.clone(), carol.clone()];
    both.sort();
    assert_eq!(agents, both);
    // A search of the directory may come late.
    until("the reverse search", async || {
        let found = b.directory.delegators_of(&bob).await.unwrap();
        (found == [alice.clone()]).then_some(())
    })
    .await;
    assert_eq!(b.directory.remove_grant(&alice, &bob).await, Ok(Written::Changed));
    assert_eq!(b.directory.remove_grant(&alice, &bob).await, Ok(Written::Already));
    assert!(!b.granted(&alice, &bob).await && b.granted(&alice, &carol).await);
    assert_eq!(b.directory.remove_grant(&alice, &carol).await, Ok(Written::Changed));
    assert_eq!(b.directory.agents_of(&alice).await, Ok(Vec::new()));
    // And once more, on a list that was emptied.
    assert_eq!(b.directory.add_grant(&alice, &bob).await, Ok(Written::Changed));
    assert!(b.granted(&alice, &bob).await);
}

pub(in crate::contract) async fn a_grant_goes_one_way(b: Bench) {
    let [alice, bob, carol] = [b.put("alice").await, b.put("bob").await, b.put("carol").await];
    b.directory.add_grant(&alice, &bob).await.unwrap();
    b.directory.add_grant(&bob, &carol).await.unwrap();
    assert!(!b.granted(&bob, &alice).await && !b.granted(&alice, &carol).await && !b.granted(&carol, &bob).await);
}

pub(in crate::contract) async fn grants_of_a_deleted_agent_can_be_removed(b: Bench) {
    let [alice, bob, carol] = [b.put("alice").await, b.put("bob").await, b.put("carol").await];
    b.directory.add_grant(&alice, &bob).await.unwrap();
    b.directory.add_grant(&alice, &carol).await.unwrap();
    b.rig.delete(&bob).await;
    // The directory may have taken him from the list itself.
    let removed = b.directory.remove_grant(&alice, &bob).await;
    assert!(matches!(removed, Ok(Written::Changed | Written::Already)), "{removed:?}");
    assert!(!b.granted(&alice, &bob).await && b.granted(&alice, &carol).await);
    assert_eq!(b.directory.agents_of(&alice).await, Ok(vec![carol]));
}

pub(in crate::contract) async fn a_deleted_delegator_grants_nothing(b: Bench) {
    let [alice, bob] = [b.put("alice").await, b.put("bob").await];
    b.directory.add_grant(&alice, &bob).await.unwrap();
    b.rig.delete(&alice).await;
    assert_eq!(b.directory.delegator(&super::by_id(&alice), &bob).await, Ok(None));
    let added = b.directory.add_grant(&alice, &bob).await;
    assert!(matches!(added, Err(DirectoryError::Rejected(_))), "{added:?}");
    let removed = b.directory.remove_grant(&alice, &bob).await;
    assert!(matches!(removed, Ok(Written::Changed | Written::Already)), "{removed:?}");
}

pub(in crate::contract) async fn nobody_is_his_own_agent(b: Bench) {
    let alice = b.put("alice").await;
    let added = b.directory.add_grant(&alice, &alice).await;
    assert!(matches!(added, Err(DirectoryError::Rejected(_))), "{added:?}");
    assert!(!b.granted(&alice, &alice).await);
}

pub(in crate::contract) async fn a_user_who_is_not_there_gets_no_agent(b: Bench) {
    let [alice, gone] = [b.put("alice").await, b.put("gone").await];
    b.rig.delete(&gone).await;
    let added = b.directory.add_grant(&gone, &alice).await;
    assert!(matches!(added, Err(DirectoryError::Rejected(_))), "{added:?}");
}
