//! Reading users: exactly the one who was asked for, or nobody, or an error.

use behalf::{
    adapters::directory::{
        entries::{Entries as _, MOST_AGENTS},
        okta::auth::Credentials,
    },
    domain::{
        ids::{Login, UserRef},
        user::Status,
    },
    ports::directory::DirectoryError,
};
use serde_json::{Value, json};

use super::{Rig, all_kinds, id};
use crate::support::fake_okta::{DELEGATED_TYPE, Endpoint, Fault};

fn login(text: &str) -> UserRef {
    UserRef::Login(Login::parse(text).unwrap())
}

fn bob() -> UserRef {
    UserRef::Id(id("00ubob"))
}

#[tokio::test]
async fn an_entry_is_the_user_his_type_and_whom_he_lists() {
    let rig = Rig::start();
    rig.okta.edit("00ubob", |account| {
        DELEGATED_TYPE.clone_into(&mut account.kind);
        account.profile.insert("delegatedAgents".to_owned(), json!(["00uann", "00ucid", "00uann"]));
        account.profile.insert("costCenter".to_owned(), json!("4711"));
    });
    let okta = rig.entries();
    for who in [bob(), login("bob@example.com"), UserRef::parse("00ubob").unwrap()] {
        let entry = okta.entry(&who).await.unwrap().unwrap();
        assert_eq!((entry.user.id.as_str(), entry.user.login.as_str()), ("00ubob", "bob@example.com"));
        assert_eq!(entry.user.user_type.as_deref(), Some(DELEGATED_TYPE));
        assert_eq!(entry.user.text("costCenter").as_deref(), Some("4711"));
        assert_eq!(entry.agents, [id("00uann"), id("00ucid")]);
    }
}

#[tokio::test]
async fn only_active_is_active() {
    let rig = Rig::start();
    let okta = rig.entries();
    for (status, expected) in [
        ("ACTIVE", Status::Active),
        ("RECOVERY", Status::Inactive),
        ("PASSWORD_EXPIRED", Status::Inactive),
        ("LOCKED_OUT", Status::Inactive),
        ("SUSPENDED", Status::Inactive),
        ("DEPROVISIONED", Status::Inactive),
        ("STAGED", Status::Inactive),
        ("PROVISIONED", Status::Inactive),
        ("active", Status::Inactive),
        ("", Status::Inactive),
    ] {
        rig.okta.edit("00ubob", |account| status.clone_into(&mut account.status));
        assert_eq!(okta.entry(&bob()).await.unwrap().unwrap().user.status, expected, "{status}");
    }
}

/// Okta finds users by a login in any case, and by the part before the `@`.
#[tokio::test]
async fn who_only_resembles_is_nobody() {
    let rig = Rig::start();
    let okta = rig.entries();
    for text in ["BOB@example.com", "bob", "00UBOB", "bob@example.co", "00ubo"] {
        assert_eq!(okta.entry(&login(text)).await, Ok(None), "{text}");
        assert_eq!(okta.entry(&UserRef::Id(id(text))).await, Ok(None), "{text}");
        assert_eq!(okta.entry(&UserRef::parse(text).unwrap()).await, Ok(None), "{text}");
    }
    for text in ["me", "ME", "a/../b", "😀@example.com"] {
        assert_eq!(okta.entry(&login(text)).await, Ok(None), "{text}");
        assert_eq!(okta.entry(&UserRef::Id(id(text))).await, Ok(None), "{text}");
    }
    assert_eq!(rig.okta.violations(), Vec::<String>::new());
}

/// A server that answers with somebody else, whatever is asked.
#[tokio::test]
async fn another_user_is_never_passed_on() {
    let rig = Rig::start();
    let okta = rig.entries();
    let other = json!({"id": "00ueve", "status": "ACTIVE", "type": {"id": "x"},
        "profile": {"login": "eve@example.com", "delegatedAgents": ["00uann"]}});
    rig.okta.set(|state| state.always.insert(Endpoint::ReadUser, Fault::Garbage(other.to_string())));
    for who in [bob(), login("bob@example.com"), UserRef::parse("bob@example.com").unwrap(), login("Eve@example.com")] {
        assert_eq!(okta.entry(&who).await, Ok(None), "{who:?}");
    }
}

/// The login changed hands between the two reads.
#[tokio::test]
async fn a_login_is_looked_at_again_by_id() {
    let rig = Rig::start();
    let okta = rig.entries();
    let stale = json!({"id": "00ubob", "status": "ACTIVE", "profile": {"login": "robert@example.com"}});
    rig.okta.fail_next(Endpoint::ReadUser, [Fault::Garbage(stale.to_string())]);
    assert_eq!(okta.entry(&login("robert@example.com")).await, Ok(None));
    assert_eq!(rig.okta.calls(Endpoint::ReadUser), 2);
}

#[tokio::test]
async fn what_is_not_understood_is_no_answer() {
    let rig = Rig::start();
    let okta = rig.entries();
    let with = |agents: Value| {
        json!({"id": "00ubob", "status": "ACTIVE", "profile": {"login": "b", "delegatedAgents": agents}}).to_string()
    };
    let many: Value = (0..=MOST_AGENTS).map(|n| json!(format!("00u{n}"))).collect();
    let garbage = [
        with(json!("00uann")),
        with(json!({"0": "00uann"})),
        with(json!([1])),
        with(json!([null])),
        with(json!([""])),
        with(json!(["a\nb"])),
        with(many),
        json!({"id": "00ubob", "status": "ACTIVE", "profile": {}}).to_string(),
        json!({"id": "00ubob", "profile": {"login": "b"}}).to_string(),
        json!({"id": 7, "status": "ACTIVE", "profile": {"login": "b"}}).to_string(),
        json!({"id": "00ubob", "status": "ACTIVE", "profile": {"login": 7}}).to_string(),
        "[]".to_owned(),
        "null".to_owned(),
        "<html>".to_owned(),
        String::new(),
    ];
    for body in garbage {
        rig.okta.fail_next(Endpoint::ReadUser, [Fault::Garbage(body.clone())]);
        let said = okta.entry(&bob()).await;
        let start: String = body.chars().take(80).collect();
        assert!(matches!(&said, Err(DirectoryError::Garbled(_))), "{start}: {said:?}");
    }
    let endless = format!("{{\"id\":\"00ubob\",\"x\":\"{}\"}}", "x".repeat(5 << 20));
    rig.okta.fail_next(Endpoint::ReadUser, [Fault::Garbage(endless)]);
    let said = okta.entry(&bob()).await;
    assert!(matches!(said, Err(DirectoryError::Unavailable(_))), "{said:?}");
    let nobody = with(json!(null));
    rig.okta.fail_next(Endpoint::ReadUser, [Fault::Garbage(nobody)]);
    assert_eq!(okta.entry(&bob()).await.unwrap().unwrap().agents, []);
}

#[tokio::test]
async fn only_okta_itself_can_say_that_somebody_is_not_there() {
    let rig = Rig::start();
    let okta = rig.entries();
    for fault in [Fault::Status(404), Fault::Error(404, "E0000022"), Fault::Status(204), Fault::Status(400)] {
        rig.okta.fail_next(Endpoint::ReadUser, [fault.clone()]);
        let said = okta.entry(&bob()).await;
        assert!(matches!(said, Err(DirectoryError::Garbled(_))), "{fault:?}: {said:?}");
    }
    for fault in [Fault::Status(500), Fault::Error(503, "E0000100"), Fault::Status(302), Fault::Drop] {
        rig.okta.fail_next(Endpoint::ReadUser, [fault.clone()]);
        let said = okta.entry(&bob()).await;
        assert!(matches!(said, Err(DirectoryError::Unavailable(_))), "{fault:?}: {said:?}");
    }
    for fault in [Fault::Error(401, "E0000011"), Fault::Error(403, "E0000006"), Fault::Status(403)] {
        rig.okta.fail_next(Endpoint::ReadUser, [fault.clone()]);
        let said = okta.entry(&bob()).await;
        assert!(matches!(said, Err(DirectoryError::Rejected(_))), "{fault:?}: {said:?}");
    }
    let stranger = rig.connect_as(Credentials::ApiToken("wrong".into()), all_kinds());
    let said = stranger.entry(&bob()).await;
    assert!(matches!(&said, Err(DirectoryError::Rejected(text)) if text.contains("E0000011")), "{said:?}");
}

/// Whoever gives up leaves nothing behind that the next one would wait for.
#[tokio::test]
async fn an_answer_that_never_comes_holds_up_nobody_else() {
    let rig = Rig::start();
    let okta = rig.entries();
    rig.okta.fail_next(Endpoint::ReadUser, [Fault::Hang]);
    let patience = std::time::Duration::from_millis(100);
    assert!(tokio::time::timeout(patience, okta.entry(&bob())).await.is_err());
    assert!(okta.entry(&bob()).await.unwrap().is_some());
}
