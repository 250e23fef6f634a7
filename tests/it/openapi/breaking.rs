//! `openapi/breaking.sh`, in a repository of its own.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::peers::installed;

struct Repository(TempDir);

impl Repository {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("openapi")).unwrap();
        let this = Self(folder);
        this.git(&["init", "--quiet"]);
        this
    }

    fn git(&self, arguments: &[&str]) {
        let who = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.test", "-c", "commit.gpgsign=false"];
        let done = Command::new("git").args(who).args(arguments).current_dir(self.0.path()).output().unwrap();
        assert!(done.status.success(), "git {arguments:?}: {done:?}");
    }

    fn write(&self, document: &Value) {
        fs::write(self.0.path().join("openapi/openapi.json"), document.to_string()).unwrap();
    }

    fn commit(&self, document: &Value) {
        self.write(document);
        self.git(&["add", "-A"]);
        self.git(&["commit", "--quiet", "-m", "a document"]);
    }

    fn breaking(&self) -> (bool, String) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi/breaking.sh");
        let Output { status, stdout, stderr } = Command::new(script).arg(self.0.path()).output().unwrap();
        (status.success(), String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned())
    }
}

#[test]
fn without_a_tag_it_says_so_in_one_line() {
    let repository = Repository::new();
    let line = "breaking: there is no tag yet, so nothing to compare openapi/openapi.json with\n";
    assert_eq!(repository.breaking(), (true, line.to_owned()), "without a commit");
    repository.commit(super::document());
    assert_eq!(repository.breaking(), (true, line.to_owned()));
}

#[test]
fn what_breaks_clients_of_the_last_tag_fails() {
    if installed("oasdiff", "oasdiff").is_none() {
        return;
    }
    let (repository, present) = (Repository::new(), super::document());
    repository.commit(present);
    repository.git(&["tag", "v1"]);
    let (fine, said) = repository.breaking();
    assert!(fine && said.ends_with("breaking: nothing that breaks clients of v1\n"), "{said}");

    let mut more = present.clone();
    more["paths"]["/v1/more"] = more["paths"]["/v1/grants"].clone();
    more["paths"]["/v1/more"]["get"]["operationId"] = "more-list".into();
    more["paths"]["/v1/more"]["post"]["operationId"] = "more-add".into();
    repository.write(&more);
    let (fine, said) = repository.breaking();
    assert!(fine, "a new path breaks nobody: {said}");

    let mut less = present.clone();
    less["paths"].as_object_mut().unwrap().remove("/v1/grants");
    let mut stricter = present.clone();
    stricter["components"]["schemas"]["BeginRequest"]["required"] = json!(["delegator", "ticket"]);
    let mut poorer = present.clone();
    poorer["components"]["schemas"]["Begun"]["properties"].as_object_mut().unwrap().remove("delegationid");
    for (change, what) in [(less, "/v1/grants"), (stricter, "ticket"), (poorer, "delegationid")] {
        repository.commit(&change);
        let (fine, said) = repository.breaking();
        assert!(!fine && said.contains(what) && said.contains("clients of v1 break"), "{what}: {said}");
    }
    repository.git(&["tag", "v2"]);
    let (fine, said) = repository.breaking();
    assert!(fine && said.contains("v2"), "the last tag counts: {said}");
}
