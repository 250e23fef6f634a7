//! What people are shown, kept for half a minute.

use std::sync::Arc;

use behalf::{
    adapters::directory::shown::{Cached, Kept},
    domain::{ids::TenantName, user::Status},
    metrics::Metrics,
    ports::{
        clock::{Clock, ManualClock},
        directory::{Directory as _, DirectoryError},
        shown::{ShownAgent, ShownGrants as _},
    },
};
use futures_util::future::join_all;
use jiff::SignedDuration;

use super::id;
use crate::support::fake_directory::{Act, FakeDirectory, Op, user};

struct Rig {
    clock: Arc<ManualClock>,
    metrics: Metrics,
    kept: Arc<Kept>,
}

impl Rig {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at("2026-11-20T12:00:00Z".parse().unwrap()));
        let (as_clock, metrics) = (Arc::clone(&clock) as Arc<dyn Clock>, Metrics::default());
        Self { clock, kept: Arc::new(Kept::new(&as_clock, &metrics)), metrics }
    }

    fn tenant(&self, name: &str, fake: &Arc<FakeDirectory>) -> Cached {
        Cached::new(TenantName::parse(name).unwrap(), Arc::clone(fake) as _, Arc::clone(&self.kept))
    }

    fn counted(&self, sample: &str) -> u64 {
        let text = self.metrics.render();
        let found = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        found.unwrap_or_else(|| panic!("{sample} is not in {text}")).parse().unwrap()
    }
}

/// Bob lists Ann.
fn directory() -> Arc<FakeDirectory> {
    let fake = FakeDirectory::default();
    for name in ["ann", "bob", "eve"] {
        fake.put(user(name, &format!("{name}@example.test"), Status::Active));
    }
    fake.set_grant(&id("bob"), &id("ann"), true);
    Arc::new(fake)
}

async fn agents(shown: &Cached, delegator: &str) -> Result<Vec<String>, DirectoryError> {
    let text = |agent: &ShownAgent| match agent {
        ShownAgent::Known(user) => user.login.to_string(),
        ShownAgent::Gone(id) => format!("{id}, deleted"),
    };
    Ok(shown.agents(&id(delegator)).await?.iter().map(text).collect())
}

async fn delegators(shown: &Cached, agent: &str) -> Vec<String> {
    shown.delegators(&id(agent)).await.unwrap().iter().map(|user| user.id.to_string()).collect()
}

const ALL: [Op; 4] = [Op::User, Op::IsGranted, Op::AgentsOf, Op::DelegatorsOf];

#[tokio::test]
async fn lists_are_asked_for_once_in_half_a_minute_of_our_clock() {
    let (rig, fake) = (Rig::new(), directory());
    let shown = rig.tenant("one", &fake);
    for _ in 0..3 {
        assert_eq!(agents(&shown, "bob").await.unwrap(), ["ann@example.test"]);
        assert_eq!(delegators(&shown, "ann").await, ["bob"]);
    }
    assert_eq!(ALL.map(|op| fake.calls(op)), [2, 1, 1, 1]);
    assert_eq!(rig.counted("behalf_cache_lookups_total{cache=\"lists\",result=\"hit\"}"), 4);
    assert_eq!(rig.counted("behalf_cache_lookups_total{cache=\"lists\",result=\"miss\"}"), 2);
    assert_eq!(rig.counted("behalf_cache_lookups_total{cache=\"names\",result=\"hit\"}"), 4);
    assert_eq!(rig.counted("behalf_cache_lookups_total{cache=\"names\",result=\"miss\"}"), 2);

    fake.set_grant(&id("bob"), &id("eve"), true);
    rig.clock.advance(SignedDuration::from_millis(29_999));
    assert_eq!(agents(&shown, "bob").await.unwrap(), ["ann@example.test"], "others' changes wait");
    rig.clock.advance(SignedDuration::from_millis(1));
    assert_eq!(agents(&shown, "bob").await.unwrap(), ["ann@example.test", "eve@example.test"]);
}

#[tokio::test]
async fn a_change_that_is_told_of_is_seen_at_once_on_both_sides() {
    let (rig, fake) = (Rig::new(), directory());
    let shown = rig.tenant("one", &fake);
    assert_eq!(agents(&shown, "bob").await.unwrap().len(), 1);
    assert_eq!(delegators(&shown, "ann").await, ["bob"]);
    fake.remove_grant(&id("bob"), &id("ann")).await.unwrap();
    shown.forget(&id("bob"), &id("ann"));
    assert_eq!(agents(&shown, "bob").await.unwrap(), Vec::<String>::new());
    assert_eq!(delegators(&shown, "ann").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_list_that_was_asked_for_before_a_change_is_not_kept() {
    let (rig, fake) = (Rig::new(), directory());
    let shown = rig.tenant("one", &fake);
    let gate = fake.hang(Op::AgentsOf);
    let change = async {
        fake.called(Op::AgentsOf, 1).await;
        fake.remove_grant(&id("bob"), &id("ann")).await.unwrap();
        shown.forget(&id("bob"), &id("ann"));
        assert_eq!(agents(&shown, "bob").await.unwrap(), Vec::<String>::new());
        gate.notify_one();
    };
    let (old, ()) = tokio::join!(agents(&shown, "bob"), change);
    assert_eq!(old.unwrap(), ["ann@example.test"]);
    assert_eq!(agents(&shown, "bob").await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn tenants_never_share() {
    let (rig, here, there) = (Rig::new(), directory(), directory());
    there.set_grant(&id("bob"), &id("eve"), true);
    there.put(user("ann", "ann@elsewhere.test", Status::Active));
    let (one, two) = (rig.tenant("one", &here), rig.tenant("two", &there));
    for _ in 0..2 {
        assert_eq!(agents(&one, "bob").await.unwrap(), ["ann@example.test"]);
        assert_eq!(agents(&two, "bob").await.unwrap(), ["ann@elsewhere.test", "eve@example.test"]);
    }
    two.forget(&id("bob"), &id("ann"));
    assert_eq!(agents(&one, "bob").await.unwrap(), ["ann@example.test"]);
    assert_eq!((here.calls(Op::AgentsOf), there.calls(Op::AgentsOf)), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_callers_at_once_are_one_question() {
    let (rig, fake) = (Rig::new(), directory());
    let shown = Arc::new(rig.tenant("one", &fake));
    let gate = fake.hang(Op::AgentsOf);
    let calls: Vec<_> = (0..1000)
        .map(|_| {
            let shown = Arc::clone(&shown);
            tokio::spawn(async move { agents(&shown, "bob").await })
        })
        .collect();
    fake.called(Op::AgentsOf, 1).await;
    gate.notify_one();
    for found in join_all(calls).await {
        assert_eq!(found.unwrap().unwrap(), ["ann@example.test"]);
    }
    assert_eq!((fake.calls(Op::AgentsOf), fake.calls(Op::User)), (1, 1));
}

#[tokio::test]
async fn errors_are_told_and_not_kept() {
    let (rig, fake) = (Rig::new(), directory());
    let shown = rig.tenant("one", &fake);
    for op in [Op::AgentsOf, Op::User] {
        let down = DirectoryError::Unavailable("the test says so".to_owned());
        fake.next(op, Act::Fail(down.clone()));
        assert_eq!(agents(&shown, "bob").await, Err(down));
    }
    assert_eq!(agents(&shown, "bob").await.unwrap(), ["ann@example.test"]);
}

#[tokio::test]
async fn a_deleted_agent_is_shown_as_such_and_a_loose_directory_is_not_believed() {
    let (rig, fake) = (Rig::new(), directory());
    let shown = rig.tenant("one", &fake);
    fake.set_grant(&id("bob"), &id("gone"), true);
    fake.set_grant(&id("bob"), &id("EVE"), true);
    fake.answer_for("EVE", user("eve", "eve@example.test", Status::Active));
    assert_eq!(agents(&shown, "bob").await.unwrap(), ["EVE, deleted", "ann@example.test", "gone, deleted"]);
    // He is there again, and is made an agent once more.
    fake.put(user("gone", "back@example.test", Status::Active));
    shown.forget(&id("bob"), &id("gone"));
    assert_eq!(agents(&shown, "bob").await.unwrap(), ["EVE, deleted", "ann@example.test", "back@example.test"]);
}
