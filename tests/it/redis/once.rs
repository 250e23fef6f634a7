//! One id, many hooks, two processes: one yes.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use behalf::{adapters::store::redis::RedisStore, domain::audit::Event, ports::store::Seq};
use futures_util::future::join_all;
use tokio::task::JoinSet;

use super::pair::{Shared, all_events, begin, delegation_of, disturbed, reference, settle};
use crate::{
    durability::{
        rig::{Caller, Told},
        setting,
    },
    support::process::until,
};

/// Hooks for one id at each process.
const AT_EACH: usize = 2;
const HOOKS: usize = 2 * AT_EACH;
/// Each uses one id at a time: 64 connections in all.
const AGENTS: usize = 16;

/// 300 in plain runs, 10,000 in those that are asked for 200 rounds.
fn ids() -> usize {
    usize::try_from(50 * setting("BEHALF_TEST_ROUNDS").unwrap_or(5)).unwrap().max(300)
}

/// What was told of one id: by which process, the hook's event id, the answer.
struct Fired {
    id: String,
    told: Vec<(usize, String, Told)>,
    /// Hooks whose first answer was that there was no time, as on a machine with too much to do. The same was sent
    /// again, which settles what became of it, and leaves events of its own.
    disturbed: usize,
}

/// Begins so many delegations and fires the hooks of each at both processes at once.
async fn fire(callers: &[Caller; 2], count: usize, event: fn(usize, usize) -> String) -> Vec<Fired> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut agents = JoinSet::new();
    for agent in 0..AGENTS {
        let (callers, next) = (callers.clone(), Arc::clone(&next));
        agents.spawn(async move {
            let mut fired = Vec::new();
            loop {
                let nth = next.fetch_add(1, SeqCst);
                if nth >= count {
                    return fired;
                }
                fired.push(race(&callers, agent, nth, event).await);
            }
        });
    }
    agents.join_all().await.into_iter().flatten().collect()
}

async fn race(callers: &[Caller; 2], agent: usize, nth: usize, event: fn(usize, usize) -> String) -> Fired {
    let id = begin(&callers[nth % 2], agent).await;
    let hooks = (0..HOOKS).map(|hook| {
        // Neither process is always the first.
        let at = (nth / 2 + hook) % 2;
        let event = event(nth, hook);
        let body = callers[at].hook(agent, &event, Some(&id));
        async move { (at, event, callers[at].deliver(&body).await, body) }
    });
    let (mut told, mut again) = (Vec::new(), 0);
    for (at, event, answer, body) in join_all(hooks).await {
        let cut = disturbed(&answer);
        told.push((at, event, if cut { settle(&callers[at], &body).await } else { answer }));
        again += usize::from(cut);
    }
    Fired { id, told, disturbed: again }
}

type Lines = Vec<(String, String, String)>;

/// Compares the trail with what was told: one event for each of `expected`, where nothing was disturbed. Where something
/// was, the one grant.
fn compare(trail: &mut BTreeMap<String, Lines>, fired: &Fired, mut expected: Lines) {
    expected.push(("DA1100".to_owned(), String::new(), String::new()));
    expected.sort();
    let mut found = trail.remove(&reference(&fired.id)).unwrap_or_default();
    if fired.disturbed > 0 {
        for lines in [&mut found, &mut expected] {
            lines.retain(|(code, ..)| ["DA1100", "DA1000"].contains(&code.as_str()));
        }
    }
    assert_eq!(found, expected, "one event for each of these: {:?}", fired.told);
}

/// What is left belongs to initiations whose answer was lost; no more of them than that.
fn nothing_else(trail: &BTreeMap<String, Lines>) {
    for lines in trail.values() {
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert_eq!(lines[0].0, "DA1100");
    }
}

/// How many hooks were disturbed: few enough that the others show something.
fn disturbances(fired: &[Fired]) -> usize {
    let hit = fired.iter().filter(|fired| fired.disturbed > 0).count();
    assert!(hit * 2 < fired.len(), "{hit} of {} races were disturbed: the machine is too busy", fired.len());
    fired.iter().map(|fired| fired.disturbed).sum()
}

/// What the trail tells of each delegation: code, the hook's event id, the exact reason.
fn by_delegation(trail: &[(Seq, Event)]) -> BTreeMap<String, Lines> {
    let mut found: BTreeMap<_, Lines> = BTreeMap::new();
    for (_, event) in trail {
        let Some(delegation) = delegation_of(event) else { continue };
        let (hook, reason) = (event.request.hook_event_id.clone(), event.outcome.reason.clone());
        let told = (event.code.clone(), hook.unwrap_or_default(), reason.unwrap_or_default());
        found.entry(delegation.to_owned()).or_default().push(told);
    }
    for told in found.values_mut() {
        told.sort();
    }
    found
}

/// The trail, once all is there that hooks leave behind that were not disturbed: a refusal's event may come after it.
async fn trail(store: &RedisStore, code: &str, fired: &[Fired]) -> BTreeMap<String, Lines> {
    let undisturbed: Vec<_> = fired.iter().filter(|f| f.disturbed == 0).map(|f| reference(&f.id)).collect();
    let mut known = Vec::new();
    until(&format!("all events {code}"), async || {
        known = all_events(store, std::mem::take(&mut known)).await;
        let found = by_delegation(&known);
        let whole = |id| found.get(id).is_some_and(|l| l.iter().filter(|(c, ..)| c == code).count() >= HOOKS - 1);
        undisturbed.iter().all(whole).then_some(found)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_different_hooks_at_two_processes_one_is_granted() {
    let shared = Shared::new(AGENTS, &[]).await;
    let pair = shared.pair().await;
    let fired = fire(&shared.callers(&pair), ids(), |nth, hook| format!("event-{nth}-{hook}")).await;
    for Fired { told, .. } in &fired {
        let granted = told.iter().filter(|(_, _, answer)| matches!(answer, Told::Granted(_))).count();
        assert_eq!(granted, 1, "{told:?}");
    }
    let mut trail = trail(&shared.store(), "DA1001", &fired).await;
    let mut won = [0, 0];
    for fired in &fired {
        let mut expected = Lines::new();
        for (at, event, answer) in &fired.told {
            let (code, reason) = match answer {
                Told::Granted(_) => ("DA1000", ""),
                Told::Refused(why) if why.ends_with("(delegation-not-usable)") => ("DA1001", "already-used"),
                other => panic!("{event} was told {other:?}"),
            };
            won[*at] += usize::from(code == "DA1000");
            expected.push((code.to_owned(), event.clone(), reason.to_owned()));
        }
        compare(&mut trail, fired, expected);
    }
    nothing_else(&trail);
    assert!(won[0] > 0 && won[1] > 0, "a race that one process always wins is none: {won:?}");
    println!(
        "two processes, one Redis: {} ids, {} different hooks: granted {} ({} and {}), refused already-used {}, one event \
         for each, numbers without a gap; {} hooks were disturbed",
        fired.len(),
        fired.len() * HOOKS,
        won[0] + won[1],
        won[0],
        won[1],
        fired.len() * (HOOKS - 1),
        disturbances(&fired)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_one_hook_at_two_processes_all_deliveries_get_the_same_bytes() {
    let shared = Shared::new(AGENTS, &[]).await;
    let pair = shared.pair().await;
    let fired = fire(&shared.callers(&pair), ids(), |nth, _| format!("event-{nth}")).await;
    for Fired { told, .. } in &fired {
        let first = &told[0].2;
        assert!(matches!(first, Told::Granted(_)), "{told:?}");
        assert!(told.iter().all(|(_, _, other)| other == first), "the same bytes: {told:?}");
    }
    let mut trail = trail(&shared.store(), "DA1002", &fired).await;
    for fired in &fired {
        let event = &fired.told[0].1;
        let told = |code: &str| (code.to_owned(), event.clone(), String::new());
        compare(&mut trail, fired, (0..HOOKS).map(|nth| told(if nth == 0 { "DA1000" } else { "DA1002" })).collect());
    }
    nothing_else(&trail);
    println!(
        "two processes, one Redis: {} ids, {} deliveries of the same hook: the same bytes each time, hook.granted {}, \
         hook.replayed {}, numbers without a gap; {} hooks were disturbed",
        fired.len(),
        fired.len() * HOOKS,
        fired.len(),
        fired.len() * (HOOKS - 1),
        disturbances(&fired)
    );
}
