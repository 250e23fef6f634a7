//! Two processes over one Redis, restarted in turn while hooks come all the time: no hook is lost.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};

use behalf::adapters::http_client;
use reqwest::StatusCode;
use tokio::task::JoinSet;

use super::pair::{Shared, all_events};
use crate::{
    durability::{
        ledger::{Ledger, State},
        rig::{Caller, Process, Told},
    },
    hooks::rounds,
    support::{balancer::Balancer, process::until},
};

const AGENTS: usize = 6;
/// Hooks that are answered between two restarts, and on a process that was just started.
const BETWEEN: usize = 40;

/// What became of the hooks.
#[derive(Default)]
struct Tally {
    over: AtomicBool,
    granted: AtomicUsize,
    refused_again: AtomicUsize,
    untouched: AtomicUsize,
    /// Refused for want of time, as on a machine with too much to do; sent again.
    disturbed: AtomicUsize,
}

/// One agent's application and its identity provider, each with connections that are kept.
struct Driver {
    caller: Caller,
    agent: usize,
    ledger: Arc<Ledger>,
    tally: Arc<Tally>,
}

impl Driver {
    async fn run(self) {
        let mut nth = 0;
        while !self.tally.over.load(SeqCst) {
            self.once(nth).await;
            nth += 1;
        }
    }

    async fn once(&self, nth: usize) {
        let id = match self.caller.begin(self.agent).await {
            Some(Ok(id)) => id,
            // The budgets ran out.
            Some(Err(StatusCode::SERVICE_UNAVAILABLE)) => return,
            other => return self.ledger.violation(format!("an initiation was answered {other:?}")),
        };
        let at = self.ledger.begun(id.clone(), self.agent);
        let hook = |event: &str| self.caller.hook(self.agent, &format!("{event}-{}-{nth}", self.agent), Some(&id));
        let body = hook("first");
        self.ledger.set(at, State::Sent(body.clone()));
        match self.told(&body).await {
            Told::Granted(answer) => self.ledger.set(at, State::Granted(body, answer)),
            other => return self.ledger.violation(format!("the hook for {id} was told {other:?}")),
        }
        self.tally.granted.fetch_add(1, SeqCst);
        match self.told(&hook("second")).await {
            Told::Refused(why) if why.ends_with("(delegation-not-usable)") => {
                self.tally.refused_again.fetch_add(1, SeqCst);
            }
            other => self.ledger.violation(format!("another hook for {id} was told {other:?}")),
        }
        match self.told(&self.caller.hook(self.agent, &format!("plain-{}-{nth}", self.agent), None)).await {
            Told::Untouched => drop(self.tally.untouched.fetch_add(1, SeqCst)),
            other => self.ledger.violation(format!("a hook without an id was told {other:?}")),
        }
    }

    /// The decision. A refusal for want of time decides nothing; no answer at all is one that was lost.
    async fn told(&self, body: &str) -> Told {
        loop {
            match self.caller.deliver(body).await {
                Told::Refused(why) if why.ends_with("(temporarily-unavailable)") => {
                    self.tally.disturbed.fetch_add(1, SeqCst);
                }
                told => return told,
            }
        }
    }
}

/// A process that has said that it is ready, and that gets connections.
async fn join(balancer: &Balancer, process: &Process) {
    balancer.add(&process.url);
    until("connections to a process that is ready", async || balancer.uses(&process.url).then_some(())).await;
}

async fn more_hooks(tally: &Tally, ledger: &Ledger) {
    let enough = tally.granted.load(SeqCst) + BETWEEN;
    until("more hooks", async || {
        assert_eq!(ledger.violations(), Vec::<String>::new());
        (tally.granted.load(SeqCst) >= enough).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_restarted_in_turn_lose_no_hook() {
    // How long requests are still taken is what it is by default.
    let shared = Shared::new(AGENTS, &[("BEHALF_DRAIN_DELAY", "")]).await;
    let mut pair = shared.pair().await;
    let balancer = Balancer::start(&shared.world.http).await;
    for process in &pair {
        join(&balancer, process).await;
    }
    let (ledger, tally, mut drivers) = (Arc::new(Ledger::default()), Arc::new(Tally::default()), JoinSet::new());
    for agent in 0..AGENTS {
        let caller = shared.world.caller(&pair[0]);
        let caller = Caller { http: http_client::build(None).unwrap(), url: balancer.url.clone(), ..caller };
        drivers.spawn(Driver { caller, agent, ledger: Arc::clone(&ledger), tally: Arc::clone(&tally) }.run());
    }
    let restarts = rounds().div_ceil(2).max(2);
    for nth in 0..restarts {
        more_hooks(&tally, &ledger).await;
        let process = &mut pair[nth % 2];
        process.signal("TERM");
        let status = process.stopped().await;
        assert!(status.success(), "{status}: {}", process.errors());
        balancer.remove(&process.url);
        more_hooks(&tally, &ledger).await;
        *process = shared.process().await;
        join(&balancer, process).await;
    }
    more_hooks(&tally, &ledger).await;
    tally.over.store(true, SeqCst);
    drivers.join_all().await;
    ledger.compare_events(&all_events(&shared.store(), Vec::new()).await);
    let [granted, again, untouched, disturbed] =
        [&tally.granted, &tally.refused_again, &tally.untouched, &tally.disturbed].map(|count| count.load(SeqCst));
    println!(
        "rolling restart: {restarts} restarts, {granted} ids granted once each, {again} hooks for a used id refused, \
         {untouched} without an id untouched, 0 without an answer; {disturbed} were sent again for want of time, {} \
         violations",
        ledger.violations().len()
    );
    assert_eq!(ledger.violations(), Vec::<String>::new());
    assert!(disturbed < granted, "the machine is too busy: {disturbed} of {granted} hooks were disturbed");
}
