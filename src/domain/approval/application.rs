//! What an application says of its own request. It is shown to approvers as data from the application, never as words
//! of the service, and a signature binds to it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::{
    canonical::canonical,
    ids::{ApplicationUri, is_deceptive, plain_text},
    text::is_nfc,
};

/// The most characters of a title.
pub const TITLE: usize = 200;
/// The most bytes of data, in canonical JSON.
pub const MOST_BYTES: usize = 8 * 1024;
/// The most members of one object or items of one list.
const MOST_MEMBERS: usize = 50;
/// How deep it may be nested.
const MOST_DEPTH: usize = 4;

/// Why data can't be shown to a person, or signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DataFault {
    /// Too much to be read.
    #[error("is longer than {MOST_BYTES} bytes")]
    TooLong,
    /// Too many things side by side.
    #[error("has more than {MOST_MEMBERS} members in one place")]
    TooWide,
    /// Too many things in one another.
    #[error("is nested more than {MOST_DEPTH} deep")]
    TooDeep,
    /// A text that could be shown as another one, or in two ways.
    #[error("has a text with control or bidirectional formatting characters, or not in Unicode normalization form C")]
    Text,
}

/// A request that an application made on its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FromApplication {
    /// Which application.
    pub uri: ApplicationUri,
    /// What it is about.
    pub title: String,
    /// Whom its token names, as it spells him.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The data that it sent along.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub context: Map<String, Value>,
    /// The custom claims of its token.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub claims: Map<String, Value>,
}

impl FromApplication {
    /// Context and claims in canonical JSON, as one text: JSON has spellings of numbers that not everybody reads alike.
    pub fn data(&self) -> Result<String, DataFault> {
        let both = serde_json::json!({"claims": self.claims, "context": self.context});
        let text = canonical(&both).map_err(|_| DataFault::Text)?;
        if text.len() > MOST_BYTES { Err(DataFault::TooLong) } else { Ok(text) }
    }
}

/// Whether this can be shown to a person.
pub fn check(data: &Map<String, Value>) -> Result<(), DataFault> {
    object(data, 1)
}

/// Whether a title or a name can be.
pub fn check_text(text: &str, most: usize) -> Result<(), DataFault> {
    plain_text(text, most).map_err(|_| DataFault::Text)?;
    if is_nfc(text) { Ok(()) } else { Err(DataFault::Text) }
}

fn object(members: &Map<String, Value>, depth: usize) -> Result<(), DataFault> {
    if members.len() > MOST_MEMBERS {
        return Err(DataFault::TooWide);
    }
    members.iter().try_for_each(|(name, member)| text(name).and_then(|()| value(member, depth)))
}

fn value(item: &Value, depth: usize) -> Result<(), DataFault> {
    match item {
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
        Value::String(said) => text(said),
        Value::Array(_) | Value::Object(_) if depth >= MOST_DEPTH => Err(DataFault::TooDeep),
        Value::Array(items) if items.len() > MOST_MEMBERS => Err(DataFault::TooWide),
        Value::Array(items) => items.iter().try_for_each(|item| value(item, depth + 1)),
        Value::Object(members) => object(members, depth + 1),
    }
}

fn text(said: &str) -> Result<(), DataFault> {
    if said.chars().any(is_deceptive) || !is_nfc(said) { Err(DataFault::Text) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fault(data: &Value) -> Option<DataFault> {
        check(data.as_object().unwrap()).err()
    }

    #[test]
    fn what_a_person_can_read_is_fine() {
        assert_eq!(fault(&json!({"amount": 12.5, "currency": "EUR", "lines": [{"to": ["René"]}], "x": null})), None);
    }

    #[test]
    fn what_nobody_could_read_is_refused() {
        let wide: Vec<u8> = vec![0; MOST_MEMBERS + 1];
        let wider: Map<_, _> = (0..=MOST_MEMBERS).map(|n| (n.to_string(), json!(1))).collect();
        let cases = [
            (json!({"a": "\u{202e}"}), DataFault::Text),
            (json!({"a\u{0}": 1}), DataFault::Text),
            (json!({"a": "Rene\u{301}"}), DataFault::Text),
            (json!({"a": [[[[1]]]]}), DataFault::TooDeep),
            (json!({"a": {"b": {"c": {"d": {}}}}}), DataFault::TooDeep),
            (json!({"a": wide}), DataFault::TooWide),
            (Value::Object(wider), DataFault::TooWide),
        ];
        for (data, expected) in cases {
            assert_eq!(fault(&data), Some(expected), "{data}");
        }
        let text = json!({"a": "x".repeat(MOST_BYTES)});
        let said = FromApplication {
            uri: ApplicationUri::parse("erp").unwrap(),
            title: "t".to_owned(),
            subject: None,
            context: text.as_object().unwrap().clone(),
            claims: Map::new(),
        };
        assert_eq!(said.data(), Err(DataFault::TooLong));
    }
}
