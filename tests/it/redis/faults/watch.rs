//! What the service says of itself meanwhile.

use std::{sync::Arc, time::Duration};

use reqwest::{Client, StatusCode};
use tokio::{sync::watch, time::Instant};

use super::drive::Ledger;

/// Whether it says that the store is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) gauge: bool,
    pub(super) health: bool,
}

const EVERY: Duration = Duration::from_millis(50);

/// Looks again and again.
pub(super) async fn run(ledger: Arc<Ledger>, http: Client, url: String, seen: watch::Sender<Seen>) {
    let ready = ready(&ledger, &http, &url);
    let gauge = async {
        while !ledger.is_stopped() {
            let (_, text) = get(&http, &url, "/metrics").await;
            let up = text.lines().find_map(|line| line.strip_prefix("behalf_dependency_up{name=\"store\"} "));
            if let Some(up) = up {
                seen.send_if_modified(|seen| std::mem::replace(&mut seen.gauge, up == "1") != (up == "1"));
            }
            tokio::time::sleep(EVERY).await;
        }
    };
    let health = async {
        while !ledger.is_stopped() {
            let (status, text) = get(&http, &url, "/healthz").await;
            let up = status == StatusCode::OK;
            let said: serde_json::Value = serde_json::from_str(&text).unwrap();
            let store = said["dependencies"].as_array().unwrap().iter().find(|one| one["name"] == "store");
            if store.unwrap()["up"] != up {
                ledger.violation(format!("healthz: {status} {text}"));
            }
            seen.send_if_modified(|seen| std::mem::replace(&mut seen.health, up) != up);
            tokio::time::sleep(EVERY).await;
        }
    };
    tokio::join!(ready, gauge, health);
}

/// Hooks without an id go on: it stays in service.
async fn ready(ledger: &Ledger, http: &Client, url: &str) {
    while !ledger.is_stopped() {
        let begun = Instant::now();
        let (status, text) = get(http, url, "/readyz").await;
        if status != StatusCode::OK || begun.elapsed() > Duration::from_secs(1) {
            ledger.violation(format!("readyz: {status} {text} after {:?}", begun.elapsed()));
        }
        tokio::time::sleep(EVERY).await;
    }
}

async fn get(http: &Client, url: &str, path: &str) -> (StatusCode, String) {
    let answer = http.get(format!("{url}{path}")).send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}
