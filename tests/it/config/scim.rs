//! SCIM as the directory: what is read, what is refused, and that the token isn't shown.

use behalf::config::{DirectoryKind, ScimSettings};
use secrecy::ExposeSecret as _;

use super::*;

const URL: &str = "https://id.example.com/scim/v2";

fn scim(url: &str) -> Case {
    Case::least().vars(&[
        ("BEHALF_DIRECTORY", "scim"),
        ("BEHALF_SCIM_URL", url),
        ("BEHALF_SCIM_TOKEN", "hunter2-of-scim"),
    ])
}

#[track_caller]
fn settings(case: &Case) -> ScimSettings {
    let config = case.ok();
    let directory = &default_tenant(&config).directory.kind;
    let DirectoryKind::Scim(settings) = directory else { panic!("{directory:?}") };
    settings.clone()
}

#[test]
fn an_address_and_a_token_are_enough() {
    let case = scim(URL);
    let read = settings(&case);
    assert_eq!((read.url.as_str(), read.token.expose_secret()), (URL, "hunter2-of-scim"));
    assert_eq!(read.extension, "urn:behalf:params:scim:schemas:extension:delegation:2.0:User");
    assert_eq!(read.attribute, "delegations.value");
    let config = case.ok();
    assert!(config.warnings().is_empty(), "no users.yaml is missed: {:?}", config.warnings());
    assert!(!format!("{config:?} {config:#?}").contains("hunter2"));
}

#[test]
fn each_takes_effect_by_variable_and_by_key() {
    let samples = [
        ("BEHALF_SCIM_URL", "url", "https://other.example.com/", "other.example.com"),
        ("BEHALF_SCIM_EXTENSION", "extension", "urn:sample:User", "extension: \"urn:sample:User\""),
        ("BEHALF_SCIM_ATTRIBUTE", "attribute", "sample", "attribute: \"sample\""),
    ];
    let keys = "[tenants.default.directory]\nkind = \"scim\"\n[tenants.default.directory.scim]\ntoken = \"hunter2\"\n";
    for (variable, key, value, shows) in samples {
        let by_variable = scim(URL).var(variable, value);
        let url = if key == "url" { String::new() } else { format!("url = \"{URL}\"\n") };
        let by_key = Case::least().toml(&format!("{keys}{url}{key} = \"{value}\"\n"));
        for case in [by_variable, by_key] {
            let shown = format!("{:?}", settings(&case));
            assert!(shown.contains(shows) && !shown.contains("hunter2"), "{variable}: {shown}");
        }
    }
    let in_file = Case::least().file("token", "from-a-file\n").vars(&[
        ("BEHALF_DIRECTORY", "scim"),
        ("BEHALF_SCIM_URL", URL),
        ("BEHALF_SCIM_TOKEN_FILE", "token"),
    ]);
    assert_eq!(settings(&in_file).token.expose_secret(), "from-a-file");
}

#[test]
fn what_is_wrong_is_named() {
    let missing = Case::least().var("BEHALF_DIRECTORY", "scim").mistakes();
    let named = ["BEHALF_SCIM_URL", "BEHALF_SCIM_TOKEN"];
    assert!(
        missing.iter().zip(named).all(|(mistake, name)| mistake.starts_with(name) && mistake.contains("is missing"))
    );
    assert_eq!(missing.len(), 2);
    for bad in
        ["id.example.com", "ftp://id.example.com", "https://a:b@id.example.com", "https://x/?a=b", "https://x/#a"]
    {
        scim(bad).refused(&["BEHALF_SCIM_URL (key `tenants.default.directory.scim.url`): is no URL of a SCIM service"]);
    }
    scim("http://id.example.com").refused(&["would have the token sent in the clear"]);
    for good in ["http://127.0.0.1:8080/v2", "http://localhost", "http://[::1]/"] {
        settings(&scim(good));
    }
    settings(&scim("http://id.example.com").var("BEHALF_ENV", "development"));
    for bad in ["behalf", "urn:x", "urn:a b:c", "urn:x:y]", "urn:x:\"y\""] {
        scim(URL).var("BEHALF_SCIM_EXTENSION", bad).refused(&["BEHALF_SCIM_EXTENSION", "is no URN of a schema"]);
    }
    for bad in ["a.b", "a.value.value", ".value", "1a", "a b", "a[b]"] {
        scim(URL).var("BEHALF_SCIM_ATTRIBUTE", bad).refused(&["BEHALF_SCIM_ATTRIBUTE", "is no attribute"]);
    }
    scim(URL).var("BEHALF_SCIM_TOKEN", "two\nlines").refused(&["BEHALF_SCIM_TOKEN", "HTTP header"]);
}

#[test]
fn settings_of_scim_mean_nothing_elsewhere() {
    let config = Case::least().file("users.yaml", "").var("BEHALF_SCIM_URL", URL).ok();
    assert!(matches!(config.warnings(), [one] if one.contains("BEHALF_SCIM_URL") && one.contains("means nothing")));
}
