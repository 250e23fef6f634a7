//! Begin, list, cancel.

use behalf::{
    app::DelegationLimits,
    domain::{ids::ClientId, rule::Rule},
    policy::TenantPolicy,
    ports::{directory::DirectoryError, token_verifier::VerifiedToken},
};
use futures_util::future::join_all;
use jiff::SignedDuration;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    fake_directory::{Act, Op},
    test_app::{Setup, TestApp, refresh_hook, uid},
};

fn for_bob() -> Value {
    json!({"delegator": "bob@example.test"})
}

async fn references(app: &TestApp, token: &str) -> Vec<String> {
    let page = app.get("/v1/delegations?limit=200", token).await.json;
    page["items"].as_array().unwrap().iter().map(|i| i["reference"].as_str().unwrap().to_owned()).collect()
}

#[actix_web::test]
async fn what_is_begun_is_listed_without_its_secret() {
    let app = TestApp::new().await;
    let body = json!({"delegator": "00ubob", "scopes": ["openid"], "reason": "invoice run", "ticket": "T-1"});
    let begun = app.post("/v1/delegations", "ann", &body).await;
    assert_eq!(begun.status, 201);
    assert_eq!(begun.json["expires_at"], "2026-11-21T10:01:00Z");
    let bob = json!({"id": "00ubob", "login": "bob@example.test", "display_name": "Bob Builder (bob@example.test)"});
    assert_eq!(begun.json["delegator"], bob);
    let listed = app.get("/v1/delegations", "ann").await;
    let expected = json!({"items": [{
        "reference": begun.json["reference"], "state": "PENDING",
        "delegator": {"id": "00ubob", "login": "bob@example.test"}, "client": "app", "scopes": ["openid"],
        "reason": "invoice run", "ticket": "T-1",
        "created_at": "2026-11-21T10:00:00Z", "expires_at": "2026-11-21T10:01:00Z"}], "next_cursor": null});
    let mut shown = listed.json.clone();
    shown["items"][0].as_object_mut().unwrap().retain(|name, value| name != "rule" || !value.is_null());
    assert_eq!(shown, expected);
    let id = begun.json["delegationid"].as_str().unwrap();
    assert!(!listed.text.contains(&id[4..]));
    for other in ["bob", "eve", "root"] {
        assert_eq!(references(&app, other).await, Vec::<String>::new(), "{other}");
    }
    let events = serde_json::to_string(&app.events().await).unwrap();
    assert!(!events.contains(&id[4..]) && events.contains("invoice run"));
}

#[actix_web::test]
async fn every_refusal_looks_the_same() {
    let app = TestApp::new().await;
    let mut suspended = crate::support::test_app::user("00usus", "sus@example.test", &json!({}));
    suspended.status = behalf::domain::user::Status::Inactive;
    app.directory.put(suspended);
    app.directory.set_grant(&uid("00usus"), &uid("00uann"), true);
    let mut bodies = Vec::new();
    for name in ["00ueve", "eve@example.test", "nobody", "00usus", "00uann", "ann@example.test", "00uann/../00ubob"] {
        let answer = app.post("/v1/delegations", "ann", &json!({"delegator": name})).await;
        answer.is_problem(403, "not-delegated");
        bodies.push(answer.text);
    }
    assert!(bodies.windows(2).all(|two| two[0] == two[1]), "{bodies:?}");
    let reasons: Vec<_> = app.trail().await.into_iter().map(|(code, reason)| (code, reason.unwrap())).collect();
    let exact = ["grant-gone", "grant-gone", "delegator-unknown", "delegator-inactive", "self-delegation"];
    for (event, reason) in reasons.iter().zip(exact) {
        assert_eq!((event.0.as_str(), event.1.as_str()), ("DA1101", reason));
    }
    assert_eq!(reasons.len(), 7);
}

#[actix_web::test]
async fn one_users_success_is_no_other_users() {
    let app = TestApp::new().await;
    let for_bob = for_bob();
    for _ in 0..5 {
        let (anns, eves) =
            tokio::join!(app.post("/v1/delegations", "ann", &for_bob), app.post("/v1/delegations", "eve", &for_bob));
        assert_eq!(anns.status, 201);
        eves.is_problem(403, "not-delegated");
        app.post("/agent", "ann", &json!({"entityid": "00ubob"})).await;
        let answer = app.post("/agent", "eve", &json!({"entityid": "00ubob"})).await;
        answer.is_compat_error(401, "User is not delegated by that delegator.");
    }
    assert_eq!(references(&app, "eve").await, Vec::<String>::new());
    assert_eq!(references(&app, "ann").await.len(), 10);
}

#[actix_web::test]
async fn cancelled_by_id_or_by_reference_it_cannot_be_used() {
    let app = TestApp::new().await;
    let begun = app.post("/v1/delegations", "ann", &for_bob()).await.json;
    let other = app.post("/v1/delegations", "ann", &for_bob()).await.json;
    let path = |name: &Value| format!("/v1/delegations/{}", name.as_str().unwrap());
    for name in [&begun["delegationid"], &other["reference"]] {
        assert_eq!(app.delete(&path(name), "ann").await.status, 204);
        assert_eq!(app.delete(&path(name), "ann").await.status, 204, "again changes nothing");
    }
    let cancelled = app.trail().await.into_iter().filter(|(code, _)| code == "DA1102").count();
    assert_eq!(cancelled, 2);
    let page = app.get("/v1/delegations", "ann").await.json;
    assert!(page["items"].as_array().unwrap().iter().all(|i| i["state"] == "CANCELLED"), "{page}");
    let (_, body) = app.deliver(&refresh_hook("e", begun["delegationid"].as_str()).to_string()).await;
    assert!(body.contains("delegation-not-usable"), "{body}");
}

#[actix_web::test]
async fn anothers_delegation_is_not_there() {
    let app = TestApp::new().await;
    let begun = app.post("/v1/delegations", "ann", &for_bob()).await.json;
    let (id, reference) = (begun["delegationid"].as_str().unwrap(), begun["reference"].as_str().unwrap());
    let mut bodies = Vec::new();
    for name in [id, reference, "dlg_unknown", "dlr_x", "x", &id[4..]] {
        for who in ["bob", "eve", "root"] {
            let answer = app.delete(&format!("/v1/delegations/{name}"), who).await;
            answer.is_problem(404, "not-found");
            bodies.push(answer.text);
        }
    }
    assert!(bodies.windows(2).all(|two| two[0] == two[1]));
    let elsewhere = app.delete(&format!("/t/acme/v1/delegations/{id}"), "ann").await;
    elsewhere.is_problem(404, "not-found");
    assert_eq!(app.get("/v1/delegations", "ann").await.json["items"][0]["state"], "PENDING");
}

#[actix_web::test]
async fn used_or_expired_it_cannot_be_cancelled() {
    let app = TestApp::new().await;
    let used = app.begin().await;
    app.deliver(&refresh_hook("e", Some(&used)).to_string()).await;
    app.delete(&format!("/v1/delegations/{used}"), "ann").await.is_problem(409, "not-pending");
    // Those of one millisecond have no order.
    app.advance(SignedDuration::from_millis(1));
    let late = app.begin().await;
    app.advance(SignedDuration::from_secs(60));
    app.delete(&format!("/v1/delegations/{late}"), "ann").await.is_problem(409, "not-pending");
    let states: Vec<Value> = app.get("/v1/delegations", "ann").await.json["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| i["state"].clone())
        .collect();
    assert_eq!(states, ["EXPIRED", "CONSUMED"]);
}

#[actix_web::test]
async fn pages_hold_each_delegation_once_newest_first() {
    let app = TestApp::new().await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.insert(0, app.post("/v1/delegations", "ann", &for_bob()).await.json["reference"].clone());
        app.advance(SignedDuration::from_millis(1));
    }
    let (mut seen, mut path, mut sizes) = (Vec::new(), "/v1/delegations?limit=2".to_owned(), Vec::new());
    loop {
        let page = app.get(&path, "ann").await.json;
        let items = page["items"].as_array().unwrap();
        sizes.push(items.len());
        seen.extend(items.iter().map(|i| i["reference"].clone()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/delegations?limit=2&cursor={cursor}");
    }
    assert_eq!(sizes, [2, 2, 1]);
    assert_eq!(seen, made);
    // Another's cursor shows no more than one's own list.
    let anns = app.get("/v1/delegations?limit=1", "ann").await.json["next_cursor"].clone();
    let eves = app.get(&format!("/v1/delegations?cursor={}", anns.as_str().unwrap()), "eve").await.json;
    assert_eq!(eves, json!({"items": [], "next_cursor": null}));
}

#[actix_web::test]
async fn pending_delegations_have_a_cap_of_their_agent() {
    let limits = DelegationLimits { max_pending: 2, ..DelegationLimits::default() };
    let app = TestApp::with(Setup { limits, ..Setup::default() }).await;
    let first = app.begin().await;
    app.begin().await;
    app.advance(SignedDuration::from_secs(20));
    let answer = app.post("/v1/delegations", "ann", &for_bob()).await;
    answer.is_problem(429, "too-many-pending");
    assert_eq!(answer.header("retry-after"), Some("41"));
    let compat = app.post("/agent", "ann", &json!({"entityid": "00ubob"})).await;
    assert_eq!((compat.status.as_u16(), compat.header("retry-after")), (429, Some("41")));
    app.delete(&format!("/v1/delegations/{first}"), "ann").await;
    app.begin().await;
}

/// All write the one roster: whoever is overtaken tries again, and nobody is told that the service is at fault.
#[actix_web::test]
async fn of_many_at_once_of_one_agent_none_fails_by_the_others() {
    let limits = DelegationLimits { max_pending: 40, ..DelegationLimits::default() };
    let app = TestApp::with(Setup { limits, ..Setup::default() }).await;
    let body = for_bob();
    let all = join_all((0..32).map(|_| app.post("/v1/delegations", "ann", &body))).await;
    let told: Vec<_> = all.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(told, [201; 32]);
}

#[actix_web::test]
async fn a_lock_is_told_to_an_agent_whose_grant_stands_and_to_nobody_else() {
    let app = TestApp::new().await;
    app.post("/v1/locks", "bob", &json!({})).await;
    app.post("/v1/delegations", "ann", &for_bob()).await.is_problem(423, "locked");
    app.post("/v1/delegations", "eve", &for_bob()).await.is_problem(403, "not-delegated");
    app.delete("/v1/locks/00ubob", "bob").await;
    app.post("/v1/locks", "ann", &json!({})).await;
    app.post("/v1/delegations", "ann", &for_bob()).await.is_problem(423, "locked");
}

#[actix_web::test]
async fn a_token_without_a_client_cannot_begin() {
    let app = TestApp::new().await;
    let token = VerifiedToken {
        claims: json!({"uid": "00uann"}).as_object().unwrap().clone(),
        scopes: ["behalf".to_owned()].into(),
        client: None,
        expires: jiff::Timestamp::MAX,
    };
    app.raw_token("clientless", token);
    let answer = app.post("/v1/delegations", "clientless", &for_bob()).await;
    answer.is_problem(400, "invalid-request");
    assert_eq!(answer.json["field"], "token");
}

#[actix_web::test]
async fn the_rules_scopes_bound_the_delegation() {
    let rule = Rule {
        name: "payments".to_owned(),
        when: behalf::domain::rule::When { clients: [ClientId::parse("app").unwrap()].into(), ..Default::default() },
        scopes_allowed: Some(["openid".to_owned()].into()),
        ..Rule::default()
    };
    let policy = TenantPolicy { rules: vec![rule], ..TenantPolicy::default() };
    let app = TestApp::with(Setup { policy, ..Setup::default() }).await;
    let asked = json!({"delegator": "00ubob", "scopes": ["openid", "payments"]});
    app.post("/v1/delegations", "ann", &asked).await.is_problem(403, "scope-not-allowed");
    app.post("/v1/delegations", "eve", &asked).await.is_problem(403, "not-delegated");
    assert_eq!(app.post("/v1/delegations", "ann", &for_bob()).await.status, 201);
    let listed = app.get("/v1/delegations", "ann").await.json;
    assert_eq!((&listed["items"][0]["rule"], &listed["items"][0]["scopes"]), (&json!("payments"), &json!(["openid"])));
}

#[actix_web::test]
async fn what_could_not_be_asked_is_no_refusal() {
    let app = TestApp::new().await;
    for (op, error) in [
        (Op::User, DirectoryError::Unavailable("secret-host:636".to_owned())),
        (Op::IsGranted, DirectoryError::Rejected("secret-password".to_owned())),
        (Op::User, DirectoryError::Throttled { until: None }),
    ] {
        app.directory.next(op, Act::Fail(error));
        let answer = app.post("/v1/delegations", "ann", &for_bob()).await;
        answer.is_problem(503, "temporarily-unavailable");
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert!(!answer.text.contains("secret"), "{}", answer.text);
    }
    app.store.close();
    let answer = app.post("/v1/delegations", "ann", &for_bob()).await;
    answer.is_problem(503, "temporarily-unavailable");
    let answer = app.send(app.request(Method::GET, "/v1/delegations").bearer_auth("ann")).await;
    answer.is_problem(503, "temporarily-unavailable");
}
