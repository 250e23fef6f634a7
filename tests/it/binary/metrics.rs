//! What alerts and dashboard ask for is what a running service shows.

use std::collections::{BTreeMap, BTreeSet};

use behalf::domain::hook::SELF_TEST_USER;

use super::{SECRET, World};
use crate::observability::{alerts, filled, queries};

/// Shown only where the directory is elsewhere.
const ELSEWHERE: &[&str] = &["behalf_directory_call_seconds"];

/// Labels by the name of a sample; those of what isn't shown here are unknown.
type Shown = BTreeMap<String, BTreeSet<String>>;

/// What `/metrics` shows after a delegation, its hook, a self-test, and a look at the health.
async fn shown() -> Shown {
    let world = World::new();
    let service = world.serve(&[]).await;
    world.grant(&service).await;
    let id = world.begin(&service).await;
    let door = service.url("/hooks/okta");
    world.deliver(&door, &world.hook("e1", Some(&id))).await;
    world.deliver(&door, &world.hook("e2", None).replace("00uann", SELF_TEST_USER)).await;
    world.page(&service.url("/healthz")).await.unwrap();
    let told = world.http.get(service.url("/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(!told.contains(SECRET) && !told.contains(&id) && !told.contains("ann@"), "{told}");
    let mut shown = Shown::new();
    for line in told.lines().filter(|line| !line.starts_with('#')) {
        let (series, _) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let labels = labels.split(',').filter_map(|label| Some(label.split_once('=')?.0.to_owned()));
        shown.entry(name.to_owned()).or_default().extend(labels);
    }
    shown
}

/// Names of labels within the braces behind a metric, in `query`.
fn asked(query: &str) -> Vec<(String, Vec<String>)> {
    let mut asked = Vec::new();
    for (at, _) in query.match_indices("behalf_") {
        let rest = &query[at..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let braces = rest[end..].strip_prefix('{').and_then(|rest| rest.split('}').next()).unwrap_or_default();
        let labels = braces.split(',').filter_map(|part| part.split(['=', '!']).next()).map(str::trim);
        asked.push((rest[..end].to_owned(), labels.filter(|label| !label.is_empty()).map(str::to_owned).collect()));
    }
    asked
}

#[tokio::test]
async fn every_metric_that_is_asked_for_is_shown_with_its_labels() {
    let shown = shown().await;
    let rules = alerts().into_iter().map(|alert| (alert.name, alert.expr));
    let mut looked_at = 0;
    for (place, query) in rules.chain(queries()) {
        for (name, labels) in asked(&filled(&query)) {
            looked_at += 1;
            let Some(there) = shown.get(&name) else {
                assert!(ELSEWHERE.iter().any(|known| name.starts_with(known)), "{place}: no sample is called {name}");
                continue;
            };
            for label in labels.iter().filter(|label| !["namespace", "job", "instance"].contains(&label.as_str())) {
                assert!(there.contains(label), "{place}: {name} has no label {label}, but {there:?}");
            }
        }
    }
    assert!(looked_at > 40, "{looked_at}");
}

#[test]
fn the_reader_of_queries_sees_names_and_labels() {
    let query = r#"sum(rate(behalf_a_total{x="1",y!~"2"}[5m])) / behalf_b"#;
    let labels = |all: &[&str]| all.iter().map(|label| (*label).to_owned()).collect();
    let expected = [("behalf_a_total".to_owned(), labels(&["x", "y"])), ("behalf_b".to_owned(), Vec::new())];
    assert_eq!(asked(query), expected);
}
