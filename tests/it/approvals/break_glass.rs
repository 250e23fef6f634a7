//! Emergencies: votes are skipped, nothing else, and somebody looks at it afterwards.

use behalf::domain::approval::Template;
use jiff::SignedDuration;
use serde_json::json;

use super::rig::*;
use crate::support::test_app::TestApp;

const WHY: &str = "payroll closes at noon, nobody of secops answers";

fn want(why: &str) -> Want {
    Want { break_glass: Some(why.to_owned()), token: "duty", ..Want::of(template()) }
}

/// Ann's emergency, and the review that it left.
async fn broken(app: &TestApp) -> behalf::domain::approval::ApprovalId {
    usable(ensure(app, &want(WHY)).await).approval.id
}

#[actix_web::test]
async fn it_takes_the_role_and_a_reason() {
    let app = app().await;
    assert_eq!(refused(ensure(&app, &Want { token: "ann", ..want(WHY) }).await), "break-glass-role");
    for short in ["", "hurry", "                    x", "nineteen characters", "a b c d e f g h i j k l m"] {
        assert_eq!(refused(ensure(&app, &want(short)).await), "break-glass-reason", "{short}");
    }
    assert_eq!(codes(&app).await, vec!["DA2010"; 6]);
    assert_eq!(app.get("/v1/reviews", "root").await.json["items"], json!([]));
}

#[actix_web::test]
async fn it_skips_the_votes_and_is_told_as_critical() {
    let app = app().await;
    let id = broken(&app).await;
    let item = shown(&app, id).await;
    assert_eq!((&item["state"], &item["votes"], &item["break_glass"]), (&json!("APPROVED"), &json!([]), &json!(WHY)));
    let events = app.events().await;
    let told: Vec<_> = events.iter().map(|e| (e.code.as_str(), e.severity.as_str())).collect();
    assert_eq!(told, [("DA2000", "info"), ("DA4000", "critical")]);
    assert_eq!(events[1].details["skipped"], json!(["user:00uada", "user:00uben", "user:00ucleo"]));
    assert_eq!(events[1].details["reason"], WHY);
    let late = vote(&app, id, "ada", "deny").await;
    late.is_problem(409, "approval-closed");
    assert!(late.json["detail"].as_str().unwrap().contains("is decided already"), "{}", late.text);
    assert_eq!(revoke(&app, id, "root").await.status, 200, "an administrator stops it");
}

#[actix_web::test]
async fn its_deadlines_and_uses_are_those_of_any_other() {
    let app = app().await;
    let id = broken(&app).await;
    use_once(&app.services, id).await.unwrap();
    assert!(use_once(&app.services, id).await.is_err());
    let id = broken(&app).await;
    app.advance(SignedDuration::from_mins(15));
    assert_eq!(state(&app, id).await, "UNUSED_EXPIRED");
    assert!(use_once(&app.services, id).await.is_err());
}

#[actix_web::test]
async fn it_decides_a_request_that_waits_already() {
    let app = app().await;
    let waiting = asked(&app, of_two()).await;
    let emergency = Want { template: of_two(), ..want(WHY) };
    vote(&app, waiting, "ada", "approve").await;
    assert_eq!(usable(ensure(&app, &emergency).await).approval.id, waiting);
    assert_eq!(app.get("/v1/reviews", "root").await.json["items"][0]["id"], waiting.to_string());
    // One that was denied is not dug out: the emergency is a request of its own.
    let other = Want { ticket: Some("OPS-2".to_owned()), ..emergency };
    let denied = pending(ensure(&app, &Want { break_glass: None, ..other.clone() }).await).id;
    vote(&app, denied, "ada", "deny").await;
    assert_ne!(usable(ensure(&app, &other).await).approval.id, denied);
    assert_eq!(state(&app, denied).await, "DENIED");
    // Who reviews it sees what it went past.
    let reviews = app.get("/v1/reviews", "root").await.json["items"].clone();
    let of = |id: &str| reviews.as_array().unwrap().iter().find(|review| review["id"] == id).unwrap()["denied"].clone();
    assert_eq!(of(&waiting.to_string()), json!(null));
    let past = reviews.as_array().unwrap().iter().filter(|review| review["denied"] == denied.to_string()).count();
    assert_eq!(past, 1);
    let told: Vec<_> = app.events().await.into_iter().filter(|event| event.code == "DA4000").collect();
    assert_eq!((told[0].details.get("denied"), &told[1].details["denied"]), (None, &json!(denied.to_string())));
}

#[actix_web::test]
async fn other_words_do_not_hide_that_it_was_denied() {
    let app = app().await;
    let denied = pending(ensure(&app, &Want::of(template())).await).id;
    vote(&app, denied, "ada", "deny").await;
    let reworded = Want { reason: Some("invoices!".to_owned()), ..want(WHY) };
    usable(ensure(&app, &reworded).await);
    assert_eq!(app.get("/v1/reviews", "root").await.json["items"][0]["denied"], denied.to_string());
    // Nor does a request in yet other words that waits.
    let waiting = Want { ticket: Some("OPS-3".to_owned()), ..reworded };
    pending(ensure(&app, &Want { break_glass: None, ..waiting.clone() }).await);
    usable(ensure(&app, &waiting).await);
    let told = app.events().await.into_iter().filter(|event| event.code == "DA4000");
    let past: Vec<_> = told.map(|event| event.details["denied"].clone()).collect();
    assert_eq!(past, [json!(denied.to_string()), json!(denied.to_string())]);
}

#[actix_web::test]
async fn it_works_where_nobody_could_decide() {
    let app = app().await;
    let own = Template { approvers: named(&["user:00uann"]), ..template() };
    assert_eq!(refused(ensure(&app, &Want::of(own.clone())).await), "no-approvers");
    usable(ensure(&app, &Want { template: own, ..want(WHY) }).await);
}

#[actix_web::test]
async fn a_review_stays_open_until_somebody_else_closes_it() {
    let app = app().await;
    let id = broken(&app).await;
    app.advance(SignedDuration::from_hours(24 * 60));
    app.reap().await;
    let review = app.get("/v1/reviews", "root").await.json["items"][0].clone();
    assert_eq!((&review["state"], &review["reason"], &review["closed"]), (&json!("OPEN"), &json!(WHY), &json!(null)));
    let close = async |token: &str, body| app.post(&format!("/v1/reviews/{id}/close"), token, &body).await;
    let comment = json!({"comment": "talked to Ann; the run was due"});
    close("eve", comment.clone()).await.is_problem(403, "administrator-only");
    app.token("ann-admin", &json!({"uid": "00uann", "groups": ["behalf-admins"]}), &["openid", "behalf"]);
    close("ann-admin", comment.clone()).await.is_problem(403, "own-review");
    for bad in [
        json!({}),
        json!({"comment": ""}),
        json!({"comment": " \u{a0} "}),
        json!({"comment": "x".repeat(501)}),
        json!({"comment": "a\u{202e}"}),
    ] {
        close("root", bad).await.is_problem(400, "invalid-request");
    }
    let closed = close("root", comment.clone()).await;
    assert_eq!((closed.status.as_u16(), &closed.json["state"]), (200, &json!("CLOSED")), "{}", closed.text);
    assert_eq!(closed.json["closed"]["by"]["id"], "00uroot");
    close("root", comment).await.is_problem(409, "review-closed");
    assert_eq!(codes(&app).await.iter().filter(|code| *code == "DA4001").count(), 1);
    app.advance(SignedDuration::from_hours(24 * 30));
    app.reap().await;
    assert_eq!(app.get("/v1/reviews", "root").await.json["items"], json!([]));
}

#[actix_web::test]
async fn reviews_are_an_administrators_and_his_whose_emergency_it_was() {
    let app = app().await;
    broken(&app).await;
    for (token, count) in [("root", 1), ("ann", 1), ("bob", 0), ("ada", 0)] {
        let items = app.get("/v1/reviews", token).await.json["items"].as_array().unwrap().len();
        assert_eq!(items, count, "{token}");
    }
    let unknown = "/v1/reviews/apr_AZOq4Yp7kJ2cGx3eUpYc1FhT0V6a1A/close";
    app.post(unknown, "root", &json!({"comment": "x"})).await.is_problem(404, "not-found");
}
