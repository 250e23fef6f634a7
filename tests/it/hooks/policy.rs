//! What changed between initiation and hook: the grant, the people, their locks.

use behalf::domain::{
    hook::{OnRefusal, RefusalForm},
    ids::{Login, UserId},
    user::{Status, User},
};
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{coded, deliver, lock_change, still_works, tampered};
use crate::support::{
    okta_apply::Tokens,
    tampered_store::Act,
    test_app::{Setup, TestApp, refresh_hook, uid, user},
};

fn bob() -> User {
    user("00ubob", "bob@example.test", &json!({"department": "Ops"}))
}

fn ann() -> User {
    user("00uann", "ann@example.test", &json!({}))
}

fn typed() -> Setup {
    let mut setup = Setup::default();
    setup.policy.delegatable_type = Some("delegatable".to_owned());
    setup
}

/// Begins a delegation, changes the world, delivers the hook: the exact reason and the whole answer.
async fn refused_after(app: &TestApp, change: impl FnOnce(&TestApp)) -> (String, String) {
    let id = app.begin().await;
    change(app);
    let told = deliver(app, &refresh_hook("e1", Some(&id))).await;
    (told.refused(), told.for_the_user().to_string())
}

#[actix_web::test]
async fn whatever_ended_the_grant_is_told_in_the_same_words() {
    type Change = fn(&TestApp);
    let changes: [(&str, Change); 7] = [
        ("grant-gone", |app| app.directory.set_grant(&uid("00ubob"), &uid("00uann"), false)),
        ("delegator-inactive", |app| app.directory.put(User { status: Status::Inactive, ..bob() })),
        ("agent-inactive", |app| app.directory.put(User { status: Status::Inactive, ..ann() })),
        ("delegator-unknown", |app| app.directory.take("00ubob")),
        ("agent-unknown", |app| app.directory.take("00uann")),
        ("directory-mismatch", |app| app.directory.answer_for("00ubob", bob_with_id("00UBOB"))),
        ("directory-mismatch", |app| app.directory.answer_for("00uann", bob_with_id("00ueve"))),
    ];
    let mut words = Vec::new();
    for (reason, change) in changes {
        let app = TestApp::new().await;
        let (exact, told) = refused_after(&app, change).await;
        assert_eq!(exact, reason);
        words.push(told);
        let denied = coded(&app, "DA1001").await;
        assert_eq!(denied.len(), 1);
        assert_eq!(denied[0].policy.trace[0].said, reason);
    }
    assert!(words[0].contains("(not-delegated)"), "{}", words[0]);
    assert!(words.iter().all(|told| *told == words[0]));
}

fn bob_with_id(id: &str) -> User {
    User { id: UserId::parse(id).unwrap(), login: Login::parse("x@example.test").unwrap(), ..bob() }
}

#[actix_web::test]
async fn a_delegator_who_changed_his_type_is_refused() {
    let app = TestApp::with(typed()).await;
    app.directory.put(User { user_type: Some("delegatable".to_owned()), ..bob() });
    let other = |app: &TestApp| app.directory.put(User { user_type: Some("agent".to_owned()), ..bob() });
    assert_eq!(refused_after(&app, other).await.0, "delegator-not-delegatable");
    app.directory.put(User { user_type: Some("delegatable".to_owned()), ..bob() });
    let none = |app: &TestApp| app.directory.put(bob());
    assert_eq!(refused_after(&app, none).await.0, "delegator-not-delegatable");
}

#[actix_web::test]
async fn a_refusal_spends_nothing() {
    let app = TestApp::new().await;
    let id = app.begin().await;
    app.directory.set_grant(&uid("00ubob"), &uid("00uann"), false);
    assert_eq!(deliver(&app, &refresh_hook("e1", Some(&id))).await.refused(), "grant-gone");
    app.directory.set_grant(&uid("00ubob"), &uid("00uann"), true);
    still_works(&app, &id).await;
}

#[actix_web::test]
async fn a_lock_on_either_side_stops_the_next_hook_and_lifting_it_helps() {
    let app = TestApp::new().await;
    for who in ["ann", "bob"] {
        let id = app.begin().await;
        let (status, _) = app.call(Method::POST, "/v1/locks", who, Some(json!({}))).await;
        assert_eq!(status, StatusCode::CREATED);
        let told = deliver(&app, &refresh_hook("e1", Some(&id))).await;
        assert_eq!(told.refused(), "locked", "{who}");
        assert!(told.body.contains("(locked)"));
        let path = format!("/v1/locks/00u{who}");
        assert_eq!(app.call(Method::DELETE, &path, who, None).await.0, StatusCode::NO_CONTENT);
        still_works(&app, &id).await;
    }
    let denied = coded(&app, "DA1001").await;
    assert_eq!(denied.len(), 2);
    let said: Vec<_> = denied[0].policy.trace.iter().map(|l| (l.stage.as_str(), l.said.as_str())).collect();
    assert_eq!(said, [("grant", "continue"), ("lock", "locked")]);
}

#[actix_web::test]
async fn who_lost_the_grant_does_not_learn_of_a_lock() {
    let app = TestApp::new().await;
    let id = app.begin().await;
    app.call(Method::POST, "/v1/locks", "bob", Some(json!({}))).await;
    app.directory.set_grant(&uid("00ubob"), &uid("00uann"), false);
    assert_eq!(deliver(&app, &refresh_hook("e1", Some(&id))).await.refused(), "grant-gone");
}

#[actix_web::test]
async fn a_lock_between_the_read_and_the_commit_is_seen() {
    for who in ["00ubob", "00uann"] {
        let (setup, tamper) = tampered();
        let app = TestApp::with(setup).await;
        let id = app.begin().await;
        tamper.next(Act::Overtaken(Box::new(lock_change(&app, who))));
        assert_eq!(deliver(&app, &refresh_hook("e1", Some(&id))).await.refused(), "locked", "{who}");
        assert!(coded(&app, "DA1000").await.is_empty());
    }
}

#[actix_web::test]
async fn pass_mints_the_token_as_it_is() {
    use OnRefusal::{Pass, Reject};
    for (on_refused, on_failure) in [(Pass, Reject), (Reject, Pass)] {
        let app = TestApp::with(Setup { refusal: RefusalForm { on_refused, on_failure }, ..Setup::default() }).await;
        let id = app.begin().await;
        let hook = refresh_hook("e1", Some(&id));
        app.directory.set_grant(&uid("00ubob"), &uid("00uann"), false);
        let refused = deliver(&app, &hook).await;
        app.directory.fail_next();
        let failed = deliver(&app, &hook).await;
        for (told, form, reason) in [(refused, on_refused, "grant-gone"), (failed, on_failure, "directory-unavailable")]
        {
            assert_eq!(told.debug("reason").as_deref(), Some(reason));
            if form == Reject {
                assert_eq!(told.refused(), reason);
            } else {
                assert_eq!(told.minted(&hook), Tokens::of(&hook));
            }
        }
        app.directory.set_grant(&uid("00ubob"), &uid("00uann"), true);
        still_works(&app, &id).await;
    }
}
