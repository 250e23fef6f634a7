//! A user's token, or an administrator's, in the wrong hands.

use serde_json::json;

use crate::support::test_app::{TestApp, refresh_hook};

/// So whoever lifts the lock has to look at the grants first.
#[actix_web::test]
async fn a_lock_stops_delegations_but_not_the_thief_who_adds_an_agent() {
    let app = TestApp::new().await;
    assert_eq!(app.post("/v1/locks", "root", &json!({"user": "00ubob"})).await.status, 201);
    app.delete("/v1/locks/00ubob", "bob").await.is_problem(403, "administrator-only");
    assert_eq!(app.post("/v1/grants", "bob", &json!({"agent": "00ueve"})).await.status, 201);
    app.post("/v1/delegations", "eve", &json!({"delegator": "00ubob"})).await.is_problem(423, "locked");

    let added = app.get("/v1/audit?delegator=00ubob&code=DA6101", "root").await.json;
    assert_eq!(added["items"][0]["target"][1], json!({"type": "agent", "id": "00ueve"}), "{added}");
    assert_eq!(app.delete("/v1/grants/00ueve?delegator=00ubob", "root").await.status, 204);
    assert_eq!(app.delete("/v1/locks/00ubob", "root").await.status, 204);
    app.post("/v1/delegations", "eve", &json!({"delegator": "00ubob"})).await.is_problem(403, "not-delegated");
}

#[actix_web::test]
async fn an_administrators_token_lets_nobody_act_for_others() {
    let app = TestApp::new().await;
    let named = json!({"agent": "00ueve", "delegator": "00ubob"});
    app.post("/v1/grants", "root", &named).await.is_problem(400, "invalid-request");
    app.post("/v1/grants?delegator=00ubob", "root", &json!({"agent": "00ueve"})).await;
    app.post("/v1/delegations", "root", &json!({"delegator": "00ubob"})).await.is_problem(403, "not-delegated");
    app.post("/v1/delegations", "eve", &json!({"delegator": "00ubob"})).await.is_problem(403, "not-delegated");
}

/// The id is bound to the user and the client of the hook: who began it with a stolen token needs the session, too.
#[actix_web::test]
async fn a_delegation_begun_with_a_stolen_token_is_of_use_in_the_owners_session_only() {
    let app = TestApp::new().await;
    let id = app.begin().await;
    for (pointer, thief) in
        [("/data/context/user/id", "00ueve"), ("/data/context/protocol/client/id", "the-thiefs-client")]
    {
        let mut hook = refresh_hook("thief", Some(&id));
        *hook.pointer_mut(pointer).unwrap() = json!(thief);
        let (_, body) = app.deliver(&hook.to_string()).await;
        assert!(body.contains("(delegation-not-usable)"), "{body}");
    }
}
