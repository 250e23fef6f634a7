use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::future::join_all;
use proptest::prelude::*;
use tokio::sync::Notify;

use super::{loads::Loads, *};
use crate::ports::clock::ManualClock;

struct Rig {
    clock: Arc<ManualClock>,
    metrics: Metrics,
}

impl Rig {
    fn new() -> Self {
        Self { clock: Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH)), metrics: Metrics::default() }
    }

    fn cache(&self, entries: u64, bytes: u64) -> Cache<u64, Vec<u8>> {
        let bounds = Bounds { entries, bytes };
        let settings = Settings { kind: CacheKind::Lists, bounds, keep: Duration::from_hours(1) };
        Cache::new(settings, |_, value| value.len(), Arc::clone(&self.clock) as _, &self.metrics)
    }

    fn loads(&self) -> Loads<u64, Vec<u8>, &'static str> {
        Loads::new(self.cache(100, 1 << 20), SignedDuration::from_secs(30))
    }

    fn counted(&self, sample: &str) -> u64 {
        let text = self.metrics.render();
        let found = text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        found.unwrap_or_else(|| panic!("{sample} is not in {text}")).parse().unwrap()
    }
}

fn tenant(name: &str) -> TenantName {
    TenantName::parse(name).unwrap()
}

fn a_while() -> Life {
    Life::of(Timestamp::UNIX_EPOCH, SignedDuration::from_secs(30))
}

/// What moka holds, after it looked at everything: entries and their weights.
fn held<V: Clone + Send + Sync + 'static>(cache: &Cache<u64, V>) -> (u64, u64) {
    cache.entries.run_pending_tasks();
    let weights: u64 = cache.entries.iter().map(|(_, entry)| u64::from(entry.weight)).sum();
    assert_eq!(weights, cache.entries.weighted_size());
    (cache.entries.iter().count() as u64, weights)
}

#[test]
fn entries_are_bounded() {
    let rig = Rig::new();
    let cache = rig.cache(100, 1 << 20);
    for n in 0..10_000 {
        cache.insert(&tenant("one"), &n, vec![1], a_while());
    }
    let (entries, _) = held(&cache);
    assert!((50..=100).contains(&entries), "{entries}");
    assert_eq!(rig.counted("behalf_cache_evictions_total{cache=\"lists\"}"), 10_000 - entries);
}

#[test]
fn bytes_are_bounded() {
    let rig = Rig::new();
    let cache = rig.cache(1_000_000, 1 << 20);
    for n in 0..1000 {
        cache.insert(&tenant("one"), &n, vec![1; 10_000], a_while());
    }
    let (entries, weights) = held(&cache);
    assert!(weights <= 1 << 20 && (50..=104).contains(&entries), "{entries} {weights}");
}

#[test]
fn what_can_not_fit_is_not_kept_and_takes_the_older_value_with_it() {
    let rig = Rig::new();
    let cache = rig.cache(10, 10_000);
    let one = tenant("one");
    cache.insert(&one, &1, vec![1], a_while());
    assert_eq!(cache.get(&one, &1), Some(vec![1]));
    cache.insert(&one, &1, vec![2; 10_000], a_while());
    assert_eq!(cache.get(&one, &1), None);
    assert_eq!(held(&cache), (0, 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_sequence_of_values_breaks_a_bound(sizes in proptest::collection::vec((0_u64..40, 0_usize..6000), 1..300)) {
        let cache = Rig::new().cache(20, 50_000);
        for (key, size) in sizes {
            cache.insert(&tenant("one"), &key, vec![0; size], a_while());
        }
        let (entries, weights) = held(&cache);
        prop_assert!(entries <= 20 && weights <= 50_000, "{} {}", entries, weights);
    }
}

#[test]
fn tenants_never_share() {
    let rig = Rig::new();
    let cache = rig.cache(100, 1 << 20);
    let (one, two) = (tenant("one"), tenant("two"));
    cache.insert(&one, &1, vec![1], a_while());
    assert_eq!(cache.get(&two, &1), None);
    cache.insert(&two, &1, vec![2], a_while());
    cache.forget(&two, &1);
    assert_eq!((cache.get(&one, &1), cache.get(&two, &1)), (Some(vec![1]), None));
}

#[test]
fn hits_and_misses_are_counted() {
    let rig = Rig::new();
    let cache = rig.cache(100, 1 << 20);
    cache.insert(&tenant("one"), &1, vec![1], a_while());
    for key in [1, 1, 1, 2] {
        cache.get(&tenant("one"), &key);
        cache.peek(&tenant("one"), &key);
    }
    rig.clock.advance(SignedDuration::from_secs(30));
    assert_eq!(cache.get(&tenant("one"), &1), None);
    assert_eq!(rig.counted("behalf_cache_lookups_total{cache=\"lists\",result=\"hit\"}"), 3);
    assert_eq!(rig.counted("behalf_cache_lookups_total{cache=\"lists\",result=\"miss\"}"), 2);
}

#[test]
fn our_clock_says_what_counts() {
    let rig = Rig::new();
    let (cache, one) = (rig.cache(100, 1 << 20), tenant("one"));
    cache.insert(&one, &1, vec![1], a_while());
    cache.insert(&one, &2, vec![2], a_while().at_most(Timestamp::from_second(10).unwrap()));
    cache.insert(&one, &3, vec![3], Life::until(Timestamp::from_second(30).unwrap()));
    let there = || [1, 2, 3].map(|key| cache.get(&one, &key).is_some());
    assert_eq!(there(), [true, true, true]);
    rig.clock.set_by(SignedDuration::from_secs(-1));
    assert_eq!(there(), [false, false, true], "before it was made");
    rig.clock.set_by(SignedDuration::from_secs(11));
    assert_eq!(there(), [true, false, true]);
    rig.clock.set_by(SignedDuration::from_millis(19_999));
    assert_eq!(there(), [true, false, true]);
    rig.clock.set_by(SignedDuration::from_millis(1));
    assert_eq!(there(), [false, false, false]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_callers_cause_one_load() {
    let rig = Rig::new();
    let (loads, made) = (Arc::new(rig.loads()), Arc::new(AtomicUsize::new(0)));
    let gate = Arc::new(Notify::new());
    let calls: Vec<_> = (0..1000)
        .map(|_| {
            let (loads, made, gate) = (Arc::clone(&loads), Arc::clone(&made), Arc::clone(&gate));
            tokio::spawn(async move {
                let load = || async {
                    made.fetch_add(1, Ordering::SeqCst);
                    gate.notified().await;
                    Ok(vec![7])
                };
                loads.get(&tenant("one"), &1, load).await
            })
        })
        .collect();
    let all_missed = async {
        while rig.counted("behalf_cache_lookups_total{cache=\"lists\",result=\"miss\"}") < 1000 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), all_missed).await.unwrap();
    gate.notify_one();
    for result in join_all(calls).await {
        assert_eq!(result.unwrap(), Ok(vec![7]));
    }
    assert_eq!(made.load(Ordering::SeqCst), 1);
    assert_eq!(loads.under_way(), 0);
}

#[tokio::test]
async fn an_error_goes_to_all_who_waited_and_is_not_kept() {
    let rig = Rig::new();
    let (loads, gate, one) = (rig.loads(), Notify::new(), tenant("one"));
    let waiting = || async {
        gate.notified().await;
        Err("down")
    };
    let second = || async { Ok(vec![2]) };
    let (first, other, ()) =
        tokio::join!(loads.get(&one, &1, waiting), loads.get(&one, &1, second), async { gate.notify_one() });
    assert_eq!((first, other), (Err("down"), Err("down")));
    assert_eq!(loads.under_way(), 0);
    assert_eq!(loads.get(&one, &1, || async { Ok(vec![3]) }).await, Ok(vec![3]));
    assert_eq!(loads.get(&one, &1, || async { Err("not asked") }).await, Ok(vec![3]));
}

#[tokio::test]
async fn who_goes_away_leaves_the_load_to_the_next_and_nothing_behind() {
    let rig = Rig::new();
    let (loads, one) = (rig.loads(), tenant("one"));
    let (mut first, mut second) = (
        Box::pin(loads.get(&one, &1, std::future::pending::<Result<Vec<u8>, &'static str>>)),
        Box::pin(loads.get(&one, &1, || async { Ok(vec![2]) })),
    );
    assert!(futures_util::poll!(&mut first).is_pending());
    assert!(futures_util::poll!(&mut second).is_pending());
    assert_eq!(loads.under_way(), 1);
    drop(first);
    assert_eq!(second.await, Ok(vec![2]));
    assert_eq!(loads.under_way(), 0);

    let mut alone = Box::pin(loads.get(&one, &9, std::future::pending::<Result<Vec<u8>, &'static str>>));
    assert!(futures_util::poll!(&mut alone).is_pending());
    assert_eq!(loads.under_way(), 1);
    drop(alone);
    assert_eq!(loads.under_way(), 0);
}

#[tokio::test]
async fn a_load_that_panics_hangs_nobody() {
    let rig = Rig::new();
    let (loads, gate) = (Arc::new(rig.loads()), Arc::new(Notify::new()));
    let (for_first, opened) = (Arc::clone(&loads), Arc::clone(&gate));
    let first = tokio::spawn(async move {
        let load = || async {
            opened.notified().await;
            panic!("the test wants it")
        };
        for_first.get(&tenant("one"), &1, load).await
    });
    tokio::task::yield_now().await;
    assert_eq!(loads.under_way(), 1);
    let one = tenant("one");
    let second = loads.get(&one, &1, || async { Ok(vec![2]) });
    let (result, ()) = tokio::join!(second, async { gate.notify_one() });
    assert_eq!(result, Ok(vec![2]));
    assert!(first.await.is_err());
    assert_eq!(loads.under_way(), 0);
}

#[tokio::test]
async fn a_load_under_way_undoes_no_forgetting() {
    let rig = Rig::new();
    let (loads, one, gate) = (rig.loads(), tenant("one"), Notify::new());
    let old = || async {
        gate.notified().await;
        Ok(vec![1])
    };
    let mut begun_before = Box::pin(loads.get(&one, &1, old));
    assert!(futures_util::poll!(&mut begun_before).is_pending());
    loads.forget(&one, &1);
    assert_eq!(loads.get(&one, &1, || async { Ok(vec![2]) }).await, Ok(vec![2]), "it isn't joined");
    gate.notify_one();
    assert_eq!(begun_before.await, Ok(vec![1]));
    assert_eq!(loads.get(&one, &1, || async { Err("not asked") }).await, Ok(vec![2]), "nor kept");
    loads.forget(&one, &1);
    assert_eq!(loads.get(&one, &1, || async { Ok(vec![3]) }).await, Ok(vec![3]));
}

#[tokio::test]
async fn a_value_is_as_old_as_its_question() {
    let rig = Rig::new();
    let (loads, one) = (rig.loads(), tenant("one"));
    let slow = || async {
        rig.clock.advance(SignedDuration::from_secs(20));
        Ok(vec![1])
    };
    assert_eq!(loads.get(&one, &1, slow).await, Ok(vec![1]));
    rig.clock.advance(SignedDuration::from_secs(9));
    assert_eq!(loads.get(&one, &1, || async { Err("not asked") }).await, Ok(vec![1]));
    rig.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(loads.get(&one, &1, || async { Ok(vec![2]) }).await, Ok(vec![2]));
}
