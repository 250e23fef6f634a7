//! User types and schemas.

use actix_web::http::Method;
use serde_json::{Map, Value, json};

use super::{
    World,
    answer::{Answered, Refusal, invalid, not_found, ok},
    state::State,
};

pub(super) fn types(world: &World, state: &mut State, method: &Method, body: &Value) -> Answered {
    if *method == Method::GET {
        return ok(json!(state.types));
    }
    world.judge.check("UserType", body)?;
    let name = body["name"].as_str().unwrap_or_default();
    let letters = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !letters || !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Err(invalid("name: it must start with a letter and hold letters, digits and underscores"));
    }
    if state.types.iter().any(|one| one["name"] == name) {
        return Err(invalid("name: A user type with this name already exists"));
    }
    if state.types.len() >= 10 {
        return Err(invalid("the maximum number of user types was reached"));
    }
    let (id, schema) = (state.id("oty"), state.id("osc"));
    state.schemas.insert(schema.clone(), Map::new());
    let made = state.add_type(&id, name, &schema, false, &world.url);
    ok(made)
}

pub(super) fn schema(world: &World, state: &mut State, id: &str, method: &Method, body: &Value) -> Answered {
    let id = if id == "default" { "osc0" } else { id };
    if !state.schemas.contains_key(id) {
        return Err(not_found(&format!("{id} (UserSchema)")));
    }
    if *method == Method::POST {
        world.judge.check("UserSchema", body)?;
        let Some(changes) = body.pointer("/definitions/custom/properties").and_then(Value::as_object) else {
            return Err(invalid("nothing to change"));
        };
        for (name, attribute) in changes {
            change(state, id, name, attribute)?;
        }
    }
    let login = json!({"title": "Username", "type": "string"});
    ok(json!({
        "id": format!("{}/meta/schemas/user/{id}", world.url), "name": "user", "type": "object",
        "$schema": "http://json-schema.org/draft-04/schema#",
        "definitions": {
            "base": {"id": "#base", "type": "object", "properties": {"login": login}, "required": ["login"]},
            "custom": {"id": "#custom", "type": "object", "properties": state.schemas[id], "required": []},
        },
    }))
}

fn change(state: &mut State, schema: &str, name: &str, attribute: &Value) -> Result<(), Refusal> {
    if attribute.is_null() {
        state.violations.push(format!("the attribute {name} was to be removed"));
        return Err(invalid("removal"));
    }
    if attribute["title"].as_str().is_none_or(str::is_empty) {
        return Err(invalid(format!("{name}: title is missing")));
    }
    if attribute["type"] == "array" && attribute.pointer("/items/type").is_none_or(|kind| kind != "string") {
        return Err(invalid(format!("{name}: array items need a type")));
    }
    for permission in attribute["permissions"].as_array().into_iter().flatten() {
        let known = ["HIDE", "READ_ONLY", "READ_WRITE"].map(Value::from).contains(&permission["action"]);
        if permission["principal"] != "SELF" || !known {
            return Err(invalid(format!("{name}: permissions")));
        }
    }
    let attributes = state.schemas.get_mut(schema).unwrap();
    if attributes.get(name).is_some_and(|old| old["type"] != attribute["type"]) {
        return Err(invalid(format!("{name}: the data type of an attribute can't be changed")));
    }
    if attributes.keys().any(|old| old != name && old.eq_ignore_ascii_case(name)) {
        return Err(invalid(format!("{name}: an attribute of this name exists")));
    }
    let mut stored = attribute.clone();
    stored["mutability"] = json!("READ_WRITE");
    stored["scope"] = json!("NONE");
    stored["master"] = json!({"type": "PROFILE_MASTER"});
    attributes.insert(name.to_owned(), stored);
    Ok(())
}
