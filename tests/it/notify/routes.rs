//! Looking at deliveries, and having one tried again.

use reqwest::{Method, StatusCode};

use super::*;

async fn dead() -> (Rig, Receiver) {
    let receiver = Receiver::start();
    let rig = Rig::new(vec![webhook("ops", &receiver.url), email(1)]).await;
    receiver.next(410, "x-nothing", "");
    rig.ask(&["user:00ubob", "user:00ueve"]).await;
    rig.make().await;
    assert_eq!(rig.send(0).await, [Outcome::Dead]);
    (rig, receiver)
}

#[actix_web::test]
async fn a_requester_sees_whether_the_approvers_were_told_and_others_see_nothing() {
    let (rig, _receiver) = dead().await;
    let path = "/v1/approvals/apr_x/deliveries";
    for token in ["ann", "root"] {
        let (status, body) = rig.app.call(Method::GET, path, token, None).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        let items = body["items"].as_array().unwrap();
        assert_eq!(items.len(), 3);
        let of = |channel: &str| items.iter().filter(|item| item["channel"] == channel).collect::<Vec<_>>();
        assert_eq!((&of("webhook")[0]["state"], &of("webhook")[0]["problem"]), (&json!("dead"), &json!("gone")));
        assert!(of("email").iter().all(|item| item["state"] == "waiting" && item["role"] == "approver"));
        assert!(!body.to_string().contains("00u") && !body.to_string().contains("ops"), "{body}");
    }
    for (token, path) in [("bob", path), ("eve", path), ("ann", "/v1/approvals/apr_y/deliveries")] {
        rig.app.get(path, token).await.is_problem(404, "not-found");
    }
}

#[actix_web::test]
async fn an_administrator_finds_what_was_given_up_and_has_it_tried_again() {
    let (rig, receiver) = dead().await;
    let (status, body) = rig.app.call(Method::GET, "/v1/notifications?state=dead", "root", None).await;
    assert_eq!((status, body["items"].as_array().unwrap().len()), (StatusCode::OK, 1), "{body}");
    let item = &body["items"][0];
    assert_eq!((&item["webhook"], &item["delivery"]["failures"]), (&json!("ops"), &json!(1)));
    let again = format!("/v1/notifications/{}/retry", item["id"].as_str().unwrap());
    rig.app.post(&again, "ann", &Value::Null).await.is_problem(403, "administrator-only");
    rig.app.get("/v1/notifications", "ann").await.is_problem(403, "administrator-only");
    let (status, body) = rig.app.call(Method::POST, &again, "root", None).await;
    assert_eq!((status, &body["delivery"]["state"]), (StatusCode::ACCEPTED, &json!("waiting")), "{body}");
    assert_eq!(rig.coded("DA7004").await.len(), 1);
    rig.app.post(&again, "root", &Value::Null).await.is_problem(409, "not-given-up");
    // A restart asks a receiver again that was gone.
    let rig = Rig { outlets: outlets(vec![webhook("ops", &receiver.url)]), ..rig };
    assert_eq!(rig.send(0).await, [Outcome::Sent]);
    rig.app.post(&again, "root", &Value::Null).await.is_problem(409, "not-given-up");
    let (_, body) = rig.app.call(Method::GET, "/v1/notifications?state=waiting&limit=1", "root", None).await;
    assert_eq!(body["items"].as_array().unwrap().len(), 1);
    let cursor = body["next_cursor"].as_str().unwrap();
    let next = format!("/v1/notifications?state=waiting&limit=1&cursor={cursor}");
    let (_, rest) = rig.app.call(Method::GET, &next, "root", None).await;
    assert_ne!(rest["items"][0]["id"], body["items"][0]["id"]);
}

#[actix_web::test]
async fn bad_questions_get_a_clear_no() {
    let rig = Rig::new(vec![]).await;
    rig.app.get("/v1/notifications?state=lost", "root").await.is_problem(400, "invalid-request");
    rig.app.get("/v1/notifications?limit=0", "root").await.is_problem(400, "invalid-request");
    rig.app.get("/v1/notifications?cursor=x", "root").await.is_problem(400, "invalid-request");
    for id in ["x", "ntf_", "ntf_AAAA", "ntf_AAABnGqt2gDNPvvbTtnJQvKkUgT9pXzGmQJvK4bXGFqv0GvZQ9cVkwAAAAAA"] {
        let answer = rig.app.post(&format!("/v1/notifications/{id}/retry"), "root", &Value::Null).await;
        answer.is_problem(404, "not-found");
    }
    assert!(rig.coded("DA7004").await.is_empty());
}
