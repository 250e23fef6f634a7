//! Sealing: every event once, in order, whoever does it.

use std::sync::atomic::{AtomicBool, Ordering};

use behalf::{
    app::{records, sealed::SigningKeys},
    domain::audit::Event,
    ports::store::{Page, Seq},
};

use super::*;

#[tokio::test]
async fn every_event_is_sealed_in_its_order() {
    let (rig, key) = (Rig::new(), signing_key());
    let sealer = sealer_with(&key);
    rig.write(700).await;
    rig.seal_all(&sealer).await;
    rig.write(1).await;
    rig.seal_all(&sealer).await;
    let entries = rig.entries().await;
    assert_eq!(rig.head().await, entries.last().unwrap().head());
    let report = verify(&entries, vec![rig.latest().await], &key).unwrap();
    assert_eq!((report.range, report.checkpoints, report.anchored), (Some((1, 701)), 1, true));
    assert_eq!(rig.seal(&sealer).await, Pass::default());
}

#[tokio::test]
async fn checkpoints_come_by_number_and_by_time_and_when_nothing_happens() {
    let (rig, key) = (Rig::new(), signing_key());
    let sealer = sealer_with(&key);
    assert!(rig.seal(&sealer).await.checkpoint);
    assert_eq!(rig.latest().await.says.head, SealedHead::genesis(&acme()));
    for _ in 0..25 {
        rig.write(100).await;
    }
    rig.seal_all(&sealer).await;
    assert_eq!(rig.latest().await.says.head.seq, 2000);
    rig.clock.advance(SignedDuration::from_secs(59));
    assert_eq!(rig.seal(&sealer).await, Pass::default());
    rig.clock.advance(SignedDuration::from_secs(1));
    assert!(rig.seal(&sealer).await.checkpoint);
    let first = rig.latest().await;
    rig.clock.advance(SignedDuration::from_secs(60));
    assert_eq!(rig.seal(&sealer).await, Pass { sealed: 0, checkpoint: true, more: false });
    let second = rig.latest().await;
    assert_eq!((first.says.head, second.says.head.seq), (second.says.head, 2500));
    assert!(second.says.time > first.says.time);
    let page = Page { up_to: u64::MAX, after: None, limit: 100 };
    let kept = rig.services.store.list(&acme(), sealed::checkpoints(), page).await.unwrap();
    let kept: Vec<Checkpoint> = kept.readable().map(|(_, _, record)| records::decode(record).unwrap()).collect();
    assert_eq!(kept.iter().map(|c| c.says.head.seq).collect::<Vec<_>>(), [0, 1000, 2000, 2500]);
    assert_eq!(verify(&rig.entries().await, kept, &key).unwrap().checkpoints, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_sealers_under_load_skip_nothing_and_seal_nothing_twice() {
    let (rig, key) = (Arc::new(Rig::new()), signing_key());
    let done = Arc::new(AtomicBool::new(false));
    let sealers: Vec<_> = (0..2)
        .map(|_| {
            let (rig, sealer, done) = (Arc::clone(&rig), sealer_with(&key), Arc::clone(&done));
            tokio::spawn(async move {
                let mut count = 0;
                while !done.load(Ordering::SeqCst) {
                    count += rig.seal(&sealer).await.sealed;
                    // Longer than the lease: the other one gets its turn.
                    rig.clock.advance(SignedDuration::from_secs(7));
                    tokio::task::yield_now().await;
                }
                count
            })
        })
        .collect();
    for n in 0..150 {
        rig.write(n % 7 + 1).await;
    }
    let written = (0..150).map(|n| n % 7 + 1).sum::<u64>();
    let all = async || rig.record::<SealedHead>(sealed::head_key()).await.is_some_and(|head| head.seq == written);
    crate::support::test_app::eventually("all of it is sealed", all).await;
    done.store(true, Ordering::SeqCst);
    let mut sealed = 0;
    for sealer in sealers {
        sealed += sealer.await.unwrap();
    }
    assert_eq!(sealed, written);
    assert_eq!(verify(&rig.entries().await, vec![rig.latest().await], &key).unwrap().entries, written);
}

#[tokio::test]
async fn a_restart_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let load = || Arc::new(SigningKey::load_or_make(folder.path(), &OsEntropy).unwrap());
    for round in 1..=3 {
        let rig = Rig::in_folder(folder.path());
        let key = load();
        let sealer = sealer_with(&key);
        sealer.announce(&rig.services, &acme()).await.unwrap();
        // The lease of the process before has to run out.
        rig.clock.advance(SignedDuration::from_secs(60 * i64::try_from(round).unwrap()));
        rig.write(300).await;
        rig.seal_all(&sealer).await;
        rig.write(5).await;
        let entries = rig.entries().await;
        assert_eq!(entries.len(), round * 305 - 5);
        verify(&entries, vec![rig.latest().await], &key).unwrap();
        rig.store.close();
    }
}

#[tokio::test]
async fn a_change_of_key_is_an_event_that_both_sign() {
    let (rig, old, new) = (Rig::new(), signing_key(), signing_key());
    let first = sealer_with(&old);
    first.announce(&rig.services, &acme()).await.unwrap();
    rig.write(3).await;
    rig.seal_all(&first).await;
    let before = rig.latest().await;
    let second = Sealer::new(Arc::clone(&new) as _, Some(Arc::clone(&old) as _), &OsEntropy);
    for _ in 0..2 {
        second.announce(&rig.services, &acme()).await.unwrap();
    }
    rig.clock.advance(SignedDuration::from_secs(60));
    rig.seal_all(&second).await;
    let after = rig.latest().await;
    assert_eq!((before.says.key, after.says.key), (old.public_key().id(), new.public_key().id()));
    let entries = rig.entries().await;
    assert_eq!(entries.len(), 4, "it is told once");
    for known in [&old, &new] {
        let report = verify(&entries, vec![before.clone(), after.clone()], known).unwrap();
        assert_eq!(report.checkpoints, 2);
    }
    let stranger = signing_key();
    assert!(verify(&entries, vec![after], &stranger).is_err());
    let stored = rig.services.store.events(&acme(), Seq(3), 10).await.unwrap();
    let event: Event = serde_json::from_slice(&stored[0].body).unwrap();
    assert_eq!((event.code.as_str(), event.kind.as_str()), ("DA9001", "audit.key_rotated"));
    let keys: SigningKeys = rig.record(sealed::keys_key()).await.unwrap();
    assert_eq!((keys.current, keys.former), (new.public_key(), vec![old.public_key()]));
}
