//! Who isn't the one that the id was given to can't use it, doesn't spend it, and learns nothing.

use serde_json::Value;

use super::{Told, deliver, deliver_bytes, denials, still_works, stray_id, with};
use crate::support::test_app::{TestApp, refresh_hook};

const USER: &str = "/data/context/user/id";
const CLIENT: &str = "/data/context/protocol/client/id";
const ISSUER: &str = "/data/context/protocol/issuer/uri";

fn strangers() -> [(&'static str, &'static str, &'static str); 9] {
    [
        (USER, "00ueve", "foreign-agent"),
        (USER, "00uann ", "foreign-agent"),
        (USER, "00UANN", "foreign-agent"),
        (USER, "00ubob", "foreign-agent"),
        (CLIENT, "other-app", "foreign-client"),
        (CLIENT, "APP", "foreign-client"),
        (ISSUER, "https://issuer.test/oauth2/other", "foreign-issuer"),
        (ISSUER, "https://issuer.test/oauth2/default/", "foreign-issuer"),
        (ISSUER, "https://ISSUER.test/oauth2/default", "foreign-issuer"),
    ]
}

async fn unknown(app: &TestApp, pointer: &str, value: &str) -> Told {
    let told = deliver(app, &with(refresh_hook("e0", Some(&stray_id(1))), pointer, value)).await;
    assert_eq!(told.refused(), "unknown-id");
    told
}

#[actix_web::test]
async fn a_stranger_is_told_the_same_as_for_an_unknown_id() {
    let app = TestApp::new().await;
    let id = app.begin().await;
    let used = app.begin().await;
    assert!(deliver(&app, &refresh_hook("first", Some(&used))).await.is_granted());
    for (pointer, value, reason) in strangers() {
        let nothing = unknown(&app, pointer, value).await.for_the_user();
        for id in [&id, &used] {
            let told = deliver(&app, &with(refresh_hook("e1", Some(id)), pointer, value)).await;
            assert_eq!(told.refused(), reason, "{value}");
            assert_eq!(told.for_the_user(), nothing, "{value}");
        }
    }
    still_works(&app, &id).await;
}

#[actix_web::test]
async fn even_the_very_same_hook_is_not_answered_to_a_stranger() {
    let app = TestApp::new().await;
    let hook = refresh_hook("e1", Some(&app.begin().await));
    assert!(deliver(&app, &hook).await.is_granted());
    for (pointer, value, reason) in strangers() {
        assert_eq!(deliver(&app, &with(hook.clone(), pointer, value)).await.refused(), reason);
    }
}

#[actix_web::test]
async fn a_stranger_is_written_down_without_the_delegator() {
    let app = TestApp::new().await;
    let id = app.begin().await;
    let told = deliver(&app, &with(refresh_hook("e1", Some(&id)), USER, "00ueve")).await;
    let events = app.events().await;
    let event = events.iter().find(|e| Some(e.id.as_str()) == told.debug("event").as_deref()).unwrap();
    assert_eq!((event.actor.id.as_str(), event.on_behalf_of.as_ref()), ("00ueve", None));
    assert_eq!(denials(&app).await, ["foreign-agent"]);
}

#[actix_web::test]
async fn another_tenant_does_not_know_the_id() {
    let app = TestApp::new().await;
    let id = app.begin().await;
    let hook = refresh_hook("e1", Some(&id)).to_string().into_bytes();
    let told = deliver_bytes(&app, "/t/acme/hooks/okta", hook).await;
    assert_eq!(told.refused(), "unknown-id");
    let stray = refresh_hook("e1", Some(&stray_id(2)));
    let nothing: Value = deliver(&app, &stray).await.for_the_user();
    assert_eq!(told.for_the_user(), nothing);
    still_works(&app, &id).await;
}
