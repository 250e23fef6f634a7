//! SIGKILL at random moments, and a second process on the same data.

use std::{sync::Arc, time::Duration};

use super::{Dice, drive::Load, ledger::Ledger, rig::World, setting};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_and_nothing_granted_twice() {
    let rounds = setting("BEHALF_TEST_ROUNDS").unwrap_or(5);
    let mut dice = Dice::new();
    let seed = dice.0;
    println!("kill -9: BEHALF_TEST_SEED={seed} BEHALF_TEST_ROUNDS={rounds}");
    let (world, ledger) = (World::new(6), Arc::new(Ledger::default()));
    let data = world.path("data");
    let mut process = world.start(&data).await;
    world.grant_all(&world.caller(&process)).await;
    let mut kills = 0;
    for round in 0..rounds {
        let (caller, load) = (world.caller(&process), Arc::new(Load::default()));
        let enough = ledger.acknowledged() + usize::try_from(dice.throw(120)).unwrap();
        let mut drivers = load.start(&caller, &ledger, &mut dice);
        while ledger.acknowledged() < enough && ledger.violations().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // Not to wait for anything: an acknowledgement is no random moment.
        tokio::time::sleep(Duration::from_micros(dice.throw(8000))).await;
        process.kill();
        while let Some(ended) = drivers.join_next().await {
            ended.unwrap();
        }
        kills += 1;
        if dice.throw(3) == 0 {
            let mut early = world.spawn(&data);
            tokio::time::sleep(Duration::from_millis(dice.throw(120))).await;
            early.kill();
            kills += 1;
        }
        process = world.start(&data).await;
        let log = process.log();
        let (repaired, ready) = (log.find("being repaired"), log.find("\"ready\""));
        assert!(repaired.is_some() && repaired < ready, "repair comes before readiness, and is told: {log}");
        let last = round + 1 == rounds;
        let caller = world.caller(&process);
        ledger.compare(&caller, || !last && dice.throw(3) == 0).await;
        assert_eq!(ledger.violations(), Vec::<String>::new(), "seed {seed}, round {round}");
    }
    process.kill();
    kills += 1;
    let events = ledger.compare_trail(&data).await;
    let (acknowledged, violations) = (ledger.acknowledged(), ledger.violations());
    println!(
        "kill -9: {rounds} rounds, {kills} kills, {acknowledged} acknowledged commits, {events} events, {} violations",
        violations.len()
    );
    assert_eq!(violations, Vec::<String>::new(), "seed {seed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_on_the_same_data_is_refused() {
    let world = World::new(1);
    let data = world.path("data");
    let first = world.start(&data).await;
    let second = world.run(&data, &["serve"]).await;
    assert!(!second.status.success());
    let said = String::from_utf8(second.stderr).unwrap();
    let shown = data.display();
    assert_eq!(
        said.trim(),
        format!(
            "BEHALF_STORE: the data in {shown} is in use by another process: stop that one, or choose another data folder"
        )
    );
    // The first one serves on.
    let caller = world.caller(&first);
    world.grant_all(&caller).await;
    assert!(caller.begin(0).await.unwrap().is_ok());
}
