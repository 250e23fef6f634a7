//! SIGKILL between every two steps, and in the midst of each. Everybody goes on from where he was; some leave off, and
//! what they held must become free.

use std::{collections::BTreeMap, time::Duration};

use reqwest::Method;
use serde_json::json;
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};

use super::{
    driver::{Flow, Moment, Step, Trap},
    ledger::Trail,
    rig::{FLOWS, LEFT, RIVAL, Rig, account},
};
use crate::durability::{
    Dice,
    rig::{Caller, Process},
    setting,
};

/// Until a trap springs; nothing takes that long.
const SOON: Duration = Duration::from_mins(1);
/// A hold of one minute, and time to spare.
const ENDS: Duration = Duration::from_secs(100);
/// Kills come at most so many microseconds after a step was sent: some before its commit, some behind it.
const AFTER: u64 = 20_000;

/// A process that is killed again and again, and those who use it.
struct Run {
    rig: Rig,
    process: Process,
    dice: Dice,
    flows: Vec<Flow>,
    left: Vec<Flow>,
    kills: usize,
    /// What was in doubt after a kill: how often it hadn't been done, and how often it had.
    doubts: BTreeMap<String, [usize; 2]>,
}

impl Run {
    async fn new(rig: Rig, dice: Dice) -> Self {
        let process = rig.start().await;
        rig.grant(&rig.caller(&process)).await;
        let (flows, left) = ((0..FLOWS).map(Flow::new).collect(), (FLOWS..RIVAL).map(Flow::new).collect());
        Self { rig, process, dice, flows, left, kills: 0, doubts: BTreeMap::new() }
    }

    fn caller(&self) -> Caller {
        self.rig.caller(&self.process)
    }

    async fn kill_after(&mut self, most: u64) {
        // Not to wait for anything: a random moment.
        tokio::time::sleep(Duration::from_micros(self.dice.throw(most))).await;
        self.process.kill();
        self.kills += 1;
    }

    /// Two wait for a vote, two are approved, one has begun; two begin and two send their hooks when the process dies.
    async fn leave_off(&mut self) {
        use Step::{Begin, Hook, Vote};
        let places: [(Step, bool); LEFT] = [
            (Vote, false),
            (Vote, true),
            (Begin, false),
            (Begin, true),
            (Begin, true),
            (Begin, true),
            (Hook, false),
            (Hook, true),
            (Hook, true),
        ];
        let (caller, mut last) = (self.caller(), JoinSet::new());
        for (mut flow, (step, goes_on)) in std::mem::take(&mut self.left).into_iter().zip(places) {
            flow.go_to(step, &caller).await;
            let caller = caller.clone();
            last.spawn(async move {
                if goes_on {
                    let _ = flow.take(&caller).await;
                }
                flow
            });
        }
        self.kill_after(AFTER).await;
        self.left = last.join_all().await;
        self.left.sort_by_key(|flow| flow.agent);
        self.process = self.rig.start().await;
        let caller = self.caller();
        for flow in &self.left {
            flow.stands(&caller).await;
        }
    }

    /// Everybody goes on until the process is killed at this step.
    async fn round(&mut self, step: Step, moment: Moment) {
        let (caller, trap) = (self.caller(), Trap::new(step, moment, usize::try_from(self.dice.throw(6)).unwrap()));
        let mut tasks = JoinSet::new();
        for flow in std::mem::take(&mut self.flows) {
            tasks.spawn(flow.run(caller.clone(), trap.clone()));
        }
        let sprung = timeout(SOON, trap.sprung.notified()).await;
        self.kill_after(if moment == Moment::Sent { AFTER } else { 1 }).await;
        self.flows = tasks.join_all().await;
        assert!(sprung.is_ok(), "nobody came to {step:?}: {:?}", self.flows);
        self.flows.sort_by_key(|flow| flow.agent);
        self.process = self.rig.start().await;
        let caller = self.caller();
        for flow in &self.flows {
            if let Some(done) = flow.stands(&caller).await {
                self.doubts.entry(format!("{:?}", flow.step)).or_default()[usize::from(done)] += 1;
            }
        }
    }

    /// Whoever went on comes to his end; then every account is somebody else's for the asking, and those who left off
    /// can begin anew.
    async fn end(&mut self, left_at: Instant) {
        let caller = self.caller();
        for flow in &mut self.flows {
            flow.finish(&caller).await;
        }
        for flow in &self.flows {
            assert!(reserve(&caller, flow.agent).await, "{} is held, and nobody acts as it", account(flow.agent));
        }
        for flow in &self.left {
            while !reserve(&caller, flow.agent).await {
                assert!(left_at.elapsed() < ENDS, "{flow:?}: the account is held for ever");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        for flow in &mut self.left {
            let state = flow.state(&caller).await;
            let over = ["EXPIRED", "UNUSED_EXPIRED", "ENDED"].contains(&state.as_str());
            assert!(over, "{flow:?}: {state} for ever");
            flow.start_over();
            flow.finish(&caller).await;
        }
    }
}

/// Somebody else takes the account, and gives it back.
async fn reserve(caller: &Caller, n: usize) -> bool {
    loop {
        let body = json!({"account": account(n)});
        let (status, made) = caller.call(Method::POST, "/v1/reservations", RIVAL, Some(body)).await.unwrap();
        match status.as_u16() {
            201 => {
                let path = format!("/v1/reservations/{}", made["id"].as_str().unwrap());
                let (status, said) = caller.call(Method::DELETE, &path, RIVAL, None).await.unwrap();
                assert_eq!(status, 204, "{said}");
                return true;
            }
            409 if made["code"] == "reserved" => return false,
            503 => tokio::task::yield_now().await,
            _ => panic!("{status} {made}"),
        }
    }
}

async fn killed_at_every_step(over: &str, rig: Rig) {
    let rounds = setting("BEHALF_TEST_ROUNDS").unwrap_or(5);
    let dice = Dice::new();
    let seed = dice.0;
    println!("kill -9 of the flow, {over}: BEHALF_TEST_SEED={seed} BEHALF_TEST_ROUNDS={rounds}");
    let mut run = Run::new(rig, dice).await;
    run.leave_off().await;
    let (left_at, mut deck) = (Instant::now(), Vec::new());
    for _ in 0..rounds {
        if deck.is_empty() {
            deck = Step::ALL.into_iter().flat_map(|s| [(s, Moment::Sent), (s, Moment::Answered)]).collect();
        }
        let (step, moment) = deck.swap_remove(usize::try_from(run.dice.throw(deck.len() as u64)).unwrap());
        run.round(step, moment).await;
    }
    run.end(left_at).await;
    run.process.kill();
    run.kills += 1;
    let events = run.rig.trail().await;
    let tally = Trail::new(&events).compare(&run.flows, &run.left);
    println!("kill -9 of the flow, {over}: {} kills; {tally}; in doubt [not done, done]: {:?}", run.kills, run.doubts);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_used_twice_or_held_for_ever() {
    killed_at_every_step("embedded", Rig::embedded()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_used_twice_or_held_for_ever_over_redis() {
    killed_at_every_step("over Redis", Rig::redis().await).await;
}
