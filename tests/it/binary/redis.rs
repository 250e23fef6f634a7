//! The binary over Redis: what `check` and the other commands say, and what comes of everything that can be wrong.

use std::process::Command;

use behalf::adapters::{audit::signing::SigningKey, system::OsEntropy};

use super::World;
use crate::support::process::{Ended, Service, run};

mod bad_input;
mod check;
mod commands;
mod copying;
mod rights;

/// What it takes to serve over Redis: our binary with a key to sign with.
pub(super) fn command(world: &World, arguments: &[&str], store: &str, change: &[(&'static str, &str)]) -> Command {
    let keys = world.path().join("keys");
    std::fs::create_dir_all(&keys).unwrap();
    SigningKey::load_or_make(&keys, &OsEntropy).unwrap();
    let key = keys.join(behalf::adapters::audit::signing::KEY_FILE);
    let mut all = vec![("BEHALF_STORE", store), ("BEHALF_SIGNING_KEY_FILE", key.to_str().unwrap())];
    all.extend(change);
    world.command(arguments, &all)
}

async fn ask(world: &World, arguments: &[&str], store: &str, change: &[(&'static str, &str)]) -> Ended {
    run(&mut command(world, arguments, store, change)).await
}

pub(super) async fn serve(world: &World, store: &str, change: &[(&'static str, &str)]) -> Service {
    Service::start(&mut command(world, &["serve"], store, change)).await
}
