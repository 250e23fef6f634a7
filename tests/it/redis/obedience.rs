//! What one process was told, the other obeys at once.

use futures_util::future::join_all;
use reqwest::{Method, StatusCode};

use super::pair::{Shared, all_events, begin, call, settle};
use crate::durability::{
    rig::{Caller, Told},
    setting,
};

const BOB: usize = 1;
const LOCK: &str = "/v1/locks/00ubob";
const GRANT: &str = "/v1/grants/00uann0";

fn rounds() -> usize {
    usize::try_from(setting("BEHALF_TEST_ROUNDS").unwrap_or(5)).unwrap()
}

/// Ann's hook for this id.
async fn fire(caller: &Caller, event: &str, id: &str) -> Told {
    settle(caller, &caller.hook(0, event, Some(id))).await
}

fn refused(told: &Told, public: &str) -> bool {
    matches!(told, Told::Refused(why) if why.ends_with(&format!("({public})")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn initiations_at_two_processes_stay_below_the_cap() {
    const CAP: usize = 10;
    let shared = Shared::new(1, &[("BEHALF_MAX_PENDING", "10")]).await;
    let pair = shared.pair().await;
    let callers = shared.callers(&pair);
    let callers = &callers;
    let volley = async || join_all((0..16).map(|nth| callers[nth % 2].begin(0))).await;
    let (mut ids, mut begun, mut volleys) = (Vec::new(), 0, 0);
    for round in 0..=rounds() {
        // Until nobody is let in; those who only ran into each other are told to try again.
        loop {
            let told: Vec<_> = volley().await.into_iter().map(|told| told.expect("an answer")).collect();
            volleys += 1;
            let before = ids.len();
            ids.extend(told.iter().filter_map(|told| told.clone().ok()));
            begun += ids.len() - before;
            assert!(ids.len() <= CAP, "round {round}: {} are pending", ids.len());
            let full = told.iter().all(|told| *told == Err(StatusCode::TOO_MANY_REQUESTS));
            assert!(ids.len() < CAP || told.iter().all(|t| t.is_ok() || is_turned_away(t)), "{told:?}");
            if full {
                break;
            }
        }
        assert_eq!(ids.len(), CAP, "round {round}");
        // Room for some.
        for (nth, id) in ids.drain(..=round % CAP).enumerate() {
            let told = fire(&callers[nth % 2], &format!("event-{round}-{nth}"), &id).await;
            assert!(matches!(told, Told::Granted(_)), "{told:?}");
        }
    }
    // In the order of the commits it was never exceeded either.
    let (mut pending, mut most) = (0, 0);
    for (_, event) in all_events(&shared.store(), Vec::new()).await {
        match event.code.as_str() {
            "DA1100" => pending += 1,
            "DA1000" => pending -= 1,
            _ => {}
        }
        most = most.max(pending);
    }
    assert_eq!((most, pending), (CAP, ids.len()));
    println!(
        "two processes, cap {CAP}: {volleys} volleys of 16 initiations, {begun} begun, never more than {most} pending"
    );
}

fn is_turned_away(told: &Result<String, StatusCode>) -> bool {
    matches!(told, Err(StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_at_one_process_is_obeyed_by_the_next_hook_at_the_other() {
    const IN_FLIGHT: usize = 8;
    let shared = Shared::new(1, &[]).await;
    let pair = shared.pair().await;
    let callers = shared.callers(&pair);
    let rounds = rounds().max(20);
    let mut overtaken = 0;
    for round in 0..rounds {
        let (here, there) = (&callers[round % 2], &callers[(round + 1) % 2]);
        let mut ids = Vec::new();
        for _ in 0..=IN_FLIGHT {
            ids.push(begin(there, 0).await);
        }
        let next = ids.pop().unwrap();
        let in_flight = ids.iter().enumerate().map(|(nth, id)| {
            let event = format!("in-flight-{round}-{nth}");
            async move { fire(there, &event, id).await }
        });
        let (told, ()) = tokio::join!(join_all(in_flight), call(here, Method::POST, "/v1/locks", BOB, 201));
        let after = fire(there, &format!("next-{round}"), &next).await;
        assert!(refused(&after, "locked"), "round {round}: {after:?}");
        call(here, Method::DELETE, LOCK, BOB, 204).await;
        // A refusal uses nothing up.
        let mut waiting = vec![next];
        for (id, told) in ids.into_iter().zip(told) {
            match told {
                Told::Granted(_) => {}
                told if refused(&told, "locked") => waiting.push(id),
                other => panic!("round {round}: {other:?}"),
            }
        }
        overtaken += waiting.len() - 1;
        for (nth, id) in waiting.iter().enumerate() {
            let told = fire(there, &format!("lifted-{round}-{nth}"), id).await;
            assert!(matches!(told, Told::Granted(_)), "round {round}: {told:?}");
        }
    }
    let (mut locked, mut places) = (false, 0);
    for (seq, event) in all_events(&shared.store(), Vec::new()).await {
        match event.code.as_str() {
            "DA6200" => (locked, places) = (true, places + 1),
            "DA6201" => locked = false,
            "DA1000" => assert!(!locked, "event {}: granted while the lock stood", seq.0),
            _ => {}
        }
    }
    assert_eq!(places, rounds);
    println!(
        "two processes: {rounds} locks, each obeyed by the next hook at the other; of {} hooks under way {overtaken} were \
         overtaken by the lock; none was granted while it stood",
        rounds * IN_FLIGHT
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_removed_at_one_process_is_gone_for_the_next_hook_at_the_other() {
    let shared = Shared::new(1, &[]).await;
    let pair = shared.pair().await;
    let callers = shared.callers(&pair);
    let rounds = rounds().max(20);
    for round in 0..rounds {
        let (here, there) = (&callers[round % 2], &callers[(round + 1) % 2]);
        let id = begin(there, 0).await;
        call(here, Method::DELETE, GRANT, BOB, 204).await;
        let told = fire(there, &format!("removed-{round}"), &id).await;
        assert!(refused(&told, "not-delegated"), "round {round}: {told:?}");
        shared.world.grant_all(here).await;
        let told = fire(there, &format!("granted-{round}"), &id).await;
        assert!(matches!(told, Told::Granted(_)), "round {round}: {told:?}");
    }
    println!("two processes: {rounds} grants removed, each gone for the next hook at the other");
}
