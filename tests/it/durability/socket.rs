//! Who may ask the running process.

use std::{
    fs::{Permissions, copy, set_permissions},
    os::unix::fs::PermissionsExt,
    process::{Command, Output},
};

use super::{is_root, rig::World, skipped};

/// `nobody` in most systems; any user that isn't root will do.
const SOMEBODY: &str = "65534";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_user_is_turned_away() {
    if !is_root() || Command::new("setpriv").arg("--version").output().is_err() {
        return skipped("only root, with setpriv, can play another user", is_root());
    }
    let world = World::new(1);
    let data = world.path("data");
    let _process = world.start(&data).await;
    // Where others find it, too.
    let binary = world.path("behalf");
    copy(env!("CARGO_BIN_EXE_behalf"), &binary).unwrap();
    let mode = |path: &std::path::Path, mode| set_permissions(path, Permissions::from_mode(mode)).unwrap();
    mode(world.folder.path(), 0o755);
    mode(&binary, 0o755);
    let ask = || -> Output {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", SOMEBODY, "--clear-groups"]).arg(&binary);
        command.args(["store", "status", "--data"]).arg(&data).output().unwrap()
    };
    let said = |output: &Output| String::from_utf8(output.stderr.clone()).unwrap();
    // The folder keeps them out …
    let refused = ask();
    assert!(!refused.status.success() && said(&refused).contains("Permission denied"), "{refused:?}");
    // … and if somebody opened it, the process asks who is calling.
    mode(&data, 0o755);
    mode(&data.join("admin.sock"), 0o666);
    let refused = ask();
    assert!(!refused.status.success(), "{refused:?}");
    assert!(said(&refused).contains("only the user that behalf runs as, and root, may ask"), "{refused:?}");
    assert!(world.run(&data, &["store", "status"]).await.status.success(), "its own user may");
}
