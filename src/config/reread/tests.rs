use super::*;

const FILE: &str = r#"
issuer = "x"
[tenants.default]
issuer = "https://id.example.com"
audience = "api"
hook.secret = "0123456789abcdef0123456789abcdef"
[[tenants.default.rules]]
name = "one"
"#;

fn config(content: &str) -> (Result<Config, Mistakes>, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("behalf.toml"), content).unwrap();
    (Config::load(Vec::<(String, String)>::new(), dir.path()), dir)
}

fn running() -> (Config, String, tempfile::TempDir) {
    let content = FILE.replace("issuer = \"x\"\n", "");
    let (config, dir) = config(&content);
    (config.unwrap(), content, dir)
}

#[test]
fn other_rules_are_taken_and_nothing_else_is_said() {
    let (config, content, _dir) = running();
    let new = content.replace("\"one\"", "\"two\"\nmax_token_lifetime = \"10m\"");
    let reread = config.reread(new.as_bytes()).unwrap();
    assert_eq!(reread.needs_restart, Vec::<String>::new());
    let rules = &reread.rules[&TenantName::default_tenant()];
    assert_eq!(rules.len(), 1);
    assert_eq!((rules[0].name.as_str(), rules[0].max_token_lifetime), ("two", Some(600)));
    let none = config.reread(content.split("[[").next().unwrap().as_bytes()).unwrap();
    assert_eq!(none.rules[&TenantName::default_tenant()], []);
}

#[test]
fn whatever_else_changed_is_named() {
    let (config, content, _dir) = running();
    let more = "[tenants.other]\nissuer = \"https://id.example.com\"\naudience = \"other\"\n\
        hook.secret = \"fedcba9876543210fedcba9876543210\"\n[[tenants.other.rules]]\nname = \"x\"\n";
    let new = content.replace("\"api\"", "\"api2\"").replace("hook.secret = \"0", "hook.secret = \"1")
        + "delegation.life = \"30s\"\n"
        + more;
    let new = new.replace("delegation.life = \"30s\"\n", "[tenants.default.delegation]\nlife = \"30s\"\n");
    let reread = config.reread(new.as_bytes()).unwrap();
    let expected = [
        "tenants.default.audience",
        "tenants.default.delegation.life",
        "tenants.default.hook.secret",
        "tenants.other.audience",
        "tenants.other.hook.secret",
        "tenants.other.issuer",
        "tenants.other.rules",
    ];
    assert_eq!(reread.needs_restart, expected);
    assert_eq!(reread.rules.keys().map(TenantName::as_str).collect::<Vec<_>>(), ["default"]);
}

#[test]
fn a_wrong_file_is_refused_whole_with_every_mistake_and_its_line() {
    let (config, content, _dir) = running();
    let new = content.replace("\"api\"", "7.5\nisuer = \"y\"").replace("\"one\"", "\"one\"\nstages = [\"aproval\"]");
    let mistakes = config.reread(new.as_bytes()).unwrap_err();
    let told: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    assert!(told.iter().any(|line| line.contains("behalf.toml:5") && line.contains("isuer")), "{told:?}");
    assert!(
        told.iter().any(|line| line.contains("behalf.toml:9") && line.contains("`aproval` is no stage")),
        "{told:?}"
    );
    assert!(config.reread(b"\xff").is_err() && config.reread(b"a = [").is_err());
}

#[test]
fn what_it_was_read_from_is_not_shown() {
    let (config, _, dir) = running();
    assert!(!format!("{config:?}").contains("0123456789abcdef"));
    assert_eq!(config.file().unwrap().path, dir.path().join("behalf.toml"));
    let bare = [
        ("BEHALF_ISSUER", "https://id.example.com"),
        ("BEHALF_AUDIENCE", "a"),
        ("BEHALF_HOOK_SECRET", "0123456789abcdef0123456789abcdef"),
    ];
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(Config::load(bare, empty.path()).unwrap().file(), None);
}
