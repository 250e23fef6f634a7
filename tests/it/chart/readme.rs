//! The chart's README is made from `values.yaml`: every value with its default and its meaning.

use std::fmt::Write as _;

use super::*;

/// One line of the table.
struct Row {
    path: String,
    default: String,
    meaning: String,
}

/// Sections of `values.yaml` with their values. A value without a comment right above it is a mistake.
fn sections() -> Vec<(String, Vec<Row>)> {
    let text = read("charts/behalf/values.yaml");
    let (mut sections, mut parents, mut comment) = (Vec::new(), Vec::<String>::new(), String::new());
    for line in text.lines() {
        let told = line.trim_start();
        if let Some(title) = told.strip_prefix("## ") {
            sections.push((title.to_owned(), Vec::new()));
        } else if let Some(words) = told.strip_prefix("# ") {
            [comment.as_str(), words].join(" ").trim().clone_into(&mut comment);
        } else if let Some((key, rest)) = told.split_once(':') {
            parents.truncate((line.len() - told.len()) / 2);
            parents.push(key.to_owned());
            let (path, default) = (parents.join("."), rest.trim().to_owned());
            let meaning = std::mem::take(&mut comment);
            assert!(default.is_empty() || !meaning.is_empty(), "{path} has no comment above it");
            if !default.is_empty() {
                sections.last_mut().unwrap().1.push(Row { path, default, meaning });
            }
        } else {
            assert!(told.is_empty(), "this test doesn't understand the line: {line}");
            comment.clear();
        }
    }
    sections
}

fn table() -> String {
    let mut out = String::from("| value | default | meaning |\n|---|---|---|\n");
    for (title, rows) in sections() {
        let _ = writeln!(out, "| **{title}** | | |");
        for Row { path, default, meaning } in rows {
            let _ = writeln!(out, "| `{path}` | `{default}` | {} |", meaning.replace('|', "\\|"));
        }
    }
    out
}

const BEGIN: &str = "<!-- values: made from values.yaml -->\n";
const END: &str = "<!-- /values -->";

/// `BEHALF_TEST_BLESS=1 cargo test --test it chart` writes the table anew.
#[test]
fn its_table_is_made_from_the_values() {
    let readme = read("charts/behalf/README.md");
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    up_to_date("charts/behalf/README.md", &format!("{before}{BEGIN}{}{END}{after}", table()));
}

/// Each value is in the schema, and the schema has no other.
#[test]
fn values_and_schema_have_the_same_names() {
    let schema: Value = serde_json::from_str(&read("charts/behalf/values.schema.json")).unwrap();
    let values: Value = serde_saphyr::from_str(&read("charts/behalf/values.yaml")).unwrap();
    same(&schema, &schema, &values, "");
    let rows: usize = sections().iter().map(|(_, rows)| rows.len()).sum();
    assert!(rows > 80, "the reader of this test finds only {rows} values");
}

fn same(root: &Value, schema: &Value, values: &Value, path: &str) {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => root.pointer(reference.trim_start_matches('#')).unwrap(),
        None => schema,
    };
    let (Some(known), Some(values)) = (schema["properties"].as_object(), values.as_object()) else { return };
    // Maps that are empty by default, whose keys are somebody else's names; and what a probe or budget leaves out.
    if values.is_empty() || ["probes.startup", "redis.resources.limits"].contains(&path.trim_start_matches('.')) {
        return;
    }
    let names = |map: &serde_json::Map<String, Value>| map.keys().cloned().collect::<std::collections::BTreeSet<_>>();
    assert_eq!(names(known), names(values), "below `{path}`");
    for (name, below) in values {
        same(root, &known[name], below, &format!("{path}.{name}"));
    }
}
