//! Who guesses ids fills the metrics, not the audit trail.

use jiff::SignedDuration;

use super::{deliver, denials, stray_id, with};
use crate::support::test_app::{TestApp, refresh_hook};

async fn counted(app: &TestApp) -> String {
    let text = app.http.get(format!("{}/metrics", app.url)).send().await.unwrap().text().await.unwrap();
    let line = text.lines().find(|l| l.starts_with("behalf_hooks_total") && l.contains("\"unknown-id\""));
    line.unwrap().rsplit_once(' ').unwrap().1.to_owned()
}

#[actix_web::test]
async fn one_event_per_agent_and_minute_and_every_one_is_counted() {
    let app = TestApp::new().await;
    for n in 0..20 {
        let hook = refresh_hook(&format!("e{n}"), Some(&stray_id(n)));
        let told = deliver(&app, &hook).await;
        assert_eq!(told.refused(), "unknown-id");
        assert_eq!(told.debug("event").is_some(), n == 0, "only the first has an event");
    }
    assert_eq!((denials(&app).await.len(), counted(&app).await.as_str()), (1, "20"));
    let eve = with(refresh_hook("x", Some(&stray_id(1))), "/data/context/user/id", "00ueve");
    deliver(&app, &eve).await;
    assert_eq!(denials(&app).await.len(), 2, "another agent has an event of his own");
    app.advance(SignedDuration::from_secs(60));
    deliver(&app, &eve).await;
    assert_eq!((denials(&app).await.len(), counted(&app).await.as_str()), (3, "22"));
}
