//! The documents that are made from the table of settings.

use super::*;

const OLD: &str = "TENANT TOKEN USER_TYPE_ID DELEGATED_USER_TYPE_ID ENTITY_TYPE_ID PORT TOKEN_AUD ISSUER \
                   SERVICE_AUTH_SECRET DELEGATED_ACCESS_CLAIMS DELEGATED_IDENTITY_CLAIMS LOG_LEVEL";

/// `#NAME=default` lines of `.env.example`.
fn entries(example: &str) -> Vec<(&str, &str)> {
    let entry = |line: &str| line.strip_prefix('#').is_some_and(|rest| !rest.starts_with([' ', '#']));
    let lines = example.lines().filter(|line| entry(line));
    lines.map(|line| line[1..].split_once('=').unwrap()).collect()
}

/// `BEHALF_TEST_BLESS=1 cargo test --test it env_example` writes it anew.
#[test]
#[expect(clippy::disallowed_methods, reason = "a switch of the test, not of the service")]
fn the_env_example_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".env.example");
    let expected = behalf::config::env_example();
    if std::env::var_os("BEHALF_TEST_BLESS").is_some() {
        fs::write(&path, &expected).unwrap();
    }
    let present = fs::read_to_string(&path).unwrap_or_default();
    assert!(present == expected, ".env.example is out of date; write it anew with BEHALF_TEST_BLESS=1");
}

#[test]
fn both_documents_name_every_variable_once() {
    let (example, table) = (behalf::config::env_example(), behalf::config::markdown_table());
    let names: Vec<_> = entries(&example).into_iter().map(|(name, _)| name).collect();
    let mut distinct = names.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), names.len());
    assert!(names.len() > 40, "{names:?}");
    for name in names {
        assert_eq!(table.matches(&format!("| `{name}`")).count(), 1, "{name}");
    }
    for old in OLD.split_whitespace() {
        assert!(example.contains(&format!("old name {old}")) || example.contains(&format!("\n#{old}=")), "{old}");
        assert!(table.contains(&format!("`{old}`")), "{old}");
    }
    for line in table.lines() {
        assert_eq!(line.matches('|').count() - line.matches("\\|").count(), 5, "{line}");
    }
}

/// What is written as the default is the default: given openly, nothing changes. Those of Redis, LDAP and SCIM are worth a
/// warning without it; their own tests have them.
#[test]
fn the_defaults_in_the_example_are_the_defaults() {
    let example = behalf::config::env_example();
    let case = Case::least().file("users.yaml", "").file("behalf.toml", "");
    let shown = |case: &Case| format!("{:#?}", case.ok());
    let plain = shown(&case);
    let apart =
        |name: &str| ["BEHALF_REDIS_", "BEHALF_LDAP_", "BEHALF_SCIM_"].iter().any(|prefix| name.starts_with(prefix));
    let given = |(name, default): &(&str, &str)| !default.is_empty() && !apart(name);
    let all: Vec<_> = entries(&example).into_iter().filter(given).collect();
    assert!(all.len() > 20);
    assert_eq!(shown(&case.vars(&all)), plain);
}

/// `.env.example` with every comment sign taken away is a file that `.env`'s reader takes.
#[test]
fn the_example_can_be_used_as_dot_env() {
    let example = behalf::config::env_example();
    let lines: Vec<_> = entries(&example).into_iter().map(|(name, default)| format!("{name}={default}")).collect();
    let case = Case::least().file(".env", &lines.join("\n")).file("users.yaml", "").toml("");
    case.var("BEHALF_ENV", "development").ok();
}
