//! From notifications to receivers, on good and on bad days.

use std::{collections::BTreeMap, net::TcpListener};

use behalf::{
    app::error::AppError,
    ports::store::{Put, Store},
};

use super::*;
use crate::support::{
    mail::MailServer,
    tampered_store::{Act, Tamper, TamperedStore},
    test_app::Setup,
};

async fn with_receiver() -> (Rig, Receiver) {
    let receiver = Receiver::start();
    (Rig::new(vec![webhook("ops", &receiver.url)]).await, receiver)
}

#[actix_web::test]
async fn a_webhook_is_signed_and_holds_ids_and_a_link() {
    let (rig, receiver) = with_receiver().await;
    rig.act("e1").await;
    rig.make().await;
    assert_eq!(rig.send(0).await, [Outcome::Sent]);
    assert_eq!(rig.send(0).await, []);
    let seen = receiver.seen();
    assert_eq!(seen.len(), 1);
    let granted = &rig.coded("DA1000").await[0];
    let told = payload(&seen[0]);
    assert_eq!(told["type"], "hook.decision.granted");
    let data = &told["data"];
    assert_eq!(data["event"], granted.id.as_str());
    assert_eq!((&data["on_behalf_of"], &data["actor"]["id"]), (&json!("00ubob"), &json!("00uann")));
    assert_eq!(data["concerns"], json!([{"role": "delegator", "user": "00ubob"}]));
    let link = format!("https://people.example.test/behalf/events/{}", granted.id.as_str());
    assert_eq!(data["link"], link);
    assert!(
        !seen[0].body.contains("dlg_") && !seen[0].body.contains("example.test\"") && !seen[0].body.contains("ann@")
    );
    assert_eq!(header(&seen[0], "webhook-id"), rig.in_state("sent").await[0].id().to_string());
}

#[actix_web::test]
async fn the_reference_library_takes_it_with_either_secret_and_not_when_it_was_touched() {
    let Some(mut reference) = MailServer::start("none").await else { return };
    let (rig, receiver) = with_receiver().await;
    // The library compares with the time of day.
    let today = behalf::adapters::system::SystemClock;
    let behind = behalf::ports::clock::Clock::now(&today).duration_since(rig.app.store_now());
    rig.app.advance(behind);
    rig.act("e1").await;
    rig.make().await;
    assert_eq!(rig.send(0).await, [Outcome::Sent]);
    let seen = receiver.seen().remove(0);
    let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let headers: BTreeMap<_, _> = names.iter().map(|name| (*name, header(&seen, name))).collect();
    let headers = json!(headers);
    for secret in [SECRET, OTHER_SECRET] {
        assert!(reference.verifies(secret, &headers, &seen.body).await, "{secret}");
    }
    let touched = seen.body.replace("00ubob", "00ueve");
    assert!(!reference.verifies(SECRET, &headers, &touched).await);
    assert!(!reference.verifies("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &headers, &seen.body).await);
    let mut later = headers.clone();
    later["webhook-timestamp"] = json!("1");
    assert!(!reference.verifies(SECRET, &later, &seen.body).await);
}

#[actix_web::test]
async fn a_receiver_that_was_down_is_told_when_it_is_up_again() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let rig = Rig::new(vec![webhook("ops", &format!("http://{address}/hook"))]).await;
    rig.act("e1").await;
    rig.make().await;
    assert_eq!(rig.send(0).await, [Outcome::Failed]);
    let failed = &rig.in_state("waiting").await[0];
    assert_eq!(failed.last.as_ref().unwrap().why.as_deref(), Some("no-connection"));
    let receiver = Receiver::at(TcpListener::bind(address).unwrap());
    assert_eq!(rig.send(0).await, [], "not before its time");
    rig.app.advance(SignedDuration::from_secs(6));
    assert_eq!(rig.send(0).await, [Outcome::Sent]);
    assert_eq!(receiver.seen().len(), 1);
    assert_eq!(header(&receiver.seen()[0], "webhook-id"), failed.id().to_string());
}

#[actix_web::test]
async fn after_the_last_try_it_is_dead_and_that_is_told() {
    let (rig, receiver) = with_receiver().await;
    receiver.always(500);
    rig.act("e1").await;
    rig.make().await;
    for (at, wait) in [5, 30, 120, 600, 3600, 6 * 3600, 24 * 3600].into_iter().enumerate() {
        assert_eq!(rig.send(0).await, [Outcome::Failed], "try {at}");
        rig.app.advance(SignedDuration::from_secs(wait * 89 / 100));
        assert_eq!(rig.send(0).await, [], "before its time, after try {at}");
        rig.app.advance(SignedDuration::from_secs(wait * 22 / 100 + 1));
        assert!(rig.coded("DA7002").await.is_empty());
    }
    assert_eq!(rig.send(0).await, [Outcome::Dead]);
    rig.app.advance(SignedDuration::from_hours(48));
    assert_eq!(rig.send(0).await, []);
    let seen = receiver.seen();
    assert_eq!(seen.len(), 8);
    let ids: BTreeSet<_> = seen.iter().map(|seen| header(seen, "webhook-id")).collect();
    let bodies: BTreeSet<_> = seen.iter().map(|seen| &seen.body).collect();
    let times: BTreeSet<_> = seen.iter().map(|seen| header(seen, "webhook-timestamp")).collect();
    assert_eq!((ids.len(), bodies.len(), times.len()), (1, 1, 8));
    let dead = rig.coded("DA7002").await;
    assert_eq!(dead.len(), 1);
    assert_eq!(
        (&dead[0].details["channel"], dead[0].outcome.reason.as_deref()),
        (&json!("webhook:ops"), Some("http-500"))
    );
    // Nobody is told of what is about telling.
    assert_eq!(rig.make().await, 0);
}

#[actix_web::test]
async fn a_receiver_that_asks_for_time_gets_it_up_to_an_hour() {
    let (rig, receiver) = with_receiver().await;
    receiver.next(503, "retry-after", "600");
    receiver.next(429, "retry-after", "86400");
    rig.act("e1").await;
    rig.make().await;
    assert_eq!(rig.send(0).await, [Outcome::Failed]);
    rig.app.advance(SignedDuration::from_secs(599));
    assert_eq!(rig.send(0).await, []);
    rig.app.advance(SignedDuration::from_secs(1));
    assert_eq!(rig.send(0).await, [Outcome::Failed]);
    rig.app.advance(SignedDuration::from_secs(3599));
    assert_eq!(rig.send(0).await, []);
    rig.app.advance(SignedDuration::from_secs(1));
    assert_eq!(rig.send(0).await, [Outcome::Sent]);
}

#[actix_web::test]
async fn a_receiver_that_is_gone_is_asked_no_more() {
    let (rig, receiver) = with_receiver().await;
    receiver.next(410, "x-nothing", "");
    rig.act("e1").await;
    rig.make().await;
    assert_eq!(rig.send(0).await, [Outcome::Dead]);
    assert_eq!(rig.coded("DA7003").await.len(), 1);
    rig.act("e2").await;
    rig.make().await;
    assert_eq!(rig.send(0).await, [Outcome::Dead]);
    assert_eq!(receiver.seen().len(), 1, "it wasn't asked again");
    assert_eq!((rig.coded("DA7002").await.len(), rig.coded("DA7003").await.len()), (2, 1));
}

#[actix_web::test]
async fn of_two_senders_each_notification_is_sent_by_one() {
    let (rig, receiver) = with_receiver().await;
    for _ in 0..60 {
        rig.ask(&["user:00ubob"]).await;
    }
    rig.make().await;
    let mut sent = 0;
    while sent < 60 {
        let (one, two) = tokio::join!(rig.send_as(0, "one"), rig.send_as(0, "two"));
        assert!(one.iter().chain(&two).all(|outcome| *outcome == Outcome::Sent), "{one:?} {two:?}");
        assert!(one.is_empty() || two.is_empty(), "both have the lease");
        sent += one.len() + two.len();
    }
    let seen = receiver.seen();
    let ids: BTreeSet<_> = seen.iter().map(|seen| header(seen, "webhook-id")).collect();
    assert_eq!((seen.len(), ids.len()), (60, 60));
}

fn tampered() -> (Setup, Arc<Tamper>) {
    let tamper = Arc::new(Tamper::default());
    let for_store = Arc::clone(&tamper);
    let wrap = move |inner| Arc::new(TamperedStore { inner, tamper: for_store }) as Arc<dyn Store>;
    (Setup { wrap: Box::new(wrap), ..Setup::default() }, tamper)
}

/// As after a `kill -9` between the two: the record says that it waits.
#[actix_web::test]
async fn what_was_sent_and_not_recorded_is_sent_again_under_the_same_id() {
    let (setup, tamper) = tampered();
    let receiver = Receiver::start();
    let rig = Rig::over(TestApp::with(setup).await, vec![webhook("ops", &receiver.url)]).await;
    rig.act("e1").await;
    rig.make().await;
    tamper.next(Act::Unavailable);
    let outlet = &rig.outlets.all[0];
    let broken = send::pass(rig.services(), rig.tenant(), &rig.outlets, outlet, "me").await;
    assert!(matches!(broken, Err(AppError::Failed { .. })), "{broken:?}");
    // Another process takes over, once the lease has run out.
    assert_eq!(rig.send_as(0, "another").await, []);
    rig.app.advance(SignedDuration::from_secs(61));
    assert_eq!(rig.send_as(0, "another").await, [Outcome::Sent]);
    let seen = receiver.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!(header(&seen[0], "webhook-id"), header(&seen[1], "webhook-id"));
    assert_eq!(seen[0].body, seen[1].body);
}

#[actix_web::test]
async fn a_reply_that_is_lost_makes_no_second_notification_and_no_second_event() {
    let (setup, tamper) = tampered();
    let receiver = Receiver::start();
    let rig = Rig::over(TestApp::with(setup).await, vec![webhook("ops", &receiver.url)]).await;
    rig.act("e1").await;
    tamper.next(Act::ReplyLost);
    let lost = make::pass(rig.services(), &default_tenant(), &rig.outlets, "me").await;
    assert!(lost.is_err());
    assert_eq!(rig.make().await, 0, "it was made");
    tamper.next(Act::ReplyLost);
    assert_eq!(rig.send(0).await, [Outcome::Sent], "found out by a second look");
    assert_eq!((receiver.seen().len(), tamper.left()), (1, 0));
}

#[actix_web::test]
async fn what_cant_be_read_keeps_nothing_behind_it_from_being_sent() {
    use behalf::{domain::ids::RecordId, ports::store::IndexRow};

    let (rig, receiver) = with_receiver().await;
    rig.act("e1").await;
    rig.make().await;
    let index = own::due(&rig.outlets.all[0].channel);
    let spoilt = |n| Put {
        key: own::notification_key(RecordId { time: n, hash: [7; 32] }),
        body: b"{".to_vec(),
        live_until: None,
        drop_at: None,
        indexes: vec![IndexRow { index, sort: n }],
    };
    let puts = (1..=200).map(spoilt).collect();
    let change = Change { puts, ..Change::new(rig.services().change_id(), jiff::Timestamp::MAX) };
    assert!(matches!(rig.services().store.commit(&default_tenant(), change).await.unwrap(), Committed::Done(_)));
    assert_eq!(rig.send(0).await, [Outcome::Sent]);
    assert_eq!(rig.send(0).await, []);
    assert_eq!(receiver.seen().len(), 1);
    let waiting = send::waiting(rig.services(), rig.tenant(), &rig.outlets.all[0]).await.unwrap();
    assert_eq!(waiting, 200, "they wait, as far as anybody can tell");
}
