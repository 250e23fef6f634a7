//! Hooks over real HTTP, from the IdP's bytes to the IdP's bytes.

use serde_json::Value;

use crate::support::{
    okta_apply::{Minted, Tokens, apply},
    test_app::{TestApp, refresh_hook},
};

#[actix_web::test]
async fn a_delegation_is_exercised_once() {
    let app = TestApp::new().await;
    let id = app.begin().await;
    let hook = refresh_hook("e1", Some(&id));
    let (status, body) = app.deliver(&hook.to_string()).await;
    let Minted::Patched(tokens) = apply(&Tokens::of(&hook), status, &body) else { panic!("{status} {body}") };
    let access = tokens.access.unwrap().claims;
    assert_eq!(access["on_behalf"], Value::from("True"));
    assert_eq!(access["on_behalf_sub"], Value::from("bob@example.test"));
    assert_eq!(access["can_delegate"], Value::from("False"));
    assert_eq!(access["uid"], Value::from("00uann"));
    assert_eq!(access.get("costCenter"), None, "it was the agent's, and Bob has none");
}
