//! Where an id is looked for, and hooks that carry one but lack what a decision needs.

use serde_json::{Value, json};

use super::{deliver, denials, still_works, stray_id, with, without};
use crate::support::test_app::{ISSUER, TestApp, refresh_hook};

const STATE: &str = "/data/context/protocol/request/state";

/// Refused for this reason, with one event, and the id works afterwards.
async fn refused_unspent(reason: &str, change: impl FnOnce(Value, &str) -> Value) {
    let app = TestApp::new().await;
    let id = app.begin().await;
    let told = deliver(&app, &change(refresh_hook("e1", Some(&id)), &id)).await;
    assert_eq!(told.refused(), reason);
    assert!(told.body.contains("(delegation-not-usable)"), "{}", told.body);
    assert_eq!(denials(&app).await, [reason]);
    still_works(&app, &id).await;
}

#[actix_web::test]
async fn two_different_ids_are_ambiguous() {
    refused_unspent("ambiguous-id", |hook, _| with(hook, STATE, stray_id(1))).await;
    refused_unspent("ambiguous-id", |hook, _| with(hook, STATE, "dlg_junk")).await;
}

#[actix_web::test]
async fn the_same_id_twice_is_one() {
    let app = TestApp::new().await;
    let id = app.begin().await;
    let hook = with(refresh_hook("e1", Some(&id)), STATE, id.as_str());
    assert!(deliver(&app, &hook).await.is_granted());
}

#[actix_web::test]
async fn a_hybrid_flow_is_refused() {
    let kinds =
        |kind: &'static str| move |hook, _: &str| with(hook, "/data/context/protocol/request/response_type", kind);
    refused_unspent("hybrid-flow", kinds("code id_token")).await;
    refused_unspent("hybrid-flow", kinds("token code")).await;
}

#[actix_web::test]
async fn a_hook_that_lacks_what_a_decision_needs_is_refused() {
    for missing in [
        "/data/context/user",
        "/data/context/user/id",
        "/data/context/protocol/client",
        "/data/context/protocol/client/id",
        "/data/context/protocol/issuer",
        "/eventId",
    ] {
        refused_unspent("malformed-hook", |hook, _| without(hook, missing)).await;
    }
    for (pointer, poor) in [
        ("/eventId", ""),
        ("/eventId", "a\u{0}b"),
        ("/data/context/user/id", ""),
        ("/data/context/user/id", "00uann\u{202e}"),
        ("/data/context/user/id", "00u\u{0}ann"),
        ("/data/context/protocol/client/id", "a\nb"),
    ] {
        refused_unspent("malformed-hook", |hook, _| with(hook, pointer, poor)).await;
    }
    refused_unspent("malformed-hook", |hook, _| with(hook, "/eventId", "e".repeat(300))).await;
    refused_unspent("no-access-token", |hook, _| without(hook, "/data/access")).await;
}

#[actix_web::test]
async fn junk_behind_the_prefix_is_an_unknown_id() {
    let app = TestApp::new().await;
    let id = app.begin().await;
    let mut junk = vec!["dlg_".to_owned(), "dlg_x".to_owned(), format!("{id}A"), id[..54].to_owned()];
    junk.push(format!("{}%00", &id[..54]));
    junk.push(format!("dlg_{}", "A".repeat(100_000)));
    junk.push(stray_id(3));
    for text in junk {
        let told = deliver(&app, &refresh_hook("e1", Some(&text))).await;
        assert_eq!(told.refused(), "unknown-id", "{}", &text[..text.len().min(80)]);
    }
    still_works(&app, &id).await;
}

#[actix_web::test]
async fn the_prefix_in_another_case_is_the_clients_own_business() {
    let app = TestApp::new().await;
    for text in ["DLG_x", "dlr_x", "xdlg_", "%20dlg_"] {
        assert_eq!(deliver(&app, &refresh_hook("e1", Some(text))).await.status, 204, "{text}");
    }
}

#[actix_web::test]
async fn the_logins_old_state_is_no_candidate_in_any_place() {
    let app = TestApp::new().await;
    let spent = app.begin().await;
    still_works(&app, &spent).await;
    let id = app.begin().await;
    for grant in ["originalGrant", "OriginalGrant"] {
        let hook = without(refresh_hook("e2", None), "/data/context/protocol/originalGrant");
        let original = json!({"authorization": {"state": spent}});
        let hook = with(hook, &format!("/data/context/protocol/{grant}"), original);
        let in_query =
            with(hook.clone(), "/data/context/request/url/value", format!("{ISSUER}/v1/token?state={spent}"));
        for hook in [hook.clone(), with(hook.clone(), STATE, spent.as_str()), in_query] {
            assert_eq!(deliver(&app, &hook).await.status, 204);
        }
    }
    // Beside it, a fresh one counts.
    let hook = with(refresh_hook("e3", Some(&id)), STATE, spent.as_str());
    let hook = with(hook, "/data/context/protocol/originalGrant/authorization/state", spent.as_str());
    assert!(deliver(&app, &hook).await.is_granted());
}
