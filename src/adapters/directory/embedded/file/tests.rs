use serde_json::json;

use super::*;
use crate::domain::ids::GroupId;
use crate::domain::user::Status;

fn parse(text: &str) -> Result<Users, Vec<String>> {
    Users::parse(text.as_bytes()).map_err(|m| m.0)
}

fn mistakes(text: &str) -> Vec<String> {
    parse(text).unwrap_err()
}

fn either(text: &str) -> UserRef {
    UserRef::parse(text).unwrap()
}

fn login(text: &str) -> UserRef {
    UserRef::Login(Login::parse(text).unwrap())
}

fn id(text: &str) -> UserRef {
    UserRef::Id(UserId::parse(text).unwrap())
}

const TWO: &str = r#"
users:
  - id: "007"
    login: alice+x/y%é@example.com
    status: active
    type: person
    groups: [finance, "12"]
    profile: { title: CFO, floor: 3, on_call: yes, tags: [a, b], manager: null }
  - { id: u-2, login: bob, status: suspended }
"#;

#[test]
fn a_user_is_read_whole() {
    let users = parse(TWO).unwrap();
    assert_eq!((users.len(), users.is_empty()), (2, false));
    let alice = users.find(&id("007")).unwrap();
    assert_eq!(alice.login.as_str(), "alice+x/y%é@example.com");
    assert_eq!(alice.status, Status::Active);
    assert_eq!(alice.user_type.as_deref(), Some("person"));
    assert_eq!(
        users.groups_of(&UserId::parse("007").unwrap()).unwrap().iter().map(GroupId::as_str).collect::<Vec<_>>(),
        ["12", "finance"]
    );
    let profile = json!({"title": "CFO", "floor": 3, "on_call": "yes", "tags": ["a", "b"], "manager": null});
    assert_eq!(json!(alice.profile), profile);
    assert_eq!(users.find(&id("u-2")).unwrap().status, Status::Inactive);
    assert_eq!(users.groups_of(&UserId::parse("u-3").unwrap()), None);
}

#[test]
fn look_up_is_exact_and_says_what_it_means() {
    let users = parse(TWO).unwrap();
    assert!(users.find(&login("bob")).is_some());
    assert!(users.find(&either("bob")).is_some());
    assert!(users.find(&either("u-2")).is_some());
    assert!(users.find(&id("bob")).is_none(), "a login is no id");
    assert!(users.find(&login("u-2")).is_none(), "an id is no login");
    assert!(users.find(&either("U-2")).is_none());
    assert!(users.find(&either("Bob")).is_none());
    assert!(users.find(&either("alice+x/y%é@example.com")).is_some());
    assert!(users.find(&either("alice+x/y%C3%A9@example.com")).is_none());
    assert!(users.find(&either(&"x".repeat(300))).is_none(), "longer than an id may be");
}

#[test]
fn every_mistake_is_told_at_once() {
    let found = mistakes(
        r#"
colour: red
users:
  - { id: u-1, login: alice, status: Active }
  - { id: 7, login: ok, status: active }
  - { id: u-1, login: alice, status: active }
  - just text
  - { id: me, login: "a\u202eb", stauts: active }
  - { id: u-5, login: u-6, status: active, type: 5, groups: [1, g], profile: [x] }
  - { id: u-6, login: six, status: active, groups: all }
"#,
    );
    let expected = [
        "unknown field \"colour\" beside `users`",
        "users[0] (line 4, id \"u-1\"): `status` is \"Active\": write one of `active`, `inactive`, `suspended`, ",
        "users[1] (line 5): `id` must be text: put it in quotes",
        "users[2] (line 6, id \"u-1\"): users[0] has the same id",
        "users[2] (line 6, id \"u-1\"): users[0] has the same login",
        "users[3] (line 7): must be a mapping",
        "users[4] (line 8): `id` is a reserved word",
        "users[4] (line 8): `login` must not contain control, invisible or",
        "users[4] (line 8): `status` is missing: add it",
        "users[4] (line 8): unknown field \"stauts\"",
        "users[5] (line 9, id \"u-5\"): `type` must be text",
        "users[5] (line 9, id \"u-5\"): `groups[0]` must be text: put it in quotes",
        "users[5] (line 9, id \"u-5\"): `profile` must be a mapping",
        "users[6] (line 10, id \"u-6\"): `groups` must be a list",
        "users[5]: its login \"u-6\" is the id of users[6]: change one of them",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}\nshould begin with\n{expected}");
    }
}

#[test]
fn a_status_is_one_of_a_closed_list() {
    let with = |status: &str| parse(&format!("users: [{{ id: a, login: b, status: {status} }}]"));
    let status = |text: &str| with(text).unwrap().find(&id("a")).unwrap().status;
    assert_eq!(status("active"), Status::Active);
    let list =
        "inactive suspended staged provisioned deprovisioned locked_out recovery password_expired".split_whitespace();
    for known in list {
        assert_eq!(status(known), Status::Inactive, "{known}");
    }
    for unknown in ["activ", "ACTIVE", "Suspended", "disabled", "locked-out", "\" active\""] {
        let found = with(unknown).unwrap_err();
        assert!(found.len() == 1 && found[0].contains(unknown.trim_matches('"')), "{found:?}");
        assert!(found[0].contains("`active`") && found[0].contains("`password_expired`"), "{found:?}");
    }
}

#[test]
fn space_around_an_id_or_a_login_is_a_mistake() {
    for (user, field) in
        [("id: ' a', login: b", "id"), ("id: a, login: 'b '", "login"), ("id: a, login: '\u{a0}b'", "login")]
    {
        let found = mistakes(&format!("users: [{{ {user}, status: active }}]"));
        assert!(found.len() == 1 && found[0].contains(&format!("`{field}` is ")), "{found:?}");
        assert!(found[0].contains("take the space"), "{found:?}");
    }
    assert!(parse("users: [{ id: a, login: 'b c', status: active }]").is_ok(), "within it is the user's own business");
}

#[test]
fn a_login_may_be_the_users_own_id() {
    let users = parse("users: [{ id: alice, login: alice, status: active }]").unwrap();
    assert!(users.find(&either("alice")).is_some());
}

#[test]
fn no_users_must_be_said() {
    assert_eq!(parse("users: []").unwrap().len(), 0);
    for nothing in ["", "# only a comment", "users:", "{}", "users: ~"] {
        let found = mistakes(nothing);
        assert!(found[0].contains("has no `users`"), "{nothing:?}: {found:?}");
    }
}

#[test]
fn what_is_not_such_yaml_is_refused_with_the_place() {
    let twice = "users: []\nusers: []";
    for bad in ["users: [", "users: 5", "users: {a: b}", twice, "users: []\n---\nusers: []", "users: [*x]"] {
        let found = mistakes(bad);
        assert!(found[0].starts_with("the file is not understood"), "{bad}: {found:?}");
        assert!(found[0].contains("line"), "{bad}: {found:?}");
    }
    assert!(mistakes("- a")[0].contains("expected a mapping with the field `users`"));
    assert!(mistakes("users:\n  - { id: a, id: b, login: c, status: active }")[0].contains("line 2"));
    assert!(Users::parse(b"users: []\xff").unwrap_err().to_string().contains("not UTF-8"));
}

#[test]
fn depth_and_aliases_are_bounded() {
    let deep = format!("users: {}{}", "[".repeat(1000), "]".repeat(1000));
    assert!(mistakes(&deep)[0].starts_with("the file is not understood"));
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..12 {
        let item = format!("*a{}, ", n - 1).repeat(10);
        bomb.push_str(&["a", &n.to_string(), ": &a", &n.to_string(), " [", &item, "]\n"].concat());
    }
    assert!(mistakes(&bomb)[0].starts_with("the file is not understood"));
}

#[test]
fn the_list_of_mistakes_is_bounded() {
    let text = format!("users: [{}]", "5, ".repeat(MAX_TOLD + 20));
    let found = mistakes(&text);
    assert_eq!(found.len(), MAX_TOLD + 1);
    assert_eq!(found[MAX_TOLD], "and 20 more mistakes");
}

#[test]
fn too_many_users_are_refused() {
    let found = mistakes(&format!("users:\n{}", "- 0\n".repeat(MAX_USERS + 1)));
    assert!(found[0].starts_with("100001 users are more than 100000"), "{found:?}");
}

#[test]
fn a_thousand_users_fit() {
    let one = |n| format!("- {{ id: \"{n:020}\", login: user{n}@example.com, status: active, groups: [g1, g2] }}");
    let text: Vec<_> = std::iter::once("users:".to_owned()).chain((0..1000).map(one)).collect();
    assert_eq!(parse(&text.join("\n")).unwrap().len(), 1000);
}

#[test]
fn a_file_that_is_too_great_or_not_there_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("users.yaml");
    assert!(Users::load(&path).unwrap_err().to_string().contains("can't be read"));
    assert!(Users::load(dir.path()).unwrap_err().to_string().contains("can't be read"));
    std::fs::write(&path, vec![b' '; MAX_BYTES + 1]).unwrap();
    assert!(Users::load(&path).unwrap_err().to_string().contains("greater than"));
}
