//! Where traces go.

use behalf::config::TraceSettings;
use secrecy::ExposeSecret as _;

use super::*;

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

fn traces(case: &Case) -> TraceSettings {
    case.ok().traces.unwrap()
}

#[test]
fn without_an_endpoint_there_are_none_whatever_else_is_set() {
    assert!(Case::least().ok().traces.is_none());
    let case = Case::least().vars(&[("OTEL_SERVICE_NAME", "x"), ("OTEL_TRACES_SAMPLER_ARG", "0.5")]);
    assert!(case.ok().traces.is_none());
}

#[test]
fn each_takes_effect_by_variable_and_by_key() {
    let by_variable = Case::least().vars(&[
        (ENDPOINT, "https://collector.test/otlp/"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=hunter2%3D, x-other=b"),
        ("OTEL_SERVICE_NAME", "ours"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
    ]);
    let by_key = Case::least().toml(
        "[traces]\nendpoint = \"https://collector.test/otlp\"\nheaders = \"x-key=hunter2%3D, x-other=b\"\n\
         service_name = \"ours\"\nratio = \"0.25\"\n",
    );
    for case in [by_variable, by_key] {
        let read = traces(&case);
        assert_eq!(read.endpoint.as_str(), "https://collector.test/otlp/v1/traces");
        let headers: Vec<_> = read.headers.iter().map(|(name, value)| (name.as_str(), value.expose_secret())).collect();
        assert_eq!(headers, [("x-key", "hunter2="), ("x-other", "b")]);
        assert_eq!((read.service_name.as_str(), format!("{}", read.ratio).as_str()), ("ours", "0.25"));
        assert!(!format!("{:?}", case.ok()).contains("hunter2"));
    }
}

#[test]
fn what_can_not_be_is_refused() {
    for wrong in ["collector:4318", "ftp://x.test", "http://x.test?a=b", "http://u:p@x.test", "x"] {
        Case::least().var(ENDPOINT, wrong).refused(&[ENDPOINT, "http"]);
    }
    for wrong in ["1.1", "-0.1", "NaN", "all"] {
        Case::least().var("OTEL_TRACES_SAMPLER_ARG", wrong).refused(&["OTEL_TRACES_SAMPLER_ARG", "0 to 1"]);
    }
    for wrong in ["hunter2", "a b=hunter2", "x=%ffhunter2", "x=hunter2%0d%0a"] {
        let case = Case::least().var("OTEL_EXPORTER_OTLP_HEADERS", wrong);
        case.refused(&["OTEL_EXPORTER_OTLP_HEADERS", "name=value"]);
        assert!(!case.mistakes().join("\n").contains("hunter2"));
    }
}
