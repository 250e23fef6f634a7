//! Who is signed in, for how long, and that nobody signs in somebody else.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    path::Path,
    process::Command,
    thread,
};

use reqwest::StatusCode;

use super::{ANN, CLIENT, World, app::App, visitor::Visitor};
use crate::support::{peers::installed, ports};

/// `sessions.mjs` of the application, with a clock of the test's own.
#[test]
fn sessions_end_and_one_user_pushes_out_nobody_else() {
    let Some(modules) = installed("client", "examples/client and its openid-client") else { return };
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(modules.parent().unwrap().join("node"));
    command.arg(root.join("tests/it/client/sessions.mjs")).arg(root.join("examples/client")).env_clear();
    command.envs([("ISSUER", "https://issuer.example.com"), ("BEHALF_URL", "https://behalf.example.com")]);
    let done = command.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(String::from_utf8_lossy(&done.stdout).trim(), "well");
}

/// A page of somebody else that signs a visitor in to *its* account would read what he then does there.
#[tokio::test]
async fn only_its_own_page_begins_a_sign_in() {
    let Some(world) = World::build().await else { return };
    let mut ann = world.visitor();
    assert_eq!(ann.get("/sign-in?login=eve@example.test").await.status, StatusCode::NOT_FOUND, "a link is no form");
    for origin in [None, Some("null"), Some("https://evil.example"), Some("http://127.0.0.1:1")] {
        let refused = ann.post_from(origin, "/sign-in").await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{origin:?}");
        assert!(!refused.headers.contains_key("set-cookie") && !refused.headers.contains_key("location"), "{origin:?}");
    }
    let public = world.app.public.clone();
    let away = ann.post_from(Some(&public), "/sign-in").await;
    assert_eq!(away.status, StatusCode::SEE_OTHER, "{}", away.body);
}

/// Its cookies would be another name's, and the sign-in would come back to where they aren't.
#[tokio::test]
async fn another_name_of_this_machine_leads_to_its_own() {
    let Some(world) = World::build().await else { return };
    let mut ann = world.visitor();
    let port = world.app.address.rsplit(':').next().unwrap().to_owned();
    for (path, to) in [("/", "/"), ("/waiting?a=b", "/waiting?a=b"), ("/.//evil.example/x", "/x")] {
        let away = ann.get_as(&format!("localhost:{port}"), path).await;
        assert_eq!(away.status, StatusCode::SEE_OTHER, "{path}");
        assert_eq!(away.headers["location"], format!("{}{to}", world.app.public), "{path}");
    }
    // A proxy's name for it is the proxy's business.
    assert_eq!(ann.get_as("app.internal", "/").await.heading(), "Sign in");
}

/// A behalf that takes no token at all.
fn stranger() -> String {
    let body = r#"{"status":401,"title":"Unauthorized","code":"invalid-token","detail":"The token isn't valid here."}"#;
    let answer = format!(
        "HTTP/1.1 401 Unauthorized\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            // Whoever has gone needs no answer.
            drop(connection.read(&mut [0; 8192]).and_then(|_| connection.write_all(answer.as_bytes())));
        }
    });
    url
}

/// The answer may be late, and the cookie that it would take away a newer session's.
#[tokio::test]
async fn a_session_that_is_of_no_use_ends_without_touching_the_cookie() {
    let Some(world) = World::build().await else { return };
    let (behalf, port) = (stranger(), ports::free().to_string());
    // The provider takes any port of a public client on this machine.
    let app = [("ISSUER", world.issuer.issuer()), ("BEHALF_URL", &behalf), ("CLIENT_ID", CLIENT), ("PORT", &port)];
    let Some(app) = App::start(&app).await else { return };
    let mut ann = Visitor::of(&app);
    let refused = ann.sign_in(ANN).await;
    assert_eq!((refused.status, refused.text("code")), (StatusCode::UNAUTHORIZED, "invalid-token".to_owned()));
    assert_eq!(refused.heading(), "Invalid token");
    assert!(!refused.headers.contains_key("set-cookie"), "{:?}", refused.headers);
    assert_eq!(ann.get("/").await.heading(), "Sign in", "it is over all the same");
}
