//! SIGTERM while a hook is in flight.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{SECRET, World, assert_delegates};
use crate::support::process::{Service, run, until};

/// A hook of which all but the last byte was sent.
struct HalfAHook {
    stream: TcpStream,
    rest: Vec<u8>,
}

impl HalfAHook {
    async fn send(service: &Service, hook: &str) -> Self {
        let mut stream = TcpStream::connect(&service.address).await.unwrap();
        let head = format!(
            "POST /hooks/okta HTTP/1.1\r\nhost: x\r\nauthorization: {SECRET}\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n",
            hook.len()
        );
        let (now, rest) = hook.as_bytes().split_at(hook.len() - 1);
        stream.write_all(&[head.as_bytes(), now].concat()).await.unwrap();
        Self { stream, rest: rest.to_vec() }
    }

    async fn finish(mut self) -> (u16, String) {
        self.stream.write_all(&self.rest).await.unwrap();
        let mut answer = Vec::new();
        self.stream.read_to_end(&mut answer).await.unwrap();
        let text = String::from_utf8(answer).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }
}

#[tokio::test]
async fn readiness_fails_first_and_a_hook_in_flight_is_answered() {
    let world = World::new();
    let service = world.serve(&[("BEHALF_DRAIN_DELAY", "1s")]).await;
    world.grant(&service).await;
    let (first, second) = (world.begin(&service).await, world.begin(&service).await);
    let in_flight = HalfAHook::send(&service, &world.hook("e1", Some(&first))).await;
    // A whole round trip later its head has been read, too.
    assert_eq!(world.page(&service.url("/readyz")).await.unwrap().0, 200);

    service.process.signal("TERM");
    until("readiness to fail", async || {
        let status = world.page(&service.url("/readyz")).await.expect("it still listens").0;
        (status == 503).then_some(())
    })
    .await;
    let new = world.deliver(&service.url("/hooks/okta"), &world.hook("e2", Some(&second))).await;
    assert_delegates(&new);
    until("the end of listening", async || world.page(&service.url("/readyz")).await.is_none().then_some(())).await;
    assert_delegates(&in_flight.finish().await);

    let ended = service.process.end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!world.path().join("data/admin.sock").exists());

    // The data can be opened again, and both uses are in it.
    let again = world.serve(&[]).await;
    for id in [first, second] {
        let answer = world.deliver(&again.url("/hooks/okta"), &world.hook("another", Some(&id))).await;
        super::assert_refuses(&answer, "delegation-not-usable");
    }
}

#[tokio::test]
async fn an_interrupt_ends_it_too() {
    let world = World::new();
    let service = world.serve(&[]).await;
    service.process.signal("INT");
    let ended = service.process.end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[tokio::test]
async fn a_stop_leaves_nothing_unsealed_and_nothing_undelivered_not_even_right_after_a_kill() {
    let world = World::new();
    let sink = [("BEHALF_AUDIT_SINK", "file:trail.jsonl")];
    let service = world.serve(&sink).await;
    world.grant(&service).await;
    world.begin(&service).await;
    service.process.signal("KILL");
    service.process.end().await;

    let service = world.serve(&sink).await;
    let id = world.begin(&service).await;
    assert_delegates(&world.deliver(&service.url("/hooks/okta"), &world.hook("e1", Some(&id))).await);
    service.process.signal("TERM");
    assert_eq!(service.process.end().await.code, Some(0));
    let trail = std::fs::read_to_string(world.path().join("trail.jsonl")).unwrap();
    assert!(trail.lines().last().unwrap().contains("hook.decision.granted"), "{trail}");
    let verified = run(&mut world.command(&["audit", "verify"], &[])).await;
    assert_eq!(verified.code, Some(0), "{verified:?}");
    assert!(verified.out.contains("  0 events are not sealed yet"), "{}", verified.out);
}

/// A caller that sends a hook on a connection which is just being closed gets no answer, so it must be the one to
/// close it.
#[tokio::test]
async fn an_idle_connection_is_the_callers_to_close_and_does_not_outlive_the_process() {
    let world = World::new();
    let service = world.serve(&[("BEHALF_DRAIN_DELAY", "0s")]).await;
    let mut stream = TcpStream::connect(&service.address).await.unwrap();
    stream.write_all(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = [0; 4096];
    let length = stream.read(&mut answer).await.unwrap();
    assert!(answer[..length].starts_with(b"HTTP/1.1 200"));
    // Longer than a server of this kind keeps a connection that isn't told otherwise.
    let closed = tokio::time::timeout(Duration::from_secs(7), stream.read(&mut answer)).await;
    assert!(closed.is_err(), "{closed:?}");

    service.process.signal("TERM");
    assert_eq!(stream.read(&mut answer).await.unwrap(), 0);
    assert_eq!(service.process.end().await.code, Some(0));
}

/// Balancers of connections leave those that are there where they are; so their callers are sent away in time.
#[tokio::test]
async fn while_it_drains_every_answer_ends_its_connection() {
    let world = World::new();
    // Long enough that the end of the process has no part in it.
    let service = world.serve(&[("BEHALF_DRAIN_DELAY", "60s")]).await;
    let hook = world.hook("e1", None);
    let hook = format!(
        "POST /hooks/okta HTTP/1.1\r\nhost: x\r\nauthorization: {SECRET}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{hook}",
        hook.len()
    );
    let mut connections = Vec::new();
    for request in [hook, "GET /version HTTP/1.1\r\nhost: x\r\n\r\n".to_owned()] {
        let mut stream = TcpStream::connect(&service.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = [0; 4096];
        let length = stream.read(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer[..length]).to_ascii_lowercase();
        assert!(answer.starts_with("http/1.1 20") && !answer.contains("connection: close"), "{answer}");
        connections.push((stream, request));
    }
    service.process.signal("TERM");
    until("readiness to fail", async || {
        let status = world.page(&service.url("/readyz")).await.expect("it still listens").0;
        (status == 503).then_some(())
    })
    .await;
    for (mut stream, request) in connections {
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer);
        tokio::time::timeout(Duration::from_secs(20), read).await.expect("the connection is closed").unwrap();
        let answer = answer.to_ascii_lowercase();
        assert!(answer.starts_with("http/1.1 20") && answer.contains("connection: close"), "{answer}");
    }
}
