//! Every setting has an effect, by variable as well as by key: none is documented and then forgotten.

use super::*;

/// Variable, TOML key (empty: none), a value that differs from the default, what `Debug` shows of it.
const SAMPLES: &[(&str, &str, &str, &str)] = &[
    ("BEHALF_BIND", "server.bind", "10.9.8.7:65", "10.9.8.7:65"),
    ("PORT", "", "6543", "0.0.0.0:6543"),
    ("BEHALF_CORS_ORIGINS", "server.cors_origins", "https://c.example.com", "https://c.example.com"),
    ("BEHALF_WORKERS", "server.workers", "77", "workers: 77"),
    ("BEHALF_SHUTDOWN_GRACE", "server.shutdown_grace", "77s", "shutdown_grace: 77s"),
    ("BEHALF_DRAIN_DELAY", "server.drain_delay", "77s", "drain_delay: 77s"),
    ("BEHALF_DOCS", "server.docs", "on", "docs: true"),
    ("BEHALF_RATE_LIMIT", "server.rate_limit", "77", "rate_limit: 77"),
    ("BEHALF_APPLICATIONS_AUDIENCE", "applications.audience", "https://sample.test", "applications_audience: Some"),
    ("BEHALF_METRICS", "metrics.enabled", "off", "metrics: Nowhere"),
    ("BEHALF_METRICS_BIND", "metrics.bind", "10.9.8.7:66", "metrics: Own(10.9.8.7:66)"),
    ("BEHALF_LOG_LEVEL", "log.level", "silly", "behalf=trace"),
    ("BEHALF_LOG_FORMAT", "log.format", "pretty", "Pretty"),
    ("BEHALF_LOG", "log.filter", "warn,x=debug", "warn,x=debug"),
    (
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "traces.endpoint",
        "http://collector.test:4318",
        "endpoint: \"http://collector.test:4318/v1/traces\"",
    ),
    ("BEHALF_STORE", "store.url", "memory", "Memory"),
    ("BEHALF_CA_FILE", "outbound.ca_file", "sample", "ca_file: Some"),
    ("BEHALF_SIGNING_KEY_FILE", "audit.signing_key_file", "sample", "signing_key: Some"),
    ("BEHALF_SIGNING_KEY_PREVIOUS_FILE", "audit.previous_signing_key_file", "sample", "former_key: Some"),
    ("BEHALF_AUDIT_SINK", "audit.sink", "stdout", "sink: Stdout"),
    ("BEHALF_AUDIT_KEEP", "audit.keep", "77h", "keep: 277200s"),
    ("BEHALF_ISSUER", "tenants.default.issuer", "https://sample.example.com", "https://sample.example.com"),
    ("BEHALF_AUDIENCE", "tenants.default.audience", "api://sample", "api://sample"),
    ("BEHALF_HOOK_HEADER", "tenants.default.hook.header", "X-Sample", "header: \"x-sample\""),
    ("BEHALF_API_SCOPE", "tenants.default.api.scope", "sample", "api_scope: Some(\"sample\")"),
    ("BEHALF_USER_CLAIM", "tenants.default.identity.user_claim", "sample", "user_claim: \"sample\""),
    ("BEHALF_USERS_FILE", "tenants.default.directory.users_file", "sample", "users_file: Some"),
    ("BEHALF_USERS_RELOAD", "tenants.default.directory.reload", "77s", "reload: 77s"),
    ("BEHALF_DIRECTORY_CONCURRENCY", "tenants.default.directory.concurrency", "77", "concurrency: 77"),
    ("BEHALF_USER_TYPE_ID", "tenants.default.user_types.user", "sample", "user: Some(\"sample\")"),
    (
        "BEHALF_DELEGATED_USER_TYPE_ID",
        "tenants.default.user_types.delegatable",
        "sample",
        "delegatable: Some(\"sample\")",
    ),
    ("BEHALF_ENTITY_TYPE_ID", "tenants.default.user_types.entity", "sample", "entity: Some(\"sample\")"),
    ("BEHALF_ACCESS_CLAIMS", "tenants.default.claims.access", "sample", "access: [MappedClaim"),
    ("BEHALF_IDENTITY_CLAIMS", "tenants.default.claims.identity", "sample", "identity: [MappedClaim"),
    ("BEHALF_MISSING_ATTRIBUTES", "tenants.default.claims.missing_attributes", "keep", "missing: Keep"),
    (
        "BEHALF_SUBJECT_ATTRIBUTE",
        "tenants.default.identity.subject_attribute",
        "sample",
        "subject_attribute: Some(\"sample\")",
    ),
    ("BEHALF_CLAIM_ON_BEHALF", "tenants.default.claims.on_behalf", "sample", "on_behalf: \"sample\""),
    ("BEHALF_CLAIM_ON_BEHALF_SUB", "tenants.default.claims.on_behalf_sub", "sample", "on_behalf_sub: \"sample\""),
    ("BEHALF_CLAIM_CAN_DELEGATE", "tenants.default.claims.can_delegate", "sample", "can_delegate: \"sample\""),
    ("BEHALF_MAX_HELD", "tenants.default.reservations.max_held", "7", "max_held: 7"),
    ("BEHALF_DELEGATION_LIFE", "tenants.default.delegation.life", "77s", "life: 77s"),
    ("BEHALF_MAX_PENDING", "tenants.default.delegation.max_pending", "77", "max_pending: 77"),
    ("BEHALF_APPROVALS_MAX_OPEN", "tenants.default.approvals.max_open", "77", "max_open: 77"),
    (
        "BEHALF_APPROVALS_KEY_APPROVERS",
        "tenants.default.approvals.key_approvers",
        "group:00gsample",
        "approvers: {Group(GroupId(\"00gsample\"))}",
    ),
    ("BEHALF_APPROVALS_KEY_COOLDOWN", "tenants.default.approvals.key_cooldown", "77s", "cooldown: 77s"),
    ("BEHALF_ON_REFUSED", "tenants.default.on_refused", "pass", "on_refused: Pass"),
    ("BEHALF_ON_FAILURE", "tenants.default.on_failure", "pass", "on_failure: Pass"),
    ("BEHALF_BUDGET_HOOK", "tenants.default.budgets.hook", "2345ms", "hook: 2.345s"),
    ("BEHALF_BUDGET_DIRECTORY", "tenants.default.budgets.directory", "345ms", "directory: 345ms"),
    ("BEHALF_BUDGET_COMMIT", "tenants.default.budgets.commit", "345ms", "commit: 345ms"),
];

/// Settings whose effect other tests of this module show: secrets, pairs, words with one value, what goes with
/// Redis or LDAP.
const ELSEWHERE: &[&str] = &[
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_SERVICE_NAME",
    "OTEL_TRACES_SAMPLER_ARG",
    "BEHALF_OTP_KEY_FILE",
    "BEHALF_CONFIG",
    "BEHALF_ENV",
    "BEHALF_TLS_CERT_FILE",
    "BEHALF_TLS_KEY_FILE",
    "BEHALF_REDIS_USERNAME",
    "BEHALF_REDIS_PASSWORD",
    "BEHALF_REDIS_SENTINEL_USERNAME",
    "BEHALF_REDIS_SENTINEL_PASSWORD",
    "BEHALF_REDIS_CLIENT_NAME",
    "BEHALF_REDIS_CONNECTIONS",
    "BEHALF_REDIS_CONNECT_TIMEOUT",
    "BEHALF_REDIS_RESPONSE_TIMEOUT",
    "BEHALF_DIALECT",
    "BEHALF_LDAP_URL",
    "BEHALF_LDAP_STARTTLS",
    "BEHALF_LDAP_KIND",
    "BEHALF_LDAP_BIND_DN",
    "BEHALF_LDAP_BIND_PASSWORD",
    "BEHALF_LDAP_BASE",
    "BEHALF_LDAP_USER_FILTER",
    "BEHALF_LDAP_ATTRIBUTES",
    "BEHALF_LDAP_CONNECTIONS",
    "BEHALF_DIRECTORY",
    "BEHALF_SCIM_URL",
    "BEHALF_SCIM_TOKEN",
    "BEHALF_SCIM_EXTENSION",
    "BEHALF_SCIM_ATTRIBUTE",
    "BEHALF_CLAIM_RESERVED_BY",
    "BEHALF_HOOK_SECRET",
    "BEHALF_HOOK_SECOND_SECRET",
    "BEHALF_HOOK_BEARER_AUDIENCE",
    "BEHALF_HOOK_BEARER_CID",
    "BEHALF_HOOK_BEARER_SCOPE",
    "BEHALF_HOOK_BEARER_ISSUER",
    "BEHALF_ADMIN_CLAIM",
    "BEHALF_ADMIN_VALUE",
    "BEHALF_BREAK_GLASS_CLAIM",
    "BEHALF_BREAK_GLASS_VALUE",
    "BEHALF_OKTA_URL",
    "BEHALF_OKTA_TOKEN",
    "BEHALF_OKTA_CLIENT_ID",
    "BEHALF_OKTA_KEY_FILE",
    "BEHALF_OKTA_KEY_ID",
];

/// The least configuration by the file, without `key`.
fn least_toml(key: &str) -> String {
    let tenant = [
        ("tenants.default.issuer", LEAST[0].1),
        ("tenants.default.audience", LEAST[1].1),
        ("tenants.default.hook.secret", LEAST[2].1),
    ];
    tenant.iter().filter(|(name, _)| *name != key).fold(String::new(), |out, (name, value)| out + &line(name, value))
}

fn line(key: &str, value: &str) -> String {
    format!("{key} = \"{value}\"\n")
}

#[test]
fn each_takes_effect_by_variable_and_by_key() {
    let before = format!("{:?}", Case::least().ok());
    for (variable, key, value, shows) in SAMPLES {
        assert!(!before.contains(shows), "{variable}: the default shows it already");
        let case = Case::least().file("sample", "").var(variable, value);
        let shown = format!("{:?}", case.ok());
        assert!(shown.contains(shows), "{variable}: `{shows}` is not in {shown}");
        if !key.is_empty() {
            let toml = least_toml(key) + &line(key, value);
            let shown = format!("{:?}", Case::empty().file("sample", "").toml(&toml).ok());
            assert!(shown.contains(shows), "{key}: `{shows}` is not in {shown}");
        }
    }
}

#[test]
fn an_administrator_is_named_by_a_claim() {
    let case = Case::least().vars(&[("BEHALF_ADMIN_CLAIM", "groups"), ("BEHALF_ADMIN_VALUE", "behalf admins")]);
    let by_key =
        Case::least().toml("[tenants.default.roles]\nadmin = { claim = \"groups\", value = \"behalf admins\" }");
    for case in [case, by_key] {
        let admin = default_tenant(&case.ok()).admin.clone().unwrap();
        assert_eq!((admin.claim.as_str(), admin.value.as_str()), ("groups", "behalf admins"));
    }
}

#[test]
fn the_holders_claim_has_a_name_where_accounts_are_shared() {
    let name = |toml: &str| default_tenant(&Case::least().toml(toml).ok()).claims.names.reserved_by.clone();
    let account = "[[tenants.default.shared_accounts]]\nid = \"00udba\"\ngroup = \"00g1\"\n";
    let renamed = format!("[tenants.default.claims]\nreserved_by = \"held_by\"\n{account}");
    assert_eq!(name(account).as_deref(), Some("reserved_by"));
    assert_eq!(name(&renamed).as_deref(), Some("held_by"));
    assert_eq!(name("[tenants.default.claims]\nreserved_by = \"held_by\"\n"), None);
    let by_variable = Case::least().toml(account).var("BEHALF_CLAIM_RESERVED_BY", "holder").ok();
    assert_eq!(default_tenant(&by_variable).claims.names.reserved_by.as_deref(), Some("holder"));
}

#[test]
fn who_may_break_the_glass_is_named_by_a_claim() {
    let case = Case::least().vars(&[("BEHALF_BREAK_GLASS_CLAIM", "groups"), ("BEHALF_BREAK_GLASS_VALUE", "duty")]);
    let by_key = Case::least().toml("[tenants.default.roles]\nbreak_glass = { claim = \"groups\", value = \"duty\" }");
    for case in [case, by_key] {
        let tenant = default_tenant(&case.ok()).clone();
        let role = tenant.break_glass.unwrap();
        assert_eq!((role.claim.as_str(), role.value.as_str()), ("groups", "duty"));
        assert_eq!(tenant.admin, None, "it is no administrator's role");
    }
    assert_eq!(default_tenant(&Case::least().ok()).break_glass, None);
    Case::least().var("BEHALF_BREAK_GLASS_CLAIM", "groups").refused(&["BEHALF_BREAK_GLASS_VALUE", "is missing"]);
}

#[test]
fn no_setting_is_left_out_here() {
    let sampled: Vec<&str> = SAMPLES.iter().map(|(variable, ..)| *variable).chain(ELSEWHERE.iter().copied()).collect();
    let example = behalf::config::env_example();
    let documented: Vec<_> =
        example.lines().filter_map(|l| l.strip_prefix('#')?.split_once('=')).map(|(n, _)| n).collect();
    let documented: Vec<_> = documented.into_iter().filter(|n| !n.contains([' ', '#'])).collect();
    let missing: Vec<_> = documented.iter().filter(|name| !sampled.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(documented.len(), sampled.len());
}
