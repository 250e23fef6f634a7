//! Somebody has to approve first.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{
    World,
    visitor::{Page, Visitor},
};

const ACT: &str = "Act for dan@example.test";

/// Ann asks, and waits.
async fn asked(world: &World) -> (Visitor, Page) {
    let mut ann = world.ann().await;
    let home = ann.get("/").await;
    let waiting = ann.press(&home, ACT, &[("reason", "his \"invoices\" & more")]).await;
    assert_eq!(waiting.heading(), "Somebody has to approve first", "{}", waiting.body);
    assert!(
        waiting.body.contains("<strong>PENDING</strong>") && waiting.body.contains("/waiting.js"),
        "{}",
        waiting.body
    );
    (ann, waiting)
}

#[tokio::test]
async fn it_waits_and_goes_on() {
    let Some(world) = World::build().await else { return };
    let (mut ann, _) = asked(&world).await;
    // As the page's script does: it is answered when there is something to tell.
    let (news, ()) = tokio::join!(ann.fetch("/waiting/news"), world.vote("approve", "fine"));
    assert_eq!(news.status, StatusCode::OK, "{}", news.body);
    let news: Value = serde_json::from_str(&news.body).unwrap();
    assert_eq!(news, json!({"state": "APPROVED", "revision": 2}));
    let waiting = ann.get("/waiting").await;
    assert_eq!(waiting.form("Go on").fields["reason"], "his \"invoices\" & more", "the same wish");
    let acting = ann.press(&waiting, "Go on", &[]).await;
    assert_eq!(acting.heading(), "You act on behalf of dan@example.test", "{}", acting.body);
    assert_eq!(acting.row("on_behalf_sub"), ["", r#""dan@example.test""#, "added"]);
    assert!(!acting.body.contains("/waiting"), "it waits no longer");
}

#[tokio::test]
async fn a_denial_is_shown_with_its_comment() {
    let Some(world) = World::build().await else { return };
    let (mut ann, _) = asked(&world).await;
    world.vote("deny", "<script>not now</script>").await;
    // Without scripts the link comes back to the page.
    let waiting = ann.get("/waiting/news").await;
    assert!(waiting.body.contains("<strong>DENIED</strong>"), "{}", waiting.body);
    assert!(waiting.body.contains("&lt;script&gt;not now&lt;/script&gt;"), "{}", waiting.body);
    assert!(!waiting.body.contains("Go on"), "{}", waiting.body);
    let home = ann.press(&waiting, "Back", &[]).await;
    assert_eq!(home.heading(), "You act as yourself");
}

#[tokio::test]
async fn who_cancels_takes_the_request_back() {
    let Some(world) = World::build().await else { return };
    let (mut ann, waiting) = asked(&world).await;
    assert!(ann.get("/").await.body.contains("You wait for an approval"), "home says so");
    let home = ann.press(&waiting, "Cancel", &[]).await;
    assert_eq!(home.heading(), "You act as yourself");
    assert!(!home.body.contains("You wait"), "{}", home.body);
    let (_, mine) = world.call(Method::GET, "/v1/approvals?role=requester", "ann", Value::Null).await;
    assert_eq!(mine["items"][0]["state"], "WITHDRAWN", "{mine}");
    assert!(world.delegations().await.is_empty());
}
