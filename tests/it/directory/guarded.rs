//! Deadlines and the breaker, around a directory that fails in every way.

use std::{sync::Arc, time::Duration};

use behalf::{
    adapters::directory::{
        breaker::{FAILURES, FIRST, PROBES},
        entries::Entries,
        guarded::{Deadlines, Guard, Guarded},
    },
    domain::user::Status,
    metrics::Metrics,
    ports::directory::{DirectoryError, Written},
};
use futures_util::future::join_all;
use tokio::time::Instant;

use super::{by_id, id};
use crate::support::fake_directory::{Act, FakeDirectory, Op, user};

const READS: Duration = Duration::from_secs(1);

struct Bench {
    fake: Arc<FakeDirectory>,
    guard: Arc<Guard>,
    hooks: Guarded,
    others: Guarded,
    metrics: Arc<Metrics>,
}

impl Bench {
    fn new() -> Self {
        let fake = Arc::new(FakeDirectory::default());
        fake.put(user("alice", "alice@example.test", Status::Active));
        let metrics = Arc::new(Metrics::default());
        let guard = Arc::new(Guard::new("directory:default".to_owned(), Arc::clone(&metrics)));
        let deadlines = Deadlines { reads: READS, changes: READS * 4 };
        let lane = || Guarded::new(Arc::clone(&fake) as _, Arc::clone(&guard), deadlines);
        Self { hooks: lane(), others: lane(), fake, guard, metrics }
    }

    async fn read(&self) -> Result<bool, DirectoryError> {
        Ok(self.hooks.entry(&by_id("alice")).await?.is_some())
    }

    async fn fail(&self, times: u32) {
        for _ in 0..times {
            self.fake.next(Op::Entry, Act::Fail(DirectoryError::Unavailable("down".into())));
            assert!(self.read().await.is_err());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_directory_is_asked_no_more_and_refusals_take_no_time() {
    let bench = Bench::new();
    for n in 0..FAILURES {
        let (_gate, start) = (bench.fake.hang(Op::Entry), Instant::now());
        let answer = bench.read().await;
        assert_eq!(answer, Err(DirectoryError::Unavailable("no answer within 1s".into())));
        assert_eq!(start.elapsed(), READS);
        assert_eq!(bench.guard.is_open(), n + 1 == FAILURES);
    }
    let start = Instant::now();
    for _ in 0..100 {
        assert!(matches!(bench.read().await, Err(DirectoryError::Unavailable(_))));
        assert!(matches!(bench.others.add(&id("alice"), &id("bob")).await, Err(DirectoryError::Unavailable(_))));
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!((bench.fake.calls(Op::Entry), bench.fake.calls(Op::AddGrant)), (FAILURES as usize, 0));
    let metrics = bench.metrics.render();
    assert!(metrics.contains("behalf_dependency_up{name=\"directory:default\"} 0"));
    let late = r#"behalf_directory_call_seconds_count{operation="entry",result="timed_out"} 5"#;
    assert!(metrics.contains(late), "what wasn't asked isn't counted");
}

#[tokio::test(start_paused = true)]
async fn it_closes_by_itself_when_the_directory_is_back() {
    let bench = Bench::new();
    bench.fail(FAILURES).await;
    assert!(bench.guard.is_open());
    tokio::time::advance(FIRST).await;
    let gates: Vec<_> = (0..PROBES).map(|_| bench.fake.hang(Op::Entry)).collect();
    let asked = bench.fake.calls(Op::Entry);
    let probes = join_all((0..PROBES).map(|_| bench.read()));
    let (probes, refused) = tokio::join!(probes, async {
        bench.fake.called(Op::Entry, asked + PROBES as usize).await;
        let refused = bench.read().await;
        for gate in &gates {
            gate.notify_one();
        }
        refused
    });
    assert!(probes.into_iter().all(|probe| probe == Ok(true)), "a decision's calls are let through to see");
    assert!(refused.is_err(), "the others are not, until it is known");
    assert!(bench.read().await.unwrap() && !bench.guard.is_open());
    assert!(bench.metrics.render().contains("behalf_dependency_up{name=\"directory:default\"} 1"));
}

#[tokio::test(start_paused = true)]
async fn what_the_directory_says_is_an_answer_whatever_it_is() {
    let bench = Bench::new();
    let odd = DirectoryError::Garbled("a user with two logins".into());
    for error in [odd, DirectoryError::Rejected("no".into()), DirectoryError::Throttled { until: None }] {
        for _ in 0..=FAILURES {
            bench.fake.next(Op::Entry, Act::Fail(error.clone()));
            assert_eq!(bench.read().await, Err(error.clone()));
        }
    }
    assert!(!bench.guard.is_open() && bench.read().await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_change_has_a_longer_deadline_and_counts_too() {
    let bench = Bench::new();
    let (_gate, start) = (bench.fake.hang(Op::AddGrant), Instant::now());
    let late = bench.others.add(&id("alice"), &id("bob")).await;
    assert_eq!(late, Err(DirectoryError::Unavailable("no answer within 4s".into())));
    assert_eq!(start.elapsed(), READS * 4);
    bench.fail(FAILURES - 2).await;
    assert_eq!(bench.others.remove(&id("alice"), &id("bob")).await, Ok(Written::Changed), "it was made all the same");
    bench.fail(FAILURES - 1).await;
    assert!(!bench.guard.is_open(), "an answer in between");
    bench.fail(1).await;
    assert!(bench.guard.is_open());
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_gives_up_leaves_the_next_look_to_another() {
    let bench = Bench::new();
    bench.fail(FAILURES).await;
    tokio::time::advance(FIRST).await;
    let _gate = bench.fake.hang(Op::Entry);
    let given_up = tokio::time::timeout(READS / 10, bench.read()).await;
    assert!(given_up.is_err());
    assert!(bench.read().await.unwrap());
    assert!(!bench.guard.is_open());
}
