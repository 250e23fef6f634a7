//! Against PyPI's canaille: another implementation, which has no filters (it answers one with everybody), takes userNames
//! for ids, and knows no extension but the RFC's.

use std::sync::Arc;

use behalf::{
    adapters::{directory::entries::Entries as _, finding::Level, system::SystemClock},
    ports::directory::{DirectoryError, Written},
};

use serde_json::json;

use super::{by_id, by_login, either, id};
use crate::support::scim::{Canaille, connector};

fn is_rejected<T: std::fmt::Debug>(answer: &Result<T, DirectoryError>, why: &str) {
    assert!(matches!(answer, Err(DirectoryError::Rejected(text)) if text.contains(why)), "{answer:?}");
}

#[tokio::test]
async fn users_are_read_by_id_and_nothing_is_believed() {
    let Some(server) = Canaille::start("ann").await else { return };
    let scim = connector(&server.url, Arc::new(SystemClock));
    let ann = server.ids().await.pop().unwrap();
    let entry = scim.entry(&by_id(&ann)).await.unwrap().unwrap();
    assert_eq!((entry.user.id.as_str(), entry.user.login.as_str()), (ann.as_str(), "ann"));
    assert!(entry.user.is_active() && entry.agents.is_empty());
    assert_eq!(entry.user.text("email").as_deref(), Some("ann@example.com"));
    assert!(scim.entry(&either(&ann)).await.unwrap().is_some());

    assert_eq!(scim.entry(&by_id("nobody")).await, Ok(None));
    assert_eq!(scim.entry(&by_id("ann")).await, Ok(None), "it answers with Ann, whose id is another");
    for who in [by_login("ann"), by_login("nobody"), either("ann")] {
        is_rejected(&scim.entry(&who).await, "does not support filters");
    }
    is_rejected(&scim.candidates(&id(&ann)).await, "does not support filters");
}

#[tokio::test]
async fn a_schema_that_it_lacks_is_noticed() {
    let Some(server) = Canaille::start("ann").await else { return };
    let scim = connector(&server.url, Arc::new(SystemClock));
    let ann = id(&server.ids().await.pop().unwrap());
    let bob = json!({
        "userName": "bob", "active": true, "name": {"formatted": "Bo", "familyName": "Bo"}, "emails": [{"value": "bob@example.com"}],
    });
    let bob = id(&server.create_as(&bob).await);
    // Whatever it does with the write, it isn't taken for a grant.
    let added = scim.add(&ann, &bob).await;
    assert!(matches!(added, Err(DirectoryError::Rejected(_) | DirectoryError::Unavailable(_))), "{added:?}");
    assert!(scim.entry(&by_id(ann.as_str())).await.unwrap().unwrap().agents.is_empty());
    assert_eq!(scim.remove(&ann, &bob).await, Ok(Written::Already));
    let findings = scim.inspect().await;
    let errors: Vec<_> = findings.iter().filter(|finding| finding.level == Level::Error).collect();
    assert!(matches!(errors.as_slice(), [one] if one.text.contains("does not know the schema")), "{findings:?}");
}
