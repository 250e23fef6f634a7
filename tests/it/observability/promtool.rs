//! Prometheus's own checker has the last word on expressions.

use std::{fs, path::PathBuf, process::Command};

use super::{deploy, filled, queries};
use crate::support::peers;

fn promtool() -> Option<PathBuf> {
    peers::installed("promtool", "promtool")
}

fn run(promtool: &PathBuf, arguments: &[&str], file: &PathBuf) {
    let done = Command::new(promtool).args(arguments).arg(file).output().unwrap();
    let told = [done.stdout, done.stderr].concat();
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&told));
}

#[test]
fn the_rules_are_rules_and_their_tests_pass() {
    let Some(promtool) = promtool() else { return };
    run(&promtool, &["check", "rules"], &deploy("prometheus/rules.yaml"));
    run(&promtool, &["test", "rules"], &deploy("prometheus/rules.test.yaml"));
}

#[test]
fn the_dashboards_queries_are_queries() {
    let Some(promtool) = promtool() else { return };
    let rules: Vec<_> = queries()
        .iter()
        .enumerate()
        .map(|(at, (_, query))| serde_json::json!({"record": format!("query:{at}"), "expr": filled(query)}))
        .collect();
    assert!(rules.len() > 20, "{}", rules.len());
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("queries.json");
    // JSON is YAML.
    let groups = serde_json::json!({"groups": [{"name": "dashboard", "rules": rules}]});
    fs::write(&file, groups.to_string()).unwrap();
    run(&promtool, &["check", "rules"], &file);
}
