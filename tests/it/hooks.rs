//! Hooks over real HTTP, from the IdP's bytes to the IdP's bytes.

mod answers;
mod approval;
mod bad_input;
mod binding;
mod callers;
mod candidates;
mod entity;
mod expiry;
mod failures;
mod forged;
mod initiation;
mod lists;
mod lost_replies;
mod lost_reservations;
mod once;
mod policy;
mod reservation;
mod rules;
mod secrets;
mod self_test;
mod spoofed;
mod unknown_ids;
mod unreadable;

use std::{sync::Arc, time::Duration};

use behalf::{
    app::{Budget, records},
    domain::{
        audit::Event,
        delegation::Party,
        ids::{DelegationId, Login, TenantName},
        lock::{Lock, Placed},
    },
    ports::store::{Change, ChangeId, Expect, Store},
};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::{
    okta_apply::{Minted, Tokens, apply},
    tampered_store::{Tamper, TamperedStore},
    test_app::{HOOK_SECRET, Setup, TestApp, refresh_hook, uid},
};

/// Budgets that make our failures quick.
const QUICK: Budget = Budget { hook: Duration::from_millis(900), commit: Duration::from_millis(400) };

/// An answer to a hook.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Told {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {} {}", self.status, self.body))
    }

    pub(crate) fn debug(&self, member: &str) -> Option<String> {
        self.json()["debugContext"][member].as_str().map(str::to_owned)
    }

    /// The exact reason of a refusal in Okta's form, after a look at that form.
    pub(crate) fn refused(&self) -> String {
        assert_eq!(self.status, 200, "{}", self.body);
        let summary = self.json()["error"]["errorSummary"].as_str().map(str::to_owned);
        assert!(summary.is_some_and(|s| s.ends_with(')')), "{}", self.body);
        assert!(self.json().get("commands").is_none(), "{}", self.body);
        assert_eq!(self.debug("decision").as_deref(), Some("refused"), "{}", self.body);
        self.debug("reason").unwrap()
    }

    /// All that the user may see.
    pub(crate) fn for_the_user(&self) -> Value {
        let mut told = self.json();
        told.as_object_mut().unwrap().remove("debugContext");
        told
    }

    pub(crate) fn is_granted(&self) -> bool {
        self.status == 200 && self.debug("decision").as_deref() == Some("granted")
    }

    /// The tokens that Okta makes of it.
    pub(crate) fn minted(&self, hook: &Value) -> Tokens {
        match apply(&Tokens::of(hook), self.status, &self.body) {
            Minted::Patched(tokens) => tokens,
            other => panic!("{other:?}: {} {}", self.status, self.body),
        }
    }
}

pub(crate) async fn deliver(app: &TestApp, hook: &Value) -> Told {
    let (status, body) = app.deliver(&hook.to_string()).await;
    Told { status, body }
}

async fn deliver_bytes(app: &TestApp, path: &str, body: Vec<u8>) -> Told {
    let request = app.http.post(format!("{}{path}", app.url)).header("authorization", HOOK_SECRET);
    let answer = request.header("content-type", "application/json").body(body).send().await.unwrap();
    Told { status: answer.status().as_u16(), body: answer.text().await.unwrap() }
}

/// The hook with another value at a JSON pointer.
pub(crate) fn with(mut hook: Value, pointer: &str, value: impl Into<Value>) -> Value {
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    hook.pointer_mut(parent).unwrap()[member] = value.into();
    hook
}

/// The hook without the member at a JSON pointer.
fn without(mut hook: Value, pointer: &str) -> Value {
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    hook.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(member).unwrap();
    hook
}

/// A well-formed id that nobody handed out.
fn stray_id(byte: u8) -> String {
    DelegationId::mint("2026-11-21T10:00:00Z".parse().unwrap(), [byte; 32]).expose().to_owned()
}

/// A set-up whose store can be tampered with.
pub(crate) fn tampered() -> (Setup, Arc<Tamper>) {
    let tamper = Arc::new(Tamper::default());
    let for_store = Arc::clone(&tamper);
    let setup = Setup {
        wrap: Box::new(move |inner| Arc::new(TamperedStore { inner, tamper: for_store }) as Arc<dyn Store>),
        budget: QUICK,
        ..Setup::default()
    };
    (setup, tamper)
}

pub(crate) async fn coded(app: &TestApp, code: &str) -> Vec<Event> {
    app.events().await.into_iter().filter(|e| e.code == code).collect()
}

/// Exact reasons of the hooks denied so far.
pub(crate) async fn denials(app: &TestApp) -> Vec<String> {
    coded(app, "DA1001").await.into_iter().map(|e| e.outcome.reason.unwrap()).collect()
}

/// The id still works.
async fn still_works(app: &TestApp, id: &str) {
    let told = deliver(app, &refresh_hook("works-still", Some(id))).await;
    assert!(told.is_granted(), "{told:?}");
}

fn party(id: &str) -> Party {
    Party { id: uid(id), login: Login::parse(id).unwrap() }
}

/// A change that locks an account, as the use case writes it.
pub(crate) fn lock_change(app: &TestApp, user: &str) -> Change {
    let at = app.store_now();
    let placed = Placed { by: party(user), at, reason: None };
    let put = records::put_lock(&Lock { user: party(user), own: Some(placed), admin: None }).unwrap();
    Change {
        expect: vec![(put.key, Expect::Absent)],
        puts: vec![put],
        ..Change::new(ChangeId([7; 16]), Timestamp::MAX)
    }
}

pub(crate) fn tenant() -> TenantName {
    TenantName::default_tenant()
}

/// How many rounds a race is run.
pub(crate) fn rounds() -> usize {
    #[expect(clippy::disallowed_methods, reason = "the one setting of the tests themselves")]
    let set = std::env::var("BEHALF_TEST_ROUNDS").ok();
    set.map_or(5, |text| text.parse().unwrap())
}

#[actix_web::test]
async fn a_delegation_is_exercised_once() {
    let app = TestApp::new().await;
    let id = app.begin().await;
    let hook = refresh_hook("e1", Some(&id));
    let told = deliver(&app, &hook).await;
    let access = told.minted(&hook).access.unwrap().claims;
    let expected = json!({
        "sub": "ann@example.test", "uid": "00uann", "on_behalf": "True", "on_behalf_sub": "bob@example.test",
        "can_delegate": "False", "department": "Ops"
    });
    // The cost centre was the agent's, and Bob has none.
    assert_eq!(Value::Object(access), expected);
    assert_eq!(deliver(&app, &refresh_hook("e2", Some(&id))).await.refused(), "already-used");
}
