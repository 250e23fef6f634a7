//! `selftest` from outside: what it says of a door that is well, and of each that isn't.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    thread,
};

use serde_json::Value;

use super::{World, tls::file};
use crate::support::process::{Ended, Service, run};

async fn selftest(world: &World, url: &str, change: &[(&'static str, &str)]) -> Ended {
    let ended = run(&mut world.command(&["selftest", "--url", url], change)).await;
    let told = format!("{}{}", ended.out, ended.err);
    assert!(!told.contains("of-the-binary-tests") && !told.contains("dlg_"), "a secret is told: {told}");
    ended
}

fn base(service: &Service) -> String {
    format!("http://{}", service.address)
}

/// Demands a failure whose one line about it has all of this.
#[track_caller]
fn says(ended: &Ended, parts: &[&str]) {
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let line = ended.out.lines().find(|line| line.starts_with("wrong: "));
    let line = line.unwrap_or_else(|| panic!("nothing is wrong: {ended:?}"));
    for part in parts {
        assert!(line.contains(part), "{part}: {line}");
    }
}

/// Answers every connection with these bytes, for as long as the test runs.
fn stub(answer: &'static str) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let mut request = [0; 16 * 1024];
            // Whoever has gone needs no answer.
            drop(connection.read(&mut request).and_then(|_| connection.write_all(answer.as_bytes())));
        }
    });
    format!("http://{address}")
}

#[tokio::test]
async fn a_door_that_is_well_is_shown_as_the_provider_sees_it() {
    let world = World::new();
    let service = world.serve(&[]).await;
    let ended = selftest(&world, &base(&service), &[]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let lines: Vec<_> = ended.out.lines().collect();
    let expected = [
        format!("POST {}/hooks/okta, as Okta does", base(&service)),
        "ok: a hook without an id: 204".to_owned(),
        "ok: a hook with an id that doesn't exist: 200: refused, no token is minted".to_owned(),
        "ok: a hook with a wrong secret: 401".to_owned(),
        "the provider itself has not called".to_owned(),
        "all is well".to_owned(),
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, begins) in lines.iter().zip(&expected) {
        assert!(line.starts_with(begins.as_str()), "{begins}: {line}");
    }
    assert!(lines[1].contains("% of the time that the provider waits"), "{}", lines[1]);

    // A hook of the provider's own is told, and was not forgotten because of another self-test.
    world.deliver(&service.url("/hooks/okta"), &world.hook("e1", None)).await;
    let ended = selftest(&world, &base(&service), &[]).await;
    assert!(ended.out.contains("the provider itself called last at 20"), "{}", ended.out);
    let (_, health) = world.page(&service.url("/healthz")).await.unwrap();
    assert_eq!(health["hooks"][0]["tenant"], "default");
    assert!(health["hooks"][0]["last_hook"].is_string(), "{health}");
}

#[tokio::test]
async fn it_uses_up_nothing_and_the_trail_names_it() {
    let world = World::new();
    let service = world.serve(&[("BEHALF_ADMIN_CLAIM", "uid"), ("BEHALF_ADMIN_VALUE", "00uann")]).await;
    world.grant(&service).await;
    let id = world.begin(&service).await;
    assert_eq!(selftest(&world, &base(&service), &[]).await.code, Some(0));
    let url = service.url("/v1/audit?code=DA1001");
    let (status, page) = world.call(reqwest::Method::GET, &url, "ann", &Value::Null).await;
    assert_eq!(status, 200, "{page}");
    let denied = page["items"].as_array().unwrap();
    assert_eq!(denied.len(), 1, "{page}");
    assert_eq!(
        (&denied[0]["details"]["self_test"], denied[0]["actor"]["id"].as_str()),
        (&Value::Bool(true), Some("behalf-self-test")),
        "{page}"
    );
    super::assert_delegates(&world.deliver(&service.url("/hooks/okta"), &world.hook("e1", Some(&id))).await);
}

#[tokio::test]
async fn another_tenants_door_is_its_own() {
    let world = World::new();
    let config = format!(
        "[tenants.acme]\nissuer = \"{}/acme\"\naudience = \"api://acme\"\nhook.secret = \"another secret of acme\"\n\
         directory.users_file = \"users.yaml\"\n",
        world.issuer.url()
    );
    std::fs::write(world.path().join("behalf.toml"), config).unwrap();
    let service = world.serve(&[]).await;
    let arguments = ["selftest", "--tenant", "acme", "--url", &base(&service)];
    let ended = run(&mut world.command(&arguments, &[])).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.contains("/t/acme/hooks/okta"), "{}", ended.out);
    let ended = run(&mut world.command(&["selftest", "--tenant", "nobody"], &[])).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.err.contains("no tenant `nobody`"), "{}", ended.err);
}

#[tokio::test]
async fn each_failure_is_named_in_one_line() {
    let world = World::new();
    let service = world.serve(&[]).await;
    let base = base(&service);
    let other = "Hook of-another-service-123456";
    says(&selftest(&world, &base, &[("BEHALF_HOOK_SECRET", other)]).await, &["401", "BEHALF_HOOK_SECRET"]);
    says(&selftest(&world, &format!("{base}/below"), &[]).await, &["404"]);
    says(&selftest(&world, "http://127.0.0.1:1", &[]).await, &["connection refused", "127.0.0.1:1/hooks/okta"]);
    says(&selftest(&world, "http://nobody.invalid", &[]).await, &["can't be resolved", "nobody.invalid"]);
    says(&selftest(&world, &base.replace("http:", "https:"), &[]).await, &["TLS", "speaks none"]);

    let gateway =
        "HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\ncontent-length: 3\r\nconnection: close\r\n\r\nbad";
    says(&selftest(&world, &stub(gateway), &[]).await, &["502", "isn't behalf", "a proxy doesn't reach"]);
    let moved =
        "HTTP/1.1 301 Moved\r\nlocation: https://elsewhere.test/x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    says(&selftest(&world, &stub(moved), &[]).await, &["301", "elsewhere.test", "doesn't follow"]);
    let page = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi";
    says(&selftest(&world, &stub(page), &[]).await, &["200", "isn't behalf", "text/html"]);

    for url in ["ftp://x.test", "not a url", "https://x.test/?a=b"] {
        let ended = selftest(&world, url, &[]).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.err.starts_with("--url "), "{ended:?}");
    }
}

#[tokio::test]
async fn a_service_that_never_answers_is_too_slow() {
    let world = World::new();
    // The kernel takes the connection; nobody reads from it.
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    says(&selftest(&world, &url, &[]).await, &["too slow", "within 5 s"]);
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_named() {
    let world = World::new();
    let (cert, key, ca) = (file("server.pem"), file("server.key"), file("ca.pem"));
    let service = world.serve(&[("BEHALF_TLS_CERT_FILE", &cert), ("BEHALF_TLS_KEY_FILE", &key)]).await;
    let url = format!("https://{}", service.address);
    says(&selftest(&world, &url, &[]).await, &["TLS", "isn't trusted", "BEHALF_CA_FILE"]);
    let ended = selftest(&world, &url, &[("BEHALF_CA_FILE", &ca)]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    says(&selftest(&world, &base(&service), &[]).await, &["doesn't speak HTTP", "is it https://?"]);
}
