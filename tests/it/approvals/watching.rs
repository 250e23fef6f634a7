//! Waiting for a change, by long poll and by server-sent events.

use std::time::Duration;

use behalf::{
    app::approvals::{Viewer, watching},
    domain::{
        approval::{ApprovalId, Template},
        ids::GroupId,
    },
    ports::token_verifier::VerifiedToken,
};
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::rig::*;
use crate::support::test_app::{TestApp, eventually, uid};

async fn watchers(app: &TestApp, count: usize) {
    eventually(&format!("{count} watchers"), async || app.services.watchers.count() == count).await;
}

/// One message of a stream: its id and the approval.
type Message = (String, Value);

/// Reads a stream of events as a browser does.
struct Events {
    response: Response,
    rest: String,
}

impl Events {
    async fn open(app: &TestApp, id: ApprovalId, token: &str, last: Option<&str>) -> Self {
        let mut request = app.request(Method::GET, &path(id, "/events")).bearer_auth(token);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        Self { response, rest: String::new() }
    }

    /// `None` at the end of the stream.
    async fn next(&mut self) -> Option<Message> {
        loop {
            if let Some((block, rest)) = self.rest.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.rest = rest;
                let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
                if let (Some(id), Some(data)) = (field("id: "), field("data: ")) {
                    assert_eq!(field("event: "), Some("approval"));
                    return Some((id.to_owned(), serde_json::from_str(data).unwrap()));
                }
                continue;
            }
            let chunk = tokio::time::timeout(Duration::from_secs(20), self.response.chunk()).await;
            let chunk = chunk.unwrap().unwrap()?;
            self.rest.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }
}

fn states(messages: &[Message]) -> Vec<(&str, &str)> {
    messages.iter().map(|(id, item)| (id.as_str(), item["state"].as_str().unwrap())).collect()
}

#[actix_web::test]
async fn a_long_poll_answers_when_it_changes() {
    let app = app().await;
    let id = asked(&app, template()).await;
    let known = app.get(&path(id, "?wait=30s&after_revision=0"), "ann").await;
    assert_eq!(known.json["revision"], 1, "what is newer already is told at once");
    let waiting = path(id, "?wait=30s&after_revision=1");
    let poll = app.get(&waiting, "ann");
    let decide = async {
        watchers(&app, 1).await;
        vote(&app, id, "ada", "approve").await
    };
    let (seen, voted) = tokio::join!(poll, decide);
    assert_eq!(voted.status, 200);
    assert_eq!((&seen.json["revision"], &seen.json["state"]), (&json!(2), &json!("APPROVED")));
    watchers(&app, 0).await;
}

#[actix_web::test]
async fn a_long_poll_without_a_change_answers_with_what_there_is() {
    let app = app().await;
    let id = asked(&app, template()).await;
    let seen = app.get(&path(id, "?wait=1s&after_revision=1"), "ann").await;
    assert_eq!((seen.status.as_u16(), &seen.json["revision"]), (200, &json!(1)));
}

#[actix_web::test]
async fn a_deadline_wakes_who_waits_though_nothing_is_committed() {
    let app = app().await;
    let id = asked(&app, template()).await;
    let waiting = path(id, "?wait=30s&after_revision=1");
    let poll = app.get(&waiting, "ann");
    let pass = async {
        watchers(&app, 1).await;
        app.advance(SignedDuration::from_hours(1));
    };
    let (seen, ()) = tokio::join!(poll, pass);
    assert_eq!((&seen.json["revision"], &seen.json["state"]), (&json!(2), &json!("EXPIRED")));
    assert_eq!(codes(&app).await, ["DA2000"]);
}

#[actix_web::test]
async fn a_stream_begins_with_the_state_and_ends_with_the_end() {
    let app = app().await;
    let id = asked(&app, of_two()).await;
    let mut events = Events::open(&app, id, "ann", None).await;
    let mut seen = vec![events.next().await.unwrap()];
    for (token, decision) in [("ada", "approve"), ("ben", "approve")] {
        vote(&app, id, token, decision).await;
        seen.push(events.next().await.unwrap());
    }
    revoke(&app, id, "ann").await;
    seen.push(events.next().await.unwrap());
    assert_eq!(states(&seen), [("1", "PENDING"), ("2", "PENDING"), ("3", "APPROVED"), ("4", "REVOKED")]);
    assert_eq!(events.next().await, None);
    assert_eq!(seen[3].1, app.get(&path(id, ""), "ann").await.json, "each message is the whole approval");
    watchers(&app, 0).await;
}

#[actix_web::test]
async fn who_comes_back_names_what_he_knows() {
    let app = app().await;
    let id = asked(&app, of_two()).await;
    let mut events = Events::open(&app, id, "ann", Some("1")).await;
    vote(&app, id, "ada", "approve").await;
    assert_eq!(events.next().await.unwrap().0, "2", "what is known isn't told again");
    let mut late = Events::open(&app, id, "ann", Some("1")).await;
    assert_eq!(late.next().await.unwrap().0, "2");
    vote(&app, id, "ben", "deny").await;
    assert_eq!(late.next().await.unwrap().1["state"], "DENIED");
    let over = app.request(Method::GET, &path(id, "/events")).bearer_auth("ann").header("last-event-id", "3");
    assert_eq!(app.send(over).await.status, 204, "a browser that is told 204 doesn't come again");
    let missed = Events::open(&app, id, "ann", Some("2")).await.next().await.unwrap();
    assert_eq!(missed.0, "3");
    let bad = app.request(Method::GET, &path(id, "/events")).bearer_auth("ann").header("last-event-id", "x");
    app.send(bad).await.is_problem(400, "invalid-request");
}

#[actix_web::test]
async fn a_stream_ends_with_the_right_to_see() {
    let app = app().await;
    let of_group = Template { approvers: named(&["group:00gsec", "user:00uada"]), ..of_two() };
    app.directory.set_groups(&uid("00uben"), &["00gsec"]);
    app.directory.put_group("00gsec");
    app.directory.join(&uid("00uben"), &GroupId::parse("00gsec").unwrap());
    let id = asked(&app, of_group).await;
    let mut events = Events::open(&app, id, "ben", None).await;
    assert_eq!(events.next().await.unwrap().0, "1");
    app.directory.set_groups(&uid("00uben"), &[]);
    assert_eq!(vote(&app, id, "ada", "approve").await.status, 200);
    assert_eq!(events.next().await, None, "what comes after is none of his business");
    watchers(&app, 0).await;
}

#[actix_web::test]
async fn a_stream_ends_with_its_token() {
    let app = app().await;
    let id = asked(&app, template()).await;
    let expires: Timestamp = app.store_now() + SignedDuration::from_millis(300);
    let claims = json!({"uid": "00uann"}).as_object().unwrap().clone();
    app.raw_token("short", VerifiedToken { claims, scopes: ["openid".to_owned()].into(), client: None, expires });
    let mut events = Events::open(&app, id, "short", None).await;
    assert_eq!(events.next().await.unwrap().0, "1");
    assert_eq!(events.next().await, None);
    watchers(&app, 0).await;
}

#[actix_web::test]
async fn everybody_is_let_go_when_the_process_stops() {
    let app = app().await;
    let id = asked(&app, template()).await;
    let mut events = Events::open(&app, id, "ann", None).await;
    events.next().await.unwrap();
    let waiting = path(id, "?wait=60s&after_revision=1");
    let poll = app.get(&waiting, "bob");
    let stop = async {
        watchers(&app, 2).await;
        app.services.watchers.close();
    };
    let (seen, ()) = tokio::join!(poll, stop);
    assert_eq!((seen.status.as_u16(), &seen.json["revision"]), (200, &json!(1)));
    assert_eq!(events.next().await, None);
    let again = app.get(&path(id, "?wait=60s&after_revision=1"), "bob").await;
    assert_eq!(again.status, 200, "and nobody is kept waiting any more");
    watchers(&app, 0).await;
}

#[actix_web::test]
async fn one_caller_has_so_many_places_and_no_more() {
    let app = app().await;
    let id = asked(&app, template()).await;
    let waiting = path(id, "?wait=2s&after_revision=1");
    let polls = join_all((0..watching::MOST_OF_ONE).map(|_| app.get(&waiting, "ann")));
    let one_more = async {
        watchers(&app, watching::MOST_OF_ONE).await;
        for way in ["?wait=1s&after_revision=1", "/events"] {
            let answer = app.get(&path(id, way), "ann").await;
            answer.is_problem(429, "too-many-watchers");
            assert!(answer.header("retry-after").is_some());
        }
        app.get(&path(id, "?wait=1s&after_revision=1"), "bob").await
    };
    let (polled, others) = tokio::join!(polls, one_more);
    assert!(polled.iter().all(|answer| answer.status == 200) && others.status == 200);
    watchers(&app, 0).await;
    assert_eq!(app.get(&path(id, "?wait=1s&after_revision=1"), "ann").await.status, 200);
}

#[actix_web::test]
async fn two_hundred_who_wait_are_told_by_one_reader() {
    let app = app().await;
    let id = asked(&app, template()).await;
    let tenant = tenant_of(&app.services);
    let mut all = Vec::new();
    for n in 0..200 {
        let name = format!("00uwatch{n}");
        let mut caller = somebody(&app.services, &name);
        caller.administrator = true;
        all.push(watching::watch(&app.services, &tenant, Viewer::User(&caller), id).await.unwrap());
    }
    vote(&app, id, "ada", "deny").await;
    let until = tokio::time::Instant::now() + Duration::from_secs(20);
    for watch in &mut all {
        assert_eq!(watch.next(until).await.unwrap().state.name(), "DENIED");
    }
}

/// A store that was restored has fewer revisions than were told.
#[actix_web::test]
async fn who_knows_of_more_than_there_is_is_told_at_once() {
    let app = app().await;
    let id = asked(&app, template()).await;
    let mut events = Events::open(&app, id, "ann", Some("7")).await;
    assert_eq!(events.next().await.unwrap().0, "1");
    let poll = app.get(&path(id, "?wait=60s&after_revision=7"), "ann");
    let told = tokio::time::timeout(Duration::from_secs(30), poll).await.expect("it didn't wait");
    assert_eq!((&told.json["revision"], &told.json["state"]), (&json!(1), &json!("PENDING")));
    withdraw(&app, id, "ann").await;
    let mut over = Events::open(&app, id, "ann", Some("7")).await;
    assert_eq!(over.next().await.unwrap().1["state"], "WITHDRAWN");
    assert_eq!(over.next().await, None);
}
