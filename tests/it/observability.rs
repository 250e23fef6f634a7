//! Alerts, dashboard and runbook: they fit what a running service shows, and each other.

mod promtool;

use std::{collections::BTreeSet, fs, path::PathBuf};

use behalf::{domain::reason::Reason, metrics::Metric};
use serde::Deserialize;
use serde_json::Value;

fn deploy(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("deploy").join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(deploy(path)).unwrap_or_else(|error| panic!("deploy/{path}: {error}"))
}

/// A file of rules, or of their tests: of both only what is looked at here.
#[derive(Deserialize)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Alert>,
}

#[derive(Deserialize)]
pub(crate) struct Alert {
    #[serde(rename = "alert")]
    pub(crate) name: String,
    pub(crate) expr: String,
    annotations: Annotations,
}

#[derive(Deserialize)]
struct Annotations {
    runbook_url: String,
}

pub(crate) fn alerts() -> Vec<Alert> {
    let rules: Rules = serde_saphyr::from_str(&read("prometheus/rules.yaml")).unwrap();
    rules.groups.into_iter().flat_map(|group| group.rules).collect()
}

/// Every query of the dashboard, with the title of its panel.
pub(crate) fn queries() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(&read("grafana/behalf.json")).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let mut queries: Vec<_> = panels
        .filter(|panel| panel["type"] != "row")
        .flat_map(|panel| {
            let targets = panel["targets"].as_array().unwrap();
            assert!(!targets.is_empty(), "{}", panel["title"]);
            targets.iter().map(|target| (text(&panel["title"]), text(&target["expr"])))
        })
        .collect();
    let notes = dashboard["annotations"]["list"].as_array().unwrap().iter();
    queries.extend(notes.map(|note| (text(&note["name"]), text(&note["expr"]))));
    queries
}

/// `a query with the dashboard's variables` as Prometheus takes it.
pub(crate) fn filled(query: &str) -> String {
    ["$namespace", "$job", "$tenant"]
        .iter()
        .fold(query.replace("$__rate_interval", "5m"), |query, variable| query.replace(variable, ".*"))
}

/// The metrics that a text names, as samples are called.
fn named(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !is_part(c)).filter(|word| word.starts_with("behalf_"));
    words.map(str::to_owned).collect()
}

#[test]
fn every_alert_has_its_section_in_the_runbook_and_the_other_way_round() {
    let runbook = read("runbook.md");
    let sections: Vec<_> = runbook.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let alerts = alerts();
    let names: Vec<_> = alerts.iter().map(|alert| alert.name.as_str()).collect();
    assert_eq!(sections, names, "the sections stand in the order of the alerts");
    assert!(names.len() >= 7, "{names:?}");
    for alert in &alerts {
        let anchor = alert.name.to_lowercase();
        assert_eq!(alert.annotations.runbook_url, format!("deploy/runbook.md#{anchor}"));
    }
    for section in runbook.split("\n## ").skip(1) {
        for part in ["**Means.**", "**See.**", "**Do.**"] {
            assert!(section.contains(part), "{part} is missing: {section}");
        }
    }
}

#[test]
fn what_the_runbook_links_to_is_there() {
    let runbook = read("runbook.md");
    let links = runbook.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let anchors: BTreeSet<_> =
        runbook.lines().filter_map(|line| line.strip_prefix("## ")).map(str::to_lowercase).collect();
    for link in links {
        match link.strip_prefix('#') {
            Some(anchor) => assert!(anchors.contains(anchor), "{link}"),
            None => assert!(deploy(link).exists(), "{link}"),
        }
    }
}

#[test]
fn every_alert_is_shown_to_fire_and_not_to_fire() {
    #[derive(Deserialize)]
    struct Tests {
        tests: Vec<Case>,
    }
    #[derive(Deserialize)]
    struct Case {
        alert_rule_test: Vec<Expected>,
    }
    #[derive(Deserialize)]
    struct Expected {
        alertname: String,
        exp_alerts: Vec<Value>,
    }
    let tests: Tests = serde_saphyr::from_str(&read("prometheus/rules.test.yaml")).unwrap();
    let expected: Vec<_> = tests.tests.into_iter().flat_map(|case| case.alert_rule_test).collect();
    for alert in alerts() {
        for fires in [true, false] {
            let shown = expected.iter().any(|it| it.alertname == alert.name && it.exp_alerts.is_empty() != fires);
            assert!(shown, "no test of {} has it fire: {fires}", alert.name);
        }
    }
}

#[test]
fn the_dashboard_has_every_metric() {
    let dashboard = named(&read("grafana/behalf.json"));
    for metric in Metric::ALL {
        let name = metric.name();
        assert!(dashboard.iter().any(|there| there.starts_with(&name)), "{name} is on no panel");
    }
}

#[test]
fn the_alert_on_own_failures_names_exactly_those_reasons() {
    let alerts = alerts();
    let alert = alerts.iter().find(|alert| alert.name == "BehalfRefusesForItself").unwrap();
    let named: BTreeSet<_> = alert.expr.split('"').nth(1).unwrap().split('|').collect();
    let failures: BTreeSet<_> = Reason::ALL.iter().filter(|reason| reason.is_failure()).map(|it| it.code()).collect();
    assert_eq!(named, failures);
}

#[test]
fn every_reason_that_the_runbook_names_exists() {
    let runbook = read("runbook.md");
    let quoted = runbook.split("```").step_by(2).flat_map(|part| part.split('`').skip(1).step_by(2));
    let known: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
    let is_code = |word: &&str| word.contains('-') && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    let told: Vec<_> = quoted.filter(is_code).collect();
    assert!(told.len() >= 10, "{told:?}");
    for word in told {
        assert!(known.contains(word), "{word}");
    }
}
