//! Rate limits: known before they are hit, and never answered with more calls.

use behalf::{domain::ids::UserRef, ports::directory::DirectoryError};
use jiff::SignedDuration;

use super::{Rig, id};
use crate::support::fake_okta::{Budget, Endpoint, Fault};

fn bob() -> UserRef {
    UserRef::Id(id("00ubob"))
}

fn is_throttled<T: std::fmt::Debug>(answer: &Result<T, DirectoryError>) -> bool {
    matches!(answer, Err(DirectoryError::Throttled { until: Some(_) }))
}

#[tokio::test]
async fn others_leave_hooks_a_reserve() {
    let rig = Rig::start();
    rig.okta.set(|state| state.budgets.insert(Endpoint::ReadUser, Budget::of(20)));
    let lanes = rig.lanes();
    let mut asked = 0;
    while lanes.others.entry(&bob()).await.is_ok() {
        asked += 1;
    }
    // Three tenths of twenty are left, and Okta wasn't asked to find that out.
    assert_eq!((asked, rig.okta.calls(Endpoint::ReadUser)), (14, 14));
    for _ in 0..6 {
        assert!(lanes.hooks.entry(&bob()).await.is_ok());
    }
    assert!(is_throttled(&lanes.hooks.entry(&bob()).await));
    assert_eq!(rig.okta.calls(Endpoint::ReadUser), 20);
    // Other buckets are another matter.
    assert!(lanes.others.groups_of(&id("00ubob")).await.is_ok());
    rig.clock.advance(SignedDuration::from_secs(63));
    assert!(lanes.others.entry(&bob()).await.is_ok());
}

#[tokio::test]
async fn after_a_429_nothing_is_asked_until_the_minute_is_over() {
    let rig = Rig::start();
    let lanes = rig.lanes();
    let now = rig.clock().now();
    let spent = Budget::spent(600, now.as_second() + 30);
    rig.okta.set(|state| state.budgets.insert(Endpoint::ReadUser, spent));
    let Err(DirectoryError::Throttled { until: Some(until) }) = lanes.hooks.entry(&bob()).await else { panic!("no") };
    let wait = until.duration_since(now).as_secs();
    assert!((31..=33).contains(&wait), "{wait}");
    for _ in 0..50 {
        assert!(is_throttled(&lanes.hooks.entry(&bob()).await) && is_throttled(&lanes.others.entry(&bob()).await));
    }
    assert_eq!(rig.okta.calls(Endpoint::ReadUser), 1);
    rig.clock.advance(SignedDuration::from_secs(34));
    assert!(lanes.hooks.entry(&bob()).await.is_ok());
}

#[tokio::test]
async fn too_many_in_flight_is_a_short_pause() {
    let rig = Rig::start();
    let lanes = rig.lanes();
    assert!(lanes.hooks.entry(&bob()).await.is_ok());
    rig.okta.fail_next(Endpoint::ReadUser, [Fault::TooConcurrent]);
    assert!(is_throttled(&lanes.hooks.entry(&bob()).await));
    assert!(is_throttled(&lanes.hooks.entry(&bob()).await));
    assert_eq!(rig.okta.calls(Endpoint::ReadUser), 2);
    rig.clock.advance(SignedDuration::from_millis(401));
    assert!(lanes.hooks.entry(&bob()).await.is_ok());
}

#[tokio::test]
async fn a_429_without_a_time_is_one_all_the_same() {
    let rig = Rig::start();
    let lanes = rig.lanes();
    rig.okta.set(|state| state.bare_429 = true);
    rig.okta.fail_next(Endpoint::ReadUser, [Fault::Status(429)]);
    assert!(is_throttled(&lanes.hooks.entry(&bob()).await));
    assert!(is_throttled(&lanes.hooks.entry(&bob()).await));
    assert_eq!(rig.okta.calls(Endpoint::ReadUser), 1);
    rig.clock.advance(SignedDuration::from_secs(3));
    assert!(lanes.hooks.entry(&bob()).await.is_ok());
}
