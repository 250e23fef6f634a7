//! What the chart can say to the service is what the service can be told.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

const SCHEMA: &str = "charts/behalf/values.schema.json";

/// Variables that the chart sets from values of its own; under `settings` and `secrets.files` there are all the others.
const OWN: &[&str] = &[
    "BEHALF_BIND",
    "BEHALF_CA_FILE",
    "BEHALF_CONFIG",
    "BEHALF_DRAIN_DELAY",
    "BEHALF_METRICS",
    "BEHALF_METRICS_BIND",
    "BEHALF_SHUTDOWN_GRACE",
    "BEHALF_STORE",
    "BEHALF_TLS_CERT_FILE",
    "BEHALF_TLS_KEY_FILE",
    "PORT",
];
/// Files that are no secrets.
const PLAIN_FILES: &[&str] = &["BEHALF_USERS_FILE"];

/// Variables of `.env.example`: those with a plain value, and those that name a file with a secret.
fn variables() -> (Vec<String>, Vec<String>) {
    let (mut settings, mut files, mut meaning) = (Vec::new(), Vec::new(), String::new());
    for line in read(".env.example").lines() {
        if let Some(words) = line.strip_prefix("# ") {
            words.clone_into(&mut meaning);
        } else if let Some((name, _)) = line.strip_prefix('#').and_then(|line| line.split_once('=')) {
            let by_file = format!("{name}_FILE");
            if meaning.contains(&format!("secret: or {by_file}")) {
                files.push(by_file);
            } else if name.ends_with("_FILE") && !PLAIN_FILES.contains(&name) {
                files.push(name.to_owned());
            } else {
                settings.push(name.to_owned());
            }
        }
    }
    let others = |names: Vec<String>| names.into_iter().filter(|name| !OWN.contains(&name.as_str())).collect();
    (others(settings), others(files))
}

/// Writes the names into the object `key` of the schema's text.
fn with_names(schema: &str, key: &str, names: &[String], each: &str) -> String {
    let object = schema.find(&format!("\"{key}\": {{\n")).unwrap();
    let begin = object + schema[object..].find("\"properties\": {").unwrap() + "\"properties\": {".len();
    let end = begin + end_of(&schema[begin..]);
    let indent = " ".repeat(schema[..begin].lines().last().unwrap().find('"').unwrap());
    let lines: Vec<_> = names.iter().map(|name| format!("{indent}  \"{name}\": {each}")).collect();
    format!("{}\n{}\n{indent}{}", &schema[..begin], lines.join(",\n"), &schema[end..])
}

/// Where the brace that is open at the beginning of the text is closed.
fn end_of(text: &str) -> usize {
    let mut depth = 1;
    let closes = |c: char| {
        depth += match c {
            '{' => 1,
            '}' => -1,
            _ => 0,
        };
        depth == 0
    };
    text.find(closes).unwrap()
}

/// A variable that is new in the program is new in the chart; `BEHALF_TEST_BLESS=1 cargo test --test it chart` writes
/// them.
#[test]
fn the_schema_knows_every_variable_of_the_service_and_no_other() {
    let (settings, files) = variables();
    assert!(settings.len() > 50 && files.len() > 8, "{settings:?} {files:?}");
    let schema = read(SCHEMA);
    let present = with_names(&schema, "settings", &settings, "{\"type\": \"string\"}");
    let present = with_names(&present, "files", &files, "{\"$ref\": \"#/definitions/filePath\"}");
    up_to_date(SCHEMA, &present);
}

/// Keys of `behalf.toml` that hold a secret, each with the variable that names a file with it.
fn secret_keys() -> String {
    let line = |line: &str| {
        let (_, notes) = line.rsplit_once(" (key ")?;
        let (key, rest) = notes.split_once("; ")?;
        let (_, variable) = rest.rsplit_once("secret: or ")?;
        Some(format!("{} {}\n", key.replace("tenants.default.", "tenants.*."), variable.trim_end_matches(')')))
    };
    read(".env.example").lines().filter_map(line).collect()
}

/// What is a secret in the program is one in the chart, which refuses it in a `ConfigMap`; `BEHALF_TEST_BLESS=1 cargo test
/// --test it chart` writes the list.
#[test]
fn the_chart_knows_every_secret_of_the_service() {
    let present = secret_keys();
    let secrets = read(".env.example").matches("secret: or ").count();
    assert_eq!(present.lines().count(), secrets, "{present}");
    assert!(present.contains("tenants.*.hook.secret BEHALF_HOOK_SECRET_FILE\n"), "{present}");
    up_to_date("charts/behalf/files/secrets.txt", &present);
}

/// Variables of a container.
pub(super) fn env(container: &Value) -> BTreeMap<String, String> {
    let all = container["env"].as_array().unwrap().iter();
    all.map(|var| (var["name"].as_str().unwrap().to_owned(), var["value"].as_str().unwrap().to_owned())).collect()
}

#[test]
fn every_variable_that_is_set_exists() {
    let (settings, files) = variables();
    let known: BTreeSet<&str> = settings.iter().chain(&files).map(String::as_str).chain(OWN.iter().copied()).collect();
    for name in OWN {
        assert!(read(".env.example").contains(&format!("#{name}=")), "{name} is no variable of the service");
    }
    for case in cases() {
        let objects = of_case(&case);
        for (pod, spec) in pod_specs(&objects) {
            let Some(container) = spec["containers"].as_array().unwrap().iter().find(|c| !c["env"].is_null()) else {
                continue;
            };
            // Not the program's own: where the system's certificates are.
            for name in env(container).keys().filter(|name| *name != "SSL_CERT_FILE") {
                assert!(known.contains(name.as_str()), "{case}: {pod}: {name}");
            }
        }
    }
}

/// Secrets travel as files.
#[test]
fn no_secret_is_in_a_variable() {
    let text = read(&golden("redis-trial"));
    let workload = workload(&objects(&text)).to_string();
    assert!(!workload.contains("only an example of a hook's secret") && !workload.contains("PRIVATE KEY"));
    assert!(!text.contains("only an example of a hook's secret"), "it is base64 in the Secret, and nowhere else");
}
