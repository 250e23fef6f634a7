//! The variables of Okta Managed Access, alone.

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{SECRET, World, assert_delegates};
use crate::support::process::{Service, behalf, run};

fn variables(world: &World) -> [(&'static str, &str); 11] {
    [
        ("TOKEN", "an-api-token"),
        ("USER_TYPE_ID", "oty-user"),
        ("DELEGATED_USER_TYPE_ID", ""),
        ("ENTITY_TYPE_ID", "oty-entity"),
        ("PORT", "0"),
        ("TOKEN_AUD", "api://default"),
        ("ISSUER", world.issuer.issuer()),
        ("SERVICE_AUTH_SECRET", SECRET),
        ("DELEGATED_ACCESS_CLAIMS", "costCenter"),
        ("DELEGATED_IDENTITY_CLAIMS", "costCenter"),
        ("LOG_LEVEL", "http"),
    ]
}

#[tokio::test]
async fn they_serve() {
    let world = World::new();
    let mut service = Service::start(behalf(world.path(), &["serve"]).envs(variables(&world))).await;
    let ready = service.process.log("ready").await;
    assert!(ready["address"].as_str().unwrap().starts_with("0.0.0.0:"), "{ready}");

    let (status, agent) =
        world.call(Method::POST, &service.url("/v1/grants"), "bob", &json!({"agent": "00uann"})).await;
    assert_eq!(status, StatusCode::CREATED, "{agent}");
    let (status, list) = world.call(Method::GET, &service.url("/agent"), "ann", &json!(null)).await;
    assert_eq!((status, &list[0]["id"]), (StatusCode::OK, &json!("00ubob")), "{list}");
    let (status, begun) =
        world.call(Method::POST, &service.url("/agent"), "ann", &json!({"entityid": "bob@example.test"})).await;
    assert_eq!(status, StatusCode::OK, "{begun}");

    let hook = world.hook("e1", begun["id"].as_str());
    let answer = world.deliver(&service.url("/tokenEnrichment/agent"), &hook).await;
    assert_delegates(&answer);
    assert!(answer.1.contains("/claims/costCenter") && answer.1.contains("4711"), "{}", answer.1);
}

#[tokio::test]
async fn an_old_variable_that_selects_what_is_not_built_is_refused() {
    let world = World::new();
    for command in ["serve", "check"] {
        let ended =
            run(behalf(world.path(), &[command]).envs(variables(&world)).env("TENANT", "https://org.okta.com")).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.err.contains("TENANT") && ended.err.contains("comes with a later version"), "{}", ended.err);
    }
}
