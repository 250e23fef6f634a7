use super::*;
use crate::domain::reason::Reason;

const SECOND: Duration = Duration::from_secs(1);

/// The sample of that name and labels, `None` if it isn't there.
fn sample(text: &str, series: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')).map(|value| value.parse().unwrap())
}

/// Metrics in which everything happened once: a family without series isn't shown.
fn exercised() -> Metrics {
    let metrics = Metrics::default();
    metrics.hook("okta", Outcome::Granted, SECOND, 3 * SECOND);
    metrics.directory("user", CallResult::TimedOut, SECOND);
    metrics.directory_call("entry", CallResult::Throttled, SECOND);
    metrics.store("commit", CallResult::Ok, SECOND);
    metrics.api("/v1/grants/{agent}", "GET", 200, SECOND);
    metrics.keys(CallResult::Failed, SECOND);
    metrics.cache(CacheKind::Tokens).looked_up(false);
    metrics.notification("webhook", "sent");
    metrics.notifications_waiting("email", 2);
    metrics.dependency_up("directory", false);
    metrics.tenant(&TenantName::default_tenant()).approvals_undecidable(1);
    metrics.self_test(Outcome::Untouched);
    metrics
}

#[test]
fn every_metric_is_shown_with_its_kind_and_help() {
    let text = exercised().render();
    for metric in Metric::ALL {
        let name = metric.registered_name();
        assert!(text.contains(&format!("# TYPE {name} {}\n", metric.kind().code())), "{name}");
        assert!(text.contains(&format!("# HELP {name} {}.\n", metric.help())), "{name}");
        assert!(text.lines().any(|line| line.starts_with(&metric.name())), "{}", metric.name());
    }
}

#[test]
fn every_line_is_openmetrics() {
    let text = exercised().render();
    assert!(text.ends_with("# EOF\n"));
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') && labels.ends_with('}'), "{line}");
    }
}

#[test]
fn every_outcome_of_okta_is_there_from_the_start() {
    let text = Metrics::default().render();
    let series = |outcome: &str, reason: &str| {
        format!("behalf_hooks_total{{dialect=\"okta\",outcome=\"{outcome}\",reason=\"{reason}\"}}")
    };
    for outcome in ["untouched", "stripped", "granted", "replayed"] {
        assert_eq!(sample(&text, &series(outcome, "")), Some(0.0), "{outcome}");
    }
    for reason in Reason::ALL {
        assert_eq!(sample(&text, &series("refused", reason.code())), Some(0.0), "{}", reason.code());
    }
}

#[test]
fn hooks_are_counted_by_outcome_and_measured_against_the_patience() {
    let metrics = Metrics::default();
    for dialect in ["okta", "other"] {
        metrics.hook(dialect, Outcome::Refused(Reason::Locked), 2 * SECOND, 4 * SECOND);
        metrics.hook(dialect, Outcome::Refused(Reason::Locked), SECOND, 100 * SECOND);
        metrics.hook_not_authenticated(dialect);
    }
    let text = metrics.render();
    for dialect in ["okta", "other"] {
        let at = |name: &str, rest: &str| sample(&text, &format!("{name}{{{rest}dialect=\"{dialect}\"}}"));
        let locked = format!("behalf_hooks_total{{dialect=\"{dialect}\",outcome=\"refused\",reason=\"locked\"}}");
        assert_eq!(sample(&text, &locked), Some(2.0));
        assert_eq!(at("behalf_hook_auth_failures_total", ""), Some(1.0));
        assert_eq!(at("behalf_hook_seconds_sum", ""), Some(3.0));
        assert_eq!(at("behalf_hook_budget_share_bucket", "le=\"0.01\","), Some(1.0));
        assert_eq!(at("behalf_hook_budget_share_bucket", "le=\"0.25\","), Some(1.0));
        assert_eq!(at("behalf_hook_budget_share_bucket", "le=\"0.5\","), Some(2.0));
    }
}

#[test]
fn a_caller_cannot_make_new_series_by_inventing_methods() {
    let metrics = Metrics::default();
    for method in ["BREW", "X1", "X2"] {
        metrics.api("/v1/locks", method, 405, SECOND);
    }
    let text = metrics.render();
    let series = "behalf_api_requests_total{route=\"/v1/locks\",method=\"other\",status=\"4xx\"}";
    assert_eq!(sample(&text, series), Some(3.0));
    assert!(!text.contains("BREW"));
}

#[test]
fn gauges_show_the_last_value_and_the_build_its_version() {
    let metrics = Metrics::default();
    metrics.pending_delegations(7);
    metrics.pending_delegations(3);
    metrics.dependency_up("store", false);
    metrics.dependency_up("store", true);
    let text = metrics.render();
    assert_eq!(sample(&text, "behalf_pending_delegations"), Some(3.0));
    assert_eq!(sample(&text, "behalf_dependency_up{name=\"store\"}"), Some(1.0));
    let build = format!("behalf_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    assert_eq!(sample(&text, &build), Some(1.0));
}
