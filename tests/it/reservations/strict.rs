//! `direct_login = "refuse"`: nobody uses the account without a reservation, whatever fails.

use behalf::domain::{
    hook::{OnRefusal, RefusalForm},
    shared_account::DirectLogin,
};
use serde_json::json;

use super::{DBA, account, app_of, hold, log_in, login_hook, sharing};
use crate::{
    hooks::{coded, deliver, denials, tampered, with},
    support::test_app::{Setup, TestApp, uid},
};

/// Even where refusals are said to pass.
fn strict(setup: Setup) -> Setup {
    let mut shared = account(DBA);
    shared.direct_login = DirectLogin::Refuse;
    let refusal = RefusalForm { on_refused: OnRefusal::Pass, on_failure: OnRefusal::Pass };
    sharing(Setup { refusal, ..setup }, vec![shared], 1)
}

async fn app() -> TestApp {
    app_of(strict(Setup::default())).await
}

#[actix_web::test]
async fn without_a_reservation_no_token_is_minted_and_refreshes_neither() {
    let app = app().await;
    let (secret, _) = hold(&app, "ann", DBA).await;
    let refresh = |event: &str, state| {
        with(login_hook(event, DBA, state), "/data/context/protocol/request/grant_type", "refresh_token")
    };
    for hook in [
        login_hook("e1", DBA, None),
        login_hook("e2", DBA, Some("csrf")),
        refresh("e3", None),
        refresh("e4", Some(secret.as_str())),
    ] {
        let told = deliver(&app, &hook).await;
        assert_eq!(told.refused(), "reservation-missing");
        assert!(told.body.contains("(reservation-required)"), "{}", told.body);
    }
    assert_eq!(denials(&app).await, ["reservation-missing"; 4]);
    assert!(log_in(&app, "e5", &secret).await.is_granted());
    assert_eq!(log_in(&app, "e6", &secret).await.refused(), "reservation-gone");
    assert_eq!(deliver(&app, &login_hook("e7", "00ubob", None)).await.status, 204, "all others are as before");
}

#[actix_web::test]
async fn a_delegation_is_no_way_around_it() {
    let app = app().await;
    app.directory.set_grant(&uid("00ubob"), &uid(DBA), true);
    app.token("dba", &json!({"uid": DBA}), &["openid", "behalf"]);
    let begun = app.post("/v1/delegations", "dba", &json!({"delegator": "00ubob"})).await;
    let id = begun.json["delegationid"].as_str().unwrap();
    for id in [id, "dlg_junk"] {
        assert_eq!(deliver(&app, &login_hook("e1", DBA, Some(id))).await.refused(), "reservation-missing");
    }
}

#[actix_web::test]
async fn our_own_failure_is_a_refusal() {
    let (setup, tamper) = tampered();
    let app = app_of(strict(setup)).await;
    let (secret, _) = hold(&app, "ann", DBA).await;
    app.directory.fail_next();
    assert_eq!(log_in(&app, "e1", &secret).await.refused(), "directory-unavailable");
    tamper.set_down(true);
    assert_eq!(log_in(&app, "e2", &secret).await.refused(), "store-unavailable");
    assert_eq!(deliver(&app, &login_hook("e3", DBA, None)).await.refused(), "reservation-missing");
    tamper.set_down(false);
    app.directory.next(crate::support::fake_directory::Op::GroupsOf, crate::support::fake_directory::Act::Panic);
    assert_eq!(log_in(&app, "e4", &secret).await.refused(), "internal");
    assert!(log_in(&app, "e5", &secret).await.is_granted(), "and nothing was spent");
}

#[actix_web::test]
async fn what_can_not_be_read_may_be_about_it() {
    let app = app().await;
    let garbage = |subject: &str| {
        let mut hook = login_hook("e1", subject, None);
        hook["data"]["access"]["token"]["lifetime"]["expiration"] = json!(-1);
        hook.to_string()
    };
    let escaped: String = DBA.bytes().map(|byte| format!("\\u{byte:04x}")).collect();
    let behind_escapes = garbage(DBA).replace(DBA, &escaped);
    assert!(!behind_escapes.contains(DBA), "{behind_escapes}");
    let bodies =
        [(garbage(DBA), true), (behind_escapes, true), (garbage("00ubob"), false), ("x".repeat(300 * 1024), true)];
    for (body, refused) in bodies {
        let (_, said) = app.deliver(&body).await;
        assert_eq!(said.contains("errorSummary"), refused, "{said}");
    }
    assert_eq!(coded(&app, "DA1001").await.len(), 3);
}

#[actix_web::test]
async fn a_hook_without_a_user_may_be_about_it() {
    let app = app().await;
    let of = |subject: &str| {
        let mut hook = login_hook("e1", subject, None);
        hook["data"]["context"].as_object_mut().unwrap().remove("user");
        hook["data"]["access"]["claims"]["uid"] = json!(subject);
        hook
    };
    assert_eq!(deliver(&app, &of(DBA)).await.refused(), "reservation-missing");
    assert_eq!(deliver(&app, &of("00ubob")).await.status, 204);
}
