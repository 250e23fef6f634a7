//! A service under load over some Redis, and what must hold of it whatever happens there.

use std::{
    fs,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::Instant,
};

use super::{
    drive::{self, Ledger},
    probe::{Compared, Probe},
    watch::{self as look, Seen},
};
use crate::{
    durability::rig::{Caller, Process, World},
    support::process::until,
};

const AGENTS: usize = 3;
/// More than anything of this takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);
/// By how much a service may have grown after a fault, in KiB. What piles up shows as more.
const GROWTH: u64 = 64 * 1024;

/// A tenant's load.
pub(super) struct Crowd {
    pub(super) caller: Caller,
    pub(super) ledger: Arc<Ledger>,
    drivers: JoinSet<()>,
    plain: JoinHandle<(u64, Duration)>,
}

impl Crowd {
    /// Begins. Bob has let all agents act for him.
    pub(super) fn start(caller: Caller) -> Self {
        let (ledger, mut drivers) = (Arc::new(Ledger::default()), JoinSet::new());
        for agent in 0..AGENTS {
            drivers.spawn(drive::run(Arc::clone(&ledger), caller.clone(), agent));
        }
        let plain = tokio::spawn(drive::run_plain(Arc::clone(&ledger), caller.clone()));
        Self { caller, ledger, drivers, plain }
    }

    /// Waits until some more were granted.
    pub(super) async fn get_on(&self) {
        let enough = self.ledger.granted() + 10;
        until("more grants", async || {
            let violations = self.ledger.violations();
            assert!(violations.is_empty(), "{violations:#?}");
            (self.ledger.granted() >= enough).then_some(())
        })
        .await;
    }

    /// Whether nobody was refused for want of a store.
    pub(super) fn undisturbed(&self) -> bool {
        let refused = |counter: &AtomicU64| counter.load(SeqCst) > 0;
        !refused(&self.ledger.refused_hooks) && !refused(&self.ledger.refused_begins)
    }

    /// Stops, tries to use every id once more, and compares with the trail there.
    pub(super) async fn end(mut self, probe: &Probe) -> Compared {
        self.stop().await;
        self.ledger.sweep(&self.caller).await;
        let compared = probe.compare(&self.ledger.known()).await;
        assert_eq!((self.ledger.violations(), &compared.violations), (Vec::new(), &Vec::new()));
        compared
    }

    async fn stop(&mut self) -> (u64, Duration) {
        self.ledger.stop();
        while let Some(ended) = self.drivers.join_next().await {
            ended.unwrap();
        }
        (&mut self.plain).await.unwrap()
    }
}

/// A service under load.
pub(super) struct Scene {
    name: &'static str,
    pub(super) process: Process,
    pub(super) crowd: Crowd,
    seen: watch::Receiver<Seen>,
    watching: JoinHandle<()>,
    memory: u64,
    fault: Instant,
    red: Option<Duration>,
    green: Option<Duration>,
    /// Its issuer, and the folder of its files.
    _world: World,
}

/// What a test may assert besides.
#[derive(Debug)]
pub(super) struct Report {
    /// Ids that were given out, and void before they were used.
    pub(super) void: usize,
    pub(super) refused_hooks: u64,
    pub(super) refused_begins: u64,
    pub(super) trail: Compared,
}

impl Scene {
    /// Starts the service over this store, and waits until the load gets on.
    pub(super) async fn start(name: &'static str, store: &str) -> Self {
        let world = World::new(AGENTS);
        let mut command = world.command(store);
        Self::start_with(name, world, &mut command).await
    }

    /// The same with another command.
    pub(super) async fn start_with(name: &'static str, world: World, command: &mut Command) -> Self {
        let process = world.launch(command).ready().await;
        let caller = world.caller(&process);
        world.grant_all(&caller).await;
        let url = caller.url.clone();
        let crowd = Crowd::start(caller);
        let (sender, seen) = watch::channel(Seen { gauge: true, health: true });
        let watching = tokio::spawn(look::run(Arc::clone(&crowd.ledger), world.http.clone(), url, sender));
        crowd.get_on().await;
        let memory = memory_of(&process);
        Self {
            name,
            process,
            crowd,
            seen,
            watching,
            memory,
            fault: Instant::now(),
            red: None,
            green: None,
            _world: world,
        }
    }

    /// A fault begins now.
    pub(super) fn fault(&mut self) {
        self.fault = Instant::now();
    }

    /// Waits until the health page and the gauge say that the store is gone.
    pub(super) async fn is_red(&mut self) {
        // Not necessarily at the same time: the store may come and go.
        self.wait("a red gauge", |seen| !seen.gauge).await;
        self.wait("a red health page", |seen| !seen.health).await;
        self.red = Some(self.fault.elapsed());
    }

    /// What it said of itself last.
    pub(super) fn is_well(&self) -> bool {
        let seen = *self.seen.borrow();
        seen.gauge && seen.health
    }

    /// Waits until the fault has lasted as long.
    pub(super) async fn lasts(&self, long: Duration) {
        tokio::time::sleep_until(self.fault + long).await;
    }

    /// Waits until all is well, by itself.
    pub(super) async fn is_green(&mut self) {
        let begun = Instant::now();
        self.wait("gauge and health page green", |seen| seen.gauge && seen.health).await;
        self.crowd.get_on().await;
        self.green = Some(begun.elapsed());
    }

    async fn wait(&mut self, what: &str, is: impl Fn(&Seen) -> bool) {
        let waited = tokio::time::timeout(PATIENCE, self.seen.wait_for(|seen| is(seen))).await;
        let came = matches!(waited, Ok(Ok(_)));
        drop(waited);
        let seen = *self.seen.borrow();
        let log = self.process.log();
        let tail: Vec<_> = log.lines().rev().take(20).collect();
        assert!(came, "{}: not {what}: {seen:?} {:?}\n{tail:#?}", self.name, self.crowd.ledger.violations());
    }

    /// Stops the load, tries to use every id once more, and compares with the trail there.
    pub(super) async fn end(mut self, probe: &Probe) -> Report {
        let (plain, slowest_plain) = self.crowd.stop().await;
        self.watching.await.unwrap();
        let ledger = &self.crowd.ledger;
        let (refused_hooks, refused_begins) = (ledger.refused_hooks.load(SeqCst), ledger.refused_begins.load(SeqCst));
        ledger.sweep(&self.crowd.caller).await;
        let known = ledger.known();
        let trail = probe.compare(&known).await;
        let void = known.iter().filter(|entry| entry.void && entry.granted.is_none()).count();
        let grown = memory_of(&self.process).saturating_sub(self.memory);
        let (granted, slowest) = (ledger.granted(), ledger.slowest_hook());
        say(&format!(
            "FAULT {}: acknowledged {} initiations, {granted} grants; of these void before their use {void}, gone from \
             the trail {} and {}; refused meanwhile {refused_begins} initiations, {refused_hooks} hooks; slowest hook \
             {slowest} ms; {plain} hooks without an id, slowest {} ms; red after {:?}, green again {:?} after the \
             fault's end; grown by {grown} KiB",
            self.name,
            known.len(),
            trail.lost_begins,
            trail.lost_grants,
            slowest_plain.as_millis(),
            self.red,
            self.green,
        ));
        let log = self.process.log();
        let last_lines: Vec<_> = log.lines().rev().take(20).collect();
        let violations = [ledger.violations(), trail.violations.clone()].concat();
        assert!(violations.is_empty(), "{}: {violations:#?}\n{last_lines:#?}", self.name);
        assert!(grown < GROWTH, "{}: the service grew by {grown} KiB", self.name);
        // It ends as it should, too.
        self.process.signal("TERM");
        let end = self.process.stopped().await;
        assert!(end.success(), "{}: {end} {}", self.name, self.process.errors());
        Report { void, refused_hooks, refused_begins, trail }
    }
}

/// What a fault costs is to be read.
#[expect(clippy::print_stdout, reason = "for whoever runs the tests")]
pub(super) fn say(what: &str) {
    println!("{what}");
}

/// The service's resident memory, in KiB.
fn memory_of(process: &Process) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
