//! What is refused is shown, with its code and what to do; what isn't the user's own does nothing.

use behalf::demo::authorization_server::HookOutcome;
use reqwest::StatusCode;

use super::{ANN, World, hook, serve};

const ACT: &str = "Act for bob@example.test";

#[tokio::test]
async fn a_problem_is_shown_with_what_to_do() {
    let Some(world) = World::build().await else { return };
    let mut ann = world.ann().await;
    let home = ann.get("/").await;
    let refused = ann.press(&home, "Act for lou@example.test", &[]).await;
    assert_eq!((refused.status, refused.text("code")), (StatusCode::LOCKED, "locked".to_owned()));
    assert_eq!(refused.heading(), "Locked");
    assert!(refused.text("detail").contains("locked") && refused.text("advice").contains("lift"), "{}", refused.body);

    let refused = ann.press(&home, "Act for dan@example.test", &[]).await;
    assert_eq!((refused.status.as_u16(), refused.text("code")), (422, "reason-required".to_owned()));
    assert_eq!(refused.heading(), "Reason required", "not the status in words");
    assert!(refused.text("advice").contains("\"Reason\""), "{}", refused.body);
    assert_eq!(ann.get("/").await.heading(), "You act as yourself");
}

/// The hook's answer comes by way of the provider, as an OAuth error.
#[tokio::test]
async fn a_refusal_by_the_hook_is_shown_with_its_code() {
    let Some(world) = World::build().await else { return };
    let mut ann = world.ann().await;
    let home = ann.get("/").await;
    // Another behalf, which doesn't know the id.
    let dir = tempfile::tempdir().unwrap();
    let stranger = serve(&world.issuer, &dir).await;
    world.issuer.set_hook(Some(hook(&stranger)));
    let refused = ann.press(&home, ACT, &[]).await;
    assert!(matches!(world.last_hook(), HookOutcome::Refused(_)), "{:?}", world.last_hook());
    assert_eq!((refused.status, refused.text("code")), (StatusCode::FORBIDDEN, "delegation-not-usable".to_owned()));
    assert_eq!(refused.heading(), "Delegation not usable");
    assert!(refused.text("advice").contains("Start again"), "{}", refused.body);
    assert_eq!(world.delegations().await, ["CANCELLED"], "the unspent id was taken back");

    world.issuer.set_hook(Some(hook(&world.service)));
    let acting = ann.press(&home, ACT, &[]).await;
    assert_eq!(acting.heading(), "You act on behalf of bob@example.test", "the refresh token is as good as before");
}

/// A hook that the provider can't reach is no error there: a plain token comes.
#[tokio::test]
async fn a_plain_token_is_not_taken_for_a_delegated_one() {
    let Some(world) = World::build().await else { return };
    let mut ann = world.ann().await;
    let home = ann.get("/").await;
    world.issuer.set_hook(None);
    let refused = ann.press(&home, ACT, &[]).await;
    assert_eq!((refused.status, refused.text("code")), (StatusCode::BAD_GATEWAY, "plain-token".to_owned()));
    let home = ann.get("/").await;
    assert_eq!((home.heading(), home.row("on_behalf").len()), ("You act as yourself".to_owned(), 0));

    // Nor does whoever acted for somebody before go on with that, behind a page that says the contrary.
    world.issuer.set_hook(Some(hook(&world.service)));
    let acting = ann.press(&home, ACT, &[]).await;
    assert_eq!(acting.heading(), "You act on behalf of bob@example.test");
    world.issuer.set_hook(None);
    assert_eq!(ann.press(&acting, ACT, &[]).await.text("code"), "plain-token");
    assert_eq!(ann.get("/").await.heading(), "You act as yourself");
}

#[tokio::test]
async fn forms_of_others_do_nothing() {
    let Some(world) = World::build().await else { return };
    let (mut ann, mut bob) = (world.ann().await, world.visitor());
    let of_bob = bob.sign_in("bob@example.test").await.form("Sign out").fields["csrf"].clone();
    let many = "x".repeat(20_000);
    for csrf in ["", "guessed", &of_bob] {
        let fields = [("csrf", csrf), ("delegator", "00ubob")];
        assert_eq!(ann.post("/act", &fields).await.status, StatusCode::FORBIDDEN, "{csrf}");
    }
    let own = ann.get("/").await.form("Sign out").fields["csrf"].clone();
    let long = [("csrf", own.as_str()), ("delegator", "00ubob"), ("reason", &many)];
    assert_eq!(ann.post("/act", &long).await.status, StatusCode::FORBIDDEN, "too long");
    assert!(world.delegations().await.is_empty());
    assert_eq!(ann.get("/act").await.status, StatusCode::NOT_FOUND, "a link is no form");
}

#[tokio::test]
async fn a_sign_in_that_another_browser_began_is_refused() {
    let Some(world) = World::build().await else { return };
    let mut eve = world.visitor();
    let page = eve.get("/").await;
    let away = eve.press_only(&page, "Sign in").await;
    let asked = away.headers["location"].to_str().unwrap().to_owned();
    assert!(asked.contains("code_challenge_method=S256") && asked.contains("nonce="), "{asked}");

    // Ann's browser has none of Eve's secrets.
    let mut ann = world.visitor();
    assert_eq!(ann.get("/callback?code=c&state=s").await.heading(), "Sign in");
    let page = ann.get("/").await;
    ann.press_only(&page, "Sign in").await;
    let refused = ann.get("/callback?code=c&state=s").await;
    assert_eq!(refused.heading(), "The sign-in or refresh failed", "{}", refused.body);
    assert_eq!(ann.get("/").await.heading(), "Sign in");
}

/// Who knew the cookie before the sign-in, or after the sign-out, knows nothing.
#[tokio::test]
async fn a_session_has_a_name_of_its_own() {
    let Some(world) = World::build().await else { return };
    let mut ann = world.visitor();
    let page = ann.get("/").await;
    ann.press_only(&page, "Sign in").await;
    let mut eve = world.visitor();
    eve.cookies = ann.cookies.clone();
    ann.sign_in(ANN).await;
    assert_eq!(eve.get("/").await.heading(), "Sign in", "known before the sign-in");

    eve.cookies = ann.cookies.clone();
    let home = eve.get("/").await;
    assert_eq!(home.heading(), "You act as yourself", "a stolen cookie is as good as one's own");
    ann.press(&home, "Sign out", &[]).await;
    assert_eq!(eve.get("/").await.heading(), "Sign in", "known before the sign-out");
}
