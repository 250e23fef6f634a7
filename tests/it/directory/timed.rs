//! A caller's time-out.

use std::{sync::Arc, time::Duration};

use behalf::{
    adapters::directory::timed::Timed,
    domain::user::Status,
    metrics::Metrics,
    ports::directory::{Directory, DirectoryError, Written},
};

use super::{by_id, id};
use crate::support::fake_directory::{Act, FakeDirectory, Op, user};

fn timed(fake: &Arc<FakeDirectory>) -> Timed {
    let inner: Arc<dyn Directory> = Arc::clone(fake) as _;
    Timed {
        inner,
        budget: Duration::from_millis(1200),
        changes: Duration::from_secs(3),
        metrics: Arc::new(Metrics::default()),
    }
}

#[tokio::test(start_paused = true)]
async fn no_answer_in_time_is_unavailable() {
    let fake = Arc::new(FakeDirectory::default());
    let directory = timed(&fake);
    let start = tokio::time::Instant::now();
    for op in [Op::User, Op::IsGranted, Op::AgentsOf, Op::DelegatorsOf, Op::AddGrant, Op::RemoveGrant] {
        fake.hang(op);
    }
    let (alice, bob, who) = (id("alice"), id("bob"), by_id("alice"));
    let (user, granted, agents, delegators, added, removed) = tokio::join!(
        directory.user(&who),
        directory.is_granted(&alice, &bob),
        directory.agents_of(&alice),
        directory.delegators_of(&bob),
        directory.add_grant(&alice, &bob),
        directory.remove_grant(&alice, &bob),
    );
    let late = DirectoryError::Unavailable("no answer within 1.2s".into());
    assert_eq!(user, Err(late.clone()));
    assert_eq!(granted, Err(late.clone()));
    assert_eq!(agents, Err(late.clone()));
    assert_eq!(delegators, Err(late));
    let late = DirectoryError::Unavailable("no answer within 3s".into());
    assert_eq!(added, Err(late.clone()));
    assert_eq!(removed, Err(late));
    assert_eq!(start.elapsed().as_millis(), 3000);
}

#[tokio::test(start_paused = true)]
async fn answers_and_errors_pass_through() {
    let fake = Arc::new(FakeDirectory::default());
    let directory = timed(&fake);
    fake.put(user("alice", "alice@example.com", Status::Active));
    let (alice, bob) = (id("alice"), id("bob"));
    assert_eq!(directory.user(&by_id("alice")).await.unwrap().unwrap().login.as_str(), "alice@example.com");
    assert_eq!(directory.user(&by_id("bob")).await, Ok(None));
    assert_eq!(directory.add_grant(&alice, &bob).await, Ok(Written::Changed));
    assert_eq!(directory.is_granted(&alice, &bob).await, Ok(true));
    assert_eq!(directory.agents_of(&alice).await, Ok(vec![bob.clone()]));
    assert_eq!(directory.delegators_of(&bob).await, Ok(vec![alice.clone()]));
    assert_eq!(directory.remove_grant(&alice, &bob).await, Ok(Written::Changed));
    fake.next(Op::IsGranted, Act::Fail(DirectoryError::Throttled { until: None }));
    assert_eq!(directory.is_granted(&alice, &bob).await, Err(DirectoryError::Throttled { until: None }));
}
