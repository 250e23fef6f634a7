//! What everybody was told, compared with the trail.

use std::collections::{BTreeMap, BTreeSet};

use behalf::{domain::audit::Event, ports::store::Seq};

use super::driver::{Flow, USES};

/// What the trail tells, sorted by what it is about.
pub(super) struct Trail<'a> {
    events: &'a [(Seq, Event)],
    /// How often each code was written, by the kind and id of the target.
    counts: BTreeMap<(&'a str, &'a str, &'a str), usize>,
}

impl<'a> Trail<'a> {
    pub(super) fn new(events: &'a [(Seq, Event)]) -> Self {
        let mut counts = BTreeMap::new();
        for (at, (seq, event)) in events.iter().enumerate() {
            assert_eq!(seq.0, at as u64 + 1, "numbers without a gap");
            for target in &event.target {
                *counts.entry((event.code.as_str(), target.kind.as_str(), target.id.as_str())).or_default() += 1;
            }
        }
        Self { events, counts }
    }

    fn count(&self, code: &str, kind: &str, id: &str) -> usize {
        self.counts.get(&(code, kind, id)).copied().unwrap_or(0)
    }

    fn targets(&self, code: &str, kind: &str) -> BTreeSet<&'a str> {
        self.counts.keys().filter(|key| key.0 == code && key.1 == kind).map(|key| key.2).collect()
    }

    /// All of it. `left`: flows that nobody went on with, whose last hook may have been granted without anybody's
    /// knowledge.
    pub(super) fn compare(&self, flows: &[Flow], left: &[Flow]) -> String {
        self.approvals();
        self.reservations();
        let granted = self.grants();
        let mut known = BTreeSet::new();
        for flow in flows.iter().chain(left) {
            self.acknowledged(flow);
            for (event, reference) in &flow.told.granted {
                assert_eq!(granted.get(event.as_str()), Some(&reference.as_str()), "{flow:?}: {event}");
                known.insert(event.as_str());
            }
        }
        for event in granted.keys().filter(|event| !known.contains(*event)) {
            let may = left.iter().any(|flow| event.starts_with(&format!("{}-", flow.agent)));
            assert!(may, "{event} was granted, and whoever sent it wasn't told");
        }
        let all = |code, kind| self.targets(code, kind).len();
        format!(
            "{} events, {} approvals, {} reservations, {} tokens",
            self.events.len(),
            all("DA2000", "approval"),
            all("DA3000", "reservation"),
            granted.len()
        )
    }

    /// No approval was decided twice, or used more often than it may be.
    fn approvals(&self) {
        for id in self.targets("DA2000", "approval") {
            let of = |code: &str| self.count(code, "approval", id);
            assert_eq!(of("DA2000"), 1, "{id}");
            assert_eq!(of("DA2001"), of("DA2002"), "{id}: one vote decides");
            assert!(of("DA2002") <= 1, "{id}");
            assert!(of("DA2007") <= USES * of("DA2002"), "{id} was used {} times", of("DA2007"));
            if of("DA2007") == USES {
                assert_eq!(of("DA2008"), 1, "{id} is used up");
            }
        }
    }

    /// Every reservation ended, once.
    fn reservations(&self) {
        for id in self.targets("DA3000", "reservation") {
            let of = |code: &str| self.count(code, "reservation", id);
            let ends: usize = (3001..=3005).map(|code| of(&format!("DA{code}"))).sum();
            assert_eq!((of("DA3000"), ends), (1, 1), "{id}");
        }
    }

    /// The event ids of granted hooks, with the delegation's reference. Each stands beside one use of an approval and
    /// one of a reservation, in the events of one commit; and neither is used otherwise.
    fn grants(&self) -> BTreeMap<&'a str, &'a str> {
        let mut granted = BTreeMap::new();
        for (at, (_, event)) in self.events.iter().enumerate().filter(|(_, (_, event))| event.code == "DA1000") {
            let mine: Vec<&str> = self.events[at..]
                .iter()
                .take_while(|(_, other)| other.request.id == event.request.id)
                .map(|(_, other)| other.code.as_str())
                .collect();
            let whole = [&["DA1000", "DA2007", "DA3001"][..], &["DA1000", "DA2007", "DA2008", "DA3001"]];
            assert!(whole.contains(&&mine[..]), "{event:?}: {mine:?}");
            let hook = event.request.hook_event_id.as_deref().unwrap();
            let reference = event.target.iter().find(|target| target.kind == "delegation").unwrap();
            assert_eq!(granted.insert(hook, reference.id.as_str()), None, "{hook} was granted twice");
        }
        let references: BTreeSet<_> = granted.values().collect();
        assert_eq!(references.len(), granted.len(), "a delegation was used twice");
        for code in ["DA2007", "DA3001"] {
            let all = self.events.iter().filter(|(_, event)| event.code == code).count();
            assert_eq!(all, granted.len(), "{code} without a token");
        }
        granted
    }

    fn acknowledged(&self, flow: &Flow) {
        let told = &flow.told;
        for id in &told.asked {
            assert_eq!(self.count("DA2000", "approval", id), 1, "{flow:?}: {id} was asked for");
        }
        for id in &told.approved {
            assert_eq!(self.count("DA2002", "approval", id), 1, "{flow:?}: {id} was approved");
        }
        for (reference, approval) in &told.begun {
            let named = |event: &Event, kind: &str, id: &str| event.target.iter().any(|t| t.kind == kind && t.id == id);
            let mut begun = self.events.iter().filter(|(_, e)| e.code == "DA1100" && named(e, "delegation", reference));
            let (_, event) = begun.next().unwrap_or_else(|| panic!("{flow:?}: {reference} was begun"));
            assert!(named(event, "approval", approval), "{event:?}");
            assert!(event.target.iter().any(|target| target.kind == "reservation"), "{event:?}");
            assert!(begun.next().is_none(), "{reference} was begun twice");
        }
    }
}
