//! The Helm chart: what it renders, what it refuses, and that it speaks of the service as it is.

mod golden;
mod objects;
mod readme;
mod refused;
mod service;
mod settings;
mod test_pod;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

use crate::support::peers::installed;

/// The namespace that everything is rendered for.
const NAMESPACE: &str = "identity";

fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(file(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Whether generated files are to be written anew.
#[expect(clippy::disallowed_methods, reason = "a switch of the test, not of the service")]
fn bless() -> bool {
    std::env::var_os("BEHALF_TEST_BLESS").is_some()
}

/// Demands that a generated file is the present one, or writes it.
fn up_to_date(path: &str, present: &str) {
    if bless() {
        fs::create_dir_all(file(path).parent().unwrap()).unwrap();
        fs::write(file(path), present).unwrap();
        return;
    }
    let known = fs::read_to_string(file(path)).unwrap_or_default();
    let at = known.lines().zip(present.lines()).position(|(known, present)| known != present);
    let at = at.unwrap_or_else(|| known.lines().count().min(present.lines().count()));
    assert!(
        known == present,
        "{path} is out of date (line {}); BEHALF_TEST_BLESS=1 cargo test --test it chart writes it anew",
        at + 1
    );
}

/// Names of the files of values in `charts/behalf/ci`, without `.yaml`.
fn cases() -> Vec<String> {
    let names = fs::read_dir(file("charts/behalf/ci")).unwrap().map(|entry| entry.unwrap().path());
    let yaml = names.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    let mut names: Vec<_> = yaml.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    assert!(names.len() >= 5, "{names:?}");
    names
}

fn golden(case: &str) -> String {
    format!("tests/it/chart/golden/{case}.yaml")
}

/// Helm. `None`: it can't be had here, which was said.
struct Helm(PathBuf);

impl Helm {
    fn there() -> Option<Self> {
        installed("helm", "Helm").map(Self)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        // Nothing of the user's own: no plugins, no repositories.
        let mut command = Command::new(&self.0);
        command.env_clear().env("HOME", "/nonexistent").env("PATH", "/usr/bin:/bin").args(arguments);
        command.current_dir(file("charts")).output().unwrap()
    }

    /// What is rendered with the values of a case and these changes; the error, if it is refused.
    fn template(&self, case: &str, changes: &[&str]) -> Result<String, String> {
        let values = format!("behalf/ci/{case}.yaml");
        let mut arguments =
            vec!["template", "behalf", "behalf", "-n", NAMESPACE, "--kube-version", "1.34.0", "-f", &values];
        for change in changes {
            arguments.extend(["--set-json", change]);
        }
        let done = self.run(&arguments);
        if done.status.success() {
            return Ok(String::from_utf8(done.stdout).unwrap());
        }
        Err(String::from_utf8(done.stderr).unwrap())
    }
}

/// The objects of a rendered text.
fn objects(text: &str) -> Vec<Value> {
    let objects: Vec<Value> = serde_saphyr::from_multiple(text).unwrap();
    objects.into_iter().filter(|object| !object.is_null()).collect()
}

/// The objects of a case, as they are checked in.
fn of_case(case: &str) -> Vec<Value> {
    objects(&read(&golden(case)))
}

/// The one object of that kind and name.
fn one<'o>(objects: &'o [Value], kind: &str, name: &str) -> &'o Value {
    let mut found = objects.iter().filter(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    let object = found.next().unwrap_or_else(|| panic!("there is no {kind} {name}"));
    assert!(found.next().is_none(), "{kind} {name} is there twice");
    object
}

/// The workload of the service: `StatefulSet` or `Deployment`.
fn workload(objects: &[Value]) -> &Value {
    let is_ours = |object: &&Value| {
        matches!(object["kind"].as_str(), Some("StatefulSet" | "Deployment"))
            && object["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"] == "service"
    };
    let mut found = objects.iter().filter(is_ours);
    let workload = found.next().unwrap();
    assert!(found.next().is_none());
    workload
}

/// All pod specs: of workloads, and of the pods themselves.
fn pod_specs(objects: &[Value]) -> Vec<(String, &Value)> {
    let spec = |object: &'_ Value| match object["kind"].as_str()? {
        "StatefulSet" | "Deployment" => Some("/spec/template/spec"),
        "Pod" => Some("/spec"),
        _ => None,
    };
    let named = |object: &Value| format!("{}/{}", object["kind"].as_str().unwrap(), object["metadata"]["name"]);
    objects.iter().filter_map(|object| Some((named(object), object.pointer(spec(object)?)?))).collect()
}
