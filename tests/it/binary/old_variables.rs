//! The twelve variables of Okta Managed Access, alone, against an Okta.

use std::sync::Arc;

use behalf::adapters::system::SystemClock;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{SECRET, World, assert_delegates};
use crate::support::{
    fake_okta::{DELEGATED_TYPE, ENTITY_TYPE, FakeOkta, KeyKind, TOKEN, USER_TYPE},
    process::{Service, behalf, run},
};

/// Ann and Bob are ordinary users; Ann belongs to Acme.
fn organisation() -> FakeOkta {
    let okta = FakeOkta::start(Arc::new(SystemClock)).unwrap();
    for (id, login) in
        [("00uann", "ann@example.test"), ("00ubob", "bob@example.test"), ("00uacme", "acme@example.test")]
    {
        okta.add(id, login);
    }
    okta.edit("00ubob", |account| {
        account.profile.insert("costCenter".to_owned(), json!("4711"));
    });
    okta.edit("00uacme", |account| {
        ENTITY_TYPE.clone_into(&mut account.kind);
        account.profile.insert("entityId".to_owned(), json!("e-1"));
        account.profile.insert("entityName".to_owned(), json!("Acme Ltd"));
    });
    let link = (("00uann".to_owned(), "parentEntity".to_owned()), vec![format!("{}/api/v1/users/00uacme", okta.url)]);
    okta.set(|state| state.links.extend([link]));
    okta
}

fn variables<'v>(world: &'v World, tenant: &'v str) -> [(&'static str, &'v str); 12] {
    [
        ("TENANT", tenant),
        ("TOKEN", TOKEN),
        ("USER_TYPE_ID", USER_TYPE),
        ("DELEGATED_USER_TYPE_ID", DELEGATED_TYPE),
        ("ENTITY_TYPE_ID", ENTITY_TYPE),
        ("PORT", "0"),
        ("TOKEN_AUD", "api://default"),
        ("ISSUER", world.issuer.issuer()),
        ("SERVICE_AUTH_SECRET", SECRET),
        ("DELEGATED_ACCESS_CLAIMS", "costCenter"),
        ("DELEGATED_IDENTITY_CLAIMS", "costCenter"),
        ("LOG_LEVEL", "http"),
    ]
}

/// The whole story of Okta Managed Access, by its own routes.
#[tokio::test]
async fn they_are_enough_for_the_whole_story() {
    let (world, okta) = (World::new(), organisation());
    let tenant = format!("{}/", okta.url);
    let mut service = Service::start(behalf(world.path(), &["serve"]).envs(variables(&world, &tenant))).await;
    let ready = service.process.log("ready").await;
    assert!(ready["address"].as_str().unwrap().starts_with("0.0.0.0:"), "{ready}");
    let post =
        async |who: &str, path: &str, body: Value| world.call(Method::POST, &service.url(path), who, &body).await;

    // Who can't be delegated gets no agents.
    let (status, said) = post("bob", "/delegator/agents/add", json!({"agentid": "ann@example.test"})).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{said}");
    let (status, said) = post("bob", "/delegator/delegation", json!({"op": "Activate"})).await;
    assert_eq!(
        (status, okta.set(|state| state.users["00ubob"].kind.clone())),
        (StatusCode::OK, DELEGATED_TYPE.into()),
        "{said}"
    );
    let (status, said) = post("bob", "/delegator/agents/add", json!({"agentid": "ann@example.test"})).await;
    assert_eq!(status, StatusCode::OK, "{said}");
    assert_eq!(okta.agents("00ubob"), ["00uann"]);
    let (_, list) = world.call(Method::GET, &service.url("/delegator/agents"), "bob", &json!(null)).await;
    assert_eq!(
        (&list["agents"][0]["id"], &list["agents"][0]["firstName"]),
        (&json!("00uann"), &json!("ann")),
        "{list}"
    );

    let (status, list) = world.call(Method::GET, &service.url("/agent"), "ann", &json!(null)).await;
    let shown = json!([{"id": "00ubob", "displayName": "bob Fake (bob@example.test)"}]);
    assert_eq!((status, list), (StatusCode::OK, shown));
    let (status, begun) = post("ann", "/agent", json!({"entityid": "bob@example.test"})).await;
    assert_eq!(status, StatusCode::OK, "{begun}");
    let hook = world.hook("e1", begun["id"].as_str());
    let answer = world.deliver(&service.url("/tokenEnrichment/agent"), &hook).await;
    assert_delegates(&answer);
    assert!(answer.1.contains("/claims/costCenter") && answer.1.contains("4711"), "{}", answer.1);

    let answer = world.deliver(&service.url("/tokenEnrichment/entity"), &world.hook("e2", None)).await;
    assert_eq!(answer.0, 200, "{}", answer.1);
    let commands: Value = serde_json::from_str(&answer.1).unwrap();
    let claim = |kind: &str| {
        let command = commands["commands"].as_array().unwrap().iter().find(|command| command["type"] == kind).unwrap();
        (command["value"][0]["path"].clone(), command["value"][0]["value"].clone())
    };
    assert_eq!(claim("com.okta.access.patch"), (json!("/claims/entity"), json!("e-1")));
    assert_eq!(claim("com.okta.identity.patch"), (json!("/claims/entity"), json!("Acme Ltd")));

    // Deactivated, he has no agents, and what was begun is of no use.
    let (_, begun) = post("ann", "/agent", json!({"entityid": "00ubob"})).await;
    let (status, said) = post("bob", "/delegator/delegation", json!({"op": "DEACTIVATE"})).await;
    assert_eq!(
        (status, okta.set(|state| state.users["00ubob"].kind.clone())),
        (StatusCode::OK, USER_TYPE.into()),
        "{said}"
    );
    assert_eq!(okta.agents("00ubob"), Vec::<String>::new());
    let answer = world.deliver(&service.url("/tokenEnrichment/agent"), &world.hook("e3", begun["id"].as_str())).await;
    super::assert_refuses(&answer, "not-delegated");
    assert_eq!(okta.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn check_signs_in() {
    let (world, okta) = (World::new(), organisation());
    let check = async || run(behalf(world.path(), &["check"]).envs(variables(&world, &okta.url))).await;
    let ended = check().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.contains("ok: directory of `default`: 127.0.0.1: signed in"), "{}", ended.out);
    okta.set(|state| "another".clone_into(&mut state.token));
    let ended = check().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(format!("{}{}", ended.out, ended.err).contains("error: directory of `default`: 127.0.0.1"), "{ended:?}");
    assert!(!format!("{ended:?}").contains(TOKEN), "{ended:?}");
}

/// The same organisation, with a service app in place of the API token.
#[tokio::test]
async fn a_service_app_signs_in_with_its_key() {
    let (world, okta) = (World::new(), organisation());
    let scopes = ["okta.users.read", "okta.users.manage", "okta.userTypes.read", "okta.schemas.read"];
    let pem = okta.register("0oaapp", KeyKind::Rsa, "k1", &scopes).unwrap();
    std::fs::write(world.path().join("app.pem"), pem).unwrap();
    let app = [
        ("TOKEN", ""),
        ("BEHALF_OKTA_CLIENT_ID", "0oaapp"),
        ("BEHALF_OKTA_KEY_FILE", "app.pem"),
        ("BEHALF_OKTA_KEY_ID", "k1"),
    ];
    let check = async || run(behalf(world.path(), &["check"]).envs(variables(&world, &okta.url)).envs(app)).await;
    let ended = check().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.out.contains("ok: directory of `default`: 127.0.0.1: signed in"), "{}", ended.out);
    std::fs::write(world.path().join("app.pem"), "no key").unwrap();
    let ended = check().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(format!("{}{}", ended.out, ended.err).contains("BEHALF_OKTA_KEY_FILE"), "{ended:?}");
}
