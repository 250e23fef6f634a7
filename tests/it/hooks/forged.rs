//! Who has the hook's secret without being the identity provider: what he can do with it, and what he can't.

use super::{coded, deliver, deliver_bytes, denials, still_works};
use crate::support::test_app::{TestApp, refresh_hook};

#[actix_web::test]
async fn without_an_id_a_forged_hook_learns_and_spends_nothing() {
    let app = TestApp::new().await;
    let id = app.begin().await;
    let told = deliver(&app, &refresh_hook("forged", None)).await;
    assert_eq!((told.status, told.body.as_str()), (204, ""));
    assert_eq!(app.events().await.len(), 1, "only the initiation");
    still_works(&app, &id).await;
}

/// The patch goes to the forger, who has no token to put it into; the true hook is refused, and both are written down.
#[actix_web::test]
async fn with_an_id_a_forged_hook_spends_it_and_shows_the_patch() {
    let app = TestApp::new().await;
    let id = app.begin().await;
    let forged = deliver(&app, &refresh_hook("forged", Some(&id))).await;
    assert!(forged.is_granted());
    assert!(forged.body.contains("bob@example.test") && forged.body.contains("Ops"), "{}", forged.body);
    let told = deliver(&app, &refresh_hook("true", Some(&id))).await;
    assert_eq!(told.refused(), "already-used");
    let granted = coded(&app, "DA1000").await;
    assert_eq!(granted[0].request.hook_event_id.as_deref(), Some("forged"));
    assert_eq!(denials(&app).await, ["already-used"]);
}

/// Guessed ids have a brake (`unknown_ids.rs`); this has none, as hooks have no rate limit.
#[actix_web::test]
async fn each_unreadable_forgery_is_an_event() {
    let app = TestApp::new().await;
    for _ in 0..20 {
        let told = deliver_bytes(&app, "/hooks/okta", b"{\"dlg_".to_vec()).await;
        assert_eq!(told.refused(), "malformed-hook");
    }
    assert_eq!(denials(&app).await.len(), 20);
}
