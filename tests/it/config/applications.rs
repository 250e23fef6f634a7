//! Applications without OIDC, and the key of one-time codes.

use super::*;

/// 32 bytes each.
const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const OTHER_KEY: &str = "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=";

const ACCOUNT: &str = "[[tenants.default.shared_accounts]]\nid = \"00udba\"\ngroup = \"00g1\"\n";
const ERP: &str = "[[tenants.default.applications]]\nuri = \"https://erp.example.com\"\nkeys_file = \"erp.keys\"\n\
                   may = [\"lock_check\"]\n";
const WITH_CODES: &str = "[[tenants.default.applications]]\nuri = \"https://erp.example.com\"\n\
                          keys_file = \"erp.keys\"\nmay = [\"otp\"]\naccounts = [\"00udba\"]\n";

fn case(toml: &str) -> Case {
    let case = Case::least().file("erp.keys", &format!("{KEY}\n{OTHER_KEY}\n")).file("otp.key", OTHER_KEY);
    case.var("BEHALF_APPLICATIONS_AUDIENCE", "https://behalf.example.com").toml(toml)
}

#[test]
fn an_application_is_registered() {
    let config = case(ERP).ok();
    let tenant = default_tenant(&config);
    assert_eq!(tenant.applications[0].uri.as_str(), "https://erp.example.com");
    assert_eq!(tenant.applications[0].keys.len(), 2);
    assert_eq!(config.applications_audience.as_deref(), Some("https://behalf.example.com"));
    assert!(config.otp_keys.is_none());
    let shown = format!("{config:?} {config:#?}");
    assert!(!shown.contains("0123456789abcdef") && !shown.contains("48, 49, 50"), "a key is shown");
}

#[test]
fn where_there_are_applications_their_audience_is_needed() {
    let refused = ["BEHALF_APPLICATIONS_AUDIENCE (key `applications.audience`)", "is missing"];
    case(ERP).without("BEHALF_APPLICATIONS_AUDIENCE").refused(&refused);
}

#[test]
fn codes_need_a_key() {
    let toml = format!("{ACCOUNT}{WITH_CODES}");
    case(&toml).refused(&["BEHALF_OTP_KEY_FILE (key `otp.key_file`)", "is missing"]);
    let config = case(&toml).var("BEHALF_OTP_KEY_FILE", "otp.key").ok();
    assert!(config.otp_keys.is_some());
    let by_key = format!("[otp]\nkey_file = \"otp.key\"\n{toml}");
    assert!(case(&by_key).ok().otp_keys.is_some());
    for (content, what) in [("c2hvcnQ=", "wrong size"), ("", "has 0 keys"), ("not base64!", "is not base64")] {
        let case = case(&toml).file("bad.key", content).var("BEHALF_OTP_KEY_FILE", "bad.key");
        case.refused(&["BEHALF_OTP_KEY_FILE", what]);
    }
}

#[test]
fn an_issuer_is_no_application() {
    let toml = ERP.replace("https://erp.example.com", "https://id.example.com/oauth2/default");
    case(&toml).refused(&["tenants.default.applications[0]", "is the issuer of a tenant"]);
}

#[test]
fn a_key_of_two_tenants_is_worth_a_word() {
    let second = "[tenants.acme]\nissuer = \"https://acme.example.com\"\naudience = \"api://acme\"\n\
                  hook = { secret = \"a-secret-of-acmes-hook\" }\n";
    let toml = format!("{second}{ERP}{}", ERP.replace("tenants.default", "tenants.acme"));
    let config = case(&toml).ok();
    let said = config.warnings().iter().filter(|warning| warning.contains("give each its own")).count();
    assert_eq!(said, 2, "{:?}", config.warnings());
}
