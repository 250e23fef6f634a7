//! Load: agents who begin delegations and use most of them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use tokio::task::JoinSet;

use super::{
    Dice,
    ledger::{Entry, Ledger, State},
    rig::{Caller, Told},
};

static EVENT: AtomicU64 = AtomicU64::new(0);

/// What the drivers meet and obey.
#[derive(Default)]
pub(crate) struct Load {
    stop: AtomicBool,
    /// Refusals for want of a store, of initiations and of hooks.
    pub(crate) refused_begins: AtomicU64,
    pub(crate) refused_hooks: AtomicU64,
    pub(crate) granted: AtomicU64,
    pub(crate) untouched: AtomicU64,
}

impl Load {
    /// One driver for each agent, until the service is gone or they are stopped.
    pub(crate) fn start(self: &Arc<Self>, caller: &Caller, ledger: &Arc<Ledger>, dice: &mut Dice) -> JoinSet<()> {
        let mut drivers = JoinSet::new();
        for agent in 0..caller.tokens.len() - 1 {
            let driver = Driver {
                load: Arc::clone(self),
                caller: caller.clone(),
                ledger: Arc::clone(ledger),
                dice: Dice(dice.throw(u64::MAX)),
                agent,
            };
            drivers.spawn(driver.run());
        }
        drivers
    }

    pub(crate) fn stop(&self) {
        self.stop.store(true, SeqCst);
    }
}

struct Driver {
    load: Arc<Load>,
    caller: Caller,
    ledger: Arc<Ledger>,
    dice: Dice,
    agent: usize,
}

/// The service is gone.
struct Gone;

impl Driver {
    async fn run(mut self) {
        while !self.load.stop.load(SeqCst) {
            if self.once().await.is_err() {
                return;
            }
        }
    }

    async fn once(&mut self) -> Result<(), Gone> {
        let waiting = match self.caller.begin(self.agent).await.ok_or(Gone)? {
            Ok(id) => {
                self.ledger.begun(id, self.agent);
                // Some wait for a later hook.
                if self.dice.throw(8) == 0 { None } else { self.ledger.waiting(self.agent) }
            }
            Err(status) if status.as_u16() == 503 => {
                self.load.refused_begins.fetch_add(1, SeqCst);
                // No faster than a person would click.
                tokio::time::sleep(Duration::from_millis(5)).await;
                self.ledger.waiting(self.agent)
            }
            Err(status) => {
                self.ledger.violation(format!("an initiation was answered {status}"));
                return Err(Gone);
            }
        };
        if let Some((at, entry)) = waiting {
            self.exercise(at, &entry).await?;
        }
        self.plain().await
    }

    async fn exercise(&mut self, at: usize, entry: &Entry) -> Result<(), Gone> {
        let body = self.caller.hook(self.agent, &event(), Some(&entry.id));
        self.ledger.set(at, State::Sent(body.clone()));
        match self.caller.deliver(&body).await {
            Told::Granted(answer) => self.ledger.set(at, State::Granted(body.clone(), answer.clone())),
            Told::Refused(why) if why.contains("temporarily-unavailable") => {
                self.load.refused_hooks.fetch_add(1, SeqCst);
                return Ok(());
            }
            Told::Lost => return Err(Gone),
            other => {
                self.ledger.violation(format!("{entry:?}: told {other:?}"));
                return Ok(());
            }
        }
        self.load.granted.fetch_add(1, SeqCst);
        if self.dice.throw(4) > 0 {
            return Ok(());
        }
        match self.caller.deliver(&self.caller.hook(self.agent, &event(), Some(&entry.id))).await {
            Told::Refused(_) => Ok(()),
            Told::Lost => Err(Gone),
            other => {
                self.ledger.violation(format!("{entry:?}: another hook was told {other:?}"));
                Ok(())
            }
        }
    }

    /// A hook without an id is never touched, whatever the store's state.
    async fn plain(&mut self) -> Result<(), Gone> {
        match self.caller.deliver(&self.caller.hook(self.agent, &event(), None)).await {
            Told::Untouched => {
                self.load.untouched.fetch_add(1, SeqCst);
                Ok(())
            }
            Told::Lost => Err(Gone),
            other => {
                self.ledger.violation(format!("a hook without an id was told {other:?}"));
                Ok(())
            }
        }
    }
}

fn event() -> String {
    format!("event-{}", EVENT.fetch_add(1, SeqCst))
}
