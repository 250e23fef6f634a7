//! The public id of an approval.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::domain::ids::{IdError, RecordId};

/// The prefix by which an approval's id is known.
const PREFIX: &str = "apr_";

/// An approval's id: `apr_` + base64url(6-byte ms time ‖ 16 random bytes). Public: it names a request and opens nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ApprovalId([u8; 22]);

impl ApprovalId {
    /// Makes an id from the time and random bytes.
    pub fn mint(now: Timestamp, random: [u8; 16]) -> Self {
        let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
        let mut raw = [0; 22];
        raw[..6].copy_from_slice(&millis.to_be_bytes()[2..]);
        raw[6..].copy_from_slice(&random);
        Self(raw)
    }

    /// Takes `apr_…` in its one spelling.
    pub fn parse(text: &str) -> Option<Self> {
        let raw = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        raw.try_into().ok().map(Self)
    }

    /// Where the approval is stored.
    pub fn record(self) -> RecordId {
        let mut time = [0; 8];
        time[2..].copy_from_slice(&self.0[..6]);
        RecordId { time: u64::from_be_bytes(time), hash: Sha256::digest(self.to_string().as_bytes()).into() }
    }
}

impl fmt::Display for ApprovalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl TryFrom<String> for ApprovalId {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        Self::parse(&text).ok_or(IdError::Form)
    }
}

impl From<ApprovalId> for String {
    fn from(id: ApprovalId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_spelling_and_carries_its_time() {
        let id = ApprovalId::mint(Timestamp::from_millisecond(1_700_000_000_123).unwrap(), [0xff; 16]);
        let text = id.to_string();
        assert_eq!((text.len(), ApprovalId::parse(&text)), (4 + 30, Some(id)));
        assert_eq!(id.record().time, 1_700_000_000_123);
        for bad in ["", "apr_", "dlg_AAAA", &text[1..], &text[..33], &format!("{text}A"), &format!("{text}=")] {
            assert_eq!(ApprovalId::parse(bad), None, "{bad}");
        }
        // 22 bytes end on a character of which two bits count.
        let twins = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars();
        let same = twins.filter(|c| ApprovalId::parse(&format!("{}{c}", &text[..33])) == Some(id)).count();
        assert_eq!(same, 1);
    }
}
