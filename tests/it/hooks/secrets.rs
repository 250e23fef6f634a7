//! No secret leaves the service in a log line, a metric or an event.

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use reqwest::Method;
use serde_json::{Value, json};
use tracing_subscriber::{fmt::MakeWriter, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use super::{deliver, deliver_bytes, stray_id, with};
use crate::support::test_app::{HOOK_SECRET, TestApp, refresh_hook, uid};

const BEARER: &str = "bearer-token-of-the-fixture-5f0e2a";

/// Takes every line of the process while it is open.
#[derive(Clone, Default)]
struct Capture {
    open: Arc<AtomicBool>,
    lines: Arc<Mutex<Vec<u8>>>,
}

impl io::Write for Capture {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lines.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Capture {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

/// The server's threads are not the test's, so the subscriber is the whole process's; the tests' own HTTP client
/// is left out.
fn capture() -> Capture {
    let capture = Capture::default();
    let open = Arc::clone(&capture.open);
    let wanted = tracing_subscriber::filter::dynamic_filter_fn(move |line, _| {
        let client = ["hyper", "reqwest", "h2"].iter().any(|name| line.target().starts_with(name));
        open.load(Ordering::SeqCst) && !client
    });
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(capture.clone());
    tracing_subscriber::registry().with(wanted).with(lines).try_init().unwrap();
    capture.open.store(true, Ordering::SeqCst);
    capture
}

/// A story with all sorts of ends. Gives the ids that were in it.
async fn story(app: &TestApp) -> Vec<String> {
    app.token(BEARER, &json!({"uid": "00uann"}), &["openid", "behalf"]);
    let mut ids = Vec::new();
    for _ in 0..4 {
        let (_, begun) = app.call(Method::POST, "/v1/delegations", BEARER, Some(json!({"delegator": "00ubob"}))).await;
        ids.push(begun["delegationid"].as_str().unwrap().to_owned());
    }
    ids.push(stray_id(1));
    let hook = refresh_hook("e1", Some(&ids[0]));
    for hook in [&hook, &hook, &refresh_hook("e2", Some(&ids[0])), &refresh_hook("e3", Some(&ids[4]))] {
        deliver(app, hook).await;
    }
    deliver(app, &with(refresh_hook("e4", Some(&ids[1])), "/data/context/user/id", "00ueve")).await;
    deliver(app, &with(refresh_hook("e5", Some(&ids[1])), "/eventId", 7)).await;
    deliver(app, &with(refresh_hook("e6", Some(&ids[1])), "/data/context/protocol/request/state", ids[2].as_str()))
        .await;
    deliver_bytes(app, "/hooks/okta", format!("{{{}", ids[1]).into_bytes()).await;
    let wrong = app.http.post(format!("{}/hooks/okta", app.url)).header("authorization", format!("{HOOK_SECRET}-not"));
    assert_eq!(wrong.body(hook.to_string()).send().await.unwrap().status(), 401);
    for id in [&ids[2], &ids[4]] {
        app.call(Method::DELETE, &format!("/v1/delegations/{id}"), BEARER, None).await;
        app.call(Method::GET, &format!("/v1/delegations/{id}?delegationid={id}"), BEARER, None).await;
    }
    app.call(Method::GET, "/v1/audit", &format!("{BEARER}-wrong"), None).await;
    app.directory.fail_next();
    deliver(app, &refresh_hook("e7", Some(&ids[3]))).await;
    app.directory.set_grant(&uid("00ubob"), &uid("00uann"), false);
    deliver(app, &refresh_hook("e8", Some(&ids[3]))).await;
    app.store.close();
    deliver(app, &refresh_hook("e9", Some(&ids[3]))).await;
    ids
}

#[actix_web::test]
async fn no_secret_is_in_a_log_a_metric_or_an_event() {
    let capture = capture();
    let app = TestApp::new().await;
    let secrets_before = app.events().await.len();
    assert_eq!(secrets_before, 0);
    let events = Arc::clone(&app.store);
    let watched = tokio::spawn(watch(events));
    let ids = story(&app).await;
    capture.open.store(false, Ordering::SeqCst);
    let log = String::from_utf8(capture.lines.lock().unwrap().clone()).unwrap();
    assert!(log.contains("hook") && log.contains("TRACE"), "the log was taken, at every level");
    let metrics = app.http.get(format!("{}/metrics", app.url)).send().await.unwrap().text().await.unwrap();
    let trail = watched.await.unwrap();
    assert!(trail.len() >= 10, "{trail:?}");
    let trail = serde_json::to_string(&trail).unwrap();
    for (place, text) in [("log", &log), ("metrics", &metrics), ("events", &trail)] {
        for secret in ids.iter().map(String::as_str).chain([BEARER, HOOK_SECRET]) {
            let found = text.lines().find(|line| line.contains(secret));
            assert!(found.is_none(), "{place}: {found:?}");
        }
    }
}

/// Reads events until the store is closed.
async fn watch(store: Arc<behalf::adapters::store::embedded::EmbeddedStore>) -> Vec<Value> {
    use behalf::ports::store::{Seq, Store as _};
    let mut seen = Vec::new();
    let mut ticks = tokio::time::interval(std::time::Duration::from_millis(1));
    while let Ok(stored) = store.events(&super::tenant(), Seq(0), 1000).await {
        seen = stored.iter().map(|s| serde_json::from_slice(&s.body).unwrap()).collect();
        ticks.tick().await;
    }
    seen
}
