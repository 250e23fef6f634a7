//! What the tests were told, to be compared with what is there.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex},
};

use behalf::{
    adapters::{
        store::embedded::{EmbeddedStore, Place, Settings},
        system::{OsEntropy, SystemClock},
    },
    domain::{
        audit::Event,
        ids::{DelegationId, DelegationRef, TenantName},
    },
    ports::store::{Seq, Store},
};

use super::rig::{Caller, Told};

/// How far an acknowledged delegation has come.
#[derive(Debug, Clone)]
pub(crate) enum State {
    /// Its id was given out.
    Begun,
    /// This hook was sent; what came of it isn't known.
    Sent(String),
    /// This hook was granted, with this answer.
    Granted(String, String),
}

/// One acknowledged delegation.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) agent: usize,
    pub(crate) state: State,
    /// Looked at since the last change of process.
    checked: bool,
}

/// All that was acknowledged, and what was found to be against it.
#[derive(Default)]
pub(crate) struct Ledger {
    entries: Mutex<Vec<Entry>>,
    violations: Mutex<Vec<String>>,
}

impl Ledger {
    pub(crate) fn begun(&self, id: String, agent: usize) -> usize {
        let mut entries = self.entries.lock().unwrap();
        entries.push(Entry { id, agent, state: State::Begun, checked: false });
        entries.len() - 1
    }

    pub(crate) fn set(&self, at: usize, state: State) {
        self.entries.lock().unwrap()[at].state = state;
    }

    pub(crate) fn violation(&self, what: String) {
        self.violations.lock().unwrap().push(what);
    }

    pub(crate) fn violations(&self) -> Vec<String> {
        self.violations.lock().unwrap().clone()
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.entries.lock().unwrap().clone()
    }

    /// An agent's id that waits for its hook.
    pub(crate) fn waiting(&self, agent: usize) -> Option<(usize, Entry)> {
        let entries = self.entries.lock().unwrap();
        let found = entries.iter().enumerate().find(|(_, e)| e.agent == agent && matches!(e.state, State::Begun));
        found.map(|(at, entry)| (at, entry.clone()))
    }

    /// Commits that were acknowledged: initiations and grants.
    pub(crate) fn acknowledged(&self) -> usize {
        let entries = self.entries.lock().unwrap();
        entries.len() + entries.iter().filter(|e| matches!(e.state, State::Granted(..))).count()
    }

    /// Compares with the running service everything that wasn't yet. `keep`: leave this entry waiting for now.
    pub(crate) async fn compare(self: &Arc<Self>, caller: &Caller, mut keep: impl FnMut() -> bool) {
        for (at, entry) in self.entries().into_iter().enumerate().filter(|(_, entry)| !entry.checked) {
            if matches!(entry.state, State::Begun) && keep() {
                continue;
            }
            self.compare_one(caller, at, &entry).await;
            self.entries.lock().unwrap()[at].checked = true;
        }
    }

    async fn compare_one(&self, caller: &Caller, at: usize, entry: &Entry) {
        let id = Some(entry.id.as_str());
        let (body, before) = match &entry.state {
            State::Begun => (caller.hook(entry.agent, &format!("late-{at}"), id), None),
            State::Sent(body) => (body.clone(), None),
            State::Granted(body, answer) => (body.clone(), Some(answer)),
        };
        match caller.deliver(&body).await {
            Told::Granted(answer) if before.is_none_or(|before| *before == answer) => {
                self.set(at, State::Granted(body, answer));
            }
            other => self.violation(format!("{entry:?}: its hook was told {other:?}")),
        }
        self.must_be_used(caller, entry, &format!("other-{at}")).await;
    }

    /// Another event for an id that was used must be refused.
    pub(crate) async fn must_be_used(&self, caller: &Caller, entry: &Entry, event: &str) {
        match caller.deliver(&caller.hook(entry.agent, event, Some(&entry.id))).await {
            Told::Refused(why) if why.contains("delegation-not-usable") => {}
            other => self.violation(format!("{entry:?}: another hook was told {other:?}")),
        }
    }

    /// Compares with the audit trail in a folder that no process uses. Gives the number of events.
    pub(crate) async fn compare_trail(&self, data: &Path) -> usize {
        self.compare_events(&trail(data).await)
    }

    /// Compares with an audit trail: no gap, and one event for each commit. Gives the number of events.
    pub(crate) fn compare_events(&self, trail: &[(Seq, Event)]) -> usize {
        for (at, (seq, _)) in trail.iter().enumerate() {
            if seq.0 != at as u64 + 1 {
                self.violation(format!("event {} has the number {}", at + 1, seq.0));
                break;
            }
        }
        let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
        for (_, event) in trail {
            for target in event.target.iter().filter(|target| target.kind == "delegation") {
                *counts.entry((event.code.clone(), target.id.clone())).or_default() += 1;
            }
        }
        let mut expect = |code: &str, reference: &str, times: usize, entry: &Entry| {
            let found = counts.remove(&(code.to_owned(), reference.to_owned())).unwrap_or(0);
            if found != times {
                self.violation(format!("{entry:?}: {code} was written {found} times"));
            }
        };
        for entry in self.entries() {
            let reference = DelegationRef(DelegationId::parse(&entry.id).unwrap().record()).to_string();
            expect("DA1100", &reference, 1, &entry);
            match entry.state {
                State::Granted(..) => expect("DA1000", &reference, 1, &entry),
                State::Begun => expect("DA1000", &reference, 0, &entry),
                State::Sent(_) => self.violation(format!("{entry:?} was never settled")),
            }
        }
        for (_, reference) in counts.keys().filter(|(code, _)| code == "DA1000") {
            self.violation(format!("{reference} was granted, but nobody was told its id"));
        }
        trail.len()
    }
}

/// Every event of the default tenant in a folder that no process uses.
pub(crate) async fn trail(data: &Path) -> Vec<(Seq, Event)> {
    let settings = Settings::new(Place::Folder(data.to_owned()));
    let store = EmbeddedStore::open(&settings, Arc::new(SystemClock), &OsEntropy).unwrap();
    events_of(&store).await
}

/// Every event of the default tenant in a store.
pub(crate) async fn events_of(store: &impl Store) -> Vec<(Seq, Event)> {
    let mut trail = Vec::new();
    loop {
        let after = trail.last().map_or(Seq(0), |(seq, _)| *seq);
        let page = store.events(&TenantName::default_tenant(), after, 1000).await.unwrap();
        if page.is_empty() {
            return trail;
        }
        trail.extend(page.into_iter().map(|e| (e.seq, serde_json::from_slice(&e.body).unwrap())));
    }
}
