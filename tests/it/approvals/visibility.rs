//! Who sees what.

use behalf::domain::approval::{ApprovalId, Template};
use serde_json::{Value, json};

use super::rig::*;
use crate::support::test_app::{TestApp, uid};

async fn listed(app: &TestApp, token: &str, role: &str) -> Vec<String> {
    let answer = app.get(&format!("/v1/approvals?role={role}"), token).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

#[actix_web::test]
async fn whom_it_concerns_sees_it_and_nobody_else() {
    let app = app().await;
    let id = asked(&app, template()).await;
    for token in ["ann", "bob", "ada", "ben", "root"] {
        assert_eq!(app.get(&path(id, ""), token).await.status, 200, "{token}");
    }
    let stranger = app.get(&path(id, ""), "eve").await;
    stranger.is_problem(404, "not-found");
    let unknown = app.get("/v1/approvals/apr_AZOq4Yp7kJ2cGx3eUpYc1FhT0V6a1A", "eve").await;
    assert_eq!(stranger.json, unknown.json, "the same as for one that isn't there");
    for way in ["", "/events", "?wait=1s"] {
        app.get(&path(id, way), "eve").await.is_problem(404, "not-found");
        app.get(&format!("/t/acme{}", path(id, way)), "ann").await.is_problem(404, "not-found");
    }
    vote(&app, id, "ada", "approve").await;
    // Who voted goes on seeing it, whatever becomes of him.
    app.directory.take("00uada");
    assert_eq!(app.get(&path(id, ""), "ada").await.status, 200);
    app.directory.take("00uben");
    app.get(&path(id, ""), "ben").await.is_problem(404, "not-found");
}

#[actix_web::test]
async fn each_role_has_its_list() {
    let app = app().await;
    let mut template = of_two();
    template.approvers.extend(named(&["group:00gops"]));
    app.directory.set_groups(&uid("00ueve"), &["00gops", "00gother"]);
    let id = asked(&app, template).await;
    let text = id.to_string();
    assert_eq!(listed(&app, "ann", "requester").await, [text.as_str()]);
    assert_eq!(listed(&app, "bob", "delegator").await, [text.as_str()]);
    assert_eq!(listed(&app, "root", "administrator").await, [text.as_str()]);
    for token in ["ada", "eve"] {
        assert_eq!(listed(&app, token, "approver").await, [text.as_str()]);
        assert_eq!(listed(&app, token, "requester").await, Vec::<String>::new());
    }
    for (token, role) in [("ann", "delegator"), ("ann", "approver"), ("bob", "requester"), ("bob", "approver")] {
        assert_eq!(listed(&app, token, role).await, Vec::<String>::new(), "{token} {role}");
    }
    app.get("/v1/approvals?role=administrator", "eve").await.is_problem(403, "administrator-only");
    // Who has voted isn't waited for any more; nor is anybody once it is decided.
    vote(&app, id, "ada", "approve").await;
    assert_eq!(listed(&app, "ada", "approver").await, Vec::<String>::new());
    assert_eq!(listed(&app, "ben", "approver").await, [text.as_str()]);
    vote(&app, id, "ben", "approve").await;
    assert_eq!(listed(&app, "cleo", "approver").await, Vec::<String>::new());
    assert_eq!(listed(&app, "ann", "requester").await, [text.as_str()]);
}

#[actix_web::test]
async fn an_approver_of_many_groups_sees_each_request_once_page_by_page() {
    let app = app().await;
    app.directory.set_groups(&uid("00ueve"), &["00gone", "00gtwo", "00gthree"]);
    let groups = [&["group:00gone"][..], &["group:00gtwo", "group:00gone"], &["user:00ueve", "group:00gthree"]];
    let mut ids: Vec<ApprovalId> = Vec::new();
    for n in 0..15_usize {
        let template = Template { approvers: named(groups[n % 3]), ..template() };
        let want = Want { ticket: Some(n.to_string()), ..Want::of(template) };
        ids.push(pending(ensure(&app, &want).await).id);
        app.advance(jiff::SignedDuration::from_secs(1));
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = app.get(&format!("/v1/approvals?role=approver&limit=4{cursor}"), "eve").await.json;
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 4);
        seen.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        match &page["next_cursor"] {
            Value::String(next) => cursor = format!("&cursor={next}"),
            _ => break,
        }
        assert!(seen.len() < 40, "it ends");
    }
    let newest_first: Vec<_> = ids.iter().rev().map(ToString::to_string).collect();
    assert_eq!(seen, newest_first);
}

#[actix_web::test]
async fn a_list_takes_only_what_it_knows() {
    let app = app().await;
    for bad in ["role=boss", "role=", "limit=0", "limit=201", "cursor=x", "extra=1"] {
        app.get(&format!("/v1/approvals?{bad}"), "ann").await.is_problem(400, "invalid-request");
    }
    for bad in [
        "wait=",
        "wait=0",
        "wait=0s",
        "wait=61s",
        "wait=-1s",
        "wait=NaN",
        "wait=9223372036854775808",
        "wait=1.5s",
        "wait=1s&after_revision=-1",
    ] {
        let id = "apr_AZOq4Yp7kJ2cGx3eUpYc1FhT0V6a1A";
        let status = app.get(&format!("/v1/approvals/{id}?{bad}"), "ann").await.status;
        assert_eq!(status, 400, "{bad}");
    }
}

#[actix_web::test]
async fn the_trail_shows_each_what_concerns_him() {
    let app = app().await;
    let id = asked(&app, template()).await;
    vote(&app, id, "ada", "approve").await;
    let sees = async |token: &str| {
        let items = app.get("/v1/audit", token).await.json["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["code"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for token in ["ann", "bob", "root"] {
        assert_eq!(sees(token).await, ["DA2000", "DA2001", "DA2002"], "{token}");
    }
    assert_eq!(sees("ada").await, ["DA2001", "DA2002"]);
    assert_eq!(json!(sees("eve").await), json!([]));
}

#[actix_web::test]
async fn deliveries_of_a_request_are_none_before_anybody_is_told() {
    let app = app().await;
    let id = asked(&app, template()).await;
    for token in ["ann", "root"] {
        let none = app.get(&path(id, "/deliveries"), token).await;
        assert_eq!((none.status.as_u16(), &none.json), (200, &json!({"items": []})), "{token}: {}", none.text);
    }
    for token in ["bob", "ada", "eve"] {
        app.get(&path(id, "/deliveries"), token).await.is_problem(404, "not-found");
    }
    for other in ["/v1/approvals/apr_AZOq4Yp7kJ2cGx3eUpYc1FhT0V6a1A/deliveries", "/v1/approvals/x/deliveries"] {
        app.get(other, "ann").await.is_problem(404, "not-found");
    }
}
