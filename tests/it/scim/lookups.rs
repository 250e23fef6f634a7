//! Filters: used where they work, noticed where they don't, and never believed.

use behalf::{adapters::directory::entries::Entries as _, domain::ids::GroupId, ports::directory::DirectoryError};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{
    by_id, by_login, either,
    fake::{Fake, Reply, error, plain},
    id,
};

fn is_rejected<T: std::fmt::Debug>(answer: &Result<T, DirectoryError>, why: &str) {
    assert!(matches!(answer, Err(DirectoryError::Rejected(text)) if text.contains(why)), "{answer:?}");
}

#[tokio::test]
async fn a_server_that_ignores_filters_is_noticed() {
    let fake = Fake::start();
    fake.put("ann", &["bob"]);
    fake.put_group("admins", &["ann"]);
    fake.habits(|habits| habits.filters = false);
    for who in [by_login("ann@example.com"), by_login("bob@example.com"), either("ann@example.com"), either("bob")] {
        is_rejected(&fake.scim.entry(&who).await, "ignores the filter");
    }
    is_rejected(&fake.scim.candidates(&id("bob")).await, "ignores the filter");
    is_rejected(&fake.scim.groups_of(&id("ann")).await, "ignores the filter");
    assert_eq!(fake.scim.entry(&either("ann")).await.unwrap().unwrap().user.id, id("ann"));
    // It is not asked again and again.
    fake.asked();
    is_rejected(&fake.scim.entry(&by_login("ann@example.com")).await, "ignores the filter");
    assert_eq!(fake.asked().len(), 0);
    fake.habits(|habits| habits.filters = true);
    fake.clock.advance(SignedDuration::from_mins(5));
    assert!(fake.scim.entry(&by_login("ann@example.com")).await.unwrap().is_some());
}

#[tokio::test]
async fn a_server_that_stops_looking_at_filters_is_noticed_too() {
    let fake = Fake::start();
    for user in ["ann", "bob"] {
        fake.put(user, &[]);
    }
    assert!(fake.scim.entry(&by_login("ann@example.com")).await.unwrap().is_some());
    fake.put_group("admins", &["bob"]);
    assert_eq!(fake.scim.groups_of(&id("ann")).await, Ok([].into()));
    fake.habits(|habits| habits.filters = false);
    is_rejected(&fake.scim.groups_of(&id("ann")).await, "don't show the user");
    fake.habits(|habits| habits.filters = true);
    assert!(fake.scim.entry(&by_login("ann@example.com")).await.unwrap().is_some());
    fake.habits(|habits| habits.filters = false);
    is_rejected(&fake.scim.entry(&by_login("ann@example.com")).await, "users of other names");
    fake.asked();
    is_rejected(&fake.scim.entry(&by_login("ann@example.com")).await, "ignores the filter");
    assert_eq!(fake.count("GET", "ServiceProviderConfig"), 1, "it is asked anew what it can do");
}

/// Users whom a reverse search gives although they don't show the agent are no candidates.
#[tokio::test]
async fn candidates_are_those_who_show_the_agent() {
    let fake = Fake::start();
    fake.habits(|habits| (habits.loose, habits.page) = (true, 2));
    for n in 0..5 {
        fake.put(&format!("user-{n}"), &["bob", "cid"]);
    }
    fake.put("loose", &["BOB"]);
    let found = fake.scim.candidates(&id("bob")).await.unwrap();
    assert_eq!(found, (0..5).map(|n| id(&format!("user-{n}"))).collect::<Vec<_>>());
    assert_eq!(fake.scim.candidates(&id("Cid")).await, Ok(vec![]));
}

#[tokio::test]
async fn a_login_is_compared_exactly_and_read_again() {
    let fake = Fake::start();
    fake.habits(|habits| habits.loose = true);
    fake.put("ann", &[]);
    assert!(fake.scim.entry(&by_login("ann@example.com")).await.unwrap().is_some());
    for other in ["Ann@example.com", "ANN@EXAMPLE.COM", "bob@example.com"] {
        assert_eq!(fake.scim.entry(&by_login(other)).await, Ok(None), "{other}");
    }
    // His login changes hands between the search and the read.
    let mut reads = 0;
    fake.instead(move |asked| {
        reads += usize::from(asked.path == ["Users", "ann"]);
        let other = json!({"id": "ann", "userName": "eve@example.com", "active": true});
        (reads > 0).then(|| plain(200, &other.to_string()))
    });
    assert_eq!(fake.scim.entry(&by_login("ann@example.com")).await, Ok(None));
    // Two of one name.
    fake.instead(|_| None);
    fake.put("ann-2", &[]);
    fake.change("ann-2", |user| user["userName"] = json!("ann@example.com"));
    let both = fake.scim.entry(&by_login("ann@example.com")).await;
    assert!(matches!(both, Err(DirectoryError::Garbled(_))), "{both:?}");
}

#[tokio::test]
async fn a_list_that_is_none_says_nothing() {
    let fake = Fake::start();
    fake.put("ann", &[]);
    assert_eq!(fake.scim.entry(&by_login("nobody")).await, Ok(None));
    let list = |total: Value, resources: Value| {
        let schemas = ["urn:ietf:params:scim:api:messages:2.0:ListResponse"];
        json!({"schemas": schemas, "totalResults": total, "Resources": resources}).to_string()
    };
    let bodies = [
        "{}".to_owned(),
        "[]".to_owned(),
        "<html>".to_owned(),
        json!({"totalResults": 0}).to_string(),
        json!({"schemas": ["x"], "totalResults": 0}).to_string(),
        json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"]}).to_string(),
        list(json!("0"), json!([])),
        list(json!(-1), json!([])),
        list(json!(1), json!([])),
        list(json!(1), Value::Null),
        list(json!(0), json!([{"id": "ann", "userName": "nobody"}])),
        list(json!(1), json!(["ann"])),
        list(json!(1), json!([{"userName": "nobody"}])),
        list(json!(1), json!([{"id": 7, "userName": "nobody"}])),
        list(json!(1), json!([{"id": "ann"}])),
        list(json!(2), json!([{"id": "ann", "userName": "nobody"}])),
    ];
    for body in bodies {
        let reply = plain(200, &body);
        fake.instead(move |asked| (asked.path == ["Users"]).then(|| reply.clone()));
        let answer = fake.scim.entry(&by_login("nobody")).await;
        assert!(matches!(answer, Err(DirectoryError::Garbled(_))), "{body}: {answer:?}");
    }
    fake.instead(|asked| asked.query.contains_key("filter").then(|| error(400, Some("invalidFilter"))));
    is_rejected(&fake.scim.entry(&by_login("nobody")).await, "refuses the filter");
    fake.instead(|asked| asked.query.contains_key("filter").then(|| plain(404, "<html>")));
    let answer = fake.scim.entry(&by_login("nobody")).await;
    assert!(matches!(answer, Err(DirectoryError::Garbled(_))), "{answer:?}");
}

#[tokio::test]
async fn groups_of_the_user_himself_go_first() {
    let fake = Fake::start();
    fake.put("ann", &[]);
    fake.put_group("by-members", &["ann", "bob"]);
    assert_eq!(fake.scim.groups_of(&id("ann")).await.unwrap().len(), 1);
    let groups = |groups: Value| fake.change("ann", move |user| user["groups"] = groups);
    groups(json!([{"value": "g-1", "display": "One"}, {"value": "g-2", "type": "indirect"}]));
    let found = fake.scim.groups_of(&id("ann")).await.unwrap();
    assert_eq!(found.iter().map(GroupId::as_str).collect::<Vec<_>>(), ["g-1", "g-2"]);
    groups(json!([]));
    assert_eq!(fake.scim.groups_of(&id("ann")).await, Ok([].into()));
    let many: Vec<Value> = (0..1001).map(|n| json!({"value": n.to_string()})).collect();
    for bad in [json!("g-1"), json!([{"display": "One"}]), json!([7]), json!(many)] {
        groups(bad.clone());
        let answer = fake.scim.groups_of(&id("ann")).await;
        assert!(matches!(answer, Err(DirectoryError::Garbled(_))), "{bad}");
    }
    groups(Value::Null);
    fake.habits(|habits| habits.filter = false);
    fake.clock.advance(SignedDuration::from_mins(5));
    is_rejected(&fake.scim.groups_of(&id("ann")).await, "does not support filters");
    assert_eq!(fake.scim.groups_of(&id("nobody")).await, Err(DirectoryError::NoSuchUser));
}

/// What a hook does is one call. What the server can do is asked when it is needed, and not again for five minutes.
#[tokio::test]
async fn the_servers_abilities_are_asked_when_needed() {
    let fake = Fake::start();
    fake.put("ann", &["bob"]);
    fake.put("bob", &[]);
    for _ in 0..3 {
        assert!(fake.scim.entry(&by_id("ann")).await.unwrap().is_some());
    }
    assert_eq!(fake.asked().len(), 3);
    for _ in 0..3 {
        fake.scim.entry(&by_login("ann@example.com")).await.unwrap();
        fake.scim.candidates(&id("bob")).await.unwrap();
    }
    // One for the abilities, a probe of each filter, then 2 and 1 for each round.
    assert_eq!(fake.asked().len(), 1 + 2 + 3 * 3);
    fake.clock.advance(SignedDuration::from_mins(5));
    fake.scim.entry(&by_login("ann@example.com")).await.unwrap();
    assert_eq!(fake.count("GET", "ServiceProviderConfig"), 1);
    // A failure is not kept.
    fake.clock.advance(SignedDuration::from_mins(5));
    let fails = async |bad: Reply| {
        fake.instead(move |asked| asked.is("GET", "ServiceProviderConfig").then(|| bad.clone()));
        fake.scim.entry(&by_login("ann@example.com")).await.unwrap_err()
    };
    for bad in [plain(200, "{}"), plain(200, "<html>"), plain(404, "<html>")] {
        let error = fails(bad).await;
        assert!(matches!(error, DirectoryError::Garbled(_)), "{error:?}");
    }
    let error = fails(plain(500, "")).await;
    assert!(matches!(error, DirectoryError::Unavailable(_)), "{error:?}");
    fake.instead(|_| None);
    assert!(fake.scim.entry(&by_login("ann@example.com")).await.unwrap().is_some());
}
