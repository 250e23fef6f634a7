//! Search filters (RFC 4515). Every value is escaped here, whatever it is; names come from the configuration, which
//! checks them.

use std::fmt::{self, Write as _};

/// A filter of the right form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter(String);

/// "Is below it, at any depth", of Active Directory.
const IN_CHAIN: &str = "1.2.840.113556.1.4.1941";

impl Filter {
    /// Taken as it is written.
    pub fn configured(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Entries with that attribute, which all have.
    pub fn any() -> Self {
        Self("(objectClass=*)".to_owned())
    }

    /// Entries whose attribute has that value, as the server compares it.
    pub fn is(attribute: &str, value: &[u8]) -> Self {
        Self(format!("({attribute}={})", Escaped(value)))
    }

    /// Entries with that attribute.
    pub fn has(attribute: &str) -> Self {
        Self(format!("({attribute}=*)"))
    }

    /// Entries whose attribute has one of these values, of which there is one at least.
    pub fn one_of(attribute: &str, values: &[&[u8]]) -> Self {
        Self(format!("(|{})", values.iter().map(|value| Self::is(attribute, value).0).collect::<String>()))
    }

    /// Entries whose attribute leads to `dn`, directly or through others.
    pub fn leads_to(attribute: &str, dn: &str) -> Self {
        Self(format!("({attribute}:{IN_CHAIN}:={})", Escaped(dn.as_bytes())))
    }

    /// Both.
    #[must_use]
    pub fn and(self, other: &Self) -> Self {
        Self(format!("(&{self}{other})"))
    }

    /// Entries that it doesn't find.
    #[must_use]
    pub fn negated(self) -> Self {
        Self(format!("(!{self})"))
    }

    /// Either.
    #[must_use]
    pub fn or(self, other: &Self) -> Self {
        Self(format!("(|{self}{other})"))
    }

    /// As the library reads it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// All but letters, digits and a few harmless signs as `\hh`, which any byte may be.
struct Escaped<'v>(&'v [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'@' => f.write_char(char::from(*byte)),
            _ => write!(f, "\\{byte:02x}"),
        })
    }
}
