//! Random changes on the store and on a model of a few lines: they must agree.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use behalf::{
    adapters::store::embedded::{EmbeddedStore, Place, Settings},
    ports::{
        clock::ManualClock,
        entropy::SeededEntropy,
        store::{Change, Committed, Expect, Key, Page, Seq},
    },
};
use jiff::Timestamp;
use proptest::prelude::*;

use super::bench;
use crate::contract::stores::{Bench, Draft, draft, index, key, ms, start};

/// One step, on a handful of records.
#[derive(Debug, Clone)]
enum Step {
    Advance(i64),
    Change {
        expect: Vec<(u64, Wish)>,
        put: BTreeMap<u64, Vec<u64>>,
        remove: BTreeSet<u64>,
        events: u8,
        forget: u64,
        patience: i64,
    },
}

/// An expectation; `true`: of the present version, as far as there is one.
#[derive(Debug, Clone, Copy)]
enum Wish {
    Absent,
    Version(bool),
    Live(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let wish = prop_oneof![
        Just(Wish::Absent),
        prop::bool::weighted(0.8).prop_map(Wish::Version),
        prop::bool::weighted(0.8).prop_map(Wish::Live),
    ];
    let change = (
        prop::collection::vec((0..5_u64, wish), 0..3),
        prop::collection::btree_map(0..5_u64, prop::collection::vec(0..4_u64, 0..3), 0..3),
        prop::collection::btree_set(0..5_u64, 0..2),
        (0..3_u8, 0..4_u64),
        -1..20_i64,
    )
        .prop_map(|(expect, put, remove, (events, forget), patience)| Step::Change {
            expect,
            put,
            remove,
            events,
            forget,
            patience,
        });
    prop_oneof![1 => (-3..6_i64).prop_map(Step::Advance), 4 => change]
}

#[derive(Clone)]
struct Model {
    records: BTreeMap<Key, Entry>,
    events: Vec<Vec<u8>>,
    forgotten: u64,
    clock: Timestamp,
    now: Timestamp,
}

#[derive(Clone)]
struct Entry {
    version: u64,
    live_until: Option<Timestamp>,
    body: Vec<u8>,
    rows: BTreeSet<u64>,
}

impl Model {
    fn draft(&self, step: &Step) -> Option<Draft> {
        let Step::Change { expect, put, remove, events, forget, patience } = step else { return None };
        let mut change = draft().not_after(self.now + ms(*patience));
        for (n, wish) in expect {
            let version = |right: bool| self.records.get(&key(*n)).map_or(1, |entry| entry.version) + u64::from(!right);
            change = change.expect(
                key(*n),
                match wish {
                    Wish::Absent => Expect::Absent,
                    Wish::Version(right) => Expect::Version(version(*right)),
                    Wish::Live(right) => Expect::VersionLive(version(*right)),
                },
            );
        }
        for (n, sorts) in put {
            let rows: Vec<_> = sorts.iter().map(|sort| (1, *sort)).collect();
            change = change.put_in(key(*n), &rows);
            let put = change.0.puts.last_mut().unwrap();
            put.live_until = sorts.first().map(|n| self.now + ms(n.cast_signed()));
            put.body = change.0.id.0.to_vec();
        }
        for n in remove.iter().filter(|n| !put.contains_key(n)) {
            change = change.remove(key(*n));
        }
        for n in 0..*events {
            change = change.event(&[n]);
        }
        // Now and then up to one that is gone already, never beyond the last.
        let last = self.events.len() as u64;
        if *forget > 0 {
            change = change.forget((self.forgotten + forget - 1).min(last).saturating_sub(1));
        }
        Some(change)
    }

    fn commit(&mut self, change: &Change) -> Committed {
        if self.now >= change.not_after {
            return Committed::Late;
        }
        for (key, expect) in &change.expect {
            let holds = match (expect, self.records.get(key)) {
                (Expect::Absent, entry) => entry.is_none(),
                (Expect::Version(n), Some(entry)) => entry.version == *n,
                (Expect::VersionLive(n), Some(entry)) => {
                    entry.version == *n && entry.live_until.is_none_or(|end| self.now < end)
                }
                (_, None) => false,
            };
            if !holds {
                return Committed::Conflict(*key);
            }
        }
        for put in &change.puts {
            let rows = put.indexes.iter().map(|row| row.sort).collect();
            // The version is the store's to choose; it is looked up afterwards.
            let entry = Entry { version: 0, live_until: put.live_until, body: put.body.clone(), rows };
            self.records.insert(put.key, entry);
        }
        for key in &change.drops {
            self.records.remove(key);
        }
        self.forgotten = self.forgotten.max(change.forget.map_or(0, |seq| seq.0));
        let first = self.events.len() as u64 + 1;
        self.events.extend(change.events.iter().cloned());
        Committed::Done((first..=self.events.len() as u64).map(Seq).collect())
    }
}

/// Compares everything there is, and learns the new versions.
async fn agree(b: &Bench, model: &mut Model, highest: &mut u64) {
    let keys: Vec<_> = (0..5).map(key).collect();
    let snapshot = b.store.read(&b.tenant, &keys).await.unwrap();
    assert_eq!(snapshot.now, model.now);
    assert_eq!(snapshot.records.len(), model.records.len());
    let before = *highest;
    for (key, entry) in &mut model.records {
        let record = snapshot.get(key).unwrap();
        assert_eq!((&record.body, record.live_until), (&entry.body, entry.live_until));
        if entry.version == 0 {
            assert!(record.version > before, "version {} was used before", record.version);
            entry.version = record.version;
            *highest = (*highest).max(record.version);
        }
        assert_eq!(record.version, entry.version);
    }
    let page = Page { up_to: u64::MAX, after: None, limit: 1000 };
    let rows = b.store.list(&b.tenant, index(1), page).await.unwrap().rows;
    let found: Vec<_> = rows.iter().map(|(sort, key, _)| (*sort, *key)).collect();
    let mut expected: Vec<_> =
        model.records.iter().flat_map(|(key, entry)| entry.rows.iter().map(|sort| (*sort, *key))).collect();
    expected.sort_unstable();
    assert_eq!(found, expected);
    let events = b.store.events(&b.tenant, Seq(0), 1000).await.unwrap();
    let numbered = (1..).map(Seq).zip(model.events.clone()).skip(usize::try_from(model.forgotten).unwrap());
    assert_eq!(events.into_iter().map(|e| (e.seq, e.body)).collect::<Vec<_>>(), numbered.collect::<Vec<_>>());
}

async fn run(steps: Vec<Step>) {
    let clock = Arc::new(ManualClock::at(start()));
    let time = Arc::<ManualClock>::clone(&clock);
    let settings = Settings { cache_bytes: 1 << 20, ..Settings::new(Place::Memory) };
    let store = Arc::new(EmbeddedStore::open(&settings, time, &SeededEntropy::default()).unwrap());
    let b = bench(&store, &clock);
    let mut model = Model { records: BTreeMap::new(), events: Vec::new(), forgotten: 0, clock: start(), now: start() };
    let mut highest = 0;
    agree(&b, &mut model, &mut highest).await;
    for step in &steps {
        if let Step::Advance(by) = step {
            clock.advance(ms(*by));
            model.clock += ms(*by);
            // Set back, the clock lets the store's time go on at its own pace.
            model.now = (model.now + ms((*by).max(0))).max(model.clock);
        } else if let Some(change) = model.draft(step).map(Draft::build) {
            assert_eq!(b.commit(change.clone()).await, model.commit(&change));
        }
        agree(&b, &mut model, &mut highest).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_agrees_with_a_model(steps in prop::collection::vec(step(), 1..40)) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(run(steps));
    }
}
