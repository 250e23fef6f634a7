//! What a good hook is answered, and what is written down of it.

use std::collections::BTreeMap;

use behalf::domain::ids::{DelegationId, DelegationRef};
use serde_json::{Value, json};

use super::{coded, deliver, deliver_bytes, tampered, with, without};
use crate::support::{
    fake_directory::Op,
    test_app::{ISSUER, TestApp, refresh_hook, uid, user},
};

/// A login's hook, with this state in the form.
fn code_hook(event: &str, state: &str) -> Value {
    let hook = without(refresh_hook(event, None), "/data/context/protocol/originalGrant");
    let request = json!({"grant_type": "authorization_code", "scope": "openid behalf", "state": state,
        "redirect_uri": "https://app.test/cb", "response_mode": "query", "response_type": "code"});
    with(hook, "/data/context/protocol/request", request)
}

#[actix_web::test]
async fn the_id_is_found_in_every_place_that_okta_shows() {
    let app = TestApp::new().await;
    let url = "/data/context/request/url/value";
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(app.begin().await);
    }
    let hooks = [
        refresh_hook("e1", Some(&ids[0])),
        with(refresh_hook("e2", None), url, format!("{ISSUER}/v1/token?x=1&state={}", ids[1])),
        code_hook("e3", &ids[2]),
    ];
    for hook in hooks {
        let told = deliver(&app, &hook).await;
        assert!(told.is_granted(), "{told:?}");
        assert_eq!(told.minted(&hook).access.unwrap().claims["on_behalf_sub"], json!("bob@example.test"));
    }
    assert_eq!(coded(&app, "DA1000").await.len(), 3);
}

#[actix_web::test]
async fn both_tokens_speak_for_the_delegator() {
    let app = TestApp::new().await;
    let hook = refresh_hook("e1", Some(&app.begin().await));
    let tokens = deliver(&app, &hook).await.minted(&hook);
    let identity = tokens.identity.unwrap();
    assert_eq!(Value::Object(identity.claims), json!({"sub": "00uann", "department": "Ops"}));
    assert_eq!((identity.lifetime, tokens.access.unwrap().lifetime), (3600, 3600));
}

#[actix_web::test]
async fn an_attribute_that_the_delegator_lacks_is_removed_and_one_that_nobody_has_is_not_sent() {
    let app = TestApp::new().await;
    app.directory.put(user("00ubob", "bob@example.test", &json!({"department": null, "costCenter": ""})));
    let hook = refresh_hook("e1", Some(&app.begin().await));
    let tokens = deliver(&app, &hook).await.minted(&hook);
    // The access token had no department, the ID token had Ann's.
    assert_eq!(
        tokens.access.unwrap().claims.keys().collect::<Vec<_>>(),
        ["can_delegate", "on_behalf", "on_behalf_sub", "sub", "uid"]
    );
    assert_eq!(Value::Object(tokens.identity.unwrap().claims), json!({"sub": "00uann"}));
}

#[actix_web::test]
async fn the_event_tells_who_for_whom_through_what_and_why() {
    let app = TestApp::new().await;
    let id = app.begin().await;
    let told = deliver(&app, &refresh_hook("okta-event-1", Some(&id))).await;
    let events = coded(&app, "DA1000").await;
    let [event] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(told.debug("event").as_deref(), Some(event.id.as_str()));
    assert_eq!((event.kind.as_str(), event.outcome.result.as_str()), ("hook.decision.granted", "success"));
    assert_eq!((event.actor.id.as_str(), event.actor.login.as_deref()), ("00uann", Some("ann@example.test")));
    let delegator = event.on_behalf_of.as_ref().unwrap();
    assert_eq!((delegator.id.as_str(), delegator.login.as_deref()), ("00ubob", Some("bob@example.test")));
    assert_eq!(event.client.app.as_deref(), Some("app"));
    assert_eq!(event.request.hook_event_id.as_deref(), Some("okta-event-1"));
    let said: BTreeMap<_, _> = event.policy.trace.iter().map(|l| (l.stage.as_str(), l.said.as_str())).collect();
    assert_eq!(said, [("grant", "continue"), ("lock", "continue"), ("rules", "continue")].into());
    let change = event.change.as_ref().unwrap();
    assert_eq!((change.from.as_deref(), change.to.as_str()), (Some("PENDING"), "CONSUMED"));
    let reference = DelegationRef(DelegationId::parse(&id).unwrap().record()).to_string();
    assert_eq!((event.target[0].kind.as_str(), &event.target[0].id), ("delegation", &reference));
}

#[actix_web::test]
async fn the_old_path_and_the_tenant_path_answer_alike() {
    let app = TestApp::new().await;
    for (event, path) in [("e1", "/tokenEnrichment/agent"), ("e2", "/t/default/hooks/okta")] {
        let hook = refresh_hook(event, Some(&app.begin().await));
        let told = deliver_bytes(&app, path, hook.to_string().into_bytes()).await;
        assert!(told.is_granted(), "{path}: {told:?}");
    }
    for path in ["/hooks/other", "/t/nobody/hooks/okta", "/t/a%2Fb/hooks/okta"] {
        let told = deliver_bytes(&app, path, b"{}".to_vec()).await;
        assert_eq!((told.status, told.body.as_str()), (404, ""), "{path}");
    }
}

#[actix_web::test]
async fn an_untouched_hook_asks_nobody_and_writes_nothing() {
    let (setup, tamper) = tampered();
    let app = TestApp::with(setup).await;
    app.begin().await;
    let asked = |app: &TestApp| {
        let ops = [Op::User, Op::IsGranted, Op::AgentsOf, Op::DelegatorsOf];
        ops.map(|op| app.directory.calls(op)).iter().sum::<usize>()
    };
    let (calls, questions, events) = (tamper.calls(), asked(&app), app.events().await.len());
    assert!(calls > 0 && questions > 0 && events == 1, "the initiation is counted");
    let stranger = with(refresh_hook("e2", None), "/data/context/user/id", "00unobody");
    for hook in [refresh_hook("e1", None), stranger, code_hook("e3", "the-clients-own-state")] {
        let told = deliver(&app, &hook).await;
        assert_eq!((told.status, told.body.as_str()), (204, ""));
    }
    assert_eq!((tamper.calls(), asked(&app), app.events().await.len()), (calls, questions, events));
}

#[actix_web::test]
async fn the_directory_is_asked_again_at_the_hook() {
    let app = TestApp::new().await;
    let id = app.begin().await;
    let before = (app.directory.calls(Op::User), app.directory.calls(Op::IsGranted));
    assert!(deliver(&app, &refresh_hook("e1", Some(&id))).await.is_granted());
    assert_eq!((app.directory.calls(Op::User), app.directory.calls(Op::IsGranted)), (before.0 + 2, before.1 + 1));
    let now = user("00ubob", "robert@example.test", &json!({"department": "New"}));
    app.directory.put(now);
    app.directory.set_grant(&uid("00ubob"), &uid("00uann"), true);
    let body = json!({"delegator": "00ubob"});
    let (_, begun) = app.call(reqwest::Method::POST, "/v1/delegations", "ann", Some(body)).await;
    app.directory.put(user("00ubob", "bobby@example.test", &json!({"department": "Newer"})));
    let hook = refresh_hook("e2", begun["delegationid"].as_str());
    let claims = deliver(&app, &hook).await.minted(&hook).access.unwrap().claims;
    assert_eq!((&claims["on_behalf_sub"], &claims["department"]), (&json!("bobby@example.test"), &json!("Newer")));
}

#[actix_web::test]
async fn a_hook_that_comes_during_the_drain_is_answered() {
    let app = TestApp::new().await;
    let id = app.begin().await;
    app.state.readiness.set(false);
    assert!(deliver(&app, &refresh_hook("e1", Some(&id))).await.is_granted());
}
