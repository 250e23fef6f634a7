//! The twelve variables of Okta Managed Access, with their old meaning.

use behalf::config::OktaCredentials;
use secrecy::ExposeSecret as _;

use super::*;

/// The twelve.
const OLD: [(&str, &str); 12] = [
    ("TOKEN", "an-okta-api-token-of-old"),
    ("USER_TYPE_ID", "oty-user"),
    ("DELEGATED_USER_TYPE_ID", "oty-delegated"),
    ("ENTITY_TYPE_ID", "oty-entity"),
    ("PORT", "3000"),
    ("TOKEN_AUD", "api://default"),
    ("ISSUER", "https://old.example.com/oauth2/default"),
    ("SERVICE_AUTH_SECRET", "Basic b2xkOnNlY3JldA=="),
    ("DELEGATED_ACCESS_CLAIMS", "email department"),
    ("DELEGATED_IDENTITY_CLAIMS", "email"),
    ("LOG_LEVEL", "http"),
    ("TENANT", "https://old.okta.com/"),
];

#[test]
fn they_work_alone_with_their_old_meaning() {
    let config = Case::empty().vars(&OLD).ok();
    assert_eq!(config.server.bind.to_string(), "0.0.0.0:3000");
    assert_eq!(config.log.filter, "info,behalf=info");
    let tenant = default_tenant(&config);
    assert_eq!((tenant.issuer.as_str(), tenant.audience.as_str()), (OLD[6].1, OLD[5].1));
    assert_eq!(secrets(&config), ["Basic b2xkOnNlY3JldA=="]);
    let types = &tenant.user_types;
    let types = [&types.user, &types.delegatable, &types.entity].map(|t| t.as_deref().unwrap());
    assert_eq!(types, ["oty-user", "oty-delegated", "oty-entity"]);
    let names =
        |claims: &[behalf::domain::claims::MappedClaim]| claims.iter().map(|c| c.claim.clone()).collect::<Vec<_>>();
    assert_eq!(names(&tenant.claims.access), ["email", "department"]);
    assert_eq!(names(&tenant.claims.identity), ["email"]);
    assert!(!format!("{config:?}").contains("an-okta-api-token"));
    let DirectoryKind::Okta(okta) = &tenant.directory.kind else { panic!("{:?}", tenant.directory.kind) };
    assert_eq!(okta.url.as_str(), "https://old.okta.com/");
    let OktaCredentials::Token(token) = &okta.credentials else { panic!("{:?}", okta.credentials) };
    assert_eq!(token.expose_secret(), OLD[0].1);
    assert!(config.warnings().iter().all(|warning| warning.contains("scope")), "{:?}", config.warnings());
}

#[test]
fn they_ask_for_no_scope_and_say_so() {
    let case = Case::empty().vars(&OLD);
    let config = case.ok();
    assert_eq!(default_tenant(&config).api_scope, None);
    assert!(config.warnings().iter().any(|w| w.contains("asks for no scope") && w.contains("BEHALF_API_SCOPE")));
    for case in
        [case.var("BEHALF_API_SCOPE", "act"), Case::empty().vars(&OLD).toml("tenants.default.api.scope = \"act\"")]
    {
        let config = case.ok();
        assert_eq!(default_tenant(&config).api_scope.as_deref(), Some("act"));
        assert!(!config.warnings().iter().any(|w| w.contains("no scope")));
    }
}

#[test]
fn only_all_three_old_names_together_are_the_old_mode() {
    const NAMES: [(&str, &str); 3] =
        [("BEHALF_ISSUER", "ISSUER"), ("BEHALF_AUDIENCE", "TOKEN_AUD"), ("BEHALF_HOOK_SECRET", "SERVICE_AUTH_SECRET")];
    for mask in 0..8_usize {
        let renamed = NAMES.iter().enumerate().filter(|(at, _)| mask & (1 << at) != 0);
        let case = renamed.fold(Case::least(), |case, (_, (new, old))| {
            let value = LEAST.iter().find(|(name, _)| name == new).unwrap().1;
            case.without(new).var(old, value)
        });
        let expected = (mask != 7).then_some("behalf");
        assert_eq!(default_tenant(&case.ok()).api_scope.as_deref(), expected, "{mask:03b}");
    }
    let config = Case::least().vars(&[("PORT", "1"), ("LOG_LEVEL", "info"), ("USER_TYPE_ID", "x")]).ok();
    assert_eq!(default_tenant(&config).api_scope.as_deref(), Some("behalf"));
}

#[test]
fn an_api_token_without_its_directory_is_worth_a_warning() {
    let config = Case::least().var("TOKEN", "an-okta-api-token-of-old").ok();
    assert!(config.warnings().iter().any(|w| w.contains("or TOKEN ")), "{:?}", config.warnings());
    assert!(!config.warnings().iter().any(|w| w.contains("an-okta-api-token")));
}

#[test]
fn a_setting_under_both_names_is_a_mistake() {
    Case::least().var("ISSUER", "https://old.example.com").refused(&["BEHALF_ISSUER, ISSUER are all set", "keep one"]);
}

#[test]
fn port_is_the_port() {
    let bind = |case: Case| case.ok().server.bind.to_string();
    assert_eq!(bind(Case::least().var("PORT", "81")), "0.0.0.0:81");
    assert_eq!(bind(Case::least().var("PORT", "81").toml("server.bind = \"10.1.1.1:80\"")), "10.1.1.1:81");
    assert_eq!(bind(Case::least().var("PORT", "81").var("BEHALF_BIND", "10.1.1.1:81")), "10.1.1.1:81");
    Case::least().var("PORT", "81").var("BEHALF_BIND", "10.1.1.1:80").refused(&[
        "PORT",
        "says 81",
        "BEHALF_BIND says 80",
    ]);
    for bad in ["http", "65536", "-1"] {
        Case::least().var("PORT", bad).refused(&["PORT", "doesn't fit"]);
    }
}

#[test]
fn every_level_of_old_has_one_of_ours() {
    for (old, filter) in [
        ("error", "error,behalf=error"),
        ("warn", "warn,behalf=warn"),
        ("info", "info,behalf=info"),
        ("http", "info,behalf=info"),
        ("verbose", "info,behalf=debug"),
        ("debug", "info,behalf=debug"),
        ("silly", "info,behalf=trace"),
        ("INFO", "info,behalf=info"),
    ] {
        assert_eq!(Case::least().var("LOG_LEVEL", old).ok().log.filter, filter, "{old}");
    }
    assert_eq!(Case::least().var("LOG_LEVEL", "debug").var("BEHALF_LOG", "warn").ok().log.filter, "warn");
    Case::least().var("LOG_LEVEL", "loud").refused(&["LOG_LEVEL", "`loud` is unknown", "`silly`"]);
}
