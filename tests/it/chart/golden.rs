//! Every case renders, the same as it did.

use super::*;

/// `BEHALF_TEST_BLESS=1 cargo test --test it chart` writes what is rendered now; look at the difference.
#[test]
fn every_case_renders_what_is_checked_in() {
    let Some(helm) = Helm::there() else { return };
    for case in cases() {
        let rendered = helm.template(&case, &[]).unwrap_or_else(|error| panic!("{case}: {error}"));
        up_to_date(&golden(&case), &rendered);
    }
}

#[test]
fn there_is_no_golden_render_without_its_case() {
    let cases = cases();
    for entry in fs::read_dir(file("tests/it/chart/golden")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(cases.contains(&name), "{}", path.display());
    }
}

#[test]
fn every_case_passes_the_strict_lint() {
    let Some(helm) = Helm::there() else { return };
    for case in cases() {
        let done = helm.run(&["lint", "--strict", "behalf", "-f", &format!("behalf/ci/{case}.yaml")]);
        assert!(done.status.success(), "{case}: {}", String::from_utf8_lossy(&done.stdout));
    }
}

/// What is packaged holds no values of our tests, and the version is that of the program.
#[test]
fn the_package_holds_the_chart_and_its_version_is_the_programs() {
    let Some(helm) = Helm::there() else { return };
    let folder = tempfile::tempdir().unwrap();
    let done = helm.run(&["package", "behalf", "-d", folder.path().to_str().unwrap()]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let version = env!("CARGO_PKG_VERSION");
    let package = folder.path().join(format!("behalf-{version}.tgz"));
    let listed = Command::new("tar").arg("tzf").arg(&package).output().unwrap();
    let names = String::from_utf8(listed.stdout).unwrap();
    assert!(names.contains("behalf/values.schema.json") && names.contains("behalf/files/rules.yaml"), "{names}");
    assert!(!names.contains("behalf/ci/"), "{names}");
    let chart: Value = serde_saphyr::from_str(&read("charts/behalf/Chart.yaml")).unwrap();
    assert_eq!((&chart["version"], &chart["appVersion"]), (&version.into(), &version.into()));
}

/// `BEHALF_TEST_BLESS=1 cargo test --test it chart` copies it.
#[test]
fn the_charts_alerts_are_those_of_deploy() {
    up_to_date("charts/behalf/files/rules.yaml", &read("deploy/prometheus/rules.yaml"));
    let rule = of_case("embedded-full");
    let groups = &one(&rule, "PrometheusRule", "behalf-delegation")["spec"]["groups"];
    let known: Value = serde_saphyr::from_str(&read("deploy/prometheus/rules.yaml")).unwrap();
    let alerts = |groups: &Value| -> Vec<Value> {
        let rules = groups.as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap());
        rules.map(|rule| serde_json::json!([rule["alert"], rule["expr"]])).collect()
    };
    assert_eq!(alerts(groups), alerts(&known["groups"]));
    let text = groups.to_string();
    assert!(
        text.contains("{{ $labels.") && text.contains("https://git.example.com/behalf/deploy/runbook.md#"),
        "{text}"
    );
}
