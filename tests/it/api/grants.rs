//! Who may act for me, and for whom may I act.

use behalf::{
    domain::user::Status,
    policy::TenantPolicy,
    ports::directory::{Directory as _, DirectoryError},
};
use serde_json::{Value, json};

use crate::support::{
    fake_directory::{Act, Op},
    test_app::{Setup, TestApp, uid, user},
};

async fn agents(app: &TestApp, token: &str) -> Vec<(String, String)> {
    let list = app.get("/v1/grants", token).await.json;
    let pair = |i: &Value| (i["id"].as_str().unwrap().to_owned(), i["status"].as_str().unwrap().to_owned());
    list["items"].as_array().unwrap().iter().map(pair).collect()
}

async fn delegators(app: &TestApp, token: &str) -> Vec<String> {
    let list = app.get("/v1/grants/delegators", token).await.json;
    list["items"].as_array().unwrap().iter().map(|i| i["id"].as_str().unwrap().to_owned()).collect()
}

fn pair(id: &str, status: &str) -> (String, String) {
    (id.to_owned(), status.to_owned())
}

#[actix_web::test]
async fn a_grant_is_added_by_id_or_login_once() {
    let app = TestApp::new().await;
    let eve = json!({"id": "00ueve", "login": "eve@example.test", "display_name": "eve@example.test"});
    let first = app.post("/v1/grants", "bob", &json!({"agent": "eve@example.test"})).await;
    assert_eq!((first.status.as_u16(), &first.json), (201, &eve));
    let again = app.post("/v1/grants", "bob", &json!({"agent": "00ueve"})).await;
    assert_eq!((again.status.as_u16(), &again.json), (200, &eve));
    assert_eq!(agents(&app, "bob").await, [pair("00uann", "active"), pair("00ueve", "active")]);
    assert_eq!(delegators(&app, "eve").await, ["00ubob"]);
    let added = app.trail().await.into_iter().filter(|(code, _)| code == "DA6101").count();
    assert_eq!(added, 1);
}

#[actix_web::test]
async fn nobody_is_his_own_agent_and_nobody_unknown_is_anybodys() {
    let app = TestApp::new().await;
    for me in ["00ubob", "bob@example.test"] {
        let answer = app.post("/v1/grants", "bob", &json!({"agent": me})).await;
        answer.is_problem(400, "invalid-request");
        assert_eq!(answer.json["field"], "agent");
    }
    let mut suspended = user("00usus", "sus@example.test", &json!({}));
    suspended.status = Status::Inactive;
    app.directory.put(suspended);
    for gone in ["nobody", "00usus"] {
        app.post("/v1/grants", "bob", &json!({"agent": gone})).await.is_problem(404, "not-found");
    }
    assert_eq!(agents(&app, "bob").await, [pair("00uann", "active")]);
    assert_eq!(app.events().await, []);
}

#[actix_web::test]
async fn removing_is_done_when_there_is_none() {
    let app = TestApp::new().await;
    assert_eq!(app.delete("/v1/grants/00uann", "bob").await.status, 204);
    assert_eq!(app.delete("/v1/grants/00uann", "bob").await.status, 204, "there is none any more");
    app.delete("/v1/grants/ann@example.test", "bob").await.is_problem(404, "not-found");
    assert_eq!(app.delete("/v1/grants/00uann", "eve").await.status, 204, "and here there was none ever");
    assert_eq!(app.delete("/v1/grants/00ubob", "bob").await.status, 204, "nor is one's own agent oneself");
    app.delete("/v1/grants/nobody", "bob").await.is_problem(404, "not-found");
    let removed = app.trail().await.into_iter().filter(|(code, _)| code == "DA6102").count();
    assert_eq!(removed, 1);
    app.post("/v1/delegations", "ann", &json!({"delegator": "00ubob"})).await.is_problem(403, "not-delegated");
}

#[actix_web::test]
async fn a_deleted_agent_breaks_no_list_and_can_be_removed() {
    let app = TestApp::new().await;
    app.directory.set_grant(&uid("00ubob"), &uid("00ugone"), true);
    assert_eq!(agents(&app, "bob").await, [pair("00uann", "active"), pair("00ugone", "deleted")]);
    let compat = app.get("/delegator/agents", "bob").await.json;
    assert_eq!(compat["agents"].as_array().unwrap().len(), 1);
    assert_eq!(app.delete("/v1/grants/00ugone", "bob").await.status, 204);
    assert_eq!(agents(&app, "bob").await, [pair("00uann", "active")]);
    app.directory.set_grant(&uid("00ubob"), &uid("00ugone"), true);
    assert_eq!(app.post("/delegator/agents/remove", "bob", &json!({"agentid": "00ugone"})).await.status, 200);
    assert_eq!(agents(&app, "bob").await, [pair("00uann", "active")]);
}

#[actix_web::test]
async fn delegators_are_candidates_until_they_were_asked() {
    let app = TestApp::new().await;
    for (id, status) in [("00usus", Status::Inactive), ("00uact", Status::Active)] {
        let mut candidate = user(id, &format!("{id}@example.test"), &json!({}));
        candidate.status = status;
        app.directory.put(candidate);
        app.directory.set_grant(&uid(id), &uid("00uann"), true);
    }
    app.directory.set_grant(&uid("00ugone"), &uid("00uann"), true);
    app.directory.set_grant(&uid("00uann"), &uid("00uann"), true);
    assert_eq!(delegators(&app, "ann").await, ["00uact", "00ubob"]);
    // The search still finds Bob, who has taken the grant back.
    let asked = app.directory.calls(Op::IsGranted);
    let gate = app.directory.hang(Op::DelegatorsOf);
    let list = async { delegators(&app, "ann").await };
    let change = async {
        app.directory.called(Op::DelegatorsOf, 2).await;
        app.directory.remove_grant(&uid("00ubob"), &uid("00uann")).await.unwrap();
        gate.notify_one();
    };
    let (list, ()) = tokio::join!(list, change);
    assert_eq!(list, ["00uact"]);
    assert!(app.directory.calls(Op::IsGranted) > asked);
}

#[actix_web::test]
async fn an_administrator_removes_anybodys_grant_and_nobody_else_does() {
    let app = TestApp::new().await;
    for who in ["eve", "ann"] {
        let mut bodies = Vec::new();
        for (agent, delegator) in [("00uann", "00ubob"), ("00uann", "nobody"), ("nobody", "00ubob")] {
            let answer = app.delete(&format!("/v1/grants/{agent}?delegator={delegator}"), who).await;
            answer.is_problem(403, "administrator-only");
            bodies.push(answer.text);
        }
        assert!(bodies.windows(2).all(|two| two[0] == two[1]), "no oracle");
    }
    assert_eq!(agents(&app, "bob").await.len(), 1);
    assert_eq!(app.delete("/v1/grants/00uann?delegator=00ubob", "root").await.status, 204);
    assert_eq!(agents(&app, "bob").await, []);
    let events = app.events().await;
    let removed = events.iter().find(|e| e.code == "DA6102").unwrap();
    assert_eq!((removed.actor.kind.as_str(), removed.actor.id.as_str()), ("administrator", "00uroot"));
    let denied: Vec<_> = events.iter().filter(|e| e.code == "DA6300").map(|e| e.actor.id.as_str()).collect();
    assert_eq!(denied.len(), 6, "attempts are written down");
    // One's own id is no other's, for everybody.
    assert_eq!(app.delete("/v1/grants/00uann?delegator=00ubob", "bob").await.status, 204);
}

#[actix_web::test]
async fn a_grant_that_cannot_be_told_of_is_not_made() {
    let app = TestApp::new().await;
    app.store.close();
    app.post("/v1/grants", "bob", &json!({"agent": "00ueve"})).await.is_problem(503, "temporarily-unavailable");
    assert_eq!(app.directory.calls(Op::AddGrant), 0);
}

#[actix_web::test]
async fn a_directory_that_does_not_do_it_is_told_of() {
    let app = TestApp::new().await;
    app.directory.next(Op::AddGrant, Act::Fail(DirectoryError::Rejected("secret".to_owned())));
    let answer = app.post("/v1/grants", "bob", &json!({"agent": "00ueve"})).await;
    answer.is_problem(503, "temporarily-unavailable");
    assert!(!answer.text.contains("secret"));
    let failed = ("DA6103".to_owned(), Some("directory-rejected".to_owned()));
    assert_eq!(app.trail().await, [("DA6100".to_owned(), None), failed]);
    for (path, op) in [("/v1/grants", Op::AgentsOf), ("/v1/grants/delegators", Op::DelegatorsOf)] {
        app.directory.next(op, Act::Fail(DirectoryError::Unavailable(String::new())));
        app.get(path, "bob").await.is_problem(503, "temporarily-unavailable");
    }
}

#[actix_web::test]
async fn a_delegator_whose_account_does_not_work_adds_nobody() {
    let app = TestApp::new().await;
    let mut bob = user("00ubob", "bob@example.test", &json!({}));
    bob.status = Status::Inactive;
    app.directory.put(bob);
    assert_eq!(app.post("/v1/grants", "bob", &json!({"agent": "00ueve"})).await.status, 403);
    assert_eq!(app.directory.calls(Op::AddGrant), 0);
    assert_eq!(app.delete("/v1/grants/00uann", "bob").await.status, 204, "taking back is always possible");
}

#[actix_web::test]
async fn grants_of_one_user_are_no_other_users() {
    let app = TestApp::new().await;
    for who in ["ann", "eve", "root"] {
        assert_eq!(agents(&app, who).await, [], "{who}");
    }
    for who in ["bob", "eve", "root"] {
        assert_eq!(delegators(&app, who).await, Vec::<String>::new(), "{who}");
    }
}

#[actix_web::test]
async fn a_login_that_changed_hands_ends_nobody_elses_grant_and_is_not_answered_with_done() {
    let app = TestApp::new().await;
    app.directory.put(user("00uann", "ann2@example.test", &json!({})));
    app.directory.put(user("00unew", "ann@example.test", &json!({})));
    app.delete("/v1/grants/ann%40example.test", "bob").await.is_problem(404, "not-found");
    app.begin().await;
    assert_eq!(app.delete("/v1/grants/ann2%40example.test", "bob").await.status, 204);
    let body = json!({"delegator": "00ubob"});
    app.post("/v1/delegations", "ann", &body).await.is_problem(403, "not-delegated");
}

#[actix_web::test]
async fn an_id_on_the_list_counts_before_a_login_of_the_same_text() {
    let app = TestApp::new().await;
    app.directory.put(user("00uother", "00uann", &json!({})));
    assert_eq!(app.delete("/v1/grants/00uann", "bob").await.status, 204);
    let body = json!({"delegator": "00ubob"});
    app.post("/v1/delegations", "ann", &body).await.is_problem(403, "not-delegated");
}

#[actix_web::test]
async fn an_account_of_another_type_gets_no_agents() {
    let policy = TenantPolicy { delegatable_type: Some("delegatable".to_owned()), ..TenantPolicy::default() };
    let app = TestApp::with(Setup { policy, ..Setup::default() }).await;
    app.post("/v1/grants", "bob", &json!({"agent": "00ueve"})).await.is_problem(403, "cannot-delegate");
    let answer = app.post("/delegator/delegation", "bob", &json!({"op": "ACTIVATE"})).await;
    assert_eq!(answer.status, 403, "{}", answer.text);
}

#[actix_web::test]
async fn a_grant_that_no_list_shows_yet_is_removed_by_id() {
    let app = TestApp::new().await;
    app.directory.freeze_lists();
    app.directory.put(user("00ugone", "gone@example.test", &json!({})));
    for id in ["00ueve", "00ugone"] {
        app.directory.set_grant(&uid("00ubob"), &uid(id), true);
    }
    app.directory.take("00ugone");
    for id in ["00ueve", "00ugone"] {
        assert_eq!(app.delete(&format!("/v1/grants/{id}"), "bob").await.status, 204, "{id}");
        assert_eq!(app.directory.is_granted(&uid("00ubob"), &uid(id)).await, Ok(false), "{id}");
    }
    let removed = app.trail().await.into_iter().filter(|(code, _)| code == "DA6102").count();
    assert_eq!(removed, 2);
}

#[actix_web::test]
async fn what_is_changed_here_is_shown_at_once() {
    let app = TestApp::with(Setup::with_kept_lists()).await;
    assert_eq!((agents(&app, "bob").await.len(), delegators(&app, "ann").await.len()), (1, 1));
    app.directory.set_grant(&uid("00ubob"), &uid("00ueve"), true);
    assert_eq!(agents(&app, "bob").await.len(), 1, "this was changed elsewhere");

    assert_eq!(app.delete("/v1/grants/00uann", "bob").await.status, 204);
    assert_eq!((agents(&app, "bob").await.len(), delegators(&app, "ann").await.len()), (1, 0));
    assert_eq!(app.post("/v1/grants", "bob", &json!({"agent": "00uann"})).await.status, 201);
    assert_eq!((agents(&app, "bob").await.len(), delegators(&app, "ann").await.len()), (2, 1));
    assert_eq!(app.delete("/v1/grants/ann@example.test", "bob").await.status, 204);
    assert_eq!((agents(&app, "bob").await.len(), delegators(&app, "ann").await.len()), (1, 0));
    assert_eq!(app.post("/delegator/delegation", "bob", &json!({"op": "DEACTIVATE"})).await.status, 200);
    assert_eq!((agents(&app, "bob").await.len(), delegators(&app, "eve").await.len()), (0, 0));
}

#[actix_web::test]
async fn a_change_of_unknown_outcome_is_forgotten_as_well() {
    let app = TestApp::with(Setup::with_kept_lists()).await;
    assert_eq!(agents(&app, "bob").await.len(), 1);
    app.directory.next(Op::RemoveGrant, Act::Fail(DirectoryError::Unavailable("no answer".to_owned())));
    app.directory.set_grant(&uid("00ubob"), &uid("00uann"), false);
    app.delete("/v1/grants/00uann", "bob").await.is_problem(503, "temporarily-unavailable");
    assert_eq!(agents(&app, "bob").await, []);
}
