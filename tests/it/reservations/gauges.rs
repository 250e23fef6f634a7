//! What gauges show of reservations.

use behalf::{app::readings, domain::ids::TenantName};
use jiff::SignedDuration;

use super::{DBA, HOLD_MS, app, hold};
use crate::support::test_app::TestApp;

async fn held(app: &TestApp) -> u64 {
    readings::read(&app.services, &TenantName::default_tenant(), None).await.unwrap().reservations_held
}

#[actix_web::test]
async fn reservations_count_while_they_are_held() {
    let app = app().await;
    assert_eq!(held(&app).await, 0);
    let (_, id) = hold(&app, "ann", DBA).await;
    assert_eq!(held(&app).await, 1);
    app.delete(&format!("/v1/reservations/{id}"), "ann").await;
    assert_eq!(held(&app).await, 0);
    hold(&app, "eve", DBA).await;
    assert_eq!(held(&app).await, 1);
    app.advance(SignedDuration::from_millis(HOLD_MS));
    assert_eq!(held(&app).await, 0, "its time ran out, whether or not that was written down");
}
