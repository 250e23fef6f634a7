//! A use against every other end, at the same time: one of them wins, and the trail says which.

use std::{collections::BTreeMap, rc::Rc};

use behalf::{
    app::reservations,
    domain::{audit::Event, reason::Reason, reservation::ReservationRef},
    ports::store::Seq,
};
use jiff::SignedDuration;
use serde_json::json;

use super::{DBA, HOLD_MS, app, hold, log_in, state};
use crate::{hooks::tenant, support::test_app::TestApp};

/// Schedules of one race: 200 in plain runs, 1,000 where 25 rounds are asked for.
fn schedules() -> usize {
    40 * crate::hooks::rounds()
}

/// Runs the race so often: the reservation ends once, and a token was granted if and only if it is CONSUMED.
/// Gives how it went, for people.
async fn race<F: Future<Output = ()>>(end: &str, other: impl Fn(Rc<TestApp>, String) -> F) -> String {
    let app = Rc::new(app().await);
    let mut used = 0;
    for nth in 0..schedules() {
        let (secret, id) = hold(&app, "ann", DBA).await;
        let event = format!("e{nth}");
        let (mine, others) = (log_in(&app, &event, &secret), other(Rc::clone(&app), id.clone()));
        // Neither is always polled first.
        let told = if nth % 2 == 0 { tokio::join!(mine, others).0 } else { tokio::join!(others, mine).1 };
        let stands = state(&app, "ann", &id).await;
        assert_eq!(told.is_granted(), stands == "CONSUMED", "{nth}: {stands}, {told:?}");
        assert!(told.is_granted() || stands == end, "{nth}: {stands}, {told:?}");
        used += usize::from(told.is_granted());
    }
    let trail = whole_trail(&app).await;
    let ended = ends(&trail);
    assert!(ended.values().all(|codes| codes.len() == 1), "one end for each, in the trail as well: {ended:?}");
    assert_eq!(ended.len(), schedules());
    assert_eq!(ended.values().filter(|codes| codes[0] == "DA3001").count(), used);
    format!("a use against {end}: {} schedules, {used} used", schedules())
}

async fn whole_trail(app: &TestApp) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    loop {
        let after = Seq(events.len() as u64);
        let page = app.services.store.events(&tenant(), after, 1000).await.unwrap();
        if page.is_empty() {
            return events;
        }
        events.extend(page.iter().map(|stored| serde_json::from_slice::<Event>(&stored.body).unwrap()));
    }
}

/// How each reservation of the trail ended.
fn ends(trail: &[Event]) -> BTreeMap<&str, Vec<&str>> {
    let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for event in trail.iter().filter(|event| event.code.starts_with("DA30")) {
        let Some(named) = event.target.iter().find(|target| target.kind == "reservation") else { continue };
        let codes = found.entry(named.id.as_str()).or_default();
        if event.code != "DA3000" {
            codes.push(event.code.as_str());
        }
    }
    found
}

#[actix_web::test]
async fn consume_vs_release() {
    let told = race("RELEASED", |app, id| async move {
        let status = app.delete(&format!("/v1/reservations/{id}"), "ann").await.status.as_u16();
        assert!([204, 409].contains(&status), "{status}");
    });
    println!("{}", told.await);
}

#[actix_web::test]
async fn consume_vs_force_release() {
    let told = race("FORCE_RELEASED", |app, id| async move {
        let path = format!("/v1/reservations/{id}/force-release");
        let status = app.post(&path, "root", &json!({"reason": "race"})).await.status.as_u16();
        assert!([204, 409].contains(&status), "{status}");
    });
    println!("{}", told.await);
}

#[actix_web::test]
async fn consume_vs_expire() {
    let told = race("EXPIRED", |app, _| async move {
        app.advance(SignedDuration::from_millis(HOLD_MS));
        app.reap().await;
    });
    println!("{}", told.await);
}

#[actix_web::test]
async fn consume_vs_invalidate() {
    let told = race("INVALIDATED", |app, id| async move {
        let (services, reference) = (&app.services, ReservationRef::parse(&id).unwrap());
        let tenant = services.tenant(&tenant()).unwrap();
        reservations::invalidate(services, tenant, reference, Reason::NotAMember).await;
    });
    println!("{}", told.await);
}
