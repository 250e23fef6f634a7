//! `examples/client` as a client of this provider: with a secret, and with a session to end.

use reqwest::StatusCode;

use super::{BOB, World};
use crate::client::{app::App, visitor::Visitor};

#[tokio::test]
async fn the_example_client_acts_and_signs_out() {
    let Some(world) = World::build().await else { return };
    let own = world.service.url("");
    let app = [
        ("ISSUER", world.provider.issuer.as_str()),
        ("BEHALF_URL", &own),
        ("CLIENT_ID", "app"),
        ("CLIENT_SECRET", "a-secret-of-the-app"),
        // The address that the provider knows; the visitor goes where it really is.
        ("BASE_URL", "http://127.0.0.1:9"),
        ("PORT", "0"),
    ];
    let Some(app) = App::start(&app).await else { return };
    let mut ann = Visitor::of(&app);
    let home = ann.sign_in("ann@example.test").await;
    assert_eq!(home.heading(), "You act as yourself", "{}", home.body);
    let acting = ann.press(&home, &format!("Act for {BOB}"), &[]).await;
    assert_eq!(acting.row("on_behalf_sub"), ["", r#""bob@example.test""#, "added"], "{}", acting.body);
    assert_eq!(acting.row("department"), [r#""Engineering""#, r#""Operations""#, "changed"]);
    let home = ann.press(&acting, "Return to yourself", &[]).await;
    assert_eq!(home.row("department"), [r#""Engineering""#]);

    let away = ann.press_only(&home, "Sign out").await;
    let end = away.headers["location"].to_str().unwrap();
    assert!(end.starts_with(&format!("{}/session/end?id_token_hint=", world.provider.issuer)), "{end}");
    let asked = world.provider.http.get(end).send().await.unwrap();
    assert_eq!(asked.status(), StatusCode::OK, "the provider knows the address to return to");
    assert_eq!(ann.get("/").await.heading(), "Sign in");
}
