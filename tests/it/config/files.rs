//! Where a value comes from.

use super::*;

const TENANT: &str = r#"
[tenants.default]
issuer = "https://file.example.com"
audience = "api://file"
hook.secret = "the-secret-of-the-file"
"#;

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_default() {
    let case = Case::empty().toml(&format!("[server]\nbind = \"0.0.0.0:9000\"\nworkers = 3\n{TENANT}"));
    let config = case.ok();
    assert_eq!((config.server.bind.to_string().as_str(), config.server.workers), ("0.0.0.0:9000", 3));
    assert_eq!(secrets(&config), ["the-secret-of-the-file"]);
    let case = case.var("BEHALF_BIND", "127.0.0.1:7000").var("BEHALF_AUDIENCE", "api://variable");
    let config = case.var("BEHALF_HOOK_SECRET", "the-secret-of-the-variable").ok();
    assert_eq!((config.server.bind.port(), config.server.workers), (7000, 3));
    assert_eq!(default_tenant(&config).audience, "api://variable");
    assert_eq!(default_tenant(&config).issuer.as_str(), "https://file.example.com");
    assert_eq!(secrets(&config), ["the-secret-of-the-variable"]);
}

#[test]
fn an_empty_variable_is_not_set() {
    let config = Case::least().toml("log.format = \"pretty\"").var("BEHALF_LOG_FORMAT", "").var("BEHALF_TYPO", "").ok();
    assert_eq!(config.log.format, LogFormat::Pretty);
    Case::least().var("BEHALF_ISSUER", "").refused(&["BEHALF_ISSUER", "is missing"]);
}

#[test]
fn a_named_file_must_be_there_and_the_default_need_not() {
    Case::least().var("BEHALF_CONFIG", "other.toml").refused(&["BEHALF_CONFIG", "other.toml", "can't be read"]);
    let config = Case::least().var("BEHALF_CONFIG", "other.toml").file("other.toml", "metrics.enabled = false").ok();
    assert_eq!(config.metrics, MetricsAt::Nowhere);
}

#[test]
fn a_file_that_is_no_toml_is_refused_without_showing_it() {
    let case = Case::least().toml("[tenants.default]\nhook.secret = \"hunter2-hunter2\nissuer = 1\n");
    case.refused(&["behalf.toml", "line 2"]);
    assert!(!case.mistakes()[0].contains("hunter2"));
}

#[test]
fn a_secret_can_come_from_a_file_of_its_own() {
    for variable in ["BEHALF_HOOK_SECRET_FILE", "SERVICE_AUTH_SECRET_FILE"] {
        let case = Case::least().without("BEHALF_HOOK_SECRET").file("hook", "the-secret-in-a-file\r\n");
        assert_eq!(secrets(&case.var(variable, "hook").ok()), ["the-secret-in-a-file"], "{variable}");
    }
    let case = Case::least().without("BEHALF_HOOK_SECRET").file("hook", "the-secret-in-a-file\n");
    let config = case.toml("[tenants.default]\nhook.secret_file = \"hook\"").ok();
    assert_eq!(secrets(&config), ["the-secret-in-a-file"]);
}

#[test]
fn a_secrets_file_that_is_missing_or_empty_is_a_mistake() {
    let case = Case::least().without("BEHALF_HOOK_SECRET").var("BEHALF_HOOK_SECRET_FILE", "hook");
    case.refused(&["BEHALF_HOOK_SECRET", "tenants.default.hook.secret", "can't be read"]);
    case.file("hook", "\n").refused(&["BEHALF_HOOK_SECRET", "HTTP header"]);
}

#[test]
fn a_secret_given_twice_is_a_mistake() {
    Case::least()
        .var("BEHALF_HOOK_SECRET_FILE", "x")
        .refused(&["BEHALF_HOOK_SECRET, BEHALF_HOOK_SECRET_FILE", "all set"]);
    Case::least().var("SERVICE_AUTH_SECRET", "x").refused(&["BEHALF_HOOK_SECRET, SERVICE_AUTH_SECRET", "all set"]);
    let case = Case::least().without("BEHALF_HOOK_SECRET");
    let case = case.toml("[tenants.default.hook]\nsecret = \"a-secret-of-the-hook\"\nsecret_file = \"x\"");
    case.refused(&["`secret` and `secret_file`", "keep one"]);
}

#[test]
fn a_secret_that_no_header_can_carry_is_refused_and_not_shown() {
    for bad in [" hunter2-hunter2", "hunter2-hunter2\t", "hunter2\nhunter2", "hunter2-hünter2"] {
        let case = Case::least().var("BEHALF_HOOK_SECRET", bad);
        case.refused(&["BEHALF_HOOK_SECRET", "HTTP header"]);
        assert!(!case.mistakes()[0].contains("hunter2"), "{bad:?}");
    }
}

#[test]
fn dot_env_is_read_in_development_only_and_below_the_environment() {
    let dot_env = "BEHALF_AUDIENCE=api://dot-env\nBEHALF_WORKERS=7\n";
    let case = Case::least().file(".env", dot_env);
    assert_eq!(default_tenant(&case.ok()).audience, "api://behalf");
    assert_ne!(case.ok().server.workers, 7);
    let config = case.var("BEHALF_ENV", "development").ok();
    assert_eq!(default_tenant(&config).audience, "api://behalf");
    assert_eq!(config.server.workers, 7);
    Case::least().var("BEHALF_ENV", "dev").refused(&["BEHALF_ENV", "`dev` is unknown", "`development`"]);
    Case::least().var("BEHALF_ENV", "development").ok();
}

#[test]
fn a_bad_dot_env_is_a_mistake_that_does_not_show_the_line() {
    let case = Case::least().var("BEHALF_ENV", "development").file(".env", "BEHALF_WORKERS=7\nhunter2 hunter2\n");
    case.refused(&[".env, entry 2", "NAME=value"]);
    assert!(!case.mistakes()[0].contains("hunter2"));
    Case::least().var("BEHALF_ENV", "development").file(".env", "BEHALF_WORKER=7").refused(&["BEHALF_WORKER:"]);
}

#[cfg(unix)]
#[test]
fn what_is_not_utf_8_is_a_mistake_only_where_it_concerns_us() {
    use std::{ffi::OsString, os::unix::ffi::OsStringExt as _};
    let case = Case::least();
    let with = |name: &str| {
        let mut vars: Vec<(OsString, OsString)> =
            case.vars.iter().map(|(name, value)| (name.into(), value.into())).collect();
        vars.push((name.into(), OsString::from_vec(vec![0xff])));
        Config::load(vars, case.path())
    };
    assert!(with("SOMEBODY_ELSES").is_ok());
    let mistakes = with("BEHALF_LOG_LEVEL").unwrap_err().to_string();
    assert!(mistakes.contains("BEHALF_LOG_LEVEL: is not UTF-8"), "{mistakes}");
}

#[test]
fn other_tenants_are_configured_by_the_file_alone() {
    let acme = "[tenants.acme]\nissuer = \"https://acme.example.com\"\naudience = \"api://acme\"\nhook.secret_file = \"acme\"\n";
    let case = Case::empty().file("acme", "the-secret-of-acme-inc\n").toml(acme);
    let config = case.ok();
    let names: Vec<_> = config.tenants.keys().map(TenantName::as_str).collect();
    assert_eq!(names, ["acme"], "no variable of the default tenant is set, so there is none");
    // Variables of the tenants' settings are the default tenant's and make one.
    let config = case.vars(&LEAST).ok();
    let names: Vec<_> = config.tenants.keys().map(TenantName::as_str).collect();
    assert_eq!(names, ["acme", "default"]);
    let acme = &config.tenants[&TenantName::parse("acme").unwrap()];
    assert_eq!((acme.audience.as_str(), acme.api_scope.as_deref()), ("api://acme", Some("behalf")));
}

#[test]
fn rules_are_read_for_their_tenant() {
    let rules =
        "[[tenants.default.rules]]\nname = \"short\"\nwhen = { scopes = [\"pay\"] }\nmax_token_lifetime = \"10m\"\n";
    let config = Case::least().toml(rules).ok();
    let rule = &default_tenant(&config).rules[0];
    assert_eq!((rule.name.as_str(), rule.max_token_lifetime), ("short", Some(600)));
    let approval = "[[tenants.default.rules]]\nname = \"x\"\nstages = [\"approval\"]\napproval = { type = \"approve\", approvers = [\"user:00u1\"] }";
    assert!(default_tenant(&Case::least().toml(approval).ok()).rules[0].approval.is_some());
    let elevation = approval.replace("[\"approval\"]", "[\"elevation\"]");
    Case::least()
        .toml(&elevation)
        .refused(&["behalf.toml:3: tenants.default.rules[0] (\"x\")", "stage `elevation` isn't built yet"]);
}

#[test]
fn a_file_of_users_is_found_where_it_lies() {
    let case = Case::least().file("users.yaml", "users: []");
    assert_eq!(users_file(default_tenant(&case.ok())), Some(case.path().join("users.yaml")));
    assert_eq!(case.ok().warnings(), Vec::<String>::new());
    Case::least().var("BEHALF_USERS_FILE", "nobody.yaml").refused(&[
        "BEHALF_USERS_FILE",
        "directory.users_file",
        "nobody.yaml",
    ]);
}
