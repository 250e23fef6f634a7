//! Shared calls: who joins whom, and what becomes of the others when something goes wrong.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use behalf::{
    adapters::directory::{coalesced::Coalesced, timed::Timed},
    domain::{ids::UserRef, user::Status},
    metrics::Metrics,
    ports::directory::{Directory, DirectoryError, Written},
};
use tokio::task::JoinHandle;

use super::{by_id, by_login, id};
use crate::support::fake_directory::{Act, FakeDirectory, Op, user};

const BUDGET: Duration = Duration::from_secs(1);

type Asked = JoinHandle<Result<bool, DirectoryError>>;

struct Bench {
    fake: Arc<FakeDirectory>,
    shared: Arc<Coalesced>,
    /// `shared` with a time-out.
    directory: Arc<dyn Directory>,
}

impl Bench {
    /// Alice lets bob act for her.
    fn new() -> Self {
        Self::with(NonZeroUsize::new(32).unwrap())
    }

    fn with(max_concurrent: NonZeroUsize) -> Self {
        let fake = Arc::new(FakeDirectory::default());
        for name in ["alice", "carol", "dave"] {
            fake.put(user(name, &format!("{name}@example.test"), Status::Active));
        }
        fake.set_grant(&id("alice"), &id("bob"), true);
        let shared = Arc::new(Coalesced::new(Arc::clone(&fake) as _, max_concurrent));
        let metrics = Arc::new(Metrics::default());
        let timed = Timed { inner: Arc::clone(&shared) as _, budget: BUDGET, changes: BUDGET, metrics };
        Self { fake, shared, directory: Arc::new(timed) }
    }

    /// Asks in a task whether bob may act for alice, and returns when the question stands.
    async fn ask(&self) -> Asked {
        self.ask_of("alice").await
    }

    async fn ask_of(&self, delegator: &str) -> Asked {
        let (directory, delegator) = (Arc::clone(&self.directory), id(delegator));
        let asked = tokio::spawn(async move { directory.is_granted(&delegator, &id("bob")).await });
        settle().await;
        asked
    }

    fn calls(&self) -> usize {
        self.fake.calls(Op::Entry)
    }
}

/// Lets every task run until it waits: paused time moves only then.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

fn unavailable(answer: &Result<bool, DirectoryError>) -> bool {
    matches!(answer, Err(DirectoryError::Unavailable(_)))
}

#[tokio::test(start_paused = true)]
async fn who_comes_late_shares_the_waiting_call() {
    let bench = Bench::new();
    let (first_gate, second_gate) = (bench.fake.hang(Op::Entry), bench.fake.hang(Op::Entry));
    let first = bench.ask().await;
    let mut late = Vec::new();
    for _ in 0..50 {
        late.push(bench.ask().await);
    }
    assert_eq!(bench.calls(), 1, "one in flight, one waits");

    first_gate.notify_one();
    assert_eq!(first.await.unwrap(), Ok(true));
    bench.fake.called(Op::Entry, 2).await;
    settle().await;
    assert!(late.iter().all(|asked| !asked.is_finished()), "the answer in flight wasn't theirs");

    second_gate.notify_one();
    for asked in late {
        assert_eq!(asked.await.unwrap(), Ok(true));
    }
    assert_eq!(bench.calls(), 2);
    assert_eq!(bench.ask().await.await.unwrap(), Ok(true));
    assert_eq!(bench.calls(), 3, "nothing is kept");
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_was_acknowledged_is_seen() {
    let bench = Bench::new();
    let gate = bench.fake.hang(Op::Entry);
    let before = bench.ask().await;
    let removed = bench.directory.remove_grant(&id("alice"), &id("bob")).await;
    assert_eq!(removed, Ok(Written::Changed), "a change isn't held up by reads");
    let after = bench.ask().await;
    gate.notify_one();
    assert_eq!(before.await.unwrap(), Ok(true), "asked before the removal");
    assert_eq!(after.await.unwrap(), Ok(false));
}

#[tokio::test(start_paused = true)]
async fn different_questions_do_not_wait_for_each_other() {
    let bench = Bench::new();
    let _gate = bench.fake.hang(Op::Entry);
    let hanging = bench.ask().await;
    assert_eq!(bench.ask_of("carol").await.await.unwrap(), Ok(false));
    assert_eq!(bench.directory.is_granted(&id("carol"), &id("alice")).await, Ok(false));
    assert_eq!(bench.directory.agents_of(&id("dave")).await, Ok(Vec::new()));
    assert_eq!(bench.directory.delegators_of(&id("bob")).await, Ok(vec![id("alice")]));
    assert!(bench.directory.user(&by_login("alice@example.test")).await.unwrap().is_some(), "by another name");
    assert_eq!(bench.directory.user(&by_id("alice@example.test")).await, Ok(None), "an id is not a login");
    assert!(!hanging.is_finished());
}

#[tokio::test(start_paused = true)]
async fn all_that_is_asked_about_one_user_is_one_call() {
    let bench = Bench::new();
    let (first_gate, second_gate) = (bench.fake.hang(Op::Entry), bench.fake.hang(Op::Entry));
    let first = bench.ask().await;
    let (directory, alice) = (Arc::clone(&bench.directory), id("alice"));
    let others = tokio::spawn(async move {
        let (who, bob) = (by_id("alice"), id("bob"));
        tokio::join!(directory.delegator(&who, &bob), directory.user(&who), directory.agents_of(&alice))
    });
    settle().await;
    first_gate.notify_one();
    second_gate.notify_one();
    let (delegator, user, agents) = others.await.unwrap();
    assert!(delegator.unwrap().unwrap().lists_agent && user.unwrap().is_some());
    assert_eq!((first.await.unwrap(), agents), (Ok(true), Ok(vec![id("bob")])));
    assert_eq!(bench.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn changes_are_never_shared() {
    let bench = Bench::new();
    let (alice, carol) = (id("alice"), id("carol"));
    let add = || bench.directory.add_grant(&alice, &carol);
    let (a, b, c) = tokio::join!(add(), add(), add());
    assert_eq!(bench.fake.calls(Op::AddGrant), 3);
    let changed = [a, b, c].into_iter().filter(|w| *w == Ok(Written::Changed)).count();
    assert_eq!(changed, 1);
}

/// No connector looks at it.
#[tokio::test(start_paused = true)]
async fn who_names_himself_is_refused_and_the_directory_not_asked() {
    let bench = Bench::new();
    let added = bench.directory.add_grant(&id("alice"), &id("alice")).await;
    assert!(matches!(added, Err(DirectoryError::Rejected(_))), "{added:?}");
    assert_eq!(bench.fake.calls(Op::AddGrant), 0);
    // What is there all the same can be removed.
    bench.fake.set_grant(&id("alice"), &id("alice"), true);
    assert_eq!(bench.directory.remove_grant(&id("alice"), &id("alice")).await, Ok(Written::Changed));
}

#[tokio::test(start_paused = true)]
async fn a_hang_is_left_at_the_time_out_and_the_next_call_is_sent() {
    let bench = Bench::new();
    let _gate = bench.fake.hang(Op::Entry);
    let first = bench.ask().await;
    tokio::time::sleep(BUDGET / 2).await;
    let late = bench.ask().await;
    let answer = first.await.unwrap();
    assert_eq!(answer, Err(DirectoryError::Unavailable("no answer within 1s".into())));
    assert_eq!(late.await.unwrap(), Ok(true), "he had time left");
    assert_eq!((bench.calls(), bench.fake.dropped(Op::Entry)), (2, 1), "nobody waited for the first any more");
}

#[tokio::test(start_paused = true)]
async fn the_first_who_asked_may_give_up() {
    let bench = Bench::new();
    let (_first_gate, second_gate) = (bench.fake.hang(Op::Entry), bench.fake.hang(Op::Entry));
    let first = bench.ask().await;
    let (leader, follower) = (bench.ask().await, bench.ask().await);
    first.abort();
    bench.fake.called(Op::Entry, 2).await;
    assert_eq!(bench.fake.dropped(Op::Entry), 1, "the call of the one who gave up alone");

    leader.abort();
    settle().await;
    assert_eq!(bench.fake.dropped(Op::Entry), 1, "the follower still waits for the second");
    second_gate.notify_one();
    assert_eq!(follower.await.unwrap(), Ok(true));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_waits_for_is_not_sent() {
    let bench = Bench::new();
    let gate = bench.fake.hang(Op::Entry);
    let first = bench.ask().await;
    bench.ask().await.abort();
    gate.notify_one();
    assert_eq!(first.await.unwrap(), Ok(true));
    settle().await;
    assert_eq!(bench.calls(), 1);
    assert_eq!(bench.ask().await.await.unwrap(), Ok(true), "the slot is free");
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_unavailable_for_all_who_wait() {
    let bench = Bench::new();
    let gate = bench.fake.hang(Op::Entry);
    bench.fake.next(Op::Entry, Act::Panic);
    let first = bench.ask().await;
    let (second, third) = (bench.ask().await, bench.ask().await);
    gate.notify_one();
    assert_eq!(first.await.unwrap(), Ok(true));
    assert!(unavailable(&second.await.unwrap()) && unavailable(&third.await.unwrap()));
    assert_eq!(bench.calls(), 2);
    assert_eq!(bench.ask().await.await.unwrap(), Ok(true), "the slot is free");
    for (op, add) in [(Op::AddGrant, true), (Op::RemoveGrant, false)] {
        bench.fake.next(op, Act::Panic);
        let (alice, bob) = (id("alice"), id("bob"));
        let change = if add {
            bench.directory.add_grant(&alice, &bob).await
        } else {
            bench.directory.remove_grant(&alice, &bob).await
        };
        assert!(matches!(change, Err(DirectoryError::Unavailable(_))), "{change:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_is_shared_and_not_kept() {
    let bench = Bench::new();
    let gate = bench.fake.hang(Op::Entry);
    bench.fake.next(Op::Entry, Act::Fail(DirectoryError::Throttled { until: None }));
    let first = bench.ask().await;
    let (second, third) = (bench.ask().await, bench.ask().await);
    gate.notify_one();
    assert_eq!(first.await.unwrap(), Ok(true));
    assert_eq!(second.await.unwrap(), Err(DirectoryError::Throttled { until: None }));
    assert_eq!(third.await.unwrap(), Err(DirectoryError::Throttled { until: None }));
    assert_eq!(bench.ask().await.await.unwrap(), Ok(true));
}

#[tokio::test(start_paused = true)]
async fn calls_in_all_are_bounded() {
    let bench = Bench::with(NonZeroUsize::new(2).unwrap());
    let (gate, _never) = (bench.fake.hang(Op::Entry), bench.fake.hang(Op::Entry));
    let (first, _second) = (bench.ask_of("carol").await, bench.ask_of("dave").await);
    let read = bench.ask().await;
    let directory = Arc::clone(&bench.directory);
    let write = tokio::spawn(async move { directory.add_grant(&id("alice"), &id("carol")).await });
    settle().await;
    assert_eq!((bench.calls(), bench.fake.calls(Op::AddGrant)), (2, 1), "changes have places of their own");
    gate.notify_one();
    assert_eq!(first.await.unwrap(), Ok(false));
    assert_eq!(read.await.unwrap(), Ok(true));
    assert_eq!(write.await.unwrap(), Ok(Written::Changed));
}

#[tokio::test(start_paused = true)]
async fn who_gets_no_place_in_time_is_told_and_his_call_is_not_sent() {
    let bench = Bench::with(NonZeroUsize::MIN);
    let gate = bench.fake.hang(Op::DelegatorsOf);
    // Without a time-out of its own, so that it outlasts the others.
    let shared = Arc::clone(&bench.shared);
    let hanging = tokio::spawn(async move { shared.delegators_of(&id("bob")).await });
    bench.fake.called(Op::DelegatorsOf, 1).await;
    assert!(unavailable(&bench.directory.is_granted(&id("alice"), &id("bob")).await));
    gate.notify_one();
    assert_eq!(hanging.await.unwrap(), Ok(vec![id("alice")]));
    settle().await;
    assert_eq!(bench.calls(), 0);
    assert_eq!(bench.ask().await.await.unwrap(), Ok(true));
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_place_may_still_be_joined() {
    let bench = Bench::with(NonZeroUsize::MIN);
    let gate = bench.fake.hang(Op::Entry);
    let other = bench.ask_of("carol").await;
    let early = bench.ask().await;
    bench.fake.set_grant(&id("alice"), &id("bob"), false);
    let late = bench.ask().await;
    gate.notify_one();
    assert_eq!(other.await.unwrap(), Ok(false));
    assert_eq!((early.await.unwrap(), late.await.unwrap()), (Ok(false), Ok(false)));
    assert_eq!(bench.calls(), 2, "one for both: it wasn't sent when the second came");
}

/// Everything that a hook asks, by `agents` agents of alice's, all at once. Gives how many calls it took.
async fn hooks_of(agents: usize, hooks: usize) -> usize {
    let bench = Bench::new();
    for n in 0..agents {
        bench.fake.put(user(&format!("agent-{n}"), &format!("agent-{n}@example.test"), Status::Active));
        bench.fake.set_grant(&id("alice"), &id(&format!("agent-{n}")), true);
    }
    bench.fake.take_time(Duration::from_millis(20));
    let hooks: Vec<_> = (0..hooks)
        .map(|n| {
            let (directory, agent) = (Arc::clone(&bench.directory), id(&format!("agent-{}", n % agents)));
            tokio::spawn(async move {
                let (alice, who) = (by_id("alice"), UserRef::Id(agent.clone()));
                let (delegator, user) = tokio::join!(directory.delegator(&alice, &agent), directory.user(&who));
                assert!(delegator.unwrap().unwrap().lists_agent && user.unwrap().is_some());
            })
        })
        .collect();
    for hook in hooks {
        hook.await.unwrap();
    }
    bench.calls()
}

#[tokio::test(start_paused = true)]
async fn a_thousand_hooks_of_one_agent_make_a_handful_of_calls() {
    assert!(hooks_of(1, 1000).await <= 4);
}

#[tokio::test(start_paused = true)]
async fn hooks_of_a_thousand_agents_read_the_delegator_once() {
    let calls = hooks_of(1000, 1000).await;
    // Once more for those who came when the first call was under way.
    assert!((1001..=1002).contains(&calls), "{calls}");
}

/// A request without an answer may still arrive, and be carried out.
#[tokio::test(start_paused = true)]
async fn a_grant_that_may_still_come_about_is_not_told_to_be_gone() {
    let bench = Bench::new();
    let (alice, carol) = (id("alice"), id("carol"));
    for fault in ["lost", "late"] {
        if fault == "lost" {
            bench.fake.next(Op::AddGrant, Act::Fail(DirectoryError::Unavailable("the reply is lost".into())));
            assert!(bench.directory.add_grant(&alice, &carol).await.is_err());
        } else {
            let _gate = bench.fake.hang(Op::AddGrant);
            assert!(bench.directory.add_grant(&alice, &carol).await.is_err());
            bench.fake.set_grant(&alice, &carol, false);
        }
        let removed = bench.directory.remove_grant(&alice, &carol).await;
        assert!(matches!(removed, Err(DirectoryError::Unavailable(_))), "{fault}: {removed:?}");
        tokio::time::advance(Duration::from_secs(31)).await;
        assert_eq!(bench.directory.remove_grant(&alice, &carol).await, Ok(Written::Already), "{fault}");
    }
    bench.fake.next(Op::AddGrant, Act::Fail(DirectoryError::Rejected("no".into())));
    assert!(bench.directory.add_grant(&alice, &carol).await.is_err());
    assert_eq!(bench.directory.remove_grant(&alice, &carol).await, Ok(Written::Already), "that one was refused");
}

/// Whoever keeps the places of changes busy keeps nobody from reading.
#[tokio::test(start_paused = true)]
async fn changes_do_not_keep_reads_waiting() {
    let bench = Bench::with(NonZeroUsize::MIN);
    let gate = bench.fake.hang(Op::AddGrant);
    let directory = Arc::clone(&bench.directory);
    let change = tokio::spawn(async move { directory.add_grant(&id("alice"), &id("carol")).await });
    bench.fake.called(Op::AddGrant, 1).await;
    assert_eq!(bench.ask().await.await.unwrap(), Ok(true));
    gate.notify_one();
    assert_eq!(change.await.unwrap(), Ok(Written::Changed));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_understood_is_no_answer_to_who_asks() {
    let bench = Bench::new();
    bench.fake.next(Op::Entry, Act::Fail(DirectoryError::Garbled("two logins".into())));
    assert!(unavailable(&bench.ask().await.await.unwrap()));
}
