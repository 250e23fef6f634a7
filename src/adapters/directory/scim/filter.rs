//! Filters and paths of RFC 7644 (3.4.2.2, 3.5.2). A value is a JSON string, so nothing in it can end it.

use serde_json::{Value, json};

/// The multi-valued attribute that holds a user's agents, in its extension schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    extension: String,
    name: String,
    complex: bool,
}

impl Attribute {
    /// `path` is `name`, whose values are texts, or `name.value`, whose values are objects with the text in `value`.
    pub fn new(extension: &str, path: &str) -> Result<Self, String> {
        if !is_urn(extension) {
            return Err(format!("`{extension}` is no URN of a schema"));
        }
        let (name, complex) = match path.split_once('.') {
            None => (path, false),
            Some((name, "value")) => (name, true),
            Some(_) => return Err(format!("`{path}` is neither `name` nor `name.value`")),
        };
        if !is_name(name) {
            return Err(format!("`{name}` is no name of a SCIM attribute"));
        }
        Ok(Self { extension: extension.to_owned(), name: name.to_owned(), complex })
    }

    /// The schema's URN.
    pub fn extension(&self) -> &str {
        &self.extension
    }

    /// The attribute's name within it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// True if its values are objects.
    pub fn is_complex(&self) -> bool {
        self.complex
    }

    /// The attribute as a path: `urn:…:User:name`.
    pub fn path(&self) -> String {
        format!("{}:{}", self.extension, self.name)
    }

    /// Filter for users with this value.
    pub fn holding(&self, value: &str) -> String {
        if self.complex { self.path_of(value) } else { equal(&self.path(), value) }
    }

    /// Path of this one value.
    pub fn path_of(&self, value: &str) -> String {
        format!("{}[{}]", self.path(), equal("value", value))
    }

    /// The value as the attribute holds it.
    pub fn item(&self, value: &str) -> Value {
        if self.complex { json!({ "value": value }) } else { json!(value) }
    }
}

/// Filter for what has exactly (as far as the server compares exactly) this text there.
pub fn equal(path: &str, value: &str) -> String {
    format!("{path} eq {}", Value::from(value))
}

/// RFC 8141, narrowed to what can stand before an attribute in a path.
fn is_urn(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    let fits = |part: &&str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    };
    text.len() <= 256 && parts.len() >= 3 && parts[0].eq_ignore_ascii_case("urn") && parts.iter().all(fits)
}

/// RFC 7643, 2.1 (without `$`, which only `$ref` has).
fn is_name(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    text.len() <= 128 && text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    const URN: &str = "urn:behalf:params:scim:schemas:extension:delegation:2.0:User";

    #[test]
    fn both_forms() {
        let simple = Attribute::new(URN, "delegatedAgents").unwrap();
        assert_eq!(simple.holding("a\"b"), format!("{URN}:delegatedAgents eq \"a\\\"b\""));
        assert_eq!(simple.path_of("a"), format!("{URN}:delegatedAgents[value eq \"a\"]"));
        assert_eq!(simple.item("a"), json!("a"));
        let complex = Attribute::new(URN, "delegations.value").unwrap();
        assert_eq!(complex.holding("a\\"), format!("{URN}:delegations[value eq \"a\\\\\"]"));
        assert_eq!(complex.item("a"), json!({"value": "a"}));
    }

    #[test]
    fn what_cannot_stand_in_a_path_is_refused() {
        for urn in ["", "behalf", "urn:x", "urn::x", "urn:a b:c", "urn:a:b]", "urn:a:b eq", "urn:a:\"b\"", "urn:é:x"] {
            assert!(Attribute::new(urn, "agents").is_err(), "{urn}");
        }
        for path in ["", ".value", "a.values", "a.value.value", "1a", "a b", "a[b]", "a\"", "é", "$ref"] {
            assert!(Attribute::new(URN, path).is_err(), "{path}");
        }
    }
}
