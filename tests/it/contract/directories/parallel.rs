//! Many at once, through two processes.

use std::{collections::BTreeSet, sync::Arc};

use behalf::{
    domain::ids::UserId,
    ports::directory::{Directory, Written},
};
use futures_util::{StreamExt, stream};

use super::Bench;

/// The two processes in turn.
async fn both(b: &Bench) -> [Arc<dyn Directory>; 2] {
    [Arc::clone(&b.directory), b.rig.directory().await]
}

/// Makes all changes, as many at once as the server bears. Gives what came of each, in their order.
async fn at_once(b: &Bench, delegator: &UserId, changes: Vec<(UserId, bool)>) -> Vec<Written> {
    let processes = both(b).await;
    let change = |(n, (agent, add)): (usize, (UserId, bool))| {
        let (directory, delegator) = (Arc::clone(&processes[n % 2]), delegator.clone());
        // A task each, so that they really run at the same time.
        tokio::spawn(async move {
            if add {
                directory.add_grant(&delegator, &agent).await
            } else {
                directory.remove_grant(&delegator, &agent).await
            }
        })
    };
    let answers = stream::iter(changes.into_iter().enumerate()).map(change).buffered(b.rig.bears());
    answers.map(|answer| answer.unwrap().unwrap()).collect().await
}

async fn listed(b: &Bench, delegator: &UserId) -> BTreeSet<UserId> {
    let list = b.directory.agents_of(delegator).await.unwrap();
    let set: BTreeSet<_> = list.iter().cloned().collect();
    assert_eq!(set.len(), list.len(), "nobody is listed twice");
    set
}

pub(in crate::contract) async fn forty_adds_at_once_lose_nothing(b: Bench) {
    let (delegator, agents) = (b.put("delegator").await, b.put_many("agent", 40).await);
    let written = at_once(&b, &delegator, agents.iter().map(|a| (a.clone(), true)).collect()).await;
    assert_eq!(written, [Written::Changed; 40]);
    assert_eq!(listed(&b, &delegator).await, agents.into_iter().collect());
}

pub(in crate::contract) async fn adds_and_removes_at_once_lose_nothing(b: Bench) {
    let (delegator, agents) = (b.put("delegator").await, b.put_many("agent", 40).await);
    let (old, new) = agents.split_at(20);
    b.rig.list(&delegator, old).await;
    let mixed = old.iter().zip(new).flat_map(|(old, new)| [(old.clone(), false), (new.clone(), true)]).collect();
    let written = at_once(&b, &delegator, mixed).await;
    assert_eq!(written, [Written::Changed; 40]);
    assert_eq!(listed(&b, &delegator).await, new.iter().cloned().collect());
}

pub(in crate::contract) async fn the_same_grant_at_once_is_listed_once(b: Bench) {
    let (delegator, agent) = (b.put("delegator").await, b.put("agent").await);
    let written = at_once(&b, &delegator, vec![(agent.clone(), true); 10]).await;
    assert!(written.contains(&Written::Changed));
    assert_eq!(listed(&b, &delegator).await, [agent.clone()].into());
    let written = at_once(&b, &delegator, vec![(agent.clone(), false); 10]).await;
    assert!(written.contains(&Written::Changed));
    assert_eq!(listed(&b, &delegator).await, [].into());
}

/// Who asks after the answer to a removal sees it, whatever else is under way.
pub(in crate::contract) async fn a_removal_is_seen_by_who_asks_after_it(b: Bench) {
    let (delegator, agent) = (b.put("delegator").await, b.put("agent").await);
    let [one, other] = both(&b).await;
    for _ in 0..10 {
        one.add_grant(&delegator, &agent).await.unwrap();
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let (directory, delegator, agent) = (Arc::clone(&one), delegator.clone(), agent.clone());
                tokio::spawn(async move { directory.is_granted(&delegator, &agent).await })
            })
            .collect();
        one.remove_grant(&delegator, &agent).await.unwrap();
        assert_eq!(one.is_granted(&delegator, &agent).await, Ok(false));
        assert_eq!(other.is_granted(&delegator, &agent).await, Ok(false));
        for reader in readers {
            reader.await.unwrap().unwrap();
        }
    }
}
