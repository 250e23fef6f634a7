//! The small commands.

use std::{fs, path::Path};

use serde_json::Value;

use super::World;
use crate::support::process::{behalf, run};

#[tokio::test]
async fn openapi_prints_the_document() {
    let dir = tempfile::tempdir().unwrap();
    let ended = run(&mut behalf(dir.path(), &["openapi"])).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let document: Value = serde_json::from_str(&ended.out).unwrap();
    assert!(document["paths"]["/hooks/{dialect}"]["post"].is_object(), "{}", ended.out);
}

#[tokio::test]
async fn config_prints_what_is_checked_in() {
    let dir = tempfile::tempdir().unwrap();
    let (env, table) = (
        run(&mut behalf(dir.path(), &["config", "env"])).await,
        run(&mut behalf(dir.path(), &["config", "table"])).await,
    );
    assert_eq!((env.code, table.code), (Some(0), Some(0)));
    for name in ["BEHALF_ISSUER", "SERVICE_AUTH_SECRET", "BEHALF_CA_FILE"] {
        assert!(env.out.contains(name) && table.out.contains(name), "{name}");
    }
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join(".env.example");
    if example.exists() {
        assert_eq!(env.out.trim_end(), fs::read_to_string(example).unwrap().trim_end());
    }
}

#[tokio::test]
async fn nothing_and_nonsense_explain_themselves() {
    let dir = tempfile::tempdir().unwrap();
    for arguments in [[].as_slice(), &["sevre"], &["store"]] {
        let ended = run(&mut behalf(dir.path(), arguments)).await;
        assert_eq!(ended.code, Some(2), "{arguments:?}: {ended:?}");
        assert!(ended.err.contains("Usage"), "{}", ended.err);
    }
    let version = run(&mut behalf(dir.path(), &["--version"])).await;
    assert_eq!((version.code, version.out), (Some(0), format!("behalf {}", env!("CARGO_PKG_VERSION"))));
}

#[tokio::test]
async fn health_is_the_exit_code() {
    let world = World::new();
    let service = world.serve(&[]).await;
    let url = service.url("");
    let ask = async |url: &str| run(&mut behalf(world.path(), &["health", "--url", url])).await;
    let up = ask(&url).await;
    assert_eq!(up.code, Some(0), "{up:?}");
    assert_eq!(ask(&service.url("/nowhere")).await.code, Some(1), "something else answers there");

    // Without an address it asks where the configuration says that the service listens.
    let bound = [("BEHALF_BIND", service.address.as_str())];
    let by_configuration = run(&mut world.command(&["health"], &bound)).await;
    assert_eq!(by_configuration.code, Some(0), "{by_configuration:?}");

    service.process.signal("KILL");
    assert_eq!(service.process.end().await.code, None);
    let down = ask(&url).await;
    assert_eq!(down.code, Some(1), "{down:?}");
    assert!(down.err.contains(&url), "{}", down.err);
    assert_eq!(run(&mut world.command(&["health"], &bound)).await.code, Some(1));
}

#[tokio::test]
async fn the_store_tells_its_state_running_and_stopped() {
    let world = World::new();
    let service = world.serve(&[]).await;
    world.grant(&service).await;
    let ask = async || {
        let ended = run(&mut world.command(&["store", "status"], &[])).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        serde_json::from_str::<Value>(&ended.out).unwrap()
    };
    let running = ask().await;
    assert_eq!(running["tenants"][0]["tenant"], "default", "{running}");
    assert!(running["tenants"][0]["events"].as_u64().unwrap() > 0, "{running}");

    // Killed, it leaves its socket behind; the state is read from the file then.
    service.process.signal("KILL");
    assert_eq!(service.process.end().await.code, None);
    assert!(world.path().join("data/admin.sock").exists());
    let killed = ask().await;
    for what in ["incarnation", "tenants"] {
        assert_eq!(killed[what], running[what]);
    }
    let by_path = run(&mut behalf(world.path(), &["store", "status", "--data", "data"])).await;
    assert_eq!(by_path.code, Some(0), "no configuration is needed: {by_path:?}");
    let nothing = run(&mut behalf(world.path(), &["store", "status", "--data", "nowhere"])).await;
    assert_eq!(nothing.code, Some(1), "{nothing:?}");
    assert!(nothing.err.contains("nowhere") && !world.path().join("nowhere").exists(), "{}", nothing.err);
}

#[test]
fn whoever_reads_only_the_beginning_of_a_result_has_what_he_wanted() {
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_behalf"))
        .arg("openapi")
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert!(ended.status.success() && ended.stderr.is_empty(), "{ended:?}");
}
