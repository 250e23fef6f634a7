//! What an application says of its own request. It is shown to approvers as data from the application, never as words
//! of the service, and a signature binds to it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use super::data::{DataFault, MOST_BYTES, Members, members, object};
use crate::domain::{
    canonical::canonical,
    ids::{ApplicationUri, plain_text, visible},
    text::is_nfc,
};

/// The most characters of a title.
pub const TITLE: usize = 200;
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

/// Whether a title or a name can be.
pub fn check_text(text: &str, most: usize) -> Result<(), DataFault> {
    plain_text(text, most).map_err(|_| DataFault::Text)?;
    if is_nfc(text) && visible(text) > 0 { Ok(()) } else { Err(DataFault::Text) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn too_much_is_not_signed() {
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

    #[test]
    fn a_title_says_something() {
        assert_eq!(check_text("Payment run", TITLE), Ok(()));
        for blank in ["", " ", "\u{a0}\u{3000}", "\u{3164}", "\u{2800}", "a\u{fe0f}"] {
            assert_eq!(check_text(blank, TITLE), Err(DataFault::Text), "{blank:?}");
        }
    }
}
