//! Traces, as a collector gets them.

use std::{collections::BTreeSet, fs, net::TcpListener, time::Duration};

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{SECRET, World, assert_delegates};
use crate::support::{
    collector::{Collector, Seen},
    process::Service,
};

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Ada must approve what Ann does for Bob.
fn with_approval(world: &World) {
    let users = "users:\n  - {id: 00uann, login: ann@example.test, status: active}\n  \
                 - {id: 00ubob, login: bob@example.test, status: active}\n  \
                 - {id: 00uada, login: ada@example.test, status: active}\n";
    fs::write(world.path().join("users.yaml"), users).unwrap();
    let rule = "[[tenants.default.rules]]\nname = \"all\"\nstages = [\"approval\"]\n\
                approval = { type = \"approve\", approvers = [\"user:00uada\"] }\n";
    fs::write(world.path().join("behalf.toml"), rule).unwrap();
}

/// Lets the service send what it has, and end.
async fn stop(service: Service) {
    service.process.signal("TERM");
    let ended = service.process.end().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

fn trace(seen: &Seen) -> &[u8] {
    &seen.span.trace_id
}

fn only<'s>(spans: &'s [Seen], name: &str) -> &'s Seen {
    let found: Vec<_> = spans.iter().filter(|seen| seen.name() == name).collect();
    assert_eq!(found.len(), 1, "{name}: {:?}", spans.iter().map(Seen::name).collect::<Vec<_>>());
    found[0]
}

fn children<'s>(spans: &'s [Seen], of: &Seen) -> BTreeSet<&'s str> {
    spans.iter().filter(|seen| seen.span.parent_span_id == of.span.span_id).map(Seen::name).collect()
}

#[actix_web::test]
async fn one_trace_spans_initiation_approval_and_hook() {
    let (world, collector) = (World::new(), Collector::start());
    with_approval(&world);
    let told = [
        (ENDPOINT, collector.url.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=abc"),
        ("OTEL_SERVICE_NAME", "behalf-test"),
    ];
    let service = world.serve(&told).await;
    world.grant(&service).await;
    let (url, body) = (service.url("/v1/delegations"), json!({"delegator": "bob@example.test"}));
    let asked = world.http.post(&url).bearer_auth(world.token("ann")).header("traceparent", PARENT).json(&body);
    let asked = asked.send().await.unwrap();
    assert_eq!(asked.status(), StatusCode::ACCEPTED);
    let asked: Value = asked.json().await.unwrap();
    let approval = asked["approval"]["id"].as_str().unwrap().to_owned();
    let vote = service.url(&format!("/v1/approvals/{approval}/votes"));
    let (status, voted) = world.call(Method::POST, &vote, "ada", &json!({"decision": "approve", "version": 1})).await;
    assert_eq!(status, StatusCode::OK, "{voted}");
    let id = world.begin(&service).await;
    assert_delegates(&world.deliver(&service.url("/hooks/okta"), &world.hook("e1", Some(&id))).await);
    assert_eq!(world.deliver(&service.url("/hooks/okta"), &world.hook("e2", None)).await.0, 204);
    stop(service).await;

    let spans = collector.spans();
    assert!(spans.iter().all(|seen| seen.service == "behalf-test" && seen.header.as_deref() == Some("abc")));
    let (vote, begin, hook) = (only(&spans, "approval.vote"), only(&spans, "delegation.begin"), only(&spans, "hook"));
    let first = spans.iter().find(|seen| seen.name() == "POST /v1/delegations" && trace(seen) == trace(hook)).unwrap();
    let hex = |bytes: &[u8]| bytes.iter().fold(String::new(), |all, byte| format!("{all}{byte:02x}"));
    assert_eq!(hex(trace(hook)), "4bf92f3577b34da6a3ce929d0e0e4736", "the client's own trace goes on");
    assert_eq!(hex(&first.span.parent_span_id), "00f067aa0ba902b7");
    for (name, seen) in [("vote", vote), ("begin", begin), ("hook", hook)] {
        assert_eq!(trace(seen), trace(first), "{name}");
        assert_eq!(seen.span.parent_span_id, first.span.span_id, "{name}");
    }
    assert_eq!(hook.attribute("outcome").as_deref(), Some("granted"));
    let below = children(&spans, hook);
    assert!(below.contains("store commit") && below.iter().any(|name| name.starts_with("directory ")), "{below:?}");
    assert!(children(&spans, first).contains("store commit"), "the request was written");

    // What nobody asked to be traced isn't, and no secret leaves.
    assert!(!spans.iter().any(|seen| seen.name() == "store incarnation"), "the background makes no traces");
    let all = format!("{spans:?}");
    for secret in [&id, &id["dlg_".len()..], SECRET, "ann@example.test"] {
        assert!(!all.contains(secret), "{secret} is in a span");
    }
}

#[actix_web::test]
async fn a_refusal_says_why_and_a_stranger_sees_nothing_of_the_trace() {
    let (world, collector) = (World::new(), Collector::start());
    let service = world.serve(&[(ENDPOINT, &collector.url)]).await;
    world.grant(&service).await;
    let id = world.begin(&service).await;
    let foreign = world.hook("e1", Some(&id)).replace("00uann", "00ubob");
    world.deliver(&service.url("/hooks/okta"), &foreign).await;
    assert_delegates(&world.deliver(&service.url("/hooks/okta"), &world.hook("e2", Some(&id))).await);
    world.deliver(&service.url("/hooks/okta"), &world.hook("e3", Some(&id))).await;
    stop(service).await;
    let spans = collector.spans();
    let hooks = spans.iter().filter(|seen| seen.name() == "hook");
    let told: Vec<_> = hooks.map(|seen| (seen.attribute("outcome"), seen.attribute("reason"))).collect();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(told, [(some("granted"), None), (some("refused"), some("already-used"))]);
}

#[actix_web::test]
async fn without_an_endpoint_nothing_is_kept_in_the_records() {
    let world = World::new();
    let service = world.serve(&[("BEHALF_LOG", "trace")]).await;
    world.grant(&service).await;
    let id = world.begin(&service).await;
    assert_delegates(&world.deliver(&service.url("/hooks/okta"), &world.hook("e1", Some(&id))).await);
    stop(service).await;
    let data = fs::read(world.path().join("data/behalf.redb")).unwrap();
    assert!(!data.windows(9).any(|part| part == b"\"trace\":\""), "a record names a trace");
}

/// Delivers hooks with ids, and demands that they are answered as fast as ever.
async fn hooks_go_on(world: &World, service: &Service) {
    world.grant(service).await;
    for round in 0..5 {
        let id = world.begin(service).await;
        let started = Instant::now();
        let hook = world.hook(&format!("e{round}"), Some(&id));
        assert_delegates(&world.deliver(&service.url("/hooks/okta"), &hook).await);
        // What Okta waits; an exporter that is waited for takes as long as its time-out.
        assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    }
}

#[actix_web::test]
async fn a_collector_that_is_gone_holds_up_nothing() {
    let world = World::new();
    let mut service = world.serve(&[(ENDPOINT, "http://127.0.0.1:1")]).await;
    hooks_go_on(&world, &service).await;
    let told = service.process.log("traces can't be exported; spans are dropped until they can").await;
    assert_eq!(told["level"], "WARN", "{told}");
    stop(service).await;
}

#[actix_web::test]
async fn a_collector_that_hangs_holds_up_nothing() {
    let world = World::new();
    // The kernel takes connections; nobody reads from them.
    let hanging = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let endpoint = format!("http://{}", hanging.local_addr().unwrap());
    let service = world.serve(&[(ENDPOINT, &endpoint)]).await;
    hooks_go_on(&world, &service).await;
    let started = Instant::now();
    stop(service).await;
    assert!(started.elapsed() < Duration::from_secs(15), "the end was held up: {:?}", started.elapsed());
}

#[actix_web::test]
async fn a_ratio_of_zero_exports_nothing_and_all_goes_on() {
    let (world, collector) = (World::new(), Collector::start());
    let service = world.serve(&[(ENDPOINT, &collector.url), ("OTEL_TRACES_SAMPLER_ARG", "0")]).await;
    hooks_go_on(&world, &service).await;
    stop(service).await;
    assert_eq!(collector.spans().len(), 0);
}
