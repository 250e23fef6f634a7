//! `serve` from the start: what it says, what it asks, and who may have the data.

use super::{World, assert_delegates};
use crate::support::process::run;

#[tokio::test]
async fn it_serves_and_says_what_it_does() {
    let world = World::new();
    let mut service = world.serve(&[]).await;
    let ready = service.process.log("ready").await;
    assert_eq!((&ready["level"], &ready["version"]), (&"INFO".into(), &env!("CARGO_PKG_VERSION").into()), "{ready}");
    let (status, health) = world.page(&service.url("/healthz")).await.unwrap();
    assert_eq!((status, &health["status"]), (200, &"ok".into()), "{health}");
    assert_eq!(world.page(&service.url("/readyz")).await.unwrap().0, 200);

    world.grant(&service).await;
    let id = world.begin(&service).await;
    assert_delegates(&world.deliver(&service.url("/hooks/okta"), &world.hook("e1", Some(&id))).await);

    service.process.signal("TERM");
    let ended = service.process.end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for secret in [SECRET_PART, &id, &id["dlg_".len()..]] {
        assert!(!ended.out.contains(secret) && !ended.err.contains(secret), "a secret is in the log: {ended:?}");
    }
}

const SECRET_PART: &str = "of-the-binary-tests";

#[tokio::test]
async fn without_its_issuer_it_is_ready_and_its_health_says_what_is_missing() {
    let world = World::new();
    let gone = format!("{}/nobody", world.issuer.url());
    let service = world.serve(&[("BEHALF_ISSUER", &gone)]).await;
    assert_eq!(world.page(&service.url("/readyz")).await.unwrap().0, 200);
    let (status, health) = world.page(&service.url("/healthz")).await.unwrap();
    assert_eq!((status, &health["status"]), (503, &"degraded".into()));
    let down: Vec<_> = health["dependencies"].as_array().unwrap().iter().filter(|d| d["up"] == false).collect();
    assert_eq!(down.len(), 1, "{health}");
    assert_eq!(down[0]["name"], "issuer:default");
}

#[tokio::test]
async fn a_second_process_can_not_have_the_same_data() {
    let world = World::new();
    let service = world.serve(&[]).await;
    let second = run(&mut world.command(&["serve"], &[])).await;
    assert_eq!(second.code, Some(1), "{second:?}");
    assert!(second.err.contains("BEHALF_STORE") && second.err.contains("data"), "{}", second.err);
    assert!(second.err.contains("another process") || second.err.contains("in use"), "{}", second.err);
    assert_eq!(world.page(&service.url("/readyz")).await.unwrap().0, 200, "the first one goes on");
}

#[tokio::test]
async fn metrics_at_an_address_of_their_own_are_nowhere_else() {
    let world = World::new();
    let mut service = world.serve(&[("BEHALF_METRICS_BIND", "127.0.0.1:0")]).await;
    let metrics = service.process.log("metrics").await;
    let own = |path: &str| format!("http://{}{path}", metrics["address"].as_str().unwrap());
    let page = world.http.get(own("/metrics")).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let text = page.text().await.unwrap();
    assert!(text.contains("behalf_") && text.ends_with("# EOF\n"), "{text}");
    for path in ["/livez", "/healthz", "/hooks/okta", "/v1/audit"] {
        assert_eq!(world.page(&own(path)).await.unwrap().0, 404, "{path}");
    }
    assert_eq!(world.page(&service.url("/metrics")).await.unwrap().0, 404);
    assert_eq!(world.page(&service.url("/readyz")).await.unwrap().0, 200);

    service.process.signal("TERM");
    assert_eq!(service.process.end().await.code, Some(0));
}

#[tokio::test]
async fn a_port_for_metrics_that_is_taken_is_said() {
    let world = World::new();
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ended = run(&mut world.command(&["serve"], &[("BEHALF_METRICS_BIND", &address)])).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains("BEHALF_METRICS_BIND") && ended.err.contains(&address), "{}", ended.err);
}

#[tokio::test]
async fn a_port_that_is_taken_is_said() {
    let world = World::new();
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ended = run(&mut world.command(&["serve"], &[("BEHALF_BIND", &address)])).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains("BEHALF_BIND") && ended.err.contains(&address), "{}", ended.err);
}
