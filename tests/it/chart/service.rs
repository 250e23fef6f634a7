//! What the chart takes the service for: its own configuration reader takes what is rendered, and paths, ports and times
//! are those that it has.

use std::collections::BTreeMap;

use behalf::{
    config::{Config, MetricsAt, StoreKind},
    web::openapi,
};
use tempfile::TempDir;

use super::{settings::env, *};
use crate::support::redis::tls_file;

/// Files for everything that a container of a case mounts, below a folder that stands for its root.
pub(super) struct Root(TempDir);

const SIGNING_KEY: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
                           -----END PRIVATE KEY-----\n";
const CONFIG: &str = "[tenants.default]\nissuer = \"https://example.okta.com/oauth2/default\"\n\
                      audience = \"api://default\"\nhook.secret_file = \"/run/secrets/behalf/hook-secret\"\n";

impl Root {
    pub(super) fn of(objects: &[Value]) -> Self {
        let root = Self(tempfile::tempdir().unwrap());
        let secrets = [
            ("hook-secret", "the secret of a hook of these tests"),
            ("redis-password", "password"),
            ("ldap-password", "password"),
            ("signing-key.pem", SIGNING_KEY),
            ("otp.key", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
        ];
        for (name, content) in secrets {
            root.write(&format!("/run/secrets/behalf/{name}"), content);
        }
        for (name, from) in [("trust/ca.pem", "ca.pem"), ("tls/tls.crt", "server.pem"), ("tls/tls.key", "server.key")] {
            root.write(&format!("/run/{name}"), &fs::read_to_string(tls_file(from)).unwrap());
        }
        root.write("/etc/behalf/behalf.toml", CONFIG);
        let maps = objects.iter().filter(|object| object["kind"] == "ConfigMap");
        for (name, content) in maps.flat_map(|map| map["data"].as_object().unwrap()) {
            root.write(&format!("/etc/behalf/{name}"), content.as_str().unwrap());
        }
        root
    }

    /// Another root, which has these of its files and no others.
    pub(super) fn with_only(&self, paths: &[String]) -> Self {
        let root = Self(tempfile::tempdir().unwrap());
        for path in paths {
            let content = fs::read_to_string(self.0.path().join(path.trim_start_matches('/')));
            root.write(path, &content.unwrap_or_else(|error| panic!("{path}: {error}")));
        }
        root
    }

    pub(super) fn folder(&self) -> &Path {
        self.0.path()
    }

    /// A text with the container's paths as they are here.
    pub(super) fn path(&self, text: &str) -> String {
        let root = self.0.path().display();
        ["/run/secrets/", "/run/trust/", "/run/tls/", "/etc/behalf/", "/var/lib/behalf/"]
            .iter()
            .fold(text.to_owned(), |text, top| text.replace(top, &format!("{root}{top}")))
    }

    fn write(&self, path: &str, content: &str) {
        let at = self.0.path().join(path.trim_start_matches('/'));
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        let content =
            if at.extension().is_some_and(|it| it == "toml") { self.path(content) } else { content.to_owned() };
        fs::write(at, content).unwrap();
    }
}

pub(super) fn container(workload: &Value) -> &Value {
    &workload["spec"]["template"]["spec"]["containers"][0]
}

/// The configuration that a case's process has.
fn configured(objects: &[Value]) -> Config {
    let root = Root::of(objects);
    let variables: BTreeMap<_, _> =
        env(container(workload(objects))).into_iter().map(|(name, value)| (name, root.path(&value))).collect();
    Config::load(variables, root.0.path()).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

#[test]
fn the_service_takes_the_configuration_of_every_case() {
    for case in cases() {
        let objects = of_case(&case);
        let config = configured(&objects);
        let container = container(workload(&objects));
        let port = |name: &str| {
            let ports = container["ports"].as_array().unwrap();
            ports.iter().find(|port| port["name"] == name).map(|port| port["containerPort"].as_u64().unwrap())
        };
        assert_eq!(port("http"), Some(u64::from(config.server.bind.port())), "{case}");
        assert!(config.server.bind.ip().is_unspecified(), "{case}");
        match config.metrics {
            MetricsAt::Own(bind) => assert_eq!(port("metrics"), Some(u64::from(bind.port())), "{case}"),
            MetricsAt::Nowhere => assert_eq!(port("metrics"), None, "{case}"),
            MetricsAt::Main => panic!("{case}: the metrics are beside the hooks"),
        }
        let embedded = workload(&objects)["kind"] == "StatefulSet";
        assert_eq!(matches!(config.store, StoreKind::Embedded(_)), embedded, "{case}");
        assert_eq!(matches!(config.store, StoreKind::Redis(_)), !embedded, "{case}");
        let scheme = container["readinessProbe"]["httpGet"]["scheme"].as_str().unwrap();
        assert_eq!(scheme == "HTTPS", config.server.tls.is_some(), "{case}");
    }
}

/// `Behalf::shut_down` waits for the grace three times at most (requests, open commits, the store), and 3 s for the last
/// audit events.
#[test]
fn the_pod_is_given_the_time_that_a_stop_takes() {
    for case in cases() {
        let objects = of_case(&case);
        let server = configured(&objects).server;
        let given = &workload(&objects)["spec"]["template"]["spec"]["terminationGracePeriodSeconds"];
        let takes = server.drain_delay + 3 * server.shutdown_grace + std::time::Duration::from_secs(3);
        assert!(given.as_u64().unwrap() > takes.as_secs(), "{case}: {given} for {takes:?}");
        assert!(server.drain_delay.as_secs() >= 5, "{case}: balancers learn slowly");
    }
}

#[test]
fn probes_and_metrics_ask_for_pages_that_are_there() {
    let document = serde_json::to_value(openapi::document()).unwrap();
    for case in cases() {
        let objects = of_case(&case);
        let container = container(workload(&objects));
        for (probe, path) in [("startupProbe", "/livez"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")] {
            assert_eq!(container[probe]["httpGet"]["path"], path, "{case}");
            assert!(document["paths"][path]["get"].is_object(), "{path}");
        }
        for monitor in objects.iter().filter(|object| object["kind"] == "ServiceMonitor") {
            let path = monitor["spec"]["endpoints"][0]["path"].as_str().unwrap();
            assert!(document["paths"][path]["get"].is_object(), "{case}: {path}");
        }
    }
}

/// Routes that `paths` leaves out on purpose: pages for developers and operators, and Okta Managed Access's.
const INSIDE: &[&str] = &["/healthz", "/livez", "/metrics", "/openapi.json", "/readyz", "/version"];
const MANAGED_ACCESS: &[&str] = &["/agent", "/delegator", "/tokenEnrichment"];

#[test]
fn the_ways_in_lead_to_every_route_that_is_for_outside() {
    let values: Value = serde_saphyr::from_str(&read("charts/behalf/values.yaml")).unwrap();
    let open: Vec<&str> = values["paths"].as_array().unwrap().iter().map(|path| path.as_str().unwrap()).collect();
    let below = |route: &str, prefix: &str| {
        route.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let document = serde_json::to_value(openapi::document()).unwrap();
    for route in document["paths"].as_object().unwrap().keys() {
        let outside = open.iter().any(|prefix| below(route, prefix));
        let known = INSIDE.contains(&route.as_str()) || MANAGED_ACCESS.iter().any(|prefix| below(route, prefix));
        assert!(outside != known, "{route}: add it to `paths` in values.yaml, or to the lists here");
    }
    assert!(open.contains(&"/t"), "routes of further tenants");
}

/// `Ingress` and `HTTPRoute` lead to a port of the Service, that to one of the pods; the test asks there, too.
#[test]
fn every_way_in_ends_at_the_service() {
    for case in cases() {
        let objects = of_case(&case);
        let name = workload(&objects)["metadata"]["name"].as_str().unwrap();
        let service = one(&objects, "Service", name);
        let port = &service["spec"]["ports"][0];
        assert_eq!(port["targetPort"], "http", "{case}");
        for object in &objects {
            match object["kind"].as_str().unwrap() {
                "Ingress" => {
                    for path in object["spec"]["rules"][0]["http"]["paths"].as_array().unwrap() {
                        let backend = &path["backend"]["service"];
                        assert_eq!(
                            (&backend["name"], &backend["port"]["name"]),
                            (&name.into(), &port["name"]),
                            "{case}"
                        );
                    }
                }
                "HTTPRoute" => {
                    let backend = &object["spec"]["rules"][0]["backendRefs"][0];
                    assert_eq!((&backend["name"], &backend["port"]), (&name.into(), &port["port"]), "{case}");
                }
                "Pod" => {
                    let asked = object["spec"]["containers"][0]["args"][2].as_str().unwrap();
                    let scheme = port["name"].as_str().unwrap();
                    assert_eq!(asked, format!("{scheme}://{name}.{NAMESPACE}.svc:{}", port["port"]), "{case}");
                }
                _ => {}
            }
        }
    }
}
