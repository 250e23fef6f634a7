//! Inline hooks. A secret goes in and never comes out.

use actix_web::http::Method;
use serde_json::{Value, json};

use super::{
    World,
    answer::{Answered, Refusal, invalid, not_found, ok},
    state::State,
};

const TYPE: &str = "com.okta.oauth2.tokens.transform";

pub(super) fn list(state: &State, query: &str) -> Answered {
    let asked = query.split('&').find_map(|pair| pair.strip_prefix("type="));
    let hooks: Vec<_> = state.hooks.iter().filter(|hook| asked.is_none_or(|kind| hook["type"] == kind)).collect();
    ok(json!(hooks))
}

pub(super) fn create(world: &World, state: &mut State, body: &Value) -> Answered {
    world.judge.check("InlineHookCreate", body)?;
    if body["type"] != TYPE {
        return Err(invalid("type"));
    }
    let secret = checked(body)?;
    if state.hooks.iter().any(|hook| hook["name"] == body["name"]) {
        return Err(invalid("name: it is taken"));
    }
    let id = state.id("cal");
    let mut hook = shown(body);
    (hook["id"], hook["status"], hook["type"]) = (json!(id), json!("ACTIVE"), json!(TYPE));
    state.hooks.push(hook.clone());
    state.secrets.insert(id, secret);
    ok(hook)
}

pub(super) fn replace(world: &World, state: &mut State, id: &str, body: &Value) -> Answered {
    world.judge.check("InlineHookReplace", body)?;
    let secret = checked(body)?;
    let old = state.hooks.iter_mut().find(|hook| hook["id"] == id).ok_or_else(|| not_found(id))?;
    let mut hook = shown(body);
    (hook["id"], hook["status"], hook["type"]) = (old["id"].clone(), old["status"].clone(), old["type"].clone());
    *old = hook.clone();
    state.secrets.insert(id.to_owned(), secret);
    ok(hook)
}

pub(super) fn activate(state: &mut State, id: &str, method: &Method) -> Answered {
    if *method != Method::POST {
        return Err(Refusal(405, "E0000022", "The endpoint does not support the provided HTTP method".to_owned()));
    }
    let hook = state.hooks.iter_mut().find(|hook| hook["id"] == id).ok_or_else(|| not_found(id))?;
    hook["status"] = json!("ACTIVE");
    ok(hook.clone())
}

/// What the schemas don't say. Gives the secret.
fn checked(body: &Value) -> Result<String, Refusal> {
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    if text("/name").is_empty() || text("/version") != "1.0.0" || text("/channel/version") != "1.0.0" {
        return Err(invalid("name or version is missing"));
    }
    let uri = text("/channel/config/uri");
    if text("/channel/type") != "HTTP" || !uri.starts_with("https://") || uri.contains(' ') || uri.len() > 1024 {
        return Err(invalid("channel: the URI must begin with https://"));
    }
    if text("/channel/config/method") != "POST" || text("/channel/config/authScheme/type") != "HEADER" {
        return Err(invalid("channel: method or authScheme"));
    }
    let (key, value) = (text("/channel/config/authScheme/key"), text("/channel/config/authScheme/value"));
    if key.is_empty() || value.is_empty() {
        return Err(invalid("authScheme: key and value must not be empty"));
    }
    Ok(value.to_owned())
}

/// As it is told afterwards.
fn shown(body: &Value) -> Value {
    let mut hook = body.clone();
    let key = body.pointer("/channel/config/authScheme/key").and_then(Value::as_str).unwrap_or_default();
    hook["channel"]["config"]["authScheme"] = json!({"type": "HEADER", "key": key.to_lowercase()});
    hook
}
