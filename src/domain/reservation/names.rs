//! How a reservation is named: a secret that proves its holder, and a reference that opens nothing.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::{
    hex::hex,
    ids::{RecordId, mint_bearer, parse_bearer},
};

/// The prefix of the secret of a reservation.
pub const SECRET_PREFIX: &str = "rsv_";
/// The prefix of its public reference.
pub const REFERENCE_PREFIX: &str = "rvn_";

/// What a direct login carries: `rsv_` + base64url(6-byte ms time ‖ 32 random bytes). A bearer secret: no `Debug`, kept
/// as a hash only.
#[derive(Clone, PartialEq, Eq)]
pub struct ReservationSecret {
    text: String,
    record: RecordId,
}

impl ReservationSecret {
    /// Makes a secret from the time and 32 random bytes.
    pub fn mint(now: Timestamp, random: [u8; 32]) -> Self {
        let (text, record) = mint_bearer(SECRET_PREFIX, now, random);
        Self { text, record }
    }

    /// `None` for what is not of a secret's exact form.
    pub fn parse(text: &str) -> Option<Self> {
        let record = parse_bearer(SECRET_PREFIX, text)?;
        Some(Self { text: text.to_owned(), record })
    }

    /// The secret itself, for the one answer that hands it out.
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// What is kept of it.
    pub fn hash(&self) -> SecretHash {
        SecretHash(hex(&self.record.hash))
    }
}

/// SHA-256 of a [`ReservationSecret`], hex. Of 256 random bits, so that how long a comparison takes tells nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretHash(String);

/// Which reservation of which account: `rvn_` + base64url(hash of the account's slot ‖ generation).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ReservationRef {
    /// The account's slot.
    pub slot: RecordId,
    /// The reservation's number there.
    pub generation: u64,
}

impl ReservationRef {
    /// Takes `rvn_…` as [`fmt::Display`] writes it.
    pub fn parse(text: &str) -> Option<Self> {
        let raw = URL_SAFE_NO_PAD.decode(text.strip_prefix(REFERENCE_PREFIX)?).ok()?;
        let raw: [u8; 40] = raw.try_into().ok()?;
        let (mut hash, mut generation) = ([0; 32], [0; 8]);
        hash.copy_from_slice(&raw[..32]);
        generation.copy_from_slice(&raw[32..]);
        Some(Self { slot: RecordId { time: 0, hash }, generation: u64::from_be_bytes(generation) })
    }
}

impl fmt::Display for ReservationRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut raw = [0; 40];
        raw[..32].copy_from_slice(&self.slot.hash);
        raw[32..].copy_from_slice(&self.generation.to_be_bytes());
        write!(f, "{REFERENCE_PREFIX}{}", URL_SAFE_NO_PAD.encode(raw))
    }
}
