//! What the answers of a user's read come to: a 200, a 404 and the rest of what servers and what stands before them say.

use behalf::ports::directory::DirectoryError;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{
    URN, by_id,
    fake::{Fake, Reply, error, plain},
    id,
};
use behalf::adapters::directory::entries::Entries as _;

/// Answers this for the user `ann`, and the truth for everything else.
fn spoil(fake: &Fake, reply: Reply) {
    fake.instead(move |asked| (asked.path == ["Users", "ann"]).then(|| reply.clone()));
}

fn user(change: impl FnOnce(&mut Value)) -> Reply {
    let mut user = json!({"schemas": ["x"], "id": "ann", "userName": "ann@example.com", "active": true});
    change(&mut user);
    plain(200, &user.to_string())
}

#[tokio::test]
async fn what_is_not_understood_is_garbled() {
    let fake = Fake::start();
    fake.put("ann", &[]);
    let agents = |agents: Value| user(|user| user[URN] = json!({ "delegations": agents }));
    let many: Vec<Value> = (0..1001).map(|n| json!({"value": n.to_string()})).collect();
    let html = "<html><body>404 Not Found</body></html>";
    let wrong = |status: u16, said: &str| {
        let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": said});
        plain(status, &body.to_string())
    };
    let replies = [
        plain(200, html),
        plain(200, ""),
        plain(200, "{}"),
        plain(200, "null"),
        plain(200, "[]"),
        plain(200, &"[".repeat(100_000)),
        plain(200, &error(404, None).2),
        plain(302, ""),
        plain(404, html),
        plain(404, ""),
        plain(404, "{}"),
        plain(404, &json!({"error": "not found", "status": "404"}).to_string()),
        wrong(404, "500"),
        wrong(404, ""),
        plain(400, html),
        plain(410, html),
        user(|user| user["id"] = json!("bob")),
        user(|user| user["id"] = json!(7)),
        user(|user| user["id"] = json!("a\u{202e}nn")),
        user(|user| user["userName"] = Value::Null),
        user(|user| user["userName"] = json!("")),
        user(|user| user["userName"] = json!("x".repeat(321))),
        user(|user| user["active"] = json!("true")),
        user(|user| user["active"] = json!(1)),
        user(|user| user["userType"] = json!(["Employee"])),
        user(|user| user[URN] = json!("bob")),
        agents(json!("bob")),
        agents(json!(["bob"])),
        agents(json!([{"value": 7}])),
        agents(json!([{"value": ""}])),
        agents(json!([{}])),
        agents(json!(many)),
    ];
    for reply in replies {
        let shown = format!("{} {:.80}", reply.0, reply.2);
        spoil(&fake, reply);
        let answer = fake.scim.entry(&by_id("ann")).await;
        assert!(matches!(answer, Err(DirectoryError::Garbled(_))), "{shown}: {answer:?}");
    }
}

#[tokio::test]
async fn what_is_no_answer_is_unavailable() {
    let fake = Fake::start();
    fake.put("ann", &[]);
    let replies = [
        plain(200, &" ".repeat((4 << 20) + 1)),
        plain(204, ""),
        plain(206, &json!({"id": "ann", "userName": "ann@example.com"}).to_string()),
        error(500, None),
        plain(502, "<html>"),
        error(503, None),
    ];
    for reply in replies {
        let shown = format!("{} {:.80}", reply.0, reply.2);
        spoil(&fake, reply);
        let answer = fake.scim.entry(&by_id("ann")).await;
        assert!(matches!(answer, Err(DirectoryError::Unavailable(_))), "{shown}: {answer:?}");
    }
}

#[tokio::test]
async fn refusals_are_told_from_absence() {
    let fake = Fake::start();
    fake.put("ann", &[]);
    for status in [400, 405, 409, 413, 501] {
        spoil(&fake, error(status, Some("invalidValue")));
        let answer = fake.scim.entry(&by_id("ann")).await;
        assert!(matches!(&answer, Err(DirectoryError::Rejected(why)) if why.contains("invalidValue")), "{answer:?}");
    }
    for status in [401, 403] {
        spoil(&fake, plain(status, "<html>no</html>"));
        let answer = fake.scim.entry(&by_id("ann")).await;
        assert!(matches!(&answer, Err(DirectoryError::Rejected(_))), "{answer:?}");
    }
    // Some give the status as a number.
    let body = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "status": 404});
    spoil(&fake, plain(404, &body.to_string()));
    assert_eq!(fake.scim.entry(&by_id("ann")).await, Ok(None));
    // What a server says is not repeated: it may hold anything.
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "scimType": "hunter2", "detail": "hunter2",
    });
    spoil(&fake, plain(400, &body.to_string()));
    assert!(!format!("{:?}", fake.scim.entry(&by_id("ann")).await).contains("hunter2"));
}

#[tokio::test]
async fn only_active_true_is_active_and_what_is_listed_twice_is_listed_once() {
    let fake = Fake::start();
    for (active, expected) in [(json!(true), true), (json!(false), false), (Value::Null, false)] {
        spoil(&fake, user(|user| user["active"] = active.clone()));
        assert_eq!(fake.scim.entry(&by_id("ann")).await.unwrap().unwrap().user.is_active(), expected, "{active}");
    }
    spoil(&fake, user(|user| drop(user.as_object_mut().unwrap().remove("active"))));
    assert!(!fake.scim.entry(&by_id("ann")).await.unwrap().unwrap().user.is_active());
    let twice = json!([{"value": "bob", "display": "Bob"}, {"value": "BOB"}, {"value": "bob"}]);
    spoil(&fake, user(|user| user[URN] = json!({ "delegations": twice })));
    assert_eq!(fake.scim.entry(&by_id("ann")).await.unwrap().unwrap().agents, [id("bob"), id("BOB")]);
}

/// A 404 for a user means something only where users are served.
#[tokio::test]
async fn a_404_counts_where_users_are_served() {
    let fake = Fake::start();
    fake.put("ann", &[]);
    assert_eq!(fake.scim.entry(&by_id("nobody")).await, Ok(None));
    assert_eq!(fake.count("GET", "Users"), 2, "the first time it is looked whether there are users");
    assert_eq!(fake.scim.entry(&by_id("nobody")).await, Ok(None));
    assert_eq!(fake.count("GET", "Users"), 1);
    fake.instead(|_| Some(error(404, None)));
    fake.clock.advance(SignedDuration::from_mins(6));
    let answer = fake.scim.entry(&by_id("ann")).await;
    assert!(matches!(&answer, Err(DirectoryError::Rejected(why)) if why.contains("BEHALF_SCIM_URL")), "{answer:?}");
    fake.instead(|asked| (asked.path == ["Users"]).then(|| plain(200, "<html>")));
    let answer = fake.scim.entry(&by_id("nobody")).await;
    assert!(matches!(answer, Err(DirectoryError::Garbled(_))), "{answer:?}");
}

#[tokio::test]
async fn who_throttles_is_left_alone_for_as_long_as_he_says() {
    let fake = Fake::start();
    fake.put("ann", &[]);
    spoil(&fake, plain(429, ""));
    assert_eq!(fake.scim.entry(&by_id("ann")).await, Err(DirectoryError::Throttled { until: None }));
    assert_eq!(fake.scim.entry(&by_id("ann")).await, Err(DirectoryError::Throttled { until: None }));
    assert_eq!(fake.count("GET", "Users"), 2);
    spoil(&fake, (429, vec![("retry-after", "7".to_owned())], "slow down".to_owned()));
    let until = "2026-11-20T12:00:07Z".parse().ok();
    for who in ["ann", "ann", "bob"] {
        assert_eq!(fake.scim.entry(&by_id(who)).await, Err(DirectoryError::Throttled { until }));
    }
    assert_eq!(fake.count("GET", "Users"), 1, "nobody asks meanwhile");
    fake.instead(|_| None);
    fake.clock.advance(SignedDuration::from_secs(7));
    assert!(fake.scim.entry(&by_id("ann")).await.unwrap().is_some());
}
