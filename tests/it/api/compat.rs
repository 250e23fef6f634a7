//! The routes of Okta Managed Access, in its shapes.

use behalf::{policy::TenantPolicy, ports::directory::DirectoryError};
use serde_json::{Value, json};

use crate::support::{
    fake_directory::{Act, Op},
    http::Answer,
    test_app::{Setup, TestApp, uid, user},
};

const FORM: &str = "application/x-www-form-urlencoded";
const NOT_DELEGATED: &str = "User is not delegated by that delegator.";

#[track_caller]
fn is_done(answer: &Answer) {
    assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, ""));
}

#[actix_web::test]
async fn the_agent_lists_and_begins() {
    let app = TestApp::new().await;
    let list = app.get("/agent", "ann").await;
    assert_eq!(list.json, json!([{"id": "00ubob", "displayName": "Bob Builder (bob@example.test)"}]));
    assert_eq!(app.get("/agent", "eve").await.json, json!([]));
    for (kind, body) in [
        ("application/json", r#"{"entityid": "00ubob"}"#),
        ("application/json; charset=utf-8", r#"{"entityid": "bob@example.test", "other": [1]}"#),
        (FORM, "entityid=00ubob"),
        ("application/x-www-form-urlencoded; charset=UTF-8", "entityid=bob%40example.test&other=1"),
    ] {
        let begun = app.post_bytes("/agent", "ann", kind, body).await;
        assert_eq!(begun.status, 200, "{body}: {}", begun.text);
        assert_eq!(begun.json.as_object().unwrap().len(), 1);
        assert!(begun.json["id"].as_str().unwrap().starts_with("dlg_"));
        assert_eq!(begun.header("content-type"), Some("application/json"));
    }
}

#[actix_web::test]
async fn every_refusal_of_an_initiation_is_the_same_sentence() {
    let app = TestApp::new().await;
    let mut suspended = user("00usus", "sus@example.test", &json!({}));
    suspended.status = behalf::domain::user::Status::Inactive;
    app.directory.put(suspended);
    app.directory.set_grant(&uid("00usus"), &uid("00uann"), true);
    let long = "x".repeat(10_000);
    let names = [
        "00ueve",
        "nobody",
        "00usus",
        "00uann",
        "me",
        "ME",
        ".",
        "..",
        "../00ubob",
        "00ubob/",
        "00ubob?x",
        "00ubob#",
        "00ubob%00",
        "%30%30ubob",
        "00uBob",
        " 00ubob",
        "00ubob\u{0}",
        "00ubob\u{202e}",
        "*",
        "id eq \"00ubob\"",
        &long,
    ];
    for name in names {
        let json = app.post("/agent", "ann", &json!({"entityid": name})).await;
        json.is_compat_error(401, NOT_DELEGATED);
        let form = url::form_urlencoded::Serializer::new(String::new()).append_pair("entityid", name).finish();
        app.post_bytes("/agent", "ann", FORM, form).await.is_compat_error(401, NOT_DELEGATED);
    }
    app.post("/v1/locks", "bob", &json!({})).await;
    app.post("/agent", "ann", &json!({"entityid": "00ubob"})).await.is_compat_error(401, NOT_DELEGATED);
}

#[actix_web::test]
async fn a_missing_entityid_is_said_so() {
    let app = TestApp::new().await;
    for body in ["{}", r#"{"entityid": ""}"#, r#"{"entityid": null}"#] {
        let answer = app.post_bytes("/agent", "ann", "application/json", body).await;
        answer.is_compat_error(400, "entityid is missing.");
    }
    app.post_bytes("/agent", "ann", FORM, "").await.is_compat_error(400, "entityid is missing.");
    app.post_bytes("/agent", "ann", FORM, "entityId=00ubob").await.is_compat_error(400, "entityid is missing.");
    for body in ["", "[]", "null", r#"{"entityid": 7}"#, r#"{"entityid": "00ubob", "entityid": "00ubob"}"#] {
        assert_eq!(app.post_bytes("/agent", "ann", "application/json", body).await.status, 400, "{body}");
    }
    let twice = app.post_bytes("/agent", "ann", FORM, "entityid=00ubob&entityid=00ueve").await;
    twice.is_compat_error(400, "`entityid` is there twice.");
}

#[actix_web::test]
async fn activation_takes_the_word_in_any_case_and_answers_every_body() {
    let app = TestApp::new().await;
    for op in ["ACTIVATE", "activate", "Activate"] {
        is_done(&app.post("/delegator/delegation", "bob", &json!({"op": op})).await);
        is_done(&app.post_bytes("/delegator/delegation", "bob", FORM, format!("op={op}")).await);
    }
    assert_eq!(app.get("/delegator/agents", "bob").await.json["agents"].as_array().unwrap().len(), 1);
    assert_eq!(app.events().await, []);
    for body in ["{}", r#"{"op": null}"#, r#"{"op": ""}"#, r#"{"op": "TOGGLE"}"#] {
        let answer = app.post_bytes("/delegator/delegation", "bob", "application/json", body).await;
        answer.is_compat_error(400, "op must be ACTIVATE or DEACTIVATE.");
    }
    app.post_bytes("/delegator/delegation", "bob", FORM, "")
        .await
        .is_compat_error(400, "op must be ACTIVATE or DEACTIVATE.");
    assert_eq!(app.post_bytes("/delegator/delegation", "bob", "application/json", "").await.status, 400);
    is_done(&app.post("/delegator/delegation", "bob", &json!({"op": "deActivate"})).await);
    assert_eq!(app.get("/delegator/agents", "bob").await.json, json!({"agents": []}));
    is_done(&app.post("/delegator/delegation", "bob", &json!({"op": "DEACTIVATE"})).await);
}

#[actix_web::test]
async fn agents_are_shown_in_the_old_shape() {
    let app = TestApp::new().await;
    let profile = json!({"firstName": "Eve", "lastName": "Evil", "email": "e@example.test", "organization": "Ltd"});
    app.directory.put(user("00ueve", "eve@example.test", &profile));
    is_done(&app.post("/delegator/agents/add", "bob", &json!({"agentid": "eve@example.test"})).await);
    is_done(&app.post_bytes("/delegator/agents/add", "bob", FORM, "agentid=00ueve").await);
    let ann = json!({"id": "00uann", "firstName": "Ann", "login": "ann@example.test"});
    let eve = json!({"id": "00ueve", "firstName": "Eve", "secondName": "Evil", "login": "eve@example.test",
                     "email": "e@example.test", "organization": "Ltd"});
    assert_eq!(app.get("/delegator/agents", "bob").await.json, json!({"agents": [ann, eve]}));
    for _ in 0..2 {
        is_done(&app.post("/delegator/agents/remove", "bob", &json!({"agentid": "00ueve"})).await);
    }
    assert_eq!(app.get("/delegator/agents", "bob").await.json, json!({"agents": [ann]}));
    is_done(&app.post("/delegator/agents/remove", "eve", &json!({"agentid": "00uann"})).await);
}

#[actix_web::test]
async fn an_agent_who_is_not_there_is_404_and_a_missing_one_400() {
    let app = TestApp::new().await;
    for path in ["/delegator/agents/add", "/delegator/agents/remove"] {
        for name in ["nobody", "me", "..", "a/../b", "00uann/", "00uann?", "%2e%2e", "00uann\u{0}"] {
            let answer = app.post(path, "bob", &json!({"agentid": name})).await;
            answer.is_compat_error(404, "There is no such agent.");
        }
        for body in ["{}", r#"{"agentid": ""}"#] {
            app.post_bytes(path, "bob", "application/json", body).await.is_compat_error(400, "agentid is missing.");
        }
    }
    assert_eq!(app.post("/delegator/agents/add", "bob", &json!({"agentid": "00ubob"})).await.status, 400);
    assert_eq!(app.get("/delegator/agents", "bob").await.json["agents"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn names_are_shown_by_type() {
    let policy = TenantPolicy { delegatable_type: Some("person".to_owned()), ..TenantPolicy::default() };
    let app = TestApp::with(Setup { policy, ..Setup::default() }).await;
    let put = |id: &str, of_type: Option<&str>, profile: Value| {
        let mut user = user(id, &format!("{id}@example.test"), &profile);
        user.user_type = of_type.map(str::to_owned);
        app.directory.put(user);
        app.directory.set_grant(&uid("00uann"), &uid(id), true);
        app.directory.set_grant(&uid(id), &uid("00uann"), true);
    };
    let names =
        json!({"firstName": "Per", "lastName": "Son", "email": "p@example.test", "entityName": "Co", "entityId": "7"});
    put("00u1", Some("person"), names.clone());
    put("00u2", Some("person"), json!({"lastName": "Son"}));
    put("00u3", Some("person"), json!({}));
    put("00u4", Some("entity"), names.clone());
    put("00u5", Some("other"), names.clone());
    put("00u6", None, names);
    let list = app.get("/agent", "ann").await.json;
    let expected = json!([
        {"id": "00u1", "displayName": "Per Son (p@example.test)"}, {"id": "00u2", "displayName": "Son"},
        {"id": "00u3", "displayName": "00u3@example.test"}]);
    assert_eq!(list, expected, "others can't be delegated");
    let agents = app.get("/v1/grants", "ann").await.json;
    let shown: Vec<_> =
        agents["items"].as_array().unwrap().iter().map(|i| i["display_name"].as_str().unwrap()).collect();
    let others = ["Co 7", "00u5@example.test", "00u6@example.test"];
    assert_eq!(shown[3..], others);
}

#[actix_web::test]
async fn what_could_not_be_asked_is_503() {
    let app = TestApp::new().await;
    let cases = [
        (Op::User, "/agent", json!({"entityid": "00ubob"})),
        (Op::User, "/delegator/agents/add", json!({"agentid": "00ueve"})),
        (Op::RemoveGrant, "/delegator/agents/remove", json!({"agentid": "00uann"})),
        (Op::AgentsOf, "/delegator/delegation", json!({"op": "DEACTIVATE"})),
    ];
    for (op, path, body) in cases {
        app.directory.next(op, Act::Fail(DirectoryError::Unavailable("secret".to_owned())));
        let token = if path == "/agent" { "ann" } else { "bob" };
        let answer = app.post(path, token, &body).await;
        answer.is_compat_error(503, "The delegation could not be checked. Try again in a moment.");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    for (op, path) in [(Op::DelegatorsOf, "/agent"), (Op::AgentsOf, "/delegator/agents")] {
        app.directory.next(op, Act::Fail(DirectoryError::Rejected(String::new())));
        assert_eq!(app.get(path, "bob").await.status, 503);
    }
}

/// The codes of all events so far.
async fn codes(app: &TestApp) -> Vec<String> {
    app.events().await.into_iter().map(|event| event.code).collect()
}

#[actix_web::test]
async fn activation_changes_the_type_where_there_is_a_switch() {
    let policy = TenantPolicy { delegatable_type: Some("oty-delegator".to_owned()), ..TenantPolicy::default() };
    let app = TestApp::with(Setup { policy, ..Setup::default() }).await;
    let op = async |op: &str| app.post("/delegator/delegation", "bob", &json!({"op": op})).await;
    // Without one, who isn't of the type can't be activated, and that was tried.
    assert_eq!(op("ACTIVATE").await.status, 403);
    assert_eq!(codes(&app).await, ["DA6110", "DA6113"]);
    app.directory.switch_kinds("oty-user", "oty-delegator");
    is_done(&op("ACTIVATE").await);
    is_done(&op("ACTIVATE").await);
    assert_eq!(codes(&app).await[2..], ["DA6110", "DA6111"]);
    is_done(&app.post("/delegator/agents/add", "bob", &json!({"agentid": "00uann"})).await);
    // Grants end first: who can't be a delegator has none.
    is_done(&op("DEACTIVATE").await);
    assert_eq!(codes(&app).await[5..], ["DA6100", "DA6102", "DA6110", "DA6112"]);
    is_done(&op("DEACTIVATE").await);
    assert_eq!(codes(&app).await.len(), 9);
    assert_eq!(app.post("/delegator/agents/add", "bob", &json!({"agentid": "00uann"})).await.status, 403);
    app.directory.next(Op::SetDelegatable, Act::Fail(DirectoryError::Rejected("secret".to_owned())));
    assert_eq!(op("ACTIVATE").await.status, 503);
    assert_eq!(codes(&app).await[9..], ["DA6110", "DA6113"]);
}
