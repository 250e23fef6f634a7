//! A disk that fills up and is freed again.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};

use super::{Dice, drive::Load, is_root, ledger::Ledger, rig::World, skipped};

/// A small file system of its own, gone with this value.
pub(crate) struct Disk(PathBuf);

impl Disk {
    /// `None`: it can't be mounted here.
    pub(crate) fn mount(at: &Path) -> Option<Self> {
        fs::create_dir(at).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=12m,mode=0700", "tmpfs"]).arg(at).output();
        mounted.is_ok_and(|done| done.status.success()).then(|| Self(at.to_owned()))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// `ro` or `rw`.
    pub(crate) fn remount(&self, how: &str) {
        let done = Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(&self.0).status();
        assert!(done.unwrap().success(), "can't be mounted {how}");
    }

    /// Takes every byte that is left.
    fn fill(&self) {
        let mut filler = File::create(self.0.join("filler")).unwrap();
        while filler.write_all(&[0; 4096]).is_ok() {}
    }

    fn free(&self) {
        fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(&self.0).status());
    }
}

async fn reaches(what: &str, world: &Ledger, holds: impl Fn() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(tokio::time::Instant::now() < deadline, "not in time: {what}; {:?}", world.violations());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_and_a_freed_one_serves_again() {
    let world = World::new(4);
    let Some(disk) = Disk::mount(&world.path("disk")) else {
        return skipped("a small file system can't be mounted here", is_root());
    };
    let data = disk.0.join("data");
    let mut process = world.start(&data).await;
    let caller = world.caller(&process);
    world.grant_all(&caller).await;
    let (ledger, load) = (Arc::new(Ledger::default()), Arc::new(Load::default()));
    let mut drivers = load.start(&caller, &ledger, &mut Dice::new());
    for round in 0..3 {
        let served = load.granted.load(SeqCst) + 20;
        reaches("service", &ledger, || load.granted.load(SeqCst) >= served).await;
        let (begins, hooks) = (load.refused_begins.load(SeqCst), load.refused_hooks.load(SeqCst));
        disk.fill();
        let plain = load.untouched.load(SeqCst);
        reaches("refusals", &ledger, || {
            load.refused_begins.load(SeqCst) > begins && load.refused_hooks.load(SeqCst) > hooks
        })
        .await;
        reaches("hooks without an id", &ledger, || load.untouched.load(SeqCst) > plain + 20).await;
        if round < 2 {
            disk.free();
        }
    }
    // Killed while it is full.
    process.kill();
    while let Some(ended) = drivers.join_next().await {
        ended.unwrap();
    }
    let mut starved = world.spawn(&data);
    let ended = starved.ended().await;
    if let Some(status) = ended {
        let said = starved.errors();
        assert!(!status.success() && said.contains("BEHALF_STORE") && said.contains("No space left"), "{said}");
    }
    starved.kill();
    disk.free();
    process = world.start(&data).await;
    ledger.compare(&world.caller(&process), || false).await;
    process.kill();
    let events = ledger.compare_trail(&data).await;
    println!(
        "full disk: {} acknowledged commits, {events} events, {} initiations and {} hooks refused, a start on the full \
         disk {}, {} violations",
        ledger.acknowledged(),
        load.refused_begins.load(SeqCst),
        load.refused_hooks.load(SeqCst),
        ended.map_or("served", |_| "was refused"),
        ledger.violations().len()
    );
    assert_eq!(ledger.violations(), Vec::<String>::new());
}
