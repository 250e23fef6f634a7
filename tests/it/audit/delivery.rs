//! Sinks: in order, at least once, and never an entry that isn't sealed.

use std::{
    io,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use behalf::{adapters::audit::file::JsonLines, app::deliver, ports::audit_sink::AuditSink};

use super::*;

/// Keeps what it is given; may say that it doesn't.
#[derive(Default)]
pub(super) struct Shelf {
    lines: Mutex<Vec<u8>>,
    failing: AtomicBool,
}

#[async_trait]
impl AuditSink for Shelf {
    fn name(&self) -> &'static str {
        "shelf"
    }

    fn durable(&self) -> bool {
        true
    }

    async fn write(&self, lines: Vec<u8>) -> io::Result<()> {
        self.lines.lock().unwrap().extend(lines);
        if self.failing.load(Ordering::SeqCst) { Err(io::Error::other("the test says so")) } else { Ok(()) }
    }
}

fn entries(text: &str) -> Vec<Entry> {
    text.lines().map(|line| Entry::parse(line).unwrap()).collect()
}

#[tokio::test]
async fn a_failed_write_comes_again_and_nothing_is_left_out() {
    let (rig, key, shelf) = (Rig::new(), signing_key(), Shelf::default());
    let sealer = sealer_with(&key);
    rig.write(300).await;
    rig.seal_all(&sealer).await;
    rig.write(10).await;
    shelf.failing.store(true, Ordering::SeqCst);
    assert!(deliver::pass(&rig.services, &acme(), &shelf, "me").await.is_err());
    shelf.failing.store(false, Ordering::SeqCst);
    while deliver::pass(&rig.services, &acme(), &shelf, "me").await.unwrap().more {}
    let text = String::from_utf8(shelf.lines.lock().unwrap().clone()).unwrap();
    let delivered = entries(&text);
    assert_eq!(delivered.len(), 256 + 300, "one batch came twice, and what isn't sealed didn't come");
    assert_eq!(verify(&delivered[256..], vec![], &key).unwrap().entries, 300);
    assert_eq!(deliver::pass(&rig.services, &acme(), &shelf, "me").await.unwrap().entries, 0);
}

#[tokio::test]
async fn a_file_goes_on_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (path, key) = (folder.path().join("audit.jsonl"), signing_key());
    for round in 1..=3_u64 {
        let (rig, sink) = (Rig::in_folder(&folder.path().join("data")), JsonLines::new(&path));
        rig.write(300).await;
        rig.seal_all(&sealer_with(&key)).await;
        // The lease of the process before has to run out.
        rig.clock.advance(SignedDuration::from_secs(i64::try_from(round).unwrap() * 60));
        let holder = round.to_string();
        while deliver::pass(&rig.services, &acme(), &sink, &holder).await.unwrap().more {}
        let delivered = entries(&std::fs::read_to_string(&path).unwrap());
        assert_eq!(verify(&delivered, vec![], &key).unwrap().entries, round * 300);
        rig.store.close();
    }
}
