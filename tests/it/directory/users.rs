//! Finding users in the embedded directory.

use std::path::Path;

use behalf::{
    domain::{
        ids::{IdError, Login, UserId, UserRef},
        user::Status,
    },
    ports::directory::Directory,
};

use super::{by_id, by_login, file, open, store};

#[tokio::test]
async fn a_user_is_found_by_id_by_login_and_by_either() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("users.yaml");
    let users = file(&[
        "{ id: u-Alice, login: 'alice+x/y%é@example.com', status: active, type: person }",
        "{ id: u-bob, login: bob, status: suspended }",
    ]);
    std::fs::write(&path, users).unwrap();
    let directory = open(&path, store()).unwrap();
    let login = "alice+x/y%é@example.com";
    for who in [by_id("u-Alice"), by_login(login), UserRef::parse(login).unwrap(), UserRef::parse("u-Alice").unwrap()] {
        let found = directory.user(&who).await.unwrap().unwrap();
        assert_eq!((found.id.as_str(), found.user_type.as_deref()), ("u-Alice", Some("person")), "{who:?}");
        assert!(found.is_active());
    }
    assert_eq!(directory.user(&by_login("bob")).await.unwrap().unwrap().status, Status::Inactive);
}

#[tokio::test]
async fn what_only_resembles_a_user_finds_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("users.yaml");
    std::fs::write(&path, file(&["{ id: u-Alice, login: alice@example.com, status: active }"])).unwrap();
    let directory = open(&path, store()).unwrap();
    let strangers = [
        "..",
        ".",
        "me",
        "a/b",
        "../u-Alice",
        "x?y",
        "u-Alice?x",
        "u-Alice#",
        "%2e",
        "%2e%2e",
        "u%2DAlice",
        "u-alice",
        "U-ALICE",
        "Alice@example.com",
        " u-Alice",
        "u-Alice ",
        "*",
        "\" or \"1\"=\"1",
    ];
    for text in strangers {
        let refs = [
            UserRef::Id(UserId::parse(text).unwrap()),
            UserRef::Login(Login::parse(text).unwrap()),
            UserRef::Either(Login::parse(text).unwrap()),
        ];
        for who in refs {
            assert_eq!(directory.user(&who).await.unwrap(), None, "{who:?}");
        }
    }
    for word in ["..", ".", "me", "Me"] {
        assert_eq!(UserRef::parse(word), Err(IdError::Reserved));
    }
}

#[tokio::test]
async fn without_a_file_there_are_no_users() {
    let directory = open(Path::new(""), store()).unwrap();
    assert!(directory.users().is_empty());
    assert_eq!(directory.user(&by_id("u-1")).await.unwrap(), None);
    assert!(directory.last_error().is_none());
    // There is nothing to watch, so the task ends by itself.
    directory.watch(std::time::Duration::from_secs(1)).await;
}

#[test]
fn a_wrong_file_stops_the_start_with_all_its_mistakes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("users.yaml");
    std::fs::write(&path, file(&["{ id: 1, login: a, status: active }", "{ id: b, status: suspended }"])).unwrap();
    let wrong = open(&path, store()).err().unwrap();
    assert_eq!(wrong.0.len(), 2, "{wrong}");
    assert!(wrong.0[0].contains("users[0] (line 2): `id` must be text"), "{wrong}");
    assert!(wrong.0[1].contains("users[1] (line 3, id \"b\"): `login` is missing"), "{wrong}");
    assert!(open(&dir.path().join("none.yaml"), store()).is_err());
}
