//! The Okta directory.

use behalf::config::{OktaCredentials, OktaSettings};

use super::*;

fn with_token() -> Case {
    Case::least().vars(&[("BEHALF_OKTA_URL", "example.okta.com"), ("BEHALF_OKTA_TOKEN", "00an-api-token")])
}

fn with_app() -> Case {
    let case = Case::least().file("app.pem", "-----BEGIN PRIVATE KEY-----\n");
    let app = [
        ("BEHALF_OKTA_URL", "https://example.okta.com"),
        ("BEHALF_OKTA_CLIENT_ID", "0oaapp"),
        ("BEHALF_OKTA_KEY_FILE", "app.pem"),
    ];
    case.vars(&app)
}

fn okta(tenant: &Tenant) -> &OktaSettings {
    let DirectoryKind::Okta(okta) = &tenant.directory.kind else { panic!("{:?}", tenant.directory.kind) };
    okta
}

#[test]
fn an_address_selects_it_and_so_does_its_word() {
    for case in [with_token(), with_token().var("BEHALF_DIRECTORY", "okta")] {
        let config = case.ok();
        assert_eq!(okta(default_tenant(&config)).url.as_str(), "https://example.okta.com/");
        assert!(matches!(okta(default_tenant(&config)).credentials, OktaCredentials::Token(_)));
        assert_eq!(config.warnings(), Vec::<String>::new());
        assert!(!format!("{config:?}").contains("00an-api-token"));
    }
}

#[test]
fn a_service_app_signs_in_with_its_key() {
    for (case, id) in [(with_app(), None), (with_app().var("BEHALF_OKTA_KEY_ID", "k1"), Some("k1"))] {
        let config = case.ok();
        let OktaCredentials::App { client_id, key_file, key_id } = &okta(default_tenant(&config)).credentials else {
            panic!("no app")
        };
        assert_eq!((client_id.as_str(), key_id.as_deref()), ("0oaapp", id));
        assert_eq!(*key_file, case.path().join("app.pem"));
    }
}

#[test]
fn another_tenant_has_it_by_keys() {
    let toml = "[tenants.acme]\nissuer = \"https://acme.example.com\"\naudience = \"api://acme\"\n\
                hook.secret = \"a-secret-of-acme\"\n\
                directory = { kind = \"okta\", okta = { url = \"acme.okta.com\", token = \"00acme\" } }\n";
    let config = Case::least().toml(toml).ok();
    let acme = &config.tenants[&TenantName::parse("acme").unwrap()];
    assert_eq!(okta(acme).url.as_str(), "https://acme.okta.com/");
    assert!(matches!(default_tenant(&config).directory.kind, DirectoryKind::Embedded(_)));
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let both = with_app().var("BEHALF_OKTA_TOKEN", "00an-api-token");
    both.refused(&["BEHALF_OKTA_TOKEN or TOKEN", "besides a service app", "keep one"]);
    with_token().without("BEHALF_OKTA_TOKEN").refused(&["BEHALF_OKTA_TOKEN or TOKEN", "is missing"]);
    with_app().without("BEHALF_OKTA_KEY_FILE").refused(&["BEHALF_OKTA_KEY_FILE", "is missing"]);
    with_app().without("BEHALF_OKTA_CLIENT_ID").refused(&["BEHALF_OKTA_CLIENT_ID", "is missing"]);
    with_app().var("BEHALF_OKTA_KEY_FILE", "nowhere.pem").refused(&["BEHALF_OKTA_KEY_FILE", "nowhere.pem"]);
    with_token()
        .without("BEHALF_OKTA_URL")
        .var("BEHALF_DIRECTORY", "okta")
        .refused(&["BEHALF_OKTA_URL or TENANT", "is missing"]);
    with_token()
        .var("BEHALF_OKTA_URL", "https://example-admin.okta.com")
        .refused(&["write `https://example.okta.com`"]);
    let clear = with_token().var("BEHALF_OKTA_URL", "http://example.okta.com");
    clear.refused(&["BEHALF_OKTA_URL", "in the clear", "BEHALF_ENV=development"]);
    clear.var("BEHALF_ENV", "development").ok();
}

#[test]
fn settings_of_a_directory_that_is_not_used_are_worth_a_warning() {
    let config = with_token().var("BEHALF_DIRECTORY", "embedded").file("users.yaml", "users: []").ok();
    let warnings = config.warnings();
    assert!(warnings.iter().any(|warning| warning.contains("BEHALF_OKTA_URL")), "{warnings:?}");
    assert!(!warnings.iter().any(|warning| warning.contains("00an-api-token")), "{warnings:?}");
}
