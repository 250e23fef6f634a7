//! Commits whose outcome is in doubt, and processes that are killed.

use std::{sync::Arc, time::Duration};

use reqwest::Method;
use serde_json::json;
use tokio::sync::Notify;

use super::{DBA, account, app_of, counts, ends, hold, login_hook, sharing, state, world};
use crate::{
    durability::{
        Dice,
        rig::{Told, World},
        setting,
    },
    hooks::{coded, deliver, tampered},
    support::{
        tampered_store::{Act, Tamper},
        test_app::{TestApp, eventually},
    },
};

async fn doubtful() -> (TestApp, Arc<Tamper>) {
    let (setup, tamper) = tampered();
    (app_of(sharing(setup, vec![account(DBA)], 1)).await, tamper)
}

#[actix_web::test]
async fn crash_after_commit_before_response() {
    let (app, tamper) = doubtful().await;
    let (secret, id) = hold(&app, "ann", DBA).await;
    let gate = Arc::new(Notify::new());
    tamper.next(Act::ReplyHeld(Arc::clone(&gate)));
    let hook = login_hook("e1", DBA, Some(&secret));
    assert_eq!(deliver(&app, &hook).await.refused(), "outcome-unknown");
    assert_eq!(state(&app, "ann", &id).await, "CONSUMED");
    gate.notify_one();
    eventually("the event", || async { coded(&app, "DA1006").await.len() == 1 }).await;
    assert_eq!(deliver(&app, &login_hook("e2", DBA, Some(&secret))).await.refused(), "reservation-gone");
    assert!(deliver(&app, &hook).await.is_granted(), "the very same hook is told its answer");
    assert_eq!(counts(&app, ["DA1000", "DA3001"]).await, [1, 1]);
}

#[actix_web::test]
async fn crash_before_commit() {
    let (app, tamper) = doubtful().await;
    let (secret, id) = hold(&app, "ann", DBA).await;
    tamper.next(Act::ChangeLost);
    let hook = login_hook("e1", DBA, Some(&secret));
    assert_eq!(deliver(&app, &hook).await.refused(), "outcome-unknown");
    assert_eq!(state(&app, "ann", &id).await, "HELD");
    assert!(deliver(&app, &login_hook("e2", DBA, Some(&secret))).await.is_granted());
}

#[actix_web::test]
async fn a_reply_that_is_lost_is_found_out_by_a_second_look() {
    let (app, tamper) = doubtful().await;
    tamper.next(Act::ReplyLost);
    let (secret, id) = hold(&app, "ann", DBA).await;
    tamper.next(Act::ReplyLost);
    assert!(deliver(&app, &login_hook("e1", DBA, Some(&secret))).await.is_granted());
    assert_eq!(state(&app, "ann", &id).await, "CONSUMED");
    let (_, id) = hold(&app, "ann", DBA).await;
    tamper.next(Act::ReplyLost);
    assert_eq!(app.delete(&format!("/v1/reservations/{id}"), "ann").await.status, 204);
    assert_eq!(counts(&app, ["DA3000"]).await, [2]);
    assert_eq!(ends(&app).await, [1, 0, 1, 0, 0]);
}

/// SIGKILL at a random moment of a login: afterwards the reservation is held and works, or it is used up, and the same
/// hook gets its answer while no other does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_a_reservation_is_used_once() {
    let rounds = setting("BEHALF_TEST_ROUNDS").unwrap_or(5);
    let mut dice = Dice::new();
    println!("kill -9: BEHALF_TEST_SEED={} BEHALF_TEST_ROUNDS={rounds}", dice.0);
    let world = World::new(1);
    world::share(&world, 1, 1);
    let data = world.path("data");
    let mut process = world.start(&data).await;
    let mut used_before = 0;
    for round in 0..rounds {
        let caller = world.caller(&process);
        let body = json!({"account": world::account(0)});
        let (status, made) = caller.call(Method::POST, "/v1/reservations", 0, Some(body)).await.unwrap();
        assert_eq!(status, 201, "round {round}: {made}");
        let (secret, id) = (made["secret"].as_str().unwrap(), made["id"].as_str().unwrap());
        let login = |event: &str| world::login(&caller, 0, &format!("{round}-{event}"), secret);
        let (hook, other) = (login("one"), login("two"));
        let task = tokio::spawn({
            let (caller, hook) = (caller.clone(), hook.clone());
            async move { caller.deliver(&hook).await }
        });
        // Not to wait for anything: a random moment.
        tokio::time::sleep(Duration::from_micros(dice.throw(6000))).await;
        process.kill();
        let told = task.await.unwrap();
        process = world.start(&data).await;
        let caller = world.caller(&process);
        let path = format!("/v1/reservations/{id}");
        let (_, found) = caller.call(Method::GET, &path, 0, None).await.unwrap();
        let used = found["state"] == "CONSUMED";
        assert!(used || found["state"] == "HELD", "round {round}: {found}");
        assert!(used || !matches!(told, Told::Granted(_)), "round {round}: granted, and forgotten");
        used_before += usize::from(used);
        let again = caller.deliver(&hook).await;
        assert!(matches!(again, Told::Granted(_)), "round {round}: {again:?}");
        assert!(!matches!(told, Told::Granted(_)) || told == again, "round {round}: the same bytes");
        assert!(matches!(caller.deliver(&other).await, Told::Refused(_)), "round {round}: used up");
    }
    let caller = world.caller(&process);
    for code in ["reservation.consumed", "hook.decision.granted"] {
        let path = format!("/v1/audit?limit=200&code={code}");
        let (_, page) = caller.call(Method::GET, &path, 1, None).await.unwrap();
        assert_eq!(page["items"].as_array().unwrap().len() as u64, rounds, "{code}: {page}");
    }
    println!("{rounds} kills, {used_before} of them behind the commit");
}
