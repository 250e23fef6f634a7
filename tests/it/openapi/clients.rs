//! Clients by stock generators, from the checked-in document: they compile, and make a real call.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use reqwest::Method;
use serde_json::json;

use super::rig::{BOB, Rig};
use crate::support::peers::{heavy, installed};

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/openapi.json");

fn sources(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/openapi").join(name)
}

/// A folder that is kept: what was compiled in it needn't be compiled again.
fn kept(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/clients").join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// What it says on standard output, once it has succeeded.
fn output(command: &mut Command) -> String {
    let done = command.output().unwrap();
    let said = String::from_utf8_lossy(&[&*done.stdout, &*done.stderr].concat()).into_owned();
    assert!(done.status.success(), "{command:?}: {said}");
    String::from_utf8(done.stdout).unwrap()
}

/// Lets a compiled client ask for Bob's grants, of which there is one.
async fn call(command: &mut Command) -> String {
    let rig = Rig::start().await;
    rig.done(Method::POST, "/v1/grants", BOB, json!({"agent": "00uann"})).await;
    command.env("BASE", rig.url()).env("TOKEN", rig.token(BOB));
    output(command)
}

#[tokio::test(flavor = "multi_thread")]
async fn heavy_generated_typescript_client_calls() {
    if !heavy("a generated TypeScript client") {
        return;
    }
    let Some(peers) = installed("", "the identity provider's Node.js") else { return };
    let Some(packages) = installed("typescript", "TypeScript") else { return };
    // Beside the packages, where it finds them.
    let folder = packages.join("client");
    fs::create_dir_all(&folder).unwrap();
    let (node, modules) = (peers.join("node"), packages.join("node_modules"));
    let api = folder.join("api.mts");
    output(Command::new(&node).arg(modules.join("openapi-typescript/bin/cli.js")).args([DOCUMENT, "-o"]).arg(&api));
    let main = folder.join("main.mts");
    fs::copy(sources("typescript/main.mts"), &main).unwrap();
    let compile = |main: &Path| {
        let mut command = Command::new(&node);
        let flags = ["--strict", "--target", "es2022", "--module", "nodenext", "--noEmitOnError"];
        command.arg(modules.join("typescript/bin/tsc")).args(flags).arg(main).current_dir(&folder);
        command
    };
    output(&mut compile(&main));
    assert_eq!(
        call(Command::new(&node).arg(folder.join("main.mjs"))).await,
        "ann@example.test active\n404 not-found\n"
    );

    let wrong = folder.join("wrong.mts");
    fs::write(&wrong, fs::read_to_string(&main).unwrap().replace("agent.status", "agent.nothing")).unwrap();
    let said = compile(&wrong).output().unwrap();
    assert!(!said.status.success() && String::from_utf8_lossy(&said.stdout).contains("'nothing'"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn heavy_generated_rust_client_calls() {
    if !heavy("a generated Rust client") {
        return;
    }
    let Some(generator) = installed("openapi-generator", "OpenAPI Generator") else { return };
    let (client, main) = (kept("client"), kept("main"));
    fs::remove_dir_all(&client).unwrap();
    let mut command = Command::new(generator.join("python"));
    command.env("PYTHONPATH", generator.join("packages"));
    command.args([
        "-c",
        "from openapi_generator_cli import cli; cli()",
        "generate",
        "-g",
        "rust",
        "-i",
        DOCUMENT,
        "-o",
    ]);
    command.arg(&client).args(["--additional-properties", "packageName=behalf_client,supportAsync=false"]);
    output(&mut command);
    assert!(client.join("Cargo.toml").is_file(), "it says nothing where it fails");
    for name in ["Cargo.toml", "Cargo.lock", "main.rs"] {
        fs::copy(sources("rust").join(name), main.join(name)).unwrap();
    }
    let target = kept("target");
    let mut command = Command::new("cargo");
    output(command.args(["build", "--quiet", "--locked", "--target-dir"]).arg(&target).current_dir(&main));
    assert_eq!(call(&mut Command::new(target.join("debug/calls-behalf"))).await, "ann@example.test active\n404\n");
}
