//! What gauges show of approvals and of the trail.

use behalf::{
    adapters::{audit::signing::SigningKey, system::OsEntropy},
    app::{
        approvals,
        readings::{self, Reading},
        sealer::Sealer,
    },
    domain::{approval::Template, ids::TenantName},
    ports::directory::DirectoryError,
};
use jiff::SignedDuration;
use std::sync::Arc;

use super::rig::{app, asked, named, of_two, template, tenant_of, vote, withdraw};
use crate::support::test_app::{TestApp, uid};

async fn reading(app: &TestApp) -> Reading {
    readings::read(&app.services, &TenantName::default_tenant(), None).await.unwrap()
}

async fn waiting(app: &TestApp) -> (u64, u64) {
    let reading = reading(app).await;
    (reading.approvals_waiting, reading.approvals_oldest)
}

async fn undecidable(app: &TestApp) -> u64 {
    approvals::undecidable(&app.services, &tenant_of(&app.services)).await.unwrap()
}

#[actix_web::test]
async fn what_waits_is_counted_and_the_oldest_tells_its_age() {
    let app = app().await;
    assert_eq!(waiting(&app).await, (0, 0));
    let first = asked(&app, template()).await;
    app.advance(SignedDuration::from_secs(90));
    asked(&app, of_two()).await;
    assert_eq!(waiting(&app).await, (2, 90));
    assert_eq!(withdraw(&app, first, "ann").await.status, 200);
    assert_eq!(waiting(&app).await, (1, 0));
    app.advance(SignedDuration::from_hours(2));
    assert_eq!(waiting(&app).await, (0, 0), "nobody can decide what has expired, whether or not that was written down");
}

#[actix_web::test]
async fn what_is_decided_does_not_wait() {
    let app = app().await;
    let id = asked(&app, template()).await;
    assert_eq!(vote(&app, id, "ada", "approve").await.status, 200);
    assert_eq!(waiting(&app).await, (0, 0));
}

#[actix_web::test]
async fn a_request_is_undecidable_once_too_few_of_its_approvers_are_left() {
    let app = app().await;
    let id = asked(&app, of_two()).await;
    assert_eq!(undecidable(&app).await, 0);
    app.directory.suspend("00uada");
    assert_eq!(undecidable(&app).await, 0, "Ben and Cleo are left");
    app.directory.take("00ucleo");
    assert_eq!(undecidable(&app).await, 1, "Ben alone is no two");
    app.directory.fail_all(Some(DirectoryError::Unavailable("the test says so".to_owned())));
    assert!(approvals::undecidable(&app.services, &tenant_of(&app.services)).await.is_err(), "not told is not none");
    app.directory.fail_all(None);
    assert_eq!(withdraw(&app, id, "ann").await.status, 200);
    assert_eq!(undecidable(&app).await, 0);
}

#[actix_web::test]
async fn votes_that_were_cast_count_although_their_voters_are_gone() {
    let app = app().await;
    let id = asked(&app, of_two()).await;
    assert_eq!(vote(&app, id, "ada", "approve").await.status, 200);
    app.directory.take("00uada");
    app.directory.take("00ucleo");
    assert_eq!(undecidable(&app).await, 0, "Ada has voted, and Ben is left");
    app.directory.take("00uben");
    assert_eq!(undecidable(&app).await, 1);
}

#[actix_web::test]
async fn a_groups_members_are_those_of_now() {
    let app = app().await;
    app.directory.set_groups(&uid("00uben"), &["00gops"]);
    asked(&app, Template { approvers: named(&["group:00gops", "user:00uada"]), ..template() }).await;
    app.directory.suspend("00uada");
    assert_eq!(undecidable(&app).await, 0, "Ben is left");
    app.directory.set_groups(&uid("00uben"), &[]);
    assert_eq!(undecidable(&app).await, 1);
    app.directory.set_groups(&uid("00uann"), &["00gops"]);
    assert_eq!(undecidable(&app).await, 1, "Ann doesn't decide about what she asked for");
    app.directory.set_groups(&uid("00ucleo"), &["00gops"]);
    assert_eq!(undecidable(&app).await, 0);
}

#[actix_web::test]
async fn events_count_until_they_are_sealed() {
    let app = app().await;
    asked(&app, template()).await;
    app.advance(SignedDuration::from_secs(7));
    let before = reading(&app).await;
    assert_eq!((before.unsealed, before.unsealed_seconds), (1, 7));
    let sealer = Sealer::new(Arc::new(SigningKey::ephemeral(&OsEntropy).unwrap()), None, &OsEntropy);
    sealer.pass(&app.services, &TenantName::default_tenant()).await.unwrap();
    let after = reading(&app).await;
    assert_eq!((after.unsealed, after.unsealed_seconds, after.epoch), (0, 0, before.epoch));
    let with_sink = readings::read(&app.services, &TenantName::default_tenant(), Some("stdout")).await.unwrap();
    assert_eq!(with_sink.undelivered, 1, "the sink has nothing yet");
}
