//! Tokens that behalf's authors did not make: Next Level3's sample, run as it stands.

use std::{path::Path, process::Command};

use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;

use super::*;
use crate::support::peers::installed;

fn sample(peers: &Path) -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/applications/njwt/sample.js");
    // Node.js stands beside the folder.
    let done = Command::new(peers.parent().unwrap().join("node"))
        .arg(script)
        .arg(peers)
        .env("APP_URI", ERP)
        .env("API_HOST", APPLICATIONS_AUDIENCE)
        .env("USERNAME", "ann@example.test")
        .env("SIGNING_KEY", STANDARD.encode(ERP_KEY))
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

/// Sets the service's clock to the one by which the token was made.
fn meet(app: &TestApp, token: &str) {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let issued = serde_json::from_slice::<Value>(&payload).unwrap()["iat"].as_i64().unwrap();
    let now = app.store_now().as_second();
    app.clock.set_by(SignedDuration::from_secs(issued - now));
}

#[actix_web::test]
async fn the_sample_of_next_level3_asks_for_an_approval_and_watches_it() {
    let Some(peers) = installed("njwt", "npm's njwt") else { return };
    let app = app().await;
    let token = sample(&peers);
    meet(&app, &token);
    let checked = check_lock_nl3(&app, &token).await;
    assert_eq!((checked.status.as_u16(), &checked.json["locked"]), (200, &json!(false)), "{}", checked.text);
    check_lock_nl3(&app, &token).await.is_problem(401, "invalid-token");

    let token = sample(&peers);
    meet(&app, &token);
    let asked = app.post("/v1/approvals", &token, &json!({"title": "Release"})).await;
    assert_eq!(asked.status, 201, "{}", asked.text);
    assert_eq!(asked.json["application"]["claims"], json!({"otherClaim": "Release payment run 4711"}));
    assert_eq!(asked.json["requester"]["id"], "00uann");
    // Looking uses nothing up.
    let path = format!("/v1/approvals/{}", asked.json["id"].as_str().unwrap());
    for _ in 0..2 {
        let seen = app.get(&path, &token).await;
        assert_eq!((seen.status.as_u16(), &seen.json["state"]), (200, &json!("PENDING")));
    }
}
