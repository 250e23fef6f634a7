//! The binary with an LDAP server as its directory.

use super::*;
use crate::support::{
    ldap::Peer,
    process::{run, until},
    redis::tls_file,
};

/// Ann and Bob are there, under the ids that their tokens name.
async fn people(peer: &Peer) -> [behalf::domain::ids::UserId; 2] {
    let mut ids = Vec::new();
    for who in ["ann", "bob"] {
        let (dn, id) = peer.put(&format!("{who}@example.test")).await;
        peer.replace(&dn, "employeeNumber", &[&format!("00u{who}")]).await;
        peer.replace(&dn, "departmentNumber", &[&format!("department of {who}")]).await;
        ids.push(id);
    }
    ids.try_into().unwrap()
}

const ACCOUNT: &str = "cn=behalf,dc=example,dc=test";
const PASSWORD: &str = "the service's password";

fn variables<'v>(url: &'v str, ca: &'v str) -> Vec<(&'static str, &'v str)> {
    vec![
        ("BEHALF_DIRECTORY", "ldap"),
        ("BEHALF_LDAP_URL", url),
        ("BEHALF_LDAP_KIND", "openldap"),
        ("BEHALF_LDAP_BIND_DN", ACCOUNT),
        ("BEHALF_LDAP_BIND_PASSWORD", PASSWORD),
        ("BEHALF_LDAP_BASE", "ou=people,dc=example,dc=test"),
        ("BEHALF_LDAP_ATTRIBUTES", "id=employeeNumber"),
        ("BEHALF_ACCESS_CLAIMS", "departmentNumber"),
        ("BEHALF_CA_FILE", ca),
    ]
}

/// From a start without the directory to a token in Bob's name, over TLS; and no token once the grant is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_in_ldap_makes_a_token() {
    let Some(mut peer) = Peer::slapd().await else { return };
    let [_, bob] = people(&peer).await;
    peer.kill();
    let (world, ca) = (World::new(), tls_file("ca.pem").display().to_string());
    let url = format!("ldaps://127.0.0.1:{}", peer.tls_port);
    let service = world.serve(&variables(&url, &ca)).await;
    let body = json!({"agent": "ann@example.test"});
    let grants = service.url("/v1/grants");
    let (status, said) = world.call(Method::POST, &grants, "bob", &body).await;
    assert_eq!((status.as_u16(), said["code"].as_str()), (503, Some("temporarily-unavailable")), "{said}");
    peer.restart().await;
    let granted = async || {
        let (status, said) = world.call(Method::POST, &grants, "bob", &body).await;
        if status == StatusCode::SERVICE_UNAVAILABLE { None } else { Some((status, said)) }
    };
    let (status, said) = until("an answer of the directory", granted).await;
    assert_eq!(status, StatusCode::CREATED, "{said}");

    let hooks = service.url("/hooks/okta");
    let id = world.begin(&service).await;
    let answer = world.deliver(&hooks, &world.hook("event-1", Some(&id))).await;
    assert_delegates(&answer);
    assert!(answer.1.contains("department of bob"), "{}", answer.1);

    let id = world.begin(&service).await;
    peer.list(&bob, &["somebody-else"]).await;
    let (status, answer) = world.deliver(&hooks, &world.hook("event-2", Some(&id))).await;
    assert!(status == 200 && answer.contains("error") && !answer.contains("on_behalf_sub"), "{answer}");

    service.process.signal("TERM");
    let ended = service.process.end().await;
    assert!(!ended.out.contains(PASSWORD) && !ended.err.contains(PASSWORD));
    assert!(!ended.out.contains("department of"), "no profile in the log: {}", ended.out);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_asks_the_server() {
    let Some(peer) = Peer::slapd().await else { return };
    people(&peer).await;
    let (world, ca) = (World::new(), tls_file("ca.pem").display().to_string());
    // StartTLS, as by default.
    let url = format!("ldap://127.0.0.1:{}", peer.port);
    let good = run(&mut world.command(&["check"], &variables(&url, &ca))).await;
    assert_eq!(good.code, Some(0), "{good:?}");
    for part in ["over TLS", "one can be read", "compared exactly", "the account may write"] {
        let line = |line: &&str| line.starts_with("ok: directory of `default`: ldap://") && line.contains(part);
        assert!(good.out.lines().any(|said| line(&said)), "{part}: {}", good.out);
    }
    let mut wrong = variables(&url, &ca);
    wrong.push(("BEHALF_LDAP_BIND_PASSWORD", "hunter2"));
    let bad = run(&mut world.command(&["check"], &wrong)).await;
    assert_eq!(bad.code, Some(1), "{bad:?}");
    assert!(bad.out.contains("error: directory of `default`") && bad.out.contains("BEHALF_LDAP_BIND_PASSWORD"));
    assert!(!bad.out.contains("hunter2"), "{}", bad.out);
}
