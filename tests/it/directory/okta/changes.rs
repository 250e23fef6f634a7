//! Changes of grants against others who change the same user.

use std::sync::Arc;

use behalf::{
    adapters::directory::entries::MOST_AGENTS,
    ports::directory::{DirectoryError, Written},
};
use futures_util::future::join_all;
use serde_json::json;

use super::{Rig, id};
use crate::support::fake_okta::{Endpoint, Fault};

/// A connector whose first change is behind it, so that it knows what the organisation's ETags are worth.
async fn experienced(rig: &Rig) -> Arc<dyn behalf::adapters::directory::entries::Entries> {
    let okta = rig.entries();
    assert_eq!(okta.add(&id("00ubob"), &id("00ufirst")).await, Ok(Written::Changed));
    okta
}

#[tokio::test]
async fn etags_are_tried_once_and_then_relied_on() {
    let rig = Rig::start();
    let okta = experienced(&rig).await;
    // The change, and one that had to be refused.
    assert_eq!(rig.okta.calls(Endpoint::UpdateUser), 2);
    assert_eq!(okta.add(&id("00ubob"), &id("00uann")).await, Ok(Written::Changed));
    assert_eq!(okta.add(&id("00ubob"), &id("00uann")).await, Ok(Written::Already));
    assert_eq!(okta.remove(&id("00ubob"), &id("00ufirst")).await, Ok(Written::Changed));
    assert_eq!(okta.remove(&id("00ubob"), &id("00ufirst")).await, Ok(Written::Already));
    assert_eq!(rig.okta.calls(Endpoint::UpdateUser), 4);
    assert_eq!(rig.okta.agents("00ubob"), ["00uann"]);
}

#[tokio::test]
async fn somebody_quicker_loses_nothing_and_costs_another_try() {
    let rig = Rig::start();
    let okta = experienced(&rig).await;
    let before = rig.okta.calls(Endpoint::UpdateUser);
    rig.okta.fail_next(Endpoint::UpdateUser, vec![Fault::Error(412, "E0000231"); 3]);
    assert_eq!(okta.add(&id("00ubob"), &id("00uann")).await, Ok(Written::Changed));
    assert_eq!(rig.okta.calls(Endpoint::UpdateUser) - before, 4);
    for busy in ["E0000112", "E0000253"] {
        rig.okta.fail_next(Endpoint::UpdateUser, [Fault::Error(409, busy)]);
        assert_eq!(okta.remove(&id("00ubob"), &id("00uann")).await, Ok(Written::Changed), "{busy}");
        okta.add(&id("00ubob"), &id("00uann")).await.unwrap();
    }
    assert_eq!(rig.okta.agents("00ubob"), ["00ufirst", "00uann"]);
}

#[tokio::test]
async fn after_eight_tries_it_gives_up_and_says_that_others_are_busy() {
    let rig = Rig::start();
    let okta = experienced(&rig).await;
    let before = rig.okta.calls(Endpoint::UpdateUser);
    rig.okta.set(|state| state.always.insert(Endpoint::UpdateUser, Fault::Error(412, "E0000231")));
    let said = okta.add(&id("00ubob"), &id("00uann")).await;
    assert_eq!(said, Err(DirectoryError::Throttled { until: None }));
    assert_eq!(rig.okta.calls(Endpoint::UpdateUser) - before, 8);
}

#[tokio::test]
async fn a_short_pause_for_others_is_waited_for_and_a_long_one_is_told() {
    let rig = Rig::start();
    let okta = experienced(&rig).await;
    rig.okta.fail_next(Endpoint::UpdateUser, [Fault::Error(429, "E0000047")]);
    let said = okta.add(&id("00ubob"), &id("00uann")).await;
    assert!(matches!(said, Err(DirectoryError::Throttled { until: Some(_) })), "{said:?}");
}

#[tokio::test]
async fn an_answer_that_was_lost_is_unknown_and_the_next_try_finds_out() {
    let rig = Rig::start();
    let okta = experienced(&rig).await;
    rig.okta.fail_next(Endpoint::UpdateUser, [Fault::After]);
    let said = okta.add(&id("00ubob"), &id("00uann")).await;
    assert!(matches!(said, Err(DirectoryError::Unavailable(_))), "{said:?}");
    assert_eq!(okta.add(&id("00ubob"), &id("00uann")).await, Ok(Written::Already));
}

#[tokio::test]
async fn an_administrator_who_overwrites_us_right_after_is_not_overwritten() {
    let rig = Rig::start();
    let okta = experienced(&rig).await;
    let changes = rig.okta.calls(Endpoint::UpdateUser);
    let reads = rig.okta.calls(Endpoint::ReadUser);
    // The read that verifies is held back until the administrator has made his change.
    rig.okta.fail_next(
        Endpoint::ReadUser,
        [Fault::Latency(std::time::Duration::ZERO), Fault::Latency(std::time::Duration::from_millis(300))],
    );
    let (bob, ann) = (id("00ubob"), id("00uann"));
    let administrator = async {
        crate::support::process::until("the read that verifies", async || {
            (rig.okta.calls(Endpoint::ReadUser) == reads + 2).then_some(())
        })
        .await;
        rig.okta.set_agents("00ubob", &[]);
    };
    let (said, ()) = tokio::join!(okta.add(&bob, &ann), administrator);
    assert!(matches!(said, Err(DirectoryError::Rejected(_))), "it isn't so: {said:?}");
    assert_eq!(rig.okta.agents("00ubob"), Vec::<String>::new(), "what he did stands");
    assert_eq!(rig.okta.calls(Endpoint::UpdateUser) - changes, 2, "the change, and the look at what the ETag is worth");
}

#[tokio::test]
async fn without_etags_two_processes_keep_apart_by_a_lease() {
    for ignored in [false, true] {
        let rig = Rig::start();
        rig.okta.set(|state| (state.etags, state.if_match) = (ignored, false));
        let processes = [rig.entries(), rig.entries()];
        let add = |n: usize| {
            let okta = Arc::clone(&processes[n % 2]);
            async move { okta.add(&id("00ubob"), &id(&format!("00uagent{n}"))).await }
        };
        let said = join_all((0..20).map(add)).await;
        assert!(said.iter().all(|said| *said == Ok(Written::Changed)), "{said:?}");
        assert_eq!(rig.okta.agents("00ubob").len(), 20, "ignored: {ignored}");
    }
}

#[tokio::test]
async fn what_else_the_user_has_stays_as_it_is() {
    let rig = Rig::start();
    rig.okta.edit("00ubob", |account| {
        account.profile.insert("costCenter".to_owned(), json!("4711"));
    });
    let before = rig.okta.set(|state| state.users["00ubob"].clone());
    experienced(&rig).await;
    let after = rig.okta.set(|state| state.users["00ubob"].clone());
    let mut profile = after.profile.clone();
    profile.remove("delegatedAgents");
    assert_eq!((profile, after.provider, after.kind), (before.profile, before.provider, before.kind));
}

#[tokio::test]
async fn what_cannot_be_is_refused() {
    let rig = Rig::start();
    let okta = rig.entries();
    let many: Vec<String> = (0..MOST_AGENTS).map(|n| format!("00u{n}")).collect();
    rig.okta.set_agents("00ubob", &many.iter().map(String::as_str).collect::<Vec<_>>());
    for (delegator, agent) in
        [("00ubob", "00uann"), ("00ubob", "00ubob"), ("00unobody", "00uann"), ("me", "00uann"), ("00uann", "a/b")]
    {
        let said = okta.add(&id(delegator), &id(agent)).await;
        assert!(matches!(said, Err(DirectoryError::Rejected(_))), "{delegator} {agent}: {said:?}");
    }
    for (delegator, agent) in [("00unobody", "00uann"), ("me", "00uann"), ("00uann", "a/b")] {
        assert_eq!(okta.remove(&id(delegator), &id(agent)).await, Ok(Written::Already), "{delegator} {agent}");
    }
    rig.okta.set(|state| state.read_only = true);
    let said = okta.add(&id("00uann"), &id("00ubob")).await;
    assert!(matches!(&said, Err(DirectoryError::Rejected(text)) if text.contains("E0000006")), "{said:?}");
    assert_eq!(rig.okta.violations(), Vec::<String>::new());
}

/// What is acknowledged is told as made, though the look at it afterwards fails.
#[tokio::test]
async fn a_change_that_cannot_be_looked_at_is_made_all_the_same() {
    let rig = Rig::start();
    let okta = experienced(&rig).await;
    rig.okta.fail_next(Endpoint::ReadUser, [Fault::Latency(std::time::Duration::ZERO), Fault::Status(500)]);
    assert_eq!(okta.add(&id("00ubob"), &id("00uann")).await, Ok(Written::Changed));
    // Nor does the first change depend on finding out what ETags are worth.
    let other = rig.entries();
    rig.okta.fail_next(Endpoint::UpdateUser, [Fault::Latency(std::time::Duration::ZERO), Fault::Status(500)]);
    assert_eq!(other.remove(&id("00ubob"), &id("00uann")).await, Ok(Written::Changed));
    assert_eq!(rig.okta.agents("00ubob"), ["00ufirst"]);
}
