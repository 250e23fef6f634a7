//! Bodies that are no hook, or a poor one: always an answer that Okta understands, never a 5xx, nothing spent.

use serde_json::{Value, json};

use super::{Told, deliver, deliver_bytes, still_works, with};
use crate::support::{
    okta_apply::{Minted, Tokens, apply},
    test_app::{HOOK_SECRET, TestApp, refresh_hook},
};

/// An answer in Okta's form: refused, or the token as it is.
fn is_safe(told: &Told) -> bool {
    let plain = Tokens::default();
    match apply(&plain, told.status, &told.body) {
        Minted::Nothing(_) => true,
        Minted::Patched(after) => after == plain,
        Minted::Plain(_) => told.status == 204 && told.body.is_empty(),
    }
}

fn bodies(id: &str) -> Vec<(&'static str, Vec<u8>)> {
    let hook = refresh_hook("e1", Some(id)).to_string();
    let deep = |n: usize| {
        let member = format!("\"deep\":{}{}", "[".repeat(n), "]".repeat(n));
        hook.replacen("\"eventId\"", &format!("{member},\"eventId\""), 1)
    };
    let twice = hook.replacen("\"eventId\"", "\"eventId\":\"first\",\"eventId\"", 1);
    let typed = hook.replacen("\"eventId\":\"e1\"", "\"eventId\":{\"a\":1}", 1);
    let huge = hook.replace("\"expiration\":3600", "\"expiration\":1e999");
    assert!([&twice, &typed, &huge].iter().all(|body| **body != hook));
    vec![
        ("twice", twice.into()),
        ("typed", typed.into()),
        ("huge number", huge.into()),
        ("negative", hook.replace("\"expiration\":3600", "\"expiration\":-1").into()),
        ("cut off", hook[..hook.len() - 10].to_owned().into()),
        ("trailing", format!("{hook} x").into()),
        ("not json", format!("delegationid={id}").into()),
        ("no utf-8", [hook.as_bytes(), b"\xff"].concat()),
        ("an array", format!("[{hook}]").into()),
        ("a text", serde_json::to_string(&hook).unwrap().into()),
        ("deep in the way", format!("{}{id}", "[".repeat(100_000)).into()),
        ("deep 1000", deep(1000).into()),
        ("deep 100k", deep(100_000).into()),
        ("unknown event", hook.replace("oauth2.tokens.transform", "saml.tokens.transform").into()),
        ("no event type", hook.replace("\"eventType\"", "\"eventKind\"").into()),
    ]
}

#[actix_web::test]
async fn an_unreadable_body_with_an_id_is_refused_and_spends_nothing() {
    for (what, _) in bodies("dlg_") {
        let app = TestApp::new().await;
        let id = app.begin().await;
        let (_, body) = bodies(&id).into_iter().find(|(name, _)| *name == what).unwrap();
        let told = deliver_bytes(&app, "/hooks/okta", body).await;
        if told.is_granted() {
            // What stands in a member that isn't read may be as deep as it likes.
            assert!(what.starts_with("deep 1"), "{what}");
            continue;
        }
        assert_eq!(told.refused(), "malformed-hook", "{what}");
        assert!(is_safe(&told), "{what}");
        let denied = super::denials(&app).await;
        assert_eq!(denied, ["malformed-hook"], "{what}");
        still_works(&app, &id).await;
    }
}

#[actix_web::test]
async fn an_unreadable_body_without_an_id_leaves_the_token_as_it_is() {
    let app = TestApp::new().await;
    let plain = refresh_hook("e1", None).to_string();
    let deep = "{\"a\":".repeat(50_000);
    let bodies: [&[u8]; 9] = [
        b"",
        b"{}",
        b"null",
        b"not json",
        b"\xff\xfe",
        b"{\"eventType\":7}",
        b"{\"eventType\":\"com.okta.user.pre-registration\"}",
        &plain.as_bytes()[..plain.len() - 1],
        deep.as_bytes(),
    ];
    for body in bodies {
        let told = deliver_bytes(&app, "/hooks/okta", body.to_vec()).await;
        assert_eq!(told.status, 200);
        assert_eq!(told.json()["commands"], json!([]), "{}", told.body);
        assert!(is_safe(&told));
    }
    assert!(app.events().await.is_empty());
}

#[actix_web::test]
async fn the_content_type_does_not_matter() {
    let app = TestApp::new().await;
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/xml; charset=utf-16", "\u{7f}"] {
        let hook = refresh_hook("e1", Some(&app.begin().await));
        let request = app.http.post(format!("{}/hooks/okta", app.url)).header("authorization", HOOK_SECRET);
        let kind = reqwest::header::HeaderValue::from_bytes(kind.as_bytes());
        let Ok(kind) = kind else { continue };
        let answer = request.header("content-type", kind).body(hook.to_string()).send().await.unwrap();
        let told = Told { status: answer.status().as_u16(), body: answer.text().await.unwrap() };
        assert!(told.is_granted(), "{told:?}");
    }
}

#[actix_web::test]
async fn a_body_that_is_too_large_is_refused_and_the_answer_arrives() {
    let app = TestApp::new().await;
    let id = app.begin().await;
    for id in [Some(id.as_str()), None] {
        for size in [257 << 10, 300 << 10, 8 << 20] {
            let hook = with(refresh_hook("e1", id), "/padding", "x".repeat(size));
            let told = deliver(&app, &hook).await;
            assert_eq!(told.refused(), "malformed-hook", "{size}");
        }
    }
    still_works(&app, &id).await;
    let large = with(refresh_hook("e2", Some(&app.begin().await)), "/padding", "x".repeat(250 << 10));
    assert!(deliver(&app, &large).await.is_granted());
}

#[actix_web::test]
async fn poor_values_in_a_readable_hook_are_safe() {
    let app = TestApp::new().await;
    let pointers = [
        "/eventId",
        "/source",
        "/data/context/user/id",
        "/data/context/user/profile",
        "/data/context/protocol/client/id",
        "/data/context/protocol/issuer/uri",
        "/data/context/protocol/request/state",
        "/data/context/protocol/request/scope",
        "/data/context/protocol/request/response_type",
        "/data/context/request/url/value",
        "/data/access/claims",
        "/data/access/scopes",
        "/data/access/token/lifetime/expiration",
        "/data/identity",
    ];
    let values: [Value; 12] = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(1e300),
        json!(u64::MAX),
        json!(""),
        json!("\u{0}"),
        json!("\u{202e}gpj.exe"),
        json!("dlg_\u{0}"),
        json!([]),
        json!({"": {"a/b~c": [[]]}}),
    ];
    for id in [None, Some(super::stray_id(4))] {
        for pointer in pointers {
            for value in &values {
                let told = deliver(&app, &with(refresh_hook("e1", id.as_deref()), pointer, value.clone())).await;
                assert!(is_safe(&told), "{pointer} {value}: {told:?}");
            }
        }
    }
}

#[actix_web::test]
async fn claims_with_strange_names_are_left_alone() {
    let app = TestApp::new().await;
    let claims =
        json!({"sub": "a", "": 1, "a/b~c": {"deep": [1]}, "\u{0}": "x", "on_behalf\u{202e}": "x", "ON_BEHALF": "x"});
    let hook = with(refresh_hook("e1", Some(&app.begin().await)), "/data/access/claims", claims.clone());
    let after = deliver(&app, &hook).await.minted(&hook).access.unwrap().claims;
    for (name, value) in claims.as_object().unwrap() {
        assert_eq!(&after[name], value);
    }
    assert_eq!(after.len(), claims.as_object().unwrap().len() + 4);
}
