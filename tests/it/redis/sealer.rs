//! One process seals at a time; another goes on where it stopped, whatever has become of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use behalf::{
    app::{sealed, sealer::LEASE_TIME},
    domain::ids::TenantName,
};
use tokio::{task::JoinHandle, time::Instant};

use super::pair::{Shared, asked, begin, settle};
use crate::{
    durability::{
        Dice,
        rig::{Caller, Process, Told},
        setting,
    },
    support::process::until,
};

/// Beyond the lease: a pass each second, on a busy machine.
const MARGIN: Duration = Duration::from_secs(5);

/// Each takes longer than a lease.
fn rounds() -> u64 {
    (setting("BEHALF_TEST_ROUNDS").unwrap_or(5) / 10).max(1)
}

/// Who took the sealer's lease last.
fn holder(shared: &Shared) -> Option<String> {
    let script = "local held = redis.call('GET', KEYS[1]) return held and string.sub(held, 18) or ''";
    let found = shared.redis.command(&["EVAL", script, "1", "behalf:{default}:l:sealer"]);
    Some(found).filter(|holder| !holder.is_empty())
}

async fn head(shared: &Shared) -> u64 {
    sealed::page(&shared.store(), &TenantName::default_tenant(), 0, 1).await.unwrap().head.seq
}

/// An agent who acts for Bob again and again at one process, which is never down.
struct Traffic {
    stop: Arc<AtomicBool>,
    work: JoinHandle<usize>,
}

impl Traffic {
    fn at(caller: &Caller, name: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (caller, name, stopped) = (caller.clone(), name.to_owned(), Arc::clone(&stop));
        let work = tokio::spawn(async move {
            let mut granted = 0;
            while !stopped.load(SeqCst) {
                let id = begin(&caller, 0).await;
                let told = settle(&caller, &caller.hook(0, &format!("{name}-{granted}"), Some(&id))).await;
                assert!(matches!(told, Told::Granted(_)), "{told:?}");
                granted += 1;
                // Other tests want the machine, too.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            granted
        });
        Self { stop, work }
    }

    async fn end(self) -> usize {
        self.stop.store(true, SeqCst);
        self.work.await.unwrap()
    }
}

/// The process that holds the lease alone, and its name there.
async fn first(shared: &Shared) -> (Process, String) {
    let process = shared.process().await;
    shared.world.grant_all(&shared.world.caller(&process)).await;
    let name = until("a holder of the lease", async || holder(shared)).await;
    (process, name)
}

/// Waits until the lease has changed hands and more is sealed than before: how long the lease took, and who has it.
async fn taken_over(shared: &Shared, from: &str, since: Instant) -> (Duration, String) {
    let next = until("another holder", async || holder(shared).filter(|name| name != from)).await;
    let took = since.elapsed();
    assert!(took <= LEASE_TIME.unsigned_abs() + MARGIN, "the lease changed hands after {took:?}");
    let before = head(shared).await;
    until("more that is sealed", async || (head(shared).await > before).then_some(())).await;
    (took, next)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_holder_is_followed_within_the_lease() {
    let (shared, mut dice) = (Shared::new(1, &[]).await, Dice::new());
    let seed = dice.0;
    let (mut holding, mut name) = first(&shared).await;
    let (mut granted, mut longest) = (0, Duration::ZERO);
    for round in 0..rounds() {
        let other = shared.process().await;
        let traffic = Traffic::at(&shared.world.caller(&other), &format!("kill-{round}"));
        let before = head(&shared).await;
        until("sealed traffic", async || (head(&shared).await > before + 20).then_some(())).await;
        assert_eq!(holder(&shared).as_ref(), Some(&name), "the holder goes on while it lives");
        // Not to wait for anything: at any point of a pass.
        tokio::time::sleep(Duration::from_millis(dice.throw(1000))).await;
        holding.kill();
        let (took, next) = taken_over(&shared, &name, Instant::now()).await;
        granted += traffic.end().await;
        longest = longest.max(took);
        (holding, name) = (other, next);
    }
    let report = shared.verified().await;
    drop(holding);
    println!(
        "sealer: {} holders killed (BEHALF_TEST_SEED={seed}), another one within {longest:?}; {granted} hooks granted, {} \
         events sealed once each, {} checkpoints",
        rounds(),
        report.entries,
        report.checkpoints
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_holder_that_wakes_up_after_its_lease_does_no_harm() {
    let (shared, mut dice) = (Shared::new(1, &[]).await, Dice::new());
    let seed = dice.0;
    let (mut holding, mut name) = first(&shared).await;
    let mut granted = 0;
    for round in 0..rounds() {
        let other = shared.process().await;
        let traffic = Traffic::at(&shared.world.caller(&other), &format!("stop-{round}"));
        let before = head(&shared).await;
        until("sealed traffic", async || (head(&shared).await > before + 20).then_some(())).await;
        assert_eq!(holder(&shared).as_ref(), Some(&name));
        tokio::time::sleep(Duration::from_millis(dice.throw(1000))).await;
        let caller = shared.world.caller(&holding);
        let asked_before = asked(&caller, "lease").await;
        holding.signal("STOP");
        let (_, next) = taken_over(&shared, &name, Instant::now()).await;
        holding.signal("CONT");
        // What it had under way, and some passes more. One of the leases is that of who watches approvals.
        until("asking for the lease again", async || (asked(&caller, "lease").await > asked_before + 3).then_some(()))
            .await;
        assert_eq!(holder(&shared).as_ref(), Some(&next), "the one who took over goes on");
        let id = begin(&caller, 0).await;
        let told = settle(&caller, &caller.hook(0, &format!("awake-{round}"), Some(&id))).await;
        assert!(matches!(told, Told::Granted(_)), "it serves on: {told:?}");
        granted += traffic.end().await;
        (holding, name) = (other, next);
    }
    let report = shared.verified().await;
    drop(holding);
    println!(
        "sealer: {} holders stopped past their lease and woken up (BEHALF_TEST_SEED={seed}); {granted} hooks granted, {} \
         events sealed once each, {} checkpoints",
        rounds(),
        report.entries,
        report.checkpoints
    );
}
