//! Bytes of a fixed number, written in base64url without padding, in one spelling.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// In base64url.
pub fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The inverse. `None` for another number of bytes, and for another spelling: the decoder refuses stray trailing bits.
pub fn read<const N: usize>(text: &str) -> Option<[u8; N]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

/// A type for so many bytes.
macro_rules! bytes_type {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(pub [u8; $len]);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&$crate::domain::bytes::text(&self.0))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::domain::chain::FormError;
            fn from_str(text: &str) -> Result<Self, $crate::domain::chain::FormError> {
                $crate::domain::bytes::read(text).map(Self).ok_or($crate::domain::chain::FormError::Spelling)
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::domain::chain::FormError;
            fn try_from(text: String) -> Result<Self, $crate::domain::chain::FormError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(bytes: $name) -> Self {
                bytes.to_string()
            }
        }
    };
}

pub(in crate::domain) use bytes_type;
