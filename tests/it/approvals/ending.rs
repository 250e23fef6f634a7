//! Taken back, or over by itself.

use behalf::domain::approval::{Template, template::Kind};
use jiff::SignedDuration;
use serde_json::json;

use super::rig::*;

#[actix_web::test]
async fn the_requester_withdraws_what_waits() {
    let app = app().await;
    let id = asked(&app, template()).await;
    for (token, status, code) in [("ada", 403, "not-yours"), ("root", 403, "not-yours"), ("eve", 404, "not-found")] {
        withdraw(&app, id, token).await.is_problem(status, code);
    }
    let withdrawn = withdraw(&app, id, "ann").await;
    assert_eq!(
        (&withdrawn.json["state"], &withdrawn.json["closed"]["by"]["id"]),
        (&json!("WITHDRAWN"), &json!("00uann"))
    );
    let again = withdraw(&app, id, "ann").await;
    again.is_problem(409, "approval-closed");
    assert_eq!(again.json["state"], "WITHDRAWN");
    vote(&app, id, "ada", "approve").await.is_problem(409, "approval-closed");
}

#[actix_web::test]
async fn what_is_decided_is_revoked_not_withdrawn() {
    let app = app().await;
    let id = asked(&app, template()).await;
    let early = revoke(&app, id, "ann").await;
    early.is_problem(409, "approval-pending");
    assert_eq!(early.json["state"], "PENDING");
    vote(&app, id, "ada", "approve").await;
    withdraw(&app, id, "ann").await.is_problem(409, "approval-closed");
    // Ben may decide and did not; Bob is the delegator, who locks his account or ends the grant.
    for token in ["ben", "bob"] {
        revoke(&app, id, token).await.is_problem(403, "not-yours");
    }
    revoke(&app, id, "eve").await.is_problem(404, "not-found");
    assert_eq!(state(&app, id).await, "APPROVED");
}

#[actix_web::test]
async fn requester_voters_and_administrator_revoke_and_no_hook_uses_it_then() {
    for token in ["ann", "ada", "root"] {
        let app = app().await;
        let id = asked(&app, Template { max_uses: 2, ..template() }).await;
        vote(&app, id, "ada", "approve").await;
        use_once(&app.services, id).await.unwrap();
        let body = json!({"reason": "no longer needed"});
        let revoked = app.post(&path(id, "/revoke"), token, &body).await;
        assert_eq!((&revoked.json["state"], &revoked.json["uses"]), (&json!("REVOKED"), &json!(1)), "{}", revoked.text);
        assert!(use_once(&app.services, id).await.is_err());
        let event = app.events().await.pop().unwrap();
        let kind = if token == "root" { "administrator" } else { "user" };
        assert_eq!((event.code.as_str(), event.actor.kind.as_str()), ("DA2006", kind));
        assert_eq!(event.details["reason"], "no longer needed");
    }
}

#[actix_web::test]
async fn a_hook_that_read_before_the_revocation_does_not_commit_after_it() {
    use behalf::{
        app::{approvals::records, records as all},
        domain::approval::Approval,
        ports::store::{Change, Committed, Expect},
    };
    let app = app().await;
    let id = asked(&app, template()).await;
    vote(&app, id, "ada", "approve").await;
    let (services, tenant) = (&app.services, tenant_of(&app.services));
    let key = records::key(id);
    let snapshot = services.store.read(&tenant.name, &[key]).await.unwrap();
    let (approval, record) = all::find::<Approval>(&snapshot, &key).unwrap().unwrap();
    assert_eq!(revoke(&app, id, "ann").await.status, 200);
    let change = Change {
        expect: vec![(key, Expect::VersionLive(record.version))],
        puts: vec![records::put(&approval).unwrap()],
        ..Change::new(services.change_id(), services.not_after(snapshot.now, &tenant))
    };
    assert_eq!(services.store.commit(&tenant.name, change).await.unwrap(), Committed::Conflict(key));
    assert_eq!(state(&app, id).await, "REVOKED");
}

#[actix_web::test]
async fn each_deadline_ends_it_once_with_its_own_event() {
    let app = app().await;
    let want = |n: u32| Want { ticket: Some(format!("OPS-{n}")), ..Want::of(Template { max_uses: 2, ..template() }) };
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(pending(ensure(&app, &want(n)).await).id);
    }
    for id in &ids[1..] {
        vote(&app, *id, "ada", "approve").await;
    }
    use_once(&app.services, ids[2]).await.unwrap();
    assert_eq!(app.reap().await.expired, 0);
    app.advance(SignedDuration::from_mins(15));
    assert_eq!(state(&app, ids[1]).await, "UNUSED_EXPIRED", "before anybody wrote it down");
    let seen = shown(&app, ids[1]).await;
    assert_eq!(app.reap().await.expired, 1);
    assert_eq!(shown(&app, ids[1]).await, seen, "and it is the same afterwards");
    app.advance(SignedDuration::from_mins(45));
    assert_eq!(app.reap().await.expired, 2);
    assert_eq!(app.reap().await.expired, 0);
    let ends: Vec<_> = app.events().await.into_iter().filter(|e| e.actor.id == "reaper").collect();
    let told: Vec<_> = ends.iter().map(|e| (e.code.as_str(), e.details["cause"].as_str().unwrap())).collect();
    assert_eq!(told[0], ("DA2009", "use-by"));
    assert!(told.contains(&("DA2004", "decide-by")) && told.contains(&("DA2008", "grant-until")) && told.len() == 3);
}

#[actix_web::test]
async fn what_ended_long_ago_is_dropped_with_its_rows() {
    let app = app().await;
    let id = asked(&app, template()).await;
    withdraw(&app, id, "ann").await;
    app.advance(SignedDuration::from_hours(24 * 30) - SignedDuration::from_secs(1));
    app.reap().await;
    assert_eq!(state(&app, id).await, "WITHDRAWN");
    app.advance(SignedDuration::from_secs(1));
    assert!(app.reap().await.dropped >= 1);
    app.get(&path(id, ""), "root").await.is_problem(404, "not-found");
    assert_eq!(app.get("/v1/approvals", "ann").await.json["items"], json!([]));
}

#[actix_web::test]
async fn many_end_in_one_pass() {
    let limits = behalf::app::DelegationLimits { max_open: 200, ..behalf::app::DelegationLimits::default() };
    let app = app_with(crate::support::test_app::Setup { limits, ..Default::default() }).await;
    for n in 0..120_u32 {
        let by = Template { kind: Kind::Approve, ..template() };
        pending(ensure(&app, &Want { ticket: Some(n.to_string()), ..Want::of(by) }).await);
    }
    app.advance(SignedDuration::from_hours(1));
    assert_eq!(app.reap().await.expired, 120);
    let expired = codes(&app).await.into_iter().filter(|code| code == "DA2004").count();
    assert_eq!(expired, 120);
}
