//! Tokens that pretend a delegation.

use behalf::domain::hook::{OnRefusal, RefusalForm};
use serde_json::{Value, json};

use super::{coded, deliver, stray_id, tampered, with};
use crate::support::{
    okta_apply::Tokens,
    test_app::{Setup, TestApp, refresh_hook, uid},
};

/// A hook whose tokens hold our claims already.
fn pretending(event: &str, id: Option<&str>) -> Value {
    let hook = with(refresh_hook(event, id), "/data/access/claims/on_behalf", "True");
    let hook = with(hook, "/data/access/claims/on_behalf_sub", "root@example.test");
    with(hook, "/data/identity/claims/on_behalf_sub", "root@example.test")
}

fn is_clean(tokens: &Tokens, before: &Value) {
    let mut honest = Tokens::of(before);
    for token in [&mut honest.access, &mut honest.identity].into_iter().flatten() {
        token.claims.retain(|name, _| !name.starts_with("on_behalf"));
    }
    assert_eq!(tokens, &honest, "our claims are gone, `can_delegate` and all others are as they were");
}

#[actix_web::test]
async fn an_undelegated_token_that_pretends_is_stripped_and_that_is_written_down() {
    let app = TestApp::new().await;
    let hook = pretending("e1", None);
    let told = deliver(&app, &hook).await;
    is_clean(&told.minted(&hook), &hook);
    assert_eq!(told.debug("decision").as_deref(), Some("stripped"));
    let events = coded(&app, "DA1005").await;
    assert_eq!(events.len(), 1);
    assert_eq!(told.debug("event").as_deref(), Some(events[0].id.as_str()));
    assert_eq!((events[0].actor.id.as_str(), events[0].client.app.as_deref()), ("00uann", Some("app")));
    assert_eq!(events[0].request.hook_event_id.as_deref(), Some("e1"));
    assert!(Tokens::of(&hook).access.unwrap().claims.contains_key("can_delegate"));
}

#[actix_web::test]
async fn can_delegate_alone_is_no_pretence() {
    let app = TestApp::new().await;
    assert_eq!(deliver(&app, &refresh_hook("e1", None)).await.status, 204);
}

#[actix_web::test]
async fn it_is_stripped_even_if_that_cannot_be_written_down() {
    let (setup, tamper) = tampered();
    let app = TestApp::with(setup).await;
    tamper.set_down(true);
    let hook = pretending("e1", None);
    let told = deliver(&app, &hook).await;
    is_clean(&told.minted(&hook), &hook);
    assert_eq!(told.debug("event"), None);
}

#[actix_web::test]
async fn a_real_delegation_overwrites_the_pretence() {
    let app = TestApp::new().await;
    let hook = pretending("e1", Some(&app.begin().await));
    let tokens = deliver(&app, &hook).await.minted(&hook);
    assert_eq!(tokens.access.unwrap().claims["on_behalf_sub"], json!("bob@example.test"));
    assert!(!tokens.identity.unwrap().claims.contains_key("on_behalf_sub"));
}

#[actix_web::test]
async fn a_refused_id_is_no_way_around_it() {
    let refusal = RefusalForm { on_refused: OnRefusal::Pass, on_failure: OnRefusal::Pass };
    let app = TestApp::with(Setup { refusal, ..Setup::default() }).await;
    let (unknown, gone) = (stray_id(1), app.begin().await);
    app.directory.set_grant(&uid("00ubob"), &uid("00uann"), false);
    for (event, id, reason) in
        [("e1", "dlg_junk", "unknown-id"), ("e2", &unknown, "unknown-id"), ("e3", &gone, "grant-gone")]
    {
        let hook = pretending(event, Some(id));
        let told = deliver(&app, &hook).await;
        assert_eq!(told.debug("reason").as_deref(), Some(reason));
        is_clean(&told.minted(&hook), &hook);
    }
    app.directory.fail_next();
    let hook = pretending("e4", Some(&gone));
    let told = deliver(&app, &hook).await;
    assert_eq!(told.debug("reason").as_deref(), Some("directory-unavailable"));
    is_clean(&told.minted(&hook), &hook);
    assert_eq!(coded(&app, "DA1005").await.len(), 4);
}

#[actix_web::test]
async fn what_can_not_be_read_can_not_be_cleaned_so_no_token_is_minted() {
    let pass = RefusalForm { on_refused: OnRefusal::Pass, on_failure: OnRefusal::Pass };
    for refusal in [RefusalForm::default(), pass] {
        let app = TestApp::with(Setup { refusal, ..Setup::default() }).await;
        let mut hook = refresh_hook("e1", None);
        hook["data"]["access"]["token"]["lifetime"]["expiration"] = json!(-1);
        let (status, body) = app.deliver(&hook.to_string()).await;
        assert!(status == 200 && body.contains("commands"), "nothing pretended, nothing refused: {body}");
        hook["data"]["access"]["claims"]["on_behalf"] = json!("True");
        let (_, body) = app.deliver(&hook.to_string()).await;
        assert!(body.contains("errorSummary"), "{body}");
        let (_, body) = app.deliver(&"x".repeat(300 * 1024)).await;
        assert!(body.contains("errorSummary"), "unread is unknown: {body}");
    }
}
