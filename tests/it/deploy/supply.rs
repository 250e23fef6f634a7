//! What behalf is built from. `tests/supply-chain.sh` looks at the packages themselves.

use toml::{Table, Value};

use super::*;

/// Whatever builds: the scripts of the house, and the image's recipe.
const BUILDERS: [&str; 6] =
    ["check", ".ci/run", "deploy/Dockerfile", "deploy/image.sh", "tests/peers.sh", "tests/supply-chain.sh"];
/// Commands of Cargo that choose versions where they aren't told to keep to the lock.
const CHOOSERS: [&str; 9] = ["build", "check", "clippy", "doc", "test", "run", "install", "metadata", "tree"];

#[test]
fn everything_is_built_as_the_lock_says() {
    let mut seen = 0;
    for builder in BUILDERS {
        let text = read(builder).replace("\\\n", " ");
        for line in
            text.lines().map(str::trim).filter(|line| !line.starts_with(['#', '*']) && !line.starts_with("step "))
        {
            let chooses = CHOOSERS.iter().any(|command| line.contains(&format!("cargo {command} ")));
            if chooses {
                assert!(line.contains("--locked"), "{builder}: {line}");
                seen += 1;
            }
        }
    }
    assert!(seen >= 7, "the reader of this test finds only {seen} calls of Cargo");
    assert!(Path::new(&file("Cargo.lock")).exists());
}

/// One that nobody remembers the reason of is never taken out again.
#[test]
fn what_is_ignored_has_a_reason() {
    let rules: Table = read("deny.toml").parse().unwrap();
    let list = |section: &str, key: &str| rules[section][key].as_array().unwrap().clone();
    for ignored in list("advisories", "ignore") {
        assert!(ignored["reason"].as_str().is_some_and(|reason| reason.len() > 20), "{ignored:?}");
    }
    for banned in list("bans", "deny") {
        let one_version = banned.get("deny-multiple-versions").and_then(Value::as_bool) == Some(true);
        assert!(one_version || banned.get("reason").is_some(), "{banned:?}");
    }
    let registries = list("sources", "allow-registry");
    assert_eq!(registries, [Value::from("https://github.com/rust-lang/crates.io-index")]);
}
