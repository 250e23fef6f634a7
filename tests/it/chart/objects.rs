//! The rendered objects are such as Kubernetes takes, and keep to its restricted standard.

use std::{
    collections::BTreeSet,
    io::Write as _,
    process::{Command, Stdio},
};

use super::*;

/// The oldest version that the chart takes, and the newest whose schemas are at hand.
const VERSIONS: [&str; 2] = ["1.29", "1.37"];

/// Whose schemas Kubernetes has not.
fn is_custom(object: &Value) -> bool {
    let group = object["apiVersion"].as_str().unwrap();
    group.starts_with("monitoring.coreos.com/") || group.starts_with("gateway.networking.k8s.io/")
}

/// Every object is held against Kubernetes' own schemas, in which nothing is left open.
#[test]
fn every_object_fits_kubernetes_schemas() {
    let Some(peer) = installed("kubernetes-validate", "PyPI's kubernetes-validate") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (mut files, mut expected) = (Vec::new(), 0);
    for case in cases() {
        for (at, object) in of_case(&case).iter().filter(|object| !is_custom(object)).enumerate() {
            let path = folder.path().join(format!("{case}-{at}.json"));
            fs::write(&path, object.to_string()).unwrap();
            files.push(path);
            expected += 1;
        }
    }
    assert!(expected > 30, "{expected}");
    for version in VERSIONS {
        let mut command = Command::new(peer.join("python"));
        command.env("PYTHONPATH", peer.join("packages")).args(["-m", "kubernetes_validate", "--strict", "-k", version]);
        let done = command.args(&files).output().unwrap();
        let said = [done.stdout, done.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(done.status.success(), "{version}: {said}");
        assert_eq!(said.matches(" passed for resource ").count(), expected, "{version}: {said}");
    }
}

#[test]
fn objects_of_operators_and_gateways_fit_their_schemas() {
    let Some(peers) = installed("", "npm's oidc-provider") else { return };
    let Some(crds) = installed("crds", "npm's @kubernetes-models") else { return };
    let all: Vec<Value> = cases().iter().flat_map(|case| of_case(case)).filter(is_custom).collect();
    let kinds: BTreeSet<_> = all.iter().map(|object| object["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, BTreeSet::from(["HTTPRoute", "PrometheusRule", "ServiceMonitor"]));
    let mut wrong = all[0].clone();
    wrong["spec"] = Value::from(7);
    let check = |objects: &[Value]| {
        let mut command = Command::new(peers.join("node"));
        command.arg(file("tests/it/chart/crds/validate.mjs")).arg(&crds);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(Value::from(objects.to_vec()).to_string().as_bytes()).unwrap();
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success());
        String::from_utf8(done.stdout).unwrap()
    };
    assert_eq!(check(&all), "");
    assert_ne!(check(&[wrong]), "", "the check sees what is wrong");
}

#[test]
fn no_two_objects_have_one_name_and_all_say_whose_they_are() {
    for case in cases() {
        let mut seen = BTreeSet::new();
        for object in of_case(&case) {
            let name = (object["kind"].to_string(), object["metadata"]["name"].to_string());
            assert!(seen.insert(name.clone()), "{case}: {name:?} twice");
            let labels = &object["metadata"]["labels"];
            assert_eq!(labels["app.kubernetes.io/managed-by"], "Helm", "{case}: {name:?}");
            assert_eq!(labels["app.kubernetes.io/instance"], "behalf", "{case}: {name:?}");
        }
    }
}

/// The restricted Pod Security Standard, and no key to the cluster.
#[test]
fn every_pod_is_restricted() {
    for case in cases() {
        let objects = of_case(&case);
        for (name, spec) in pod_specs(&objects) {
            let at = format!("{case}: {name}");
            assert_eq!(spec["automountServiceAccountToken"], false, "{at}");
            assert_eq!(spec["enableServiceLinks"], false, "{at}");
            assert_eq!(spec["securityContext"]["runAsNonRoot"], true, "{at}");
            assert_eq!(spec["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{at}");
            for key in ["hostNetwork", "hostPID", "hostIPC"] {
                assert!(spec[key].is_null(), "{at}");
            }
            for container in spec["containers"].as_array().unwrap() {
                let security = &container["securityContext"];
                assert_eq!(security["allowPrivilegeEscalation"], false, "{at}");
                assert_eq!(security["readOnlyRootFilesystem"], true, "{at}");
                assert_eq!(security["capabilities"], serde_json::json!({"drop": ["ALL"]}), "{at}");
                assert!(security["privileged"].is_null(), "{at}");
            }
            for volume in spec["volumes"].as_array().unwrap_or(&Vec::new()) {
                let kinds = ["configMap", "projected", "secret", "emptyDir", "persistentVolumeClaim"];
                assert!(kinds.iter().any(|kind| !volume[kind].is_null()), "{at}: {volume}");
            }
        }
    }
}

/// Selectors find the pods that they are for, and no others: of the service, of Redis, of the test.
#[test]
fn every_selector_finds_its_pods_and_no_others() {
    for case in cases() {
        let objects = of_case(&case);
        let pods: Vec<&Value> = objects
            .iter()
            .filter_map(|object| {
                object
                    .pointer("/spec/template/metadata/labels")
                    .or_else(|| (object["kind"] == "Pod").then(|| &object["metadata"]["labels"]))
            })
            .collect();
        for object in &objects {
            let selectors = ["/spec/selector/matchLabels", "/spec/podSelector/matchLabels"];
            let service = (object["kind"] == "Service").then(|| &object["spec"]["selector"]);
            let monitor = object["kind"] == "ServiceMonitor";
            for selector in selectors.iter().filter_map(|at| object.pointer(at)).chain(service).filter(|_| !monitor) {
                let wanted = selector.as_object().unwrap();
                let found = pods.iter().filter(|labels| wanted.iter().all(|(key, value)| labels[key] == *value));
                assert_eq!(found.count(), 1, "{case}: {} {}", object["kind"], object["metadata"]["name"]);
            }
        }
    }
}

/// One process owns the embedded store: one replica, never a second beside it.
#[test]
fn the_embedded_store_has_one_pod_at_a_time_and_keeps_its_volume() {
    for case in ["embedded", "embedded-full", "existing"] {
        let objects = of_case(case);
        let set = workload(&objects);
        assert_eq!((&set["kind"], &set["spec"]["replicas"]), (&"StatefulSet".into(), &1.into()), "{case}");
        for kind in ["Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget"] {
            assert!(objects.iter().all(|object| object["kind"] != kind), "{case}: {kind}");
        }
    }
    let kept = "/spec/persistentVolumeClaimRetentionPolicy/whenDeleted";
    assert_eq!(workload(&of_case("embedded")).pointer(kept).unwrap(), "Retain");
}

#[test]
fn many_replicas_are_rolled_out_without_a_gap() {
    for case in ["redis", "redis-trial"] {
        let objects = of_case(case);
        let deployment = workload(&objects);
        assert_eq!(deployment["kind"], "Deployment", "{case}");
        let rolling = &deployment["spec"]["strategy"]["rollingUpdate"];
        assert_eq!(rolling, &serde_json::json!({"maxSurge": 1, "maxUnavailable": 0}), "{case}");
    }
    let redis = of_case("redis");
    assert!(workload(&redis)["spec"]["replicas"].is_null(), "the autoscaler's numbers count");
    let scaled = &one(&redis, "HorizontalPodAutoscaler", "behalf")["spec"];
    assert_eq!(scaled["scaleTargetRef"]["name"], workload(&redis)["metadata"]["name"]);
    assert_eq!(workload(&of_case("redis-trial"))["spec"]["replicas"], 3);
}

/// New rules, users and secrets replace the pods.
#[test]
fn what_the_pods_are_configured_with_is_in_their_checksums() {
    let Some(helm) = Helm::there() else { return };
    let checksums = |changes: &[&str]| {
        let objects = objects(&helm.template("redis-trial", changes).unwrap());
        workload(&objects)["spec"]["template"]["metadata"]["annotations"].clone()
    };
    let before = checksums(&[]);
    for (change, which) in [
        ("config.users[0].status=\"suspended\"", "checksum/config"),
        ("config.toml=\"[server]\"", "checksum/config"),
        ("secrets.values.hook-secret=\"another secret of a hook\"", "checksum/secrets"),
    ] {
        assert_ne!(checksums(&[change])[which], before[which], "{change}");
    }
    assert!(checksums(&["config.rollOut=false"])["checksum/config"].is_null());
}
