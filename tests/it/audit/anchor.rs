//! The sealed head in the identity provider's own log: an anchor that we can't reach.

use behalf::ports::store::Seq;

use super::*;
use crate::support::test_app::{TestApp, refresh_hook};

#[tokio::test]
async fn a_granted_hook_carries_the_sealed_head() {
    let app = TestApp::new().await;
    let tenant = TenantName::default_tenant();
    let first = app.begin().await;
    let (_, before) = app.deliver(&refresh_hook("e1", Some(&first)).to_string()).await;
    assert!(before.contains("debugContext") && !before.contains("\"audit\""), "nothing is sealed yet: {before}");
    sealer_with(&signing_key()).pass(&app.services, &tenant).await.unwrap();
    let count = app.services.store.events(&tenant, Seq(0), 1000).await.unwrap().len();
    let second = app.begin().await;
    let (_, answer) = app.deliver(&refresh_hook("e2", Some(&second)).to_string()).await;
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    let audit = &answer["debugContext"]["audit"];
    assert_eq!(audit["seq"], count);
    let entries = sealed::page(&*app.services.store, &tenant, 0, 1000).await.unwrap().entries;
    assert_eq!(audit["hash"], entries.last().unwrap().hash.to_string());
}
