//! Redis killed, and power cuts.
//!
//! SIGKILL alone takes nothing that Redis has handed to the system: with an append-only file nothing that was answered
//! is lost, whatever `appendfsync` says. A power cut takes what wasn't synced, which is cut off here.

use super::{
    probe::Probe,
    rounds,
    scene::Report,
    server::{behind_a_line, no_storm},
};

async fn killed(name: &'static str, options: &[(&str, &str)], power_cut: bool) -> Report {
    let (mut server, proxy, mut scene) = behind_a_line(name, options).await;
    for _ in 0..rounds() {
        let (before, synced) = (proxy.accepted(), server.appended());
        if power_cut {
            scene.crowd.get_on().await;
        }
        scene.fault();
        server.kill();
        if power_cut {
            server.cut_back_to(synced);
        }
        scene.is_red().await;
        server.restart().await;
        scene.is_green().await;
        no_storm(&proxy, before);
    }
    let probe = Probe::at(&server.address());
    assert_eq!(probe.raised().await as u64, rounds(), "another process: the epoch was raised");
    scene.end(&probe).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_with_every_write_synced() {
    let report =
        killed("kill -9, appendfsync always", &[("appendonly", "yes"), ("appendfsync", "always")], false).await;
    assert_eq!((report.trail.lost_begins, report.trail.lost_grants), (0, 0), "it was on the disk");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_with_writes_synced_every_second() {
    let options = [("appendonly", "yes"), ("appendfsync", "everysec")];
    let report = killed("kill -9, appendfsync everysec", &options, false).await;
    assert_eq!((report.trail.lost_begins, report.trail.lost_grants), (0, 0), "the system had it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_with_writes_synced_every_second() {
    let options = [("appendonly", "yes"), ("appendfsync", "everysec")];
    let report = killed("power cut, the last grants not synced", &options, true).await;
    assert!(report.trail.lost_grants > 0, "or the epoch was not needed: {report:?}");
}
