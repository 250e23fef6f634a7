//! The audit trail over the API: who sees what, and how it is cut.

use std::sync::Arc;

use behalf::{
    adapters::{audit::signing::SigningKey, system::OsEntropy},
    app::{sealed, sealer::Sealer},
    domain::ids::TenantName,
    ports::store::{Change, Put, Seq},
};
use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::support::test_app::{TestApp, refresh_hook};

async fn seen(app: &TestApp, token: &str, query: &str) -> Vec<Value> {
    let page = app.get(&format!("/v1/audit{query}"), token).await;
    assert_eq!(page.status, 200, "{}", page.text);
    page.json["items"].as_array().unwrap().clone()
}

fn codes(items: &[Value]) -> Vec<&str> {
    items.iter().map(|i| i["code"].as_str().unwrap()).collect()
}

/// Ann acts for Bob, a second later Eve tries in vain, a second later Bob adds Eve.
async fn story() -> TestApp {
    let app = TestApp::new().await;
    let id = app.begin().await;
    app.deliver(&refresh_hook("e", Some(&id)).to_string()).await;
    app.advance(SignedDuration::from_secs(1));
    app.post("/v1/delegations", "eve", &json!({"delegator": "00ubob"})).await;
    app.advance(SignedDuration::from_secs(1));
    app.post("/v1/grants", "bob", &json!({"agent": "00ueve"})).await;
    app
}

#[actix_web::test]
async fn an_administrator_sees_all_and_everybody_else_what_concerns_him() {
    let app = story().await;
    assert_eq!(codes(&seen(&app, "root", "").await), ["DA1100", "DA1000", "DA1101", "DA6100", "DA6101"]);
    assert_eq!(codes(&seen(&app, "ann", "").await), ["DA1100", "DA1000"]);
    assert_eq!(codes(&seen(&app, "bob", "").await), ["DA1100", "DA1000", "DA6100", "DA6101"]);
    assert_eq!(codes(&seen(&app, "eve", "").await), ["DA1101", "DA6100", "DA6101"]);
    let numbers: Vec<_> = seen(&app, "root", "").await.iter().map(|i| i["seq"].as_u64().unwrap()).collect();
    assert!(numbers.windows(2).all(|two| two[0] + 1 == two[1]), "{numbers:?}");
}

#[actix_web::test]
async fn the_trail_is_no_way_round_the_coarse_refusal() {
    let app = TestApp::new().await;
    for who in ["00ubob", "nobody", "bob@example.test", "00ueve"] {
        app.post("/v1/delegations", "eve", &json!({"delegator": who})).await;
    }
    // Who tries sees that he tried, and no more than the answer told him.
    let mine = seen(&app, "eve", "").await;
    assert_eq!(mine.len(), 4);
    for item in &mine {
        assert_eq!(item["outcome"]["reason"], "not-delegated", "{item}");
        assert_eq!(item.get("on_behalf_of"), None);
        assert_eq!(item["policy"].get("trace"), None);
    }
    assert_eq!(seen(&app, "bob", "").await, Vec::<Value>::new(), "Bob doesn't learn who tried");
    let exact: Vec<_> = seen(&app, "root", "").await.iter().map(|i| i["outcome"]["reason"].clone()).collect();
    assert_eq!(exact, ["grant-gone", "delegator-unknown", "grant-gone", "self-delegation"]);
}

#[actix_web::test]
async fn a_refused_hook_tells_its_agent_what_the_idp_told_him() {
    let app = TestApp::new().await;
    let id = app.begin().await;
    app.directory.set_grant(&crate::support::test_app::uid("00ubob"), &crate::support::test_app::uid("00uann"), false);
    app.deliver(&refresh_hook("e", Some(&id)).to_string()).await;
    let last = |items: Vec<Value>| items.last().unwrap().clone();
    let anns = last(seen(&app, "ann", "").await);
    assert_eq!((&anns["code"], &anns["outcome"]["reason"]), (&json!("DA1001"), &json!("not-delegated")));
    assert!(!anns.to_string().contains("grant-gone"), "{anns}");
    let all = last(seen(&app, "root", "").await);
    assert_eq!(all["outcome"]["reason"], "grant-gone");
    assert!(all["policy"]["trace"].is_array());
}

#[actix_web::test]
async fn filters_narrow_and_never_widen() {
    let app = story().await;
    for (query, expected) in [
        ("?actor=00uann", vec!["DA1100", "DA1000"]),
        ("?delegator=00ubob", vec!["DA1100", "DA1000", "DA6100", "DA6101"]),
        ("?code=DA1101", vec!["DA1101"]),
        ("?code=grant.added", vec!["DA6101"]),
        ("?from=2026-11-21T10:00:01Z", vec!["DA1101", "DA6100", "DA6101"]),
        ("?to=2026-11-21T10:00:01Z", vec!["DA1100", "DA1000"]),
        ("?from=2026-11-21T11:00:01%2B01:00&to=2026-11-21T10:00:02Z", vec!["DA1101"]),
        ("?actor=00ueve&code=DA1000", vec![]),
        ("?actor=%27%20or%201%3D1", vec![]),
    ] {
        assert_eq!(codes(&seen(&app, "root", query).await), expected, "{query}");
    }
    assert_eq!(codes(&seen(&app, "eve", "?actor=00uann").await), Vec::<&str>::new());
    assert_eq!(codes(&seen(&app, "ann", "?delegator=00ubob").await), ["DA1100", "DA1000"]);
}

#[actix_web::test]
async fn pages_follow_each_other_without_gap_or_double() {
    let app = story().await;
    let (mut found, mut query, mut pages) = (Vec::new(), "?limit=2".to_owned(), 0);
    loop {
        let page = app.get(&format!("/v1/audit{query}"), "root").await.json;
        pages += 1;
        found.extend(page["items"].as_array().unwrap().iter().cloned());
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        query = format!("?limit=2&cursor={cursor}");
    }
    assert_eq!(pages, 3);
    assert_eq!(found, seen(&app, "root", "").await);
}

#[actix_web::test]
async fn the_list_says_where_it_begins() {
    let app = story().await;
    let tenant = TenantName::default_tenant();
    assert_eq!(app.get("/v1/audit", "root").await.json["first_seq"], 1);
    let key = SigningKey::ephemeral(&OsEntropy).unwrap();
    Sealer::new(Arc::new(key), None, &OsEntropy).pass(&app.services, &tenant).await.unwrap();
    let snapshot = app.services.store.read(&tenant, &[sealed::latest_key()]).await.unwrap();
    let body = snapshot.get(&sealed::latest_key()).unwrap().body.clone();
    let start = Put { key: sealed::start_key(), body, live_until: None, drop_at: None, indexes: Vec::new() };
    let change = Change {
        puts: vec![start],
        forget: Some(Seq(5)),
        ..Change::new(app.services.change_id(), jiff::Timestamp::MAX)
    };
    app.services.store.commit(&tenant, change).await.unwrap();
    let page = app.get("/v1/audit?cursor=2", "root").await.json;
    assert_eq!((&page["first_seq"], &page["items"]), (&json!(6), &json!([])));
    app.begin().await;
    assert_eq!(app.get("/v1/audit", "root").await.json["items"][0]["seq"], 6);
}

#[actix_web::test]
async fn what_is_no_time_cursor_or_filter_is_said_so() {
    let app = TestApp::new().await;
    for (query, field) in [
        ("?from=yesterday", "from"),
        ("?to=2026-13-01T00:00:00Z", "to"),
        ("?from=2026-11-21", "from"),
        ("?cursor=x", "cursor"),
        ("?cursor=-1", "cursor"),
        ("?cursor=99999999999999999999", "cursor"),
        ("?limit=0", "limit"),
        ("?limit=201", "limit"),
    ] {
        let answer = app.get(&format!("/v1/audit{query}"), "root").await;
        answer.is_problem(400, "invalid-request");
        assert_eq!(answer.json["field"], field, "{query}");
    }
    app.get("/v1/audit?colour=red", "root").await.is_problem(400, "invalid-request");
    assert_eq!(seen(&app, "root", "?cursor=18446744073709551615").await, Vec::<Value>::new());
}

#[actix_web::test]
async fn one_tenants_trail_is_not_anothers() {
    let app = story().await;
    assert_eq!(app.get("/t/acme/v1/audit?code=DA1100", "root").await.json["items"], json!([]));
}
