//! Redis as the store: what is read, what is refused, and that no password is shown.

use std::time::Duration;

use behalf::config::{RedisSettings, RedisTopology};

use super::*;

const PASSWORD: (&str, &str) = ("BEHALF_REDIS_PASSWORD", "hunter2-of-redis");

/// The least with the Redis store at `url`.
fn redis(url: &str) -> Case {
    let case = Case::least().file("signing.pem", "").file("users.yaml", "");
    case.vars(&[("BEHALF_STORE", url), ("BEHALF_SIGNING_KEY_FILE", "signing.pem")])
}

#[track_caller]
fn settings(case: &Case) -> RedisSettings {
    match case.ok().store {
        StoreKind::Redis(settings) => *settings,
        other => panic!("{other:?}"),
    }
}

fn password(secret: Option<&secrecy::SecretString>) -> Option<&str> {
    secret.map(secrecy::SecretString::expose_secret)
}

#[test]
fn an_address_is_enough() {
    let case = redis("redis://r");
    let read = settings(&case);
    assert!(matches!(&read.topology, RedisTopology::Standalone(address) if address.to_string() == "r:6379"));
    assert!(read.database == 0 && !read.tls && read.username.is_none() && read.password.is_none());
    assert!(read.sentinel_username.is_none() && read.sentinel_password.is_none());
    assert_eq!((read.client_name.as_str(), read.connections), ("behalf", 1));
    assert_eq!((read.connect_timeout, read.response_timeout), (Duration::from_secs(1), Duration::from_millis(500)));
    assert_eq!(case.ok().audit.keep.as_secs(), 7 * 86_400);
    assert!(case.ok().warnings().is_empty(), "{:?}", case.ok().warnings());
}

/// What is written as the default is the default.
#[test]
fn the_documented_defaults_are_the_defaults() {
    let example = behalf::config::env_example();
    let lines = example.lines().filter_map(|line| line.strip_prefix("#BEHALF_REDIS_")?.split_once('='));
    let given: Vec<_> = lines.filter(|(_, default)| !default.is_empty()).collect();
    assert_eq!(given.len(), 4, "{given:?}");
    let case = redis("redis://r");
    let plain = format!("{:?}", case.ok());
    let case = given.iter().fold(case, |case, (name, value)| case.var(&format!("BEHALF_REDIS_{name}"), value));
    assert_eq!(format!("{:?}", case.ok()), plain);
}

/// Variable, key, a value that differs from the default, what `Debug` shows of it.
const SAMPLES: &[(&str, &str, &str, &str)] = &[
    ("BEHALF_REDIS_USERNAME", "username", "sample", "username: Some(\"sample\")"),
    ("BEHALF_REDIS_SENTINEL_USERNAME", "sentinel_username", "sample", "sentinel_username: Some(\"sample\")"),
    ("BEHALF_REDIS_CLIENT_NAME", "client_name", "sample", "client_name: \"sample\""),
    ("BEHALF_REDIS_CONNECTIONS", "connections", "16", "connections: 16"),
    ("BEHALF_REDIS_CONNECT_TIMEOUT", "connect_timeout", "77ms", "connect_timeout: 77ms"),
    ("BEHALF_REDIS_RESPONSE_TIMEOUT", "response_timeout", "77ms", "response_timeout: 77ms"),
];

#[test]
fn each_takes_effect_by_variable_and_by_key() {
    let url = "redis-sentinel://s/m";
    let secrets = "[store.redis]\npassword = \"hunter2\"\nsentinel_password = \"hunter3\"\n";
    let before = format!("{:?}", redis(url).toml(secrets).ok());
    for (variable, key, value, shows) in SAMPLES {
        assert!(!before.contains(shows), "{variable}: the default shows it already");
        let by_variable = redis(url).toml(secrets).var(variable, value);
        let by_key = redis(url).toml(&format!("{secrets}{key} = \"{value}\"\n"));
        for case in [by_variable, by_key] {
            let shown = format!("{:?}", case.ok());
            assert!(shown.contains(shows), "{variable}: `{shows}` is not in {shown}");
        }
    }
}

#[test]
fn passwords_come_by_variable_by_key_and_by_file() {
    let names = ["BEHALF_REDIS_PASSWORD", "BEHALF_REDIS_SENTINEL_PASSWORD"];
    let sentinels = || redis("redis-sentinel://s/m").file("one", "hunter2\n").file("two", "hunter3\r\n");
    for case in [
        sentinels().var(names[0], "hunter2").var(names[1], "hunter3"),
        sentinels().var(&format!("{}_FILE", names[0]), "one").var(&format!("{}_FILE", names[1]), "two"),
        sentinels().toml("[store.redis]\npassword = \"hunter2\"\nsentinel_password = \"hunter3\""),
        sentinels().toml("[store.redis]\npassword_file = \"one\"\nsentinel_password_file = \"two\""),
    ] {
        let read = settings(&case);
        let read = (password(read.password.as_ref()), password(read.sentinel_password.as_ref()));
        assert_eq!(read, (Some("hunter2"), Some("hunter3")));
        let shown = format!("{:?} {:#?} {:?}", case.ok(), case.ok(), case.ok().warnings());
        assert!(!shown.contains("hunter"), "{shown}");
    }
    let both = sentinels().var(names[0], "hunter2").var(&format!("{}_FILE", names[0]), "one");
    both.refused(&["BEHALF_REDIS_PASSWORD, BEHALF_REDIS_PASSWORD_FILE are all set"]);
    sentinels().var(&format!("{}_FILE", names[1]), "three").refused(&["BEHALF_REDIS_SENTINEL_PASSWORD", "three"]);
}

#[test]
fn a_password_is_one_line() {
    for wrong in ["", " hunter2", "hunter2 ", "hun\nter2", "hunter2\t"] {
        for (name, url) in
            [("BEHALF_REDIS_PASSWORD", "redis://r"), ("BEHALF_REDIS_SENTINEL_PASSWORD", "redis-sentinel://s/m")]
        {
            let case = redis(url).file("secret", wrong).var(&format!("{name}_FILE"), "secret");
            case.refused(&[name, "is empty, or holds", "one line"]);
            assert!(!case.mistakes()[0].contains("ter2"), "{:?}", case.mistakes());
        }
    }
}

#[test]
fn a_password_in_the_url_is_refused_and_not_shown() {
    const REMEDY: &str = "put it into BEHALF_REDIS_PASSWORD or the file named by BEHALF_REDIS_PASSWORD_FILE";
    for url in [
        "redis://:hunter2@r",
        "rediss://me:hunter2@r/1",
        "redis-sentinel://me:hunter2@s/m",
        "redis-cluster://me:hun@ter2/hunter2@s",
    ] {
        let by_key = redis("").without("BEHALF_STORE").toml(&format!("store.url = \"{url}\""));
        for case in [redis(url), by_key] {
            case.refused(&["BEHALF_STORE (key `store.url`): holds a password", REMEDY]);
            assert!(!case.mistakes()[0].contains("ter2"), "{:?}", case.mistakes());
        }
    }
    for toml in ["store.url = [\"redis://:hunter2@r\"]", "store.redis = \"hunter2\"", "store = \"redis://:hunter2@r\""]
    {
        let said = redis("").without("BEHALF_STORE").toml(toml).mistakes().join("\n");
        assert!(said.contains("store") && !said.contains("hunter2"), "{said}");
    }
    let said = redis("redis://r").var("BEHALF_REDIS_PASWORD", "hunter2").mistakes().join("\n");
    assert!(said.contains("BEHALF_REDIS_PASSWORD") && !said.contains("hunter2"), "{said}");
}

/// Each kind of mistake in a URL is tested beside its parser; here, that it comes with the variable's name.
#[test]
fn a_wrong_url_names_the_variable_and_the_form() {
    for (url, said) in [
        ("redis://", "write `redis://[user@]host[:6379][/db]`"),
        ("rediss://r:x", "write `rediss://[user@]host[:6379][/db]`"),
        ("redis-sentinel://s", "write `redis-sentinel://[user@]host[:26379],host2/<master-name>[/db][?tls=true]`"),
        ("redis-cluster://c?x", "write `redis-cluster://[user@]host[:6379],host2[?tls=true]`"),
        ("redis+cluster://c", "give `embedded:<directory>`, `memory`, `redis://…`"),
    ] {
        redis(url).refused(&["BEHALF_STORE (key `store.url`): ", said]);
    }
}

#[test]
fn a_user_is_named_once_and_has_a_password() {
    let named = |url: &str| redis(url).vars(&[PASSWORD]);
    for case in [
        named("redis://me@r"),
        named("redis://r").var("BEHALF_REDIS_USERNAME", "me"),
        named("redis://me@r").var("BEHALF_REDIS_USERNAME", "me"),
    ] {
        assert_eq!(settings(&case).username.as_deref(), Some("me"));
    }
    assert_eq!(settings(&named("redis://r")).username, None);
    let other = named("redis://me@r").var("BEHALF_REDIS_USERNAME", "you");
    other.refused(&["BEHALF_REDIS_USERNAME", "is another than the one in BEHALF_STORE", "keep one"]);
    for case in [redis("redis://hunter2@r"), redis("redis://r").var("BEHALF_REDIS_USERNAME", "hunter2")] {
        case.refused(&["BEHALF_REDIS_PASSWORD (key", "is missing beside the username", "BEHALF_REDIS_PASSWORD_FILE"]);
        assert!(!case.mistakes()[0].contains("hunter2"), "a password may have been taken for a name");
    }
    let case = redis("redis-sentinel://s/m").var("BEHALF_REDIS_SENTINEL_USERNAME", "me");
    case.refused(&["BEHALF_REDIS_SENTINEL_PASSWORD", "is missing beside the username"]);
    for name in ["BEHALF_REDIS_USERNAME", "BEHALF_REDIS_SENTINEL_USERNAME"] {
        let case = redis("redis-sentinel://s/m").vars(&[PASSWORD, (name, "hun ter2")]);
        case.refused(&[name, "can't be the name of a Redis user", "without spaces"]);
        assert!(!case.mistakes()[0].contains("ter2"));
    }
}

#[test]
fn values_out_of_bounds_are_refused() {
    for (name, wrong, remedy) in [
        ("BEHALF_REDIS_CLIENT_NAME", "be half", "without spaces"),
        ("BEHALF_REDIS_CLIENT_NAME", "be\nhalf", "without spaces"),
        ("BEHALF_REDIS_CLIENT_NAME", "bé", "printable ASCII"),
        ("BEHALF_REDIS_CONNECTIONS", "0", "from 1 to 16"),
        ("BEHALF_REDIS_CONNECTIONS", "17", "from 1 to 16"),
        ("BEHALF_REDIS_CONNECT_TIMEOUT", "49ms", "50ms to 30s"),
        ("BEHALF_REDIS_CONNECT_TIMEOUT", "31s", "50ms to 30s"),
        ("BEHALF_REDIS_RESPONSE_TIMEOUT", "49ms", "50ms to 30s"),
        ("BEHALF_REDIS_RESPONSE_TIMEOUT", "30001ms", "50ms to 30s"),
        ("BEHALF_REDIS_RESPONSE_TIMEOUT", "1", "not a span of time"),
    ] {
        redis("redis://r").var(name, wrong).refused(&[name, remedy]);
    }
}

#[test]
fn replicas_share_a_signing_key_and_write_no_file() {
    redis("redis://r")
        .without("BEHALF_SIGNING_KEY_FILE")
        .refused(&["BEHALF_SIGNING_KEY_FILE (key `audit.signing_key_file`): is missing", "the same for every replica"]);
    let case = redis("redis://r").var("BEHALF_AUDIT_SINK", "file:audit.jsonl");
    case.refused(&["BEHALF_AUDIT_SINK", "each replica", "give `stdout`", "`behalf audit export`"]);
    redis("redis://r").var("BEHALF_AUDIT_SINK", "stdout").ok();
    Case::least().var("BEHALF_AUDIT_SINK", "file:audit.jsonl").ok();
    assert_eq!(redis("redis://r").var("BEHALF_AUDIT_KEEP", "90d").ok().audit.keep.as_secs(), 90 * 86_400);
    assert_eq!(redis("redis://r").toml("audit.keep = \"8d\"").ok().audit.keep.as_secs(), 8 * 86_400);
}

#[test]
fn all_mistakes_come_at_once_also_beside_a_wrong_url() {
    let case = redis("redis://me:hunter2@r").without("BEHALF_SIGNING_KEY_FILE").vars(&[
        ("BEHALF_AUDIT_SINK", "file:x"),
        ("BEHALF_REDIS_USERNAME", "me"),
        ("BEHALF_REDIS_SENTINEL_USERNAME", "me"),
        ("BEHALF_REDIS_CLIENT_NAME", "a b"),
        ("BEHALF_REDIS_CONNECTIONS", "0"),
        ("BEHALF_REDIS_CONNECT_TIMEOUT", "0s"),
        ("BEHALF_REDIS_RESPONSE_TIMEOUT", "0s"),
    ]);
    let said = case.mistakes();
    let places: Vec<_> = said.iter().filter_map(|mistake| mistake.split(' ').next()).collect();
    assert_eq!(
        places,
        [
            "BEHALF_STORE",
            "BEHALF_REDIS_PASSWORD",
            "BEHALF_REDIS_SENTINEL_PASSWORD",
            "BEHALF_REDIS_CLIENT_NAME",
            "BEHALF_REDIS_CONNECTIONS",
            "BEHALF_REDIS_CONNECT_TIMEOUT",
            "BEHALF_REDIS_RESPONSE_TIMEOUT",
            "BEHALF_SIGNING_KEY_FILE",
            "BEHALF_AUDIT_SINK",
        ]
    );
    assert!(!said.join("\n").contains("hunter2"), "{said:#?}");
}

#[test]
fn an_answer_that_may_take_longer_than_a_commit_is_worth_a_warning() {
    let slow = redis("redis://r").toml(
        "store.redis.response_timeout = \"400ms\"\n[tenants.acme]\nissuer = \"https://acme.example.com\"\n\
         audience = \"a\"\nhook.secret = \"another-secret-of-a-hook\"\nbudgets.commit = \"399ms\"\n\
         directory.users_file = \"users.yaml\"",
    );
    let warnings = slow.ok().warnings().to_vec();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    for part in ["BEHALF_REDIS_RESPONSE_TIMEOUT", "400ms", "399ms", "tenant `acme`", "BEHALF_BUDGET_COMMIT"] {
        assert!(warnings[0].contains(part), "{warnings:?}");
    }
    let case = redis("redis://r").var("BEHALF_REDIS_RESPONSE_TIMEOUT", "501ms");
    assert!(case.ok().warnings()[0].contains("tenant `default`"));
}

/// What Kubernetes sets for a Service called `behalf-redis` is no setting.
const SERVICE_LINKS: [(&str, &str); 2] =
    [("BEHALF_REDIS_SERVICE_HOST", "10.0.0.1"), ("BEHALF_REDIS_PORT", "tcp://10.0.0.1:6379")];

#[test]
fn settings_of_redis_for_another_store_are_worth_a_warning() {
    for store in ["memory", "embedded:x"] {
        let case = Case::least().file("users.yaml", "").var("BEHALF_STORE", store).vars(&SERVICE_LINKS);
        assert!(case.ok().warnings().is_empty(), "{:?}", case.ok().warnings());
        let case = case.toml("store.redis.connections = 99").vars(&[
            ("BEHALF_REDIS_USERNAME", "me"),
            ("BEHALF_REDIS_SENTINEL_PASSWORD", "hunter3"),
            ("BEHALF_REDIS_PASSWORD_FILE", "missing"),
        ]);
        let warnings = case.ok().warnings().to_vec();
        let names = ["USERNAME", "PASSWORD", "SENTINEL_PASSWORD", "CONNECTIONS"];
        assert_eq!(warnings.len(), names.len(), "{warnings:?}");
        for (warning, name) in warnings.iter().zip(names) {
            assert!(warning.starts_with(&format!("BEHALF_REDIS_{name} (key")), "{warning}");
            assert!(warning.contains("means nothing unless Redis is the store (BEHALF_STORE)"), "{warning}");
            assert!(!warning.contains("hunter"), "{warning}");
        }
    }
}

#[test]
fn settings_of_sentinels_without_sentinels_are_worth_a_warning() {
    let account = [("BEHALF_REDIS_SENTINEL_USERNAME", "me"), ("BEHALF_REDIS_SENTINEL_PASSWORD", "hunter3")];
    for (url, warned) in [("redis://r", 2), ("redis-cluster://c", 2), ("redis-sentinel://s/m", 0)] {
        let config = redis(url).vars(&account).ok();
        assert_eq!(config.warnings().len(), warned, "{:?}", config.warnings());
        assert!(config.warnings().iter().all(|w| w.contains("means nothing without sentinels")));
    }
}
