//! Rules at the hook: bounds on scopes and on the token's life.

use std::collections::BTreeSet;

use behalf::domain::{
    ids::ClientId,
    rule::{Rule, When},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{coded, deliver, with, without};
use crate::support::test_app::{Setup, TestApp, refresh_hook, user};

const SCOPES: &str = "/data/access/scopes";

fn scopes(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

async fn ruled(rules: Vec<Rule>) -> TestApp {
    let mut setup = Setup::default();
    setup.policy.rules = rules;
    TestApp::with(setup).await
}

fn lasting(seconds: u64, allow_overrun: bool) -> Rule {
    Rule { name: "short".to_owned(), max_token_lifetime: Some(seconds), allow_overrun, ..Rule::default() }
}

fn granted(names: &[&str]) -> Value {
    names.iter().map(|name| ((*name).to_owned(), json!({"id": name, "action": "GRANT"}))).collect()
}

#[actix_web::test]
async fn a_scope_beyond_the_delegations_own_is_refused_and_one_less_is_not() {
    let app = TestApp::new().await;
    let body = json!({"delegator": "00ubob", "scopes": ["openid", "pay"]});
    let (status, begun) = app.call(Method::POST, "/v1/delegations", "ann", Some(body)).await;
    assert_eq!(status, StatusCode::CREATED);
    let hook = refresh_hook("e1", begun["delegationid"].as_str());
    for beyond in [&["openid", "behalf"][..], &["Openid"], &["openid", "pay", "all"]] {
        let told = deliver(&app, &with(hook.clone(), SCOPES, granted(beyond))).await;
        assert_eq!(told.refused(), "scope-not-allowed", "{beyond:?}");
    }
    assert!(deliver(&app, &with(hook, SCOPES, granted(&["openid"]))).await.is_granted());
}

#[actix_web::test]
async fn a_scope_beyond_the_rule_is_refused() {
    let rule = Rule { name: "read".to_owned(), scopes_allowed: Some(scopes(&["openid"])), ..Rule::default() };
    let app = ruled(vec![rule]).await;
    // The token has more than the rule allows: the delegation is cut down to fit.
    let id = app.begin().await;
    let hook = refresh_hook("e1", Some(&id));
    assert_eq!(deliver(&app, &hook).await.refused(), "scope-not-allowed");
    assert!(deliver(&app, &with(hook, SCOPES, granted(&["openid"]))).await.is_granted());
    let body = json!({"delegator": "00ubob", "scopes": ["openid", "behalf"]});
    let (status, problem) = app.call(Method::POST, "/v1/delegations", "ann", Some(body)).await;
    assert_eq!((status, problem["code"].as_str()), (StatusCode::FORBIDDEN, Some("scope-not-allowed")));
}

#[actix_web::test]
async fn a_rule_shortens_a_token_and_never_lengthens_it() {
    let app = ruled(vec![lasting(600, false)]).await;
    let hook = refresh_hook("e1", Some(&app.begin().await));
    let hook = with(hook, "/data/identity/token/lifetime/expiration", 400);
    let tokens = deliver(&app, &hook).await.minted(&hook);
    assert_eq!((tokens.access.unwrap().lifetime, tokens.identity.unwrap().lifetime), (600, 400));
    assert_eq!(coded(&app, "DA1000").await[0].policy.rule.as_deref(), Some("short"));
}

#[actix_web::test]
async fn a_life_that_okta_cannot_set_is_refused_unless_the_rule_allows_more() {
    for (allow_overrun, reason) in [(false, Some("lifetime-too-short")), (true, None)] {
        let app = ruled(vec![lasting(299, allow_overrun)]).await;
        let hook = refresh_hook("e1", Some(&app.begin().await));
        let told = deliver(&app, &hook).await;
        match reason {
            Some(reason) => assert_eq!(told.refused(), reason),
            None => assert_eq!(told.minted(&hook).access.unwrap().lifetime, 300),
        }
    }
}

#[actix_web::test]
async fn an_unknown_life_cannot_be_shortened() {
    let app = ruled(vec![lasting(600, false)]).await;
    let id = app.begin().await;
    let hook = without(refresh_hook("e1", Some(&id)), "/data/access/token");
    assert_eq!(deliver(&app, &hook).await.refused(), "lifetime-unknown");
    assert!(deliver(&app, &refresh_hook("e2", Some(&id))).await.is_granted());
}

#[actix_web::test]
async fn the_rule_is_matched_with_the_hooks_own_scopes() {
    let when =
        When { scopes: scopes(&["behalf"]), clients: [ClientId::parse("app").unwrap()].into(), ..When::default() };
    let app = ruled(vec![Rule { when, ..lasting(300, false) }, lasting(900, false)]).await;
    for (event, asked, lifetime) in [("e1", &["openid", "behalf"][..], 300), ("e2", &["openid"], 900)] {
        let hook = with(refresh_hook(event, Some(&app.begin().await)), SCOPES, granted(asked));
        assert_eq!(deliver(&app, &hook).await.minted(&hook).access.unwrap().lifetime, lifetime);
    }
}

#[actix_web::test]
async fn a_hook_that_does_not_tell_the_scopes_is_refused_and_uses_nothing_up() {
    let app = TestApp::new().await;
    let id = app.begin().await;
    for (event, scopes) in [("gone", None), ("null", Some(Value::Null))] {
        let mut hook = refresh_hook(event, Some(&id));
        let access = hook["data"]["access"].as_object_mut().unwrap();
        access.remove("scopes");
        access.extend(scopes.map(|s| ("scopes".to_owned(), s)));
        let (status, body) = app.deliver(&hook.to_string()).await;
        assert_eq!(status, 200);
        assert!(body.contains("(scope-not-allowed)") && body.contains("scopes-unknown"), "{body}");
    }
    let (_, body) = app.deliver(&refresh_hook("told", Some(&id)).to_string()).await;
    assert!(body.contains("on_behalf"), "{body}");
}

#[actix_web::test]
async fn attributes_larger_than_an_answer_have_a_reason_of_their_own() {
    let app = TestApp::new().await;
    app.directory.put(user("00ubob", "bob@example.test", &json!({"department": "x".repeat(70_000)})));
    let id = app.begin().await;
    let (_, body) = app.deliver(&refresh_hook("e1", Some(&id)).to_string()).await;
    assert!(body.contains("answer-too-large"), "{body}");
}
