//! The initiation's commit that holds the account, lost or late in every way: who initiated holds the account once, and
//! is never told that somebody else, who is he himself, has it.

use std::{sync::Arc, time::Duration};

use behalf::domain::{
    approval::{Template, template::Kind},
    rule::Rule,
};
use reqwest::StatusCode;
use serde_json::json;
use tokio::sync::Notify;

use super::{
    coded, deliver,
    reservation::{app_of, ask, held},
    tampered,
};
use crate::support::{
    tampered_store::{Act, Tamper},
    test_app::{TestApp, eventually, refresh_hook},
};

async fn app(rule: Rule) -> (TestApp, Arc<Tamper>) {
    let (setup, tamper) = tampered();
    (app_of(setup, rule).await, tamper)
}

/// The initiation succeeds: he holds the account by one reservation, nobody else gets it, and a hook uses it up.
async fn begins(app: &TestApp) {
    let begun = ask(app, "ann").await;
    assert_eq!(begun.status, StatusCode::CREATED, "{}", begun.text);
    assert_eq!(held(app, "ann").await, ["HELD"]);
    assert_eq!(coded(app, "DA3000").await.len(), 1, "one reservation");
    ask(app, "eve").await.is_problem(409, "reserved");
    let id = begun.json["delegationid"].as_str().unwrap();
    assert!(deliver(app, &refresh_hook("e1", Some(id))).await.is_granted());
    assert_eq!(held(app, "ann").await, ["CONSUMED"]);
    let refused: Vec<_> = coded(app, "DA1101").await.into_iter().map(|event| event.actor.id).collect();
    assert!(!refused.contains(&"00uann".to_owned()), "his own act is in nobody's way");
}

/// The initiation, of which nobody knows what came. It isn't waited for without end.
async fn in_doubt(app: &TestApp) {
    let answered = tokio::time::timeout(Duration::from_secs(8), ask(app, "ann")).await.unwrap();
    answered.is_problem(503, "temporarily-unavailable");
}

#[actix_web::test]
async fn a_lost_reply_is_found_out_by_a_second_look() {
    for lost in 1..=2 {
        let (app, tamper) = app(Rule::default()).await;
        for _ in 0..lost {
            tamper.next(Act::ReplyLost);
        }
        begins(&app).await;
        assert_eq!(tamper.left(), 0);
        assert_eq!(coded(&app, "DA1100").await.len(), 1, "one delegation");
    }
}

#[actix_web::test]
async fn a_reply_that_comes_too_late_leaves_him_his_own_reservation() {
    let (app, tamper) = app(Rule::default()).await;
    tamper.next(Act::ReplyHeld(Arc::new(Notify::new())));
    in_doubt(&app).await;
    assert_eq!(held(&app, "ann").await, ["HELD"]);
    begins(&app).await;
}

#[actix_web::test]
async fn a_change_that_is_lost_holds_nothing() {
    let (app, tamper) = app(Rule::default()).await;
    tamper.next(Act::ChangeLost);
    in_doubt(&app).await;
    assert_eq!(held(&app, "ann").await, [""; 0]);
    begins(&app).await;
}

#[actix_web::test]
async fn a_change_that_arrives_late_is_found_by_the_next_try() {
    let (app, tamper) = app(Rule::default()).await;
    let gate = Arc::new(Notify::new());
    tamper.next(Act::ChangeDelayed(Arc::clone(&gate)));
    in_doubt(&app).await;
    gate.notify_one();
    eventually("the reservation", || async { held(&app, "ann").await == ["HELD"] }).await;
    begins(&app).await;
}

#[actix_web::test]
async fn a_change_that_arrives_behind_the_next_try_holds_nothing_more() {
    let (app, tamper) = app(Rule::default()).await;
    let gate = Arc::new(Notify::new());
    tamper.next(Act::ChangeDelayed(Arc::clone(&gate)));
    in_doubt(&app).await;
    let begun = ask(&app, "ann").await;
    assert_eq!(begun.status, StatusCode::CREATED, "{}", begun.text);
    gate.notify_one();
    tokio::time::timeout(Duration::from_secs(10), arrived(&app, &gate)).await.unwrap();
    begins(&app).await;
}

/// Waits until the change has met the store.
async fn arrived(app: &TestApp, gate: &Notify) {
    gate.notified().await;
    assert_eq!(coded(app, "DA3000").await.len(), 1, "it doesn't fit any more");
}

/// From the request for an approval to the hook, with or without a reply to any commit.
async fn whole_way(lose: bool) -> Vec<String> {
    let template = Template::new(Kind::Approve, ["user:00ueve".parse().unwrap()].into());
    let (app, tamper) = app(Rule { approval: Some(template), ..Rule::default() }).await;
    let lost = |commits: usize| {
        for _ in 0..if lose { commits } else { 0 } {
            tamper.next(Act::ReplyLost);
        }
    };
    lost(1);
    let waits = ask(&app, "ann").await;
    assert_eq!(waits.status, StatusCode::ACCEPTED, "{}", waits.text);
    assert_eq!(tamper.left(), 0);
    lost(1);
    let path = format!("/v1/approvals/{}/votes", waits.json["approval"]["id"].as_str().unwrap());
    let voted = app.post(&path, "eve", &json!({"decision": "approve", "version": 1})).await;
    assert_eq!(voted.status, StatusCode::OK, "{}", voted.text);
    assert_eq!(tamper.left(), 0);
    lost(2);
    let begun = ask(&app, "ann").await;
    assert_eq!(begun.status, StatusCode::CREATED, "{}", begun.text);
    assert_eq!(tamper.left(), 0);
    lost(1);
    let hook = refresh_hook("e1", begun.json["delegationid"].as_str());
    assert!(deliver(&app, &hook).await.is_granted());
    assert_eq!(tamper.left(), 0);
    app.trail().await.into_iter().map(|(code, _)| code).collect()
}

#[actix_web::test]
async fn the_whole_way_is_the_same_without_a_single_reply() {
    let codes = whole_way(false).await;
    assert!(codes.ends_with(&["DA1000", "DA2007", "DA2008", "DA3001"].map(str::to_owned)), "{codes:?}");
    assert_eq!(whole_way(true).await, codes);
}
