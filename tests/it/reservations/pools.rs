//! Any free account of a pool.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::json;

use super::{account, app_of, counts, reserve, sharing};
use crate::support::{
    fake_directory::Op,
    test_app::{Setup, TestApp, uid, user},
};

async fn pool_of(size: usize) -> TestApp {
    let accounts = (0..size).map(|n| {
        let mut account = account(&format!("00ushared{n}"));
        account.pool = Some("dba".to_owned());
        account
    });
    app_of(sharing(Setup::default(), accounts.collect(), 1)).await
}

#[actix_web::test]
async fn pool_of_accounts_two_users_two_accounts() {
    for _ in 0..crate::hooks::rounds() {
        let app = pool_of(2).await;
        let ask = |who: &'static str| reserve(&app, who, json!({"pool": "dba"}));
        let (ann, eve) = tokio::join!(ask("ann"), ask("eve"));
        assert_eq!((ann.status.as_u16(), eve.status.as_u16()), (201, 201), "{} {}", ann.text, eve.text);
        assert_ne!(ann.json["account"]["id"], eve.json["account"]["id"]);
        let third = reserve(&app, "cid", json!({"pool": "dba"})).await;
        third.is_problem(409, "reserved");
        assert_eq!(third.json["until"], "2026-11-21T10:05:00Z");
    }
}

#[actix_web::test]
async fn as_many_users_as_accounts_all_get_one_and_nobody_starves() {
    const USERS: usize = 20;
    let app = pool_of(USERS).await;
    for n in 0..=USERS {
        let id = format!("00um{n}");
        app.directory.put(user(&id, &format!("m{n}@example.test"), &json!({})));
        app.directory.set_groups(&uid(&id), &["dbas"]);
        app.token(&format!("m{n}"), &json!({ "uid": id }), &["openid", "behalf"]);
    }
    let tokens: Vec<String> = (0..USERS).map(|n| format!("m{n}")).collect();
    let answers = join_all(tokens.iter().map(|token| reserve(&app, token, json!({"pool": "dba"})))).await;
    assert!(answers.iter().all(|a| a.status == 201), "{:?}", answers.iter().map(|a| &a.text).collect::<Vec<_>>());
    let accounts: BTreeSet<_> = answers.iter().map(|a| a.json["account"]["id"].to_string()).collect();
    assert_eq!(accounts.len(), USERS, "everybody another one");
    reserve(&app, &format!("m{USERS}"), json!({"pool": "dba"})).await.is_problem(409, "reserved");
    assert_eq!(counts(&app, ["DA3000"]).await, [USERS]);
}

#[actix_web::test]
async fn accounts_that_are_locked_or_dead_are_passed_over() {
    let app = pool_of(3).await;
    app.directory.suspend("00ushared0");
    assert_eq!(app.post("/v1/locks", "root", &json!({"user": "00ushared1"})).await.status, 201);
    for _ in 0..4 {
        let made = reserve(&app, "ann", json!({"pool": "dba"})).await;
        assert_eq!(made.json["account"]["id"], "00ushared2", "{}", made.text);
        let path = format!("/v1/reservations/{}", made.json["id"].as_str().unwrap());
        assert_eq!(app.delete(&path, "ann").await.status, 204);
    }
    app.directory.suspend("00ushared2");
    let asked = app.directory.calls(Op::User);
    reserve(&app, "ann", json!({"pool": "dba"})).await.is_problem(423, "locked");
    assert_eq!(app.directory.calls(Op::User) - asked, 3, "the holder, and both that may be dead");
    reserve(&app, "ann", json!({"pool": "other"})).await.is_problem(403, "not-a-member");
}
