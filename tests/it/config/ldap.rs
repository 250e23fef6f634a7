//! An LDAP server as the directory: what is read, what is refused, and that no password is shown.

use behalf::config::{LdapKind, LdapSecurity, LdapSettings};

use super::*;

const PASSWORD: (&str, &str) = ("BEHALF_LDAP_BIND_PASSWORD", "hunter2-of-ldap");

fn ldap(url: &str) -> Case {
    Case::least().vars(&[
        ("BEHALF_DIRECTORY", "ldap"),
        ("BEHALF_LDAP_URL", url),
        ("BEHALF_LDAP_KIND", "openldap"),
        ("BEHALF_LDAP_BIND_DN", "cn=behalf,dc=example,dc=com"),
        PASSWORD,
        ("BEHALF_LDAP_BASE", "ou=people,dc=example,dc=com"),
    ])
}

#[track_caller]
fn settings(case: &Case) -> LdapSettings {
    let kind = default_tenant(&case.ok()).directory.kind.clone();
    let DirectoryKind::Ldap(settings) = kind else { panic!("{kind:?}") };
    *settings
}

fn servers(case: &Case) -> Vec<(String, u16, LdapSecurity)> {
    settings(case).servers.into_iter().map(|server| (server.host, server.port, server.security)).collect()
}

#[test]
fn the_least_is_enough() {
    let case = ldap("ldaps://one.example.com, ldap://two.example.com:3890/ ldap://[::1]");
    let expected = [
        ("one.example.com".to_owned(), 636, LdapSecurity::Tls),
        ("two.example.com".to_owned(), 3890, LdapSecurity::StartTls),
        ("::1".to_owned(), 389, LdapSecurity::StartTls),
    ];
    assert_eq!(servers(&case), expected);
    let read = settings(&case);
    assert_eq!(
        (read.kind, read.connections, read.user_filter.as_str()),
        (LdapKind::OpenLdap, 4, "(objectClass=person)")
    );
    assert_eq!(read.bind_password.expose_secret(), PASSWORD.1);
    assert_eq!((read.attributes["id"].as_str(), read.attributes["login"].as_str()), ("entryUUID", "uid"));
    assert!(!read.attributes.contains_key("type"));
    let shown = format!("{:?} {:#?} {:?}", case.ok(), case.ok(), case.ok().warnings());
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(case.ok().warnings().is_empty(), "{:?}", case.ok().warnings());
}

/// What is written as the default is the default.
#[test]
fn the_documented_defaults_are_the_defaults() {
    let example = behalf::config::env_example();
    let lines = example.lines().filter_map(|line| line.strip_prefix("#BEHALF_LDAP_")?.split_once('='));
    let given: Vec<_> = lines.filter(|(_, default)| !default.is_empty()).collect();
    assert_eq!(given.len(), 2, "{given:?}");
    let case = ldap("ldap://d");
    let plain = format!("{:?}", case.ok());
    let case = given.iter().fold(case, |case, (name, value)| case.var(&format!("BEHALF_LDAP_{name}"), value));
    assert_eq!(format!("{:?}", case.ok()), plain);
}

#[test]
fn kinds_have_their_own_names() {
    for (kind, id, login) in [("389ds", "nsUniqueId", "uid"), ("ad", "objectGUID", "userPrincipalName")] {
        let read = settings(&ldap("ldaps://d").var("BEHALF_LDAP_KIND", kind));
        assert_eq!((read.attributes["id"].as_str(), read.attributes["login"].as_str()), (id, login));
    }
    let map = ("BEHALF_LDAP_ATTRIBUTES", "login=mail type=employeeType, nick=displayName;lang-en");
    let read = settings(&ldap("ldaps://d").vars(&[map]));
    let name = |ours: &str| read.attributes[ours].as_str();
    assert_eq!((name("login"), name("type"), name("nick")), ("mail", "employeeType", "displayName;lang-en"));
    assert_eq!((name("id"), name("email")), ("entryUUID", "mail"));
}

/// Key, a value that differs from the default, what `Debug` shows of it.
const SAMPLES: &[(&str, &str, &str)] = &[
    ("url", "ldaps://sample.example.com", "sample.example.com"),
    ("kind", "ad", "ActiveDirectory"),
    ("bind_dn", "cn=sample", "cn=sample"),
    ("base", "dc=sample", "dc=sample"),
    ("user_filter", "(cn=sample)", "(cn=sample)"),
    ("attributes", "sample=x", "\"sample\": \"x\""),
    ("connections", "7", "connections: 7"),
];

#[test]
fn each_takes_effect_by_variable_and_by_key() {
    let before = format!("{:?}", ldap("ldaps://d").ok());
    for (key, value, shows) in SAMPLES {
        assert!(!before.contains(shows), "{key}: the default shows it already");
        let variable = format!("BEHALF_LDAP_{}", key.to_uppercase());
        let mut by_key = ldap("ldaps://d").toml(&format!("[tenants.default.directory.ldap]\n{key} = \"{value}\"\n"));
        by_key.vars.remove(&variable);
        for case in [ldap("ldaps://d").var(&variable, value), by_key] {
            let shown = format!("{:?}", case.ok());
            assert!(shown.contains(shows), "{variable}: `{shows}` is not in {shown}");
        }
    }
    let file = ldap("ldaps://d").without(PASSWORD.0).file("secret", "from a file\n");
    let read = settings(&file.var("BEHALF_LDAP_BIND_PASSWORD_FILE", "secret"));
    assert_eq!(read.bind_password.expose_secret(), "from a file");
}

#[test]
fn the_clear_is_for_this_machine_and_for_development() {
    let off = |url: &str| ldap(url).var("BEHALF_LDAP_STARTTLS", "off");
    for url in ["ldap://127.0.0.1:3389", "ldap://localhost", "ldap://[::1]"] {
        assert_eq!(servers(&off(url))[0].2, LdapSecurity::Clear, "{url}");
    }
    assert_eq!(servers(&off("ldaps://d"))[0].2, LdapSecurity::Tls, "it is about ldap:// alone");
    off("ldap://ldap.example.com").refused(&["BEHALF_LDAP_STARTTLS", "in the clear"]);
    off("ldap://127.0.0.1,ldap://10.0.0.1").refused(&["BEHALF_LDAP_STARTTLS", "10.0.0.1"]);
    let development = off("ldap://ldap.example.com").var("BEHALF_ENV", "development");
    assert_eq!(servers(&development)[0].2, LdapSecurity::Clear);
}

#[test]
fn what_is_wrong_is_named() {
    for url in [
        "d.example.com",
        "http://d",
        "ldap://",
        "ldap://d:0",
        "ldap://d:99999",
        "ldap://d:+5",
        "ldap://d/dc=x",
        "ldap://d?x",
        "ldap://[::1",
        "ldap://a b",
    ] {
        ldap(url).refused(&["BEHALF_LDAP_URL"]);
    }
    ldap("ldaps://me:hunter2@d").refused(&["BEHALF_LDAP_URL", "BEHALF_LDAP_BIND_DN"]);
    assert!(!ldap("ldaps://me:hunter2@d").mistakes().join("").contains("hunter2"));
    for (name, value) in [
        ("BEHALF_LDAP_KIND", "novell"),
        ("BEHALF_LDAP_BIND_PASSWORD", ""),
        ("BEHALF_LDAP_BASE", "people"),
        ("BEHALF_LDAP_USER_FILTER", "objectClass=person"),
        ("BEHALF_LDAP_USER_FILTER", "(objectClass=person"),
        ("BEHALF_LDAP_USER_FILTER", "(a=b)(c=d)"),
        ("BEHALF_LDAP_ATTRIBUTES", "login"),
        ("BEHALF_LDAP_ATTRIBUTES", "login=a)(b"),
        ("BEHALF_LDAP_ATTRIBUTES", "login=*"),
        ("BEHALF_LDAP_ATTRIBUTES", "login=uid login=mail"),
        ("BEHALF_LDAP_CONNECTIONS", "0"),
    ] {
        ldap("ldaps://d").var(name, value).refused(&[name]);
    }
    for name in ["BEHALF_LDAP_URL", "BEHALF_LDAP_KIND", "BEHALF_LDAP_BIND_DN", PASSWORD.0, "BEHALF_LDAP_BASE"] {
        ldap("ldaps://d").without(name).refused(&[name, "is missing"]);
    }
    let other = Case::least().file("users.yaml", "").var("BEHALF_LDAP_BASE", "dc=x");
    assert!(other.ok().warnings()[0].contains("BEHALF_LDAP_BASE"), "{:?}", other.ok().warnings());
}
