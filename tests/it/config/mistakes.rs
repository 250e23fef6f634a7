//! What is refused, and how it is said.

use super::*;

#[test]
fn nothing_given_is_three_mistakes_that_name_variables_and_keys() {
    let mistakes = Case::empty().mistakes();
    assert_eq!(mistakes.len(), 3, "{mistakes:#?}");
    for (mistake, parts) in mistakes.iter().zip([
        ["BEHALF_ISSUER or ISSUER", "`tenants.default.issuer`", "is missing"],
        ["BEHALF_AUDIENCE or TOKEN_AUD", "`tenants.default.audience`", "is missing"],
        ["BEHALF_HOOK_SECRET or SERVICE_AUTH_SECRET", "`tenants.default.hook.secret`", "anybody could call the hook"],
    ]) {
        assert!(parts.iter().all(|part| mistake.contains(part)), "{mistake}");
    }
}

/// One mistake in every corner: all of them come back at once.
#[test]
fn all_mistakes_come_at_once_one_per_line() {
    let toml = r#"
        sever.bind = "x"
        [server]
        tls_key_file = "missing.pem"
        [tenants.default]
        isuer = "x"
         applications = 7
         shared_accounts = [{ id = "x" }]
         reservations.max_held = 21
        [[tenants.default.rules]]
        nam = "x"
        [tenants.Acme]
        [tenants.other]
        issuer = "https://o.example.com"
    "#;
    let case = Case::empty().toml(toml).vars(&[
        ("BEHALF_BIND", "8080"),
        ("BEHALF_WORKERS", "0"),
        ("BEHALF_LOG_LEVEL", "loud"),
        ("BEHALF_LOG", "behalf=loud"),
        ("BEHALF_STORE", "redis://:hunter2@redis"),
        ("BEHALF_CA_FILE", "missing-ca.pem"),
        ("BEHALF_METRICS", "perhaps"),
        ("BEHALF_ISUER", "x"),
        ("BEHALF_ISSUER", "http://id.example.com"),
        ("BEHALF_AUDIENCE", "api://behalf"),
        ("BEHALF_DIALECT", "oktaa"),
        ("BEHALF_HOOK_HEADER", "no header"),
        ("BEHALF_HOOK_BEARER_CID", "0oa1"),
        ("BEHALF_DELEGATION_LIFE", "9s"),
        ("BEHALF_MAX_PENDING", "-1"),
        ("BEHALF_ON_REFUSED", "ignore"),
        ("BEHALF_ADMIN_CLAIM", "groups"),
        ("BEHALF_BUDGET_HOOK", "3s"),
        ("BEHALF_ACCESS_CLAIMS", "a=b=c=d ="),
        ("BEHALF_CLAIM_CAN_DELEGATE", "on_behalf"),
        ("BEHALF_DIRECTORY", "novell"),
    ]);
    let mistakes = case.load().unwrap_err();
    let shown = mistakes.to_string();
    assert_eq!(shown.lines().count(), mistakes.len());
    for part in [
        "key `sever`: is no setting; did you mean `server`",
        "BEHALF_TLS_KEY_FILE (key `server.tls_key_file`)",
        "key `tenants.default.isuer`: is no setting; did you mean `issuer`",
        "key `tenants.default.applications`: is not a list of tables",
        "tenants.default.shared_accounts[0] (\"x\"), key `group`: is missing",
        "BEHALF_MAX_HELD (key `tenants.default.reservations.max_held`): `21` doesn't fit; give a whole number from 1 to 20",
        "tenants.default.rules[0], key `nam`",
        "tenants.default.rules[0], key `name`: is missing",
        "key `tenants.Acme`: is no tenant's name",
        "key `tenants.other.audience`: is missing",
        "key `tenants.other.hook.secret`: is missing",
        "BEHALF_BIND (key `server.bind`): `8080` is no address",
        "BEHALF_WORKERS (key `server.workers`)",
        "BEHALF_LOG_LEVEL or LOG_LEVEL (key `log.level`): `loud` is unknown",
        "BEHALF_LOG (key `log.filter`)",
        "BEHALF_STORE (key `store.url`): holds a password; put it into BEHALF_REDIS_PASSWORD",
        "BEHALF_SIGNING_KEY_FILE (key `audit.signing_key_file`): is missing: with Redis",
        "BEHALF_CA_FILE (key `outbound.ca_file`)",
        "BEHALF_METRICS (key `metrics.enabled`)",
        "BEHALF_ISUER: is no setting; did you mean `BEHALF_ISSUER`",
        "BEHALF_ISSUER or ISSUER (key `tenants.default.issuer`): `http://id.example.com`",
        "BEHALF_DIALECT (key `tenants.default.dialect`): `oktaa` is unknown; give `okta`",
        "BEHALF_HOOK_HEADER (key `tenants.default.hook.header`)",
        "BEHALF_HOOK_BEARER_AUDIENCE (key `tenants.default.hook.bearer.audience`): is missing",
        "BEHALF_HOOK_BEARER_SCOPE (key `tenants.default.hook.bearer.scope`): is missing",
        "BEHALF_DELEGATION_LIFE (key `tenants.default.delegation.life`): `9s` is out of bounds; give 10s to 2m",
        "BEHALF_MAX_PENDING (key `tenants.default.delegation.max_pending`)",
        "BEHALF_ON_REFUSED (key `tenants.default.on_refused`)",
        "BEHALF_ADMIN_VALUE (key `tenants.default.roles.admin.value`): is missing",
        "BEHALF_BUDGET_HOOK (key `tenants.default.budgets.hook`): 3s is no less than the 3s that Okta waits",
        "BEHALF_ACCESS_CLAIMS or DELEGATED_ACCESS_CLAIMS (key `tenants.default.claims.access`): `=`",
        "BEHALF_CLAIM_CAN_DELEGATE (key `tenants.default.claims.can_delegate`)",
        "BEHALF_DIRECTORY (key `tenants.default.directory.kind`)",
    ] {
        assert!(shown.contains(part), "`{part}` is not in:\n{shown}");
    }
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn a_typo_does_not_pass_silently() {
    Case::least().var("BEHALF_DELEGATION_LIVE", "30s").refused(&["BEHALF_DELEGATION_LIVE", "BEHALF_DELEGATION_LIFE"]);
    Case::least().var("BEHALF_SOMETHING_QUITE_DIFFERENT", "1").refused(&["is no setting; unset it"]);
    Case::least().toml("[logs]\nlevel = \"warn\"").refused(&["key `logs`", "remove it"]);
    Case::least().toml("[server]\nbindd = \"x\"").refused(&["key `server.bindd`", "did you mean `server.bind`"]);
    Case::least().toml("server = 1").refused(&["key `server`", "is not a table"]);
    Case::least().toml("[tenants.default]\nhook.secret_fil = \"x\"").refused(&["tenants.default.hook.secret_fil"]);
    Case::least().toml("tenants = 1").refused(&["key `tenants`", "is not a table"]);
    Case::least().toml("tenants.default = 1").refused(&["key `tenants.default`", "is not a table"]);
}

#[test]
fn variables_of_others_are_left_alone() {
    // What Kubernetes sets for a Service called `behalf`, and what our own tests use.
    let links = [
        ("BEHALF_SERVICE_HOST", "10.0.0.1"),
        ("BEHALF_SERVICE_PORT", "8080"),
        ("BEHALF_PORT", "tcp://10.0.0.1:8080"),
        ("BEHALF_PORT_8080_TCP_PROTO", "tcp"),
        ("BEHALF_TEST_ROUNDS", "25"),
        ("ISSUER_URL", "x"),
    ];
    assert_eq!(Case::least().vars(&links).ok().server.bind.to_string(), "127.0.0.1:8080");
    Case::least().var("BEHALF_PORT", "9000").refused(&["BEHALF_PORT: is no setting"]);
}

#[test]
fn a_token_must_name_its_tenant() {
    let tenant = |name: &str, audience: &str| {
        format!(
            "[tenants.{name}]\nissuer = \"https://id.example.com\"\naudience = \"{audience}\"\nhook.secret = \"sixteen-letters-\"\n"
        )
    };
    let twins = tenant("a", "api://x") + &tenant("b", "api://x");
    Case::empty().toml(&twins).refused(&["key `tenants.b`", "tenant `a`"]);
    Case::empty().toml(&(tenant("a", "api://x") + &tenant("b", "api://y"))).ok();
}

#[test]
fn a_certificate_needs_its_key() {
    let case = Case::least().file("c.pem", "").file("k.pem", "");
    let case = case.var("BEHALF_TLS_CERT_FILE", "c.pem");
    case.refused(&["BEHALF_TLS_KEY_FILE (key `server.tls_key_file`): is missing"]);
    let case = case.var("BEHALF_TLS_KEY_FILE", "k.pem");
    assert_eq!(case.ok().server.tls.unwrap().key, case.path().join("k.pem"));
    case.without("BEHALF_TLS_CERT_FILE").refused(&["BEHALF_TLS_CERT_FILE (key `server.tls_cert_file`): is missing"]);
    Case::least().var("BEHALF_CA_FILE", ".").refused(&["BEHALF_CA_FILE", "is no file"]);
}

#[test]
fn budgets_fit_into_each_other_and_into_oktas_patience() {
    let with = |hook: &str, directory: &str, commit: &str| {
        Case::least().vars(&[
            ("BEHALF_BUDGET_HOOK", hook),
            ("BEHALF_BUDGET_DIRECTORY", directory),
            ("BEHALF_BUDGET_COMMIT", commit),
        ])
    };
    with("2999ms", "1500ms", "1s").ok();
    with("3s", "1s", "1s").refused(&["3s that Okta waits"]);
    with("2s", "1500ms", "500ms").refused(&["directory and commit take 2s of 2s"]);
    with("2s", "0s", "500ms").refused(&["BEHALF_BUDGET_DIRECTORY", "out of bounds"]);
}

#[test]
fn claims_have_one_meaning_each() {
    let claims = |text: &str| Case::least().var("BEHALF_ACCESS_CLAIMS", text);
    let config = claims("email, department=dept").ok();
    let pairs: Vec<_> = default_tenant(&config).claims.access.iter().map(|c| (&*c.attribute, &*c.claim)).collect();
    assert_eq!(pairs, [("email", "email"), ("department", "dept")]);
    claims("email mail=email").refused(&["two attributes become the claim `email`"]);
    claims("x=on_behalf_sub").refused(&["`on_behalf_sub` is a claim that behalf sets itself"]);
    Case::least().var("BEHALF_IDENTITY_CLAIMS", "on_behalf").refused(&["BEHALF_IDENTITY_CLAIMS", "sets itself"]);
    Case::least().var("BEHALF_CLAIM_ON_BEHALF_SUB", "on_behalf").refused(&["is the name of another claim too"]);
}

#[test]
fn a_list_in_the_file_is_a_list_and_a_value_a_value() {
    let case = Case::least().toml("[tenants.default.claims]\naccess = [\"email\", \"department=dept\"]");
    assert_eq!(default_tenant(&case.ok()).claims.access.len(), 2);
    Case::least().toml("[log]\nlevel = [\"info\"]").refused(&["log.level", "is a list"]);
    Case::least().toml("[log.level]\nx = 1").refused(&["log.level", "has the wrong type"]);
}

#[test]
fn the_hook_can_be_opened_by_a_bearer_token_alone() {
    const BEARER: [(&str, &str); 3] = [
        ("BEHALF_HOOK_BEARER_AUDIENCE", "https://behalf.example.com"),
        ("BEHALF_HOOK_BEARER_CID", "0oa1"),
        ("BEHALF_HOOK_BEARER_SCOPE", "hook"),
    ];
    let case = Case::least().without("BEHALF_HOOK_SECRET").vars(&BEARER);
    Case::empty().vars(&[("BEHALF_AUDIENCE", "x")]).vars(&BEARER).refused(&["BEHALF_ISSUER", "is missing"]);
    let config = case.ok();
    let bearer = default_tenant(&config).hook.bearer.clone().unwrap();
    assert_eq!(bearer.issuer.as_str(), LEAST[0].1, "the tenant's, unless another is given");
    let config = case.var("BEHALF_HOOK_BEARER_ISSUER", "https://other.example.com").ok();
    assert_eq!(default_tenant(&config).hook.bearer.clone().unwrap().issuer.as_str(), "https://other.example.com");
}

#[test]
fn what_names_no_store_is_refused_and_not_shown() {
    assert!(matches!(Case::least().var("BEHALF_STORE", "memory").ok().store, StoreKind::Memory));
    for url in ["embedded:", "postgres://u:hunter2@p", "redis+sentinel://:hunter2@r", "redis:hunter2@r", "disk"] {
        let case = Case::least().var("BEHALF_STORE", url);
        case.refused(&["BEHALF_STORE (key `store.url`): names no store", "give `embedded:<directory>`, `memory`"]);
        assert!(!case.mistakes()[0].contains("hunter2"));
    }
}

#[test]
fn a_short_secret_is_worth_a_warning() {
    let case = Case::least().var("BEHALF_HOOK_SECRET", "hunter2").file("users.yaml", "");
    let config = case.ok();
    assert!(config.warnings().len() == 1 && config.warnings()[0].contains("BEHALF_HOOK_SECRET"));
    assert!(!config.warnings()[0].contains("hunter2"));
}

#[test]
fn an_administrators_claim_says_something_about_the_user() {
    for claim in "iss aud scp scope cid azp client_id ver exp iat".split_whitespace() {
        let case = Case::least().vars(&[("BEHALF_ADMIN_CLAIM", claim), ("BEHALF_ADMIN_VALUE", "x")]);
        case.refused(&["BEHALF_ADMIN_CLAIM", claim, "says nothing about the user"]);
    }
    Case::least().vars(&[("BEHALF_ADMIN_CLAIM", "uid"), ("BEHALF_ADMIN_VALUE", "00u1root")]).ok();
}

#[test]
fn a_second_secret_is_another_one() {
    let case = Case::least().var("BEHALF_HOOK_SECOND_SECRET", LEAST[2].1);
    case.refused(&["BEHALF_HOOK_SECOND_SECRET", "is the same as the first"]);
    assert!(!case.mistakes()[0].contains(LEAST[2].1));
}

#[test]
fn a_header_with_a_meaning_of_its_own_carries_no_secret() {
    for header in "host Content-Type content-length accept user-agent connection transfer-encoding".split_whitespace() {
        Case::least().var("BEHALF_HOOK_HEADER", header).refused(&["BEHALF_HOOK_HEADER", "a meaning of its own"]);
    }
    assert_eq!(default_tenant(&Case::least().var("BEHALF_HOOK_HEADER", "X-Hook").ok()).hook.header, "x-hook");
}

#[track_caller]
fn warned(case: &Case, part: &str) -> bool {
    case.ok().warnings().iter().any(|warning| warning.contains(part))
}

#[test]
fn two_tenants_with_one_hook_secret_are_worth_a_warning() {
    let acme = |secret: &str| {
        Case::least().toml(&format!(
            "[tenants.acme]\nissuer = \"https://acme.example.com\"\naudience = \"a\"\nhook.secret = \"{secret}\""
        ))
    };
    assert!(warned(&acme(LEAST[2].1), "the same hook secret"));
    assert!(!warned(&acme(LEAST[2].1), LEAST[2].1));
    assert!(!warned(&acme("another-secret-of-a-hook"), "the same hook secret"));
}

#[test]
fn passing_whatever_happens_is_worth_a_warning() {
    let form = |refused: &str, failure: &str| {
        Case::least().vars(&[("BEHALF_ON_REFUSED", refused), ("BEHALF_ON_FAILURE", failure)])
    };
    assert!(warned(&form("pass", "pass"), "are both `pass`"));
    assert!(!warned(&form("pass", "reject"), "are both `pass`") && !warned(&form("reject", "pass"), "are both `pass`"));
}

#[cfg(unix)]
#[test]
fn a_secrets_file_that_others_may_open_is_worth_a_warning() {
    use std::os::unix::fs::PermissionsExt;

    let case = Case::least().without("BEHALF_HOOK_SECRET").file("secret", "a-secret-of-the-hook\n");
    let case = case.var("BEHALF_HOOK_SECRET_FILE", "secret");
    // 640: the file is the process's own, and its group may be one that people share.
    let modes = [(0o600, false), (0o400, false), (0o640, true), (0o660, true), (0o602, true), (0o644, true)];
    for (mode, open) in modes {
        fs::set_permissions(case.path().join("secret"), fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(warned(&case, "may read or write its file"), open, "{mode:o}");
    }
}

#[test]
fn entries_are_kept_for_an_hour_at_least() {
    for text in ["59m", "0s"] {
        Case::least().var("BEHALF_AUDIT_KEEP", text).refused(&["BEHALF_AUDIT_KEEP", "too short", "at least `1h`"]);
    }
    assert_eq!(Case::least().var("BEHALF_AUDIT_KEEP", "1h").ok().audit.keep.as_secs(), 3600);
    assert_eq!(Case::least().ok().audit.keep.as_secs(), 90 * 86_400);
}

#[test]
fn an_address_for_metrics_that_are_off_is_a_contradiction() {
    let case = Case::least().var("BEHALF_METRICS", "off").var("BEHALF_METRICS_BIND", "0.0.0.0:9090");
    case.refused(&["BEHALF_METRICS_BIND (key `metrics.bind`): is given while BEHALF_METRICS is off"]);
}
