//! Asking for an approval.

use behalf::{
    app::{DelegationLimits, error::AppError},
    domain::approval::{
        Template,
        request::Request,
        template::{Demand, Kind},
    },
    ports::directory::DirectoryError,
};
use jiff::SignedDuration;
use serde_json::json;

use super::rig::*;
use crate::support::{
    fake_directory::{Act, Op},
    test_app::{Setup, uid, user},
};

#[actix_web::test]
async fn a_request_stands_with_its_record_its_event_and_its_canonical_text() {
    let app = app().await;
    let approval = pending(ensure(&app, &Want::of(template())).await);
    let item = shown(&app, approval.id).await;
    assert_eq!((&item["state"], &item["version"], &item["revision"]), (&json!("PENDING"), &json!(1), &json!(1)));
    assert_eq!(item["decide_by"], "2026-11-21T11:00:00Z");
    assert_eq!((&item["requester"]["id"], &item["delegator"]["id"]), (&json!("00uann"), &json!("00ubob")));
    let (request, digest) = Request::read(&approval.binding).unwrap();
    assert_eq!((digest, item["digest"].as_str()), (approval.digest, Some(digest.to_string().as_str())));
    assert_eq!((request.request_id, request.requester), (approval.id.to_string(), approval.asked.requester));
    let event = app.events().await.pop().unwrap();
    assert_eq!((event.code.as_str(), event.outcome.result.as_str()), ("DA2000", "success"));
    assert_eq!(event.policy.rule.as_deref(), Some("directors"));
    assert_eq!(event.details["reason"], "invoices");
    assert!(event.target.iter().any(|target| target.id == approval.id.to_string()));
}

#[actix_web::test]
async fn the_same_request_is_found_again_and_another_one_is_another() {
    let app = app().await;
    let want = Want::of(template());
    let first = pending(ensure(&app, &want).await).id;
    assert_eq!(pending(ensure(&app, &want).await).id, first);
    let others = [
        Want { scopes: ["behalf".to_owned()].into(), ..want.clone() },
        Want { reason: None, ..want.clone() },
        Want { reason: Some("other".to_owned()), ..want.clone() },
        Want { ticket: Some("OPS-1".to_owned()), ..want.clone() },
        Want { template: of_two(), ..want.clone() },
    ];
    let mut seen = vec![first];
    for other in others {
        let id = pending(ensure(&app, &other).await).id;
        assert!(!seen.contains(&id));
        seen.push(id);
    }
    assert_eq!(pending(ensure(&app, &want).await).id, first);
    assert_eq!(codes(&app).await, vec!["DA2000"; 6]);
}

#[actix_web::test]
async fn what_was_approved_is_usable_until_it_is_spent() {
    let app = app().await;
    let want = Want::of(template());
    let id = pending(ensure(&app, &want).await).id;
    assert_eq!(vote(&app, id, "ada", "approve").await.status, 200);
    let found = usable(ensure(&app, &want).await);
    assert_eq!(found.approval.id, id);
    use_once(&app.services, id).await.unwrap();
    assert!(use_once(&app.services, id).await.is_err());
    assert_eq!(state(&app, id).await, "ENDED");
    assert_ne!(pending(ensure(&app, &want).await).id, id, "a new one must be decided about anew");
    assert_eq!(codes(&app).await, ["DA2000", "DA2001", "DA2002", "DA2007", "DA2008", "DA2000"]);
}

#[actix_web::test]
async fn after_a_denial_it_can_be_asked_for_again() {
    let app = app().await;
    let id = asked(&app, template()).await;
    vote(&app, id, "ada", "deny").await;
    assert_ne!(asked(&app, template()).await, id);
}

#[actix_web::test]
async fn what_the_rule_demands_must_be_given() {
    let app = app().await;
    let strict = Template { reason: Demand::Required, ticket: Demand::Required, ..template() };
    let want = Want::of(strict);
    assert_eq!(refused(ensure(&app, &Want { reason: None, ..want.clone() }).await), "reason-required");
    assert_eq!(refused(ensure(&app, &want).await), "ticket-required");
    pending(ensure(&app, &Want { ticket: Some("OPS-1".to_owned()), ..want }).await);
    let trail = app.trail().await;
    let reasons: Vec<_> = trail.iter().map(|(code, why)| (code.as_str(), why.as_deref())).collect();
    assert_eq!(reasons, [("DA2010", Some("reason-required")), ("DA2010", Some("ticket-required")), ("DA2000", None)]);
}

#[actix_web::test]
async fn enough_others_must_be_able_to_decide() {
    let app = app().await;
    let by = |names: &[&str], quorum| Template { quorum, ..Template::new(Kind::Approve, named(names)) };
    let none = [
        by(&["user:00uann"], 1),
        by(&["user:00ubob"], 1),
        by(&["user:00uann", "user:00uada"], 2),
        by(&["user:00unobody"], 1),
    ];
    for template in none {
        assert_eq!(refused(ensure(&app, &Want::of(template)).await), "no-approvers");
    }
    app.directory.suspend("00uben");
    assert_eq!(refused(ensure(&app, &Want::of(by(&["user:00uada", "user:00uben"], 2))).await), "no-approvers");
    let own = Template { delegator_may_approve: true, ..by(&["user:00ubob"], 1) };
    pending(ensure(&app, &Want::of(own)).await);
    // Whom the directory can't be asked about is no approver, and that is not said: it is our failure.
    let gate = Want::of(by(&["user:00uada"], 1));
    let services = &app.services;
    let caller = caller(&app, "ann").await;
    let people = people(&tenant_of(services)).await;
    app.directory.fail_all(Some(DirectoryError::Unavailable("the test says so".to_owned())));
    let no = ensure_for(services, &caller, &people, &gate).await.unwrap_err();
    assert!(matches!(no, AppError::Failed { .. }), "{no}");
}

#[actix_web::test]
async fn members_of_groups_count_once_each_and_only_those_who_could_decide() {
    let app = app().await;
    let by = |names: &[&str], quorum| Want::of(Template { quorum, ..Template::new(Kind::Approve, named(names)) });
    let join = |name: &str, groups: &[&str]| app.directory.set_groups(&uid(&format!("00u{name}")), groups);
    let no = async |want: Want| ensure(&app, &want).await.unwrap_err().to_string();
    // A group that isn't there has nobody, and one that nobody is in neither.
    app.directory.put_group("00gempty");
    for group in ["group:00gnone", "group:00gempty"] {
        assert!(no(by(&[group], 1)).await.contains("votes of 1, and besides those whom it is about only 0"), "{group}");
    }
    // Requester and delegator are no approvers, whatever groups they are in.
    join("ann", &["00gops"]);
    join("bob", &["00gops"]);
    assert_eq!(refused(ensure(&app, &by(&["group:00gops"], 1)).await), "no-approvers");
    let own = Want::of(Template { delegator_may_approve: true, ..by(&["group:00gops"], 1).template });
    pending(ensure(&app, &own).await);
    // One person in two groups, and named besides, is one.
    join("ada", &["00gops", "00gsec"]);
    let twice = ["group:00gops", "group:00gsec", "user:00uada"];
    let told = no(by(&twice, 2)).await;
    assert!(told.contains("votes of 2, and besides those whom it is about only 1"), "{told}");
    pending(ensure(&app, &by(&twice, 1)).await);
    join("ben", &["00gsec"]);
    pending(ensure(&app, &by(&["group:00gops", "group:00gsec"], 2)).await);
    // Who isn't active can't decide.
    app.directory.suspend("00uben");
    let another = Want { ticket: Some("OPS-1".to_owned()), ..by(&["group:00gops", "group:00gsec"], 2) };
    assert_eq!(refused(ensure(&app, &another).await), "no-approvers");
    let refusals = app.trail().await.into_iter().filter(|(code, _)| code == "DA2010").count();
    assert_eq!(refusals, 5);
}

#[actix_web::test]
async fn a_group_that_cannot_be_asked_for_is_our_failure_and_nothing_is_created() {
    let app = app().await;
    app.directory.set_groups(&uid("00uada"), &["00gops"]);
    let want = Want::of(Template::new(Kind::Approve, named(&["group:00gops"])));
    let refuses = DirectoryError::Rejected("it can't tell".to_owned());
    for error in [DirectoryError::Unavailable("the test says so".to_owned()), refuses] {
        app.directory.next(Op::MembersOf, Act::Fail(error.clone()));
        let no = ensure(&app, &want).await.unwrap_err();
        assert!(matches!(no, AppError::Failed { .. }), "{error}: {no}");
        assert_eq!(app.get("/v1/approvals", "ann").await.json["items"], json!([]), "{error}");
    }
    pending(ensure(&app, &want).await);
    // Groups are asked for only where those who are named by themselves don't suffice.
    let asked = app.directory.calls(Op::MembersOf);
    pending(ensure(&app, &Want::of(Template::new(Kind::Approve, named(&["group:00gops", "user:00uben"])))).await);
    assert_eq!(app.directory.calls(Op::MembersOf), asked);
}

#[actix_web::test]
async fn of_a_large_group_no_more_are_read_than_it_takes() {
    let app = app().await;
    for n in 0..150 {
        let id = format!("00umember{n:03}");
        app.directory.put(user(&id, &format!("member{n}@example.test"), &json!({})));
        app.directory.set_groups(&uid(&id), &["00glarge"]);
        if n < 20 {
            app.directory.suspend(&id);
        }
    }
    let before = app.directory.calls(Op::User);
    pending(ensure(&app, &Want::of(Template::new(Kind::Approve, named(&["group:00glarge"])))).await);
    let read = app.directory.calls(Op::User) - before;
    assert!((21..60).contains(&read), "{read}");
}

#[actix_web::test]
async fn what_was_decided_stands_when_those_who_decided_are_gone() {
    let app = app().await;
    let want = Want::of(template());
    let id = pending(ensure(&app, &want).await).id;
    vote(&app, id, "ada", "approve").await;
    for name in DECIDERS {
        app.directory.suspend(&format!("00u{name}"));
    }
    assert_eq!(usable(ensure(&app, &want).await).approval.id, id);
    let other = Want { ticket: Some("OPS-2".to_owned()), ..want };
    assert_eq!(refused(ensure(&app, &other).await), "no-approvers");
}

#[actix_web::test]
async fn a_requester_has_so_many_open_and_no_more() {
    let limits = DelegationLimits { max_open: 2, ..DelegationLimits::default() };
    let app = app_with(Setup { limits, ..Setup::default() }).await;
    let want = |n: u32| Want { ticket: Some(format!("OPS-{n}")), ..Want::of(template()) };
    let one = pending(ensure(&app, &want(1)).await).id;
    let two = pending(ensure(&app, &want(2)).await).id;
    assert_eq!(refused(ensure(&app, &want(3)).await), "too-many-open");
    assert_eq!(pending(ensure(&app, &want(2)).await).id, two, "one that is there counts no more");
    assert_eq!(withdraw(&app, one, "ann").await.status, 200);
    pending(ensure(&app, &want(3)).await);
    assert_eq!(refused(ensure(&app, &want(4)).await), "too-many-open");
    app.advance(SignedDuration::from_hours(1));
    pending(ensure(&app, &want(4)).await);
}

#[actix_web::test]
async fn what_a_person_could_not_read_or_sign_is_refused() {
    let app = app().await;
    let many = (0..100).map(|n| format!("{n:0>250}")).collect();
    assert_eq!(refused(ensure(&app, &Want { scopes: many, ..Want::of(template()) }).await), "request-too-long");
    let want = Want { reason: Some("e\u{301}".to_owned()), ..Want::of(template()) };
    let no = ensure(&app, &want).await.unwrap_err();
    assert!(no.to_string().contains("normalization form C"), "{no}");
    assert_eq!(app.get("/v1/approvals", "ann").await.json["items"], json!([]));
}

#[actix_web::test]
async fn what_waits_from_an_older_epoch_is_void() {
    let app = app().await;
    let (want, services) = (Want::of(template()), &app.services);
    let old = pending(ensure(&app, &want).await).id;
    let tenant = tenant_of(services);
    behalf::app::epoch::ensure(services, &tenant.name, 7).await.unwrap();
    vote(&app, old, "ada", "approve").await.is_problem(409, "epoch-changed");
    assert_ne!(pending(ensure(&app, &want).await).id, old);
}
