//! What is shown to people decides nothing: initiation and hook ask the directory, each time.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use behalf::{
    domain::ids::UserId,
    ports::{
        directory::DirectoryError,
        shown::{ShownAgent, ShownGrants, ShownUser},
    },
};
use serde_json::json;

use super::{deliver, refresh_hook};
use crate::support::{
    fake_directory::Op,
    test_app::{Setup, TestApp, uid},
};

/// How many agents Bob and how many delegators Ann is shown.
async fn listed(app: &TestApp) -> (usize, usize) {
    let count = async |path: &str, who: &str| app.get(path, who).await.json["items"].as_array().unwrap().len();
    (count("/v1/grants", "bob").await, count("/v1/grants/delegators", "ann").await)
}

#[actix_web::test]
async fn a_grant_that_only_a_list_still_shows_is_none() {
    let app = TestApp::with(Setup::with_kept_lists()).await;
    let id = app.begin().await;
    assert_eq!(listed(&app).await, (1, 1));
    // On another replica, or in the directory itself.
    app.directory.set_grant(&uid("00ubob"), &uid("00uann"), false);
    assert_eq!(listed(&app).await, (1, 1), "the lists are a moment old");
    assert_eq!(deliver(&app, &refresh_hook("e1", Some(&id))).await.refused(), "grant-gone");
    let body = json!({"delegator": "00ubob"});
    app.post("/v1/delegations", "ann", &body).await.is_problem(403, "not-delegated");
}

#[actix_web::test]
async fn a_grant_that_no_list_shows_yet_is_one() {
    let app = TestApp::with(Setup::with_kept_lists()).await;
    app.directory.set_grant(&uid("00ubob"), &uid("00uann"), false);
    assert_eq!(listed(&app).await, (0, 0));
    app.directory.set_grant(&uid("00ubob"), &uid("00uann"), true);
    assert_eq!(listed(&app).await, (0, 0), "the lists are a moment old");
    let id = app.begin().await;
    assert!(deliver(&app, &refresh_hook("e1", Some(&id))).await.is_granted());
}

#[actix_web::test]
async fn every_initiation_and_every_hook_asks_for_users_and_grant() {
    let app = TestApp::with(Setup::with_kept_lists()).await;
    for round in 0..3 {
        listed(&app).await;
        for hook in [false, true] {
            let before = [Op::User, Op::IsGranted].map(|op| app.directory.calls(op));
            if hook {
                let id = app.begin().await;
                let told = deliver(&app, &refresh_hook(&format!("e{round}"), Some(&id))).await;
                assert!(told.is_granted(), "{told:?}");
            } else {
                app.begin().await;
            }
            let asked = [Op::User, Op::IsGranted].map(|op| app.directory.calls(op));
            let decisions = if hook { 2 } else { 1 };
            assert_eq!(asked, [before[0] + 2 * decisions, before[1] + decisions]);
        }
    }
}

#[derive(Default)]
struct Counting(AtomicUsize);

#[async_trait]
impl ShownGrants for Counting {
    async fn agents(&self, _: &UserId) -> Result<Vec<ShownAgent>, DirectoryError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(Vec::new())
    }

    async fn delegators(&self, _: &UserId) -> Result<Vec<Arc<ShownUser>>, DirectoryError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Ok(Vec::new())
    }

    fn forget(&self, _: &UserId, _: &UserId) {}
}

#[actix_web::test]
async fn nothing_that_decides_or_changes_asks_what_is_shown() {
    let counting = Arc::new(Counting::default());
    let shown = Arc::clone(&counting);
    let setup = Setup { shown: Box::new(move |_, _, _| Arc::clone(&shown) as _), ..Setup::default() };
    let app = TestApp::with(setup).await;
    let id = app.begin().await;
    assert!(deliver(&app, &refresh_hook("e1", Some(&id))).await.is_granted());
    assert_eq!(app.post("/v1/grants", "bob", &json!({"agent": "eve@example.test"})).await.status, 201);
    assert_eq!(app.delete("/v1/grants/eve@example.test", "bob").await.status, 204);
    assert_eq!(app.post("/delegator/delegation", "bob", &json!({"op": "DEACTIVATE"})).await.status, 200);
    assert_eq!(app.directory.calls(Op::RemoveGrant), 2);
    let locked = app.post("/v1/locks", "bob", &json!({})).await;
    assert!(locked.status.is_success(), "{}", locked.text);
    let body = json!({"delegator": "00ubob"});
    app.post("/v1/delegations", "ann", &body).await.is_problem(403, "not-delegated");
    assert_eq!(counting.0.load(Ordering::SeqCst), 0);
    assert_eq!(listed(&app).await, (0, 0));
    assert_eq!(counting.0.load(Ordering::SeqCst), 2);
}
