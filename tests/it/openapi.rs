//! The API document: checked in, complete, and about what is there.

mod breaking;
mod clients;
pub(crate) mod codes;
mod lint;
mod pages;
mod rig;
mod schemathesis;

use std::collections::BTreeSet;

use behalf::web::openapi;
use serde_json::{Value, json};

use crate::support::{
    document::{Operation, document, example, faults, operations, resolve},
    test_app::TestApp,
};

/// Problems that every operation for users can give.
const CALLERS: [&str; 6] = ["400", "401", "403", "404", "429", "503"];

fn of_users() -> impl Iterator<Item = Operation> {
    operations().into_iter().filter(|o| o.is_secured_by("user_token"))
}

#[test]
fn the_checked_in_document_is_the_present_one() {
    let checked_in = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/openapi.json")).unwrap();
    assert!(checked_in == openapi::json(), "run `cargo run -- openapi > openapi/openapi.json`");
}

#[test]
fn every_operation_says_what_it_is() {
    let mut ids = BTreeSet::new();
    let tags: BTreeSet<_> = document()["tags"].as_array().unwrap().iter().map(|t| t["name"].as_str()).collect();
    for operation in operations() {
        let (id, spec) = (operation.id(), operation.spec);
        assert!(!id.is_empty() && ids.insert(id), "{} {} has an id of its own", operation.method, operation.path);
        assert!(spec["summary"].as_str().is_some_and(|s| s.len() > 10), "{id} has a summary");
        let used = spec["tags"].as_array().unwrap();
        assert!(used.len() == 1 && tags.contains(&used[0].as_str()), "{id} has one tag, and the tag is described");
    }
    assert!(ids.len() > 20);
}

#[test]
fn every_body_has_an_example_that_fits() {
    let mut seen = 0;
    for operation in operations() {
        let bodies = &operation.spec["requestBody"];
        let successes =
            operation.spec["responses"].as_object().unwrap().iter().filter(|(code, _)| code.starts_with('2'));
        let media =
            successes.map(|(_, answer)| answer).chain([bodies]).filter_map(|b| b["content"].as_object()).flatten();
        for (kind, media) in media {
            let example = example(media).unwrap_or_else(|| panic!("{}: no example of {kind}", operation.id()));
            if kind.ends_with("json") && media.get("schema").is_some() {
                assert_eq!(faults(&media["schema"], &example), Vec::<String>::new(), "{} {kind}", operation.id());
                seen += 1;
            }
        }
    }
    assert!(seen > 25, "{seen}");
}

#[test]
fn every_parameter_and_property_is_described() {
    for operation in operations() {
        for parameter in operation.spec["parameters"].as_array().into_iter().flatten() {
            let what = format!("{} {}", operation.id(), parameter["name"]);
            assert!(parameter["description"].as_str().is_some_and(|d| d.len() > 4), "{what} is described");
            assert!(parameter["schema"]["type"].is_string(), "{what}: a parameter is there or not, it is never null");
            assert!(parameter["in"] != "path" || parameter["example"].is_string(), "{what} has an example");
        }
    }
    for (name, schema) in document()["components"]["schemas"].as_object().unwrap() {
        assert!(schema["description"].is_string(), "{name} is described");
        for (property, schema) in schema["properties"].as_object().into_iter().flatten() {
            // One that may be null has its words where it is not.
            let words = schema["description"].as_str().or_else(|| schema["oneOf"][0]["description"].as_str());
            assert!(words.is_some(), "{name}.{property} is described");
        }
    }
}

#[test]
fn path_parameters_are_those_of_the_path() {
    for operation in operations() {
        let in_path: BTreeSet<_> =
            operation.path.split('/').filter_map(|s| s.strip_prefix('{')?.strip_suffix('}')).collect();
        let parameters = operation.spec["parameters"].as_array().into_iter().flatten().filter(|p| p["in"] == "path");
        let declared: BTreeSet<_> = parameters.map(|p| p["name"].as_str().unwrap()).collect();
        assert_eq!(declared, in_path, "{}", operation.id());
    }
}

/// A tenant's operations for everybody. This list may only shrink.
const OPEN: [&str; 1] = ["service-keys"];

#[test]
fn everything_but_operations_names_who_may_call() {
    let schemes = document()["components"]["securitySchemes"].as_object().unwrap();
    for operation in operations() {
        let (id, requirements) = (operation.id(), operation.spec["security"].as_array());
        if operation.has_tag("operations") {
            assert_eq!(operation.spec["servers"], json!([{"url": "/"}]), "{id} exists bare only");
            assert_eq!(requirements, Some(&vec![json!({})]), "{id} is for everybody who reaches it");
            continue;
        }
        assert!(operation.spec.get("servers").is_none(), "{id} exists for every tenant");
        if OPEN.contains(&id) {
            assert_eq!(requirements, Some(&vec![json!({})]), "{id} is for everybody");
            continue;
        }
        let names: Vec<&String> = requirements.unwrap().iter().flat_map(|r| r.as_object().unwrap().keys()).collect();
        assert!(!names.is_empty() && names.iter().all(|n| schemes.contains_key(*n)), "{id}: {names:?}");
        let of_api: &[&[&str]] = &[&["user_token"], &["user_token", "application_token"], &["application_token"]];
        let of_hooks: &[&[&str]] = &[&["hook_secret", "hook_bearer"]];
        let expected = if operation.has_tag("hooks") { of_hooks } else { of_api };
        assert!(expected.iter().any(|expected| names == *expected), "{id}: {names:?}");
    }
}

#[test]
fn problems_are_declared_in_their_form() {
    for operation in of_users() {
        let (id, answers) = (operation.id(), &operation.spec["responses"]);
        let media = if operation.has_tag("compatibility") { "application/json" } else { "application/problem+json" };
        let takes_body = operation.spec.get("requestBody").is_some();
        let bodies: &[&str] = match (takes_body, operation.has_tag("compatibility")) {
            (false, _) => &[],
            (true, true) => &["413"],
            (true, false) => &["413", "415"],
        };
        for status in CALLERS.iter().chain(bodies) {
            assert!(answers[status]["content"][media]["schema"].is_object(), "{id}: {status} as {media}");
        }
        for (status, answer) in answers.as_object().unwrap() {
            assert!(answer["description"].as_str().is_some_and(|d| d.len() > 4), "{id}: {status} is described");
            let other = answer["content"].as_object().into_iter().flatten().find(|(kind, _)| *kind != media);
            assert!(status.starts_with('2') || other.is_none(), "{id}: {status} has one form only");
        }
    }
}

#[test]
fn every_reference_leads_somewhere_and_no_schema_is_left_over() {
    fn references(value: &'static Value, found: &mut BTreeSet<&'static str>) {
        match value {
            Value::Array(list) => list.iter().for_each(|v| references(v, found)),
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|v| references(v, found));
            }
            _ => {}
        }
    }
    let mut used = BTreeSet::new();
    references(document(), &mut used);
    let schemas = document()["components"]["schemas"].as_object().unwrap();
    let there: BTreeSet<_> = schemas.keys().map(|name| format!("#/components/schemas/{name}")).collect();
    assert_eq!(used.iter().map(|r| (*r).to_owned()).collect::<BTreeSet<_>>(), there);
    assert!(schemas.values().all(|s| jsonschema::meta::is_valid(&Value::clone(resolve(s)))));
}

#[test]
fn the_document_has_the_members_that_openapi_3_1_demands() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());
    assert_eq!(document["servers"][1]["variables"]["tenant"]["default"], "default");
    for operation in operations() {
        let statuses = operation.spec["responses"].as_object().unwrap();
        assert!(!statuses.is_empty() && statuses.keys().all(|s| s.len() == 3), "{}", operation.id());
    }
}

#[actix_web::test]
async fn the_served_document_is_the_same() {
    let app = TestApp::new().await;
    let answer = app.get("/openapi.json", "nobody").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(&answer.json, document());
}
