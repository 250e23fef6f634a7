//! Runs that are interrupted, and the ones after them.

use std::time::Duration;

use tokio::time::Instant;

use super::*;
use crate::support::fake_okta_admin::Fault;

/// All of what a whole run makes, but for ids and numbers.
fn outline(okta: &FakeOktaAdmin) -> Vec<String> {
    okta.set(|state| {
        let names = |all: &[Value]| all.iter().map(|one| one["name"].to_string()).collect::<Vec<_>>();
        let policies = state.policies.iter().map(|one| format!("{} {:?}", one.raw["name"], names(&one.rules)));
        let lists = [names(&state.types), names(&state.hooks), names(&state.claims), names(&state.scopes)].concat();
        lists.into_iter().chain(policies).collect()
    })
}

#[tokio::test]
async fn a_run_that_stops_says_where_and_the_next_one_completes_it() {
    let whole = Rig::start();
    whole.set_up().await;
    for n in 0..8 {
        for fault in [Fault::Status(500), Fault::After, Fault::Drop, Fault::Garbage] {
            let rig = Rig::start();
            let garbage = matches!(fault, Fault::Garbage);
            rig.okta.fail_write(n, fault.clone());
            let stopped = rig.run(&[]).await;
            assert_eq!(stopped.code, Some(1), "{n} {fault:?}: {stopped:?}");
            assert_eq!(lines(&stopped, "FAILED: ").len(), 1, "{n} {fault:?}: {}", stopped.out);
            assert!(stopped.out.contains(&format!("made: {n} of 8 changes")), "{n} {fault:?}: {}", stopped.out);
            assert_eq!(lines(&stopped, "not made: ").len(), 8 - n, "{n} {fault:?}: {}", stopped.out);
            let unclear = stopped.out.contains("may have been made");
            assert!(unclear, "{n} {fault:?}: {}", stopped.out);
            let done = rig.okta.writes().len();
            assert_eq!(done, if matches!(fault, Fault::After) { n + 1 } else { n }, "{n} {fault:?} {garbage}");
            let next = rig.set_up().await;
            assert!(
                next.out.contains(&format!("{} changes made", 8 - done)) || done == 8,
                "{n} {fault:?}: {}",
                next.out
            );
            assert_eq!(rig.okta.writes().len(), 8, "nothing is made twice");
            assert_eq!(outline(&rig.okta), outline(&whole.okta), "{n} {fault:?}");
        }
    }
}

#[tokio::test]
async fn a_refusal_stops_the_run_and_is_clear() {
    let rig = Rig::start();
    rig.okta.set(|state| state.clients.clear());
    let ended = rig.run(&[]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let failed = lines(&ended, "FAILED: ")[0];
    assert!(failed.contains("400: E0000001") && failed.contains("there is no client 0oaapp"), "{failed}");
    assert!(!ended.out.contains("may have been made"), "{}", ended.out);
    assert_eq!(rig.okta.writes().len(), 5);
}

#[tokio::test]
async fn throttling_is_waited_out_and_said() {
    let rig = Rig::start();
    rig.okta.fail_next([Fault::Throttled(1)]);
    rig.okta.fail_write(3, Fault::Throttled(0));
    let begun = Instant::now();
    let ended = rig.set_up().await;
    assert!(begun.elapsed() >= Duration::from_secs(3), "2 s and 1 s");
    assert_eq!(lines(&ended, "Okta limits our rate: waiting ").len(), 2, "{}", ended.out);
    assert_eq!(rig.okta.writes().len(), 8);
}

#[tokio::test]
async fn a_wait_that_is_too_long_ends_the_run() {
    let rig = Rig::start();
    rig.okta.fail_write(2, Fault::Throttled(3600));
    let ended = rig.run(&[]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(lines(&ended, "FAILED: ")[0].contains("asks to wait 3601 s"), "{}", ended.out);
    assert!(!ended.out.contains("may have been made"), "{}", ended.out);
    assert_eq!(rig.okta.writes().len(), 2);
    rig.set_up().await;
}

#[tokio::test]
async fn endless_throttling_ends_the_run() {
    let rig = Rig::start();
    rig.okta.fail_next(vec![Fault::Throttled(0); 4]);
    let ended = rig.run(&[]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert_eq!(lines(&ended, "Okta limits our rate").len(), 3, "{}", ended.out);
    assert!(ended.err.contains("asks to wait 1 s"), "{}", ended.err);
}
