//! Old events are dropped up to a checkpoint, and verification begins there.

use behalf::{
    app::{
        deliver,
        growth::{Growth, growth},
        records,
        retention::{Retention, Trimmed},
    },
    domain::{audit::Event, chain::Wrong},
    ports::store::{Page, Put, Seq},
};

use super::{delivery::Shelf, *};

const SINK: &str = "shelf";

pub(super) fn a_day() -> Retention {
    Retention { keep: SignedDuration::from_hours(24), sinks: vec![SINK.to_owned()], verify: signing::verify }
}

pub(super) async fn deliver_all(rig: &Rig, sealer: &Sealer) {
    let shelf = Shelf::default();
    while deliver::pass(&rig.services, &acme(), &shelf, sealer.holder()).await.unwrap().more {}
}

/// 300 events that are older than a day, with checkpoints at 256 and 300, and 100 younger ones; all are sealed.
pub(super) async fn old_and_young(rig: &Rig, sealer: &Sealer) {
    sealer.announce(&rig.services, &acme()).await.unwrap();
    rig.write(300).await;
    rig.seal_all(sealer).await;
    rig.clock.advance(SignedDuration::from_secs(60));
    rig.seal_all(sealer).await;
    rig.clock.advance(SignedDuration::from_hours(25));
    rig.write(100).await;
    rig.seal_all(sealer).await;
}

async fn trim(rig: &Rig, sealer: &Sealer, retention: &Retention) -> u64 {
    let mut dropped = 0;
    loop {
        let pass = retention.pass(&rig.services, &acme(), sealer.holder()).await.unwrap();
        dropped += pass.dropped;
        if !pass.more {
            return dropped;
        }
    }
}

/// Drops the 300 old ones, and seals what tells of it.
pub(super) async fn trim_old(rig: &Rig, sealer: &Sealer) {
    deliver_all(rig, sealer).await;
    assert_eq!(trim(rig, sealer, &a_day()).await, 300);
    rig.seal_all(sealer).await;
}

async fn kept(rig: &Rig) -> Vec<u64> {
    let events = rig.services.store.events(&acme(), Seq(0), 1000).await.unwrap();
    events.iter().map(|event| event.seq.0).collect()
}

async fn checkpoints(rig: &Rig) -> Vec<(Key, Checkpoint)> {
    let page = Page { up_to: u64::MAX, after: None, limit: 100 };
    let found = rig.services.store.list(&acme(), sealed::checkpoints(), page).await.unwrap();
    found.readable().map(|(_, key, record)| (key, records::decode(record).unwrap())).collect()
}

fn at(found: &[(Key, Checkpoint)], seq: u64) -> &(Key, Checkpoint) {
    found.iter().find(|(_, checkpoint)| checkpoint.says.head.seq == seq).unwrap()
}

/// What whoever owns the data can do.
pub(super) async fn meddle(rig: &Rig, forget: Option<Seq>, puts: Vec<(Key, Checkpoint)>) {
    let put = |(key, checkpoint): &(Key, Checkpoint)| {
        let body = records::encode(checkpoint).unwrap();
        let indexes = Vec::new();
        Put { key: *key, body, live_until: None, drop_at: None, indexes }
    };
    let change = Change {
        puts: puts.iter().map(put).collect(),
        forget,
        ..Change::new(rig.services.change_id(), Timestamp::MAX)
    };
    assert!(matches!(rig.services.store.commit(&acme(), change).await.unwrap(), Committed::Done(_)));
}

fn from_start(entries: &[Entry], start: Start, checkpoints: Vec<Checkpoint>, key: &SigningKey) -> Result<Report, Bad> {
    let keys = Keyring::new([key.public_key()], signing::verify);
    let (from, to) = (None, None);
    let mut verifier = Verifier::new(Settings { tenant: acme(), start, from, to, repeats: false, checkpoints, keys });
    for entry in entries {
        verifier.feed(entry)?;
    }
    verifier.finish()
}

#[tokio::test]
async fn what_is_old_sealed_and_delivered_goes_up_to_a_checkpoint() {
    let (rig, key) = (Rig::new(), signing_key());
    let sealer = sealer_with(&key);
    old_and_young(&rig, &sealer).await;
    let before = rig.entries().await;
    trim_old(&rig, &sealer).await;
    assert_eq!(kept(&rig).await, (301..=401).collect::<Vec<_>>());
    let last = rig.services.store.events(&acme(), Seq(400), 1).await.unwrap();
    let told: Event = serde_json::from_slice(&last[0].body).unwrap();
    assert_eq!((told.code.as_str(), told.kind.as_str()), ("DA9002", "audit.trimmed"));
    assert_eq!((&told.details["from"], &told.details["up_to"]), (&1.into(), &300.into()));
    let start: Checkpoint = rig.record(sealed::start_key()).await.unwrap();
    assert_eq!(told.details["checkpoint"], serde_json::to_value(&start).unwrap());
    assert_eq!(start.says.head, before[299].head());
    let left: Vec<u64> = checkpoints(&rig).await.iter().map(|(_, checkpoint)| checkpoint.says.head.seq).collect();
    assert_eq!(left, [300, 400], "what attests dropped events goes with them");

    let entries = rig.entries().await;
    let report = from_start(&entries, Start::Behind(start.clone()), vec![rig.latest().await], &key).unwrap();
    assert_eq!((report.range, report.behind, report.told), (Some((301, 401)), Some(300), true));
    assert!(report.anchored && report.checkpoints == 2);
    let bad = from_start(&entries, Start::Whole, vec![start], &key).unwrap_err();
    assert_eq!((bad.seq, bad.wrong), (1, Wrong::Missing(301)), "a checkpoint alone is no leave to drop");
    let joined: Vec<Entry> = before.into_iter().chain(entries.into_iter().filter(|entry| entry.seq > 400)).collect();
    assert_eq!(verify(&joined, vec![rig.latest().await], &key).unwrap().range, Some((1, 401)));
    assert_eq!(trim(&rig, &sealer, &a_day()).await, 0);
}

#[tokio::test]
async fn many_go_step_by_step_and_the_trail_goes_on() {
    let (rig, key) = (Rig::new(), signing_key());
    let sealer = sealer_with(&key);
    sealer.announce(&rig.services, &acme()).await.unwrap();
    for round in 1..=2_u64 {
        rig.write(2300).await;
        rig.seal_all(&sealer).await;
        rig.clock.advance(SignedDuration::from_secs(60));
        rig.seal_all(&sealer).await;
        rig.clock.advance(SignedDuration::from_hours(25));
        deliver_all(&rig, &sealer).await;
        let last = rig.latest().await.says.head.seq;
        trim(&rig, &sealer, &a_day()).await;
        rig.seal_all(&sealer).await;
        let start: Checkpoint = rig.record(sealed::start_key()).await.unwrap();
        assert_eq!(start.says.head.seq, last, "round {round}");
        let entries = rig.entries().await;
        let report = from_start(&entries, Start::Behind(start), vec![rig.latest().await], &key).unwrap();
        assert!(report.told);
        assert_eq!(report.range, Some((last + 1, rig.head().await.seq)));
    }
}

#[tokio::test]
async fn nothing_goes_that_is_young_undelivered_or_kept_nowhere_else() {
    let (rig, key) = (Rig::new(), signing_key());
    let sealer = sealer_with(&key);
    old_and_young(&rig, &sealer).await;
    assert_eq!(trim(&rig, &sealer, &a_day()).await, 0, "the sink has nothing yet");
    let shelf = Shelf::default();
    deliver::pass(&rig.services, &acme(), &shelf, sealer.holder()).await.unwrap();
    let two = Retention { sinks: vec![SINK.to_owned(), "another".to_owned()], ..a_day() };
    assert_eq!(trim(&rig, &sealer, &two).await, 0, "the other sink has nothing yet");
    assert_eq!(trim(&rig, &sealer, &Retention { sinks: Vec::new(), ..a_day() }).await, 0);
    let long = Retention { keep: SignedDuration::from_hours(26), ..a_day() };
    assert_eq!(trim(&rig, &sealer, &long).await, 0, "they are young");
    let other = a_day().pass(&rig.services, &acme(), "another process").await.unwrap();
    assert_eq!(other, Trimmed::default(), "another process has the lease");
    assert_eq!(kept(&rig).await.len(), 400);
    assert_eq!(trim(&rig, &sealer, &a_day()).await, 256, "so many were delivered");
    assert_eq!(kept(&rig).await[0], 257);
    let for_ever = Retention { keep: SignedDuration::MAX, ..a_day() };
    assert_eq!(trim(&rig, &sealer, &for_ever).await, 0);
}

#[tokio::test]
async fn what_does_not_verify_is_not_dropped() {
    let (rig, key) = (Rig::new(), signing_key());
    let sealer = sealer_with(&key);
    old_and_young(&rig, &sealer).await;
    deliver_all(&rig, &sealer).await;
    let page = Page { up_to: u64::MAX, after: None, limit: 100 };
    let found = rig.services.store.list(&acme(), sealed::checkpoints(), page).await.unwrap();
    let (sort, place, record) = found.readable().find(|(seq, ..)| *seq == 300).unwrap();
    let good: Checkpoint = records::decode(record).unwrap();
    let other = at(&checkpoints(&rig).await, 256).1.clone();
    let mut forged = good.clone();
    forged.says.head.hash = other.says.head.hash;
    let stranger = signing_key();
    let mut foreign = good.clone();
    foreign.says.key = stranger.public_key().id();
    foreign.signature = stranger.sign(&foreign.says.message().unwrap());
    let swapped = Checkpoint { signature: other.signature, ..good.clone() };
    for (checkpoint, why) in [(forged, "does not fit"), (foreign, "is not known"), (swapped, "is not signed")] {
        let indexes = vec![behalf::ports::store::IndexRow { index: sealed::checkpoints(), sort }];
        let body = records::encode(&checkpoint).unwrap();
        let put = Put { key: place, body, live_until: None, drop_at: None, indexes };
        let change = Change { puts: vec![put], ..Change::new(rig.services.change_id(), Timestamp::MAX) };
        rig.services.store.commit(&acme(), change).await.unwrap();
        let error = a_day().pass(&rig.services, &acme(), sealer.holder()).await.unwrap_err();
        assert!(format!("{error:?}").contains(why), "{why}: {error:?}");
    }
    assert_eq!(kept(&rig).await.len(), 400);
}

#[tokio::test]
async fn growth_is_what_came_within_a_day() {
    let rig = Rig::new();
    let seen = async || growth(&*rig.services.store, &acme()).await.unwrap();
    assert_eq!(seen().await, Growth { events: 0, bytes: 0, since: Some(0) });
    rig.write(100).await;
    rig.clock.advance(SignedDuration::from_hours(12));
    rig.write(51).await;
    let young = seen().await;
    assert_eq!((young.events, young.since), (151, Some(12 * 3600)));
    assert!((151 * 100..151 * 1000).contains(&young.bytes), "{}", young.bytes);
    rig.clock.advance(SignedDuration::from_hours(13));
    assert_eq!((seen().await.events, seen().await.since), (51, None));
    meddle(&rig, Some(Seq(99)), Vec::new()).await;
    assert_eq!((seen().await.events, seen().await.since), (51, None));
    rig.clock.advance(SignedDuration::from_hours(24));
    assert_eq!(seen().await.events, 0);
    meddle(&rig, Some(Seq(151)), Vec::new()).await;
    assert_eq!(seen().await.events, 0);
}
