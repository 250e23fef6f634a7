//! Two processes end what nobody used: each delegation once.

use std::collections::BTreeMap;

use super::pair::{Shared, all_events, asked, begin, delegation_of, reference, settle, trail_with};
use crate::{
    durability::{Dice, rig::Told},
    support::process::until,
};

const AGENTS: usize = 4;
const EACH: usize = 100;
/// Every tenth is used.
const USED: usize = AGENTS * EACH / 10;

/// What befalls one of the two at work.
#[derive(PartialEq)]
enum Harm {
    Killed,
    Stopped,
}

/// How many were there.
async fn ended_once(harm: Harm) -> usize {
    let (shared, mut dice) = (Shared::new(AGENTS, &[("BEHALF_DELEGATION_LIFE", "10s")]).await, Dice::new());
    let mut pair = shared.pair().await;
    let callers = shared.callers(&pair);
    let mut begun: BTreeMap<String, bool> = BTreeMap::new();
    for nth in 0..AGENTS * EACH {
        let (agent, caller) = (nth % AGENTS, &callers[nth / AGENTS % 2]);
        let id = begin(caller, agent).await;
        let used = (nth / AGENTS).is_multiple_of(10);
        if used {
            let told = settle(caller, &caller.hook(agent, &format!("event-{nth}"), Some(&id))).await;
            assert!(matches!(told, Told::Granted(_)), "{told:?}");
        }
        begun.insert(reference(&id), used);
    }
    let store = shared.store();
    trail_with(&store, "DA1103", 1).await;
    let (hurt, well) = if dice.throw(2) == 0 { (0, 1) } else { (1, 0) };
    let passes = asked(&callers[hurt], "list").await;
    match harm {
        Harm::Killed => pair[hurt].kill(),
        Harm::Stopped => pair[hurt].signal("STOP"),
    }
    trail_with(&store, "DA1103", AGENTS * EACH - USED).await;
    // Whatever is still to come must change nothing: a pass of both is four lists each. Gauges take three meanwhile.
    let mut alive = vec![(&callers[well], asked(&callers[well], "list").await)];
    if harm == Harm::Stopped {
        pair[hurt].signal("CONT");
        alive.push((&callers[hurt], passes));
    }
    for (caller, passes) in alive {
        until("passes of the reaper", async || (asked(caller, "list").await >= passes + 8 + 3).then_some(())).await;
    }
    // A begin whose answer was lost on a busy machine is nobody's here, and ends like the others.
    let mut ended: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for (_, event) in all_events(&store, Vec::new()).await {
        let Some(delegation) = delegation_of(&event) else { continue };
        let (granted, expired) = ended.entry(delegation.to_owned()).or_default();
        *granted += usize::from(event.code == "DA1000");
        *expired += usize::from(event.code == "DA1103");
    }
    for (id, told) in &ended {
        let used = begun.remove(id).unwrap_or(false);
        assert_eq!(*told, (usize::from(used), usize::from(!used)), "{id}: granted and expired");
    }
    assert!(begun.is_empty(), "not in the trail: {begun:?}");
    ended.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_ends_once_though_one_of_two_is_killed() {
    let count = ended_once(Harm::Killed).await;
    println!("reaper, one of two killed: {count} delegations, {USED} used, the others expired once each");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_ends_once_though_one_of_two_sleeps_for_a_while() {
    let count = ended_once(Harm::Stopped).await;
    println!("reaper, one of two stopped for a while: {count} delegations, {USED} used, the others expired once each");
}
