//! The lock check, as Next Level3's integrations ask it before a login.

use serde_json::json;

use super::*;

#[actix_web::test]
async fn an_application_learns_whether_an_account_is_locked() {
    let app = app().await;
    let free = check_lock(&app, &token(&app)).await;
    assert_eq!((free.status.as_u16(), &free.json["locked"]), (200, &json!(false)));
    app.post("/v1/locks", "ann", &json!({"reason": "on holiday"})).await;
    for named in ["00uann", "ann@example.test"] {
        let locked = app.post("/v1/locks/check", &token(&app), &json!({"user": named})).await;
        assert_eq!((locked.status.as_u16(), &locked.json["locked"]), (200, &json!(true)), "{named}");
        assert!(!locked.text.contains("holiday"), "the reason is the owner's");
    }
    app.post("/v1/locks/check", &token(&app), &json!({"user": "00unobody"})).await.is_problem(404, "not-found");
}

#[actix_web::test]
async fn users_ask_as_before() {
    let app = app().await;
    let own = app.post("/v1/locks/check", "ann", &json!({"user": "00uann"})).await;
    assert_eq!(own.json["locked"], false);
    app.post("/v1/locks/check", "eve", &json!({"user": "00uann"})).await.is_problem(403, "administrator-only");
}
