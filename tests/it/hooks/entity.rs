//! The hook that tells a token which entity its user belongs to.

use std::collections::BTreeMap;

use behalf::ports::directory::{DirectoryError, Entity};
use serde_json::{Value, json};

use super::{coded, with};
use crate::support::{
    fake_directory::{Act, Op},
    test_app::{HOOK_SECRET, TestApp, refresh_hook, uid},
};

async fn told(app: &TestApp, hook: &Value) -> (u16, Value) {
    let request = app.http.post(format!("{}/tokenEnrichment/entity", app.url)).header("authorization", HOOK_SECRET);
    let answer = request.json(hook).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
}

/// What each token gets, by the command's type.
fn claims(answer: &Value) -> BTreeMap<String, Value> {
    let commands = answer["commands"].as_array().cloned().unwrap_or_default();
    commands.iter().map(|c| (c["type"].as_str().unwrap().to_owned(), c["value"].clone())).collect()
}

async fn with_acme() -> TestApp {
    let app = TestApp::new().await;
    app.directory.set_entity(&uid("00uann"), Some(Entity { id: "e-1".to_owned(), name: Some("Acme Ltd".to_owned()) }));
    app
}

#[actix_web::test]
async fn the_entity_goes_into_both_tokens() {
    let app = with_acme().await;
    let (status, answer) = told(&app, &refresh_hook("e1", None)).await;
    assert_eq!(status, 200);
    let set = |value: &str| json!([{"op": "add", "path": "/claims/entity", "value": value}]);
    let expected = [("com.okta.access.patch", set("e-1")), ("com.okta.identity.patch", set("Acme Ltd"))];
    assert_eq!(claims(&answer), expected.map(|(kind, value)| (kind.to_owned(), value)).into());
    // A claim that is there is replaced, in the access token only where that is all there is.
    let mut hook = with(refresh_hook("e2", None), "/data/access/claims/entity", "old");
    hook["data"].as_object_mut().unwrap().remove("identity");
    let (_, answer) = told(&app, &hook).await;
    let replaced = json!([{"op": "replace", "path": "/claims/entity", "value": "e-1"}]);
    assert_eq!(claims(&answer), [("com.okta.access.patch".to_owned(), replaced)].into());
}

#[actix_web::test]
async fn the_session_names_the_user_where_nothing_else_does() {
    let app = with_acme().await;
    let mut hook = refresh_hook("e1", None);
    hook["data"]["context"]["session"] = json!({"userId": uid("00uann").as_str()});
    assert_eq!(told(&app, &hook).await.0, 200, "both name the same");
    hook["data"]["context"].as_object_mut().unwrap().remove("user");
    assert_eq!(told(&app, &hook).await.0, 200);
    assert_eq!(coded(&app, "DA1007").await.len(), 0);
}

#[actix_web::test]
async fn two_users_are_none_and_that_is_written_down() {
    let app = with_acme().await;
    let mut hook = refresh_hook("e1", None);
    hook["data"]["context"]["session"] = json!({"userId": uid("00ubob").as_str()});
    assert_eq!(told(&app, &hook).await.0, 204);
    let events = coded(&app, "DA1007").await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].actor.id, uid("00uann").as_str());
    assert_eq!(events[0].details["session_user"], uid("00ubob").as_str());
}

#[actix_web::test]
async fn whatever_goes_wrong_leaves_the_token_as_it_is() {
    let app = with_acme().await;
    app.directory.next(Op::EntityOf, Act::Fail(DirectoryError::Unavailable("the test says so".to_owned())));
    assert_eq!(told(&app, &refresh_hook("e1", None)).await.0, 204);
    let mut hook = refresh_hook("e2", None);
    for broken in [json!(7), json!({"userId": 7}), json!([])] {
        hook["data"]["context"]["session"] = broken;
        assert_eq!(told(&app, &hook).await.0, 204);
    }
    assert_eq!(told(&app, &json!({"eventType": "another"})).await.0, 204);
    let calls = app.directory.calls(Op::EntityOf);
    assert_eq!(calls, 1, "a hook that can't be read asks nobody");
}

#[actix_web::test]
async fn who_has_no_entity_and_who_is_not_the_idp_get_nothing() {
    let app = with_acme().await;
    app.directory.set_entity(&uid("00uann"), None);
    assert_eq!(told(&app, &refresh_hook("e1", None)).await.0, 204);
    let stranger = app.http.post(format!("{}/tokenEnrichment/entity", app.url)).json(&refresh_hook("e2", None));
    assert_eq!(stranger.send().await.unwrap().status(), 401);
}
