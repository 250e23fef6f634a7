//! Sizes on the heap, as near as they can be told without asking the allocator.

use std::mem::size_of;

use serde_json::{Map, Value};

/// What an allocation costs beside its content, about.
const BLOCK: usize = 16;

/// Of a text.
pub fn text(text: &str) -> usize {
    text.len() + BLOCK
}

/// Of what an object's members hold, and of the members themselves.
pub fn object(members: &Map<String, Value>) -> usize {
    members.iter().map(|(name, value)| size_of::<(String, Value)>() + text(name) + json(value)).sum()
}

/// Of what a value holds. It was read by `serde_json`, which bounds its depth.
fn json(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(string) => text(string),
        Value::Array(items) => BLOCK + items.iter().map(|item| size_of::<Value>() + json(item)).sum::<usize>(),
        Value::Object(members) => BLOCK + object(members),
    }
}
