//! The file of users changes while the service runs.

use std::fs;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{USERS, World};
use crate::support::process::{Service, until};

const CAROL: &str = "  - {id: 00ucarol, login: carol@example.test, status: active}\n";

async fn list(world: &World, service: &Service, agent: &str) -> StatusCode {
    world.call(Method::POST, &service.url("/v1/grants"), "bob", &json!({"agent": agent})).await.0
}

#[tokio::test]
async fn a_new_file_is_taken_and_a_wrong_one_is_not() {
    let world = World::new();
    let mut service = world.serve(&[("BEHALF_USERS_RELOAD", "100ms")]).await;
    assert_ne!(list(&world, &service, "carol@example.test").await, StatusCode::CREATED);

    let file = world.path().join("users.yaml");
    fs::write(&file, format!("{USERS}{CAROL}")).unwrap();
    until("Carol to be known", async || {
        (list(&world, &service, "carol@example.test").await == StatusCode::CREATED).then_some(())
    })
    .await;

    fs::write(&file, format!("{USERS}  - {{id: 00udan, login: ann@example.test, status: active}}\n")).unwrap();
    let error: Value = service.process.log("kept the old users: the new file is wrong").await;
    assert!(error["why"].as_str().unwrap().contains("same login"), "{error}");
    assert_eq!(list(&world, &service, "ann@example.test").await, StatusCode::CREATED, "the old users are still there");
    assert_ne!(list(&world, &service, "00udan").await, StatusCode::CREATED);
}
