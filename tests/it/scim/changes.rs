//! Changes where servers fall short of the RFC, and where others change the same user.

use behalf::{
    adapters::directory::entries::Entries as _,
    ports::directory::{DirectoryError, Written},
};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{
    URN, by_id,
    fake::{Fake, error, plain},
    id,
};

fn is_rejected(answer: &Result<Written, DirectoryError>, why: &str) {
    assert!(matches!(answer, Err(DirectoryError::Rejected(text)) if text.contains(why)), "{answer:?}");
}

fn people() -> Fake {
    let fake = Fake::start();
    for user in ["ann", "bob", "cid", "BOB"] {
        fake.put(user, &[]);
    }
    fake
}

/// A storm of writers who are always faster.
fn storm(fake: &Fake, mut blows: usize) {
    fake.instead(move |asked| {
        let hit = asked.is("PUT", "Users") && blows > 0;
        blows -= usize::from(hit);
        hit.then(|| error(412, None))
    });
}

#[tokio::test]
async fn a_storm_of_412_is_weathered_up_to_eight_tries() {
    let fake = people();
    fake.habits(|habits| habits.patch = false);
    storm(&fake, 7);
    assert_eq!(fake.scim.add(&id("ann"), &id("bob")).await, Ok(Written::Changed));
    assert_eq!(fake.count("PUT", "Users"), 8);
    storm(&fake, 8);
    let answer = fake.scim.remove(&id("ann"), &id("bob")).await;
    assert!(matches!(answer, Err(DirectoryError::Unavailable(_))), "{answer:?}");
    assert_eq!(fake.count("PUT", "Users"), 8);
    assert_eq!(fake.agents("ann"), ["bob"]);
    // A 412 of something before the server, without a SCIM body, is one, too.
    let mut once = true;
    fake.instead(move |asked| (asked.is("PUT", "Users") && std::mem::take(&mut once)).then(|| plain(412, "")));
    assert_eq!(fake.scim.remove(&id("ann"), &id("bob")).await, Ok(Written::Changed));
}

#[tokio::test]
async fn a_put_keeps_everything_else() {
    let fake = people();
    fake.habits(|habits| habits.patch = false);
    fake.change("ann", |user| {
        user["name"] = json!({"givenName": "Ann"});
        user["urn:other:schema:User"] = json!({"badge": 7});
        user[URN] = json!({"delegations": [{"value": "cid", "display": "Cid"}], "entityName": "Acme"});
    });
    assert_eq!(fake.scim.add(&id("ann"), &id("bob")).await, Ok(Written::Changed));
    let put = fake.asked().into_iter().find(|asked| asked.is("PUT", "Users")).unwrap();
    assert!(put.if_match.is_some());
    assert_eq!(
        (&put.body["name"]["givenName"], &put.body["urn:other:schema:User"]["badge"]),
        (&json!("Ann"), &json!(7))
    );
    let expected = json!({"delegations": [{"value": "cid", "display": "Cid"}, {"value": "bob"}], "entityName": "Acme"});
    assert_eq!(put.body[URN], expected);
    assert_eq!(put.body.get("meta"), None);
    for agent in ["bob", "cid"] {
        assert_eq!(fake.scim.remove(&id("ann"), &id(agent)).await, Ok(Written::Changed));
    }
    let put = fake.asked().into_iter().rfind(|asked| asked.is("PUT", "Users")).unwrap();
    assert_eq!(put.body[URN], json!({"entityName": "Acme"}));
}

#[tokio::test]
async fn a_patch_is_one_value_and_nothing_else() {
    let fake = people();
    assert_eq!(fake.scim.add(&id("ann"), &id("bob")).await, Ok(Written::Changed));
    let asked = fake.asked();
    assert_eq!(asked.iter().filter(|asked| asked.is("PUT", "Users")).count(), 0);
    let patches: Vec<_> = asked.iter().filter(|asked| asked.is("PATCH", "Users")).collect();
    let operation = json!({"op": "add", "path": format!("{URN}:delegations"), "value": [{"value": "bob"}]});
    assert_eq!(patches.iter().map(|patch| &patch.body["Operations"]).collect::<Vec<_>>(), [&json!([operation])]);
    assert_eq!(fake.scim.add(&id("ann"), &id("bob")).await, Ok(Written::Already));
    assert_eq!(fake.count("PATCH", "Users"), 0, "what is so already isn't written");
}

/// Some servers answer 204 and keep nothing of a schema that they don't know.
#[tokio::test]
async fn a_change_that_is_not_kept_is_no_change() {
    for patch in [true, false] {
        let fake = people();
        fake.habits(|habits| (habits.forgetful, habits.patch) = (true, patch));
        is_rejected(&fake.scim.add(&id("ann"), &id("bob")).await, "does not show it");
    }
    let fake = people();
    fake.put("ann", &["bob"]);
    // A proxy may spell ETags in another way than the service: they tell nothing of a change that isn't there.
    for etag in [None, Some("W/\"another\"")] {
        let headers: Vec<_> = etag.into_iter().map(|etag| ("etag", etag.to_owned())).collect();
        fake.instead(move |asked| asked.is("PATCH", "Users").then(|| (204, headers.clone(), String::new())));
        is_rejected(&fake.scim.remove(&id("ann"), &id("bob")).await, "does not show it");
    }
}

/// Another one undid it between the write and the look at it: it was so.
#[tokio::test]
async fn a_change_that_somebody_undid_was_made() {
    let fake = people();
    let mut written = false;
    fake.instead(move |asked| {
        let gone = json!({"id": "ann", "userName": "ann@example.com", "meta": {"version": "W/\"later\""}});
        let undone = written && asked.path == ["Users", "ann"];
        written |= asked.is("PATCH", "Users");
        undone.then(|| plain(200, &gone.to_string()))
    });
    assert_eq!(fake.scim.add(&id("ann"), &id("bob")).await, Ok(Written::Changed));
}

#[tokio::test]
async fn who_refuses_to_patch_a_value_is_written_under_if_match() {
    for refusal in [error(400, Some("invalidPath")), error(400, Some("invalidFilter")), error(409, None)] {
        let fake = people();
        fake.put("ann", &["cid"]);
        let reply = refusal.clone();
        fake.instead(move |asked| asked.is("PATCH", "Users").then(|| reply.clone()));
        assert_eq!(fake.scim.add(&id("ann"), &id("bob")).await, Ok(Written::Changed));
        assert_eq!(fake.scim.remove(&id("ann"), &id("cid")).await, Ok(Written::Changed));
        assert_eq!(fake.agents("ann"), ["bob"]);
        // Without ETags there is no safe way left.
        fake.habits(|habits| habits.etag = false);
        fake.clock.advance(SignedDuration::from_mins(5));
        is_rejected(&fake.scim.remove(&id("ann"), &id("bob")).await, "refuses to PATCH");
        assert_eq!(fake.agents("ann"), ["bob"]);
    }
    // It says that it can, and can't: it is asked anew.
    let fake = people();
    fake.instead(|asked| asked.is("PATCH", "Users").then(|| error(501, None)));
    assert_eq!(fake.scim.add(&id("ann"), &id("bob")).await, Ok(Written::Changed));
    assert_eq!(fake.scim.add(&id("ann"), &id("cid")).await, Ok(Written::Changed));
    assert_eq!(fake.count("GET", "ServiceProviderConfig"), 2);
}

#[tokio::test]
async fn etags_that_are_promised_and_not_given_are_no_way() {
    let fake = people();
    fake.habits(|habits| habits.patch = false);
    fake.instead(|asked| {
        let user = json!({"id": asked.path.last(), "userName": "x@example.com", "active": true});
        (asked.is("GET", "Users") && asked.path.len() == 2).then(|| plain(200, &user.to_string()))
    });
    is_rejected(&fake.scim.add(&id("ann"), &id("bob")).await, "gives none");
    assert_eq!(fake.count("PUT", "Users"), 0);
}

/// A server that compares loosely would take both for one: neither is lost, neither comes for the other.
#[tokio::test]
async fn ids_that_differ_by_case_are_kept_apart() {
    let fake = people();
    fake.habits(|habits| habits.loose = true);
    assert_eq!(fake.scim.add(&id("ann"), &id("BOB")).await, Ok(Written::Changed));
    assert_eq!(fake.scim.remove(&id("ann"), &id("bob")).await, Ok(Written::Already));
    assert_eq!(fake.scim.add(&id("ann"), &id("bob")).await, Ok(Written::Changed));
    assert_eq!(fake.agents("ann"), ["BOB", "bob"]);
    assert_eq!(fake.scim.remove(&id("ann"), &id("bob")).await, Ok(Written::Changed));
    assert_eq!(fake.agents("ann"), ["BOB"]);
    fake.habits(|habits| habits.etag = false);
    fake.clock.advance(SignedDuration::from_mins(5));
    is_rejected(&fake.scim.add(&id("ann"), &id("bob")).await, "differs by case");
    assert_eq!(fake.agents("ann"), ["BOB"]);
}

#[tokio::test]
async fn a_list_has_an_end_and_can_be_shortened_again() {
    let fake = people();
    let many: Vec<String> = (0..1000).map(|n| format!("agent-{n}")).collect();
    let mut many: Vec<&str> = many.iter().map(String::as_str).collect();
    fake.put("ann", &many);
    assert_eq!(fake.scim.entry(&by_id("ann")).await.unwrap().unwrap().agents.len(), 1000);
    is_rejected(&fake.scim.add(&id("ann"), &id("bob")).await, "the most");
    assert_eq!(fake.count("PATCH", "Users"), 0);
    many.push("one too many");
    fake.put("ann", &many);
    assert!(matches!(fake.scim.entry(&by_id("ann")).await, Err(DirectoryError::Garbled(_))));
    assert_eq!(fake.scim.remove(&id("ann"), &id("one too many")).await, Ok(Written::Changed));
    assert!(fake.scim.entry(&by_id("ann")).await.is_ok());
}

/// Two who take the last place: neither leaves the list too long.
#[tokio::test]
async fn who_finds_the_list_too_long_takes_his_own_back() {
    let fake = people();
    let many: Vec<String> = (0..999).map(|n| format!("agent-{n}")).collect();
    fake.put("ann", &many.iter().map(String::as_str).collect::<Vec<_>>());
    // Somebody else adds one after the list was read, once.
    let full = many.iter().map(String::as_str).chain(["somebody else's"]).collect::<Vec<_>>();
    let items: Vec<Value> = full.iter().chain(&["bob"]).map(|agent| json!({"value": agent})).collect();
    let mut patched = 0;
    fake.instead(move |asked| {
        let user = json!({"id": "ann", "userName": "ann@example.com", URN: {"delegations": items}});
        let look = patched == 1 && asked.path == ["Users", "ann"] && asked.method == "GET";
        patched += usize::from(asked.is("PATCH", "Users"));
        look.then(|| plain(200, &user.to_string()))
    });
    is_rejected(&fake.scim.add(&id("ann"), &id("bob")).await, "the most");
    assert!(!fake.agents("ann").contains(&"bob".to_owned()));
}

#[tokio::test]
async fn who_is_deleted_meanwhile_is_not_changed() {
    let fake = people();
    fake.put("ann", &["cid"]);
    fake.instead(|asked| asked.is("PATCH", "Users").then(|| error(404, None)));
    is_rejected(&fake.scim.add(&id("ann"), &id("bob")).await, "no such user");
    assert_eq!(fake.scim.remove(&id("ann"), &id("cid")).await, Ok(Written::Already));
    // Somebody else removed it first.
    fake.instead(|asked| asked.is("PATCH", "Users").then(|| error(400, Some("noTarget"))));
    is_rejected(&fake.scim.remove(&id("ann"), &id("cid")).await, "does not show it");
}
