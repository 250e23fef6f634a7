//! Locks.

use serde_json::{Value, json};

use crate::support::{
    http::Answer,
    test_app::{TestApp, user},
};

async fn locks(app: &TestApp, token: &str) -> Value {
    app.get("/v1/locks", token).await.json["items"].clone()
}

async fn is_locked(app: &TestApp, token: &str, who: &str) -> bool {
    let answer = app.post("/v1/locks/check", token, &json!({"user": who})).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(answer.json["message"].as_str().is_some_and(|m| m.ends_with('.')));
    answer.json["locked"].as_bool().unwrap()
}

#[actix_web::test]
async fn a_user_locks_and_lifts_his_own_account() {
    let app = TestApp::new().await;
    assert!(!is_locked(&app, "bob", "00ubob").await);
    let placed = app.post("/v1/locks", "bob", &json!({"reason": "on holiday"})).await;
    let own = json!({"by": "00ubob", "at": "2026-11-21T10:00:00Z", "reason": "on holiday"});
    let lock = json!({"user": "00ubob", "login": "bob@example.test", "own": own, "administrator": null});
    assert_eq!((placed.status.as_u16(), &placed.json), (201, &lock));
    for body in [json!({}), json!({"user": "00ubob"}), json!({"user": "bob@example.test", "reason": "other"})] {
        let again = app.post("/v1/locks", "bob", &body).await;
        assert_eq!((again.status.as_u16(), &again.json), (200, &lock), "{body}");
    }
    assert_eq!(locks(&app, "bob").await, json!([lock]));
    assert!(is_locked(&app, "bob", "bob@example.test").await);
    assert_eq!(app.delete("/v1/locks/00ubob", "bob").await.status, 204);
    assert!(!is_locked(&app, "bob", "00ubob").await);
    app.delete("/v1/locks/00ubob", "bob").await.is_problem(404, "not-found");
    let codes: Vec<_> = app.trail().await.into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, ["DA6200", "DA6201"]);
}

#[actix_web::test]
async fn both_sides_lock_and_the_owner_lifts_only_his_own() {
    let app = TestApp::new().await;
    assert_eq!(app.post("/v1/locks", "root", &json!({"user": "bob@example.test"})).await.status, 201);
    app.delete("/v1/locks/00ubob", "bob").await.is_problem(403, "administrator-only");
    assert_eq!(app.post("/v1/locks", "bob", &json!({})).await.status, 201);
    let lock = &locks(&app, "bob").await[0];
    assert_eq!((&lock["own"]["by"], &lock["administrator"]["by"]), (&json!("00ubob"), &json!("00uroot")));
    assert_eq!(app.delete("/v1/locks/00ubob", "bob").await.status, 204);
    assert!(is_locked(&app, "bob", "00ubob").await, "the administrator's stands");
    assert_eq!(app.post("/v1/locks", "bob", &json!({})).await.status, 201);
    assert_eq!(app.delete("/v1/locks/00ubob", "root").await.status, 204);
    assert!(!is_locked(&app, "root", "00ubob").await, "an administrator lifts both");
}

/// Who has taken over an administrator's account can't undo what was done against that.
#[actix_web::test]
async fn a_locked_administrator_lifts_his_own_lock_and_not_that_of_another() {
    let app = TestApp::new().await;
    app.directory.put(user("00uroot2", "root2@example.test", &json!({})));
    app.token("root2", &json!({"uid": "00uroot2", "groups": ["behalf-admins"]}), &["openid", "behalf"]);
    assert_eq!(app.post("/v1/locks", "root", &json!({})).await.status, 201);
    assert_eq!(app.delete("/v1/locks/00uroot", "root").await.status, 204);
    assert_eq!(app.post("/v1/locks", "root2", &json!({"user": "00uroot"})).await.status, 201);
    app.delete("/v1/locks/00uroot", "root").await.is_problem(403, "administrator-only");
    assert!(is_locked(&app, "root", "00uroot").await);
    // Nor does he lock out those who could lift it, or free others.
    assert_eq!(app.post("/v1/locks", "bob", &json!({})).await.status, 201);
    app.post("/v1/locks", "root", &json!({"user": "00uroot2"})).await.is_problem(423, "locked");
    app.delete("/v1/locks/00ubob", "root").await.is_problem(423, "locked");
    assert!(!is_locked(&app, "root2", "00uroot2").await && is_locked(&app, "root2", "00ubob").await);
    assert_eq!(app.delete("/v1/locks/00uroot", "root2").await.status, 204);
    assert!(!is_locked(&app, "root", "00uroot").await);
}

#[actix_web::test]
async fn others_accounts_are_nobodys_business() {
    let app = TestApp::new().await;
    app.post("/v1/locks", "root", &json!({"user": "00ubob", "reason": "secret reason"})).await;
    let before = app.events().await.len();
    let same = |answers: &[Answer]| {
        for answer in answers {
            answer.is_problem(403, "administrator-only");
        }
        assert!(answers.windows(2).all(|two| two[0].text == two[1].text), "no oracle");
    };
    let (mut placed, mut checked, mut lifted) = (Vec::new(), Vec::new(), Vec::new());
    for who in ["00ubob", "bob@example.test", "00uroot", "nobody", "nobody@example.test"] {
        placed.push(app.post("/v1/locks", "eve", &json!({"user": who})).await);
        checked.push(app.post("/v1/locks/check", "eve", &json!({"user": who})).await);
        lifted.push(app.delete(&format!("/v1/locks/{who}"), "eve").await);
    }
    same(&placed);
    same(&checked);
    same(&lifted);
    assert_eq!(locks(&app, "eve").await, json!([]));
    let denied: Vec<_> = app.events().await.split_off(before);
    assert_eq!(denied.len(), 15);
    let trail = |token| app.get("/v1/audit?code=access.denied", token);
    assert_eq!(trail("bob").await.json["items"], json!([]), "whom he tried it on doesn't learn of it");
    assert_eq!(trail("eve").await.json["items"].as_array().unwrap().len(), 15);
    assert!(denied.iter().all(|e| e.code == "DA6300" && e.actor.id == "00ueve" && e.outcome.result == "failure"));
}

#[actix_web::test]
async fn a_lock_is_lifted_by_the_accounts_login_too() {
    let app = TestApp::new().await;
    for who in ["bob", "root"] {
        assert_eq!(app.post("/v1/locks", "bob", &json!({})).await.status, 201);
        app.delete("/v1/locks/bob@example.test", "eve").await.is_problem(403, "administrator-only");
        assert!(is_locked(&app, "bob", "00ubob").await);
        assert_eq!(app.delete("/v1/locks/bob@example.test", who).await.status, 204, "{who}");
        assert!(!is_locked(&app, "bob", "00ubob").await);
    }
    app.delete("/v1/locks/nobody@example.test", "root").await.is_problem(404, "not-found");
}

#[actix_web::test]
async fn an_administrator_sees_all_of_them_page_by_page() {
    let app = TestApp::new().await;
    for n in 0..5 {
        app.directory.put(user(&format!("00u{n}"), &format!("u{n}@example.test"), &json!({})));
        assert_eq!(app.post("/v1/locks", "root", &json!({"user": format!("00u{n}")})).await.status, 201);
        app.advance(jiff::SignedDuration::from_secs(1));
    }
    let (mut seen, mut path, mut pages) = (Vec::new(), "/v1/locks?limit=2".to_owned(), 0);
    loop {
        let page = app.get(&path, "root").await.json;
        pages += 1;
        seen.extend(page["items"].as_array().unwrap().iter().map(|i| i["user"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/locks?limit=2&cursor={cursor}");
    }
    assert_eq!((pages, seen), (3, (0..5).map(|n| format!("00u{n}")).collect()));
    assert_eq!(locks(&app, "eve").await, json!([]));
    app.post("/v1/locks", "root", &json!({"user": "nobody"})).await.is_problem(404, "not-found");
    app.post("/v1/locks/check", "root", &json!({"user": "nobody"})).await.is_problem(404, "not-found");
    app.delete("/v1/locks/nobody", "root").await.is_problem(404, "not-found");
}

#[actix_web::test]
async fn an_administrator_whom_the_directory_does_not_know_can_lock() {
    let app = TestApp::new().await;
    app.token("ghost", &json!({"uid": "ops-1", "groups": "behalf-admins"}), &["behalf"]);
    let placed = app.post("/v1/locks", "ghost", &json!({"user": "00ubob"})).await;
    assert_eq!((placed.status.as_u16(), &placed.json["administrator"]["by"]), (201, &json!("ops-1")));
    assert_eq!(app.delete("/v1/locks/00ubob", "ghost").await.status, 204);
}

#[actix_web::test]
async fn the_lock_of_one_tenant_is_not_anothers() {
    let app = TestApp::new().await;
    app.post("/t/acme/v1/locks", "bob", &json!({})).await;
    assert!(!is_locked(&app, "bob", "00ubob").await);
    assert_eq!(app.get("/t/acme/v1/locks", "bob").await.json["items"].as_array().unwrap().len(), 1);
}
