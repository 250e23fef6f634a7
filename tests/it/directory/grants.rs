//! Grants of the embedded directory.

use std::{collections::BTreeSet, path::Path, sync::Arc};

use behalf::{
    adapters::{
        directory::embedded::{
            EmbeddedDirectory,
            grants::{BY_AGENT, BY_DELEGATOR, KIND, MAX_AGENTS},
        },
        system::OsEntropy,
    },
    domain::ids::{RecordId, TenantName, UserId},
    ports::{
        directory::{Directory, DirectoryError, Written},
        store::{Change, ChangeId, Committed, Index, IndexRow, Key, Put, Store},
    },
};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::{id, store, with_users};
use crate::support::model_store::Fault;

fn users(count: usize) -> Vec<UserId> {
    (0..count).map(|n| id(&format!("u-{n}"))).collect()
}

fn set(list: Vec<UserId>) -> BTreeSet<UserId> {
    let count = list.len();
    let set: BTreeSet<_> = list.into_iter().collect();
    assert_eq!(set.len(), count, "somebody is listed twice");
    set
}

async fn change(
    directory: &dyn Directory,
    add: bool,
    delegator: &UserId,
    agent: &UserId,
) -> Result<Written, DirectoryError> {
    if add { directory.add_grant(delegator, agent).await } else { directory.remove_grant(delegator, agent).await }
}

/// Adds or removes each of the agents, all in tasks of their own. The results, in the agents' order.
async fn all_at_once(
    directory: &Arc<EmbeddedDirectory>,
    delegator: &UserId,
    agents: &[UserId],
    add: bool,
) -> Vec<Written> {
    let tasks = agents.iter().cloned().map(|agent| {
        let (directory, delegator) = (Arc::clone(directory), delegator.clone());
        tokio::spawn(async move { change(&*directory, add, &delegator, &agent).await })
    });
    let mut results = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        results.push(task.await.unwrap().unwrap());
    }
    results
}

#[tokio::test]
async fn a_grant_is_added_seen_and_removed() {
    let directory = with_users(3, store());
    let (boss, agent, other) = (id("u-0"), id("u-1"), id("u-2"));
    assert_eq!(directory.is_granted(&boss, &agent).await, Ok(false));
    assert_eq!(directory.add_grant(&boss, &agent).await, Ok(Written::Changed));
    assert_eq!(directory.add_grant(&boss, &agent).await, Ok(Written::Already));
    assert_eq!(directory.is_granted(&boss, &agent).await, Ok(true));
    assert_eq!(directory.is_granted(&agent, &boss).await, Ok(false), "a grant has one direction");
    assert_eq!(directory.is_granted(&boss, &other).await, Ok(false));
    assert_eq!(directory.is_granted(&other, &agent).await, Ok(false), "nobody rides on another's grant");
    assert_eq!(directory.agents_of(&boss).await, Ok(vec![agent.clone()]));
    assert_eq!(directory.delegators_of(&agent).await, Ok(vec![boss.clone()]));
    assert_eq!(directory.agents_of(&agent).await, Ok(vec![]));

    assert_eq!(directory.remove_grant(&boss, &agent).await, Ok(Written::Changed));
    assert_eq!(directory.remove_grant(&boss, &agent).await, Ok(Written::Already));
    assert_eq!(directory.is_granted(&boss, &agent).await, Ok(false));
    assert_eq!(directory.agents_of(&boss).await, Ok(vec![]));
    assert_eq!(directory.delegators_of(&agent).await, Ok(vec![]));
    assert_eq!(directory.add_grant(&boss, &agent).await, Ok(Written::Changed), "and once more");
}

#[tokio::test]
async fn ids_are_compared_exactly() {
    let directory = with_users(2, store());
    directory.add_grant(&id("u-0"), &id("u-1")).await.unwrap();
    for (delegator, agent) in
        [("U-0", "u-1"), ("u-0", "U-1"), ("u-0", "u-1 "), ("u-0u", "-1"), ("..", "me"), ("a/b", "x?y")]
    {
        assert_eq!(directory.is_granted(&id(delegator), &id(agent)).await, Ok(false), "{delegator} {agent}");
        assert_eq!(directory.remove_grant(&id(delegator), &id(agent)).await, Ok(Written::Already));
    }
    assert_eq!(directory.is_granted(&id("u-0"), &id("u-1")).await, Ok(true));
}

#[tokio::test]
async fn nobody_is_his_own_agent_and_strangers_are_none() {
    let directory = with_users(1, store());
    for (delegator, agent) in [("u-0", "u-0"), ("u-0", "nobody"), ("nobody", "u-0"), ("u-0", "..")] {
        let refused = directory.add_grant(&id(delegator), &id(agent)).await;
        assert!(matches!(refused, Err(DirectoryError::Rejected(_))), "{refused:?}");
    }
    assert_eq!(directory.agents_of(&id("u-0")).await, Ok(vec![]));
    // Nor is there such a grant to be removed.
    assert_eq!(directory.remove_grant(&id("u-0"), &id("u-0")).await, Ok(Written::Already));
}

#[tokio::test]
async fn an_agent_who_is_gone_is_listed_and_can_be_removed() {
    let store = store();
    with_users(3, store.clone()).add_grant(&id("u-0"), &id("u-2")).await.unwrap();
    let fewer = with_users(2, store);
    assert_eq!(fewer.agents_of(&id("u-0")).await, Ok(vec![id("u-2")]));
    assert_eq!(fewer.remove_grant(&id("u-0"), &id("u-2")).await, Ok(Written::Changed));
}

#[tokio::test]
async fn tenants_do_not_share_grants() {
    let store = store();
    with_users(2, store.clone()).add_grant(&id("u-0"), &id("u-1")).await.unwrap();
    let other = TenantName::parse("other").unwrap();
    let elsewhere = EmbeddedDirectory::open(Path::new(""), other, store, Arc::new(OsEntropy)).unwrap();
    assert_eq!(elsewhere.is_granted(&id("u-0"), &id("u-1")).await, Ok(false));
    assert_eq!(elsewhere.delegators_of(&id("u-1")).await, Ok(vec![]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn forty_concurrent_changes_lose_nothing() {
    let directory = Arc::new(with_users(41, store()));
    let (boss, agents) = (id("u-0"), users(41)[1..].to_vec());
    let added = all_at_once(&directory, &boss, &agents, true).await;
    assert_eq!(added, vec![Written::Changed; 40]);
    assert_eq!(set(directory.agents_of(&boss).await.unwrap()), agents.iter().cloned().collect());

    let (gone, kept) = agents.split_at(20);
    let (removed, again) =
        tokio::join!(all_at_once(&directory, &boss, gone, false), all_at_once(&directory, &boss, kept, true));
    assert_eq!((removed, again), (vec![Written::Changed; 20], vec![Written::Already; 20]));
    assert_eq!(set(directory.agents_of(&boss).await.unwrap()), kept.iter().cloned().collect());
    for agent in kept {
        assert_eq!(directory.delegators_of(agent).await, Ok(vec![boss.clone()]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_forty_who_do_the_same_one_changes_it() {
    let directory = Arc::new(with_users(2, store()));
    let (boss, same) = (id("u-0"), vec![id("u-1"); 40]);
    for add in [true, false, true] {
        let results = all_at_once(&directory, &boss, &same, add).await;
        assert_eq!(results.iter().filter(|w| **w == Written::Changed).count(), 1);
        assert_eq!(directory.is_granted(&boss, &same[0]).await, Ok(add));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn adds_and_removes_of_one_grant_alternate() {
    let directory = Arc::new(with_users(2, store()));
    let tasks: Vec<_> = (0..40)
        .map(|n| {
            let directory = Arc::clone(&directory);
            tokio::spawn(async move {
                let add = n % 2 == 0;
                (add, change(&*directory, add, &id("u-0"), &id("u-1")).await.unwrap())
            })
        })
        .collect();
    let mut balance = 0;
    for task in tasks {
        match task.await.unwrap() {
            (true, Written::Changed) => balance += 1,
            (false, Written::Changed) => balance -= 1,
            (_, Written::Already) => {}
        }
    }
    let stands = directory.is_granted(&id("u-0"), &id("u-1")).await.unwrap();
    assert_eq!(balance, i32::from(stands), "each change that was told happened once");
    assert_eq!(directory.agents_of(&id("u-0")).await.unwrap().len(), usize::from(stands));
}

#[tokio::test]
async fn a_thousand_agents_are_enough() {
    let directory = with_users(MAX_AGENTS + 2, store());
    let everybody = users(MAX_AGENTS + 2);
    let (boss, agents) = everybody.split_first().unwrap();
    for agent in &agents[..MAX_AGENTS] {
        assert_eq!(directory.add_grant(boss, agent).await, Ok(Written::Changed));
    }
    let full = directory.add_grant(boss, &agents[MAX_AGENTS]).await;
    assert!(matches!(&full, Err(DirectoryError::Rejected(text)) if text.contains("remove one first")), "{full:?}");
    assert_eq!(directory.add_grant(boss, &agents[0]).await, Ok(Written::Already));
    assert_eq!(directory.add_grant(&agents[0], boss).await, Ok(Written::Changed), "the bound is each delegator's own");
    directory.remove_grant(boss, &agents[0]).await.unwrap();
    assert_eq!(directory.add_grant(boss, &agents[MAX_AGENTS]).await, Ok(Written::Changed));
    assert_eq!(set(directory.agents_of(boss).await.unwrap()).len(), MAX_AGENTS);
}

#[tokio::test]
async fn a_list_longer_than_a_page_is_whole() {
    let directory = with_users(1502, store());
    let everybody = users(1502);
    let (agent, delegators) = everybody.split_first().unwrap();
    for delegator in delegators {
        directory.add_grant(delegator, agent).await.unwrap();
    }
    assert_eq!(set(directory.delegators_of(agent).await.unwrap()), delegators.iter().cloned().collect());
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_told_as_what_it_came_to() {
    for fault in [Fault::AnswerLost, Fault::ChangeLost] {
        let store = store();
        let directory = with_users(2, store.clone());
        let (boss, agent) = (id("u-0"), id("u-1"));
        store.next(fault);
        assert_eq!(directory.add_grant(&boss, &agent).await, Ok(Written::Changed), "{fault:?}");
        assert_eq!(directory.is_granted(&boss, &agent).await, Ok(true), "{fault:?}");
        store.next(fault);
        assert_eq!(directory.remove_grant(&boss, &agent).await, Ok(Written::Changed), "{fault:?}");
        assert_eq!(directory.is_granted(&boss, &agent).await, Ok(false), "{fault:?}");
    }
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_unavailable() {
    let store = store();
    let directory = with_users(2, store.clone());
    let (boss, agent) = (id("u-0"), id("u-1"));
    for faults in [&[Fault::Unavailable][..], &[Fault::ChangeLost, Fault::ChangeLost]] {
        for fault in faults {
            store.next(*fault);
        }
        let answer = directory.add_grant(&boss, &agent).await;
        assert!(matches!(answer, Err(DirectoryError::Unavailable(_))), "{answer:?}");
    }
    assert_eq!(directory.is_granted(&boss, &agent).await, Ok(false));
}

#[tokio::test]
async fn a_record_that_does_not_tell_of_the_two_is_never_a_yes() {
    let others = [r#"{"delegator":"u-0","agent":"u-9"}"#, r#"{"delegator":"u-9","agent":"u-1"}"#];
    for (n, body) in ["nonsense", "{}", "", others[0], others[1]].into_iter().enumerate() {
        let store = store();
        let directory = with_users(2, store.clone());
        let (boss, agent) = (id("u-0"), id("u-1"));
        spoil(&*store, u8::try_from(n).unwrap(), body).await;
        let unavailable = |error: DirectoryError| matches!(error, DirectoryError::Unavailable(_));
        assert!(directory.is_granted(&boss, &agent).await.is_err_and(unavailable), "{body}");
        assert!(directory.add_grant(&boss, &agent).await.is_err_and(unavailable), "{body}");
        assert!(directory.agents_of(&boss).await.is_err_and(unavailable), "{body}");
        assert!(directory.delegators_of(&agent).await.is_err_and(unavailable), "{body}");
        // To end a grant needs no proof of it, so that a spoilt record can be got rid of.
        assert_eq!(directory.remove_grant(&boss, &agent).await, Ok(Written::Changed), "{body}");
        assert_eq!(directory.is_granted(&boss, &agent).await, Ok(false), "{body}");
        assert_eq!(directory.agents_of(&boss).await, Ok(vec![]), "{body}");
    }
}

/// Makes the record of the grant of `u-0` to `u-1`, listed where it should be, with another body.
async fn spoil(store: &dyn Store, change: u8, body: &str) {
    let key = Key { kind: KIND, id: RecordId::natural(&["grant", "u-0", "u-1"]) };
    let row = |list, owner: &str| IndexRow { index: Index { list, owner: Sha256::digest(owner).into() }, sort: 0 };
    let indexes = vec![row(BY_DELEGATOR, "u-0"), row(BY_AGENT, "u-1")];
    let change = Change {
        puts: vec![Put { key, body: body.into(), live_until: None, drop_at: None, indexes }],
        ..Change::new(ChangeId([change; 16]), Timestamp::MAX)
    };
    let done = store.commit(&TenantName::default_tenant(), change).await.unwrap();
    assert_eq!(done, Committed::Done(vec![]));
}
