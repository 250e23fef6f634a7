use std::os::unix::fs::PermissionsExt as _;

use secrecy::ExposeSecret as _;
use serde_json::json;

use super::*;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A folder with the secrets that the cases name.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        ("one", format!("{SECRET}\n")),
        ("two", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD".to_owned()),
        ("short", "whsec_c2hvcnQ=".to_owned()),
        ("bare", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned()),
        ("password", "hunter2\n".to_owned()),
    ];
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    folder
}

fn read(value: &Value) -> (Read<Option<NotifySettings>>, Findings) {
    let (folder, mut found) = (folder(), Findings::default());
    let read = notify("tenants.x.notify", Some(value), (folder.path(), false), &mut found);
    (read, found)
}

fn webhook(with: &Value) -> Value {
    let mut webhook = json!({"name": "ops", "url": "https://hook.example.com/x?room=7", "secret_file": "one"});
    webhook.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
    json!({"base_url": "https://behalf.example.com", "webhooks": [webhook]})
}

fn with_base(url: &str) -> Value {
    let mut table = webhook(&json!({}));
    table["base_url"] = json!(url);
    table
}

fn email(with: &Value) -> Value {
    let mut email = json!({"smtp": "smtp://mail.example.com", "from": "behalf <noreply@example.com>"});
    email.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
    json!({"base_url": "https://behalf.example.com", "email": email})
}

#[test]
fn a_whole_table_is_read() {
    let (read, found) = read(&json!({
        "base_url": "https://behalf.example.com/portal",
        "webhooks": [
            {"name": "ops", "url": "https://hook.example.com/x", "secret_file": "one", "secret_file_2": "two",
             "events": ["approval.requested", "approval.break_glass"]},
            {"name": "home", "url": "http://127.0.0.1:9000/", "secret_file": "two", "allow_private": true},
        ],
        "email": {"smtp": "smtps://mail.example.com", "from": "behalf <noreply@example.com>", "username": "behalf",
                  "password_file": "password", "attribute": "mail", "events": ["hook.decision.granted"]},
    }));
    let settings = read.unwrap_or_else(|_| panic!("{}", found.mistakes)).unwrap();
    assert_eq!((found.mistakes.len(), found.warnings), (0, Vec::<String>::new()));
    let [ops, home] = &settings.webhooks[..] else { panic!() };
    assert_eq!((ops.keys.len(), ops.events.len(), ops.allow_private), (2, 2, false));
    assert_eq!((home.keys.len(), home.events.len(), home.allow_private), (1, TOPICS.len(), true));
    assert_eq!(ops.keys[0].expose_secret().len(), 24);
    let email = settings.email.as_ref().unwrap();
    assert_eq!((email.host.as_str(), email.port, email.security), ("mail.example.com", 465, EmailSecurity::Implicit));
    assert_eq!((email.attribute.as_str(), email.events.len()), ("mail", 1));
    let (user, password) = email.credentials.as_ref().unwrap();
    assert_eq!((user.as_str(), password.expose_secret()), ("behalf", "hunter2"));
    let shown = format!("{settings:?}");
    assert!(!shown.contains("hunter2") && !shown.contains("MfKQ9"), "{shown}");
}

#[test]
fn no_table_is_no_mistake_and_an_open_file_is_worth_a_word() {
    let mut found = Findings::default();
    let none = notify("tenants.x.notify", None, (Path::new(""), false), &mut found);
    assert!(matches!(none, Ok(None)) && found.mistakes.is_empty());
    let folder = folder();
    fs::set_permissions(folder.path().join("one"), fs::Permissions::from_mode(0o644)).unwrap();
    let read = notify("tenants.x.notify", Some(&webhook(&json!({}))), (folder.path(), false), &mut found);
    assert!(read.is_ok() && found.warnings[0].contains("mode 644"), "{:?}", found.warnings);
}

#[test]
fn tls_is_left_out_only_on_this_machine() {
    for (smtp, tls, port, security) in [
        ("smtp://mail.example.com", None, 587, EmailSecurity::StartTls),
        ("smtp://mail.example.com:2525", Some("starttls"), 2525, EmailSecurity::StartTls),
        ("smtps://mail.example.com/", Some("implicit"), 465, EmailSecurity::Implicit),
        ("smtp://127.0.0.1:25", Some("none"), 25, EmailSecurity::None),
        ("smtp://[::1]:25", Some("none"), 25, EmailSecurity::None),
        ("smtp://localhost:25", Some("none"), 25, EmailSecurity::None),
    ] {
        let mut with = json!({"smtp": smtp});
        if let Some(tls) = tls {
            with["tls"] = json!(tls);
        }
        let (read, found) = read(&email(&with));
        let email = read.unwrap_or_else(|_| panic!("{}", found.mistakes)).unwrap().email.unwrap();
        assert_eq!((email.port, email.security), (port, security), "{smtp}");
    }
}

/// Each case is one fault in an otherwise good table, and what its one mistake says.
#[test]
fn every_fault_is_named_with_its_key() {
    let cases = [
        (json!([]), "tenants.x.notify", "is not a table"),
        (json!({"base_url": "https://a.example.com"}), "key `email`", "nobody would be told"),
        (json!({"base_url": "https://a.example.com", "webhooks": {}}), "key `webhooks`", "is not a list of tables"),
        (with_base("http://a.example.com"), "key `base_url`", "no address to look things up"),
        (with_base("https://a.example.com/?q=1"), "key `base_url`", "no address to look things up"),
        (webhook(&json!({"nmae": "x"})), "key `nmae`", "is unknown"),
        (webhook(&json!({"name": "Ops"})), "webhooks[0], key `name`", "no webhook's name"),
        (webhook(&json!({"url": "http://hook.example.com"})), "key `url`", "told in the clear"),
        (webhook(&json!({"url": "https://localhost/"})), "key `url`", "leads to this machine"),
        (webhook(&json!({"url": "https://u:p@hook.example.com"})), "key `url`", "no address of a webhook"),
        (webhook(&json!({"url": "ftp://hook.example.com"})), "key `url`", "no address of a webhook"),
        (webhook(&json!({"secret_file": "gone"})), "key `secret_file`", "can't be read"),
        (webhook(&json!({"secret_file": "short"})), "key `secret_file`", "holds no secret of a webhook"),
        (webhook(&json!({"secret_file": "bare"})), "key `secret_file`", "holds no secret of a webhook"),
        (webhook(&json!({"secret_file_2": "one"})), "key `secret_file_2`", "the same secret"),
        (webhook(&json!({"events": []})), "key `events`", "names no event"),
        (webhook(&json!({"events": ["notification.dead"]})), "key `events`", "nobody is ever told"),
        (webhook(&json!({"allow_private": "yes"})), "key `allow_private`", "neither true nor false"),
        (email(&json!({"smtp": "mail.example.com"})), "key `smtp`", "no address of a mail server"),
        (email(&json!({"smtp": "smtp://u:hunter2@mail.example.com"})), "key `smtp`", "no address of a mail server"),
        (email(&json!({"tls": "none"})), "key `tls`", "in the clear"),
        (email(&json!({"tls": "implicit"})), "key `tls`", "doesn't fit the address"),
        (email(&json!({"tls": "maybe"})), "key `tls`", "is unknown"),
        (email(&json!({"from": "nobody"})), "key `from`", "is no address"),
        (email(&json!({"from": "a@b.test\r\nBcc: c@d.test"})), "key `from`", "must not contain control"),
        (email(&json!({"username": "x"})), "key `password_file`", "is missing beside"),
        (email(&json!({"password_file": "password"})), "key `username`", "is missing beside"),
        (email(&json!({"attribute": "a b"})), "key `attribute`", "holds a space"),
        (email(&json!({"to": "x"})), "key `to`", "is unknown"),
    ];
    for (table, place, what) in cases {
        let (read, found) = read(&table);
        assert!(read.is_err(), "{table}");
        let mistakes: Vec<String> = found.mistakes.iter().map(ToString::to_string).collect();
        assert!(
            mistakes.len() == 1 && mistakes[0].contains(place) && mistakes[0].contains(what),
            "{table}: {mistakes:?}"
        );
        assert!(!mistakes[0].contains("hunter2"));
    }
    let twice = json!({"base_url": "https://a.example.com", "webhooks": [
        webhook(&json!({}))["webhooks"][0], webhook(&json!({}))["webhooks"][0]]});
    assert!(read(&twice).1.mistakes.to_string().contains("is called `ops` too"));
}
