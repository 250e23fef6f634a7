//! User types and their schemas.

use serde_json::{Map, Value, json};

use super::{World, answer::Say, state::State};

/// What every user type has.
const BASE: [&str; 6] = ["login", "email", "firstName", "lastName", "organization", "mobilePhone"];

fn view(world: &World, state: &State, id: &str) -> Option<Value> {
    let kind = state.types.get(id)?;
    let url = &world.url;
    Some(json!({"id": id, "name": kind.name, "displayName": kind.name, "default": kind.name == "user",
        "_links": {"schema": {"rel": "schema", "href": format!("{url}/api/v1/meta/schemas/user/sch{id}"), "method": "GET"},
                   "self": {"rel": "self", "href": format!("{url}/api/v1/meta/types/user/{id}"), "method": "GET"}}}))
}

pub(super) fn types(world: &World, state: &State) -> Say {
    Say::Json(state.types.keys().filter_map(|id| view(world, state, id)).collect(), Vec::new())
}

pub(super) fn kind(world: &World, state: &State, id: &str) -> Say {
    view(world, state, id).map_or_else(|| Say::not_found(id), |body| Say::Json(body, Vec::new()))
}

pub(super) fn schema(world: &World, state: &State, id: &str) -> Say {
    let kind = if id == "default" {
        state.types.values().find(|kind| kind.name == "user")
    } else {
        id.strip_prefix("sch").and_then(|kind| state.types.get(kind))
    };
    let Some(kind) = kind else { return Say::not_found(id) };
    let permissions = json!([{"principal": "SELF", "action": "READ_WRITE"}]);
    let base: Map<String, Value> = BASE
        .iter()
        .map(|name| ((*name).to_owned(), json!({"title": name, "type": "string", "permissions": permissions})))
        .collect();
    let body = json!({"id": format!("{}/api/v1/meta/schemas/user/{id}", world.url), "name": kind.name, "type": "object",
        "definitions": {"base": {"id": "#base", "type": "object", "properties": base, "required": ["login"]},
                        "custom": {"id": "#custom", "type": "object", "properties": kind.custom, "required": []}}});
    Say::Json(body, Vec::new())
}

/// Whether the type's users can have the attribute with that value.
pub(super) fn fits(state: &State, kind: &str, name: &str, value: &Value) -> bool {
    let Some(kind) = state.types.get(kind) else { return false };
    let Some(schema) = kind.custom.get(name) else {
        return BASE.contains(&name) && (value.is_string() || value.is_null());
    };
    match (schema["type"].as_str(), value) {
        (_, Value::Null) | (Some("string"), Value::String(_)) => true,
        (Some("array"), Value::Array(items)) => items.iter().all(Value::is_string),
        _ => false,
    }
}

/// Whether any type has the attribute.
pub(super) fn is_known(state: &State, name: &str) -> bool {
    BASE.contains(&name) || state.types.values().any(|kind| kind.custom.contains_key(name))
}
