//! Approvals, two processes: decided once, used as often as they may be, and never after their end.

mod acts;
mod rig;
mod schedules;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use behalf::{domain::audit::Event, ports::store::Seq};
use tokio::task::JoinSet;

use self::{
    acts::Acts,
    rig::{AGENTS, USES, rules},
    schedules::{Race, schedule},
};
use super::pair::{Shared, all_events};
use crate::durability::setting;

/// 40 for each of `BEHALF_TEST_ROUNDS`: 200 in plain runs, 1,000 in those that are asked for 25 rounds.
fn count() -> usize {
    usize::try_from(40 * setting("BEHALF_TEST_ROUNDS").unwrap_or(5)).unwrap()
}

/// The trail of each approval: how often each code was written.
fn by_approval(trail: &[(Seq, Event)]) -> BTreeMap<&str, BTreeMap<&str, usize>> {
    let mut found: BTreeMap<_, BTreeMap<_, usize>> = BTreeMap::new();
    for (_, event) in trail.iter().filter(|(_, event)| event.outcome.result == "success") {
        let Some(named) = event.target.iter().find(|target| target.kind == "approval") else { continue };
        *found.entry(named.id.as_str()).or_default().entry(event.code.as_str()).or_default() += 1;
    }
    found
}

/// Each use of an approval stands beside a token in the same request; each was decided and ended at most once, and used
/// no more often than it may be. Gives the number of uses.
fn compare(trail: &[(Seq, Event)]) -> usize {
    for (id, codes) in by_approval(trail) {
        let of = |code: &str| codes.get(code).copied().unwrap_or(0);
        assert_eq!(of("DA2000"), 1, "{id}: {codes:?}");
        assert!(of("DA2002") + of("DA2003") + of("DA2005") <= 1, "{id}: {codes:?}");
        assert!(of("DA2006") + of("DA2008") <= 1, "{id}: {codes:?}");
        assert!(of("DA2007") <= USES * of("DA2002"), "{id}: {codes:?}");
    }
    let requests = |code: &str| {
        let events = trail.iter().filter(|(_, event)| event.code == code);
        let mut requests: Vec<_> = events.map(|(_, event)| event.request.id.clone().unwrap()).collect();
        requests.sort_unstable();
        requests
    };
    let tokens = requests("DA1000");
    assert_eq!(requests("DA2007"), tokens, "a use if and only if there is a token");
    let with_account = requests("DA3001");
    assert!(with_account.iter().all(|request| tokens.binary_search(request).is_ok()), "a reservation without a token");
    tokens.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_processes_one_decides_and_none_uses_it_too_often() {
    let shared = Shared::new(AGENTS, &[("BEHALF_APPROVALS_MAX_OPEN", "200")]).await;
    rules(&shared.world);
    let pair = shared.pair().await;
    let acts = Acts::new(&shared, &pair).await;
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for agent in 0..AGENTS {
        let (acts, next) = (acts.clone(), Arc::clone(&next));
        tasks.spawn(async move {
            let mut ended = Vec::new();
            loop {
                let nth = next.fetch_add(1, SeqCst);
                if nth >= count() {
                    return ended;
                }
                let race = Race::of(nth);
                ended.push((race, schedule(&acts, agent, nth, race).await));
            }
        });
    }
    let ended: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    let mut told: BTreeMap<_, BTreeMap<_, usize>> = BTreeMap::new();
    let mut clear = 0;
    for (race, end) in &ended {
        let Some(end) = end else { continue };
        clear += 1;
        *told.entry(race).or_default().entry(end.as_str()).or_default() += 1;
    }
    assert!(
        clear * 2 > ended.len(),
        "{} of {} were disturbed: the machine is too busy",
        ended.len() - clear,
        ended.len()
    );
    for (race, ends) in &told {
        assert!(ends.len() > 1, "a race that one side always wins is none: {race:?}: {ends:?}");
    }
    let tokens = compare(&all_events(&shared.store(), Vec::new()).await);
    println!(
        "approvals, two processes, one Redis: {} schedules, {clear} undisturbed: {told:?}; {tokens} tokens, one use for \
         each",
        ended.len()
    );
}
