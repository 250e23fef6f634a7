//! Load, and what it was told: every id that was given out, and every grant.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use tokio::{task::JoinSet, time::Instant};

use crate::durability::rig::{Caller, Told};

/// Okta hangs up after 3 s; a refusal that comes later is a plain token.
const HOOK: Duration = Duration::from_millis(2950);
/// Between two steps of a driver, so that there is something left of the machine.
const PACE: Duration = Duration::from_millis(15);

static EVENT: AtomicU64 = AtomicU64::new(0);

/// One id that was given out.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) id: String,
    agent: usize,
    /// The hook that uses it.
    body: String,
    /// Its answer.
    pub(super) granted: Option<String>,
    /// Refused for good.
    pub(super) void: bool,
}

/// What the drivers were told.
#[derive(Default)]
pub(super) struct Ledger {
    known: Mutex<Vec<Known>>,
    violations: Mutex<Vec<String>>,
    pub(super) granted: AtomicU64,
    /// For want of a store.
    pub(super) refused_begins: AtomicU64,
    pub(super) refused_hooks: AtomicU64,
    slowest_hook: AtomicU64,
    stop: AtomicU64,
}

impl Ledger {
    pub(super) fn violation(&self, what: String) {
        self.violations.lock().unwrap().push(what);
    }

    pub(super) fn violations(&self) -> Vec<String> {
        self.violations.lock().unwrap().clone()
    }

    pub(super) fn known(&self) -> Vec<Known> {
        self.known.lock().unwrap().clone()
    }

    pub(super) fn granted(&self) -> u64 {
        self.granted.load(SeqCst)
    }

    /// In milliseconds.
    pub(super) fn slowest_hook(&self) -> u64 {
        self.slowest_hook.load(SeqCst)
    }

    pub(super) fn stop(&self) {
        self.stop.store(1, SeqCst);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(SeqCst) == 1
    }

    /// An id that was given out; gives its place.
    pub(super) fn begun(&self, caller: &Caller, id: String, agent: usize) -> usize {
        let body = caller.hook(agent, &event(), Some(&id));
        let mut known = self.known.lock().unwrap();
        known.push(Known { id, agent, body, granted: None, void: false });
        known.len() - 1
    }

    fn told(&self, at: usize, told: Told) {
        let mut known = self.known.lock().unwrap();
        let entry = &mut known[at];
        match (told, &entry.granted) {
            (Told::Granted(answer), None) => {
                entry.granted = Some(answer);
                if entry.void {
                    self.violation(format!("{entry:?}: granted after it was refused for good"));
                }
                self.granted.fetch_add(1, SeqCst);
            }
            (Told::Granted(answer), Some(before)) if answer == *before => {}
            (Told::Granted(answer), Some(_)) => {
                self.violation(format!("{entry:?}: the same hook was answered differently: {answer}"));
            }
            (Told::Refused(why), _) if why.contains("temporarily-unavailable") => {
                self.refused_hooks.fetch_add(1, SeqCst);
            }
            (Told::Refused(why), _) if why.contains("delegation-not-usable") => entry.void = true,
            (other, _) => self.violation(format!("{entry:?}: its hook was told {other:?}")),
        }
    }

    fn is_settled(&self, at: usize) -> bool {
        let entry = &self.known.lock().unwrap()[at];
        entry.granted.is_some() || entry.void
    }

    /// Fires the hook of the id in this place.
    pub(super) async fn fire(&self, caller: &Caller, at: usize) {
        let body = self.known.lock().unwrap()[at].body.clone();
        let told = self.deliver(caller, &body).await;
        self.told(at, told);
    }

    /// Another hook for an id that was granted, or refused for good, must be refused.
    pub(super) async fn fire_another(&self, caller: &Caller, at: usize) {
        let entry = self.known.lock().unwrap()[at].clone();
        match self.deliver(caller, &caller.hook(entry.agent, &event(), Some(&entry.id))).await {
            Told::Refused(_) => {}
            other => self.violation(format!("GRANTED TWICE? {entry:?}: another hook was told {other:?}")),
        }
    }

    async fn deliver(&self, caller: &Caller, body: &str) -> Told {
        let begun = Instant::now();
        let told = caller.deliver(body).await;
        let took = begun.elapsed();
        self.slowest_hook.fetch_max(u64::try_from(took.as_millis()).unwrap(), SeqCst);
        if took > HOOK {
            self.violation(format!("a hook with an id took {took:?} and was told {told:?}"));
        }
        told
    }

    /// Settles what is open, and tries to use everything once more.
    pub(super) async fn sweep(self: &Arc<Self>, caller: &Caller) {
        let (count, mut tasks) = (self.known().len(), JoinSet::new());
        for first in 0..4 {
            let (ledger, caller) = (Arc::clone(self), caller.clone());
            tasks.spawn(async move {
                for at in (first..count).step_by(4) {
                    // Others may be busy with the same grant for a moment.
                    for _ in 0..3 {
                        ledger.fire(&caller, at).await;
                        if ledger.is_settled(at) {
                            break;
                        }
                    }
                    ledger.fire_another(&caller, at).await;
                }
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended.unwrap();
        }
        for (at, entry) in self.known().iter().enumerate().filter(|(at, _)| !self.is_settled(*at)) {
            self.violation(format!("{at}: {entry:?}: neither granted nor refused for good"));
        }
    }
}

/// One agent who begins delegations and uses them, until he is stopped.
pub(super) async fn run(ledger: Arc<Ledger>, caller: Caller, agent: usize) {
    let (mut open, mut step) = (Vec::new(), 0_u64);
    while !ledger.is_stopped() {
        step += 1;
        match caller.begin(agent).await {
            Some(Ok(id)) => open.push(ledger.begun(&caller, id, agent)),
            Some(Err(status)) if status.as_u16() == 503 => {
                ledger.refused_begins.fetch_add(1, SeqCst);
            }
            Some(Err(status)) => ledger.violation(format!("an initiation was answered {status}")),
            None => ledger.violation("an initiation was not answered".to_owned()),
        }
        // Some wait for a later hook: a few for a while, and all that were refused.
        if let Some(at) = open.pop() {
            ledger.fire(&caller, at).await;
            if !ledger.is_settled(at) {
                open.insert(0, at);
            } else if step.is_multiple_of(4) {
                ledger.fire_another(&caller, at).await;
            }
        }
        // Not to wait for anything.
        tokio::time::sleep(PACE).await;
    }
}

/// A hook without an id: untouched, and at once, whatever the store does.
pub(super) async fn run_plain(ledger: Arc<Ledger>, caller: Caller) -> (u64, Duration) {
    let (mut count, mut slowest) = (0, Duration::ZERO);
    while !ledger.is_stopped() {
        let begun = Instant::now();
        let told = caller.deliver(&caller.hook(0, &event(), None)).await;
        let took = begun.elapsed();
        (count, slowest) = (count + 1, slowest.max(took));
        if told != Told::Untouched || took > Duration::from_secs(1) {
            ledger.violation(format!("a hook without an id took {took:?} and was told {told:?}"));
        }
        tokio::time::sleep(PACE).await;
    }
    (count, slowest)
}

fn event() -> String {
    format!("fault-{}", EVENT.fetch_add(1, SeqCst))
}
